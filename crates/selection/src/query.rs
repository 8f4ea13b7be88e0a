//! Reading and writing the query of a URL.

use std::fmt::Write as _;

/// A query that cannot be understood; what is not known to us at all is passed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// A number is asked for.
    #[error("\u{201c}{key}\u{201d} is a number above 0, not \u{201c}{value}\u{201d}")]
    Number {
        /// The parameter.
        key: String,
        /// What was given.
        value: String,
    },
    /// One of a few words is asked for.
    #[error("\u{201c}{key}\u{201d} is one of {choices}, not \u{201c}{value}\u{201d}")]
    Choice {
        /// The parameter.
        key: &'static str,
        /// What was given.
        value: String,
        /// What there is.
        choices: String,
    },
    /// Weights over tracks are asked for.
    #[error(
        "\u{201c}weights\u{201d} are tracks with numbers of which one at least is above 0, such as near:1,far-low:3, not \u{201c}{0}\u{201d}"
    )]
    Weights(String),
    /// A parameter stands there more than once.
    #[error("\u{201c}{0}\u{201d} is given more than once")]
    Repeated(String),
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub fn url_component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A positive number.
pub(crate) fn number(key: &str, value: &str) -> Result<f64, BadQuery> {
    let bad = || BadQuery::Number { key: key.to_owned(), value: value.to_owned() };
    value.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0).ok_or_else(bad)
}
