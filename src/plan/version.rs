//! Schema versions: compared part by part, numbers as numbers.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The longest version.
const BYTES_MAX: usize = 255;

/// A schema version. Its parts are divided by `.`; two parts of digits compare as numbers, others as text, and a number is
/// lower than a text. Leading zeros count for nothing, and neither do parts `0` at the end: `1.0` is `1`, and `1.10` is
/// higher than `1.9`.
#[derive(Clone, Debug)]
pub struct SchemaVersion {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// Digits without leading zeros: of any length, so that a time stamp with fractions fits too.
    Number(String),
    Text(String),
}

impl Part {
    fn of(text: &str) -> Self {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Number(text.trim_start_matches('0').to_owned())
        } else {
            Self::Text(text.to_owned())
        }
    }

    fn is_zero(&self) -> bool {
        matches!(self, Self::Number(digits) if digits.is_empty())
    }
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(two)) => (one.len(), one).cmp(&(two.len(), two)),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
        }
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A text that is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a schema version has 1 to {BYTES_MAX} characters of letters, digits, `.`, `_`, `-` and `+`, not {0:?}"
)]
pub struct BadVersion(String);

impl FromStr for SchemaVersion {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
        if text.is_empty() || text.len() > BYTES_MAX || !text.chars().all(good) {
            return Err(BadVersion(text.chars().take(40).collect()));
        }
        let mut parts: Vec<Part> = text.split('.').map(Part::of).collect();
        while parts.len() > 1 && parts.last().is_some_and(Part::is_zero) {
            parts.pop();
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

impl SchemaVersion {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same text for all ways to write the same version.
    pub fn key(&self) -> String {
        let parts: Vec<&str> = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Number(digits) if digits.is_empty() => "0",
                Part::Number(digits) => digits,
                Part::Text(text) => text,
            })
            .collect();
        parts.join(".")
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for SchemaVersion {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}
impl Eq for SchemaVersion {}

impl Hash for SchemaVersion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts.hash(state);
    }
}

impl Ord for SchemaVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts.cmp(&other.parts)
    }
}

impl PartialOrd for SchemaVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> SchemaVersion {
        text.parse().unwrap()
    }

    #[test]
    fn parts_of_digits_compare_as_numbers() {
        for (low, high) in [
            ("1.9", "1.10"),
            ("1", "1.0.1"),
            ("2", "10"),
            ("20261101120000", "20261101120001"),
            ("1.2", "1.x"),
            ("1.a", "1.b"),
        ] {
            assert!(version(low) < version(high), "{low} < {high}");
        }
    }

    #[test]
    fn zeros_that_say_nothing_count_for_nothing() {
        for (one, two) in [("1", "1.0"), ("01.2", "1.02"), ("0", "0.0")] {
            assert_eq!(version(one), version(two));
            assert_eq!(version(one).key(), version(two).key());
        }
        assert_ne!(version("1"), version("1.0.1"));
        assert_eq!((version("01.10.0").key(), version("1.0.a").key()), ("1.10".into(), "1.0.a".into()));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "1 2", "1/2", "ä"] {
            assert!(text.parse::<SchemaVersion>().is_err(), "{text:?}");
        }
    }
}
