//! What psql does by itself and the server does not know: its commands and its variables, refused by name.

use super::token::is_word;
use runsheet_sdk::{Class, Error};

/// How much of a command or variable is shown.
const SHOWN_BYTES_MAX: usize = 64;

/// What of the text is shown: up to where `ends` says. Nothing where the text ends before.
fn shown(rest: &[u8], at_end: bool, ends: impl Fn(u8) -> bool) -> Option<String> {
    let rest = rest.get(..rest.len().min(SHOWN_BYTES_MAX)).unwrap_or_default();
    let length = match rest.iter().skip(2).position(|byte| ends(*byte)) {
        Some(length) => length + 2,
        None if at_end || rest.len() == SHOWN_BYTES_MAX => rest.len(),
        None => return None,
    };
    Some(String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned())
}

/// The refusal of a variable; nothing where its end is not in the text yet.
pub(super) fn variable(rest: &[u8], at_end: bool) -> Option<Error> {
    let mut variable = shown(rest, at_end, |byte| !is_word(byte) && byte != b'?')?;
    match rest.get(1) {
        Some(quote @ (b'\'' | b'"')) => variable.push(char::from(*quote)),
        Some(b'{') => variable.push('}'),
        _ => {}
    }
    let message =
        format!("`{variable}` is a variable of psql, which the server does not have; write the value itself");
    Some(Error::new(Class::Syntax, message))
}

/// A command of psql: how many bytes to pass over where it means nothing here, or its refusal. Nothing where the text ends before
/// that is known.
pub(super) fn command(rest: &[u8], at_end: bool, between_statements: bool) -> Option<Result<usize, Error>> {
    let command = shown(rest, at_end, |byte| byte.is_ascii_whitespace() || byte == b'\\')?;
    let command = command.trim_ascii_end();
    if between_statements && matches!(command, "\\restrict" | "\\unrestrict") {
        return match memchr::memchr(b'\n', rest) {
            Some(length) => Some(Ok(length)),
            None if at_end => Some(Ok(rest.len())),
            None => None,
        };
    }
    let instead = match command {
        "\\i" | "\\ir" | "\\include" | "\\include_relative" => {
            "put that file's statements into this sheet, or give it a task of its own"
        }
        "\\c" | "\\connect" => {
            "a task runs on the database that its target names; give the other one its own task"
        }
        "\\copy" => "write COPY … FROM STDIN; with the rows behind it and a line `\\.` at their end",
        "\\." => "it ends the rows of a COPY … FROM STDIN, and there are none here",
        "\\q" | "\\quit" => "end the sheet there",
        "\\gexec" => "write the statements that it would make",
        "\\set" | "\\unset" | "\\gset" | "\\prompt" | "\\getenv" => "write the values themselves",
        "\\if" | "\\elif" | "\\else" | "\\endif" => "a plan decides what runs where, not a sheet",
        _ => "take it out, or put what it does into the plan",
    };
    let message = format!("`{command}` is a command of psql, not of the server; {instead}");
    Some(Err(Error { object: command.to_owned(), ..Error::new(Class::Syntax, message) }))
}
