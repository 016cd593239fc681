//! Cutting a script as the `mariadb` and `mysql` clients do in batch mode: at the delimiter outside quotes and comments, with DELIMITER
//! lines, and with the code inside `/*! … */`.

mod classify;
mod client;

use classify::Words;
use runsheet_sdk::{Class, Error, Piece, Split, Splitter};

/// What newer dumps begin with. It tells the client to run no command of its own from here on, and none is ever run here.
const SANDBOX: &[u8] = b"/*M!999999\\-";

/// What the scanner is inside of, and where that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Nothing,
    LineComment,
    BlockComment(usize),
    Quote(u8, usize),
}

/// The splitter.
pub struct MySqlSplitter {
    at: usize,
    inside: Inside,
    start: Option<usize>,
    words: Words,
    delimiter: Vec<u8>,
    /// Whether a backslash escapes in a string.
    escapes: bool,
    /// Inside `/*! … */`, whose text is code.
    conditional: bool,
    /// Whether only blanks came since the line began.
    line_start: bool,
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
    /// For a sheet; `escapes` says whether a backslash escapes in its strings.
    pub fn new(escapes: bool) -> Self {
        Self {
            at: 0,
            inside: Inside::Nothing,
            start: None,
            words: Words::default(),
            delimiter: b";".to_vec(),
            escapes,
            conditional: false,
            line_start: true,
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
            if text.starts_with(mark) {
                self.at = mark.len();
            }
            self.first = false;
        }
        match self.scan(text, at_end)? {
            Stop::More if !at_end => Ok(Split::More),
            Stop::More => self.end(text),
            Stop::Statement(end, consumed) => Ok(self.piece(text, end, consumed)),
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

impl MySqlSplitter {
    fn piece(&mut self, text: &[u8], end: usize, consumed: usize) -> Split {
        let start = self.start.take().unwrap_or(end);
        let statement = text.get(start..end).unwrap_or_default();
        let length =
            statement.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
        let words = std::mem::take(&mut self.words);
        self.had_body = words.has_body();
        let (kind, flags) = words.classify();
        self.at = 0;
        self.conditional = false;
        Split::Piece(Piece { kind, flags, start, end: start + length, consumed })
    }

    fn end(&mut self, text: &[u8]) -> Result<Split, Error> {
        let open = |what: String, at: usize| {
            Err(Error::new(Class::Syntax, format!("the sheet ends inside {what} that begins here")).at(at))
        };
        match self.inside {
            Inside::BlockComment(at) => return open("a comment".to_owned(), at),
            Inside::Quote(quote, at) => return open(format!("a {}-quote", char::from(quote)), at),
            Inside::Nothing | Inside::LineComment => {}
        }
        match self.start {
            None => Ok(Split::End),
            Some(at) => {
                self.words.refuse(at)?;
                Ok(self.piece(text, text.len(), text.len()))
            }
        }
    }

    fn scan(&mut self, text: &[u8], at_end: bool) -> Result<Stop, Error> {
        // The longest sign that is looked for at one place.
        let look_ahead = self.delimiter.len().max(SANDBOX.len());
        while let Some(byte) = text.get(self.at).copied() {
            if !at_end && self.at + look_ahead > text.len() {
                return Ok(Stop::More);
            }
            let next = text.get(self.at + 1).copied();
            match self.inside {
                Inside::Nothing => {
                    if let Some(stop) = self.plain(text, byte, next, at_end)? {
                        return Ok(stop);
                    }
                }
                Inside::LineComment => match memchr::memchr(b'\n', text.get(self.at..).unwrap_or_default()) {
                    Some(ahead) => {
                        self.at += ahead;
                        self.inside = Inside::Nothing;
                    }
                    None => self.at = text.len(),
                },
                Inside::BlockComment(_) => {
                    if byte == b'*' && next == Some(b'/') {
                        self.at += 2;
                        self.inside = Inside::Nothing;
                    } else {
                        let rest = text.get(self.at + 1..).unwrap_or_default();
                        self.at += 1 + memchr::memchr(b'*', rest).unwrap_or(rest.len());
                    }
                }
                Inside::Quote(quote, _) => self.quoted(text, byte, next, quote),
            }
        }
        Ok(Stop::More)
    }

    fn quoted(&mut self, text: &[u8], byte: u8, next: Option<u8>, quote: u8) {
        let escapes = self.escapes && quote != b'`';
        if byte == quote && next == Some(quote) {
            self.at += 2;
        } else if byte == quote {
            self.at += 1;
            self.inside = Inside::Nothing;
        } else if escapes && byte == b'\\' {
            self.at += 2.min(text.len() - self.at);
        } else {
            let rest = text.get(self.at + 1..).unwrap_or_default();
            let found =
                if escapes { memchr::memchr2(quote, b'\\', rest) } else { memchr::memchr(quote, rest) };
            self.at += 1 + found.unwrap_or(rest.len());
        }
    }

    /// One step outside quotes and comments.
    fn plain(
        &mut self,
        text: &[u8],
        byte: u8,
        next: Option<u8>,
        at_end: bool,
    ) -> Result<Option<Stop>, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        if rest.starts_with(&self.delimiter) && !self.conditional {
            return self.delimited();
        }
        let line_start = std::mem::replace(&mut self.line_start, false);
        match byte {
            b'\n' => {
                self.line_start = true;
                self.at += 1;
            }
            b' ' | b'\t' | b'\r' | 0x0B | 0x0C => {
                self.line_start = line_start;
                self.at += 1;
            }
            0 => return Err(Error::new(Class::Syntax, "there is a NUL byte in the sheet").at(self.at)),
            b'#' => self.inside = Inside::LineComment,
            b'-' if next == Some(b'-') && rest.get(2).is_none_or(|third| *third <= b' ') => {
                self.inside = Inside::LineComment;
            }
            b'/' if next == Some(b'*') => self.comment(rest),
            b'*' if next == Some(b'/') && self.conditional => {
                self.conditional = false;
                self.at += 2;
            }
            b'\'' | b'"' | b'`' => {
                self.begin();
                self.words.quoted();
                self.inside = Inside::Quote(byte, self.at);
                self.at += 1;
            }
            b'\\' => return self.backslash(next),
            _ if is_word(byte) => return self.word(text, at_end, line_start),
            _ => {
                self.begin();
                self.words.sign(byte);
                self.at += 1;
            }
        }
        Ok(None)
    }

    fn begin(&mut self) {
        self.start.get_or_insert(self.at);
    }

    fn delimited(&mut self) -> Result<Option<Stop>, Error> {
        let end = self.at;
        self.at += self.delimiter.len();
        match self.start {
            // Delimiters by themselves are nothing.
            None => Ok(None),
            Some(start) => {
                self.words.refuse(start)?;
                Ok(Some(Stop::Statement(end, self.at)))
            }
        }
    }

    /// A comment; or code that only some versions run, or hints, which are part of the statement.
    fn comment(&mut self, rest: &[u8]) {
        let code =
            matches!(rest.get(2), Some(b'!')) || (rest.get(2) == Some(&b'M') && rest.get(3) == Some(&b'!'));
        if code && !rest.starts_with(SANDBOX) {
            self.begin();
            self.conditional = true;
            let prefix = if rest.get(2) == Some(&b'M') { 4 } else { 3 };
            self.at += prefix;
        } else {
            if rest.get(2) == Some(&b'+') {
                self.begin();
            }
            self.inside = Inside::BlockComment(self.at);
            self.at += 2;
        }
    }

    /// `\G` and `\g` end a statement; every other backslash outside quotes is a command of the client.
    fn backslash(&mut self, next: Option<u8>) -> Result<Option<Stop>, Error> {
        match (next, self.start) {
            (Some(b'g' | b'G'), Some(start)) => {
                self.words.refuse(start)?;
                let end = self.at;
                self.at += 2;
                Ok(Some(Stop::Statement(end, end + 2)))
            }
            (Some(b'g' | b'G'), None) => {
                self.at += 2;
                Ok(None)
            }
            (Some(other), _) => Err(client::refuse(&format!("\\{}", char::from(other)), self.at)),
            (None, _) => Err(client::refuse("\\", self.at)),
        }
    }

    fn word(&mut self, text: &[u8], at_end: bool, line_start: bool) -> Result<Option<Stop>, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
        let more = |splitter: &mut Self| {
            splitter.line_start = line_start;
            Ok(Some(Stop::More))
        };
        if length == rest.len() && !at_end {
            return more(self);
        }
        let word = rest.get(..length).unwrap_or_default();
        if line_start && self.start.is_none() && client::is_command(word) {
            let line = match memchr::memchr(b'\n', rest) {
                Some(length) => length,
                None if at_end => rest.len(),
                None => return more(self),
            };
            let line_text = rest.get(..line).unwrap_or_default();
            match client::command(word, line_text, self.at)? {
                client::Command::Delimiter(delimiter) => {
                    self.delimiter = delimiter;
                    self.at += line;
                    return Ok(None);
                }
                client::Command::Statement => {}
            }
        }
        self.begin();
        // A delimiter of letters ends a word, as it ends everything else.
        let cut = memchr::memmem::find(word, &self.delimiter).filter(|_| !self.conditional);
        let word = word.get(..cut.unwrap_or(length)).unwrap_or_default();
        self.words.push(word);
        self.at += word.len().max(usize::from(cut.is_none()));
        Ok(None)
    }
}
