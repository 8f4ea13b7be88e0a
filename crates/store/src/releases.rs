//! Releases and their items.

use protocol::{ItemId, ReleaseId};
use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{BOARD_CHANNEL, StoreError, notify};

/// What an item is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Transcribed once, timed and scored.
    Scored,
    /// Transcribed first, neither timed nor scored.
    WarmUp,
    /// A repeat pass (from 1): timed only.
    Repeat(u32),
}

impl Part {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Scored => "scored",
            Self::WarmUp => "warm_up",
            Self::Repeat(_) => "repeat",
        }
    }

    const fn pass(self) -> u32 {
        match self {
            Self::Repeat(pass) => pass,
            Self::Scored | Self::WarmUp => 0,
        }
    }

    fn read(part: &str, pass: i32) -> Result<Self, StoreError> {
        match part {
            "scored" => Ok(Self::Scored),
            "warm_up" => Ok(Self::WarmUp),
            "repeat" => Ok(Self::Repeat(pass.unsigned_abs())),
            other => Err(StoreError::Corrupt(format!("`{other}` is not a part of a release"))),
        }
    }
}

/// A release to be frozen.
#[derive(Debug)]
pub struct NewRelease<'a> {
    /// Short name for URLs.
    pub slug: &'a str,
    /// Version.
    pub version: &'a str,
    /// Name for people.
    pub title: &'a str,
    /// Hash over everything that makes it up.
    pub manifest_sha256: &'a str,
    /// What a visitor may know of it.
    pub about: &'a Value,
    /// Its items.
    pub items: &'a [NewItem],
}

/// One item of a [`NewRelease`]. The audio is already in storage under [`crate::objects::audio_key`].
#[derive(Debug, Clone)]
pub struct NewItem {
    /// Which.
    pub id: ItemId,
    /// What for.
    pub part: Part,
    /// Track name.
    pub track: String,
    /// Utterance, the same in every track.
    pub utterance: String,
    /// What was said. Private.
    pub reference: String,
    /// Who speaks.
    pub talker: String,
    /// Where; `None` for dry speech.
    pub room: Option<String>,
    /// SHA-256 of the WAV file, hexadecimal.
    pub audio_sha256: String,
    /// Its size.
    pub audio_bytes: u64,
    /// Its length.
    pub seconds: f64,
    /// Measured conditions.
    pub conditions: Value,
}

/// Freezes a release with all its items, all or nothing. The same release a second time is no error.
///
/// # Errors
/// [`StoreError::ReleaseTaken`] when slug and version stand for other content; otherwise when the database fails.
pub async fn freeze(pool: &PgPool, new: &NewRelease<'_>) -> Result<ReleaseId, StoreError> {
    let mut transaction = pool.begin().await?;
    let present: Option<(Uuid, String, Option<String>)> =
        sqlx::query_as("SELECT id, state, manifest_sha256 FROM releases WHERE slug = $1 AND version = $2")
            .bind(new.slug)
            .bind(new.version)
            .fetch_optional(&mut *transaction)
            .await?;
    if let Some((id, state, sha256)) = present {
        if state == "frozen" && sha256.as_deref() == Some(new.manifest_sha256) {
            return Ok(ReleaseId(id));
        }
        return Err(StoreError::ReleaseTaken {
            slug: new.slug.to_owned(),
            version: new.version.to_owned(),
            state,
            present: sha256.unwrap_or_else(|| "no hash yet".to_owned()),
            given: new.manifest_sha256.to_owned(),
        });
    }
    let id = ReleaseId::new();
    sqlx::query(
        "INSERT INTO releases (id, slug, version, title, state, manifest_sha256, about, frozen_at)
         VALUES ($1, $2, $3, $4, 'frozen', $5, $6, now())",
    )
    .bind(id.0)
    .bind(new.slug)
    .bind(new.version)
    .bind(new.title)
    .bind(new.manifest_sha256)
    .bind(new.about)
    .execute(&mut *transaction)
    .await?;
    for item in new.items {
        sqlx::query(
            "INSERT INTO items (id, release_id, part, pass, track, utterance, reference, talker, room, audio_sha256,
                                audio_bytes, seconds, conditions)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(item.id.0)
        .bind(id.0)
        .bind(item.part.as_str())
        .bind(i32::try_from(item.part.pass()).unwrap_or(i32::MAX))
        .bind(&item.track)
        .bind(&item.utterance)
        .bind(&item.reference)
        .bind(&item.talker)
        .bind(&item.room)
        .bind(&item.audio_sha256)
        .bind(i64::try_from(item.audio_bytes).unwrap_or(i64::MAX))
        .bind(item.seconds)
        .bind(&item.conditions)
        .execute(&mut *transaction)
        .await?;
    }
    notify(&mut transaction, BOARD_CHANNEL).await?;
    transaction.commit().await?;
    Ok(id)
}

/// A release, as a visitor may know it.
#[derive(Debug, Clone)]
pub struct Release {
    /// Which.
    pub id: ReleaseId,
    /// Short name.
    pub slug: String,
    /// Version.
    pub version: String,
    /// Name for people.
    pub title: String,
    /// Hash over everything that makes it up.
    pub manifest_sha256: String,
    /// Seed, rooms, noise, corpus licence and attribution.
    pub about: Value,
    /// When it was frozen.
    pub frozen_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct ReleaseRow {
    id: Uuid,
    slug: String,
    version: String,
    title: String,
    manifest_sha256: String,
    about: Value,
    frozen_at: OffsetDateTime,
}

/// The frozen releases, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn frozen(pool: &PgPool) -> Result<Vec<Release>, StoreError> {
    let rows = sqlx::query_as::<_, ReleaseRow>(
        "SELECT id, slug, version, title, manifest_sha256, about, frozen_at FROM releases
         WHERE state = 'frozen' ORDER BY frozen_at DESC, id DESC",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Release {
            id: ReleaseId(row.id),
            slug: row.slug,
            version: row.version,
            title: row.title,
            manifest_sha256: row.manifest_sha256,
            about: row.about,
            frozen_at: row.frozen_at,
        })
        .collect())
}

/// A release in any state, for whoever looks after them.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ReleaseSummary {
    /// Short name.
    pub slug: String,
    /// Version.
    pub version: String,
    /// Name for people.
    pub title: String,
    /// `draft`, `rendering`, `frozen` or `retired`.
    pub state: String,
    /// Hash over everything that makes it up, once frozen.
    pub manifest_sha256: Option<String>,
    /// When it was frozen.
    pub frozen_at: Option<OffsetDateTime>,
    /// Items of all parts.
    pub items: i64,
    /// Results on its board.
    pub published: i64,
    /// Submissions on their way there.
    pub underway: i64,
}

/// All releases, the latest first.
///
/// # Errors
/// When the database fails.
pub async fn summaries(pool: &PgPool) -> Result<Vec<ReleaseSummary>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT r.slug, r.version, r.title, r.state, r.manifest_sha256, r.frozen_at,
                (SELECT count(*) FROM items i WHERE i.release_id = r.id) AS items,
                (SELECT count(*) FROM submissions s WHERE s.release_id = r.id AND s.state = 'published') AS published,
                (SELECT count(*) FROM submissions s WHERE s.release_id = r.id
                   AND s.state IN ('draft', 'uploading', 'checking', 'in_review', 'queued', 'running', 'scoring'))
                    AS underway
         FROM releases r ORDER BY r.created_at DESC, r.id DESC",
    )
    .fetch_all(pool)
    .await?)
}

/// An item as the machine that runs a model may know it: audio, nothing else.
#[derive(Debug, Clone)]
pub struct Audio {
    /// Which item.
    pub id: ItemId,
    /// What for.
    pub part: Part,
    /// SHA-256 of the WAV file, hexadecimal: its key.
    pub sha256: String,
    /// Its length.
    pub seconds: f64,
}

/// The audio of a release.
///
/// # Errors
/// When the database fails.
pub async fn audio(pool: &PgPool, release: ReleaseId) -> Result<Vec<Audio>, StoreError> {
    let rows: Vec<(Uuid, String, i32, String, f64)> = sqlx::query_as(
        "SELECT id, part, pass, audio_sha256, seconds FROM items WHERE release_id = $1 ORDER BY part, pass, id",
    )
    .bind(release.0)
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|(id, part, pass, sha256, seconds)| {
            Ok(Audio { id: ItemId(id), part: Part::read(&part, pass)?, sha256, seconds })
        })
        .collect()
}

/// What the scorer needs of an item. PRIVATE.
#[derive(Clone)]
pub struct Reference {
    /// Which item.
    pub id: ItemId,
    /// What for.
    pub part: Part,
    /// Its track.
    pub track: String,
    /// The utterance, the same in every track.
    pub utterance: String,
    /// What was said.
    pub text: String,
    /// Who speaks.
    pub talker: String,
    /// Where.
    pub room: Option<String>,
    /// Length of the audio.
    pub seconds: f64,
    /// Measured conditions.
    pub conditions: Value,
}

/// The references of a release, for the scorer alone: they never reach a visitor, a submitter, a log or a worker.
///
/// # Errors
/// When the database fails.
pub async fn references(pool: &PgPool, release: ReleaseId) -> Result<Vec<Reference>, StoreError> {
    type Row = (Uuid, String, i32, String, String, String, String, Option<String>, f64, Value);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, part, pass, track, utterance, reference, talker, room, seconds, conditions FROM items
         WHERE release_id = $1 AND part <> 'warm_up' ORDER BY id",
    )
    .bind(release.0)
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|(id, part, pass, track, utterance, text, talker, room, seconds, conditions)| {
            Ok(Reference {
                id: ItemId(id),
                part: Part::read(&part, pass)?,
                track,
                utterance,
                text,
                talker,
                room,
                seconds,
                conditions,
            })
        })
        .collect()
}

/// How large a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Size {
    /// Different utterances that are scored.
    pub utterances: i64,
    /// Different talkers.
    pub talkers: i64,
    /// Different rooms.
    pub rooms: i64,
    /// Scored items of all tracks.
    pub items: i64,
}

/// Counts the scored items of a release.
///
/// # Errors
/// When the database fails.
pub async fn size(pool: &PgPool, release: ReleaseId) -> Result<Size, StoreError> {
    Ok(sqlx::query_as(
        "SELECT count(DISTINCT utterance) AS utterances, count(DISTINCT talker) AS talkers,
                count(DISTINCT room) AS rooms, count(*) AS items
         FROM items WHERE release_id = $1 AND part = 'scored'",
    )
    .bind(release.0)
    .fetch_one(pool)
    .await?)
}
