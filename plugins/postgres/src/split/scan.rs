//! The scanner: byte by byte through quotes, comments and what is code, as psql's lexer goes. It finds ends, and judges no statement.

use super::token::{BYTES_MAX, Dollar, Prefix, dollar, is_word, is_word_start, number, string_prefix};
use super::{Inside, PostgresSplitter, Stop, client, fault, nul};
use memchr::{memchr2, memchr3};
use runsheet_sdk::Error;

impl PostgresSplitter {
    pub(super) fn scan(&mut self, text: &[u8], at_end: bool) -> Result<Stop, Error> {
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
                Inside::LineComment => self.line_comment(text)?,
                Inside::BlockComment(depth, begun) => {
                    let (depth, begun) = (*depth, *begun);
                    self.comment(text, byte, next, depth, begun)?;
                }
                Inside::Quote(quote, escapes, _) => {
                    let (quote, escapes) = (*quote, *escapes);
                    self.quoted(text, byte, next, quote, escapes)?;
                }
                Inside::Dollar(tag, _) => {
                    let tag = tag.clone();
                    if !self.dollar_quoted(text, &tag, at_end)? {
                        return Ok(Stop::More);
                    }
                }
                Inside::Word => {
                    let rest = text.get(self.at..).unwrap_or_default();
                    match rest.iter().position(|byte| !is_word(*byte)) {
                        Some(length) => {
                            self.at += length;
                            self.inside = Inside::Nothing;
                        }
                        None => self.at = text.len(),
                    }
                }
            }
        }
        Ok(Stop::More)
    }

    /// A carriage return ends a comment too.
    fn line_comment(&mut self, text: &[u8]) -> Result<(), Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        match memchr3(b'\n', b'\r', 0, rest) {
            Some(ahead) if rest.get(ahead) == Some(&0) => return Err(nul(self.at + ahead)),
            Some(ahead) => {
                self.at += ahead;
                self.inside = Inside::Nothing;
            }
            None => self.at = text.len(),
        }
        Ok(())
    }

    fn comment(
        &mut self,
        text: &[u8],
        byte: u8,
        next: Option<u8>,
        depth: u32,
        begun: usize,
    ) -> Result<(), Error> {
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
            (0, _) => return Err(nul(self.at)),
            _ => {
                let rest = text.get(self.at + 1..).unwrap_or_default();
                self.at += 1 + memchr3(b'*', b'/', 0, rest).unwrap_or(rest.len());
            }
        }
        Ok(())
    }

    fn quoted(
        &mut self,
        text: &[u8],
        byte: u8,
        next: Option<u8>,
        quote: u8,
        escapes: bool,
    ) -> Result<(), Error> {
        if byte == quote && next == Some(quote) {
            self.at += 2;
        } else if byte == quote {
            self.at += 1;
            self.inside = Inside::Nothing;
        } else if byte == 0 || (escapes && byte == b'\\' && next == Some(0)) {
            return Err(nul(self.at + usize::from(byte != 0)));
        } else if escapes && byte == b'\\' {
            self.at += 2.min(text.len() - self.at);
        } else {
            let rest = text.get(self.at + 1..).unwrap_or_default();
            let found = if escapes { memchr3(quote, b'\\', 0, rest) } else { memchr2(quote, 0, rest) };
            self.at += 1 + found.unwrap_or(rest.len());
        }
        Ok(())
    }

    /// False where more is needed.
    fn dollar_quoted(&mut self, text: &[u8], tag: &[u8], at_end: bool) -> Result<bool, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        let found = memchr::memmem::find(rest, tag);
        let looked_at = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
        if let Some(ahead) = memchr::memchr(0, looked_at) {
            return Err(nul(self.at + ahead));
        }
        match found {
            Some(ahead) => {
                self.at += ahead + tag.len();
                self.inside = Inside::Nothing;
            }
            None if at_end => self.at = text.len(),
            None => {
                // The tag's own beginning may stand at the text's end.
                self.at = self.at.max(text.len().saturating_sub(tag.len()));
                return Ok(false);
            }
        }
        Ok(true)
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
            0 => return Err(nul(self.at)),
            b'-' if next == Some(b'-') => self.inside = Inside::LineComment,
            b'/' if next == Some(b'*') => {
                self.inside = Inside::BlockComment(1, self.at);
                self.at += 2;
            }
            b';' => {
                let end = self.at;
                self.at += 1;
                self.last = byte;
                // Semicolons by themselves are nothing.
                if self.start.is_some() && self.parentheses == 0 && self.body == 0 {
                    return Ok(Some(Stop::Statement(end, end + 1)));
                }
            }
            b'\\' => return self.meta_command(text, at_end),
            b'\'' => self.quote(byte, self.escapes),
            b'"' => self.quote(byte, false),
            b'$' => return self.dollar(text, at_end),
            b'(' => {
                self.sign(byte, 1);
                self.parentheses += 1;
            }
            b')' => {
                self.sign(byte, 1);
                self.parentheses = self.parentheses.saturating_sub(1);
            }
            b'[' => {
                self.sign(byte, 1);
                self.brackets += 1;
            }
            b']' => {
                self.sign(byte, 1);
                self.brackets = self.brackets.saturating_sub(1);
            }
            b':' if matches!(next, Some(b':' | b'=')) => self.sign(byte, 2),
            b':' => return self.colon(text, at_end),
            b'0'..=b'9' => return Ok(self.number(text, at_end)),
            _ if is_word(byte) => return Ok(self.word(text, at_end)),
            _ => self.sign(byte, 1),
        }
        Ok(None)
    }

    fn begin(&mut self, last: u8) {
        self.start.get_or_insert(self.at);
        self.last = last;
    }

    fn sign(&mut self, sign: u8, length: usize) {
        self.begin(sign);
        self.words.other();
        self.at += length;
    }

    fn quote(&mut self, quote: u8, escapes: bool) {
        self.begin(b'a');
        self.words.other();
        self.inside = Inside::Quote(quote, escapes, self.at);
        self.at += 1;
    }

    /// `$tag$`, or a parameter, or a sign by itself.
    fn dollar(&mut self, text: &[u8], at_end: bool) -> Result<Option<Stop>, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        let Some(found) = dollar(rest, at_end) else {
            if rest.len() > BYTES_MAX {
                let message = format!("the tag of a dollar quote is longer than {BYTES_MAX} bytes");
                return Err(fault(message, self.at));
            }
            return Ok(Some(Stop::More));
        };
        self.begin(b'a');
        self.words.other();
        match found {
            Dollar::Tag(length) => {
                let tag = rest.get(..length).unwrap_or_default().to_vec();
                self.inside = Inside::Dollar(tag, self.at);
                self.at += length;
            }
            Dollar::Sign(length) => self.at += length,
        }
        Ok(None)
    }

    fn number(&mut self, text: &[u8], at_end: bool) -> Option<Stop> {
        let rest = text.get(self.at..).unwrap_or_default();
        let Some(length) = number(rest, at_end) else { return Some(Stop::More) };
        self.begin(b'a');
        self.words.other();
        self.at += length;
        None
    }

    fn word(&mut self, text: &[u8], at_end: bool) -> Option<Stop> {
        let rest = text.get(self.at..).unwrap_or_default();
        let length = rest.iter().take(BYTES_MAX + 1).position(|byte| !is_word(*byte));
        let whole = length.is_some() || (at_end && rest.len() <= BYTES_MAX);
        if !whole && rest.len() <= BYTES_MAX {
            return Some(Stop::More);
        }
        let length = length.unwrap_or(rest.len().min(BYTES_MAX));
        if length == 1 {
            match string_prefix(rest, at_end) {
                None => return Some(Stop::More),
                Some(Prefix::None) => {}
                Some(Prefix::Escapes) => {
                    self.begin(b'a');
                    self.at += 1;
                    self.quote(b'\'', true);
                    return None;
                }
                Some(Prefix::Plain(length)) => {
                    let quote = rest.get(length).copied().unwrap_or(b'\'');
                    self.begin(b'a');
                    self.at += length;
                    self.quote(quote, false);
                    return None;
                }
                Some(Prefix::National) => {
                    self.sign(b'a', 1);
                    return None;
                }
            }
        }
        let word = rest.get(..length).unwrap_or_default();
        self.begin(b'a');
        self.at += length;
        if !whole {
            self.inside = Inside::Word;
        }
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

    /// A colon that begins a variable of psql; in `a[1:n]` and `JSON_OBJECT('k':v)` it is the server's.
    fn colon(&mut self, text: &[u8], at_end: bool) -> Result<Option<Stop>, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        let behind = rest.get(1).copied().unwrap_or(b' ');
        let is_variable = matches!(behind, b'\'' | b'"' | b'{') || is_word_start(behind);
        let outside = self.parentheses == 0 && self.brackets == 0;
        if is_variable && (outside || b"(,=<>+-*/%|&!~^".contains(&self.last)) {
            return match client::variable(rest, at_end) {
                Some(error) => Err(error.at(self.at)),
                None => Ok(Some(Stop::More)),
            };
        }
        self.sign(b':', 1);
        Ok(None)
    }

    /// A backslash outside quotes is psql's. Two of its commands stand in every newer dump and mean nothing here.
    fn meta_command(&mut self, text: &[u8], at_end: bool) -> Result<Option<Stop>, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        match client::command(rest, at_end, self.start.is_none()) {
            None => Ok(Some(Stop::More)),
            Some(Ok(length)) => {
                self.at += length;
                Ok(None)
            }
            Some(Err(error)) => Err(error.at(self.at)),
        }
    }
}
