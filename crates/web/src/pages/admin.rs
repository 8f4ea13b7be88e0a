//! The operator's page.

use axum::extract::State;
use store::{
    accounts,
    state::SubmissionState,
    submissions::{self, Filter},
};

use super::{Page, layout, now, page};
use crate::{
    Service,
    auth::Staff,
    views::{Action, AdminPage, AdminSubmission, Count, ReleaseRow, Section, Timestamp, WorkerRow},
};

pub(crate) async fn show(State(service): State<Service>, Staff(user): Staff) -> Page {
    let submissions = submissions::list(&service.pool, Filter::All).await?;
    let workers = accounts::workers(&service.pool).await?;
    let board = service.board();
    page(&AdminPage {
        layout: layout(&service, Section::Admin, Some(&user)),
        now: now(),
        submissions: submissions
            .into_iter()
            .map(|submission| AdminSubmission {
                id: submission.id,
                actions: actions(&submission),
                model: submission.manifest.name,
                user: submission.user_name,
                release: submission.release_slug,
                state: submission.state.to_string(),
                since: Timestamp(submission.state_entered_at),
            })
            .collect(),
        workers: workers
            .into_iter()
            .map(|worker| WorkerRow {
                doing: match (worker.revoked, worker.draining) {
                    (true, _) => "revoked".to_owned(),
                    (false, true) => "draining".to_owned(),
                    (false, false) => "taking jobs".to_owned(),
                },
                name: worker.name,
                hardware_classes: worker.hardware_classes,
                last_seen: worker.last_seen_at.map(Timestamp),
            })
            .collect(),
        releases: board
            .releases
            .iter()
            .map(|release| ReleaseRow {
                slug: format!("{} {}", release.slug, release.version),
                state: "frozen".to_owned(),
                items: Count(board.size(release.id).map_or(0, |size| size.items.unsigned_abs())),
                manifest_sha256: Some(release.manifest_sha256.clone()),
                frozen_at: Some(Timestamp(release.frozen_at)),
            })
            .collect(),
    })
}

fn actions(submission: &submissions::Submission) -> Vec<Action> {
    if submission.state.may_become(SubmissionState::Cancelled) {
        vec![Action { label: "Cancel".to_owned(), href: format!("/submissions/{}/cancel", submission.id) }]
    } else {
        Vec::new()
    }
}
