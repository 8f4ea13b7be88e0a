//! A visitor's own room: which model makes how many errors there.

use askama::Template;

use super::{
    layout::{Choice, Layout},
    quantity::{Count, Estimate, Rtfx, Seconds},
};

/// `GET /my-room`.
#[derive(Debug, Template)]
#[template(path = "my_room.html")]
pub struct MyRoomPage {
    /// The frame.
    pub layout: Layout,
    /// Slug of the release whose responses are used.
    pub release: String,
    /// Hardware class whose latencies are used.
    pub hardware_class: String,
    /// Releases to choose from.
    pub releases: Vec<Choice>,
    /// Hardware classes to choose from.
    pub hardware_classes: Vec<Choice>,
    /// The fields as they were sent.
    pub form: RoomForm,
    /// How loudly people speak.
    pub efforts: Vec<Choice>,
    /// What the room makes of speech.
    pub conditions: Vec<ConditionRow>,
    /// Best first; those that are too late for the visitor last.
    pub rows: Vec<PredictionRow>,
    /// Models of the board for which there is no response.
    pub without_response: usize,
}

/// The fields of the form.
#[derive(Debug, Clone)]
pub struct RoomForm {
    /// m³.
    pub volume: String,
    /// s.
    pub t30: String,
    /// m.
    pub distance: String,
    /// dB(A).
    pub noise: String,
    /// s; empty for no limit.
    pub latency: String,
}

/// One condition that follows from the room.
#[derive(Debug, Clone)]
pub struct ConditionRow {
    /// What it is.
    pub name: &'static str,
    /// Its value with the unit.
    pub value: String,
    /// What was measured in the release, if it was.
    pub measured: Option<String>,
    /// The value is beyond that.
    pub is_beyond: bool,
}

/// What is expected of one model.
#[derive(Debug, Clone)]
pub struct PredictionRow {
    /// Name of the model.
    pub model: String,
    /// Its page.
    pub href: String,
    /// Who stands behind it.
    pub organisation: String,
    /// Predicted error rate; nothing where the room is beyond what was measured.
    pub predicted: Option<Estimate>,
    /// Items behind the response.
    pub items: Count,
    /// What it has on average on the board.
    pub avg_wer: Estimate,
    /// 95 of 100 utterances take no longer.
    pub latency_p95: Seconds,
    /// That is more than the visitor can wait.
    pub is_late: bool,
    /// Speed.
    pub rtfx: Option<Rtfx>,
}

impl MyRoomPage {
    /// The room is beyond what was measured in some respect.
    pub(crate) fn is_beyond(&self) -> bool {
        self.conditions.iter().any(|condition| condition.is_beyond)
    }

    /// A predicted rate on the scale shared by all rows.
    pub(crate) fn strip(&self, predicted: &Estimate) -> String {
        let all = self.rows.iter().filter_map(|row| row.predicted);
        let full_scale = all.map(|predicted| predicted.upper()).fold(0.0, f64::max);
        charts::interval_strip(predicted.value.0, predicted.limits(), full_scale)
    }
}
