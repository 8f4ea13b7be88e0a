//! Held-out releases at rest: everything but the audio encrypted with a key of the operator.
//!
//! A sealed release has `sealed.bin` in place of `manifest.jsonl`, and of `release.json` only what a page shows anyway.
//! References, texts of talkers, the seed and all recipes are inside. The cipher is `XChaCha20-Poly1305` (RFC 8439 with the
//! longer nonce of draft-irtf-cfrg-xchacha), which also notices any change; the hash of the manifest is bound to it. Audio
//! stays as it is: models must hear it, and its names and order say nothing.
//!
//! The key is 32 random bytes as 64 hexadecimal digits, in the environment variable [`KEY_VARIABLE`] or in the file that
//! [`KEY_FILE_VARIABLE`] names. Who loses it loses the release.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde::{Deserialize, Serialize};

use super::{Header, ReleaseManifest, workshop::write_whole};
use crate::{Error, corpus};

/// Holds the key itself.
pub const KEY_VARIABLE: &str = "FFASR_RELEASE_KEY";
/// Names the file that holds the key.
pub const KEY_FILE_VARIABLE: &str = "FFASR_RELEASE_KEY_FILE";

const SEALED: &str = "sealed.bin";
/// What a sealed file begins with: format and version.
const MAGIC: &[u8] = b"FFASR sealed release 1\n";
const NONCE_BYTES: usize = 24;

/// The key of an operator's held-out releases.
#[derive(Clone)]
pub struct ReleaseKey([u8; 32]);

impl std::fmt::Debug for ReleaseKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReleaseKey(…)")
    }
}

impl ReleaseKey {
    /// A new key, from the operating system's randomness.
    ///
    /// # Errors
    /// If the operating system has none.
    pub fn generate() -> Result<Self, Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| Error::Key(error.to_string()))?;
        Ok(Self(key))
    }

    /// Reads 64 hexadecimal digits; white space around them does not matter.
    ///
    /// # Errors
    /// If it is anything else. The message does not quote it.
    pub fn from_hex(text: &str) -> Result<Self, Error> {
        let mut key = [0; 32];
        hex::decode_to_slice(text.trim(), &mut key).map_err(|_| {
            Error::Key("a key is 64 hexadecimal digits: make one with `ffasr release new-key`".to_owned())
        })?;
        Ok(Self(key))
    }

    /// The key as 64 hexadecimal digits, to be kept secret.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The key of the environment, if it names one.
    ///
    /// # Errors
    /// If the file it names cannot be read, or what it holds is no key.
    pub fn from_environment() -> Result<Option<Self>, Error> {
        if let Ok(key) = env::var(KEY_VARIABLE) {
            return Self::from_hex(&key).map(Some);
        }
        let Some(file) = env::var_os(KEY_FILE_VARIABLE).map(PathBuf::from) else { return Ok(None) };
        let key = fs::read_to_string(&file).map_err(Error::io(&file))?;
        Self::from_hex(&key).map(Some)
    }
}

/// `release.json` of a sealed release.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outside {
    pub(super) sealed: u32,
    pub(super) manifest_sha256: String,
    slug: String,
    version: String,
    title: String,
}

/// What is inside.
#[derive(Serialize, Deserialize)]
struct Inside {
    release: Header,
    /// `manifest.jsonl`.
    manifest: String,
}

/// Whether a directory holds a sealed release.
pub(super) fn is_sealed(directory: &Path) -> bool {
    directory.join(SEALED).exists()
}

/// Seals a release directory: afterwards nobody reads references, seed or recipes without the key.
///
/// What was there is removed from the directory; what a file system or a backup keeps of it is not in our hands, so seal before
/// anything is copied.
///
/// # Errors
/// If it is no release, is sealed already, or cannot be written.
pub fn seal(directory: &Path, key: &ReleaseKey) -> Result<(), Error> {
    if is_sealed(directory) {
        return Err(Error::file(directory, "is sealed already"));
    }
    let manifest = ReleaseManifest::read(directory)?;
    let text =
        String::from_utf8(manifest.lines()?).map_err(|error| Error::file(directory, error.to_string()))?;
    let outside = Outside {
        sealed: 1,
        manifest_sha256: manifest.sha256()?,
        slug: manifest.release.spec.slug.clone(),
        version: manifest.release.spec.version.clone(),
        title: manifest.release.spec.title.clone(),
    };
    let json = |error: serde_json::Error| Error::file(directory, error.to_string());
    let inside = serde_json::to_vec(&Inside { release: manifest.release, manifest: text }).map_err(json)?;
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|error| Error::Key(error.to_string()))?;
    let payload = Payload { msg: &inside, aad: outside.manifest_sha256.as_bytes() };
    let cipher = XChaCha20Poly1305::new(&key.0.into());
    let encrypted = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| Error::file(directory, "cannot be encrypted: it is too large"))?;
    write_whole(&directory.join(SEALED), &[MAGIC, &nonce, &encrypted].concat())?;
    write_whole(&directory.join("release.json"), &serde_json::to_vec_pretty(&outside).map_err(json)?)?;
    let plain = directory.join("manifest.jsonl");
    fs::remove_file(&plain).map_err(Error::io(&plain))
}

/// Reads a sealed release.
pub(super) fn open(directory: &Path, key: Option<&ReleaseKey>) -> Result<ReleaseManifest, Error> {
    let key = key.ok_or_else(|| {
        Error::Key(format!(
            "{} is sealed: put its key into {KEY_VARIABLE}, or the name of the file that holds it into \
             {KEY_FILE_VARIABLE}",
            directory.display()
        ))
    })?;
    let path = directory.join("release.json");
    let outside = fs::read(&path).map_err(Error::io(&path))?;
    let outside: Outside =
        serde_json::from_slice(&outside).map_err(|error| Error::file(&path, error.to_string()))?;
    let path = directory.join(SEALED);
    let content = fs::read(&path).map_err(Error::io(&path))?;
    let sealed = content.strip_prefix(MAGIC);
    let split = sealed.and_then(|sealed| sealed.split_first_chunk::<NONCE_BYTES>());
    let (nonce, encrypted) =
        split.ok_or_else(|| Error::file(&path, "is no sealed release of this version"))?;
    let payload = Payload { msg: encrypted, aad: outside.manifest_sha256.as_bytes() };
    let cipher = XChaCha20Poly1305::new(&key.0.into());
    let inside = cipher
        .decrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| Error::file(&path, "does not open: the key is another one, or the file was changed"))?;
    // What is wrong inside is not quoted: it may be a reference.
    let inside: Inside = serde_json::from_slice(&inside)
        .map_err(|_| Error::file(&path, "holds something else than a release"))?;
    let manifest =
        ReleaseManifest { release: inside.release, items: corpus::parse_lines(&path, &inside.manifest)? };
    if manifest.sha256()? != outside.manifest_sha256 {
        return Err(Error::file(&path, "is not what manifest_sha256 in release.json froze"));
    }
    Ok(manifest)
}
