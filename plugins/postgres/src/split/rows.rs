//! The rows of a COPY: whole lines up to the line `\.`, passed on as they come.

use super::{fault, nul};
use runsheet_sdk::{Error, Flags, Kind, Piece};

/// Where the rows begin: behind the line's end after the COPY. Nothing where that has not come.
pub(super) fn line_end(text: &[u8], at_end: bool) -> Result<Option<usize>, Error> {
    let line = memchr::memchr(b'\n', text);
    let tail = text.get(..line.unwrap_or(text.len())).unwrap_or_default();
    if let Some(at) = tail.iter().position(|byte| !byte.is_ascii_whitespace()) {
        match (tail.get(at), tail.get(at + 1)) {
            (Some(b'-'), Some(b'-')) => {}
            (Some(b'-'), None) if line.is_none() && !at_end => {}
            _ => {
                let message = "the rows of a COPY begin on the line after its semicolon; this stands between";
                return Err(fault(message, at));
            }
        }
    }
    Ok(match line {
        Some(length) => Some(length + 1),
        None => at_end.then_some(text.len()),
    })
}

/// The rows under way.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// How much of the text is known to be within one row.
    seen: usize,
}

impl Rows {
    /// The rows that are there from `begin` on, and whether they are the last. Nothing where no whole line is there.
    pub fn next(&mut self, text: &[u8], begin: usize, at_end: bool) -> Result<Option<(Piece, bool)>, Error> {
        let seen = std::mem::take(&mut self.seen).max(begin);
        let found = look(text, begin, seen, at_end);
        if found.is_none() {
            self.seen = text.len();
        }
        if let Some((piece, _)) = &found
            && let Some(ahead) = memchr::memchr(0, text.get(begin..piece.end).unwrap_or_default())
        {
            return Err(nul(begin + ahead));
        }
        Ok(found)
    }
}

/// `seen` is where the search may begin: there is no line's end between `begin` and it.
fn look(text: &[u8], begin: usize, seen: usize, at_end: bool) -> Option<(Piece, bool)> {
    let piece = |end: usize, consumed: usize, last: bool| {
        let flags = if last { Flags::LAST } else { Flags::none() };
        (Piece { kind: Kind::Rows, flags, start: begin, end, consumed }, last)
    };
    let mut line = begin;
    let mut from = seen;
    loop {
        // What is looked for begins with a backslash at a line's start.
        match text.get(line..).unwrap_or_default() {
            [b'\\', b'.', b'\n', ..] => return Some(piece(line, line + 3, true)),
            [b'\\', b'.', b'\r', b'\n', ..] => return Some(piece(line, line + 4, true)),
            [b'\\', b'.'] | [b'\\', b'.', b'\r'] if at_end => return Some(piece(line, text.len(), true)),
            [] | [b'\\'] | [b'\\', b'.'] | [b'\\', b'.', b'\r'] if !at_end => {
                return (line > begin).then(|| piece(line, line, false));
            }
            _ => {}
        }
        let rest = text.get(from..).unwrap_or_default();
        match memchr::memmem::find(rest, b"\n\\") {
            Some(ahead) => {
                line = from + ahead + 1;
                from = line;
            }
            None if at_end => return Some(piece(text.len(), text.len(), true)),
            None => {
                let whole = memchr::memrchr(b'\n', rest).map_or(begin, |last| from + last + 1).max(begin);
                return (whole > begin).then(|| piece(whole, whole, false));
            }
        }
    }
}
