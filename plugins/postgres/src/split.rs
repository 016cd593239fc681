//! Cutting a script as psql does: at semicolons outside quotes, comments, parentheses and `BEGIN ATOMIC` bodies; the rows of a COPY
//! come as pieces of their own. It knows no server: bytes in, pieces out.

mod classify;
mod client;
mod rows;
mod scan;
mod strings;
mod token;

use classify::Words;
use rows::Rows;
use runsheet_sdk::{Class, Error, Kind, Piece, Split, Splitter};

/// What the scanner is inside of, and where that began.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Inside {
    Nothing,
    LineComment,
    /// How many comments are open in each other.
    BlockComment(u32, usize),
    /// A quote, and whether a backslash escapes in it.
    Quote(u8, bool, usize),
    /// A dollar quote with its whole tag.
    Dollar(Vec<u8>, usize),
    /// A word that is too long to mean anything.
    Word,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Statement,
    /// The end of the line behind a COPY.
    RowsLine,
    Rows,
}

/// The splitter.
pub struct PostgresSplitter {
    at: usize,
    inside: Inside,
    expect: Expect,
    start: Option<usize>,
    words: Words,
    rows: Rows,
    parentheses: u32,
    brackets: u32,
    /// How deep in `BEGIN ATOMIC … END` and its CASEs.
    body: u32,
    /// The last sign outside quotes and comments; a letter stands for words and quotes.
    last: u8,
    /// Whether a backslash escapes in every string, since `standard_conforming_strings` is off.
    escapes: bool,
    first: bool,
}

impl Default for PostgresSplitter {
    fn default() -> Self {
        Self {
            at: 0,
            inside: Inside::Nothing,
            expect: Expect::Statement,
            start: None,
            words: Words::default(),
            rows: Rows::default(),
            parentheses: 0,
            brackets: 0,
            body: 0,
            last: 0,
            escapes: false,
            first: true,
        }
    }
}

/// Why the scan stops.
enum Stop {
    /// The statement ends at this byte, and the next begins at that one.
    Statement(usize, usize),
    More,
}

impl Splitter for PostgresSplitter {
    fn next(&mut self, text: &[u8], at_end: bool) -> Result<Split, Error> {
        if self.first {
            let mark = b"\xEF\xBB\xBF";
            if text.len() < mark.len() && !at_end {
                return Ok(Split::More);
            }
            if text.starts_with(b"\xFF\xFE") || text.starts_with(b"\xFE\xFF") {
                return Err(fault("the sheet is UTF-16; save it as UTF-8", 0));
            }
            if text.starts_with(mark) {
                self.at = mark.len();
            }
            self.first = false;
        }
        match self.expect {
            Expect::Statement => {}
            Expect::RowsLine => match rows::line_end(text, at_end)? {
                None => return Ok(Split::More),
                Some(begin) => {
                    self.expect = Expect::Rows;
                    return self.some_rows(text, begin, at_end);
                }
            },
            Expect::Rows => return self.some_rows(text, 0, at_end),
        }
        match self.scan(text, at_end)? {
            Stop::More if !at_end => Ok(Split::More),
            Stop::More => self.end(text),
            Stop::Statement(end, consumed) => self.piece(text, end, consumed),
        }
    }
}

fn fault(message: impl Into<String>, at: usize) -> Error {
    Error::new(Class::Syntax, message).at(at)
}

fn nul(at: usize) -> Error {
    fault("there is a NUL byte in the sheet, which PostgreSQL takes nowhere; save the sheet as UTF-8", at)
}

impl PostgresSplitter {
    fn some_rows(&mut self, text: &[u8], begin: usize, at_end: bool) -> Result<Split, Error> {
        match self.rows.next(text, begin, at_end)? {
            None => {
                if begin > 0 {
                    // The line behind the COPY is done with; its rows have not come yet.
                    self.expect = Expect::RowsLine;
                }
                Ok(Split::More)
            }
            Some((piece, last)) => {
                if last {
                    self.expect = Expect::Statement;
                }
                Ok(Split::Piece(piece))
            }
        }
    }

    fn piece(&mut self, text: &[u8], end: usize, consumed: usize) -> Result<Split, Error> {
        let start = self.start.take().unwrap_or(end);
        let statement = text.get(start..end).unwrap_or_default();
        let length =
            statement.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
        self.words.refuse(statement).map_err(|error| error.at(start))?;
        self.escapes = self.words.escapes(statement, self.escapes);
        let (kind, flags) = std::mem::take(&mut self.words).classify(statement);
        self.at = 0;
        self.parentheses = 0;
        self.brackets = 0;
        self.body = 0;
        self.last = 0;
        if kind == Kind::Load {
            self.expect = Expect::RowsLine;
        }
        Ok(Split::Piece(Piece { kind, flags, start, end: start + length, consumed }))
    }

    fn end(&mut self, text: &[u8]) -> Result<Split, Error> {
        let open = |what: String, at: usize| {
            Err(fault(format!("the sheet ends inside {what} that begins here"), at))
        };
        match &self.inside {
            Inside::BlockComment(_, at) => return open("a comment".to_owned(), *at),
            Inside::Quote(quote, _, at) => return open(format!("a {}-quote", char::from(*quote)), *at),
            Inside::Dollar(tag, at) => {
                return open(format!("the dollar quote {}", String::from_utf8_lossy(tag)), *at);
            }
            Inside::Nothing | Inside::LineComment | Inside::Word => {}
        }
        match self.start {
            None => Ok(Split::End),
            Some(at) if self.body > 0 => open("a BEGIN ATOMIC body".to_owned(), at),
            Some(at) if self.parentheses > 0 => open("a statement with open parentheses".to_owned(), at),
            Some(_) => self.piece(text, text.len(), text.len()),
        }
    }
}
