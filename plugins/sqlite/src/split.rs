//! Cutting a script as the sqlite3 shell does: at semicolons outside quotes, comments and trigger bodies (the rules of
//! `sqlite3_complete`), and at a line that is only `/` or `go`. It knows no engine and no file: bytes in, pieces out.

mod body;
mod classify;
mod pragma;
mod shell;

use body::Body;
use classify::Head;
use memchr::{memchr2, memchr2_iter};
use runsheet_sdk::{Class, Error, Piece, Split, Splitter};
use shell::LineEnd;

/// A word that is longer is no keyword, and its end is not waited for.
const WORD_BYTES_MAX: usize = 64;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The bytes at which something may begin or end once it is known what statement it is.
const MEANS_SOMETHING: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"'\"`[;-/\n\0";
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] = true;
        index += 1;
    }
    table
};

/// What the scanner is inside of; a comment and a quote must end, and say where they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Nothing,
    LineComment,
    BlockComment { begun: usize },
    Quote { closing: u8, begun: usize },
    Word,
}

/// What of the current line was seen outside quotes and comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Begin,
    Blanks,
    Text,
}

/// What a step of the scanner came to.
enum Step {
    On,
    /// The statement ends at the first byte; the next begins at the second.
    Statement(usize, usize),
    More,
}

/// The splitter.
pub struct SqliteSplitter {
    /// How far the text was read.
    at: usize,
    inside: Inside,
    body: Body,
    start: Option<usize>,
    head: Head,
    line: Line,
    /// Whether the sheet's first bytes were looked at.
    begun: bool,
}

impl Default for SqliteSplitter {
    fn default() -> Self {
        Self {
            at: 0,
            inside: Inside::Nothing,
            body: Body::Start,
            start: None,
            head: Head::default(),
            line: Line::Begin,
            begun: false,
        }
    }
}

impl Splitter for SqliteSplitter {
    fn next(&mut self, text: &[u8], at_end: bool) -> Result<Split, Error> {
        if !self.begun && !self.begin_sheet(text, at_end)? {
            return Ok(Split::More);
        }
        loop {
            if self.at >= text.len() {
                return if at_end { self.end_sheet(text) } else { Ok(Split::More) };
            }
            match self.step(text, at_end)? {
                Step::On => {}
                Step::More => return Ok(Split::More),
                Step::Statement(end, consumed) => return Ok(self.piece(text, end, consumed)),
            }
        }
    }
}

fn fault(message: impl Into<String>, at: usize) -> Error {
    Error::new(Class::Syntax, message).at(at)
}

fn nul(at: usize) -> Error {
    fault("there is a NUL byte in the sheet, at which SQLite would stop reading; save the sheet as UTF-8", at)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

impl SqliteSplitter {
    /// Passes over a byte order mark. False where the text is too short to tell.
    fn begin_sheet(&mut self, text: &[u8], at_end: bool) -> Result<bool, Error> {
        if text.starts_with(b"\xFF\xFE") || text.starts_with(b"\xFE\xFF") {
            return Err(fault("the sheet is UTF-16; save it as UTF-8", 0));
        }
        if text.len() < BYTE_ORDER_MARK.len() && !at_end {
            return Ok(false);
        }
        if text.starts_with(BYTE_ORDER_MARK) {
            self.at = BYTE_ORDER_MARK.len();
        }
        self.begun = true;
        Ok(true)
    }

    fn piece(&mut self, text: &[u8], end: usize, consumed: usize) -> Split {
        let start = self.start.take().unwrap_or(end);
        let statement = text.get(start..end).unwrap_or_default();
        let length =
            statement.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
        let (kind, flags) = std::mem::take(&mut self.head).classify();
        self.at = 0;
        self.body = Body::Start;
        Split::Piece(Piece { kind, flags, start, end: start + length, consumed })
    }

    fn end_sheet(&mut self, text: &[u8]) -> Result<Split, Error> {
        match self.inside {
            Inside::BlockComment { begun } => {
                return Err(fault(
                    "the sheet ends inside the comment that begins here; close it by */",
                    begun,
                ));
            }
            Inside::Quote { closing, begun } => {
                let closing = char::from(closing);
                return Err(fault(
                    format!("the sheet ends inside the quote that begins here; close it by {closing}"),
                    begun,
                ));
            }
            Inside::LineComment | Inside::Word | Inside::Nothing => {}
        }
        self.inside = Inside::Nothing;
        match self.start {
            None => Ok(Split::End),
            Some(at) if self.body.is_open() => {
                Err(fault("the sheet ends inside the trigger that begins here; its body ends with END;", at))
            }
            Some(_) => Ok(self.piece(text, text.len(), text.len())),
        }
    }

    fn step(&mut self, text: &[u8], at_end: bool) -> Result<Step, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        match self.inside {
            Inside::Nothing => self.plain(rest, at_end),
            Inside::LineComment => self.line_comment(rest),
            Inside::BlockComment { .. } => self.block_comment(rest, at_end),
            Inside::Quote { closing, .. } => self.quote(rest, closing, at_end),
            Inside::Word => {
                let length = rest.iter().position(|byte| !is_word(*byte));
                self.at += length.unwrap_or(rest.len());
                if length.is_some() {
                    self.inside = Inside::Nothing;
                }
                Ok(Step::On)
            }
        }
    }

    fn line_comment(&mut self, rest: &[u8]) -> Result<Step, Error> {
        match memchr2(b'\n', 0, rest) {
            Some(ahead) if rest.get(ahead) == Some(&0) => return Err(nul(self.at + ahead)),
            Some(ahead) => {
                self.at += ahead;
                self.inside = Inside::Nothing;
            }
            None => self.at += rest.len(),
        }
        Ok(Step::On)
    }

    fn block_comment(&mut self, rest: &[u8], at_end: bool) -> Result<Step, Error> {
        for ahead in memchr2_iter(b'*', 0, rest) {
            match (rest.get(ahead), rest.get(ahead + 1)) {
                (Some(0), _) => return Err(nul(self.at + ahead)),
                (_, Some(b'/')) => {
                    self.at += ahead + 2;
                    self.inside = Inside::Nothing;
                    return Ok(Step::On);
                }
                (_, None) if !at_end => {
                    self.at += ahead;
                    return Ok(Step::More);
                }
                _ => {}
            }
        }
        self.at += rest.len();
        Ok(Step::On)
    }

    fn quote(&mut self, rest: &[u8], closing: u8, at_end: bool) -> Result<Step, Error> {
        let Some(ahead) = memchr2(closing, 0, rest) else {
            self.at += rest.len();
            return Ok(Step::On);
        };
        if rest.get(ahead) == Some(&0) {
            return Err(nul(self.at + ahead));
        }
        match rest.get(ahead + 1) {
            // Doubled, it stands for itself; a bracket cannot be.
            Some(next) if *next == closing && closing != b']' => self.at += ahead + 2,
            None if !at_end && closing != b']' => {
                self.at += ahead;
                return Ok(Step::More);
            }
            _ => {
                self.at += ahead + 1;
                self.inside = Inside::Nothing;
            }
        }
        Ok(Step::On)
    }

    /// One step outside quotes and comments.
    fn plain(&mut self, rest: &[u8], at_end: bool) -> Result<Step, Error> {
        if self.line == Line::Text && self.head.is_settled() && self.body.needs_no_words() {
            let dull = rest.iter().position(|byte| MEANS_SOMETHING[usize::from(*byte)]);
            match dull {
                None => {
                    self.at += rest.len();
                    return Ok(Step::On);
                }
                Some(dull) if dull > 0 => {
                    self.at += dull;
                    return Ok(Step::On);
                }
                Some(_) => {}
            }
        }
        let (byte, next) = (rest.first().copied().unwrap_or(0), rest.get(1).copied());
        if matches!(byte, b'-' | b'/') && next.is_none() && !at_end {
            return Ok(Step::More);
        }
        match byte {
            b'\n' => {
                self.line = Line::Begin;
                self.at += 1;
            }
            b' ' | b'\t' | b'\r' | 0x0C => {
                if self.line == Line::Begin {
                    self.line = Line::Blanks;
                }
                self.at += 1;
            }
            0 => return Err(nul(self.at)),
            b'-' if next == Some(b'-') => self.skip(2, Inside::LineComment),
            b'/' if next == Some(b'*') => self.skip(2, Inside::BlockComment { begun: self.at }),
            // The shell takes such a line for a comment, but only between statements.
            b'#' if self.line == Line::Begin && self.start.is_none() => self.skip(1, Inside::LineComment),
            b'.' if self.line != Line::Text && self.start.is_none() => {
                return shell::dot_command(rest, at_end).map_or(Ok(Step::More), |what| Err(what.at(self.at)));
            }
            b'/' | b'g' | b'G' if self.line != Line::Text && !self.body.is_open() => {
                match shell::line_end(rest, at_end) {
                    LineEnd::Unknown => return Ok(Step::More),
                    LineEnd::No => return Ok(self.token(rest, byte, at_end)),
                    LineEnd::Yes { length } => return Ok(self.end_by_line(length)),
                }
            }
            b';' => return Ok(self.semicolon()),
            b'\'' | b'"' | b'`' | b'[' => {
                self.begin_token(None, byte);
                let closing = if byte == b'[' { b']' } else { byte };
                self.skip(1, Inside::Quote { closing, begun: self.at });
            }
            _ => return Ok(self.token(rest, byte, at_end)),
        }
        Ok(Step::On)
    }

    fn skip(&mut self, bytes: usize, inside: Inside) {
        self.line = Line::Text;
        self.inside = inside;
        self.at += bytes;
    }

    /// A line that ends what is before it; with nothing before it, it is nothing.
    fn end_by_line(&mut self, length: usize) -> Step {
        let end = self.at;
        self.at += length;
        self.line = Line::Text;
        if self.start.is_some() { Step::Statement(end, self.at) } else { Step::On }
    }

    fn semicolon(&mut self) -> Step {
        let end = self.at;
        self.at += 1;
        self.line = Line::Text;
        if self.body.semicolon() { Step::Statement(end, end + 1) } else { Step::On }
    }

    /// What every token does, whichever it is.
    fn begin_token(&mut self, word: Option<&[u8]>, byte: u8) {
        self.line = Line::Text;
        self.start.get_or_insert(self.at);
        self.body = self.body.after(word);
        match word {
            Some(word) => self.head.word(word),
            None => self.head.sign(byte),
        }
    }

    /// A word, or any other sign.
    fn token(&mut self, rest: &[u8], byte: u8, at_end: bool) -> Step {
        if self.start.is_none() && byte == 0xEF {
            // Where sheets were put together, a byte order mark stands in the middle: SQLite takes it for a blank.
            if rest.starts_with(BYTE_ORDER_MARK) {
                self.at += BYTE_ORDER_MARK.len();
                return Step::On;
            }
            if BYTE_ORDER_MARK.starts_with(rest) && !at_end {
                return Step::More;
            }
        }
        if !is_word(byte) {
            self.begin_token(None, byte);
            self.at += 1;
            return Step::On;
        }
        let length = rest.iter().position(|byte| !is_word(*byte));
        let whole = length.is_some() || at_end;
        if !whole && rest.len() <= WORD_BYTES_MAX {
            return Step::More;
        }
        let length = length.unwrap_or(rest.len());
        self.begin_token(Some(rest.get(..length.min(WORD_BYTES_MAX)).unwrap_or_default()), byte);
        self.at += length;
        if !whole {
            self.inside = Inside::Word;
        }
        Step::On
    }
}
