//! What a visitor takes home: archives, feeds, embedded charts, citations.

use askama::Template;

use super::{
    board::{Chart, Link},
    layout::Layout,
    quantity::{Bytes, Timestamp},
};

/// `GET /downloads`.
#[derive(Debug, Template)]
#[template(path = "downloads.html")]
pub struct DownloadsPage {
    /// The frame.
    pub layout: Layout,
    /// The archives, the newest first.
    pub archives: Vec<Archive>,
    /// The archives could not be looked up.
    pub unknown: bool,
    /// Boards as files.
    pub boards: Vec<BoardFiles>,
    /// Address of this service.
    pub site: String,
    /// Licence of the figures.
    pub licence: String,
}

/// One archive.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Name of the file, also where it is.
    pub name: String,
    /// Its size.
    pub size: Bytes,
    /// Its hash.
    pub sha256: String,
    /// When it was made.
    pub made_at: Timestamp,
}

/// A board in every format.
#[derive(Debug, Clone)]
pub struct BoardFiles {
    /// Release and hardware class.
    pub name: String,
    /// Its formats.
    pub files: Vec<Link>,
}

/// `GET /cite`.
#[derive(Debug, Template)]
#[template(path = "cite.html")]
pub struct CitePage {
    /// The frame.
    pub layout: Layout,
    /// For each release: name, in words, and as BibTeX.
    pub releases: Vec<(String, Citation)>,
}

/// How to cite something.
#[derive(Debug, Clone, Default)]
pub struct Citation {
    /// In words.
    pub words: String,
    /// As BibTeX.
    pub bibtex: String,
}

/// What one takes home from the page of a model.
#[derive(Debug, Clone, Default)]
pub struct TakeHome {
    /// The badge.
    pub badge: String,
    /// Markdown that shows it elsewhere.
    pub badge_markdown: String,
    /// The social card.
    pub card: String,
    /// Its absolute address, where that is known.
    pub card_address: Option<String>,
    /// The page's absolute address.
    pub address: Option<String>,
    /// What the card says, in words.
    pub card_words: String,
    /// HTML that shows the chart elsewhere.
    pub embed: String,
    /// How to cite the result.
    pub citation: Citation,
    /// The result as JSON.
    pub json: String,
}

/// `GET /embed/pareto`: a chart in a frame of somebody else's page.
#[derive(Debug, Template)]
#[template(path = "embed.html")]
pub struct EmbedPage {
    /// The chart; nothing if there is no point to draw.
    pub chart: Option<Chart>,
    /// Release, hardware class and scorer.
    pub place: String,
    /// The same on this site, absolute where that is known.
    pub href: String,
}

/// An Atom feed (RFC 4287).
#[derive(Debug, Template)]
#[template(path = "feed.xml")]
pub struct Feed {
    /// Never changes.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// Its own address.
    pub own_href: String,
    /// The page it is about.
    pub href: String,
    /// When an entry was last added.
    pub updated: Timestamp,
    /// The newest first.
    pub entries: Vec<Entry>,
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Never changes.
    pub id: String,
    /// What happened.
    pub title: String,
    /// The page of it.
    pub href: String,
    /// When.
    pub updated: Timestamp,
    /// Who stands behind the model.
    pub author: String,
    /// In a sentence or two.
    pub summary: String,
}
