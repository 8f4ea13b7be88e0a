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
    /// A sentence about this very case: what is wrong and where; replaces the general one.
    pub detail: Option<String>,
    /// Under which id the log knows this request.
    pub request_id: Option<String>,
}

impl ErrorPage {
    /// What happened, in a few words.
    pub(crate) fn title(&self) -> &'static str {
        match self.status {
            400 | 422 => "That request cannot be used",
            401 => "Please log in",
            403 => "Not for this account",
            404 => "No such page",
            409 => "Somebody was faster",
            413 => "Too large",
            429 => "Too many requests",
            503 => "Not available for a moment",
            400..500 => "That did not work",
            _ => "Something broke on our side",
        }
    }

    /// What happened and what to do, when there is nothing more particular to say.
    pub(crate) fn general(&self) -> &'static str {
        match self.status {
            400 | 422 => "Part of the request is missing or has a form we cannot read.",
            401 => "This page is for signed-in users.",
            403 => "You are signed in, but this page belongs to somebody else or to the operator.",
            404 => {
                "There is nothing at this address. It may have been mistyped, or the submission is not public."
            }
            409 => "What you wanted to change has changed in the meantime. Load the page again and look.",
            413 => "The upload is larger than this service accepts. The limit stands on the submission form.",
            429 => "Wait a minute, then try again.",
            503 => {
                "The database does not answer at the moment. The board can still be read; forms work again soon."
            }
            400..500 => "The request could not be carried out as it was sent.",
            _ => {
                "The fault is ours and has been logged. Trying again may help; nothing you sent is to blame."
            }
        }
    }
}
