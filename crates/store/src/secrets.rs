//! Random secrets: shown once, kept only as a hash.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::StoreError;

/// A prefix and 256 random bits. The prefix lets secret scanners recognise a leaked one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// SHA-256 of a secret: what the database keeps. Fast hashing is right here, for the input has 256 bits of entropy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretHash(pub(crate) Vec<u8>);

impl Secret {
    /// A new secret.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn generate(prefix: &str) -> Result<Self, StoreError> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| StoreError::Random(error.to_string()))?;
        Ok(Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// A secret somebody presented.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text, to be shown or sent once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be stored.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0.as_bytes()).to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
