//! What the client does by itself: DELIMITER lines and USE lines are understood as it understands them, everything else is refused by
//! name.

use runsheet_sdk::{Class, Error};

/// The longest delimiter that the client keeps; it forgets the rest of a longer one.
const DELIMITER_BYTES_MAX: usize = 15;

/// What a line that begins like a command is.
pub(super) enum Command {
    /// The new delimiter.
    Delimiter(Vec<u8>),
    /// USE, which needs no delimiter.
    Use,
    /// A statement after all.
    Statement,
}

/// The client's commands that are words.
const COMMANDS: &[&str] = &[
    "charset",
    "clear",
    "connect",
    "delimiter",
    "edit",
    "ego",
    "exit",
    "go",
    "help",
    "nopager",
    "notee",
    "nowarning",
    "pager",
    "print",
    "prompt",
    "query_attributes",
    "quit",
    "rehash",
    "resetconnection",
    "sandbox",
    "source",
    "ssl_session_data_print",
    "status",
    "system",
    "tee",
    "use",
    "warnings",
];

/// Whether a word at the beginning of a statement may be a command.
pub(super) fn is_command(word: &[u8]) -> bool {
    COMMANDS.iter().any(|command| word.eq_ignore_ascii_case(command.as_bytes()))
}

/// The line that the text begins with, as much of it as counts, or nothing where its end has not come.
pub(super) fn line(rest: &[u8], at_end: bool) -> Option<&[u8]> {
    match memchr::memchr(b'\n', rest) {
        Some(length) => rest.get(..length),
        None if at_end || rest.len() >= super::scan::LINE_BYTES_MAX => Some(rest),
        None => None,
    }
}

/// Judges a line whose first word may be a command.
///
/// # Errors
/// With what to do instead of what only the client can do.
pub(super) fn command(
    word: &[u8],
    line: &[u8],
    line_start: bool,
    delimiter: &[u8],
) -> Result<Command, Error> {
    let behind = line.get(word.len()..).unwrap_or_default();
    // A label begins like a command, but goes on with a sign that no command has.
    if matches!(behind.trim_ascii_start().first(), Some(b':' | b'=')) {
        return Ok(Command::Statement);
    }
    if word.eq_ignore_ascii_case(b"use") {
        let has = |part: &[u8]| memchr::memmem::find(line, part).is_some();
        let by_itself = line_start && !behind.trim_ascii().is_empty() && !has(delimiter) && !has(b"\\g");
        return Ok(if by_itself { Command::Use } else { Command::Statement });
    }
    if !word.eq_ignore_ascii_case(b"delimiter") {
        return Err(refuse(&String::from_utf8_lossy(word)));
    }
    if !line_start {
        let message = "DELIMITER must stand at the beginning of a line, and what is before it must end with the delimiter in force";
        return Err(Error::new(Class::Syntax, message));
    }
    delimiter_of(behind)
}

/// The delimiter that a DELIMITER line names: up to a blank, or in quotes.
fn delimiter_of(behind: &[u8]) -> Result<Command, Error> {
    let wrong = |message: &str| Err(Error::new(Class::Syntax, message));
    let argument = behind.trim_ascii();
    let delimiter = match argument.first() {
        Some(quote @ (b'\'' | b'"' | b'`')) => {
            argument.get(1..).unwrap_or_default().split(|byte| byte == quote).next()
        }
        _ if !behind.first().is_some_and(u8::is_ascii_whitespace) => None,
        _ => argument.split(|byte| *byte == b' ').next(),
    };
    let delimiter = delimiter.unwrap_or_default();
    if delimiter.is_empty() {
        return wrong("DELIMITER needs the delimiter behind it, such as DELIMITER //");
    }
    if delimiter.contains(&b'\\') || delimiter.iter().any(u8::is_ascii_control) {
        return wrong("a delimiter cannot have a backslash, a tab or another control character in it");
    }
    if delimiter.len() > DELIMITER_BYTES_MAX {
        return wrong("a delimiter has 15 bytes at most; the client would forget the rest of this one");
    }
    Ok(Command::Delimiter(delimiter.to_vec()))
}

/// The refusal of a command.
pub(super) fn refuse(command: &str) -> Error {
    let instead = match command.to_ascii_lowercase().as_str() {
        "source" | "\\." => "put that file's statements into this sheet, or give it a task of its own",
        "connect" | "\\r" | "\\u" => {
            "a task runs on the database that its target names; give the other one its own task"
        }
        "exit" | "quit" | "\\q" => "end the sheet there",
        "clear" | "\\c" => "take out the statement that it would forget",
        "\\d" => "write DELIMITER on a line of its own",
        "charset" => "write SET NAMES",
        _ => "take it out, or put what it does into the plan",
    };
    let message = format!("`{command}` is a command of the mysql client, not of the server; {instead}");
    Error { object: command.to_owned(), ..Error::new(Class::Syntax, message) }
}
