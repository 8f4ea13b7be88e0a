//! One submission with everything needed to decide on it, and deciding.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use inspection::TokenClass;
use protocol::SubmissionId;
use similar::{ChangeTag, TextDiff};
use store::{
    audit, findings,
    inbox::{self, History},
    objects,
    queue::Priority,
    review::{self, Action, Actor},
    scores,
    submissions::{self, Filter, StoredFile, Submission},
};

use super::{
    Done,
    inbox::{TEMPLATES, deadline, named, reason, with_done},
    with_notice,
};
use crate::{
    Service,
    auth::Staff,
    board::{Row, Snapshot},
    error::AppError,
    extract::{Form, Path, Query},
    pages::{
        Page,
        account::own_path,
        layout, now, page,
        submission::{finding_view, message_view, timeline},
    },
    views::{
        AuditRow, Bytes, Choice, Count, FileRow, FindingView, HistoryRow, NamedAction, Piece, Remark,
        ReviewPage, Rtfx, Section, SourceLine, SourceView, Timestamp, remarks,
    },
};

/// An evaluator is never larger when it comes in.
const SOURCE_BYTES: u64 = 256 * 1024;
/// Models within this factor of each other's size are compared in speed, and one that is further than this factor from
/// the others' median is remarked on.
const FAMILY_FACTOR: f64 = 3.0;
/// Fewer models are no family.
const SMALLEST_FAMILY: usize = 3;
/// Unchanged lines around a change.
const CONTEXT: usize = 6;

pub(crate) async fn show(
    State(service): State<Service>,
    Staff(user): Staff,
    Path(id): Path<SubmissionId>,
    Query(done): Query<Done>,
) -> Page {
    let submission = submissions::get(&service.pool, id).await?;
    let previous = match submission.revision_of {
        Some(revised) => Some(submissions::get(&service.pool, revised).await?),
        None => None,
    };
    let files = submissions::files(&service.pool, id).await?;
    let previous_files = match &previous {
        Some(previous) => submissions::files(&service.pool, previous.id).await?,
        None => Vec::new(),
    };
    let findings: Vec<FindingView> =
        findings::of(&service.pool, id).await?.into_iter().map(finding_view).collect();
    let source = source(&service, &submission, &files, previous.as_ref(), &previous_files, &findings).await;
    let history = inbox::history(&service.pool, submission.user, id).await?;
    let others = submissions::list(&service.pool, Filter::Of(submission.user)).await?;
    page(&ReviewPage {
        layout: with_notice(layout(&service, Section::Admin, Some(&user)), done.notice()),
        now: now(),
        id,
        model: submission.manifest.name.clone(),
        organisation: submission.manifest.organisation.clone(),
        state: submission.state.to_string(),
        since: Timestamp(submission.state_entered_at),
        deadline: deadline(&service.settings.policy.limits, submission.state, submission.state_entered_at),
        facts: facts(&submission),
        findings,
        remarks: doubts(&service, &submission).await?,
        files: files.into_iter().map(|file| file_row(file, &previous_files, previous.is_some())).collect(),
        source,
        record: record(history),
        others: others
            .into_iter()
            .filter(|other| other.id != id)
            .take(10)
            .map(|other| HistoryRow {
                id: other.id,
                model: other.manifest.name,
                state: other.state.to_string(),
                since: Timestamp(other.state_entered_at),
            })
            .collect(),
        actions: actions(&submission, user.role),
        templates: TEMPLATES.to_vec(),
        priorities: priorities(&submission),
        messages: review::messages(&service.pool, id).await?.into_iter().map(message_view).collect(),
        audit: audit::of_submission(&service.pool, id, false).await?.into_iter().map(audit_row).collect(),
        timeline: timeline(submissions::events(&service.pool, id).await?),
        revision_of: submission.revision_of,
        user: submission.user_name,
    })
}

pub(crate) fn audit_row(action: audit::Action) -> AuditRow {
    AuditRow {
        at: Timestamp(action.at),
        actor: action.actor,
        action: action.action,
        subject: action.subject,
        submission: action.submission,
        reason: action.reason,
        public: action.public,
    }
}

/// What is flagged in the latest run, and a speed that is far from that of models like it.
async fn doubts(service: &Service, submission: &Submission) -> Result<Vec<Remark>, AppError> {
    let measured = scores::measurements(&service.pool, submission.id).await?;
    let mut remarks = measured.map(|it| remarks(&it.flags)).unwrap_or_default();
    remarks.extend(unlike_its_family(&service.board(), submission.id));
    Ok(remarks)
}

/// A speed far from the median of the models of the same runtime and of comparable size on the same board.
fn unlike_its_family(snapshot: &Snapshot, id: SubmissionId) -> Option<Remark> {
    let (board, row) = snapshot.row(id)?;
    let speed = row.result.summary.rtfx?;
    let size = row.candidate.num_params? as f64;
    let is_kin = |other: &&Row| {
        other.result.submission != id
            && other.result.report.runtime == row.result.report.runtime
            && other
                .candidate
                .num_params
                .is_some_and(|it| (FAMILY_FACTOR.recip()..=FAMILY_FACTOR).contains(&(it as f64 / size)))
    };
    let mut speeds: Vec<f64> =
        board.rows.iter().filter(is_kin).filter_map(|it| it.result.summary.rtfx).collect();
    speeds.sort_unstable_by(f64::total_cmp);
    let typical = scoring::quantile(&speeds, 0.5)?;
    let factor = speed / typical;
    let is_far =
        speeds.len() >= SMALLEST_FAMILY && !(FAMILY_FACTOR.recip()..=FAMILY_FACTOR).contains(&factor);
    is_far.then(|| Remark {
        message: format!(
            "Its RTFx of {} is {factor:.1} times the median of {} models of the runtime {} and of similar size ({}).",
            Rtfx(speed),
            speeds.len(),
            row.result.report.runtime,
            Rtfx(typical)
        ),
        items: 0,
    })
}

fn facts(submission: &Submission) -> Vec<(String, String)> {
    let manifest = &submission.manifest;
    let mut facts = vec![
        ("Licence", manifest.licence.clone()),
        ("Runtime", manifest.runtime.clone()),
        ("Release", submission.release_slug.clone()),
        ("Hardware", submission.hardware_class.clone()),
        ("Priority", submission.priority.as_str().to_owned()),
    ];
    if let Some(hub) = &manifest.hub {
        facts.push(("Hub model", format!("{} at {}", hub.model, hub.revision)));
    }
    if let Some(count) = manifest.num_params {
        facts.push(("Parameters", Count(count).to_string()));
    }
    for (name, text) in [("Training data", &manifest.training_data), ("Notes", &manifest.notes)] {
        facts.push((name, if text.is_empty() { "not stated".to_owned() } else { text.clone() }));
    }
    let mut facts: Vec<(String, String)> =
        facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    facts.extend(manifest.decoding.iter().map(|(name, value)| {
        let value = serde_json::to_string(value).unwrap_or_default();
        (name.clone(), value)
    }));
    facts
}

fn file_row(file: StoredFile, previous: &[StoredFile], is_revision: bool) -> FileRow {
    let change = match previous.iter().find(|other| other.name == file.name) {
        _ if !is_revision => "–",
        None => "new",
        Some(other) if other.sha256 == file.sha256 => "the same",
        Some(_) => "changed",
    };
    FileRow {
        name: file.name,
        from_hub: file.from_hub,
        bytes: Bytes(file.bytes.unsigned_abs()),
        sha256: file.sha256,
        change,
    }
}

fn record(history: History) -> String {
    match history.submitted {
        0 => "This is the first submission.".to_owned(),
        count => format!(
            "Before this: {count} submitted, {} published, {} failed, {} rejected, {} quarantined.",
            history.published, history.failed, history.rejected, history.quarantined
        ),
    }
}

fn actions(submission: &Submission, role: store::accounts::Role) -> Vec<NamedAction> {
    let buttons = [
        (Action::Approve, "Approve", true),
        (Action::Reject, "Reject", false),
        (Action::Restore, "Put back on the board", true),
        (Action::Ask, "Ask the submitter", false),
        (Action::Rerun, "Run again", true),
        (Action::Cancel, "Cancel", false),
        (Action::Quarantine, "Quarantine", false),
        if submission.hidden.is_some() {
            (Action::Unhide, "Show on the board again", false)
        } else {
            (Action::Hide, "Hide from the board", false)
        },
        if submission.verified.is_some() {
            (Action::Unverify, "Take the confirmation back", false)
        } else {
            (Action::Verify, "Confirm the result", false)
        },
        (Action::Refund, "Give the token back", false),
    ];
    buttons
        .into_iter()
        .filter(|(action, ..)| action.fits(submission.state) && action.is_for(role))
        .map(|(action, label, primary)| NamedAction { name: action.as_str(), label, primary })
        .collect()
}

fn priorities(submission: &Submission) -> Vec<Choice> {
    if !Action::Prioritise(Priority::Normal).fits(submission.state) {
        return Vec::new();
    }
    Priority::ALL
        .into_iter()
        .map(|priority| Choice {
            value: priority.as_str().to_owned(),
            label: priority.as_str().to_owned(),
            selected: priority == submission.priority,
        })
        .collect()
}

async fn source(
    service: &Service,
    submission: &Submission,
    files: &[StoredFile],
    previous: Option<&Submission>,
    previous_files: &[StoredFile],
    findings: &[FindingView],
) -> Option<SourceView> {
    let name = submission.evaluator.clone()?;
    let now = text(service, files, &name).await;
    let before = match previous.and_then(|previous| previous.evaluator.as_deref()) {
        Some(name) => text(service, previous_files, name).await.ok(),
        None => None,
    };
    let view = |lines, is_diff, problem| SourceView { name: name.clone(), lines, is_diff, problem };
    Some(match now {
        Err(problem) => view(Vec::new(), false, Some(problem)),
        Ok(now) => {
            let flagged = flagged(findings, &name);
            let is_diff = before.is_some();
            view(source_lines(before.as_deref(), &now, &flagged), is_diff, None)
        }
    })
}

/// The text of a file, or why it cannot be shown.
async fn text(service: &Service, files: &[StoredFile], name: &str) -> Result<String, String> {
    let file = files
        .iter()
        .find(|file| file.name == name)
        .ok_or_else(|| "The evaluator is not among the files.".to_owned())?;
    let content = service.objects.get(&objects::model_key(&file.sha256), SOURCE_BYTES).await;
    let content = content.map_err(|error| {
        tracing::warn!("an evaluator cannot be read: {error}");
        "The evaluator cannot be read from object storage at the moment.".to_owned()
    })?;
    String::from_utf8(content).map_err(|_| "The evaluator is not UTF-8 text.".to_owned())
}

/// The lines that findings point to, from places such as `mine.py, line 12`.
fn flagged(findings: &[FindingView], name: &str) -> Vec<usize> {
    findings
        .iter()
        .filter_map(|finding| finding.place.strip_prefix(name)?.strip_prefix(", line ")?.parse().ok())
        .collect()
}

fn source_lines(before: Option<&str>, now: &str, flagged: &[usize]) -> Vec<SourceLine> {
    let coloured = coloured(now);
    let line = |index: usize, change| SourceLine {
        number: Some(index + 1),
        change,
        pieces: coloured.get(index).cloned().unwrap_or_default(),
        flagged: flagged.contains(&(index + 1)),
    };
    let Some(before) = before else {
        return (0..coloured.len()).map(|index| line(index, "")).collect();
    };
    let diff = TextDiff::from_lines(before, now);
    let gone = |text: &str| SourceLine {
        number: None,
        change: "removed",
        pieces: vec![Piece { class: "", text: text.trim_end_matches(['\n', '\r']).to_owned() }],
        flagged: false,
    };
    let mut lines = Vec::new();
    for (number, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if number > 0 {
            lines.push(SourceLine {
                number: None,
                change: "",
                pieces: vec![Piece { class: "", text: "…".to_owned() }],
                flagged: false,
            });
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            match (change.tag(), change.new_index()) {
                (ChangeTag::Insert, Some(index)) => lines.push(line(index, "added")),
                (ChangeTag::Equal, Some(index)) => lines.push(line(index, "")),
                _ => lines.push(gone(change.value())),
            }
        }
    }
    lines
}

/// Each line of a source in pieces with their style classes.
fn coloured(source: &str) -> Vec<Vec<Piece>> {
    let mut spans = Vec::new();
    let mut at = 0;
    for token in inspection::highlight(source) {
        spans.push(("", at..token.bytes.start));
        at = token.bytes.end;
        spans.push((class(token.class), token.bytes));
    }
    spans.push(("", at..source.len()));
    let mut lines = vec![Vec::new()];
    for (class, bytes) in spans {
        for (number, text) in source.get(bytes).unwrap_or_default().split('\n').enumerate() {
            if number > 0 {
                lines.push(Vec::new());
            }
            let text = text.trim_end_matches('\r');
            if !text.is_empty()
                && let Some(line) = lines.last_mut()
            {
                line.push(Piece { class, text: text.to_owned() });
            }
        }
    }
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

fn class(token: TokenClass) -> &'static str {
    match token {
        TokenClass::Keyword => "keyword",
        TokenClass::String => "string",
        TokenClass::Comment => "comment",
        TokenClass::Number => "number",
        TokenClass::Definition => "definition",
    }
}

#[derive(Default)]
struct Decision {
    action: String,
    reason: String,
    template: String,
    priority: String,
    next: String,
}

/// `POST /admin/submissions/{id}`, also from a button in the inbox.
pub(crate) async fn decide(
    State(service): State<Service>,
    Staff(user): Staff,
    Path(id): Path<SubmissionId>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, AppError> {
    let decision = Decision::of(fields);
    let action = match named(&decision.action)? {
        Action::Prioritise(_) => Action::Prioritise(decision.priority.parse()?),
        action => action,
    };
    let reason = reason(&decision.template, &decision.reason);
    review::act(&service.pool, id, Actor { name: &user.name, role: user.role }, action, &reason).await?;
    let next = match own_path(&decision.next) {
        "/" => format!("/admin/submissions/{id}"),
        next => next.to_owned(),
    };
    Ok(Redirect::to(&with_done(&next, action, 1)).into_response())
}

impl Decision {
    /// From the fields of a form; the check boxes that the inbox sends along are not meant here.
    fn of(fields: Vec<(String, String)>) -> Self {
        let mut decision = Self::default();
        for (key, value) in fields {
            match key.as_str() {
                "action" => decision.action = value,
                "reason" => decision.reason = value,
                "template" => decision.template = value,
                "priority" => decision.priority = value,
                "next" => decision.next = value,
                _ => {}
            }
        }
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[SourceLine]) -> Vec<(Option<usize>, &str, String)> {
        lines
            .iter()
            .map(|line| {
                (line.number, line.change, line.pieces.iter().map(|piece| piece.text.as_str()).collect())
            })
            .collect()
    }

    #[test]
    fn every_line_keeps_its_text_and_a_string_over_two_lines_its_class() {
        let source = "def f():\n    x = '''a\nb'''\n";
        let lines = coloured(source);
        assert_eq!(lines.len(), 3);
        let text: Vec<String> =
            lines.iter().map(|line| line.iter().map(|piece| piece.text.as_str()).collect()).collect();
        assert_eq!(text.join("\n") + "\n", source);
        assert_eq!(lines[2], [Piece { class: "string", text: "b'''".to_owned() }]);
    }

    #[test]
    fn a_revision_is_shown_against_the_one_before_it() {
        let lines = source_lines(Some("a = 1\nb = 2\n"), "a = 1\nb = 3\n", &[2]);
        assert_eq!(
            shown(&lines),
            [
                (Some(1), "", "a = 1".to_owned()),
                (None, "removed", "b = 2".to_owned()),
                (Some(2), "added", "b = 3".to_owned())
            ]
        );
        assert!(lines[2].flagged && !lines[0].flagged);
    }
}
