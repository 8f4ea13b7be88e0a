//! Quota: a token bucket for each submitter.
//!
//! A submission takes a token when it comes. The token is given back when the submission ends without a result and it
//! was not the submitter's doing: a fault of the platform, or a cancellation before anything ran. Staff can give one
//! back in any other case. Staff themselves have no quota.

use protocol::{FaultOwner, SubmissionId, UserId};
use sqlx::{PgConnection, PgPool};
use time::{Duration, OffsetDateTime};

use crate::{
    StoreError, audit,
    state::{Move, SubmissionState},
};

/// How much a submitter may submit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Most submissions at once: the size of the bucket.
    pub burst: i32,
    /// Submissions a day in the long run: what flows into the bucket.
    pub per_day: f64,
}

/// Takes a token for a submission inside the caller's transaction.
pub(crate) async fn charge(
    connection: &mut PgConnection,
    user: UserId,
    submission: SubmissionId,
    default: Rule,
) -> Result<(), StoreError> {
    let rule = rule_of(connection, user, default).await?.0;
    let tokens = refill(connection, user, rule).await?;
    if tokens < 1.0 {
        return Err(spent(rule, tokens));
    }
    move_tokens(connection, user, submission, -1, "Submitted.").await
}

fn spent(rule: Rule, tokens: f64) -> StoreError {
    let seconds = (rule.per_day > 0.0 && rule.burst > 0)
        .then(|| ((1.0 - tokens) / rule.per_day * 86_400.0).ceil().max(1.0) as u64);
    let wait = match seconds {
        None => "a time that only the operator can set".to_owned(),
        Some(seconds @ ..120) => format!("{seconds} s"),
        Some(seconds @ ..7200) => format!("{} min", seconds.div_ceil(60)),
        Some(seconds) => format!("{} h", seconds.div_ceil(3600)),
    };
    StoreError::QuotaSpent { burst: rule.burst, per_day: rule.per_day, seconds, wait }
}

/// Brings a bucket up to now and says what is in it. Locks it.
async fn refill(connection: &mut PgConnection, user: UserId, rule: Rule) -> Result<f64, StoreError> {
    Ok(sqlx::query_scalar(
        "INSERT INTO quota_buckets AS b (user_id, tokens, refilled_at) VALUES ($1, $2, now())
         ON CONFLICT (user_id) DO UPDATE SET refilled_at = now(),
             tokens = LEAST($2, b.tokens + extract(epoch FROM now() - b.refilled_at)::float8 / 86400 * $3)
         RETURNING tokens",
    )
    .bind(user.0)
    .bind(f64::from(rule.burst))
    .bind(rule.per_day)
    .fetch_one(connection)
    .await?)
}

async fn move_tokens(
    connection: &mut PgConnection,
    user: UserId,
    submission: SubmissionId,
    tokens: i32,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE quota_buckets SET tokens = tokens + $2 WHERE user_id = $1")
        .bind(user.0)
        .bind(tokens)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO quota_entries (user_id, submission_id, tokens, reason) VALUES ($1, $2, $3, $4)")
        .bind(user.0)
        .bind(submission.0)
        .bind(tokens)
        .bind(reason)
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives the token of a submission back when it has ended and that was not the submitter's doing.
pub(crate) async fn settle(
    connection: &mut PgConnection,
    submission: SubmissionId,
    from: SubmissionState,
    step: &Move<'_>,
) -> Result<(), StoreError> {
    let reason = match (step.to, step.failure_class) {
        (SubmissionState::Failed, Some(class)) if class.owner() == FaultOwner::Platform => {
            format!("Given back: {} is our fault.", class.as_str())
        }
        (SubmissionState::Cancelled, _)
            if !matches!(from, SubmissionState::Running | SubmissionState::Scoring) =>
        {
            "Given back: cancelled before it ran.".to_owned()
        }
        _ => return Ok(()),
    };
    give_back(connection, submission, &reason).await.map(drop)
}

/// Gives a submission's token back if one was taken and not yet given back; whether it did.
pub(crate) async fn give_back(
    connection: &mut PgConnection,
    submission: SubmissionId,
    reason: &str,
) -> Result<bool, StoreError> {
    let owed: Option<(uuid::Uuid,)> = sqlx::query_as(
        "SELECT user_id FROM quota_entries WHERE submission_id = $1 GROUP BY user_id HAVING sum(tokens) < 0",
    )
    .bind(submission.0)
    .fetch_optional(&mut *connection)
    .await?;
    match owed {
        Some((user,)) => {
            move_tokens(connection, UserId(user), submission, 1, reason).await?;
            Ok(true)
        }
        None => Ok(false),
    }
}

/// Another rule for one user, until a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// The rule.
    pub rule: Rule,
    /// Why.
    pub reason: String,
    /// Until when.
    pub expires_at: OffsetDateTime,
}

async fn rule_of(
    connection: &mut PgConnection,
    user: UserId,
    default: Rule,
) -> Result<(Rule, Option<Override>), StoreError> {
    let found: Option<(i32, f64, String, OffsetDateTime)> = sqlx::query_as(
        "SELECT burst, per_day, reason, expires_at FROM quota_overrides
         WHERE user_id = $1 AND expires_at > now() ORDER BY id DESC LIMIT 1",
    )
    .bind(user.0)
    .fetch_optional(connection)
    .await?;
    Ok(match found {
        None => (default, None),
        Some((burst, per_day, reason, expires_at)) => {
            let rule = Rule { burst, per_day };
            (rule, Some(Override { rule, reason, expires_at }))
        }
    })
}

/// What a user has left.
#[derive(Debug, Clone, PartialEq)]
pub struct Balance {
    /// The rule that holds for them.
    pub rule: Rule,
    /// The exception behind it, if it is one.
    pub exception: Option<Override>,
    /// Tokens; a submission takes one whole token.
    pub tokens: f64,
}

impl Balance {
    /// Submissions possible now.
    pub fn left(&self) -> u32 {
        self.tokens.max(0.0).floor() as u32
    }

    /// Time until one more is possible; `None` when the bucket is full or never fills.
    pub fn next_in(&self) -> Option<Duration> {
        let missing = self.tokens.max(0.0).floor() + 1.0 - self.tokens;
        let full = self.tokens >= f64::from(self.rule.burst);
        (!full && self.rule.per_day > 0.0)
            .then(|| Duration::seconds_f64(missing / self.rule.per_day * 86_400.0))
    }
}

/// What a user has left now.
///
/// # Errors
/// When the database fails.
pub async fn balance(pool: &PgPool, user: UserId, default: Rule) -> Result<Balance, StoreError> {
    let mut connection = pool.acquire().await?;
    let (rule, exception) = rule_of(&mut connection, user, default).await?;
    let tokens = refill(&mut connection, user, rule).await?;
    Ok(Balance { rule, exception, tokens })
}

/// One movement of a token.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Entry {
    /// When.
    pub at: OffsetDateTime,
    /// -1: taken; +1: given back.
    pub tokens: i32,
    /// Why.
    pub reason: String,
    /// Name of the model it was for.
    pub model: Option<String>,
}

/// The latest movements of a user's tokens, the newest first; at most 50.
///
/// # Errors
/// When the database fails.
pub async fn entries(pool: &PgPool, user: UserId) -> Result<Vec<Entry>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT q.at, q.tokens, q.reason, s.model FROM quota_entries q LEFT JOIN submissions s ON s.id = q.submission_id
         WHERE q.user_id = $1 ORDER BY q.id DESC LIMIT 50",
    )
    .bind(user.0)
    .fetch_all(pool)
    .await?)
}

/// The movements for one submission, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn entries_for(pool: &PgPool, submission: SubmissionId) -> Result<Vec<Entry>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT q.at, q.tokens, q.reason, s.model FROM quota_entries q JOIN submissions s ON s.id = q.submission_id
         WHERE q.submission_id = $1 ORDER BY q.id",
    )
    .bind(submission.0)
    .fetch_all(pool)
    .await?)
}

/// Gives a user another rule for some days. A larger bucket is filled at once.
///
/// # Errors
/// [`StoreError::Refused`] for a rule that cannot be; otherwise when the database fails.
pub async fn set_override(
    pool: &PgPool,
    (user, user_name): (UserId, &str),
    rule: Rule,
    days: u32,
    actor: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let possible = (0..=10_000).contains(&rule.burst) && rule.per_day >= 0.0 && rule.per_day.is_finite();
    if !possible || !(1..=3650).contains(&days) || reason.trim().is_empty() {
        return Err(StoreError::Refused(
            "an exception needs 0 to 10000 submissions at once, a rate of at least 0 a day, 1 to 3650 days, and a reason"
                .to_owned(),
        ));
    }
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "INSERT INTO quota_overrides (user_id, burst, per_day, reason, created_by, expires_at)
         VALUES ($1, $2, $3, $4, $5, now() + make_interval(days => $6))",
    )
    .bind(user.0)
    .bind(rule.burst)
    .bind(rule.per_day)
    .bind(reason.trim())
    .bind(actor)
    .bind(days.cast_signed())
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO quota_buckets (user_id, tokens, refilled_at) VALUES ($1, $2, now())
         ON CONFLICT (user_id) DO UPDATE SET tokens = excluded.tokens, refilled_at = now()",
    )
    .bind(user.0)
    .bind(f64::from(rule.burst))
    .execute(&mut *transaction)
    .await?;
    let said = format!("{} at once, {} a day, for {days} days: {reason}", rule.burst, rule.per_day);
    let entry = audit::Entry {
        actor,
        action: "quota",
        submission: None,
        subject: user_name,
        reason: &said,
        public: false,
    };
    audit::write(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_the_missing_part_of_a_token_at_the_rate_of_the_rule() {
        let rule = Rule { burst: 5, per_day: 24.0 };
        let StoreError::QuotaSpent { seconds, wait, .. } = spent(rule, 0.5) else { panic!("another error") };
        assert_eq!((seconds, wait.as_str()), (Some(1800), "30 min"));
        let StoreError::QuotaSpent { seconds, .. } = spent(Rule { per_day: 0.0, ..rule }, 0.5) else {
            panic!("another error")
        };
        assert_eq!(seconds, None);
    }

    #[test]
    fn a_full_bucket_waits_for_nothing() {
        let rule = Rule { burst: 2, per_day: 1.0 };
        let balance = |tokens| Balance { rule, exception: None, tokens };
        assert_eq!((balance(2.0).left(), balance(2.0).next_in()), (2, None));
        assert_eq!((balance(1.5).left(), balance(1.5).next_in()), (1, Some(Duration::hours(12))));
    }
}
