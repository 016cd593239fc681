//! The rows of a COPY: whole lines up to the line `\.`, passed on as they come.

use runsheet_sdk::{Class, Error, Flags, Kind, Piece};

/// Where the rows begin: behind the line's end after the COPY. Nothing where that has not come.
pub(super) fn line_end(text: &[u8], at_end: bool) -> Result<Option<usize>, Error> {
    match memchr::memchr(b'\n', text) {
        Some(length) => match text.iter().take(length).position(|byte| !byte.is_ascii_whitespace()) {
            Some(at) => {
                let message = "the rows of a COPY begin on the line after its semicolon; this stands between";
                Err(Error::new(Class::Syntax, message).at(at))
            }
            None => Ok(Some(length + 1)),
        },
        None if at_end => Ok(Some(text.len())),
        None => Ok(None),
    }
}

/// The rows that are there from `begin` on, and whether they are the last. Nothing where no whole line is there.
pub(super) fn next(text: &[u8], begin: usize, at_end: bool) -> Option<(Piece, bool)> {
    let piece = |end: usize, consumed: usize, last: bool| {
        let flags = if last { Flags::LAST } else { Flags::none() };
        (Piece { kind: Kind::Rows, flags, start: begin, end, consumed }, last)
    };
    let mut line = begin;
    loop {
        let rest = text.get(line..).unwrap_or_default();
        // What is looked for begins with a backslash at a line's start.
        if rest.first() == Some(&b'\\') && rest.get(1) == Some(&b'.') {
            match rest.get(2..) {
                Some([b'\n', ..]) => return Some(piece(line, line + 3, true)),
                Some([b'\r', b'\n', ..]) => return Some(piece(line, line + 4, true)),
                Some([]) | Some([b'\r']) if at_end => return Some(piece(line, text.len(), true)),
                _ => {}
            }
        }
        match memchr::memmem::find(rest, b"\n\\.") {
            Some(ahead) => {
                let found = line + ahead + 1;
                let decided = at_end || text.len() > found + 3;
                if !decided {
                    return (found > begin).then(|| piece(found, found, false));
                }
                line = found;
                if matches!(text.get(found + 2..), Some([b'\n', ..] | [b'\r', b'\n', ..] | [] | [b'\r'])) {
                    continue;
                }
                // A row that begins with `\.` and goes on.
                line += 2;
            }
            None if at_end => return Some(piece(text.len(), text.len(), true)),
            None => {
                let whole = memchr::memrchr(b'\n', text).map_or(begin, |last| last + 1).max(begin);
                return (whole > begin).then(|| piece(whole, whole, false));
            }
        }
    }
}
