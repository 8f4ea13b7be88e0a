//! What every page shares: navigation, notices, footer.

use super::quantity::Timestamp;

/// The frame around every page.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Which entry of the navigation is current.
    pub section: Section,
    /// Who is signed in.
    pub user: Option<User>,
    /// Standing facts about this service, above everything else.
    pub banners: Vec<Banner>,
    /// The outcome of what the visitor just did.
    pub notice: Option<Notice>,
    /// Slug of the release the page is about.
    pub release: Option<String>,
    /// Name and version of the scorer, e.g. `ffasr 0.1.0, whisper-en`.
    pub scorer: Option<String>,
    /// When the board snapshot was taken.
    pub snapshot_at: Option<Timestamp>,
    /// This page as JSON.
    pub json_href: Option<String>,
    /// This page as CSV.
    pub csv_href: Option<String>,
}

/// An entry of the navigation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Section {
    /// The ranked table.
    Board,
    /// The public FFASR board, for reading.
    External,
    /// What waits and what runs.
    Queue,
    /// The submission form.
    Submit,
    /// Definitions.
    Method,
    /// The signed-in user's submissions.
    Submissions,
    /// The operator's page.
    Admin,
    /// No entry of the navigation.
    #[default]
    Elsewhere,
}

impl Section {
    /// The entries everybody sees.
    const PUBLIC: [Self; 5] = [Self::Board, Self::External, Self::Queue, Self::Submit, Self::Method];

    /// Where it is.
    pub fn href(self) -> &'static str {
        match self {
            Self::Board | Self::Elsewhere => "/",
            Self::External => "/external",
            Self::Queue => "/queue",
            Self::Submit => "/submit",
            Self::Method => "/method",
            Self::Submissions => "/submissions",
            Self::Admin => "/admin",
        }
    }

    /// What it is called.
    pub fn label(self) -> &'static str {
        match self {
            Self::Board | Self::Elsewhere => "Board",
            Self::External => "Published elsewhere",
            Self::Queue => "Queue",
            Self::Submit => "Submit",
            Self::Method => "Method",
            Self::Submissions => "My submissions",
            Self::Admin => "Admin",
        }
    }
}

impl Layout {
    /// The board shows the demo release.
    pub(crate) fn is_demo(&self) -> bool {
        self.banners.iter().any(|banner| matches!(banner, Banner::Demo))
    }

    /// The navigation as this visitor sees it.
    pub fn navigation(&self) -> Vec<Section> {
        let mut entries = Section::PUBLIC.to_vec();
        if let Some(user) = &self.user {
            entries.push(Section::Submissions);
            if user.is_admin {
                entries.push(Section::Admin);
            }
        }
        entries
    }
}

/// A signed-in user.
#[derive(Debug, Clone)]
pub struct User {
    /// Account name.
    pub name: String,
    /// Sees the admin page.
    pub is_admin: bool,
}

/// A standing fact about this service.
#[derive(Debug, Clone)]
pub enum Banner {
    /// The board shows the demo release.
    Demo,
    /// The database does not answer; pages come from the last snapshot.
    DatabaseUnreachable {
        /// When that snapshot was taken.
        board_of: Timestamp,
    },
}

/// The outcome of what the visitor just did.
#[derive(Debug, Clone)]
pub struct Notice {
    /// It did not work.
    pub is_problem: bool,
    /// One sentence.
    pub text: String,
}

/// One entry of a choice.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
    /// It is chosen now.
    pub selected: bool,
}
