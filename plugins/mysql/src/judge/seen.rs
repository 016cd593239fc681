//! What was seen of the objects that a statement changes: written into the state before the statement is sent, and read again
//! when its outcome is to be judged.

use super::mark::Planned;
use super::object::Object;
use super::words::Dialect;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most that an observation may have.
pub(crate) const BYTES_MAX: usize = 64 * 1024;
/// Objects of one statement that are looked at.
pub(crate) const OBJECTS_MAX: usize = 150;
/// The longest definition that is kept as it is, so that a person can be told what has changed.
const DEFINITION_BYTES_MAX: usize = 8 * 1024;

/// What was seen, and where and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Observed {
    /// The server, however often it is started.
    pub server: String,
    /// The server's process.
    pub process: String,
    /// Seconds since 1970, by the server's clock.
    pub time: i64,
    /// How the session read the statement.
    pub dialect: Dialect,
    /// The session's database.
    pub database: String,
    /// The mark that goes with the statement.
    pub mark: Option<Planned>,
    /// What each object was.
    pub objects: Vec<(Object, Seen)>,
    /// The rows of tables and partitions, by the name of the table, or of the table and its partition.
    pub rows: BTreeMap<String, Rows>,
    /// Files of partitions of a table that is to be made, whether it is there or not; nothing where they were not looked at or could
    /// not be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Vec<String>>,
}

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Seen {
    /// It is not there.
    Absent,
    /// It is.
    There(There),
    /// It cannot be seen; why.
    Hidden(String),
}

/// An object that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct There {
    /// Such as `BASE TABLE`, `VIEW`, `PROCEDURE`.
    pub what: String,
    /// The storage engine, or nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub engine: String,
    /// When it was made or last altered, in seconds since 1970; 0 where that is not known.
    #[serde(default)]
    pub made: i64,
    /// What it is, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Definition>,
    /// The next number of AUTO_INCREMENT, or of a sequence; what a variable has.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
}

/// A definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// The first half of the SHA-256 of it.
    pub sha256: String,
    /// The same of it without its own name and those of constraints, which a new name may change.
    pub shape: String,
    /// Its text, where that is not too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Rows {
    /// There are none.
    None,
    /// There are some; SHA-256 of the first.
    Some(String),
    /// They cannot be seen; why.
    Hidden(String),
}

impl Definition {
    pub fn of(text: String, shape: &str) -> Self {
        Self {
            sha256: short(text.as_bytes()),
            shape: short(shape.as_bytes()),
            text: (text.len() <= DEFINITION_BYTES_MAX).then_some(text),
        }
    }

    /// Of a text that is nobody's business, such as the hash of a password.
    pub fn of_secret(text: &str) -> Self {
        Self { text: None, ..Self::of(text.to_owned(), text) }
    }

    /// The first line that is in one of the two and not in the other, for people.
    pub fn difference(&self, now: &Self) -> String {
        let (Some(before), Some(after)) = (&self.text, &now.text) else {
            return "it is too long to be shown".to_owned();
        };
        let only = |one: &str, other: &str| {
            let line = one.lines().find(|line| !other.lines().any(|same| same == *line));
            line.map(|line| line.trim().trim_end_matches(',').chars().take(120).collect::<String>())
        };
        match (only(before, after), only(after, before)) {
            (Some(old), Some(new)) => format!("`{old}` was, `{new}` is"),
            (Some(old), None) => format!("`{old}` was, and is gone"),
            (None, Some(new)) => format!("`{new}` is new"),
            (None, None) => "its parts stand in another order".to_owned(),
        }
    }
}

impl There {
    /// Whether rows in it are undone with their transaction, as far as the engine's name says.
    pub fn is_transactional(&self) -> bool {
        ["InnoDB", "ROCKSDB"].iter().any(|engine| self.engine.eq_ignore_ascii_case(engine))
    }

    /// For people.
    fn describe(&self) -> String {
        let mut text = self.what.to_lowercase();
        if !self.engine.is_empty() {
            text.push_str(&format!(" ({})", self.engine));
        }
        if let Some(definition) = &self.definition {
            let start = definition.sha256.get(..12).unwrap_or_default();
            text.push_str(&format!(", definition {start}…"));
        }
        if !self.value.is_empty() {
            text.push_str(&format!(", {}", self.value));
        }
        text
    }
}

impl Observed {
    /// What was seen of an object.
    pub fn of(&self, object: &Object) -> &Seen {
        const UNKNOWN: &Seen = &Seen::Hidden(String::new());
        self.objects.iter().find(|(one, _)| one == object).map_or(UNKNOWN, |(_, seen)| seen)
    }

    pub fn is_there(&self, object: &Object) -> Option<&There> {
        match self.of(object) {
            Seen::There(there) => Some(there),
            Seen::Absent | Seen::Hidden(_) => None,
        }
    }

    pub fn is_absent(&self, object: &Object) -> bool {
        *self.of(object) == Seen::Absent
    }

    /// Why an object cannot be seen, if it cannot.
    pub fn hidden<'a>(&'a self, objects: &[&Object]) -> Option<(&'a Object, &'a str)> {
        self.objects.iter().filter(|(one, _)| objects.contains(&one)).find_map(|(one, seen)| match seen {
            Seen::Hidden(why) => Some((one, why.as_str())),
            Seen::Absent | Seen::There(_) => None,
        })
    }

    /// For people: each object and what it is.
    pub fn summary(&self) -> String {
        const SHOWN_MAX: usize = 6;
        let mut parts: Vec<String> = self
            .objects
            .iter()
            .map(|(object, seen)| match seen {
                Seen::Absent => format!("{object} is not there"),
                Seen::There(there) => format!("{object} is there: {}", there.describe()),
                Seen::Hidden(why) => format!("{object} cannot be seen ({why})"),
            })
            .collect();
        let more = parts.len().saturating_sub(SHOWN_MAX);
        parts.truncate(SHOWN_MAX);
        if more > 0 {
            parts.push(format!("and {more} more"));
        }
        parts.extend(self.rows.iter().map(|(of, rows)| match rows {
            Rows::None => format!("{of} has no rows"),
            Rows::Some(_) => format!("{of} has rows"),
            Rows::Hidden(why) => format!("the rows of {of} cannot be seen ({why})"),
        }));
        if let Some(files) = self.partitions.as_ref().filter(|files| !files.is_empty()) {
            parts.push(format!("files of partitions are there: {}", files.join(", ")));
        }
        parts.join("; ")
    }

    /// As it is kept. Texts of definitions are left out where all together would be too long.
    pub fn text(&self) -> String {
        let text = serde_json::to_string(self).expect("it has only texts and numbers");
        if text.len() <= BYTES_MAX {
            return text;
        }
        let mut short = self.clone();
        for (_, seen) in &mut short.objects {
            if let Seen::There(There { definition: Some(definition), .. }) = seen {
                definition.text = None;
            }
        }
        let text = serde_json::to_string(&short).expect("it has only texts and numbers");
        if text.len() <= BYTES_MAX {
            return text;
        }
        // What is not kept counts as not seen.
        short.objects.clear();
        short.rows.clear();
        short.partitions = None;
        serde_json::to_string(&short).expect("it has only texts and numbers")
    }

    /// As it was kept; nothing where it was not of this driver.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The first half of a SHA-256, which is enough to tell texts apart.
pub(crate) fn short(bytes: &[u8]) -> String {
    let mut digits = sha256(bytes);
    digits.truncate(32);
    digits
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
