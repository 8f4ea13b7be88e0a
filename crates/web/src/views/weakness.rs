//! Where a model fails: what the model's page shows of its analysis.

use super::quantity::{Count, Difference, Interval, Rate};

/// Where a model fails on the ranked tracks. Rates of the three far tracks are those of their items together.
#[derive(Debug, Clone, Default)]
pub struct Weakness {
    /// Mean WER of the far tracks over that of the near track, and its 95 % interval, with two decimals.
    pub far_near: Option<(String, Option<String>)>,
    /// Character error rate near and far.
    pub chars: [Option<Rate>; 2],
    /// Punctuation error rate near and far.
    pub punctuation: [Option<Rate>; 2],
    /// Case error rate near and far.
    pub casing: [Option<Rate>; 2],
    /// Words written per hour of audio in which nothing is said, on the tracks that have such.
    pub false_words: Vec<(String, String)>,
    /// Errors by class of word, the most frequent class first.
    pub classes: Vec<ClassRow>,
    /// Entities that are wrong as a whole.
    pub entities: Vec<EntityRow>,
    /// Tracks of the table of faults.
    pub fault_tracks: Vec<String>,
    /// Outputs that are wrong as a whole.
    pub faults: Vec<FaultRow>,
    /// Errors as a function of the conditions.
    pub responses: Vec<ResponseTable>,
    /// What room, noise, both and motion cost.
    pub ladder: Vec<LadderRow>,
    /// Heads of the bins of SNR.
    pub snr_bins: Vec<&'static str>,
    /// Errors by room, the worst room first.
    pub rooms: Vec<RoomRow>,
    /// Items from which a cell of the rooms has a rate.
    pub fewest_items: u64,
    /// Frequent confusions of words.
    pub confusions: Vec<ConfusionRow>,
    /// Utterances in which a confusion must happen to be shown.
    pub shown_from: usize,
}

/// One step of the ladder from dry speech to a talker who walks through a noisy room.
#[derive(Debug, Clone)]
pub struct LadderRow {
    /// What is added.
    pub step: String,
    /// The track that has it.
    pub track: String,
    /// The track that lacks it; nothing for the first.
    pub from: Option<String>,
    /// WER of the track.
    pub wer: Rate,
    /// How much more that is, and its interval.
    pub increment: Option<(Difference, Difference, Difference)>,
    /// The increment and its interval as a mark, as SVG from the `charts` crate.
    pub strip: String,
}

/// One room.
#[derive(Debug, Clone)]
pub struct RoomRow {
    /// Its name.
    pub room: String,
    /// Each bin of SNR.
    pub cells: Vec<RoomCell>,
    /// All bins together.
    pub all: RoomCell,
}

/// Items of one room and one bin of SNR.
#[derive(Debug, Clone, Copy)]
pub struct RoomCell {
    /// How many.
    pub items: Count,
    /// Their WER; nothing where they are too few for one.
    pub wer: Option<Rate>,
}

/// Words of one class.
#[derive(Debug, Clone)]
pub struct ClassRow {
    /// The class.
    pub name: &'static str,
    /// What belongs to it.
    pub meaning: &'static str,
    /// Reference words near and far together.
    pub ref_words: Count,
    /// (S + D + I) / N near and far.
    pub wer: [Option<Rate>; 2],
    /// Substitutions, deletions and insertions, near and far together.
    pub errors: [Count; 3],
}

/// Entities of one class.
#[derive(Debug, Clone)]
pub struct EntityRow {
    /// The class.
    pub name: &'static str,
    /// Entities near and far together.
    pub entities: Count,
    /// Share that is wrong near and far.
    pub rate: [Option<Rate>; 2],
}

/// One way in which an output can be wrong as a whole.
#[derive(Debug, Clone)]
pub struct FaultRow {
    /// What it is called.
    pub name: &'static str,
    /// When an output counts as such.
    pub meaning: String,
    /// Outputs on each track.
    pub outputs: Vec<Count>,
}

/// Errors as a function of one condition.
#[derive(Debug, Clone)]
pub struct ResponseTable {
    /// The condition, in words.
    pub condition: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Items behind it.
    pub items: Count,
    /// The fitted rates as a chart.
    pub svg: String,
    /// The fitted rates.
    pub rows: Vec<ResponseRow>,
    /// Where round rates are reached.
    pub reached: Vec<ReachedRow>,
}

/// A fitted rate.
#[derive(Debug, Clone)]
pub struct ResponseRow {
    /// Value of the condition, written.
    pub value: String,
    /// Share of words wrong.
    pub rate: Rate,
    /// 95 % band.
    pub band: Interval<Rate>,
}

/// Where a rate is reached.
#[derive(Debug, Clone)]
pub struct ReachedRow {
    /// The rate in percent, written without decimals.
    pub percent: String,
    /// Value of the condition, written.
    pub value: String,
    /// Its 95 % interval, written; nothing if it has no ends.
    pub interval: Option<String>,
}

/// One word taken for another.
#[derive(Debug, Clone)]
pub struct ConfusionRow {
    /// What was said; nothing for a word added.
    pub said: Option<String>,
    /// What was written; nothing for a word left out.
    pub written: Option<String>,
    /// How often.
    pub count: Count,
    /// In how many utterances.
    pub utterances: Count,
}
