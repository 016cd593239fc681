//! Cutting a sheet at semicolons outside quotes and comments; the lines behind a `load` are its rows, up to a line `\.`.

use crate::fault::Fault;
use crate::place::Place;
use crate::settings::Options;
use crate::statement;
use runsheet_sdk::{Class, Error, Flags, Kind, Piece, Split, Splitter};

/// What the scanner is inside of, and where that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Nothing,
    Quote(usize),
    LineComment,
    BlockComment(usize),
}

/// What comes next in the sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Statement,
    /// The line's end behind a load, then rows.
    LineOfLoad,
    Rows,
}

/// The splitter.
pub struct MockSplitter {
    options: Options,
    at: usize,
    inside: Inside,
    start: Option<usize>,
    expect: Expect,
    /// How many pieces were given.
    pieces: u64,
}

impl MockSplitter {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, at: 0, inside: Inside::Nothing, start: None, expect: Expect::Statement, pieces: 0 }
    }

    fn piece(&mut self, text: &[u8], end: usize, consumed: usize) -> Split {
        let start = self.start.take().unwrap_or(end);
        let whole = text.get(start..end).unwrap_or_default();
        let length = whole.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
        let word = whole.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
        let (mut kind, flags) = statement::kind(&String::from_utf8_lossy(word));
        if self.pieces == 0 && start == 0 && kind == Kind::Dml && self.options.has(Fault::SplitForgetsKind) {
            kind = Kind::Other;
        }
        self.pieces += 1;
        if kind == Kind::Load {
            self.expect = Expect::LineOfLoad;
        }
        self.at = 0;
        Split::Piece(Piece { kind, flags, start, end: start + length, consumed })
    }

    /// Reads on; gives the byte of a delimiter that ends a statement.
    fn scan(&mut self, text: &[u8], at_end: bool) -> Option<usize> {
        while let Some(byte) = text.get(self.at).copied() {
            let next = text.get(self.at + 1).copied();
            if next.is_none() && !at_end && matches!(byte, b'-' | b'/' | b'*') {
                return None;
            }
            let at = self.at;
            self.at += 1;
            match self.inside {
                Inside::Quote(_) if byte == b'\'' => self.inside = Inside::Nothing,
                Inside::LineComment if byte == b'\n' => self.inside = Inside::Nothing,
                Inside::BlockComment(_) if byte == b'*' && next == Some(b'/') => {
                    self.at += 1;
                    self.inside = Inside::Nothing;
                }
                Inside::Quote(_) | Inside::LineComment | Inside::BlockComment(_) => {}
                Inside::Nothing => match (byte, next) {
                    (b'-', Some(b'-')) => self.comment(at, Inside::LineComment),
                    (b'/', Some(b'*')) => {
                        self.at += 1;
                        self.comment(at, Inside::BlockComment(at));
                    }
                    (b';', _) if self.start.is_some() => return Some(at),
                    (b';' | b' ' | b'\t' | b'\r' | b'\n', _) => {}
                    _ => {
                        self.start.get_or_insert(at);
                        if byte == b'\'' {
                            self.inside = Inside::Quote(at);
                        }
                    }
                },
            }
        }
        None
    }

    fn comment(&mut self, at: usize, inside: Inside) {
        self.inside = inside;
        if self.options.has(Fault::SplitWithComment) {
            self.start.get_or_insert(at);
        }
    }

    fn statement(&mut self, text: &[u8], at_end: bool) -> Result<Split, Error> {
        if let Some(end) = self.scan(text, at_end) {
            return Ok(self.piece(text, end, end + 1));
        }
        let open = |what: &str, at: usize| {
            Err(Error::new(Class::Syntax, format!("the sheet ends inside a {what}")).at(at))
        };
        match (at_end, self.inside, self.start) {
            (true, Inside::Quote(at), _) => open("quote", at),
            (true, Inside::BlockComment(at), _) => open("comment", at),
            (true, _, Some(_)) if self.pieces > 0 && self.options.has(Fault::SplitDropsLast) => {
                Ok(Split::End)
            }
            (false, _, Some(_)) if self.options.has(Fault::SplitByChunk) => {
                Ok(self.piece(text, text.len(), text.len()))
            }
            (true, _, Some(_)) => Ok(self.piece(text, text.len(), text.len())),
            (true, _, None) => Ok(Split::End),
            (false, _, _) => Ok(Split::More),
        }
    }

    /// Whole lines of rows, and whether they are the last.
    fn rows(&mut self, text: &[u8], at_end: bool) -> Result<Split, Error> {
        let newline = |from: usize| {
            let rest = text.get(from..).unwrap_or_default();
            rest.iter().position(|byte| *byte == b'\n').map(|ahead| from + ahead + 1)
        };
        let begin = match (self.expect, newline(0)) {
            (Expect::LineOfLoad, Some(begin)) => begin,
            (Expect::LineOfLoad, None) => text.len(),
            (Expect::Statement | Expect::Rows, _) => 0,
        };
        let mut line = begin;
        while let Some(end) = newline(line).or((at_end && line < text.len()).then_some(text.len())) {
            if text.get(line..end).is_some_and(|line| line.trim_ascii() == b"\\.") {
                self.expect = Expect::Statement;
                return Ok(rows_piece(begin, line, end, Flags::LAST));
            }
            line = end;
        }
        if at_end {
            return Err(Error::new(Class::Syntax, "the rows of a load end with a line `\\.`").at(text.len()));
        }
        if line == begin {
            return Ok(Split::More);
        }
        self.expect = Expect::Rows;
        Ok(rows_piece(begin, line, line, Flags::none()))
    }
}

fn rows_piece(start: usize, end: usize, consumed: usize, flags: Flags) -> Split {
    Split::Piece(Piece { kind: Kind::Rows, flags, start, end, consumed })
}

impl Splitter for MockSplitter {
    fn next(&mut self, text: &[u8], at_end: bool) -> Result<Split, Error> {
        self.options.enter(Place::SplitNext);
        match self.expect {
            Expect::Statement => self.statement(text, at_end),
            Expect::LineOfLoad | Expect::Rows => self.rows(text, at_end),
        }
    }
}

impl Drop for MockSplitter {
    fn drop(&mut self) {
        self.options.enter(Place::SplitFinish);
    }
}
