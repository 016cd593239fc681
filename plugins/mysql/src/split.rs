//! Cutting a script as the `mariadb` and `mysql` clients do in batch mode: at the delimiter outside quotes and comments, with DELIMITER
//! lines, and with the code inside `/*! … */`. It knows no server: bytes in, pieces out.

mod classify;
mod client;
mod modes;
mod scan;

use classify::Words;
pub use modes::Strings;
use runsheet_sdk::{Class, Error, Piece, Split, Splitter};

/// What the scanner is inside of, and where that began.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Inside {
    Nothing,
    LineComment,
    BlockComment(usize),
    Quote(u8, usize),
    /// A dollar quote with its whole tag.
    Dollar(Vec<u8>, usize),
    /// A word that is too long to mean anything.
    Word,
}

/// The splitter.
pub struct MySqlSplitter {
    at: usize,
    inside: Inside,
    start: Option<usize>,
    words: Words,
    delimiter: Vec<u8>,
    /// The text was cut before: the delimiter that it had then is not known, and none ends it now.
    is_cut: bool,
    /// How strings are read now, and how they were at the beginning.
    strings: Strings,
    strings_at_first: Strings,
    /// Inside `/*! … */`, whose text is code: where it began.
    conditional: Option<usize>,
    /// Whether only blanks came since the line began.
    line_start: bool,
    /// Behind a semicolon that is not the delimiter: the client still gathers, and takes no command.
    gathers: bool,
    first: bool,
    had_body: bool,
}

/// Why the scan stops.
enum Stop {
    /// The statement ends at this byte, and the next begins at that one.
    Statement(usize, usize),
    More,
}

impl MySqlSplitter {
    /// For a sheet that runs under a `sql_mode`.
    pub fn for_mode(sql_mode: &str) -> Self {
        Self::for_strings(Strings::of_mode(sql_mode))
    }

    /// For a sheet; `escapes` says whether a backslash escapes in its strings.
    pub fn new(escapes: bool) -> Self {
        Self::for_strings(Strings { escapes, ..Strings::default() })
    }

    /// For a statement that was cut from its sheet before, whatever its delimiter was.
    pub(crate) fn for_statement(escapes: bool) -> Self {
        Self { is_cut: true, ..Self::new(escapes) }
    }

    fn for_strings(strings: Strings) -> Self {
        Self {
            at: 0,
            inside: Inside::Nothing,
            start: None,
            words: Words::default(),
            delimiter: b";".to_vec(),
            is_cut: false,
            strings,
            strings_at_first: strings,
            conditional: None,
            line_start: true,
            gathers: false,
            first: true,
            had_body: false,
        }
    }

    /// Whether the last statement may hold others in a body of its own.
    pub(crate) fn last_has_body(&self) -> bool {
        self.had_body
    }
}

impl Splitter for MySqlSplitter {
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

impl MySqlSplitter {
    fn piece(&mut self, text: &[u8], end: usize, consumed: usize) -> Result<Split, Error> {
        let start = self.start.take().unwrap_or(end);
        let statement = text.get(start..end).unwrap_or_default();
        let length =
            statement.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
        let words = std::mem::take(&mut self.words);
        words.refuse().map_err(|error| error.at(start))?;
        if words.is_setting() {
            let after = modes::after(statement, self.strings, self.strings_at_first);
            self.strings = after.map_err(|error| error.at(start))?;
        }
        self.had_body = words.has_body();
        let (kind, flags) = words.classify();
        self.at = 0;
        self.conditional = None;
        Ok(Split::Piece(Piece { kind, flags, start, end: start + length, consumed }))
    }

    fn end(&mut self, text: &[u8]) -> Result<Split, Error> {
        let open = |what: String, at: usize| {
            Err(fault(format!("the sheet ends inside {what} that begins here"), at))
        };
        match &self.inside {
            Inside::BlockComment(at) => return open("a comment".to_owned(), *at),
            Inside::Quote(quote, at) => return open(format!("a {}-quote", char::from(*quote)), *at),
            Inside::Dollar(tag, at) => {
                return open(format!("the dollar quote {}", String::from_utf8_lossy(tag)), *at);
            }
            Inside::Nothing | Inside::LineComment | Inside::Word => {}
        }
        match (self.start, self.conditional) {
            (None, _) => Ok(Split::End),
            (Some(_), Some(at)) => open("a conditional comment /*! … */".to_owned(), at),
            (Some(_), None) => self.piece(text, text.len(), text.len()),
        }
    }
}
