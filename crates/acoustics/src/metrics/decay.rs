//! Schroeder's decay curve of a response with noise, and straight lines through it.

/// A decay by backward integration, up to where it meets the noise.
#[derive(Debug, Clone, PartialEq)]
pub struct DecayCurve {
    sample_rate: f64,
    levels: Vec<f64>,
    range: f64,
}

/// A straight line through part of a decay.
#[derive(Clone, Copy)]
pub(super) struct DecayFit {
    /// Time for 60 dB at its slope, in seconds.
    pub(super) reverberation_time: f64,
    /// Share of the variance that the line explains: r², 0 to 1.
    pub(super) determination: f64,
}

impl DecayCurve {
    /// From the energy of each sample after the onset; `None` if it never falls. The noise is sought in blocks
    /// of `block_seconds`.
    pub(super) fn new(energies: &[f64], sample_rate: f64, block_seconds: f64) -> Option<Self> {
        let block = ((block_seconds * sample_rate) as usize).max(1);
        let Floor { knee, decay_per_sample, energy_at_knee, range } = Floor::find(energies, block)?;
        // What a decay at this rate would still have brought after the knee.
        let mut remaining = energy_at_knee / decay_per_sample;
        let mut levels: Vec<f64> = energies[..knee]
            .iter()
            .rev()
            .map(|energy| {
                remaining += energy;
                remaining
            })
            .collect();
        levels.reverse();
        let total = *levels.first().filter(|&&total| total > 0.0)?;
        for level in &mut levels {
            *level = 10.0 * (*level / total).log10();
        }
        Some(Self { sample_rate, levels, range })
    }

    /// Energy still to come at each sample from the onset to the knee, in decibels of the whole: it begins with 0.
    pub fn levels(&self) -> &[f64] {
        &self.levels
    }

    /// Samples per second.
    pub fn sample_rate(&self) -> f64 {
        self.sample_rate
    }

    /// Where the decay meets the noise, in samples from the onset.
    pub fn knee(&self) -> usize {
        self.levels.len()
    }

    /// Level of the strongest part above the noise, in decibels.
    pub fn range(&self) -> f64 {
        self.range
    }

    /// The line between two levels, if the response has `needed` decibels of range.
    pub(super) fn fit(&self, from: f64, to: f64, needed: f64) -> Option<DecayFit> {
        if self.range < needed {
            return None;
        }
        let first = self.levels.iter().position(|&level| level <= from)?;
        let last = self.levels.iter().position(|&level| level <= to)?;
        let Line { slope, determination, .. } = line(self.levels[first..=last].iter().copied())?;
        let reverberation_time = -60.0 / slope / self.sample_rate;
        (slope < 0.0).then_some(DecayFit { reverberation_time, determination })
    }
}

/// Where a decay meets the noise.
struct Floor {
    knee: usize,
    decay_per_sample: f64,
    energy_at_knee: f64,
    range: f64,
}

impl Floor {
    /// Lundeby's iteration: the noise is taken from well after the knee, the slope from above the noise,
    /// the knee where the two meet.
    fn find(energies: &[f64], block: usize) -> Option<Self> {
        let blocks: Vec<f64> = energies
            .chunks(block)
            .map(|chunk| 10.0 * (chunk.iter().sum::<f64>() / chunk.len() as f64).log10())
            .collect();
        let peak = blocks.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let start = blocks.iter().position(|&level| level >= peak)?;
        // A response may end in digital silence; there the decay simply ends.
        let count = blocks.iter().rposition(|level| level.is_finite())? + 1;
        let blocks = &blocks[..count];

        let mut knee = count as f64;
        let mut noise = f64::NEG_INFINITY;
        let mut fit = None;
        for _ in 0..6 {
            let tail = (knee as usize + 2).min(count - count.div_ceil(10));
            noise = mean_level(&blocks[tail..]);
            let above =
                blocks[start..].iter().position(|&level| level < noise + 8.0).unwrap_or(count - start);
            let falling = line(blocks[start..start + above].iter().copied()).filter(|fit| fit.slope < 0.0)?;
            knee = (start as f64 + (noise - falling.offset) / falling.slope)
                .clamp(start as f64 + 1.0, count as f64);
            fit = Some(falling);
        }
        let fit = fit?;
        let knee_samples = ((knee * block as f64) as usize).min(energies.len());
        let level_at_knee = fit.offset + fit.slope * (knee - start as f64);
        Some(Self {
            knee: knee_samples,
            decay_per_sample: -fit.slope / block as f64 * std::f64::consts::LN_10 / 10.0,
            energy_at_knee: 10_f64.powf(level_at_knee / 10.0),
            range: peak - noise,
        })
    }
}

fn mean_level(levels: &[f64]) -> f64 {
    let mean = levels.iter().map(|level| 10_f64.powf(level / 10.0)).sum::<f64>() / levels.len() as f64;
    10.0 * mean.log10()
}

/// A straight line: `offset + slope * index`.
struct Line {
    offset: f64,
    slope: f64,
    /// Share of the variance that it explains, 0 to 1; 1 for a constant.
    determination: f64,
}

/// Least-squares line through at least two values at 0, 1, 2 ….
fn line(values: impl ExactSizeIterator<Item = f64> + Clone) -> Option<Line> {
    let count = values.len() as f64;
    if count < 2.0 {
        return None;
    }
    let centre = 0.5 * (count - 1.0);
    let mean = values.clone().sum::<f64>() / count;
    let (mut moment, mut variance) = (0.0, 0.0);
    for (index, value) in values.enumerate() {
        moment += (index as f64 - centre) * (value - mean);
        variance += (value - mean).powi(2);
    }
    let spread = count * (count * count - 1.0) / 12.0;
    let slope = moment / spread;
    let determination = if variance > 0.0 { moment * moment / (spread * variance) } else { 1.0 };
    Some(Line { offset: mean - slope * centre, slope, determination })
}
