//! The history of the boards: what stood where, as long as it did.

use std::collections::HashMap;

use protocol::{AttemptId, ReleaseId, SubmissionId};
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::StoreError;

/// Where a result stands on a board.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Whose result.
    pub submission: SubmissionId,
    /// The attempt it comes from.
    pub attempt: AttemptId,
    /// Its place, from 1.
    pub place: i32,
    /// Best and worst place of the 95 % interval.
    pub interval: (i32, i32),
    /// Avg WER, as a fraction.
    pub wer: f64,
    /// 95 % interval of it.
    pub wer_interval: Option<(f64, f64)>,
}

/// A moment at which a ranking changed.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Moment {
    /// Which.
    pub id: i64,
    /// When.
    pub taken_at: OffsetDateTime,
    /// On which release.
    #[sqlx(try_from = "Uuid")]
    pub release_id: ReleaseKey,
    /// On which hardware class.
    pub hardware_class: String,
    /// By which scorer.
    pub scorer: String,
    /// How many models were ranked.
    pub models: i32,
}

/// A release as the database names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseKey(pub ReleaseId);

impl From<Uuid> for ReleaseKey {
    fn from(id: Uuid) -> Self {
        Self(ReleaseId(id))
    }
}

/// A result with its name, at its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Name of the model.
    pub model: String,
    /// Who stands behind it.
    pub organisation: String,
    /// The state of the submission today, or `hidden`.
    pub state: String,
    /// Where it stood.
    pub place: Place,
}

/// How long a result stood at a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Stay {
    /// From when.
    pub from: OffsetDateTime,
    /// Until when; `None` as long as it does.
    pub until: Option<OffsetDateTime>,
    /// The snapshot it began with.
    pub snapshot: i64,
    /// Name of the model.
    pub model: String,
    /// Where.
    pub place: Place,
}

/// Why a result is no longer on a board, as far as visitors may know.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Departure {
    /// When it left.
    pub at: OffsetDateTime,
    /// The state it went to.
    pub state: String,
    /// What staff wrote, where a visitor may read it.
    pub reason: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    submission_id: Uuid,
    attempt_id: Uuid,
    place: i32,
    lowest: i32,
    highest: i32,
    wer: f64,
    wer_low: Option<f64>,
    wer_high: Option<f64>,
}

impl From<Row> for Place {
    fn from(row: Row) -> Self {
        Self {
            submission: SubmissionId(row.submission_id),
            attempt: AttemptId(row.attempt_id),
            place: row.place,
            interval: (row.lowest, row.highest),
            wer: row.wer,
            wer_interval: row.wer_low.zip(row.wer_high),
        }
    }
}

/// Rows written by one statement: their parameters must stay below 65 535.
const AT_ONCE: usize = 1_000;

/// Writes down how a board stands, if that differs from what was written last: the new snapshot's id.
///
/// # Errors
/// When the database fails.
pub async fn record(
    pool: &PgPool,
    (release, hardware_class): (ReleaseId, &str),
    scorer: &str,
    places: &[Place],
) -> Result<Option<i64>, StoreError> {
    let mut transaction = pool.begin().await?;
    // Several services build the same board: the first one writes it down.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('board_history' || $1::text || $2, 0))")
        .bind(release.0)
        .bind(hardware_class)
        .execute(&mut *transaction)
        .await?;
    let standing: Vec<Row> = sqlx::query_as(
        "SELECT submission_id, attempt_id, place, lowest, highest, wer, wer_low, wer_high FROM board_places
         WHERE release_id = $1 AND hardware_class = $2 AND next_snapshot IS NULL",
    )
    .bind(release.0)
    .bind(hardware_class)
    .fetch_all(&mut *transaction)
    .await?;
    let mut standing: HashMap<SubmissionId, Place> =
        standing.into_iter().map(Place::from).map(|place| (place.submission, place)).collect();
    let new: Vec<&Place> = places
        .iter()
        .filter(|place| match standing.remove(&place.submission) {
            Some(before) if before == **place => false,
            Some(before) => {
                standing.insert(before.submission, before);
                true
            }
            None => true,
        })
        .collect();
    if new.is_empty() && standing.is_empty() {
        return Ok(None);
    }
    let snapshot: i64 = sqlx::query_scalar(
        "INSERT INTO board_snapshots (release_id, hardware_class, scorer, models) VALUES ($1, $2, $3, $4) RETURNING id",
    )
    .bind(release.0)
    .bind(hardware_class)
    .bind(scorer)
    .bind(i32::try_from(places.len()).unwrap_or(i32::MAX))
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query(
        "UPDATE board_places SET next_snapshot = $1
         WHERE release_id = $2 AND hardware_class = $3 AND next_snapshot IS NULL AND submission_id = ANY($4)",
    )
    .bind(snapshot)
    .bind(release.0)
    .bind(hardware_class)
    .bind(standing.keys().map(|id| id.0).collect::<Vec<Uuid>>())
    .execute(&mut *transaction)
    .await?;
    for some in new.chunks(AT_ONCE) {
        insert(&mut transaction, snapshot, (release, hardware_class), some).await?;
    }
    transaction.commit().await?;
    Ok(Some(snapshot))
}

async fn insert(
    connection: &mut PgConnection,
    snapshot: i64,
    (release, hardware_class): (ReleaseId, &str),
    places: &[&Place],
) -> Result<(), StoreError> {
    let mut insert = QueryBuilder::<Postgres>::new(
        "INSERT INTO board_places (submission_id, first_snapshot, release_id, hardware_class, attempt_id, place, lowest,
                                   highest, wer, wer_low, wer_high) ",
    );
    insert.push_values(places, |mut row, place| {
        row.push_bind(place.submission.0)
            .push_bind(snapshot)
            .push_bind(release.0)
            .push_bind(hardware_class.to_owned())
            .push_bind(place.attempt.0)
            .push_bind(place.place)
            .push_bind(place.interval.0)
            .push_bind(place.interval.1)
            .push_bind(place.wer)
            .push_bind(place.wer_interval.map(|interval| interval.0))
            .push_bind(place.wer_interval.map(|interval| interval.1));
    });
    insert.build().execute(connection).await?;
    Ok(())
}

/// The latest moments of a board, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn moments(
    pool: &PgPool,
    (release, hardware_class): (ReleaseId, &str),
    most: i64,
) -> Result<Vec<Moment>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, taken_at, release_id, hardware_class, scorer, models FROM board_snapshots
         WHERE release_id = $1 AND hardware_class = $2 ORDER BY id DESC LIMIT $3",
    )
    .bind(release.0)
    .bind(hardware_class)
    .bind(most)
    .fetch_all(pool)
    .await?)
}

/// One moment, and those before and after it on the same board.
///
/// # Errors
/// [`StoreError::NotFound`] without one; otherwise when the database fails.
pub async fn moment(pool: &PgPool, id: i64) -> Result<(Moment, Option<i64>, Option<i64>), StoreError> {
    let found: Option<Moment> = sqlx::query_as(
        "SELECT id, taken_at, release_id, hardware_class, scorer, models FROM board_snapshots WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?;
    let moment = found.ok_or_else(|| StoreError::NotFound("snapshot of this number".to_owned()))?;
    let (before, after): (Option<i64>, Option<i64>) = sqlx::query_as(
        "SELECT max(id) FILTER (WHERE id < $3), min(id) FILTER (WHERE id > $3) FROM board_snapshots
         WHERE release_id = $1 AND hardware_class = $2",
    )
    .bind(moment.release_id.0.0)
    .bind(&moment.hardware_class)
    .bind(id)
    .fetch_one(pool)
    .await?;
    Ok((moment, before, after))
}

#[derive(sqlx::FromRow)]
struct NamedRow {
    #[sqlx(flatten)]
    row: Row,
    model: String,
    organisation: String,
    state: String,
}

/// How a board stood at a moment, best first.
///
/// # Errors
/// When the database fails.
pub async fn at(pool: &PgPool, moment: &Moment) -> Result<Vec<Named>, StoreError> {
    let rows: Vec<NamedRow> = sqlx::query_as(
        "SELECT p.submission_id, p.attempt_id, p.place, p.lowest, p.highest, p.wer, p.wer_low, p.wer_high,
                s.model, coalesce(s.manifest ->> 'organisation', '') AS organisation,
                CASE WHEN s.state = 'published' AND s.hidden_at IS NOT NULL THEN 'hidden' ELSE s.state END AS state
         FROM board_places p JOIN submissions s ON s.id = p.submission_id
         WHERE p.release_id = $1 AND p.hardware_class = $2 AND p.first_snapshot <= $3
           AND (p.next_snapshot IS NULL OR p.next_snapshot > $3)
         ORDER BY p.place, p.submission_id",
    )
    .bind(moment.release_id.0.0)
    .bind(&moment.hardware_class)
    .bind(moment.id)
    .fetch_all(pool)
    .await?;
    let named = |row: NamedRow| Named {
        model: row.model,
        organisation: row.organisation,
        state: row.state,
        place: row.row.into(),
    };
    Ok(rows.into_iter().map(named).collect())
}

#[derive(sqlx::FromRow)]
struct StayRow {
    #[sqlx(flatten)]
    row: Row,
    first_snapshot: i64,
    model: String,
    from_at: OffsetDateTime,
    until_at: Option<OffsetDateTime>,
}

/// Where some results stood over time, each in the order of time.
///
/// # Errors
/// When the database fails.
pub async fn stays(pool: &PgPool, submissions: &[SubmissionId]) -> Result<Vec<Stay>, StoreError> {
    let rows: Vec<StayRow> = sqlx::query_as(
        "SELECT p.submission_id, p.attempt_id, p.place, p.lowest, p.highest, p.wer, p.wer_low, p.wer_high,
                p.first_snapshot, s.model, f.taken_at AS from_at, n.taken_at AS until_at
         FROM board_places p JOIN submissions s ON s.id = p.submission_id
              JOIN board_snapshots f ON f.id = p.first_snapshot
              LEFT JOIN board_snapshots n ON n.id = p.next_snapshot
         WHERE p.submission_id = ANY($1) ORDER BY p.submission_id, p.first_snapshot",
    )
    .bind(submissions.iter().map(|id| id.0).collect::<Vec<Uuid>>())
    .fetch_all(pool)
    .await?;
    let stay = |row: StayRow| Stay {
        from: row.from_at,
        until: row.until_at,
        snapshot: row.first_snapshot,
        model: row.model,
        place: row.row.into(),
    };
    Ok(rows.into_iter().map(stay).collect())
}

/// Why a result left the board after a time.
///
/// # Errors
/// When the database fails.
pub async fn departure(
    pool: &PgPool,
    submission: SubmissionId,
    after: OffsetDateTime,
) -> Result<Option<Departure>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT e.at, e.to_state AS state,
                (SELECT a.reason FROM audit_log a WHERE a.submission_id = e.submission_id AND a.public
                    AND a.at BETWEEN e.at - interval '1 minute' AND e.at + interval '1 minute' AND a.reason <> ''
                 ORDER BY a.id DESC LIMIT 1) AS reason
         FROM submission_events e
         WHERE e.submission_id = $1 AND e.from_state = 'published' AND e.at >= $2 - interval '1 minute'
         ORDER BY e.id LIMIT 1",
    )
    .bind(submission.0)
    .bind(after)
    .fetch_optional(pool)
    .await?)
}
