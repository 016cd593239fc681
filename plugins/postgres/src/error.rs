//! What the server says becomes an error or a notice: SQLSTATE to class, its position from characters to bytes.

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;
use runsheet_sdk::{Applied, Class, Error, Failure, Notice};

/// How much of a text is kept: a server may say a gigabyte.
const TEXT_BYTES_MAX: usize = 64 * 1024;

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
        let message =
            if self.detail.is_empty() { self.message } else { format!("{} ({})", self.message, self.detail) };
        Notice { severity: self.severity, sqlstate: self.sqlstate, code: 0, message }
    }

    /// The session is over after this.
    pub fn is_fatal(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }

    /// As an error of `sql`, a text in UTF-8 or not. A statement that failed has had no effect: PostgreSQL undoes it.
    pub fn error(self, sql: &[u8], utf8: bool) -> Error {
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
        if !self.context.is_empty() {
            let first = self.context.lines().next().unwrap_or_default();
            detail = if detail.is_empty() { first.to_owned() } else { format!("{detail}; {first}") };
        }
        Error {
            failure,
            class,
            applied: if fatal { Applied::Unknown } else { Applied::No },
            sqlstate: self.sqlstate,
            code: 0,
            position: self.position.and_then(|characters| byte_of(sql, characters, utf8)),
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

/// The byte of the character that the server counted from 1. In another encoding it is known only behind plain ASCII.
fn byte_of(sql: &[u8], character: usize, utf8: bool) -> Option<usize> {
    let is_first = |byte: &u8| byte & 0xC0 != 0x80;
    let wanted = character.checked_sub(1)?;
    if !utf8 {
        return sql.get(..wanted).filter(|before| before.is_ascii() && wanted < sql.len()).map(<[u8]>::len);
    }
    sql.iter().enumerate().filter(|(_, byte)| is_first(byte)).nth(wanted).map(|(at, _)| at)
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
    fn a_position_in_characters_becomes_one_in_bytes() {
        assert_eq!(byte_of("äöü x".as_bytes(), 5, true), Some(7));
        assert_eq!(byte_of(b"abc", 1, true), Some(0));
        assert_eq!(byte_of(b"abc", 9, true), None);
    }

    #[test]
    fn in_another_encoding_a_position_is_said_only_where_it_is_certain() {
        assert_eq!(byte_of(b"SELECT x \xE4", 8, false), Some(7));
        assert_eq!(byte_of(b"SELECT '\xE4' x", 12, false), None);
        assert_eq!(byte_of(b"abc", 9, false), None);
    }

    #[test]
    fn a_text_of_any_length_is_kept_up_to_a_limit() {
        assert_eq!(kept(b"short"), "short");
        assert_eq!(kept(&[b'x'; TEXT_BYTES_MAX]).len(), TEXT_BYTES_MAX);
        let long = "ä".repeat(TEXT_BYTES_MAX);
        let said = kept(format!("x{long}").as_bytes());
        assert!(said.starts_with("xä") && said.ends_with("ä… (131073 bytes in all)"), "{}", said.len());
    }
}
