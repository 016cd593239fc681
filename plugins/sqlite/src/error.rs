//! SQLite's result codes as classes, and what a failure says about the data.

use runsheet_sdk::{Applied, Class, Error, Failure};
use rusqlite::ffi;

/// An error of SQLite's, as the ABI says it. A statement that SQLite says has failed has been undone.
pub(crate) fn from(error: rusqlite::Error) -> Error {
    let (code, message, position) = match error {
        rusqlite::Error::SqlInputError { error, msg, offset, .. } => {
            (error.extended_code, msg, usize::try_from(offset).ok())
        }
        rusqlite::Error::SqliteFailure(error, message) => {
            (error.extended_code, message.unwrap_or_else(|| error.to_string()), None)
        }
        rusqlite::Error::MultipleStatement => {
            return Error::new(Class::Syntax, "the text has more than one statement; none was run");
        }
        other => return Error::new(Class::Other, other.to_string()),
    };
    let class = class(code, &message);
    Error {
        failure: if class == Class::Canceled { Failure::Canceled } else { Failure::Failed },
        applied: Applied::No,
        code: i64::from(code),
        position,
        hint: hint(code, class).to_owned(),
        object: object(class, &message),
        ..Error::new(class, message)
    }
}

/// The same for what writes to the disk by itself. Where the disk fails in the middle of a commit, what stands in the file is
/// decided only when the file is opened again, so this session is given up.
pub(crate) fn from_commit(error: rusqlite::Error) -> Error {
    let error = from(error);
    let primary = error.code & 0xFF;
    if primary == i64::from(ffi::SQLITE_IOERR) || primary == i64::from(ffi::SQLITE_CORRUPT) {
        return Error { failure: Failure::Lost, applied: Applied::Unknown, ..error };
    }
    error
}

fn class(code: i32, message: &str) -> Class {
    if code == ffi::SQLITE_BUSY_SNAPSHOT {
        return Class::Serialization;
    }
    match code & 0xFF {
        ffi::SQLITE_INTERRUPT => Class::Canceled,
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL => Class::LockTimeout,
        ffi::SQLITE_CONSTRAINT | ffi::SQLITE_MISMATCH => Class::Constraint,
        ffi::SQLITE_FULL | ffi::SQLITE_NOMEM | ffi::SQLITE_TOOBIG | ffi::SQLITE_IOERR => Class::Resource,
        ffi::SQLITE_PERM | ffi::SQLITE_READONLY | ffi::SQLITE_AUTH | ffi::SQLITE_CANTOPEN => {
            Class::Permission
        }
        ffi::SQLITE_ERROR => class_of_message(message),
        _ => Class::Other,
    }
}

/// The code SQLITE_ERROR stands for everything that a statement can be wrong in; only the words tell.
fn class_of_message(message: &str) -> Class {
    let has = |words: &str| message.contains(words);
    if has("syntax error") || has("incomplete input") || has("unrecognized token") {
        Class::Syntax
    } else if has("no such") || has("has no column named") || has("unknown database") {
        Class::MissingObject
    } else if has("already exists")
        || has("duplicate column name")
        || has("already another table")
        || has("already in use")
    {
        Class::AlreadyExists
    } else {
        Class::Other
    }
}

/// What the message says it is about, where it ends with a name.
fn object(class: Class, message: &str) -> String {
    match class {
        Class::MissingObject | Class::AlreadyExists | Class::Constraint => message
            .rsplit_once(": ")
            .map(|(_, name)| name)
            .filter(|name| !name.contains(' ') || class == Class::Constraint)
            .unwrap_or_default()
            .to_owned(),
        _ => String::new(),
    }
}

fn hint(code: i32, class: Class) -> &'static str {
    match (code & 0xFF, class) {
        (ffi::SQLITE_NOTADB, _) => "The file is no SQLite database, or it is an encrypted one",
        (ffi::SQLITE_CORRUPT, _) => {
            "Look at the file with PRAGMA integrity_check, and restore it from a backup"
        }
        (ffi::SQLITE_FULL, _) => "Make room on the file's disk, and retry",
        (ffi::SQLITE_READONLY | ffi::SQLITE_CANTOPEN | ffi::SQLITE_PERM, _) => {
            "The daemon's user must be able to write the file and its folder, where the journal is made"
        }
        (_, Class::LockTimeout) => {
            "Another program has the file locked; end it, or set a longer `busy_timeout` on the instance"
        }
        _ => "",
    }
}
