//! A page for what did not work, with ways out.

use askama::Template;

use super::layout::Layout;

/// Any status of 400 and above, as a page.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// The frame.
    pub layout: Layout,
    /// The status code.
    pub status: u16,
    /// A sentence about this very case: what is wrong, where, and what to do.
    pub detail: String,
    /// Where to log in, if that helps.
    pub login: Option<String>,
}

impl ErrorPage {
    /// What happened, in a few words.
    pub(crate) fn title(&self) -> &'static str {
        match self.status {
            400 | 422 => "That request cannot be used",
            401 => "Please log in",
            403 => "Not for this account",
            404 => "No such page",
            405 => "Not in this way",
            409 => "Somebody was faster",
            413 => "Too large",
            503 => "Not available for a moment",
            400..500 => "That did not work",
            _ => "Something broke on our side",
        }
    }
}
