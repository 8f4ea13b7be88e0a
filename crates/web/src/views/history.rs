//! What boards were: every snapshot, what changed between two, and how places moved.

use askama::Template;

use super::{
    layout::{Choice, Layout},
    model::Rank,
    quantity::{Count, Difference, Estimate, Timestamp},
};

/// `GET /snapshots`.
#[derive(Debug, Template)]
#[template(path = "history.html")]
pub struct HistoryPage {
    /// The frame.
    pub layout: Layout,
    /// Slug of the release shown.
    pub release: String,
    /// Hardware class of the board.
    pub hardware_class: String,
    /// Releases to choose from.
    pub releases: Vec<Choice>,
    /// Hardware classes to choose from.
    pub hardware_classes: Vec<Choice>,
    /// The places of the best models over time, as SVG from the `charts` crate; empty without any history.
    pub chart: String,
    /// Models in the chart.
    pub drawn: usize,
    /// The latest snapshots, the newest first.
    pub moments: Vec<MomentRow>,
    /// There are more than these.
    pub has_more: bool,
    /// Every frozen release, the newest first.
    pub benchmarks: Vec<ReleaseNote>,
}

/// One snapshot in a list.
#[derive(Debug, Clone)]
pub struct MomentRow {
    /// Its number.
    pub id: i64,
    /// When it was taken.
    pub at: Timestamp,
    /// How many models were ranked.
    pub models: Count,
    /// By which scorer.
    pub scorer: String,
    /// The one before it on the same board.
    pub before: Option<i64>,
}

/// What there is to say about a release.
#[derive(Debug, Clone)]
pub struct ReleaseNote {
    /// Slug and version.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// When it was frozen.
    pub frozen_at: Timestamp,
    /// Hash of its manifest.
    pub manifest_sha256: String,
    /// Utterances, talkers and rooms.
    pub size: Option<(Count, Count, Count)>,
    /// What its maker says has changed.
    pub notes: Option<String>,
    /// Where the method page describes it.
    pub href: String,
}

/// `GET /snapshots/{id}`.
#[derive(Debug, Template)]
#[template(path = "snapshot.html")]
pub struct SnapshotPage {
    /// The frame.
    pub layout: Layout,
    /// Slug and version of the release.
    pub release: String,
    /// Hardware class.
    pub hardware_class: String,
    /// The snapshot.
    pub moment: MomentRow,
    /// The next one, if the board has changed since.
    pub after: Option<i64>,
    /// The latest of this board.
    pub latest: i64,
    /// How it stood, best first.
    pub rows: Vec<PlaceRow>,
}

/// A result at its place.
#[derive(Debug, Clone)]
pub struct PlaceRow {
    /// Name of the model.
    pub model: String,
    /// Its page or record today.
    pub href: String,
    /// Who stands behind it.
    pub organisation: String,
    /// Where it stood.
    pub rank: Rank,
    /// Avg WER.
    pub wer: Estimate,
    /// What became of it, if it is not on a board today.
    pub since: Option<&'static str>,
}

/// `GET /changes?from=…&to=…`.
#[derive(Debug, Template)]
#[template(path = "changes.html")]
pub struct ChangesPage {
    /// The frame.
    pub layout: Layout,
    /// Slug and version of the release.
    pub release: String,
    /// Hardware class.
    pub hardware_class: String,
    /// The earlier snapshot.
    pub from: MomentRow,
    /// The later one.
    pub to: MomentRow,
    /// What changed, by the place in the later one; what left comes last.
    pub changes: Vec<ChangeRow>,
    /// Models whose place is the same.
    pub unmoved: usize,
}

/// What changed for one model.
#[derive(Debug, Clone)]
pub struct ChangeRow {
    /// Name of the model.
    pub model: String,
    /// Its page or record.
    pub href: String,
    /// Its place in the earlier snapshot.
    pub before: Option<Rank>,
    /// Its place in the later one.
    pub after: Option<Rank>,
    /// How Avg WER changed, where it did.
    pub difference: Option<Difference>,
    /// Why, in a sentence.
    pub why: String,
}

impl ChangeRow {
    /// How many places better (positive) it stands in the later snapshot.
    pub(crate) fn moved(&self) -> i64 {
        self.before
            .zip(self.after)
            .map_or(0, |(before, after)| i64::from(before.place) - i64::from(after.place))
    }
}

/// `GET /faq`.
#[derive(Debug, Template)]
#[template(path = "faq.html")]
pub struct FaqPage {
    /// The frame.
    pub layout: Layout,
    /// The newest release, for examples.
    pub release: String,
}

/// `GET /changelog`.
#[derive(Debug, Template)]
#[template(path = "changelog.html")]
pub struct ChangelogPage {
    /// The frame.
    pub layout: Layout,
    /// Versions, the newest first.
    pub sections: Vec<VersionNotes>,
}

/// What changed with one version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionNotes {
    /// The version and its day.
    pub heading: String,
    /// What changed.
    pub entries: Vec<String>,
}

impl VersionNotes {
    /// Reads a changelog: second-level headings with lists below them. Marks of code are taken off.
    pub fn read(text: &str) -> Vec<Self> {
        let mut sections: Vec<Self> = Vec::new();
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                sections.push(Self { heading: heading.to_owned(), entries: Vec::new() });
            } else if let Some(section) = sections.last_mut() {
                let plain = line.trim().replace('`', "");
                match (plain.strip_prefix("- "), section.entries.last_mut()) {
                    (Some(entry), _) => section.entries.push(entry.to_owned()),
                    (None, Some(entry)) if !plain.is_empty() => {
                        entry.push(' ');
                        entry.push_str(&plain);
                    }
                    (None, _) => {}
                }
            }
        }
        sections
    }
}

/// A model's own history, on its page.
#[derive(Debug, Clone, Default)]
pub struct OwnHistory {
    /// Avg WER over time, as SVG from the `charts` crate.
    pub rates: String,
    /// Places over time.
    pub places: String,
    /// The same in numbers, the newest first.
    pub stays: Vec<StayRow>,
}

/// How long a model stood where.
#[derive(Debug, Clone)]
pub struct StayRow {
    /// Since when.
    pub from: Timestamp,
    /// Until when, if it does no longer.
    pub until: Option<Timestamp>,
    /// The snapshot it began with.
    pub snapshot: i64,
    /// Where.
    pub rank: Rank,
    /// Avg WER.
    pub wer: Estimate,
    /// The result is of another attempt than the one before.
    pub is_rerun: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changelog_is_read_by_version_with_entries_over_several_lines() {
        let read =
            VersionNotes::read("# Title\n\nabout\n\n## 2\n\n- one\n  and `more`\n- two\n\n## 1\n\n- old\n");
        let notes = |heading: &str, entries: &[&str]| VersionNotes {
            heading: heading.to_owned(),
            entries: entries.iter().map(|entry| (*entry).to_owned()).collect(),
        };
        assert_eq!(read, [notes("2", &["one and more", "two"]), notes("1", &["old"])]);
    }
}
