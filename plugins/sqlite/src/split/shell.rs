//! What the sqlite3 shell itself reads in a script: lines that end a statement, and its own commands.

use runsheet_sdk::{Class, Error};

/// A line that is longer does not end a statement.
const LINE_BYTES_MAX: usize = 1024;
/// How much of a command is shown.
const COMMAND_BYTES_MAX: usize = 32;

/// Whether a line ends the statement before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// It does, and what it is made of has this length.
    Yes {
        length: usize,
    },
    No,
    /// The text ends before the line does.
    Unknown,
}

/// Judges a line that begins with `/`, `g` or `G`: only `/` or `go` and blanks and comments end a statement.
pub(super) fn line_end(rest: &[u8], at_end: bool) -> LineEnd {
    let word = match (rest.first(), rest.get(1).map(u8::to_ascii_lowercase)) {
        (Some(b'/'), _) => 1,
        (Some(b'g' | b'G'), Some(b'o')) => 2,
        (Some(b'g' | b'G'), None) if !at_end => return LineEnd::Unknown,
        _ => return LineEnd::No,
    };
    let line = rest.get(..rest.len().min(LINE_BYTES_MAX)).unwrap_or_default();
    let mut at = word;
    loop {
        match (line.get(at), line.get(at + 1)) {
            (Some(b'\n'), _) => return LineEnd::Yes { length: at },
            (Some(b' ' | b'\t' | b'\r' | 0x0C), _) => at += 1,
            // The comment is left to whoever reads on.
            (Some(b'-'), Some(b'-')) => return LineEnd::Yes { length: at },
            (Some(b'/'), Some(b'*')) => match comment_end(line, at + 2) {
                Some(end) => at = end,
                None if line.len() == LINE_BYTES_MAX || at_end => return LineEnd::No,
                None if line.get(at..).unwrap_or_default().contains(&b'\n') => return LineEnd::No,
                None => return LineEnd::Unknown,
            },
            (Some(b'-' | b'/'), None) if line.len() < LINE_BYTES_MAX && !at_end => return LineEnd::Unknown,
            (Some(_), _) => return LineEnd::No,
            (None, _) if line.len() == LINE_BYTES_MAX => return LineEnd::No,
            (None, _) if at_end => return LineEnd::Yes { length: at },
            (None, _) => return LineEnd::Unknown,
        }
    }
}

/// Behind a comment that ends on the line.
fn comment_end(line: &[u8], from: usize) -> Option<usize> {
    let inside = line.get(from..)?;
    let inside = inside.split(|byte| *byte == b'\n').next()?;
    inside.windows(2).position(|two| two == b"*/").map(|ahead| from + ahead + 2)
}

/// The refusal of a command of the shell's own; nothing where its end is not in the text yet.
pub(super) fn dot_command(rest: &[u8], at_end: bool) -> Option<Error> {
    let shown = rest.get(..rest.len().min(COMMAND_BYTES_MAX)).unwrap_or_default();
    let length = match shown.iter().position(u8::is_ascii_whitespace) {
        Some(length) => length,
        None if shown.len() == COMMAND_BYTES_MAX || at_end => shown.len(),
        None => return None,
    };
    let command = String::from_utf8_lossy(shown.get(..length).unwrap_or_default()).into_owned();
    let instead = match command.trim_end_matches(';') {
        ".read" => "put that file's statements into this sheet, or give it a task of its own",
        ".import" => "write the rows as INSERT statements; `.mode insert` in the shell makes them",
        ".open" | ".cd" => {
            "a task runs on the database that its target names; give the other one its own task"
        }
        ".quit" | ".exit" => "end the sheet there",
        ".bail" => "take it out: a task always stops at the first error",
        ".load" => "extensions cannot be loaded by a task",
        ".timeout" => "set `busy_timeout` on the instance, or write PRAGMA busy_timeout",
        ".restore" | ".backup" | ".save" | ".clone" => "do it with the sqlite3 shell, outside of the plan",
        _ => "take it out; what a task prints is in its log",
    };
    let message =
        format!("`{command}` is a command of the sqlite3 shell, which the database does not know; {instead}");
    Some(Error { object: command, ..Error::new(Class::Syntax, message) })
}
