//! Diarization and Jaccard error rates: who spoke when, whatever the words.
//!
//! DER (NIST md-eval) is the time missed, falsely attributed and confused over the time spoken, time counted once per
//! speaker, under the one-to-one mapping of speakers that has most time in common. JER (DIHARD II) is the mean over
//! reference speakers of the share of the time of a speaker or of its partner in which only one of them is active.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::assignment::assign;
use crate::segments::{Segment, SegmentError};

/// What part of a recording counts.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Scored {
    /// Start and end in seconds; all that either side covers if `None`.
    pub span: Option<(f64, f64)>,
    /// Seconds left out on each side of every boundary of a reference segment, as md-eval's `-c`. pyannote's collar
    /// is the total width: twice this.
    pub collar: f64,
    /// Whether time in which several reference speakers are active is left out.
    pub skip_overlap: bool,
}

/// The parts of a diarization error rate, in seconds of speaker time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DiarizationErrors {
    /// Time spoken in the reference, once per speaker.
    pub total: f64,
    /// Time in which fewer speakers are found than speak.
    pub missed: f64,
    /// Time in which more speakers are found than speak.
    pub false_alarm: f64,
    /// Time given to the wrong speaker.
    pub confusion: f64,
    /// Reference speaker and hypothesis speaker that have time in common.
    pub mapping: Vec<(String, String)>,
}

impl DiarizationErrors {
    /// (missed + false alarm + confusion) / total; `None` if nobody speaks.
    pub fn rate(&self) -> Option<f64> {
        (self.total > 0.0).then(|| (self.missed + self.false_alarm + self.confusion) / self.total)
    }
}

/// Diarization error rate.
///
/// # Errors
/// If a segment has no times or impossible ones.
pub fn der(
    reference: &[Segment],
    hypothesis: &[Segment],
    scored: Scored,
) -> Result<DiarizationErrors, SegmentError> {
    let timeline = Timeline::new(reference, hypothesis, scored)?;
    let pairs = timeline.best_pairs();
    let mut errors = DiarizationErrors::default();
    for piece in &timeline.pieces {
        let (speaking, found) = (piece.reference.len(), piece.hypothesis.len());
        let right = pairs.iter().filter(|(r, h)| piece.has(*r, *h)).count();
        errors.total += speaking as f64 * piece.seconds;
        errors.missed += speaking.saturating_sub(found) as f64 * piece.seconds;
        errors.false_alarm += found.saturating_sub(speaking) as f64 * piece.seconds;
        errors.confusion += (speaking.min(found) - right) as f64 * piece.seconds;
    }
    errors.mapping = pairs
        .into_iter()
        .map(|(r, h)| (timeline.references[r].clone(), timeline.hypotheses[h].clone()))
        .collect();
    Ok(errors)
}

/// Jaccard error rate; `None` if there is no reference speaker.
///
/// # Errors
/// If a segment has no times or impossible ones.
pub fn jer(
    reference: &[Segment],
    hypothesis: &[Segment],
    scored: Scored,
) -> Result<Option<f64>, SegmentError> {
    let timeline = Timeline::new(reference, hypothesis, scored)?;
    let partners: BTreeMap<usize, usize> = timeline.best_pairs().into_iter().collect();
    let rates: Vec<f64> = (0..timeline.references.len())
        .map(|speaker| {
            let Some(&partner) = partners.get(&speaker) else { return 1.0 };
            let seconds = |holds: &dyn Fn(bool, bool) -> bool| -> f64 {
                let of = |piece: &&Piece| {
                    holds(piece.reference.contains(&speaker), piece.hypothesis.contains(&partner))
                };
                timeline.pieces.iter().filter(of).map(|piece| piece.seconds).sum()
            };
            seconds(&|own, partner| own != partner) / seconds(&|own, partner| own || partner)
        })
        .collect();
    Ok((!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64))
}

/// A stretch of time in which the active speakers do not change.
struct Piece {
    seconds: f64,
    reference: Vec<usize>,
    hypothesis: Vec<usize>,
}

impl Piece {
    fn has(&self, reference: usize, hypothesis: usize) -> bool {
        self.reference.contains(&reference) && self.hypothesis.contains(&hypothesis)
    }
}

/// The scored time of a recording, cut at every boundary.
struct Timeline {
    references: Vec<String>,
    hypotheses: Vec<String>,
    pieces: Vec<Piece>,
}

/// A change in what is active.
#[derive(Clone, Copy)]
enum Change {
    Reference(usize, i32),
    Hypothesis(usize, i32),
    /// Inside collars or outside the scored span.
    LeftOut(i32),
}

impl Timeline {
    fn new(reference: &[Segment], hypothesis: &[Segment], scored: Scored) -> Result<Self, SegmentError> {
        let references = names(reference);
        let hypotheses = names(hypothesis);
        let mut changes = Vec::new();
        let mut during = |from: f64, to: f64, change: &dyn Fn(i32) -> Change| {
            changes.extend([(from, change(1)), (to, change(-1))]);
        };
        for (index, segment) in reference.iter().enumerate() {
            let (start, end) = segment.times(index)?;
            let speaker = references.partition_point(|name| *name < segment.speaker);
            during(start, end, &|by| Change::Reference(speaker, by));
            if scored.collar > 0.0 {
                for boundary in [start, end] {
                    during(boundary - scored.collar, boundary + scored.collar, &Change::LeftOut);
                }
            }
        }
        for (index, segment) in hypothesis.iter().enumerate() {
            let (start, end) = segment.times(index)?;
            let speaker = hypotheses.partition_point(|name| *name < segment.speaker);
            during(start, end, &|by| Change::Hypothesis(speaker, by));
        }
        if let Some((start, end)) = scored.span {
            during(f64::NEG_INFINITY, start, &Change::LeftOut);
            during(end, f64::INFINITY, &Change::LeftOut);
        }
        changes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let pieces = cut(&changes, references.len(), hypotheses.len(), scored.skip_overlap);
        Ok(Self { references, hypotheses, pieces })
    }

    /// The one-to-one mapping of speakers with most time in common, of those that have any.
    fn best_pairs(&self) -> Vec<(usize, usize)> {
        let size = self.references.len().max(self.hypotheses.len());
        let mut common = vec![vec![0.0; size]; size];
        for piece in &self.pieces {
            for &r in &piece.reference {
                for &h in &piece.hypothesis {
                    common[r][h] += piece.seconds;
                }
            }
        }
        // Whole microseconds, so that ties are ties.
        let costs: Vec<Vec<i64>> = common
            .iter()
            .map(|row| row.iter().map(|seconds: &f64| -((seconds * 1e6).round() as i64)).collect())
            .collect();
        assign(&costs).into_iter().enumerate().filter(|&(r, h)| costs[r][h] < 0).collect()
    }
}

/// The speakers of one side, ascending.
fn names(segments: &[Segment]) -> Vec<String> {
    let mut names: Vec<String> = segments.iter().map(|segment| segment.speaker.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The scored pieces between sorted changes. A speaker that talks over itself is active once.
fn cut(changes: &[(f64, Change)], references: usize, hypotheses: usize, skip_overlap: bool) -> Vec<Piece> {
    let mut active = (vec![0; references], vec![0; hypotheses], 0);
    let mut pieces = Vec::new();
    for (index, &(time, change)) in changes.iter().enumerate() {
        match change {
            Change::Reference(speaker, by) => active.0[speaker] += by,
            Change::Hypothesis(speaker, by) => active.1[speaker] += by,
            Change::LeftOut(by) => active.2 += by,
        }
        let seconds = changes.get(index + 1).map_or(0.0, |next| next.0 - time);
        let of =
            |counts: &[i32]| (0..counts.len()).filter(|&speaker| counts[speaker] > 0).collect::<Vec<_>>();
        let piece = Piece { seconds, reference: of(&active.0), hypothesis: of(&active.1) };
        let is_overlap = piece.reference.len() > 1;
        if seconds > 0.0 && active.2 == 0 && !(skip_overlap && is_overlap) {
            pieces.push(piece);
        }
    }
    pieces
}
