//! The submission form.

use askama::Template;
use protocol::DemandingTrack;

use super::{
    layout::{Choice, Layout},
    quantity::Bytes,
    submission::FindingView,
};

/// `GET /submit`, and the answer to a `POST /submit` that could not be used.
#[derive(Debug, Template)]
#[template(path = "submit.html")]
pub struct SubmitPage {
    /// The frame.
    pub layout: Layout,
    /// What has been filled in so far.
    pub form: SubmitForm,
    /// What is wrong with it.
    pub errors: FieldErrors,
    /// Runtimes to choose from.
    pub runtimes: Vec<Choice>,
    /// Releases to choose from.
    pub releases: Vec<Choice>,
    /// Most bytes the files may have together.
    pub upload_limit: Bytes,
    /// Name of the hub.
    pub hub: String,
    /// Tokens for private models can be kept.
    pub takes_tokens: bool,
    /// Most bytes of one file that is sent ahead.
    pub large_limit: Bytes,
    /// What the submitter has left, in words; staff have no quota.
    pub quota: Option<String>,
    /// Nothing can be submitted now.
    pub is_spent: bool,
    /// What this is a revision of.
    pub revises: Option<Revised>,
    /// What would run, if that was asked.
    pub preview: Option<Preview>,
}

/// What a submission would be, before it is one.
#[derive(Debug, Clone)]
pub struct Preview {
    /// What runs on what: a name and a value each.
    pub facts: Vec<(&'static str, String)>,
    /// The description as it would be kept, TOML.
    pub manifest: String,
    /// Files: path, size, where from.
    pub files: Vec<(String, Bytes, &'static str)>,
    /// What the checks have to say.
    pub findings: Vec<FindingView>,
    /// Why a person would look first.
    pub review: Option<String>,
    /// Files were chosen, and have to be chosen again.
    pub chose_files: bool,
}

/// The submission that is being revised.
#[derive(Debug, Clone)]
pub struct Revised {
    /// Which.
    pub id: String,
    /// Its model.
    pub model: String,
    /// Its files, which can be used again.
    pub files: Vec<String>,
}

/// The fields of the form as they were typed; the names are those of the form fields and of `ffasr.toml`.
/// The release comes as `release`, files as `files`, an uploaded description as `manifest_file`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubmitForm {
    /// Public name of the model.
    pub name: String,
    /// Who stands behind it.
    pub organisation: String,
    /// Licence of the model.
    pub licence: String,
    /// Number of parameters; may be empty.
    pub num_params: String,
    /// Id of a model on the hub; may be empty.
    pub hub_model: String,
    /// Its branch, tag or commit; `main` if empty.
    pub hub_revision: String,
    /// Patterns of its files, separated by spaces; all that are needed if empty.
    pub hub_files: String,
    /// Decoder settings, TOML key and value lines; may be empty.
    pub decoding: String,
    /// Tracks it takes part in although they ask for more than one channel of one talker, by name.
    pub tracks: Vec<String>,
    /// What the model was trained on.
    pub training_data: String,
    /// Anything a reader should know.
    pub notes: String,
    /// A whole `ffasr.toml`; if it is there, it counts instead of the fields above.
    pub manifest: String,
}

/// What is wrong, by name of the field and in the order it was found; `""` is the form as a whole.
#[derive(Debug, Clone, Default)]
pub struct FieldErrors(Vec<(String, String)>);

impl SubmitForm {
    /// The tracks to choose from: name, what it is, and whether it is chosen.
    pub(crate) fn demanding_tracks(&self) -> [(&'static str, &'static str, bool); 3] {
        DemandingTrack::ALL.map(|track| {
            let words = match track {
                DemandingTrack::MultiTalker => "several talkers at once",
                DemandingTrack::Array => "several channels of one device",
                DemandingTrack::Echo => "a far end played beside the microphone",
            };
            (track.name(), words, self.tracks.iter().any(|name| name == track.name()))
        })
    }
}

impl FieldErrors {
    /// Notes what is wrong with a field.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push((field.to_owned(), message.into()));
    }

    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with a field; the first fault found, if there are several.
    pub fn of(&self, field: &str) -> Option<&str> {
        self.all().iter().find(|(name, _)| name == field).map(|(_, message)| message.as_str())
    }

    /// Everything that is wrong with a field.
    pub(crate) fn all_of<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.all().iter().filter(move |(name, _)| name == field).map(|(_, message)| message.as_str())
    }

    /// Every fault with the field it belongs to.
    pub fn all(&self) -> &[(String, String)] {
        &self.0
    }
}
