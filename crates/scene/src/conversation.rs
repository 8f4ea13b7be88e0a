//! Who speaks when: turns of several talkers with an overlap that is set exactly.
//!
//! **Overlap ratio**: time in which two or more talkers speak, divided by time in which at least one speaks. A turn lasts
//! from the first to the last sample of its dry recording.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// One turn: a recording by a talker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn<'a> {
    /// Who speaks.
    pub speaker: &'a str,
    /// Samples of the recording.
    pub samples: usize,
}

/// One turn in the reference of a scene; its fields are those of a `SegLST` segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// The scene.
    pub session_id: String,
    /// Who speaks.
    pub speaker: String,
    /// When the first sample is spoken, in seconds from the beginning of the scene.
    pub start_time: f64,
    /// When the last one has been.
    pub end_time: f64,
    /// What is said.
    pub words: String,
}

impl Segment {
    /// The reference of a turn that was placed in a scene.
    pub fn new(session_id: &str, turn: &Turn<'_>, words: &str, start: usize, sample_rate: u32) -> Self {
        let seconds = |samples: usize| samples as f64 / f64::from(sample_rate);
        Self {
            session_id: session_id.to_owned(),
            speaker: turn.speaker.to_owned(),
            start_time: seconds(start),
            end_time: seconds(start + turn.samples),
            words: words.to_owned(),
        }
    }
}

/// Why turns cannot overlap as asked.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ConversationError {
    /// A turn without samples.
    #[error("turn {0} has no samples")]
    Empty(usize),
    /// A ratio that these turns cannot reach, or none at all.
    #[error(
        "an overlap ratio of {asked} was asked for; these turns can overlap by 0 to {most:.3} without a third talker \
         in between or a talker over themselves: ask for less or alternate talkers of turns alike in length"
    )]
    Overlap {
        /// What was asked for.
        asked: f64,
        /// The most that these turns allow.
        most: f64,
    },
}

/// Where each turn begins, in samples, so that the overlap ratio is `overlap_ratio` to within a sample.
///
/// Turns keep their order. Each may overlap with the next if somebody else speaks it; at most two talkers speak at a
/// time; the overlap is shared among such pairs in proportion to what each could have. Where a pair does not overlap,
/// `pause` samples lie between.
///
/// # Errors
/// [`ConversationError`] when a turn is empty or the turns cannot overlap as much as asked.
pub fn schedule(
    turns: &[Turn<'_>],
    overlap_ratio: f64,
    pause: usize,
) -> Result<Vec<usize>, ConversationError> {
    if let Some(empty) = turns.iter().position(|turn| turn.samples == 0) {
        return Err(ConversationError::Empty(empty));
    }
    let room = overlap_room(turns);
    let (spoken, most): (usize, usize) = (turns.iter().map(|turn| turn.samples).sum(), room.iter().sum());
    // With overlap o, the time in which anybody speaks is what is spoken less o.
    let wanted = overlap_ratio * spoken as f64 / (1.0 + overlap_ratio);
    if !(wanted >= 0.0 && wanted.round() <= most as f64) {
        let most = most as f64 / (spoken - most).max(1) as f64;
        return Err(ConversationError::Overlap { asked: overlap_ratio, most });
    }
    let overlaps = apportion(&room, wanted.round() as usize);
    let mut starts = Vec::with_capacity(turns.len());
    let mut end = 0;
    for (index, turn) in turns.iter().enumerate() {
        let start = match index.checked_sub(1).map(|pair| overlaps[pair]) {
            None => 0,
            Some(0) => end + pause,
            Some(overlap) => end - overlap,
        };
        starts.push(start);
        end = start + turn.samples;
    }
    Ok(starts)
}

/// By how much each turn could overlap with the next. Turns between two others give half of themselves to each, so that
/// three never meet.
fn overlap_room(turns: &[Turn<'_>]) -> Vec<usize> {
    let last = turns.len().saturating_sub(1);
    let share = |index: usize, at_edge: bool| turns[index].samples / if at_edge { 1 } else { 2 };
    turns
        .windows(2)
        .enumerate()
        .map(|(n, pair)| {
            if pair[0].speaker == pair[1].speaker {
                return 0;
            }
            share(n, n == 0).min(share(n + 1, n + 1 == last))
        })
        .collect()
}

/// Shares a total out in proportion to the room there is, in whole samples.
fn apportion(room: &[usize], total: usize) -> Vec<usize> {
    let all: usize = room.iter().sum();
    let (mut given, mut room_so_far) = (0, 0);
    room.iter()
        .map(|&room| {
            room_so_far += room;
            // In 128 bits no product of two lengths overflows.
            let target = (total as u128 * room_so_far as u128 / all.max(1) as u128) as usize;
            let share = target - given;
            given = target;
            share
        })
        .collect()
}

/// The overlap ratio of any ranges of time.
pub fn overlap_ratio(ranges: &[Range<usize>]) -> f64 {
    let mut edges: Vec<(usize, i32)> =
        ranges.iter().flat_map(|range| [(range.start, 1), (range.end, -1)]).collect();
    edges.sort_unstable();
    let (mut talking, mut since, mut any, mut several) = (0, 0, 0, 0);
    for (at, change) in edges {
        any += if talking >= 1 { at - since } else { 0 };
        several += if talking >= 2 { at - since } else { 0 };
        (talking, since) = (talking + change, at);
    }
    several as f64 / any.max(1) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(turns: &[Turn<'_>], starts: &[usize]) -> Vec<Range<usize>> {
        turns.iter().zip(starts).map(|(turn, &start)| start..start + turn.samples).collect()
    }

    proptest! {
        #[test]
        fn the_overlap_is_what_was_asked_for_to_within_a_sample(
            lengths in prop::collection::vec((0_usize..3, 8_000_usize..80_000), 2..10),
            share in 0.0_f64..1.0,
            pause in 0_usize..9_000,
        ) {
            let speakers = ["ann", "bob", "cid"];
            let turns: Vec<Turn<'_>> =
                lengths.iter().map(|&(who, samples)| Turn { speaker: speakers[who], samples }).collect();
            let (spoken, most): (usize, usize) =
                (turns.iter().map(|t| t.samples).sum(), overlap_room(&turns).iter().sum());
            let asked = share * most as f64 / (spoken - most) as f64;
            let starts = schedule(&turns, asked, pause).unwrap();
            let ranges = ranges(&turns, &starts);
            let any = spoken as f64 / (1.0 + asked);
            prop_assert!((overlap_ratio(&ranges) - asked).abs() < 1.5 / any, "{}", overlap_ratio(&ranges));
            for (n, range) in ranges.iter().enumerate() {
                for (m, other) in ranges.iter().enumerate().skip(n + 1) {
                    let meets = range.start.max(other.start) < range.end.min(other.end);
                    prop_assert!(!meets || (m == n + 1 && turns[n].speaker != turns[m].speaker));
                }
            }
        }
    }

    #[test]
    fn two_turns_of_one_second_that_share_half_a_second_overlap_by_a_third() {
        let turns = [Turn { speaker: "ann", samples: 16_000 }, Turn { speaker: "bob", samples: 16_000 }];
        assert_eq!(schedule(&turns, 1.0 / 3.0, 0), Ok(vec![0, 8_000]));
        assert_eq!(schedule(&turns, 0.0, 4_000), Ok(vec![0, 20_000]));
        assert_eq!(schedule(&turns, 1.0, 0), Ok(vec![0, 0]));
    }

    #[test]
    fn more_overlap_than_the_turns_hold_is_refused_and_the_most_is_named() {
        let alone = [Turn { speaker: "ann", samples: 16_000 }, Turn { speaker: "ann", samples: 16_000 }];
        assert_eq!(schedule(&alone, 0.1, 0), Err(ConversationError::Overlap { asked: 0.1, most: 0.0 }));
        assert!(schedule(&alone, f64::NAN, 0).is_err());
        assert_eq!(
            schedule(&[Turn { speaker: "ann", samples: 0 }], 0.0, 0),
            Err(ConversationError::Empty(0))
        );
    }

    #[test]
    fn a_segment_is_written_as_seglst() {
        let turn = Turn { speaker: "ann", samples: 24_000 };
        let segment = Segment::new("scene-1", &turn, "hello there", 8_000, 16_000);
        assert_eq!(
            serde_json::to_string(&segment).unwrap(),
            r#"{"session_id":"scene-1","speaker":"ann","start_time":0.5,"end_time":2.0,"words":"hello there"}"#
        );
    }
}
