//! Identifiers: one type for each thing that has one, so that they cannot be swapped.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh, time-ordered identifier (UUID version 7).
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// A model somebody wants ranked.
    SubmissionId
);
id!(
    /// One run of a submission on one release by one worker.
    AttemptId
);
id!(
    /// A frozen benchmark.
    ReleaseId
);
id!(
    /// A release being rendered.
    BuildId
);
id!(
    /// One utterance in one scene.
    ItemId
);
id!(
    /// A node that runs models.
    WorkerId
);
id!(
    /// An account.
    UserId
);

/// Proof of holding the current lease of an attempt. A write with a stale token is refused (409).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FencingToken(pub Uuid);
