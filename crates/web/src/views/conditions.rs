//! Tracks and rooms of a release.

use askama::Template;

use super::layout::Layout;
use crate::sim_to_real::Panel;

/// What a track is, for everybody.
#[derive(Debug)]
pub struct TrackDefinition {
    /// Its name.
    pub name: &'static str,
    /// It counts in the average that ranks.
    pub ranked: bool,
    /// What is heard.
    pub heard: &'static str,
    /// Its signal-to-noise ratios.
    pub snr: &'static str,
    /// What it tells about a model.
    pub tells: &'static str,
}

const fn track(
    name: &'static str,
    ranked: bool,
    snr: &'static str,
    heard: &'static str,
    tells: &'static str,
) -> TrackDefinition {
    TrackDefinition { name, ranked, heard, snr, tells }
}

/// Every track a release may have.
pub const TRACK_DEFINITIONS: [TrackDefinition; 16] = [
    track(
        "near",
        true,
        "–",
        "The dry recording: no room, no added noise.",
        "What is left to lose: every other track has the same utterances.",
    ),
    track(
        "far-high",
        true,
        "14 to 24 dB",
        "A talker in a furnished room, one continuous and one transient noise.",
        "Mostly what reverberation costs.",
    ),
    track("far-mid", true, "8 to 12 dB", "The same with more noise.", "Everyday far field."),
    track(
        "far-low",
        true,
        "−4 to 6 dB",
        "The same with as much noise as speech.",
        "Where recognisers break.",
    ),
    track(
        "sweep",
        false,
        "−10 to 30 dB",
        "As the far tracks, the ratio spread evenly over its whole range.",
        "Errors as a function of noise, reverberation and distance.",
    ),
    track("moving-high", false, "14 to 24 dB", "A talker who walks.", "What motion costs, next to far-high."),
    track("moving-mid", false, "8 to 12 dB", "A talker who walks.", "What motion costs, next to far-mid."),
    track("moving-low", false, "−4 to 6 dB", "A talker who walks.", "What motion costs, next to far-low."),
    track(
        "lab-measured",
        false,
        "no noise",
        "Speech through responses that were measured in a real room.",
        "With lab-simulated: whether simulation can be trusted.",
    ),
    track(
        "lab-simulated",
        false,
        "no noise",
        "The same utterances through simulated responses of the same room.",
        "With lab-measured: whether simulation can be trusted.",
    ),
    track(
        "reverb-only",
        false,
        "no noise",
        "The items of far-mid without their noise.",
        "The part of far-mid's errors that the room alone makes.",
    ),
    track(
        "noise-only",
        false,
        "8 to 12 dB",
        "The items of far-mid with dry speech: their noise as the room carries it.",
        "The part of far-mid's errors that noise alone makes.",
    ),
    track(
        "silence",
        false,
        "as far-mid",
        "The items of far-mid without their speech.",
        "Words that nobody said, by the hour.",
    ),
    track(
        "multi-talker",
        false,
        "14 to 24 dB",
        "Two talkers who interrupt each other; the share of overlap is fixed.",
        "cpWER: words by talker, under the best assignment of talkers to streams. A model with one stream misses one of them.",
    ),
    track(
        "array",
        false,
        "8 to 12 dB",
        "The channels of one device with several microphones. Models that take one channel get its delay and sum.",
        "What beamforming brings.",
    ),
    track(
        "echo",
        false,
        "14 to 24 dB",
        "A loudspeaker in the room plays the far end of a call; the far end is given as a reference channel. Models that take \
         one channel get the microphone alone.",
        "What is left of the words under echo and double talk.",
    ),
];

/// Something to listen to, from the public dev set.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its track.
    pub track: String,
    /// What is said.
    pub text: String,
    /// The audio.
    pub href: String,
    /// Where.
    pub room: Option<String>,
    /// Signal-to-noise ratio.
    pub snr: Option<String>,
    /// Reverberation time.
    pub t30: Option<String>,
    /// From talker to microphone.
    pub distance: Option<String>,
    /// Channels of which this is one or the sum.
    pub channels: u64,
}

/// Measured against simulated.
#[derive(Debug)]
pub struct SimToReal {
    /// Model, measured, simulated, difference, interval: in percent.
    pub models: Vec<[String; 5]>,
    /// Kendall's tau across models.
    pub tau: Option<String>,
}

impl From<Panel> for SimToReal {
    fn from(panel: Panel) -> Self {
        let percent = |rate: f64| format!("{:.1}", 100.0 * rate);
        let signed = |rate: f64| format!("{:+.1}", 100.0 * rate).replace('-', "−");
        let models = panel.models.iter().map(|model| {
            [
                model.model.clone(),
                percent(model.measured),
                percent(model.simulated),
                signed(model.difference),
                format!("{} to {}", signed(model.interval[0]), signed(model.interval[1])),
            ]
        });
        let tau = panel.agreement.as_ref().and_then(|it| {
            let tau = it.kendall_tau?;
            let interval = it.kendall_tau_interval;
            let interval =
                interval.map(|it| format!(" ({:.2} to {:.2})", it.low, it.high)).unwrap_or_default();
            Some(format!("{tau:.2}{interval}").replace('-', "−"))
        });
        Self { models: models.collect(), tau }
    }
}

/// `GET /conditions`.
#[derive(Debug, Template)]
#[template(path = "conditions.html")]
pub struct ConditionsPage {
    /// The frame.
    pub layout: Layout,
    /// Slug and version.
    pub release: String,
    /// Name for people.
    pub title: String,
    /// Its tracks, each with a sample if there is one.
    pub tracks: Vec<(&'static TrackDefinition, Option<Sample>)>,
    /// Its rooms: name and title.
    pub rooms: Vec<(String, String)>,
    /// Whose voice the samples are.
    pub credit: String,
    /// Measured against simulated, where there are results.
    pub panel: Option<SimToReal>,
}

/// `GET /conditions/{track}`.
#[derive(Debug, Template)]
#[template(path = "track.html")]
pub struct TrackPage {
    /// The frame.
    pub layout: Layout,
    /// Slug and version.
    pub release: String,
    /// What it is.
    pub track: &'static TrackDefinition,
    /// The utterance as it was recorded.
    pub dry: Option<Sample>,
    /// The utterance on this track.
    pub sample: Option<Sample>,
    /// Title and address of each picture of the sample's room.
    pub pictures: Vec<(&'static str, String)>,
    /// Its rooms: name and title.
    pub rooms: Vec<(String, String)>,
    /// Whose voice the samples are.
    pub credit: String,
}

/// Parameters of one octave: T30, EDT, C50, direct-to-reverberant ratio.
#[derive(Debug)]
pub struct Octave {
    /// Centre in hertz.
    pub centre: String,
    /// The values, as far as they can be measured.
    pub values: [Option<String>; 4],
}

/// `GET /rooms/{room}`.
#[derive(Debug, Template)]
#[template(path = "room.html")]
pub struct RoomPage {
    /// The frame.
    pub layout: Layout,
    /// Slug and version.
    pub release: String,
    /// Name for people.
    pub title: String,
    /// How its responses came to be.
    pub method: String,
    /// Whose measurement it is.
    pub attribution: Option<String>,
    /// Cubic metres.
    pub volume: Option<String>,
    /// From talker to microphone of the response that is shown, in metres.
    pub distance: Option<String>,
    /// Parameters of that response.
    pub octaves: Vec<Octave>,
    /// Title and address of each picture.
    pub pictures: Vec<(&'static str, String)>,
    /// An utterance of the dev set as it was recorded.
    pub dry: Option<Sample>,
    /// The same in this room.
    pub sample: Option<Sample>,
    /// Whose voice the samples are.
    pub credit: String,
}
