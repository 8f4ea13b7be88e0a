//! The inbox: what waits, and deciding on many at once.

use std::collections::HashMap;

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use protocol::SubmissionId;
use store::{
    accounts::User,
    findings, inbox, objections,
    queue::Priority,
    review::{self, Action, Actor},
    state::SubmissionState,
};
use time::OffsetDateTime;

use super::{Done, with_notice};
use crate::{
    Service,
    auth::Staff,
    error::AppError,
    extract::{Form, Query},
    pages::{Page, account::own_path, layout, now, page, submission::finding_view},
    views::{
        self, Count, Deadline, Filter, InboxEntry, InboxPage, Notice, OpenObjection, ReasonTemplate, Section,
        Timestamp,
    },
};

/// What a reviewer says often.
pub(super) const TEMPLATES: [ReasonTemplate; 6] = [
    ReasonTemplate {
        name: "unreadable",
        label: "The code cannot be understood",
        text: "The evaluator cannot be understood by reading it. Simplify it or add comments that say what each part does, and hand in a new revision.",
    },
    ReasonTemplate {
        name: "outside",
        label: "Reaches outside the sandbox",
        text: "The code reaches for the network, other processes or the machine. Nothing of that exists where it runs; take it out and hand in a new revision.",
    },
    ReasonTemplate {
        name: "licence",
        label: "Licence unclear",
        text: "The licence does not say whether the model may be run and its results published. State one that does.",
    },
    ReasonTemplate {
        name: "duplicate",
        label: "Already on the board",
        text: "The same model with the same settings is on the board already. To replace that result, hand in a new revision of it.",
    },
    ReasonTemplate {
        name: "tuned",
        label: "Tuned to the held-out data",
        text: "The model seems to have been trained on or tuned to held-out data. If that is a mistake, explain in an answer how it was made.",
    },
    ReasonTemplate {
        name: "not-a-recogniser",
        label: "Not a speech recogniser",
        text: "This does not transcribe speech. The board is for systems that do.",
    },
];

/// The chosen reason and the own words, as one text.
pub(super) fn reason(template: &str, own: &str) -> String {
    let chosen = TEMPLATES.iter().find(|known| known.name == template).map_or("", |known| known.text);
    [chosen, own.trim()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[derive(serde::Deserialize)]
pub(crate) struct Asked {
    show: Option<String>,
    done: Option<String>,
    count: Option<u32>,
}

pub(crate) async fn show(
    State(service): State<Service>,
    Staff(user): Staff,
    Query(asked): Query<Asked>,
) -> Page {
    let done = Done { done: asked.done, count: asked.count };
    inbox_page(&service, &user, asked.show.as_deref(), done.notice()).await
}

async fn inbox_page(service: &Service, user: &User, show: Option<&str>, notice: Option<Notice>) -> Page {
    let filter = match show {
        None => inbox::Show::Waiting,
        Some("all") => inbox::Show::All,
        Some("late") => inbox::Show::Late,
        Some(state) => inbox::Show::In(state.parse().map_err(|_| AppError::nothing_here())?),
    };
    let limits = &service.settings.policy.limits;
    let entries = inbox::list(&service.pool, filter, limits).await?;
    let ids: Vec<SubmissionId> = entries.iter().map(|entry| entry.id).collect();
    let mut findings = findings::of_many(&service.pool, &ids).await?;
    let tallies = inbox::tally(&service.pool, limits).await?;
    let objections = objections::open(&service.pool).await?;
    page(&InboxPage {
        layout: with_notice(layout(service, Section::Admin, Some(user)), notice),
        now: now(),
        here: show.map_or_else(|| "/admin".to_owned(), |show| format!("/admin?show={show}")),
        filters: filters(&tallies, filter),
        entries: entries.into_iter().map(|entry| view(entry, &mut findings, limits)).collect(),
        templates: TEMPLATES.to_vec(),
        objections: objections
            .into_iter()
            .map(|(id, model, at)| OpenObjection {
                model,
                href: format!("/models/{id}/record"),
                since: Timestamp(at),
            })
            .collect(),
    })
}

fn filters(tallies: &[inbox::Tally], chosen: inbox::Show) -> Vec<Filter> {
    let is_staffs = |state| matches!(state, SubmissionState::InReview | SubmissionState::Quarantined);
    let sum =
        |wanted: &dyn Fn(&inbox::Tally) -> i64| Count(tallies.iter().map(wanted).sum::<i64>().unsigned_abs());
    let late = sum(&|tally| tally.late);
    let filter = |label: &str, href: &str, count, late: i64, show| Filter {
        label: label.to_owned(),
        href: href.to_owned(),
        count,
        late: late.unsigned_abs(),
        current: chosen == show,
    };
    let waiting = sum(&|tally| if is_staffs(tally.state) { tally.count } else { tally.late });
    let mut filters = vec![
        filter("Waits for us", "/admin", waiting, 0, inbox::Show::Waiting),
        filter("Late", "/admin?show=late", late, 0, inbox::Show::Late),
    ];
    filters.extend(tallies.iter().map(|tally| {
        filter(
            views::state_words(tally.state.as_str()).label,
            &format!("/admin?show={}", tally.state),
            Count(tally.count.unsigned_abs()),
            tally.late,
            inbox::Show::In(tally.state),
        )
    }));
    filters.push(filter("All", "/admin?show=all", sum(&|tally| tally.count), 0, inbox::Show::All));
    filters
}

pub(crate) fn deadline(
    limits: &inbox::Limits,
    state: SubmissionState,
    entered: OffsetDateTime,
) -> Option<Deadline> {
    let at = limits.deadline(state, entered)?;
    Some(Deadline { at: Timestamp(at), is_past: at < OffsetDateTime::now_utc() })
}

fn view(
    entry: inbox::Entry,
    findings: &mut HashMap<SubmissionId, Vec<findings::Finding>>,
    limits: &inbox::Limits,
) -> InboxEntry {
    InboxEntry {
        id: entry.id,
        model: entry.manifest.name,
        organisation: entry.manifest.organisation,
        user: entry.user,
        release: entry.release,
        runtime: entry.manifest.runtime,
        licence: entry.manifest.licence,
        state: entry.state.to_string(),
        since: Timestamp(entry.since),
        deadline: deadline(limits, entry.state, entry.since),
        priority: (entry.priority != Priority::Normal).then(|| entry.priority.as_str()),
        has_evaluator: entry.has_evaluator,
        is_revision: entry.is_revision,
        findings: findings.remove(&entry.id).unwrap_or_default().into_iter().map(finding_view).collect(),
        cautions: entry.cautions.unsigned_abs(),
        thread: entry.last_word_is_staffs.map(|staffs| if staffs { "asked" } else { "answered" }),
        failure: entry.failure_class,
        may_approve: entry.state == SubmissionState::InReview,
    }
}

/// `POST /admin/submissions`: the same for all that are chosen.
pub(crate) async fn decide(
    State(service): State<Service>,
    Staff(user): Staff,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, AppError> {
    let field =
        |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let action = named(field("action"))?;
    let reason = reason(field("template"), field("reason"));
    let chosen = fields
        .iter()
        .filter(|(key, _)| key == "id")
        .map(|(_, id)| id.parse::<SubmissionId>().map_err(|_| AppError::nothing_here()))
        .collect::<Result<Vec<_>, _>>()?;
    let actor = Actor { name: &user.name, role: user.role };
    let (mut done, mut refused) = (0_u32, Vec::new());
    for id in &chosen {
        match review::act(&service.pool, *id, actor, action, &reason).await {
            Ok(()) => done += 1,
            Err(error) => match AppError::from(error) {
                refusal @ AppError::Conflict(_) => refused.push(refusal.to_string()),
                other => return Err(other),
            },
        }
    }
    let next = own_path(field("next"));
    if done > 0 && refused.is_empty() {
        return Ok(Redirect::to(&with_done(next, action, done)).into_response());
    }
    refused.dedup();
    let text = match (chosen.len(), done) {
        (0, _) => "Nothing is chosen: mark what you want to decide on.".to_owned(),
        (_, 0) => refused.join(" "),
        (_, done) => format!("{done} done. {}", refused.join(" ")),
    };
    let show = next.split_once("?show=").map(|(_, show)| show);
    let html = inbox_page(&service, &user, show, Some(Notice { is_problem: true, text })).await?;
    Ok((axum::http::StatusCode::CONFLICT, html).into_response())
}

/// Back to where the action was taken, with a word on it.
pub(super) fn with_done(next: &str, action: Action, count: u32) -> String {
    let next = if next == "/" { "/admin" } else { next };
    let joint = if next.contains('?') { '&' } else { '?' };
    format!("{next}{joint}done={}&count={count}", action.as_str())
}

/// The action of this name; a priority is given apart.
pub(super) fn named(name: &str) -> Result<Action, AppError> {
    let all = [
        Action::Approve,
        Action::Reject,
        Action::Ask,
        Action::Rerun,
        Action::Prioritise(Priority::Normal),
        Action::Cancel,
        Action::Quarantine,
        Action::Restore,
        Action::Hide,
        Action::Unhide,
        Action::Verify,
        Action::Unverify,
        Action::Refund,
    ];
    all.into_iter()
        .find(|action| action.as_str() == name)
        .ok_or_else(|| AppError::BadRequest("The form asks for something that cannot be done.".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_chosen_one_with_the_own_words_after_it() {
        assert_eq!(reason("", "  mine "), "mine");
        assert!(reason("licence", "See the FAQ.").ends_with("State one that does. See the FAQ."));
        assert_eq!(reason("unknown", ""), "");
    }

    #[test]
    fn the_way_back_says_what_was_done() {
        assert_eq!(
            with_done("/admin?show=in_review", Action::Approve, 3),
            "/admin?show=in_review&done=approve&count=3"
        );
        assert_eq!(with_done("/", Action::Reject, 1), "/admin?done=reject&count=1");
    }
}
