//! What the client does by itself: DELIMITER is understood, everything else is refused by name.

use runsheet_sdk::{Class, Error};

/// What a line that begins like a command is.
pub(super) enum Command {
    /// The new delimiter.
    Delimiter(Vec<u8>),
    /// A statement after all.
    Statement,
}

/// The client's commands that are words. `use` is a statement too, and passes as one.
const COMMANDS: &[&str] = &[
    "clear",
    "charset",
    "connect",
    "delimiter",
    "edit",
    "ego",
    "exit",
    "go",
    "nopager",
    "notee",
    "nowarning",
    "pager",
    "print",
    "prompt",
    "quit",
    "query_attributes",
    "rehash",
    "resetconnection",
    "sandbox",
    "source",
    "ssl_session_data_print",
    "status",
    "system",
    "tee",
    "warnings",
];

/// Whether a word at the beginning of a statement may be a command.
pub(super) fn is_command(word: &[u8]) -> bool {
    COMMANDS.iter().any(|command| word.eq_ignore_ascii_case(command.as_bytes()))
}

/// Judges a line whose first word is a command.
pub(super) fn command(word: &[u8], line: &[u8], at: usize) -> Result<Command, Error> {
    if !word.eq_ignore_ascii_case(b"delimiter") {
        let text = String::from_utf8_lossy(word).into_owned();
        return if looks_like_sql(line) { Ok(Command::Statement) } else { Err(refuse(&text, at)) };
    }
    let rest = line.get(word.len()..).unwrap_or_default().trim_ascii();
    let delimiter = rest.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    if delimiter.is_empty() {
        return Err(Error::new(
            Class::Syntax,
            "DELIMITER needs the delimiter behind it, such as DELIMITER //",
        )
        .at(at));
    }
    if delimiter.contains(&b'\\') {
        return Err(Error::new(Class::Syntax, "a delimiter cannot have a backslash in it").at(at));
    }
    Ok(Command::Delimiter(delimiter.to_vec()))
}

/// A label or an assignment begins like a command, but goes on with a sign that no command has.
fn looks_like_sql(line: &[u8]) -> bool {
    let behind = line.iter().skip_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_');
    matches!(behind.copied().find(|byte| !byte.is_ascii_whitespace()), Some(b':' | b'='))
}

pub(super) fn refuse(command: &str, at: usize) -> Error {
    let message = format!(
        "`{command}` is a command of the mysql client, not of the server; take it out, or put what it does into the plan (a file that it reads is a sheet of its own)"
    );
    Error::new(Class::Syntax, message).at(at)
}
