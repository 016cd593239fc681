//! The scanner: byte by byte through quotes, comments and what is code, as the client goes. It finds ends, and judges no statement.

use super::client::{self, Command};
use super::{Inside, MySqlSplitter, Stop, fault};
use memchr::memchr2;
use runsheet_sdk::Error;

/// A word that is longer means nothing, and its end is not waited for.
const WORD_BYTES_MAX: usize = 1024;
/// The longest line that is looked at for a command of the client.
pub(super) const LINE_BYTES_MAX: usize = 4096;
/// How the first line of a newer `mariadb-dump` begins: its client's own command in a comment that no server reads.
const SANDBOX: &[u8] = b"/*M!999999\\-";

/// The bytes that can stand in a word.
const WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] =
            byte >= 0x80 || matches!(byte as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$');
        byte += 1;
    }
    table
};

fn is_word(byte: u8) -> bool {
    WORD[usize::from(byte)]
}

impl MySqlSplitter {
    pub(super) fn scan(&mut self, text: &[u8], at_end: bool) -> Result<Stop, Error> {
        // The longest sign that is looked for at one place.
        let look_ahead = self.delimiter.len().max(SANDBOX.len());
        while let Some(byte) = text.get(self.at).copied() {
            if !at_end && self.at + look_ahead > text.len() {
                return Ok(Stop::More);
            }
            let next = text.get(self.at + 1).copied();
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
                Inside::BlockComment(_) => {
                    if byte == b'*' && next == Some(b'/') {
                        self.at += 2;
                        self.inside = Inside::Nothing;
                    } else {
                        let rest = text.get(self.at + 1..).unwrap_or_default();
                        self.at += 1 + memchr::memchr(b'*', rest).unwrap_or(rest.len());
                    }
                }
                Inside::Quote(quote, _) => {
                    let quote = *quote;
                    self.quoted(text, byte, next, quote);
                }
                Inside::Dollar(tag, _) => {
                    let found = memchr::memmem::find(text.get(self.at..).unwrap_or_default(), tag);
                    let tag_bytes = tag.len();
                    match found {
                        Some(ahead) => {
                            self.at += ahead + tag_bytes;
                            self.inside = Inside::Nothing;
                        }
                        None if at_end => self.at = text.len(),
                        None => {
                            // The tag's own beginning may stand at the text's end.
                            self.at = self.at.max(text.len().saturating_sub(tag_bytes));
                            return Ok(Stop::More);
                        }
                    }
                }
                Inside::Word => {
                    let (length, whole) = self.word_length(text.get(self.at..).unwrap_or_default(), at_end);
                    self.at += length;
                    if whole {
                        self.inside = Inside::Nothing;
                    } else if self.at < text.len() {
                        return Ok(Stop::More);
                    }
                }
            }
        }
        Ok(Stop::More)
    }

    fn quoted(&mut self, text: &[u8], byte: u8, next: Option<u8>, quote: u8) {
        let escapes = self.strings.escape_in(quote);
        if byte == quote && next == Some(quote) {
            self.at += 2;
        } else if byte == quote {
            self.at += 1;
            self.inside = Inside::Nothing;
        } else if escapes && byte == b'\\' {
            self.at += 2.min(text.len() - self.at);
        } else {
            let rest = text.get(self.at + 1..).unwrap_or_default();
            let found = if escapes { memchr2(quote, b'\\', rest) } else { memchr::memchr(quote, rest) };
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
        if rest.starts_with(&self.delimiter) && !self.is_cut {
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
            0 => return Err(fault("there is a NUL byte in the sheet, outside of any string", self.at)),
            // Under another delimiter the client sends several statements at once, which are taken apart here.
            b';' if self.conditional.is_none() && !self.words.has_body() => {
                self.at += 1;
                self.gathers = true;
                return Ok(self.start.map(|_| Stop::Statement(self.at - 1, self.at)));
            }
            b'#' => self.inside = Inside::LineComment,
            // Before a statement the client takes even `--this` for a comment.
            b'-' if next == Some(b'-')
                && (self.gathers_nothing() || rest.get(2).is_none_or(|third| *third <= b' ')) =>
            {
                self.inside = Inside::LineComment;
            }
            b'/' if next == Some(b'*') => self.comment(rest),
            b'*' if next == Some(b'/') && self.conditional.is_some() => {
                self.conditional = None;
                self.at += 2;
            }
            b'\'' | b'"' | b'`' => {
                self.begin();
                self.words.quoted();
                self.inside = Inside::Quote(byte, self.at);
                self.at += 1;
            }
            b'\\' => return self.backslash(next),
            b'$' if self.words.may_quote_by_dollars() => return Ok(self.dollar(rest, at_end)),
            _ if is_word(byte) => return self.word(text, at_end, line_start),
            _ => {
                self.begin();
                self.words.sign(byte);
                self.at += 1;
            }
        }
        Ok(None)
    }

    /// Whether the client has nothing yet of what it would send next.
    fn gathers_nothing(&self) -> bool {
        self.start.is_none() && !self.gathers
    }

    fn begin(&mut self) {
        self.start.get_or_insert(self.at);
    }

    fn delimited(&mut self) -> Result<Option<Stop>, Error> {
        let end = self.at;
        if let Some(at) = self.conditional {
            let delimiter = String::from_utf8_lossy(&self.delimiter).into_owned();
            let message = format!(
                "the delimiter `{delimiter}` stands inside the comment /*! … */ that begins here, where the client would cut it in two; set another DELIMITER before it"
            );
            return Err(fault(message, at));
        }
        self.at += self.delimiter.len();
        self.gathers = false;
        // Delimiters by themselves are nothing.
        Ok(self.start.map(|_| Stop::Statement(end, self.at)))
    }

    /// A comment; or code that only some versions run.
    fn comment(&mut self, rest: &[u8]) {
        let mark = match rest {
            [b'/', b'*', b'!', ..] => 3,
            [b'/', b'*', b'M', b'!', ..] if !rest.starts_with(SANDBOX) => 4,
            _ => {
                self.inside = Inside::BlockComment(self.at);
                self.at += 2;
                return;
            }
        };
        self.begin();
        self.conditional = Some(self.at);
        // The version is no word of the statement; it has six digits at most.
        let digits = rest.iter().skip(mark).take(6).take_while(|byte| byte.is_ascii_digit()).count();
        self.at += mark + digits;
    }

    /// `\G` and `\g` end a statement and `\N` is NULL; every other backslash outside quotes is a command of the client.
    fn backslash(&mut self, next: Option<u8>) -> Result<Option<Stop>, Error> {
        match next {
            Some(b'g' | b'G') => {
                let end = self.at;
                self.at += 2;
                self.gathers = false;
                Ok(self.start.map(|_| Stop::Statement(end, end + 2)))
            }
            Some(b'N') => {
                self.begin();
                self.at += 2;
                Ok(None)
            }
            Some(other) => Err(client::refuse(&format!("\\{}", char::from(other))).at(self.at)),
            None => Err(client::refuse("\\").at(self.at)),
        }
    }

    /// `$tag$`, behind which the body of a routine in another language stands; or else a word.
    fn dollar(&mut self, rest: &[u8], at_end: bool) -> Option<Stop> {
        let body = rest.get(1..rest.len().min(WORD_BYTES_MAX)).unwrap_or_default();
        let length = body.iter().position(|byte| !is_word(*byte) || *byte == b'$');
        if length.is_none() && !at_end && rest.len() < WORD_BYTES_MAX {
            return Some(Stop::More);
        }
        self.begin();
        match length {
            Some(length) if body.get(length) == Some(&b'$') => {
                self.inside = Inside::Dollar(rest.get(..length + 2).unwrap_or_default().to_vec(), self.at);
                self.at += length + 2;
            }
            _ => self.at += 1,
        }
        self.words.quoted();
        None
    }

    /// How long the word is that the text begins with, up to what is no word or up to the delimiter, and whether that is its end.
    fn word_length(&self, rest: &[u8], at_end: bool) -> (usize, bool) {
        let plain = rest.iter().position(|byte| !is_word(*byte));
        let length = plain.unwrap_or(rest.len());
        if !self.delimiter.first().is_some_and(|byte| is_word(*byte)) {
            return (length, plain.is_some() || at_end);
        }
        // A delimiter that begins with a letter ends a word, as it ends everything else, and may go on behind it.
        let reach = rest.get(..(length + self.delimiter.len() - 1).min(rest.len())).unwrap_or_default();
        match memchr::memmem::find(reach, &self.delimiter) {
            Some(ahead) => (ahead, true),
            None if at_end || reach.len() == length + self.delimiter.len() - 1 => {
                (length, plain.is_some() || at_end)
            }
            None => (length.min(rest.len().saturating_sub(self.delimiter.len() - 1)), false),
        }
    }

    fn word(&mut self, text: &[u8], at_end: bool, line_start: bool) -> Result<Option<Stop>, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        let known = rest.get(..rest.len().min(WORD_BYTES_MAX)).unwrap_or_default();
        let (length, whole) = self.word_length(known, at_end && known.len() == rest.len());
        if !whole && known.len() < WORD_BYTES_MAX {
            self.line_start = line_start;
            return Ok(Some(Stop::More));
        }
        let word = known.get(..length).unwrap_or_default();
        if self.start.is_none() && client::is_command(word) {
            match client::line(rest.get(..rest.len().min(LINE_BYTES_MAX)).unwrap_or_default(), at_end) {
                None => {
                    self.line_start = line_start;
                    return Ok(Some(Stop::More));
                }
                Some(line) => {
                    if let Some(stop) = self.command(word, line, line_start)? {
                        return Ok(stop);
                    }
                }
            }
        }
        self.begin();
        self.words.push(word);
        self.at += length;
        if !whole {
            self.inside = Inside::Word;
        }
        Ok(None)
    }

    /// What a line is that begins like a command of the client: nothing where it is a statement after all.
    fn command(&mut self, word: &[u8], line: &[u8], line_start: bool) -> Result<Option<Option<Stop>>, Error> {
        let at_line_start = line_start && !self.gathers;
        let command = client::command(word, line, at_line_start, &self.delimiter);
        match command.map_err(|error| error.at(self.at))? {
            Command::Statement => Ok(None),
            Command::Delimiter(delimiter) => {
                self.delimiter = delimiter;
                self.at += line.len();
                Ok(Some(None))
            }
            Command::Use => {
                self.begin();
                self.words.push(word);
                self.at += line.len();
                Ok(Some(Some(Stop::Statement(self.at, self.at))))
            }
        }
    }
}
