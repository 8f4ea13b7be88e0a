//! Which models a visitor wants to see.

use std::str::FromStr;

use crate::{candidate::Candidate, licence::is_open};

/// What a model must be to be shown; an empty filter shows all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words that must all occur in the name or the organisation, in any order and case.
    pub text: String,
    /// Who stands behind it, exactly.
    pub organisation: Option<String>,
    /// The runtime, exactly.
    pub runtime: Option<String>,
    /// The licence.
    pub licence: LicenceChoice,
    /// How large it is.
    pub size: Option<SizeClass>,
}

/// Which licences to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LicenceChoice {
    /// Any.
    #[default]
    Any,
    /// Those under which anybody may use the model; see [`is_open`].
    Open,
    /// This one, as written.
    Exactly(String),
}

/// How large a model is, by its number of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeClass {
    /// Up to 100 million.
    Small,
    /// More, up to a billion.
    Medium,
    /// More than a billion.
    Large,
    /// It does not say.
    Unknown,
}

impl SizeClass {
    /// All, from small to large.
    pub const ALL: [Self; 4] = [Self::Small, Self::Medium, Self::Large, Self::Unknown];

    /// The class of a number of parameters.
    pub fn of(num_params: Option<u64>) -> Self {
        match num_params {
            None => Self::Unknown,
            Some(..=100_000_000) => Self::Small,
            Some(..=1_000_000_000) => Self::Medium,
            Some(_) => Self::Large,
        }
    }

    /// The name in a URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Unknown => "unknown",
        }
    }

    /// What a reader sees.
    pub fn label(self) -> &'static str {
        match self {
            Self::Small => "up to 100 M",
            Self::Medium => "100 M to 1 B",
            Self::Large => "above 1 B",
            Self::Unknown => "not stated",
        }
    }
}

impl FromStr for SizeClass {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|class| class.name() == text).ok_or(())
    }
}

impl Filter {
    /// Shows everything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a model is shown.
    pub fn admits(&self, candidate: &Candidate) -> bool {
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.organisation, &candidate.organisation)
            && is(&self.runtime, &candidate.runtime)
            && self.size.is_none_or(|size| size == SizeClass::of(candidate.num_params))
            && match &self.licence {
                LicenceChoice::Any => true,
                LicenceChoice::Open => is_open(&candidate.licence),
                LicenceChoice::Exactly(licence) => *licence == candidate.licence,
            }
            && self.finds(candidate)
    }

    fn finds(&self, candidate: &Candidate) -> bool {
        if self.text.is_empty() {
            return true;
        }
        let place = format!("{} {}", candidate.name, candidate.organisation).to_lowercase();
        self.text.to_lowercase().split_whitespace().all(|word| place.contains(word))
    }
}
