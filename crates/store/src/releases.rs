//! Releases and their items.

use protocol::{ItemId, ReleaseId, SpokenSegment};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{BOARD_CHANNEL, StoreError, notify, sealed::SealingKey};

/// What an item is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Transcribed once, timed and scored.
    Scored,
    /// Transcribed first, neither timed nor scored.
    WarmUp,
    /// A repeat pass (from 1): timed only.
    Repeat(u32),
    /// For the model as what is scored; its reference holds a made-up word that is not said.
    Canary,
}

impl Part {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Scored => "scored",
            Self::WarmUp => "warm_up",
            Self::Repeat(_) => "repeat",
            Self::Canary => "canary",
        }
    }

    const fn pass(self) -> u32 {
        match self {
            Self::Repeat(pass) => pass,
            Self::Scored | Self::WarmUp | Self::Canary => 0,
        }
    }

    fn read(part: &str, pass: i32) -> Result<Self, StoreError> {
        match part {
            "scored" => Ok(Self::Scored),
            "warm_up" => Ok(Self::WarmUp),
            "canary" => Ok(Self::Canary),
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
    /// What its pages show.
    pub files: &'a [PageFile],
    /// The operator's key: with it references are stored encrypted, and utterances and talkers under pseudonyms.
    pub key: Option<&'a SealingKey>,
}

/// A file that the pages of a release show. The content is in storage under [`crate::objects::page_key`].
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PageFile {
    /// Its name within the release, e.g. `rooms/office/plan.svg`.
    pub path: String,
    /// What it is, e.g. `image/svg+xml`.
    pub media_type: String,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: i64,
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
    /// Who says what, where several talk. Private.
    pub segments: Vec<SpokenSegment>,
    /// Who speaks.
    pub talker: String,
    /// Where; `None` for dry speech.
    pub room: Option<String>,
    /// SHA-256 of the WAV file, hexadecimal.
    pub audio_sha256: String,
    /// Channels in it.
    pub channels: u16,
    /// SHA-256 of the same in one channel, for models that take no more; nothing where the audio has one anyway.
    pub mono_sha256: Option<String>,
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
        insert(&mut transaction, id, item, new.key).await?;
    }
    for file in new.files {
        sqlx::query(
            "INSERT INTO release_files (release_id, path, media_type, sha256, bytes) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id.0)
        .bind(&file.path)
        .bind(&file.media_type)
        .bind(&file.sha256)
        .bind(file.bytes)
        .execute(&mut *transaction)
        .await?;
    }
    notify(&mut transaction, BOARD_CHANNEL).await?;
    transaction.commit().await?;
    Ok(id)
}

/// What nobody may read at rest.
#[derive(Serialize, Deserialize)]
struct Private {
    reference: String,
    segments: Vec<SpokenSegment>,
}

/// One item inside the caller's transaction, its private part sealed where there is a key.
async fn insert(
    connection: &mut PgConnection,
    release: ReleaseId,
    item: &NewItem,
    key: Option<&SealingKey>,
) -> Result<(), StoreError> {
    let name = |kind, name: &str| key.map_or(name.to_owned(), |key| key.pseudonym(release.0, kind, name));
    let private = Private { reference: item.reference.clone(), segments: item.segments.clone() };
    let (reference, segments, sealed) = match key {
        Some(key) => (None, Vec::new(), Some(key.seal(item.id.0, &serde_json::to_vec(&private)?)?)),
        None => (Some(private.reference), private.segments, None),
    };
    sqlx::query(
        "INSERT INTO items (id, release_id, part, pass, track, utterance, reference, talker, room, audio_sha256,
                            audio_bytes, seconds, conditions, channels, mono_sha256, segments, sealed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(item.id.0)
    .bind(release.0)
    .bind(item.part.as_str())
    .bind(i32::try_from(item.part.pass()).unwrap_or(i32::MAX))
    .bind(&item.track)
    .bind(name("utterance", &item.utterance))
    .bind(reference)
    .bind(name("talker", &item.talker))
    .bind(&item.room)
    .bind(&item.audio_sha256)
    .bind(i64::try_from(item.audio_bytes).unwrap_or(i64::MAX))
    .bind(item.seconds)
    .bind(&item.conditions)
    .bind(i16::try_from(item.channels).unwrap_or(i16::MAX))
    .bind(&item.mono_sha256)
    .bind(Json(segments))
    .bind(sealed)
    .execute(connection)
    .await?;
    Ok(())
}

/// The files that the pages of a release show, by their paths.
///
/// # Errors
/// When the database fails.
pub async fn page_files(pool: &PgPool, release: ReleaseId) -> Result<Vec<PageFile>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT path, media_type, sha256, bytes FROM release_files WHERE release_id = $1 ORDER BY path",
    )
    .bind(release.0)
    .fetch_all(pool)
    .await?)
}

/// A release, as a visitor may know it.
#[derive(Debug, Clone, PartialEq)]
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

/// The audio of an item: what is said of it to the machine that runs a model is in here, less the track, and that a
/// canary is one.
#[derive(Debug, Clone)]
pub struct Audio {
    /// Which item.
    pub id: ItemId,
    /// What for.
    pub part: Part,
    /// Its track, which decides who hears it.
    pub track: String,
    /// SHA-256 of the WAV file, hexadecimal: its key.
    pub sha256: String,
    /// Channels in it.
    pub channels: u16,
    /// SHA-256 of the same in one channel; nothing where it has one anyway.
    pub mono_sha256: Option<String>,
    /// Its length.
    pub seconds: f64,
}

/// The audio of a release.
///
/// # Errors
/// When the database fails.
pub async fn audio(pool: &PgPool, release: ReleaseId) -> Result<Vec<Audio>, StoreError> {
    type Row = (Uuid, String, i32, String, String, i16, Option<String>, f64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, part, pass, track, audio_sha256, channels, mono_sha256, seconds FROM items
         WHERE release_id = $1 ORDER BY pass, id",
    )
    .bind(release.0)
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|(id, part, pass, track, sha256, channels, mono_sha256, seconds)| {
            Ok(Audio {
                id: ItemId(id),
                part: Part::read(&part, pass)?,
                track,
                sha256,
                channels: channels.unsigned_abs(),
                mono_sha256,
                seconds,
            })
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
    /// What was said; of a canary what is on file.
    pub text: String,
    /// Who says what, where several talk.
    pub segments: Vec<SpokenSegment>,
    /// Who speaks.
    pub talker: String,
    /// Where.
    pub room: Option<String>,
    /// Length of the audio.
    pub seconds: f64,
    /// Measured conditions.
    pub conditions: Value,
}

impl Release {
    /// Language of its speech, a BCP 47 tag; nothing where the release does not say.
    pub fn language(&self) -> Option<&str> {
        self.about["corpus"]["language"].as_str().filter(|tag| !tag.is_empty())
    }
}

/// [`Release::language`] of one.
///
/// # Errors
/// When the database fails or there is no such release.
pub async fn language(pool: &PgPool, release: ReleaseId) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT nullif(about #>> '{corpus,language}', '') FROM releases WHERE id = $1")
        .bind(release.0)
        .fetch_one(pool)
        .await?)
}

/// The references of a release, for the scorer alone: they never reach a visitor, a submitter, a log or a worker.
///
/// # Errors
/// [`StoreError::Corrupt`] when they are sealed and `key` is missing or another one; otherwise when the database fails.
pub async fn references(
    pool: &PgPool,
    release: ReleaseId,
    key: Option<&SealingKey>,
) -> Result<Vec<Reference>, StoreError> {
    let rows: Vec<ReferenceRow> = sqlx::query_as(
        "SELECT id, part, pass, track, utterance, reference, segments, sealed, talker, room, seconds, conditions FROM items
         WHERE release_id = $1 AND part <> 'warm_up' ORDER BY id",
    )
    .bind(release.0)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(|row| row.open(key)).collect()
}

#[derive(sqlx::FromRow)]
struct ReferenceRow {
    id: Uuid,
    part: String,
    pass: i32,
    track: String,
    utterance: String,
    reference: Option<String>,
    segments: Json<Vec<SpokenSegment>>,
    sealed: Option<Vec<u8>>,
    talker: String,
    room: Option<String>,
    seconds: f64,
    conditions: Value,
}

impl ReferenceRow {
    fn open(self, key: Option<&SealingKey>) -> Result<Reference, StoreError> {
        let private = match (self.sealed, key) {
            (None, _) => Private { reference: self.reference.unwrap_or_default(), segments: self.segments.0 },
            (Some(sealed), Some(key)) => serde_json::from_slice(&key.open(self.id, &sealed)?)
                // Not the parser's words, which may quote a text.
                .map_err(|_| StoreError::Corrupt("a sealed reference holds something else".to_owned()))?,
            (Some(_), None) => {
                return Err(StoreError::Corrupt(
                    "the references are sealed and there is no key to open them with; configure the key"
                        .to_owned(),
                ));
            }
        };
        Ok(Reference {
            id: ItemId(self.id),
            part: Part::read(&self.part, self.pass)?,
            track: self.track,
            utterance: self.utterance,
            text: private.reference,
            segments: private.segments,
            talker: self.talker,
            room: self.room,
            seconds: self.seconds,
            conditions: self.conditions,
        })
    }
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
