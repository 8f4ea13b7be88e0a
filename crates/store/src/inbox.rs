//! The staff's inbox, and the detector of what is stuck: nothing sits in a state past its limit unseen.

use std::time::Duration;

use protocol::{FailureClass, ModelManifest, SubmissionId};
use sqlx::{PgPool, types::Json};
use time::OffsetDateTime;

use crate::{StoreError, queue::Priority, state::SubmissionState, submissions::parse_class};

/// How long a submission may stay in a state before it is flagged. A state that is over has no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Draft and uploading: the submitter has to go on.
    pub unfinished: Duration,
    /// Checking and scoring: the service itself.
    pub chores: Duration,
    /// In review: what reviewers promise.
    pub review: Duration,
    /// Queued: a worker has to come.
    pub queued: Duration,
    /// Running: longer than any attempt may take.
    pub running: Duration,
    /// Quarantined: a decision has to be made.
    pub quarantine: Duration,
}

impl Limits {
    /// The limit of a state.
    pub const fn of(&self, state: SubmissionState) -> Option<Duration> {
        match state {
            SubmissionState::Draft | SubmissionState::Uploading => Some(self.unfinished),
            SubmissionState::Checking | SubmissionState::Scoring => Some(self.chores),
            SubmissionState::InReview => Some(self.review),
            SubmissionState::Queued => Some(self.queued),
            SubmissionState::Running => Some(self.running),
            SubmissionState::Quarantined => Some(self.quarantine),
            SubmissionState::Published
            | SubmissionState::Rejected
            | SubmissionState::Failed
            | SubmissionState::Cancelled
            | SubmissionState::Withdrawn
            | SubmissionState::Superseded => None,
        }
    }

    /// When a submission that entered a state then is late.
    pub fn deadline(&self, state: SubmissionState, entered: OffsetDateTime) -> Option<OffsetDateTime> {
        self.of(state).map(|limit| entered + limit)
    }
}

/// Which submissions to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// What waits for somebody of the staff: in review, quarantined, or late.
    #[default]
    Waiting,
    /// What is past the limit of its state.
    Late,
    /// Those in one state.
    In(SubmissionState),
    /// All.
    All,
}

/// One line of the inbox.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Which.
    pub id: SubmissionId,
    /// The model.
    pub manifest: ModelManifest,
    /// Whose.
    pub user: String,
    /// On which release.
    pub release: String,
    /// Where it is.
    pub state: SubmissionState,
    /// Since when.
    pub since: OffsetDateTime,
    /// How soon it runs.
    pub priority: Priority,
    /// It brings an evaluator.
    pub has_evaluator: bool,
    /// It replaces an earlier one.
    pub is_revision: bool,
    /// Findings that call for a look.
    pub cautions: i64,
    /// The first of them.
    pub first_caution: Option<String>,
    /// Whether the last word in the thread is the submitter's (`Some(false)`), the staff's, or nobody's.
    pub last_word_is_staffs: Option<bool>,
    /// Why it failed.
    pub failure_class: Option<FailureClass>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: uuid::Uuid,
    manifest: Json<ModelManifest>,
    user_name: String,
    release: String,
    state: String,
    state_entered_at: OffsetDateTime,
    priority: i32,
    has_evaluator: bool,
    is_revision: bool,
    cautions: i64,
    first_caution: Option<String>,
    last_word: Option<bool>,
    failure_class: Option<String>,
}

impl Row {
    fn into_entry(self) -> Result<Entry, StoreError> {
        Ok(Entry {
            id: SubmissionId(self.id),
            manifest: self.manifest.0,
            user: self.user_name,
            release: self.release,
            state: self.state.parse()?,
            since: self.state_entered_at,
            priority: Priority::of_number(self.priority),
            has_evaluator: self.has_evaluator,
            is_revision: self.is_revision,
            cautions: self.cautions,
            first_caution: self.first_caution,
            last_word_is_staffs: self.last_word,
            failure_class: parse_class(self.failure_class.as_deref())?,
        })
    }
}

/// The inbox, what has waited longest first; at most 200.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool, show: Show, limits: &Limits) -> Result<Vec<Entry>, StoreError> {
    let (states, late, named): (Vec<&str>, bool, bool) = match show {
        Show::Waiting => (vec!["in_review", "quarantined"], true, true),
        Show::Late => (Vec::new(), true, true),
        Show::In(state) => (vec![state.as_str()], false, true),
        Show::All => (Vec::new(), false, false),
    };
    let (limited, seconds) = limits_as_columns(limits);
    let rows = sqlx::query_as::<_, Row>(
        "SELECT s.id, s.manifest, u.name AS user_name, r.slug AS release, s.state, s.state_entered_at, s.priority,
                s.evaluator IS NOT NULL AS has_evaluator, s.revision_of IS NOT NULL AS is_revision,
                (SELECT count(*) FROM submission_findings f WHERE f.submission_id = s.id AND f.severity = 'caution')
                    AS cautions,
                (SELECT f.sentence FROM submission_findings f WHERE f.submission_id = s.id AND f.severity = 'caution'
                 ORDER BY f.position LIMIT 1) AS first_caution,
                (SELECT m.from_staff FROM submission_messages m WHERE m.submission_id = s.id ORDER BY m.id DESC LIMIT 1)
                    AS last_word, s.failure_class
         FROM submissions s JOIN users u ON u.id = s.user_id JOIN releases r ON r.id = s.release_id
              LEFT JOIN unnest($1::text[], $2::float8[]) AS l (state, seconds) ON l.state = s.state
         WHERE NOT $5 OR s.state = ANY($3)
            OR $4 AND s.state_entered_at < now() - make_interval(secs => l.seconds)
         ORDER BY s.state_entered_at, s.id LIMIT 200",
    )
    .bind(&limited)
    .bind(&seconds)
    .bind(&states)
    .bind(late)
    .bind(named)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::into_entry).collect()
}

fn limits_as_columns(limits: &Limits) -> (Vec<&'static str>, Vec<f64>) {
    SubmissionState::ALL
        .into_iter()
        .filter_map(|state| Some((state.as_str(), limits.of(state)?.as_secs_f64())))
        .unzip()
}

/// How many submissions are in each state, how many of them late, and since when the oldest.
#[derive(Debug, Clone)]
pub struct Tally {
    /// The state.
    pub state: SubmissionState,
    /// How many.
    pub count: i64,
    /// How many of them are past the limit.
    pub late: i64,
    /// When the oldest entered it.
    pub oldest: OffsetDateTime,
}

/// Submissions by state, in the order of the states.
///
/// # Errors
/// When the database fails.
pub async fn tally(pool: &PgPool, limits: &Limits) -> Result<Vec<Tally>, StoreError> {
    let (limited, seconds) = limits_as_columns(limits);
    let rows: Vec<(String, i64, i64, OffsetDateTime)> = sqlx::query_as(
        "SELECT s.state, count(*),
                count(*) FILTER (WHERE s.state_entered_at < now() - make_interval(secs => l.seconds)),
                min(s.state_entered_at)
         FROM submissions s LEFT JOIN unnest($1::text[], $2::float8[]) AS l (state, seconds) ON l.state = s.state
         GROUP BY s.state",
    )
    .bind(&limited)
    .bind(&seconds)
    .fetch_all(pool)
    .await?;
    let mut tallies = rows
        .into_iter()
        .map(|(state, count, late, oldest)| Ok(Tally { state: state.parse()?, count, late, oldest }))
        .collect::<Result<Vec<_>, StoreError>>()?;
    tallies.sort_by_key(|tally| SubmissionState::ALL.iter().position(|&state| state == tally.state));
    Ok(tallies)
}

/// What a submitter's earlier submissions came to, for whoever decides on the next.
#[derive(Debug, Clone, Copy, Default, sqlx::FromRow)]
pub struct History {
    /// All of them.
    pub submitted: i64,
    /// On the board now or once.
    pub published: i64,
    /// Ended by a fault of theirs or of ours.
    pub failed: i64,
    /// Refused by a reviewer.
    pub rejected: i64,
    /// Taken off the board by staff.
    pub quarantined: i64,
}

/// What the submissions of a user before this one came to.
///
/// # Errors
/// When the database fails.
pub async fn history(
    pool: &PgPool,
    user: protocol::UserId,
    before: SubmissionId,
) -> Result<History, StoreError> {
    Ok(sqlx::query_as(
        "SELECT count(*) AS submitted,
                count(*) FILTER (WHERE state IN ('published', 'superseded', 'withdrawn')) AS published,
                count(*) FILTER (WHERE state = 'failed') AS failed,
                count(*) FILTER (WHERE state = 'rejected') AS rejected,
                count(*) FILTER (WHERE state = 'quarantined') AS quarantined
         FROM submissions WHERE user_id = $1 AND id < $2",
    )
    .bind(user.0)
    .bind(before.0)
    .fetch_one(pool)
    .await?)
}
