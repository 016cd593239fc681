//! What the server says becomes an error or a notice, and its SQLSTATE a class.

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;
use runsheet_sdk::{Applied, Class, Error, Failure, Notice};

/// How much of a text is kept: a server may say a gigabyte.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// How many lines are kept of what was at work, the innermost first.
const CONTEXT_LINES_MAX: usize = 6;

/// The fields of an error or notice that are used.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub severity: String,
    pub sqlstate: String,
    pub message: String,
    pub detail: String,
    pub hint: String,
    /// In characters, from 1.
    pub position: Option<usize>,
    /// What PL/pgSQL was doing.
    pub context: String,
    pub object: String,
}

impl Said {
    pub fn read(mut fields: ErrorFields<'_>) -> Self {
        let mut said = Self::default();
        while let Ok(Some(field)) = fields.next() {
            let text = || kept(field.value_bytes());
            match field.type_() {
                // The severity that is not translated comes last, and wins.
                b'S' | b'V' => said.severity = text(),
                b'C' => said.sqlstate = text(),
                b'M' => said.message = text(),
                b'D' => said.detail = text(),
                b'H' => said.hint = text(),
                b'P' => said.position = text().parse().ok(),
                b'W' => said.context = text(),
                b't' | b'n' | b'c' if said.object.is_empty() => said.object = text(),
                _ => {}
            }
        }
        said
    }

    pub fn notice(self) -> Notice {
        let mut message = self.message;
        if !self.detail.is_empty() {
            message = format!("{message} ({})", self.detail);
        }
        if !self.hint.is_empty() {
            message = format!("{message}. {}", self.hint);
        }
        Notice { severity: self.severity, sqlstate: self.sqlstate, code: 0, message }
    }

    /// The session is over after this.
    pub fn is_fatal(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }

    /// As an error at this byte. A statement that failed has had no effect: PostgreSQL undoes it.
    pub fn error(self, position: Option<usize>) -> Error {
        let class = match class(&self.sqlstate) {
            // The same code as a cancel has; the session's own limit says so where it says it in English.
            Class::Canceled if self.message.contains("statement timeout") => Class::Timeout,
            class => class,
        };
        let fatal = self.is_fatal();
        let failure = match (fatal, class) {
            (true, _) => Failure::Lost,
            (false, Class::Canceled) => Failure::Canceled,
            (false, _) => Failure::Failed,
        };
        let mut detail = self.detail;
        for line in self.context.lines().take(CONTEXT_LINES_MAX) {
            detail = if detail.is_empty() { line.to_owned() } else { format!("{detail}; {line}") };
        }
        Error {
            failure,
            class,
            applied: if fatal { Applied::Unknown } else { Applied::No },
            sqlstate: self.sqlstate,
            code: 0,
            position,
            message: self.message,
            detail,
            hint: self.hint,
            object: self.object,
        }
    }
}

/// A field's text, as much of it as is kept.
fn kept(bytes: &[u8]) -> String {
    let Some(start) = bytes.get(..TEXT_BYTES_MAX).filter(|start| start.len() < bytes.len()) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let mut text = String::from_utf8_lossy(start).into_owned();
    // A character may have been cut in two.
    while text.ends_with(char::REPLACEMENT_CHARACTER) {
        text.pop();
    }
    format!("{text}… ({} bytes in all)", bytes.len())
}

/// The class of a SQLSTATE: the whole code where it is told apart, else its first two characters.
fn class(sqlstate: &str) -> Class {
    match sqlstate {
        "42501" | "25006" => Class::Permission,
        "42P01" | "42703" | "42883" | "42704" | "3F000" | "3D000" | "26000" | "34000" => Class::MissingObject,
        "42P07" | "42701" | "42710" | "42P04" | "42P06" | "42723" | "42P05" => Class::AlreadyExists,
        "55P03" => Class::LockTimeout,
        "40P01" => Class::Deadlock,
        "40001" => Class::Serialization,
        "57014" => Class::Canceled,
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => Class::Connection,
        "25P03" | "25P04" => Class::Timeout,
        "0A000" => Class::Unsupported,
        _ => match sqlstate.get(..2) {
            Some("08") => Class::Connection,
            Some("23") | Some("22") => Class::Constraint,
            Some("28") => Class::Authentication,
            Some("42") => Class::Syntax,
            Some("53") | Some("54") | Some("58") => Class::Resource,
            _ => Class::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_is_kept_up_to_a_limit() {
        assert_eq!(kept(b"short"), "short");
        assert_eq!(kept(&[b'x'; TEXT_BYTES_MAX]).len(), TEXT_BYTES_MAX);
        let long = "ä".repeat(TEXT_BYTES_MAX);
        let said = kept(format!("x{long}").as_bytes());
        assert!(said.starts_with("xä") && said.ends_with("ä… (131073 bytes in all)"), "{}", said.len());
    }
}
