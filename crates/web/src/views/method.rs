//! The method page: definitions behind every number, and what each release is made of.

use askama::Template;

use super::layout::Layout;

/// `GET /method`.
#[derive(Debug, Template)]
#[template(path = "method.html")]
pub struct MethodPage {
    /// The frame.
    pub layout: Layout,
    /// The frozen releases, the newest first.
    pub releases: Vec<Makeup>,
}

/// What a release is made of. What it does not say about itself is left out.
#[derive(Debug, Clone, Default)]
pub struct Makeup {
    /// Slug and version.
    pub release: String,
    /// Name for people.
    pub title: String,
    /// What rendered it.
    pub renderer: Option<String>,
    /// Where its speech comes from.
    pub corpus: Option<Corpus>,
    /// Kinds of noise that go on all the time.
    pub continuous_noise: Vec<String>,
    /// Kinds of noise that come and go.
    pub transient_noise: Vec<String>,
    /// Its rooms.
    pub rooms: Vec<RoomView>,
}

/// Dry recordings and what one owes for using them.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    /// Short name.
    pub name: Option<String>,
    /// Language tag.
    pub language: Option<String>,
    /// Licence, an SPDX expression where there is one.
    pub licence: Option<String>,
    /// Who must be named, in the words that must be shown.
    pub attribution: Option<String>,
    /// Where it was taken from.
    pub source: Option<String>,
}

/// A room of a release.
#[derive(Debug, Clone)]
pub struct RoomView {
    /// What it is.
    pub title: String,
    /// Length, width and height in metres.
    pub size: Option<[f64; 3]>,
}

impl Makeup {
    /// Where it stands on the page; slugs are made of letters that need no encoding.
    pub(crate) fn anchor(&self) -> String {
        format!("release-{}", self.release.replace(' ', "-"))
    }
}

impl Corpus {
    /// The text of the licence, if it is a single one of the SPDX list.
    pub(crate) fn licence_href(&self) -> Option<String> {
        let licence = self.licence.as_deref()?;
        let is_one = licence.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.+".contains(&byte));
        let is_listed = is_one && !licence.is_empty() && !licence.starts_with("LicenseRef-");
        is_listed.then(|| format!("https://spdx.org/licenses/{licence}.html"))
    }
}

impl RoomView {
    /// `3.0 × 2.7 × 2.5 m`, kept on one line.
    pub(crate) fn measures(&self) -> Option<String> {
        self.size.map(|[x, y, z]| format!("{x:.1}\u{a0}×\u{a0}{y:.1}\u{a0}×\u{a0}{z:.1}\u{a0}m"))
    }
}
