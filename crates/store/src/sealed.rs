//! Encryption at rest of the few secrets that have to be read again: submitters' tokens for private models on a hub, and
//! the references of held-out releases.
//!
//! XChaCha20-Poly1305 with random nonces, which at 192 bits never meet again; what is sealed is bound to the submission
//! or the item it belongs to, so that a row copied to another opens nothing.

use std::{fmt, fs, io, io::Write, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use protocol::{HubToken, SubmissionId};
use sha2::Sha256;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::StoreError;

const NONCE_BYTES: usize = 24;

/// The operator's key.
#[derive(Clone)]
pub struct SealingKey {
    cipher: XChaCha20Poly1305,
    /// Another key, for names that have to be compared but not read.
    pseudonyms: Hmac<Sha256>,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealingKey(…)")
    }
}

impl SealingKey {
    /// A key of 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        let mut purpose = keyed(&bytes);
        purpose.update(b"ffasr pseudonyms 1");
        let pseudonyms = keyed(&purpose.finalize().into_bytes());
        Self { cipher: XChaCha20Poly1305::new(&bytes.into()), pseudonyms }
    }

    /// The key in a file: 64 hexadecimal digits, as `openssl rand -hex 32` prints them.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| {
            io::Error::other("it does not hold 64 hexadecimal digits; make one with `openssl rand -hex 32`")
        })?;
        Ok(Self::new(bytes))
    }

    /// The key in a file, which is made where it is missing, for its owner alone.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub fn read_or_make(path: &Path) -> io::Result<Self> {
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
                writeln!(file, "{}", hex::encode(bytes))?;
                file.sync_all()?;
                Ok(Self::new(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(error),
        }
    }

    /// The same for the same text within one scope, and nothing that leads back to it without the key.
    pub(crate) fn pseudonym(&self, scope: Uuid, kind: &str, text: &str) -> String {
        let mut mac = self.pseudonyms.clone();
        mac.update(scope.as_bytes());
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    pub(crate) fn seal(&self, bound_to: Uuid, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| StoreError::Random(error.to_string()))?;
        let payload = Payload { msg: plain, aad: bound_to.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| StoreError::Corrupt("it is too long to be sealed".to_owned()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open(&self, bound_to: Uuid, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let unreadable =
            || StoreError::Corrupt("what is sealed does not open with the operator's present key".to_owned());
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(unreadable)?;
        let payload = Payload { msg: sealed, aad: bound_to.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| unreadable())
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// A token to be kept with a submission, and the key that seals it.
#[derive(Debug, Clone, Copy)]
pub struct TokenToKeep<'a> {
    /// The token.
    pub token: &'a HubToken,
    /// The operator's key.
    pub key: &'a SealingKey,
}

/// Keeps a token inside the caller's transaction.
pub(crate) async fn keep(
    connection: &mut PgConnection,
    submission: SubmissionId,
    kept: TokenToKeep<'_>,
) -> Result<(), StoreError> {
    let sealed = kept.key.seal(submission.0, kept.token.0.as_bytes())?;
    sqlx::query("INSERT INTO hub_tokens (submission_id, sealed) VALUES ($1, $2)")
        .bind(submission.0)
        .bind(sealed)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets a submission's token inside the caller's transaction.
pub(crate) async fn forget(
    connection: &mut PgConnection,
    submission: SubmissionId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM hub_tokens WHERE submission_id = $1")
        .bind(submission.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets the tokens of submissions that failed so long ago that nobody will have them run once more.
///
/// # Errors
/// When the database fails.
pub async fn forget_old(pool: &PgPool, age: Duration) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM hub_tokens h USING submissions s
         WHERE s.id = h.submission_id AND s.state = 'failed' AND s.state_entered_at < now() - make_interval(secs => $1)",
    )
    .bind(age.as_secs_f64())
    .execute(pool)
    .await?;
    Ok(())
}

/// The token a submission's files need, if one was given and is still kept.
///
/// # Errors
/// [`StoreError::Corrupt`] when the key is not the one it was sealed with; otherwise when the database fails.
pub async fn token(
    pool: &PgPool,
    submission: SubmissionId,
    key: Option<&SealingKey>,
) -> Result<Option<HubToken>, StoreError> {
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM hub_tokens WHERE submission_id = $1")
            .bind(submission.0)
            .fetch_optional(pool)
            .await?;
    let Some(sealed) = sealed else { return Ok(None) };
    let key = key.ok_or_else(|| {
        StoreError::Corrupt(
            "there is a sealed token but no key to open it with; configure the key".to_owned(),
        )
    })?;
    let plain = String::from_utf8(key.open(submission.0, &sealed)?);
    plain.map(|text| Some(HubToken(text))).map_err(|error| StoreError::Corrupt(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_for_its_submission_only() {
        let (key, other) = (SealingKey::new([7; 32]), SealingKey::new([8; 32]));
        let (mine, theirs) = (Uuid::new_v4(), Uuid::new_v4());
        let sealed = key.seal(mine, b"hf_secret").unwrap();
        assert!(!sealed.windows(9).any(|window| window == b"hf_secret"));
        assert_ne!(sealed, key.seal(mine, b"hf_secret").unwrap(), "nonces are random");
        assert_eq!(key.open(mine, &sealed).unwrap(), b"hf_secret");
        assert!(key.open(theirs, &sealed).is_err());
        assert!(other.open(mine, &sealed).is_err());
        assert!(key.open(mine, &sealed[..10]).is_err());
        let name = key.pseudonym(mine, "talker", "ann");
        assert_eq!(name, key.pseudonym(mine, "talker", "ann"));
        let others = [
            key.pseudonym(theirs, "talker", "ann"),
            key.pseudonym(mine, "utterance", "ann"),
            other.pseudonym(mine, "talker", "ann"),
        ];
        assert!(!others.contains(&name) && !name.contains("ann"));
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone_and_read_again() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let sealed = SealingKey::read_or_make(&path).unwrap().seal(Uuid::nil(), b"x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = SealingKey::read_or_make(&path).unwrap();
        assert_eq!(again.open(Uuid::nil(), &sealed).unwrap(), b"x");
        fs::write(&path, "short").unwrap();
        assert!(SealingKey::read_or_make(&path).is_err());
    }
}
