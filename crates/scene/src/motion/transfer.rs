//! From something that moves to the microphones, or from something to microphones that move.

use std::ops::Range;

use acoustics::{Air, Directivity, Position, Rir};
use glam::DVec3;

use super::{
    EarlyPath, MotionError, Path,
    early::{Early, OctaveSignal, Timing},
};
use crate::{convolve::convolve_range, interpolate::TAPS, render::add};

/// Source and microphone are never closer than this, in metres: 1/r knows no bound.
const CLOSEST: f64 = 0.05;
/// How finely a path is searched for its distances, in metres.
const SEARCH_METRES: f64 = 0.02;

/// What moves.
#[derive(Debug, Clone, PartialEq)]
pub enum Motion {
    /// The source, past microphones that stay.
    Source {
        /// Where it goes.
        path: Path,
        /// Where the microphones are.
        microphones: Vec<Position>,
    },
    /// The microphones, past a source that stays.
    Microphones {
        /// Where the device goes that carries them, and which way it looks.
        path: Path,
        /// Where the microphones are in the device: metres ahead, to the left, and up. The device turns about the
        /// vertical.
        offsets: Vec<DVec3>,
        /// Where the source is.
        source: Position,
        /// Where it looks: a unit vector.
        facing: DVec3,
    },
}

impl Motion {
    /// The path of what moves.
    pub fn path(&self) -> &Path {
        match self {
            Self::Source { path, .. } | Self::Microphones { path, .. } => path,
        }
    }

    /// Number of microphones.
    pub fn microphones(&self) -> usize {
        match self {
            Self::Source { microphones, .. } => microphones.len(),
            Self::Microphones { offsets, .. } => offsets.len(),
        }
    }

    /// Where a microphone is after the mover has gone so many metres.
    pub fn microphone_after(&self, index: usize, metres: f64) -> Position {
        match self {
            Self::Source { microphones, .. } => microphones[index],
            Self::Microphones { path, offsets, .. } => {
                carried(path.place_after(metres), path.facing_after(metres), offsets[index])
            }
        }
    }

    /// Where the source is after the mover has gone so many metres.
    pub fn source_after(&self, metres: f64) -> Position {
        match self {
            Self::Source { path, .. } => path.place_after(metres),
            Self::Microphones { source, .. } => *source,
        }
    }

    pub(super) fn source(&self, time: f64) -> Position {
        match self {
            Self::Source { path, .. } => path.place(time),
            Self::Microphones { source, .. } => *source,
        }
    }

    pub(super) fn source_facing(&self, time: f64) -> DVec3 {
        match self {
            Self::Source { path, .. } => path.facing(time),
            Self::Microphones { facing, .. } => *facing,
        }
    }

    pub(super) fn microphone(&self, index: usize, time: f64) -> Position {
        match self {
            Self::Source { microphones, .. } => microphones[index],
            Self::Microphones { path, offsets, .. } => {
                carried(path.place(time), path.facing(time), offsets[index])
            }
        }
    }

    /// Metres that the mover has gone when a sound is made and heard: what counts is the time of its own end.
    pub(super) fn gone(&self, made: f64, heard: f64) -> f64 {
        match self {
            Self::Source { path, .. } => path.gone(made),
            Self::Microphones { path, .. } => path.gone(heard),
        }
    }
}

/// Where a point of a device is whose middle is at `place` and which looks along `facing`, turned about the vertical.
fn carried(place: Position, facing: DVec3, offset: DVec3) -> Position {
    let ahead = DVec3::new(facing.x, facing.y, 0.0).try_normalize().unwrap_or(DVec3::X);
    let left = DVec3::Z.cross(ahead);
    (DVec3::from(place) + offset.x * ahead + offset.y * left + offset.z * DVec3::Z).into()
}

/// What the early paths leave of the responses at one place on the path.
#[derive(Debug, Clone, PartialEq)]
pub struct LateNode {
    /// Where it is: metres that the mover has gone.
    pub gone: f64,
    /// One response for each microphone.
    pub responses: Vec<Rir>,
}

/// How sound gets to the microphones while something moves.
///
/// - Early paths (direct sound, low reflections) are followed exactly: the sample heard now is the one made when the
///   path was as long as sound has travelled since, read between samples by a windowed sinc of 32 taps.
///   Spreading, air, reflections and the source's directivity follow along, by octave. (The amplitude of a moving
///   monopole's own convection, below 1 % at walking pace, is left out.)
/// - The rest is known at nodes, 5 to 10 cm apart, and crossfaded by raised cosines that sum to one over the way:
///   for a moving source what it says on its way is divided among the nodes, since sound keeps the way it was sent
///   on; for moving microphones what they hear is.
///
/// Where two nodes' responses have nothing in common (above some kilohertz, late) a crossfade loses up to 3 dB half-way
/// between them, 1.25 dB on average.
#[derive(Debug, Clone)]
pub struct MovingTransfer {
    sample_rate: u32,
    motion: Motion,
    early: Early,
    places: Vec<f64>,
    late: Vec<Vec<Vec<f32>>>,
}

impl MovingTransfer {
    /// A transfer whose nodes hold only what the early paths do not.
    ///
    /// Without nodes there is nothing but the early paths.
    ///
    /// # Errors
    /// [`MotionError`] says what does not fit.
    pub fn new(
        sample_rate: u32,
        motion: Motion,
        air: Air,
        directivity: Directivity,
        paths: Vec<EarlyPath>,
        late: Vec<LateNode>,
    ) -> Result<Self, MotionError> {
        if sample_rate == 0 || air.speed_of_sound().is_nan() {
            return Err(MotionError::Rate);
        }
        if motion.microphones() == 0 {
            return Err(MotionError::NoMicrophone);
        }
        check_nodes(&late, motion.microphones(), sample_rate)?;
        let (speed_of_sound, air_loss) = (air.speed_of_sound(), air.energy_loss());
        let early = Early { paths, directivity, speed_of_sound, air_loss };
        early.check(late.len())?;
        let places = late.iter().map(|node| node.gone).collect();
        let samples = |node: LateNode| node.responses.iter().map(|rir| rir.samples().to_vec()).collect();
        let transfer =
            Self { sample_rate, motion, early, places, late: late.into_iter().map(samples).collect() };
        transfer.check_distance()?;
        Ok(transfer)
    }

    /// A transfer from whole responses at the nodes: what the early paths give at a node is taken away from its
    /// responses, so that every path counts once and someone who stands at a node is heard through the very response.
    ///
    /// The early paths must be those of the responses, with the same places of their images; what is not the same
    /// stays in the late part, twice.
    ///
    /// # Errors
    /// [`MotionError`] says what does not fit.
    pub fn from_whole_responses(
        sample_rate: u32,
        motion: Motion,
        air: Air,
        directivity: Directivity,
        paths: Vec<EarlyPath>,
        nodes: Vec<LateNode>,
    ) -> Result<Self, MotionError> {
        let mut transfer = Self::new(sample_rate, motion, air, directivity, paths, nodes)?;
        for node in 0..transfer.places.len() {
            for microphone in 0..transfer.microphones() {
                let early = transfer.early_response(node, microphone);
                for (late, early) in transfer.late[node][microphone].iter_mut().zip(early) {
                    *late -= early;
                }
            }
        }
        Ok(transfer)
    }

    /// Samples per second.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Number of microphones.
    pub fn microphones(&self) -> usize {
        self.motion.microphones()
    }

    /// What moves.
    pub fn motion(&self) -> &Motion {
        &self.motion
    }

    /// For how many samples after a sound was made it can still be heard.
    pub fn memory(&self) -> usize {
        let late = self.late.iter().flatten().map(Vec::len).max().unwrap_or(1) - 1;
        late.max(self.early_memory())
    }

    pub(crate) fn tail(&self, decay_db: f64) -> usize {
        // Each response of the late part is cut where the whole of it has decayed by so much.
        let decayed = |samples: &Vec<f32>| {
            Rir::new(self.sample_rate, samples.clone()).map_or(0, |rir| rir.length_to_decay(decay_db))
        };
        let late = self.late.iter().flatten().map(decayed).max().unwrap_or(0).saturating_sub(1);
        late.max(self.early_memory())
    }

    /// What each microphone hears: see [`crate::Transfer`].
    pub(crate) fn hear(&self, signal: &[f32], from: usize, clock: usize, length: usize) -> Vec<Vec<f32>> {
        let mut heard = self.hear_early(&self.motion, signal, from, clock, length);
        for node in 0..self.places.len() {
            self.hear_late(node, signal, [from, clock], &mut heard);
        }
        heard
    }

    fn hear_early(
        &self,
        motion: &Motion,
        signal: &[f32],
        from: usize,
        clock: usize,
        length: usize,
    ) -> Vec<Vec<f32>> {
        let octaves = OctaveSignal::new(signal, self.sample_rate);
        let timing = Timing {
            sample_rate: f64::from(self.sample_rate),
            speed_of_sound: self.early.speed_of_sound,
            clock,
            from,
        };
        let hear = |microphone| {
            let mut out = vec![0.0; length];
            self.early.add(motion, microphone, &self.places, &octaves, timing, &mut out);
            out
        };
        (0..self.microphones()).map(hear).collect()
    }

    /// Adds what comes by way of one node.
    fn hear_late(&self, node: usize, signal: &[f32], [from, clock]: [usize; 2], heard: &mut [Vec<f32>]) {
        let responses: Vec<&[f32]> = self.late[node].iter().map(Vec::as_slice).collect();
        let longest = responses.iter().map(|response| response.len()).max().unwrap_or(0);
        let length = heard.first().map_or(0, Vec::len);
        if longest == 0 {
            return;
        }
        match self.motion {
            Motion::Source { .. } => {
                // Sample n of the signal is made at sample n + clock - from of the scene.
                let first = clock.cast_signed() - from.cast_signed();
                let (range, said) = self.faded(node, first, signal.len(), |n| signal[n]);
                let end = (range.end + longest - 1).min(from + length);
                let start = range.start.max(from);
                if start < end && !said.is_empty() {
                    let skipped = start.cast_signed() - range.start.cast_signed();
                    // What is said near a node is short: with it as the filter transforms are, too.
                    let hear =
                        |response| convolve_range(response, &[&said], skipped, end - start).swap_remove(0);
                    let late: Vec<_> = responses.into_iter().map(hear).collect();
                    add(heard, &late, start - from, 1.0);
                }
            }
            Motion::Microphones { .. } => {
                let (range, weights) = self.faded(node, clock.cast_signed(), length, |_| 1.0);
                let start = (from + range.start).cast_signed();
                let late = convolve_range(signal, &responses, start, range.len());
                for (channel, late) in heard.iter_mut().zip(late) {
                    for ((out, late), weight) in channel[range.clone()].iter_mut().zip(late).zip(&weights) {
                        *out += late * weight;
                    }
                }
            }
        }
    }

    /// The stretch of `count` samples, the first at sample `first` of the scene, in which a node counts, and a value for
    /// each times the node's weight.
    fn faded(
        &self,
        node: usize,
        first: isize,
        count: usize,
        value: impl Fn(usize) -> f32,
    ) -> (Range<usize>, Vec<f32>) {
        let path = self.motion.path();
        let gone = |n: usize| path.gone((first + n.cast_signed()) as f64 / f64::from(self.sample_rate));
        // The way gone never shrinks, so the stretch is where it lies between the neighbours.
        let (before, after) = (node.checked_sub(1).map(|n| self.places[n]), self.places.get(node + 1));
        let start = before.map_or(0, |place| partition_point(count, |n| gone(n) <= place));
        let end = after.map_or(count, |&place| partition_point(count, |n| gone(n) < place));
        let samples = (start..end).map(|n| weight(&self.places, node, gone(n)) as f32 * value(n)).collect();
        (start..end.max(start), samples)
    }

    /// What the early paths give at a node: the response of someone who stands there.
    fn early_response(&self, node: usize, microphone: usize) -> Vec<f32> {
        let standing = |place: Position, facing: DVec3| {
            Path::standing(place, super::Facing::Fixed(facing.to_array()))
                .expect("a place on a path is finite")
        };
        let gone = self.places[node];
        let path = self.motion.path();
        let here = standing(path.place_after(gone), path.facing_after(gone));
        let motion = match &self.motion {
            Motion::Source { microphones, .. } => {
                Motion::Source { path: here, microphones: microphones.clone() }
            }
            Motion::Microphones { offsets, source, facing, .. } => {
                Motion::Microphones { path: here, offsets: offsets.clone(), source: *source, facing: *facing }
            }
        };
        let shares = |path: &EarlyPath| EarlyPath {
            image: path.image.clone(),
            shares: path.shares.get(node).map_or_else(Vec::new, |&share| vec![share; self.places.len()]),
        };
        let early = Early { paths: self.early.paths.iter().map(shares).collect(), ..self.early.clone() };
        let still = Self { early, motion, late: Vec::new(), ..self.clone() };
        let length = self.late[node][microphone].len();
        still.hear_early(&still.motion, &[1.0], 0, 0, length).swap_remove(microphone)
    }

    fn early_memory(&self) -> usize {
        let longest = self.distances().map(|(_, distance)| distance).fold(0.0, f64::max);
        (longest / self.early.speed_of_sound * f64::from(self.sample_rate)).ceil() as usize + TAPS
    }

    /// Lengths of all early paths all along the way, with the microphone they lead to.
    fn distances(&self) -> impl Iterator<Item = (usize, f64)> {
        let way = self.motion.path().nodes(SEARCH_METRES);
        way.into_iter().flat_map(move |gone| {
            let source = self.motion.source_after(gone);
            (0..self.microphones()).flat_map(move |index| {
                let microphone = self.motion.microphone_after(index, gone);
                self.early.paths.iter().map(move |path| (index, path.image.distance(source, microphone)))
            })
        })
    }

    fn check_distance(&self) -> Result<(), MotionError> {
        match self.distances().find(|&(_, distance)| distance < CLOSEST) {
            Some((microphone, _)) => Err(MotionError::TooClose(microphone)),
            None => Ok(()),
        }
    }
}

/// Weight of a node after so many metres: a raised cosine to its neighbours; the first holds before it, the last
/// after it.
fn weight(places: &[f64], node: usize, gone: f64) -> f64 {
    let here = places[node];
    let neighbour = if gone < here { node.checked_sub(1) } else { Some(node + 1) };
    match neighbour.and_then(|n| places.get(n)) {
        None => 1.0,
        Some(there) => {
            let away = ((gone - here) / (there - here)).clamp(0.0, 1.0);
            (std::f64::consts::FRAC_PI_2 * away).cos().powi(2)
        }
    }
}

/// The first of `0..count` for which a property that holds at the beginning holds no longer.
fn partition_point(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

fn check_nodes(nodes: &[LateNode], microphones: usize, sample_rate: u32) -> Result<(), MotionError> {
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 && node.gone <= nodes[index - 1].gone {
            return Err(MotionError::NodeOrder(index));
        }
        let actual = node.responses.len();
        if actual != microphones {
            return Err(MotionError::NodeResponses { node: index, expected: microphones, actual });
        }
        let other = node.responses.iter().map(Rir::sample_rate).find(|&rate| rate != sample_rate);
        if let Some(actual) = other {
            return Err(MotionError::NodeRate { node: index, expected: sample_rate, actual });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
