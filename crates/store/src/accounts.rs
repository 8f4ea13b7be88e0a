//! People, their sessions and tokens, and the workers.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use protocol::{NodeFingerprint, UserId, WorkerId};
use sqlx::{PgConnection, PgPool, types::Json};
use time::{Duration, OffsetDateTime};
use tokio::sync::Semaphore;

use crate::{Secret, StoreError, audit};

/// How long a browser stays signed in.
const SESSION_LIFETIME: Duration = Duration::days(14);

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Own submissions.
    Submitter,
    /// Triage.
    Reviewer,
    /// Everything.
    Admin,
}

impl Role {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitter => "submitter",
            Self::Reviewer => "reviewer",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Submitter, Self::Reviewer, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| {
                StoreError::NotFound(format!("role `{text}` (submitter, reviewer and admin exist)"))
            })
    }
}

/// A signed-in person.
#[derive(Debug, Clone)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Public name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: uuid::Uuid,
    name: String,
    role: String,
}

impl UserRow {
    fn into_user(self) -> Result<User, StoreError> {
        Ok(User { id: UserId(self.id), role: self.role.parse()?, name: self.name })
    }
}

/// Creates an account with a password, or gives an existing one of that name the role and password. A password that
/// is another than before ends the user's sessions.
///
/// # Errors
/// When the name is not allowed or the database fails.
pub async fn put_user(pool: &PgPool, name: &str, role: Role, password: &str) -> Result<UserId, StoreError> {
    let known: Option<String> = sqlx::query_scalar("SELECT password_hash FROM users WHERE name = $1")
        .bind(name)
        .fetch_optional(pool)
        .await?
        .flatten();
    let same = match known {
        Some(hash) => password_matches(password, hash).await?,
        None => false,
    };
    let hash = hash_password(password).await?;
    let mut transaction = pool.begin().await?;
    let id: uuid::Uuid = sqlx::query_scalar(
        "INSERT INTO users (id, name, role, password_hash) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash
         RETURNING id",
    )
    .bind(UserId::new().0)
    .bind(name)
    .bind(role.as_str())
    .bind(hash)
    .fetch_one(&mut *transaction)
    .await?;
    if !same {
        sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(id).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(UserId(id))
}

/// Creates an account with a password that is made up, shown this once. Written into the audit log.
///
/// # Errors
/// [`StoreError::NameTaken`] when there is one, [`StoreError::Refused`] for a name that is not usable; otherwise when the
/// database fails.
pub async fn create_user(pool: &PgPool, name: &str, role: Role, actor: &str) -> Result<Secret, StoreError> {
    let usable = (1..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !usable {
        return Err(StoreError::Refused(
            "a name has at most 64 letters, digits, dots, hyphens and underscores and begins with a letter or digit"
                .to_owned(),
        ));
    }
    let password = Secret::generate("")?;
    let hash = hash_password(password.expose()).await?;
    let mut transaction = pool.begin().await?;
    let created = sqlx::query(
        "INSERT INTO users (id, name, role, password_hash) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
    )
    .bind(UserId::new().0)
    .bind(name)
    .bind(role.as_str())
    .bind(hash)
    .execute(&mut *transaction)
    .await?;
    if created.rows_affected() == 0 {
        return Err(StoreError::NameTaken(format!("the name \u{201c}{name}\u{201d}")));
    }
    note_user(&mut transaction, actor, "create user", name, role.as_str()).await?;
    transaction.commit().await?;
    Ok(password)
}

/// Gives a user another role, which counts from the next request on. Written into the audit log.
///
/// # Errors
/// [`StoreError::Refused`] when nobody would be left who is an admin; otherwise when there is no such user or the
/// database fails.
pub async fn set_role(pool: &PgPool, name: &str, role: Role, actor: &str) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    // Two admins who demote each other must not both succeed.
    let admins: Vec<String> =
        sqlx::query_scalar("SELECT name FROM users WHERE role = 'admin' ORDER BY id FOR UPDATE")
            .fetch_all(&mut *transaction)
            .await?;
    if role != Role::Admin && admins.as_slice() == [name] {
        return Err(StoreError::Refused(format!("{name} is the only admin; make somebody else one first")));
    }
    let changed = sqlx::query("UPDATE users SET role = $2 WHERE name = $1")
        .bind(name)
        .bind(role.as_str())
        .execute(&mut *transaction)
        .await?;
    if changed.rows_affected() == 0 {
        return Err(StoreError::NotFound(format!("user \u{201c}{name}\u{201d}")));
    }
    note_user(&mut transaction, actor, "set role", name, role.as_str()).await?;
    transaction.commit().await?;
    Ok(())
}

async fn note_user(
    connection: &mut PgConnection,
    actor: &str,
    action: &str,
    name: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let entry = audit::Entry { actor, action, submission: None, subject: name, reason, public: false };
    audit::write(connection, entry).await
}

/// The account with this name and password, if both are right. Takes as long for an unknown name as for a wrong
/// password.
///
/// # Errors
/// When the database fails.
pub async fn user_by_password(pool: &PgPool, name: &str, password: &str) -> Result<Option<User>, StoreError> {
    let row: Option<(uuid::Uuid, String, String, Option<String>)> =
        sqlx::query_as("SELECT id, name, role, password_hash FROM users WHERE name = $1")
            .bind(name)
            .fetch_optional(pool)
            .await?;
    let Some((id, name, role, Some(hash))) = row else {
        // Spend the same time on a name that does not exist.
        hash_password(password).await?;
        return Ok(None);
    };
    if !password_matches(password, hash).await? {
        return Ok(None);
    }
    UserRow { id, name, role }.into_user().map(Some)
}

/// Signs a browser in; the secret goes into its cookie. Sessions that are over are cleared away.
///
/// # Errors
/// When the database fails.
pub async fn open_session(pool: &PgPool, user: UserId) -> Result<Secret, StoreError> {
    let secret = Secret::generate("ffs_")?;
    sqlx::query("DELETE FROM sessions WHERE expires_at <= now()").execute(pool).await?;
    sqlx::query("INSERT INTO sessions (token_sha256, user_id, expires_at) VALUES ($1, $2, $3)")
        .bind(secret.hash().0)
        .bind(user.0)
        .bind(OffsetDateTime::now_utc() + SESSION_LIFETIME)
        .execute(pool)
        .await?;
    Ok(secret)
}

/// Whose session this is, if it is a living one.
///
/// # Errors
/// When the database fails.
pub async fn user_by_session(pool: &PgPool, secret: &Secret) -> Result<Option<User>, StoreError> {
    sqlx::query_as::<_, UserRow>(
        "SELECT u.id, u.name, u.role FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.token_sha256 = $1 AND s.expires_at > now()",
    )
    .bind(secret.hash().0)
    .fetch_optional(pool)
    .await?
    .map(UserRow::into_user)
    .transpose()
}

/// Signs a browser out.
///
/// # Errors
/// When the database fails.
pub async fn close_session(pool: &PgPool, secret: &Secret) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sessions WHERE token_sha256 = $1").bind(secret.hash().0).execute(pool).await?;
    Ok(())
}

/// Issues a token for the JSON API; shown once.
///
/// # Errors
/// When the database fails.
pub async fn issue_api_token(pool: &PgPool, user: UserId, label: &str) -> Result<Secret, StoreError> {
    let secret = Secret::generate("ffa_")?;
    sqlx::query("INSERT INTO api_tokens (token_sha256, user_id, label) VALUES ($1, $2, $3)")
        .bind(secret.hash().0)
        .bind(user.0)
        .bind(label)
        .execute(pool)
        .await?;
    Ok(secret)
}

/// Whose API token this is.
///
/// # Errors
/// When the database fails.
pub async fn user_by_api_token(pool: &PgPool, secret: &Secret) -> Result<Option<User>, StoreError> {
    sqlx::query_as::<_, UserRow>(
        "SELECT u.id, u.name, u.role FROM api_tokens t JOIN users u ON u.id = t.user_id WHERE t.token_sha256 = $1",
    )
    .bind(secret.hash().0)
    .fetch_optional(pool)
    .await?
    .map(UserRow::into_user)
    .transpose()
}

/// A user by name.
///
/// # Errors
/// When there is none or the database fails.
pub async fn user_by_name(pool: &PgPool, name: &str) -> Result<User, StoreError> {
    sqlx::query_as::<_, UserRow>("SELECT id, name, role FROM users WHERE name = $1")
        .bind(name)
        .fetch_optional(pool)
        .await?
        .ok_or_else(|| StoreError::NotFound(format!("user `{name}`")))?
        .into_user()
}

/// Everybody with an account, by name; at most 1000.
///
/// # Errors
/// When the database fails.
pub async fn users(pool: &PgPool) -> Result<Vec<User>, StoreError> {
    let rows = sqlx::query_as::<_, UserRow>("SELECT id, name, role FROM users ORDER BY name LIMIT 1000")
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(UserRow::into_user).collect()
}

/// A node that runs models.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Which.
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// Classes of hardware it may claim for.
    pub hardware_classes: Vec<String>,
    /// When it last spoke.
    pub last_seen_at: Option<OffsetDateTime>,
    /// Whether it should claim no more.
    pub draining: bool,
    /// Whether its token is no longer good.
    pub revoked: bool,
    /// What it is made of, as last reported.
    pub fingerprint: Option<NodeFingerprint>,
    /// The runtimes it had when it last asked for work; nothing before it has asked.
    pub runtimes: Option<Vec<String>>,
}

#[derive(sqlx::FromRow)]
struct WorkerRow {
    id: uuid::Uuid,
    name: String,
    hardware_classes: Vec<String>,
    last_seen_at: Option<OffsetDateTime>,
    draining: bool,
    revoked: bool,
    fingerprint: Option<Json<NodeFingerprint>>,
    runtimes: Option<Vec<String>>,
}

impl From<WorkerRow> for Worker {
    fn from(row: WorkerRow) -> Self {
        Self {
            id: WorkerId(row.id),
            name: row.name,
            hardware_classes: row.hardware_classes,
            last_seen_at: row.last_seen_at,
            draining: row.draining,
            revoked: row.revoked,
            fingerprint: row.fingerprint.map(|json| json.0),
            runtimes: row.runtimes,
        }
    }
}

/// Issues a worker's token, shown once. Issuing again for the same name replaces the token.
///
/// # Errors
/// When the database fails.
pub async fn issue_worker_token(
    pool: &PgPool,
    name: &str,
    hardware_classes: &[String],
) -> Result<Secret, StoreError> {
    let secret = Secret::generate("ffw_")?;
    sqlx::query(
        "INSERT INTO workers (id, name, token_sha256, hardware_classes) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET token_sha256 = excluded.token_sha256,
             hardware_classes = excluded.hardware_classes, revoked_at = NULL, draining = false",
    )
    .bind(WorkerId::new().0)
    .bind(name)
    .bind(secret.hash().0)
    .bind(hardware_classes)
    .execute(pool)
    .await?;
    Ok(secret)
}

/// The worker behind a token that is not revoked; notes that it was seen.
///
/// # Errors
/// When the database fails.
pub async fn worker_by_token(pool: &PgPool, secret: &Secret) -> Result<Option<Worker>, StoreError> {
    let row = sqlx::query_as::<_, WorkerRow>(
        "UPDATE workers SET last_seen_at = now() WHERE token_sha256 = $1 AND revoked_at IS NULL
         RETURNING id, name, hardware_classes, last_seen_at, draining, false AS revoked, fingerprint, runtimes",
    )
    .bind(secret.hash().0)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(Worker::from))
}

/// Keeps what a worker says it is made of.
///
/// # Errors
/// When the database fails.
pub async fn store_fingerprint(
    pool: &PgPool,
    worker: WorkerId,
    fingerprint: &NodeFingerprint,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE workers SET fingerprint = $2 WHERE id = $1 AND fingerprint IS DISTINCT FROM $2")
        .bind(worker.0)
        .bind(Json(fingerprint))
        .execute(pool)
        .await?;
    Ok(())
}

/// Keeps which runtimes a worker says it has, none where it only renders.
///
/// # Errors
/// When the database fails.
pub async fn store_runtimes(pool: &PgPool, worker: WorkerId, runtimes: &[String]) -> Result<(), StoreError> {
    sqlx::query("UPDATE workers SET runtimes = $2 WHERE id = $1 AND runtimes IS DISTINCT FROM $2")
        .bind(worker.0)
        .bind(runtimes)
        .execute(pool)
        .await?;
    Ok(())
}

/// Whether a worker that was heard from within `silent_after` and takes jobs has a runtime on a hardware class.
///
/// # Errors
/// When the database fails.
pub async fn is_offered(
    pool: &PgPool,
    runtime: &str,
    hardware_class: &str,
    silent_after: std::time::Duration,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM workers WHERE revoked_at IS NULL AND NOT draining AND $1 = ANY(runtimes)
                          AND $2 = ANY(hardware_classes) AND last_seen_at > now() - make_interval(secs => $3))",
    )
    .bind(runtime)
    .bind(hardware_class)
    .bind(silent_after.as_secs_f64())
    .fetch_one(pool)
    .await?)
}

/// All workers, the latest seen first.
///
/// # Errors
/// When the database fails.
pub async fn workers(pool: &PgPool) -> Result<Vec<Worker>, StoreError> {
    let rows = sqlx::query_as::<_, WorkerRow>(
        "SELECT id, name, hardware_classes, last_seen_at, draining, revoked_at IS NOT NULL AS revoked, fingerprint,
                runtimes
         FROM workers ORDER BY last_seen_at DESC NULLS LAST, name",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Worker::from).collect())
}

/// Tells a worker to drain, or to take up work again.
///
/// # Errors
/// When there is no such worker or the database fails.
pub async fn set_draining(pool: &PgPool, name: &str, draining: bool) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE workers SET draining = $2 WHERE name = $1")
        .bind(name)
        .bind(draining)
        .execute(pool)
        .await?;
    expect_one(done.rows_affected(), || format!("worker `{name}`"))
}

/// Makes a worker's token worthless at once.
///
/// # Errors
/// When there is no such worker or the database fails.
pub async fn revoke_worker(pool: &PgPool, name: &str) -> Result<(), StoreError> {
    let done =
        sqlx::query("UPDATE workers SET revoked_at = now() WHERE name = $1").bind(name).execute(pool).await?;
    expect_one(done.rows_affected(), || format!("worker `{name}`"))
}

fn expect_one(rows: u64, what: impl FnOnce() -> String) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NotFound(what())) } else { Ok(()) }
}

/// Hashing takes tens of milliseconds and 19 MiB on purpose: a flood of logins waits here instead of taking the machine.
static HASHING: Semaphore = Semaphore::const_new(2);

async fn hashing<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let place = HASHING.acquire().await.map_err(|error| StoreError::Password(error.to_string()))?;
    let done = tokio::task::spawn_blocking(move || {
        // The place is taken until the work is done, even if nobody waits for it any more.
        let _place = place;
        work()
    });
    done.await.map_err(|error| StoreError::Password(error.to_string()))?
}

async fn hash_password(password: &str) -> Result<String, StoreError> {
    let password = password.to_owned();
    hashing(move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|error| StoreError::Password(error.to_string()))
    })
    .await
}

async fn password_matches(password: &str, hash: String) -> Result<bool, StoreError> {
    let password = password.to_owned();
    hashing(move || {
        let hash = PasswordHash::new(&hash).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches_its_hash() {
        let hash = hash_password("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(password_matches("correct horse", hash.clone()).await.unwrap());
        assert!(!password_matches("battery staple", hash).await.unwrap());
    }
}
