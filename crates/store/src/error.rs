//! What can go wrong in the store.

/// An error of the store. Messages are for operators and logs unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or is away.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migrating the database failed: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The object store refused or is away.
    #[error("object storage failed to {action} `{key}`: {message}")]
    Objects {
        /// What was tried, as a verb.
        action: &'static str,
        /// The key.
        key: String,
        /// The client's words.
        message: String,
    },
    /// The caller no longer holds the lease: another attempt may be running.
    #[error("the lease of this attempt is no longer held")]
    LeaseLost,
    /// For the submitter: the name is taken.
    #[error(
        "a model named \u{201c}{0}\u{201d} is already on this release for this hardware class; choose another name, or hand in a revision of it from its page"
    )]
    DuplicateModel(String),
    /// For the admin: the name is taken.
    #[error("{0} is taken")]
    NameTaken(String),
    /// For whoever asked: it cannot be done as things are.
    #[error("{0}")]
    Refused(String),
    /// For the submitter: no token is left.
    #[error(
        "your quota is spent: {burst} submissions at once and {per_day} a day; the next one is possible in {wait}"
    )]
    QuotaSpent {
        /// Most submissions at once.
        burst: i32,
        /// Submissions a day in the long run.
        per_day: f64,
        /// Seconds until there is a token again; `None` if none ever comes.
        seconds: Option<u64>,
        /// The same in words.
        wait: String,
    },
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// The transition is not one the state machine has.
    #[error("a submission that is {from} cannot become {to}")]
    Transition {
        /// The present state.
        from: crate::state::SubmissionState,
        /// The state asked for.
        to: crate::state::SubmissionState,
    },
    /// A release never changes under its version.
    #[error(
        "release {slug} {version} is there already, {state}, with the hash {present}; the one given has {given}: give it another version"
    )]
    ReleaseTaken {
        /// Its slug.
        slug: String,
        /// Its version.
        version: String,
        /// Its state.
        state: String,
        /// The hash it has.
        present: String,
        /// The hash of what should replace it.
        given: String,
    },
    /// Something stored does not have the shape this program writes.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// Hashing a password failed.
    #[error("hashing the password failed: {0}")]
    Password(String),
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system: {0}")]
    Random(String),
}

impl StoreError {
    /// Whether this is a violation of the named constraint or unique index.
    pub(crate) fn violates(error: &sqlx::Error, constraint: &str) -> bool {
        error.as_database_error().and_then(|database| database.constraint()) == Some(constraint)
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}
