//! The staff's pages.

pub(crate) mod inbox;
pub(crate) mod node;
pub(crate) mod operations;
pub(crate) mod rendering;
pub(crate) mod review;

use store::accounts::{Role, User};

use crate::{
    error::AppError,
    views::{Layout, Notice},
};

/// What is said after an action has been done and its page redirected back.
#[derive(serde::Deserialize, Default)]
pub(crate) struct Done {
    done: Option<String>,
    count: Option<u32>,
}

impl Done {
    /// The words are ours, whatever the address says.
    fn notice(&self) -> Option<Notice> {
        let count = self.count.unwrap_or(1);
        let what = match self.done.as_deref()? {
            "approve" => "approved",
            "reject" => "rejected",
            "ask" => return Some(said("The question is asked; the submitter sees it.")),
            "cancel" => "cancelled",
            "rerun" => "queued again",
            "prioritise" => return Some(said("The priority is set.")),
            "quarantine" => "taken off the board",
            "restore" => "put back on the board",
            "hide" => "hidden from the board",
            "unhide" => "shown on the board again",
            "verify" => "confirmed",
            "unverify" => "no longer confirmed",
            "refund" => return Some(said("The token is given back.")),
            "role" => return Some(said("The role is changed; it counts from their next request on.")),
            "quota" => return Some(said("The exception is made.")),
            "pause-queue" => return Some(said("The queue is paused; what runs goes on.")),
            "resume-queue" => return Some(said("The queue goes on.")),
            "resume-build" => return Some(said("What had failed is on the queue again.")),
            "cancel-build" => {
                return Some(said("The build is off the queue; audio that was rendered stays in storage."));
            }
            "drain" => return Some(said("The worker finishes what it runs and takes no more.")),
            "resume" => return Some(said("The worker takes jobs again.")),
            "revoke" => {
                return Some(said("The token is worthless; what the worker ran goes to another."));
            }
            _ => return None,
        };
        Some(said(&if count == 1 { format!("It is {what}.") } else { format!("{count} are {what}.") }))
    }
}

fn said(text: &str) -> Notice {
    Notice { is_problem: false, text: text.to_owned() }
}

fn with_notice(layout: Layout, notice: Option<Notice>) -> Layout {
    Layout { notice, ..layout }
}

/// Workers and quotas are changed by admins.
fn admins_only(user: &User) -> Result<(), AppError> {
    if user.role == Role::Admin {
        Ok(())
    } else {
        Err(AppError::Forbidden("This is for admins; a reviewer decides on submissions.".to_owned()))
    }
}
