//! The settings of one instance, as a driver reads them: every reading names the setting
//! in its fault, and what nobody asked for is a fault too.

use crate::types::Error;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The settings of one instance. `Debug` shows no value of a secret.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, (String, bool)>,
}

impl Settings {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one; a secret never shows in `Debug` or in a fault.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>, secret: bool) {
        self.values.insert(key.into(), (value.into(), secret));
    }

    /// Name, value and whether it is secret, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.values.iter().map(|(key, (value, secret))| (key.as_str(), value.as_str(), *secret))
    }

    /// The text of a setting, if it is set.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|(value, _)| value.as_str())
    }

    /// The text of a setting that must be there.
    pub fn required(&self, key: &str) -> Result<&str, Error> {
        match self.text(key) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(Error::setting(key, format!("the setting `{key}` is required and is not set"))),
        }
    }

    /// A whole number within bounds, or the default.
    pub fn number(
        &self,
        key: &str,
        default: u64,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, Error> {
        let Some(text) = self.text(key) else { return Ok(default) };
        let wrong = || {
            Error::setting(
                key,
                format!(
                    "`{key}` must be a whole number from {} to {}, not {}",
                    bounds.start(),
                    bounds.end(),
                    self.shown(key)
                ),
            )
        };
        let value: u64 = text.parse().map_err(|_| wrong())?;
        if bounds.contains(&value) { Ok(value) } else { Err(wrong()) }
    }

    /// A duration such as `500ms`, `10s`, `5min` or `1h`, or the default.
    pub fn duration(&self, key: &str, default: Duration) -> Result<Duration, Error> {
        let Some(text) = self.text(key) else { return Ok(default) };
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let millis = match unit.trim() {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => 0,
        };
        match number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis)) {
            Some(total) if millis > 0 => Ok(Duration::from_millis(total)),
            _ => Err(Error::setting(
                key,
                format!("`{key}` must be a duration such as \"10s\" or \"500ms\", not {}", self.shown(key)),
            )),
        }
    }

    /// `true` or `false`, or the default.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool, Error> {
        match self.text(key) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => {
                Err(Error::setting(key, format!("`{key}` must be true or false, not {}", self.shown(key))))
            }
        }
    }

    /// One of some words, or the default.
    pub fn word<'a>(&'a self, key: &str, default: &'a str, words: &[&str]) -> Result<&'a str, Error> {
        match self.text(key) {
            None => Ok(default),
            Some(value) if words.contains(&value) => Ok(value),
            Some(_) => Err(Error::setting(
                key,
                format!("`{key}` must be one of {}, not {}", words.join(", "), self.shown(key)),
            )),
        }
    }

    /// A fault for each setting that is none of `known`, with the known ones.
    pub fn unknown(&self, known: &[&str]) -> Vec<Error> {
        self.values
            .keys()
            .filter(|key| !known.contains(&key.as_str()))
            .map(|key| {
                Error::setting(key, format!("`{key}` is no setting of this driver"))
                    .hint(format!("It knows: {}", known.join(", ")))
            })
            .collect()
    }

    fn shown(&self, key: &str) -> String {
        match self.values.get(key) {
            Some((_, true)) => "the secret given".to_owned(),
            Some((value, false)) => format!("`{value}`"),
            None => "nothing".to_owned(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.values
                    .iter()
                    .map(|(key, (value, secret))| (key, if *secret { "…" } else { value.as_str() })),
            )
            .finish()
    }
}
