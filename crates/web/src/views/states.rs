//! What each submission state means to the submitter: nobody waits in the dark (design §1, promise 3).

/// A submission state in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateWords {
    /// Name of the state for reading.
    pub label: &'static str,
    /// Who has to act now; nobody once it is over.
    pub owner: Option<&'static str>,
    /// Why it is where it is.
    pub reason: &'static str,
    /// What happens next.
    pub next: &'static str,
    /// Nothing more will happen by itself.
    pub is_final: bool,
}

/// The words for a state by its stable name (design §3). A name this page does not know is shown as such
/// rather than refused: a page must not fail because a state was added.
pub fn state_words(state: &str) -> StateWords {
    match state {
        "draft" => {
            waiting("Draft", "you", "It has not been handed in yet.", "Complete the form and submit it.")
        }
        "uploading" => {
            waiting("Uploading", "you", "Files of the model are still missing.", "Finish the upload.")
        }
        "checking" => waiting(
            "Checking",
            "the service",
            "The description and the files are being checked.",
            "It joins the queue, or you are told which field to correct.",
        ),
        "in_review" => waiting(
            "In review",
            "a reviewer",
            "A submission that brings its own code is read by a person before it runs.",
            "It joins the queue, or is rejected with a reason.",
        ),
        "queued" => waiting(
            "Queued",
            "the next free worker",
            "It waits for a worker of its hardware class.",
            "A worker takes it, in the order of the queue.",
        ),
        "running" => waiting(
            "Running",
            "the worker",
            "The model is transcribing the held-out items in isolation.",
            "The hypotheses are handed in and scored.",
        ),
        "scoring" => waiting(
            "Scoring",
            "the service",
            "The hypotheses have arrived and are being compared with the references.",
            "The result is published on the board.",
        ),
        "published" => over("Published", "The result is on the board.", "Nothing more to do."),
        "rejected" => over(
            "Rejected",
            "A reviewer did not admit it; the reason stands in the history below.",
            "Change what the reason asks for and submit again.",
        ),
        "failed" => over(
            "Failed",
            "The last attempt did not produce a result; its class and log stand below.",
            "Follow the advice below and submit again.",
        ),
        "cancelled" => {
            over("Cancelled", "It was cancelled before it had a result.", "Submit again at any time.")
        }
        "withdrawn" => over(
            "Withdrawn",
            "The submitter took the result off the board; it stays on record as withdrawn.",
            "Submit again at any time.",
        ),
        "superseded" => over(
            "Superseded",
            "A newer submission of the same model took its place.",
            "See the newer result on the board.",
        ),
        "quarantined" => StateWords {
            label: "Quarantined",
            owner: Some("the operator"),
            reason: "The result is in doubt and is off the board while it is looked into.",
            next: "It is published again or withdrawn, with a reason.",
            is_final: false,
        },
        _ => waiting(
            "In another state",
            "the operator",
            "This page has no words for this state.",
            "Ask the operator.",
        ),
    }
}

const fn waiting(
    label: &'static str,
    owner: &'static str,
    reason: &'static str,
    next: &'static str,
) -> StateWords {
    StateWords { label, owner: Some(owner), reason, next, is_final: false }
}

const fn over(label: &'static str, reason: &'static str, next: &'static str) -> StateWords {
    StateWords { label, owner: None, reason, next, is_final: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The states of design §3.
    const STATES: [&str; 14] = [
        "draft",
        "uploading",
        "checking",
        "in_review",
        "queued",
        "running",
        "scoring",
        "published",
        "rejected",
        "failed",
        "cancelled",
        "withdrawn",
        "superseded",
        "quarantined",
    ];

    #[test]
    fn every_state_of_the_design_has_words_of_its_own() {
        let mut labels: Vec<&str> = STATES.iter().map(|state| state_words(state).label).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), STATES.len());
        assert!(!labels.contains(&state_words("no such state").label));
    }

    #[test]
    fn a_state_that_is_not_over_has_somebody_who_must_act() {
        for state in STATES {
            let words = state_words(state);
            assert_eq!(words.owner.is_none(), words.is_final, "{state}");
        }
    }
}
