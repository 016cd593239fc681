//! Cutting a script as psql does: at semicolons outside quotes, comments, parentheses and `BEGIN ATOMIC` bodies; the rows of a COPY
//! come as pieces of their own.

mod classify;
mod rows;

use classify::Words;
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
    parentheses: u32,
    /// How deep in `BEGIN ATOMIC … END` and its CASEs.
    body: u32,
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
            parentheses: 0,
            body: 0,
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
                    return Ok(self.some_rows(text, begin, at_end));
                }
            },
            Expect::Rows => return Ok(self.some_rows(text, 0, at_end)),
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

impl PostgresSplitter {
    fn some_rows(&mut self, text: &[u8], begin: usize, at_end: bool) -> Split {
        match rows::next(text, begin, at_end) {
            None if begin > 0 => {
                // The line behind the COPY is done with; its rows have not come yet.
                self.expect = Expect::RowsLine;
                Split::More
            }
            None => Split::More,
            Some((piece, last)) => {
                if last {
                    self.expect = Expect::Statement;
                }
                Split::Piece(piece)
            }
        }
    }

    fn piece(&mut self, text: &[u8], end: usize, consumed: usize) -> Split {
        let start = self.start.take().unwrap_or(end);
        let statement = text.get(start..end).unwrap_or_default();
        let length =
            statement.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
        let (kind, flags) = std::mem::take(&mut self.words).classify(statement);
        self.at = 0;
        self.parentheses = 0;
        self.body = 0;
        if kind == Kind::Load {
            self.expect = Expect::RowsLine;
        }
        Split::Piece(Piece { kind, flags, start, end: start + length, consumed })
    }

    fn end(&mut self, text: &[u8]) -> Result<Split, Error> {
        let open = |what: String, at: usize| {
            Err(Error::new(Class::Syntax, format!("the sheet ends inside {what} that begins here")).at(at))
        };
        match &self.inside {
            Inside::BlockComment(_, at) => return open("a comment".to_owned(), *at),
            Inside::Quote(quote, _, at) => return open(format!("a {}-quote", char::from(*quote)), *at),
            Inside::Dollar(tag, at) => {
                return open(format!("the dollar quote {}", String::from_utf8_lossy(tag)), *at);
            }
            Inside::Nothing | Inside::LineComment => {}
        }
        match self.start {
            None => Ok(Split::End),
            Some(at) if self.body > 0 => open("a BEGIN ATOMIC body".to_owned(), at),
            Some(at) if self.parentheses > 0 => open("a statement with open parentheses".to_owned(), at),
            Some(_) => {
                self.words.refuse(self.start.unwrap_or(0))?;
                Ok(self.piece(text, text.len(), text.len()))
            }
        }
    }

    fn scan(&mut self, text: &[u8], at_end: bool) -> Result<Stop, Error> {
        while let Some(byte) = text.get(self.at).copied() {
            let next = text.get(self.at + 1).copied();
            if next.is_none() && !at_end {
                // Two bytes decide a comment, an escape or a doubled quote.
                return Ok(Stop::More);
            }
            match &self.inside {
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
                Inside::BlockComment(depth, begun) => {
                    let (depth, begun) = (*depth, *begun);
                    self.comment(text, byte, next, depth, begun);
                }
                Inside::Quote(quote, escapes, _) => {
                    let (quote, escapes) = (*quote, *escapes);
                    self.quoted(text, byte, next, quote, escapes);
                }
                Inside::Dollar(tag, _) => {
                    let rest = text.get(self.at..).unwrap_or_default();
                    match memchr::memmem::find(rest, tag) {
                        Some(ahead) => {
                            self.at += ahead + tag.len();
                            self.inside = Inside::Nothing;
                        }
                        // The tag's own beginning may stand at the text's end.
                        None if at_end => self.at = text.len(),
                        None => {
                            self.at = self.at.max(text.len().saturating_sub(tag.len()));
                            return Ok(Stop::More);
                        }
                    }
                }
            }
        }
        Ok(Stop::More)
    }

    fn comment(&mut self, text: &[u8], byte: u8, next: Option<u8>, depth: u32, begun: usize) {
        match (byte, next) {
            (b'*', Some(b'/')) => {
                self.inside =
                    if depth > 1 { Inside::BlockComment(depth - 1, begun) } else { Inside::Nothing };
                self.at += 2;
            }
            (b'/', Some(b'*')) => {
                self.inside = Inside::BlockComment(depth + 1, begun);
                self.at += 2;
            }
            _ => {
                let rest = text.get(self.at + 1..).unwrap_or_default();
                self.at += 1 + memchr::memchr2(b'*', b'/', rest).unwrap_or(rest.len());
            }
        }
    }

    fn quoted(&mut self, text: &[u8], byte: u8, next: Option<u8>, quote: u8, escapes: bool) {
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
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C => self.at += 1,
            0 => return Err(Error::new(Class::Syntax, "there is a NUL byte in the sheet").at(self.at)),
            b'-' if next == Some(b'-') => self.inside = Inside::LineComment,
            b'/' if next == Some(b'*') => {
                self.inside = Inside::BlockComment(1, self.at);
                self.at += 2;
            }
            b';' => {
                let end = self.at;
                self.at += 1;
                if self.start.is_some() && self.parentheses == 0 && self.body == 0 {
                    self.words.refuse(self.start.unwrap_or(end))?;
                    return Ok(Some(Stop::Statement(end, end + 1)));
                }
            }
            b'\\' => return self.meta_command(text, at_end),
            b'\'' | b'"' => self.quote(byte, false),
            b'$' => return Ok(self.dollar(text, at_end)),
            b'(' => {
                self.begin();
                self.parentheses += 1;
                self.at += 1;
            }
            b')' => {
                self.begin();
                self.parentheses = self.parentheses.saturating_sub(1);
                self.at += 1;
            }
            b':' if matches!(next, Some(b'\'' | b'"')) => {
                let message =
                    "`:'name'` is a variable of psql, which the server does not have; write the value itself";
                return Err(Error::new(Class::Syntax, message).at(self.at));
            }
            _ if is_word(byte) => return Ok(self.word(text, at_end)),
            _ => {
                self.begin();
                self.at += 1;
            }
        }
        Ok(None)
    }

    fn begin(&mut self) {
        self.start.get_or_insert(self.at);
    }

    fn quote(&mut self, quote: u8, escapes: bool) {
        self.begin();
        self.words.other();
        self.inside = Inside::Quote(quote, escapes, self.at);
        self.at += 1;
    }

    /// `$tag$`, or a parameter, or a sign by itself.
    fn dollar(&mut self, text: &[u8], at_end: bool) -> Option<Stop> {
        let rest = text.get(self.at + 1..).unwrap_or_default();
        let in_tag = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let length = rest.iter().position(|byte| !in_tag(byte)).unwrap_or(rest.len());
        if length == rest.len() && !at_end {
            return Some(Stop::More);
        }
        self.begin();
        let starts_with_digit = rest.first().is_some_and(u8::is_ascii_digit);
        if rest.get(length) == Some(&b'$') && !starts_with_digit {
            let end = self.at + length + 2;
            let tag = text.get(self.at..end).unwrap_or_default().to_vec();
            self.inside = Inside::Dollar(tag, self.at);
            self.at = end;
        } else {
            self.at += 1 + length;
        }
        None
    }

    fn word(&mut self, text: &[u8], at_end: bool) -> Option<Stop> {
        let rest = text.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
        if length == rest.len() && !at_end {
            return Some(Stop::More);
        }
        let word = rest.get(..length).unwrap_or_default();
        let next = rest.get(length);
        if next == Some(&b'\'') && matches!(word, b"e" | b"E") {
            self.begin();
            self.at += 1;
            self.quote(b'\'', true);
            return None;
        }
        self.begin();
        self.at += length;
        self.words.push(word, self.parentheses);
        if self.parentheses == 0 && self.words.makes_routine() {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            if is(b"begin") || (is(b"case") && self.body > 0) {
                self.body += 1;
            } else if is(b"end") {
                self.body = self.body.saturating_sub(1);
            }
        }
        None
    }

    /// A backslash outside quotes is psql's. Two of its commands stand in every newer dump and mean nothing here.
    fn meta_command(&mut self, text: &[u8], at_end: bool) -> Result<Option<Stop>, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        let line = match memchr::memchr(b'\n', rest) {
            Some(length) => length,
            None if at_end => rest.len(),
            None => return Ok(Some(Stop::More)),
        };
        let shown = String::from_utf8_lossy(rest.get(..line).unwrap_or_default()).into_owned();
        let command = shown.split_whitespace().next().unwrap_or("\\");
        if self.start.is_none() && matches!(command, "\\restrict" | "\\unrestrict") {
            self.at += line;
            return Ok(None);
        }
        let message = format!(
            "`{command}` is a command of psql, not of the server; take it out, or put what it does into the plan (a file that it includes is a sheet of its own)"
        );
        Err(Error::new(Class::Syntax, message).at(self.at))
    }
}
