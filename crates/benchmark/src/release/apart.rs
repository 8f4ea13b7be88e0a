//! Whether two releases are apart: what is in a public one says nothing about a held-out one.

use std::{collections::BTreeSet, fmt};

use super::{Plan, Recipe, ReleaseManifest, Segment};
use crate::{Error, corpus::fold};

/// Who and what is heard in a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// By corpus and name.
    talkers: BTreeSet<String>,
    /// Hashes of dry recordings.
    recordings: BTreeSet<String>,
    /// Words without case and marks.
    texts: BTreeSet<String>,
    rooms: BTreeSet<String>,
}

impl From<&Plan> for Heard {
    fn from(plan: &Plan) -> Self {
        let mut heard = Self::default();
        for item in &plan.items {
            heard.add(&plan.header.corpus.name, &item.talker, &item.segments, &item.reference, &item.recipe);
        }
        heard
    }
}

impl From<&ReleaseManifest> for Heard {
    fn from(manifest: &ReleaseManifest) -> Self {
        let mut heard = Self::default();
        for item in &manifest.items {
            let corpus = &manifest.release.corpus.name;
            heard.add(corpus, &item.talker, &item.segments, &item.reference, &item.recipe);
        }
        heard
    }
}

impl Heard {
    fn add(&mut self, corpus: &str, talker: &str, segments: &[Segment], text: &str, recipe: &Recipe) {
        let voices = std::iter::once(talker).chain(segments.iter().map(voice));
        self.talkers.extend(voices.map(|name| format!("{corpus}/{name}")));
        self.recordings.extend(recipe.recordings().map(str::to_owned));
        self.texts.extend(Some(fold(text)).filter(|text| !text.is_empty()));
        self.rooms.extend(recipe.scene.iter().map(|scene| scene.room.clone()));
    }
}

/// The name of a voice without the place that it speaks from.
fn voice(segment: &Segment) -> &str {
    segment.speaker.rsplit_once(" at place ").map_or(&*segment.speaker, |(voice, _)| voice)
}

/// What two releases have in common. Of texts and names only how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// Talkers who are heard in both, by the names that their corpus gives them.
    pub talkers: usize,
    /// Dry recordings, of speech or of noise.
    pub recordings: usize,
    /// Texts that are said in both.
    pub texts: usize,
    /// Rooms by their names: no fault while places and seeds differ, but less is proved.
    pub rooms: BTreeSet<String>,
}

impl fmt::Display for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { talkers, recordings, texts, rooms } = self;
        write!(f, "{talkers} talkers, {recordings} recordings, {texts} texts, {} rooms", rooms.len())
    }
}

/// Refuses two releases of which one would tell about the other: no talker, recording or text may be in both. What they
/// have in common beyond that.
///
/// # Errors
/// [`Error::NotApart`].
pub fn expect_apart(first: impl Into<Heard>, second: impl Into<Heard>) -> Result<Common, Error> {
    let (first, second) = (first.into(), second.into());
    let common = Common {
        talkers: first.talkers.intersection(&second.talkers).count(),
        recordings: first.recordings.intersection(&second.recordings).count(),
        texts: first.texts.intersection(&second.texts).count(),
        rooms: first.rooms.intersection(&second.rooms).cloned().collect(),
    };
    let is_apart = common.talkers == 0 && common.recordings == 0 && common.texts == 0;
    if is_apart { Ok(common) } else { Err(Error::NotApart(common)) }
}
