//! What two releases have in common and what not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use super::{Item, ReleaseManifest};
use crate::{Error, Track};

/// How two releases differ. Quotes no reference.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Difference {
    /// Fields of the header (renderer, corpus, specification), each with both values.
    pub header: Vec<Field>,
    /// Tracks with items that differ.
    pub tracks: BTreeMap<Track, TrackDifference>,
}

/// A field whose values differ; nothing where a release has no such field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Where in the header, such as `spec.rooms.0.name`.
    pub path: String,
    /// In the first release.
    pub first: Option<Value>,
    /// In the second release.
    pub second: Option<Value>,
}

/// Numbers of items of a track. Items are the same if role and utterance are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackDifference {
    /// In the first release alone.
    pub only_first: usize,
    /// In the second release alone.
    pub only_second: usize,
    /// With other audio.
    pub audio: usize,
    /// With another reference.
    pub reference: usize,
    /// With other measured conditions.
    pub conditions: usize,
    /// With another recipe.
    pub recipe: usize,
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.header.is_empty() && self.tracks.is_empty()
    }
}

/// Compares two releases.
///
/// # Errors
/// Never for manifests that were built or read.
pub fn diff(first: &ReleaseManifest, second: &ReleaseManifest) -> Result<Difference, Error> {
    let header = |manifest: &ReleaseManifest| {
        let json = serde_json::to_value(&manifest.release)
            .map_err(|error| Error::file("release.json", error.to_string()))?;
        let mut fields = BTreeMap::new();
        flatten("", &json, &mut fields);
        Ok::<_, Error>(fields)
    };
    let (a, b) = (header(first)?, header(second)?);
    let paths: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differs = paths.into_iter().filter(|path| a.get(*path) != b.get(*path));
    let field = |path: &String| Field {
        path: path.clone(),
        first: a.get(path).cloned(),
        second: b.get(path).cloned(),
    };
    let mut difference = Difference { header: differs.map(field).collect(), tracks: BTreeMap::new() };
    let tracks: BTreeSet<Track> = first.items.iter().chain(&second.items).map(|item| item.track).collect();
    for track in tracks {
        let found = diff_track(&of_track(first, track), &of_track(second, track));
        if found != TrackDifference::default() {
            difference.tracks.insert(track, found);
        }
    }
    Ok(difference)
}

/// Items by what makes them the same in two releases; ids follow the seed.
fn of_track(manifest: &ReleaseManifest, track: Track) -> BTreeMap<(String, &str), &Item> {
    let items = manifest.items.iter().filter(|item| item.track == track);
    items.map(|item| ((format!("{:?}", item.role), item.utterance.as_str()), item)).collect()
}

fn diff_track(
    first: &BTreeMap<(String, &str), &Item>,
    second: &BTreeMap<(String, &str), &Item>,
) -> TrackDifference {
    let both: Vec<(&Item, &Item)> =
        first.iter().filter_map(|(key, &item)| Some((item, *second.get(key)?))).collect();
    let count = |differs: fn(&Item, &Item) -> bool| both.iter().filter(|(a, b)| differs(a, b)).count();
    TrackDifference {
        only_first: first.len() - both.len(),
        only_second: second.len() - both.len(),
        audio: count(|a, b| (&a.sha256, &a.mono) != (&b.sha256, &b.mono)),
        reference: count(|a, b| a.reference != b.reference),
        conditions: count(|a, b| a.conditions != b.conditions),
        recipe: count(|a, b| a.recipe != b.recipe),
    }
}

/// The leaves of a JSON value by their paths.
fn flatten(path: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| flatten(&join(key), value, leaves));
        }
        Value::Array(values) if !values.is_empty() => {
            (0..)
                .zip(values)
                .for_each(|(n, value): (usize, _)| flatten(&join(&n.to_string()), value, leaves));
        }
        leaf => {
            leaves.insert(path.to_owned(), leaf.clone());
        }
    }
}

impl fmt::Display for Difference {
    /// One line for each thing that differs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), short);
        for Field { path, first, second } in &self.header {
            writeln!(f, "{path}: {} / {}", text(first), text(second))?;
        }
        for (track, it) in &self.tracks {
            let counts = [
                (it.only_first, "only in the first"),
                (it.only_second, "only in the second"),
                (it.audio, "with other audio"),
                (it.reference, "with another reference"),
                (it.conditions, "with other conditions"),
                (it.recipe, "with another recipe"),
            ];
            let counts = counts.iter().filter(|(count, _)| *count > 0);
            let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
            writeln!(f, "track {track}: {}", counts.join(", "))?;
        }
        Ok(())
    }
}

/// A value in a line: whole room files are not for that.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 60 { text.chars().take(57).chain("...".chars()).collect() } else { text }
}
