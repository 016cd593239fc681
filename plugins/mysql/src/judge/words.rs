//! The words of a statement, as its server reads them: quotes, comments, and the code inside `/*! … */`. They are read one by one,
//! so that a long statement costs only as much as is looked at.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What one server or session reads differently from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dialect {
    pub mariadb: bool,
    /// Such as 101119 for 10.11.19, or 90704 for 9.7.4.
    pub version: u32,
    /// Whether a double quote begins a name.
    pub ansi_quotes: bool,
    /// Whether a backslash escapes in a text.
    pub escapes: bool,
}

impl Dialect {
    /// Of a server with this version, in a session with this mode.
    pub fn new(mariadb: bool, version: &str, sql_mode: &str) -> Self {
        let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0_u32);
        let version = next() * 10_000 + next() * 100 + next();
        let has = |mode: &str| sql_mode.split(',').any(|one| one.eq_ignore_ascii_case(mode));
        Self { mariadb, version, ansi_quotes: has("ANSI_QUOTES"), escapes: !has("NO_BACKSLASH_ESCAPES") }
    }

    /// Whether the code of `/*!VERSION … */` is run.
    fn runs(self, version: u32) -> bool {
        // MariaDB passes over what only a MySQL after the two had parted knows.
        let of_mysql = self.mariadb && (50_700..=99_999).contains(&version);
        version <= self.version && !of_mysql
    }
}

/// One word, name, text or sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A keyword, a name without quotes, or a number.
    Word(Cow<'a, str>),
    /// A name in quotes.
    Quoted(String),
    /// A text in quotes.
    Text(String),
    /// Anything else.
    Sign(u8),
}

/// The words of a statement, from where it is.
#[derive(Clone)]
pub(crate) struct Words<'a> {
    sql: &'a [u8],
    at: usize,
    dialect: Dialect,
    /// Inside `/*! … */` whose code is run.
    conditional: bool,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

impl<'a> Words<'a> {
    pub fn new(sql: &'a [u8], dialect: Dialect) -> Self {
        Self { sql, at: 0, dialect, conditional: false }
    }

    fn rest(&self) -> &'a [u8] {
        self.sql.get(self.at..).unwrap_or_default()
    }

    pub fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            let byte = *rest.first()?;
            match byte {
                _ if byte.is_ascii_whitespace() || byte == 0x0B => self.at += 1,
                b'#' => self.line(),
                b'-' if rest.get(1) == Some(&b'-') && rest.get(2).is_none_or(|third| *third <= b' ') => {
                    self.line();
                }
                b'/' if rest.get(1) == Some(&b'*') => self.comment(rest),
                b'*' if self.conditional && rest.get(1) == Some(&b'/') => {
                    self.conditional = false;
                    self.at += 2;
                }
                b'`' => return Some(Token::Quoted(self.quoted(byte, false))),
                b'"' if self.dialect.ansi_quotes => return Some(Token::Quoted(self.quoted(byte, false))),
                b'"' | b'\'' => return Some(Token::Text(self.quoted(byte, self.dialect.escapes))),
                _ if is_word(byte) => return Some(Token::Word(self.run(is_word))),
                _ => {
                    self.at += 1;
                    return Some(Token::Sign(byte));
                }
            }
        }
    }

    /// The host behind the `@` of an account, which may have dots in it.
    pub fn host(&mut self) -> Option<String> {
        let host = self.run(|byte| is_word(byte) || byte == b'.');
        if !host.is_empty() {
            return Some(host.into_owned());
        }
        match self.next()? {
            Token::Word(name) => Some(name.into_owned()),
            Token::Quoted(name) | Token::Text(name) => Some(name),
            Token::Sign(_) => None,
        }
    }

    fn run(&mut self, fits: impl Fn(u8) -> bool) -> Cow<'a, str> {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len());
        self.at += length;
        String::from_utf8_lossy(rest.get(..length).unwrap_or_default())
    }

    fn line(&mut self) {
        let rest = self.rest();
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    /// A comment, or the beginning of code that only some servers run.
    fn comment(&mut self, rest: &[u8]) {
        let code = match rest.get(2..4) {
            Some([b'!', _]) => Some(3),
            Some(b"M!") if self.dialect.mariadb => Some(4),
            _ => None,
        };
        if let Some(prefix) = code {
            let digits = rest.get(prefix..).unwrap_or_default();
            let count = digits.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
            let number = std::str::from_utf8(digits.get(..count).unwrap_or_default()).unwrap_or_default();
            if count < 5 || self.dialect.runs(number.parse().unwrap_or(u32::MAX)) {
                self.conditional = true;
                self.at += prefix + if count < 5 { 0 } else { count };
                return;
            }
        }
        let end = memchr::memmem::find(rest.get(2..).unwrap_or_default(), b"*/");
        self.at += end.map_or(rest.len(), |end| end + 4);
    }

    fn quoted(&mut self, quote: u8, escapes: bool) -> String {
        let rest = self.rest().get(1..).unwrap_or_default();
        let mut bytes = Vec::new();
        let mut at = 0;
        while let Some(byte) = rest.get(at).copied() {
            let next = rest.get(at + 1).copied();
            if byte == quote && next != Some(quote) {
                at += 1;
                break;
            }
            let doubled = byte == quote;
            let escaped = escapes && byte == b'\\';
            bytes.push(if escaped { next.unwrap_or(byte) } else { byte });
            at += if doubled || escaped { 2 } else { 1 };
        }
        self.at += 1 + at;
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARIADB: Dialect = Dialect { mariadb: true, version: 101_119, ansi_quotes: false, escapes: true };
    const MYSQL: Dialect = Dialect { mariadb: false, version: 90_704, ..MARIADB };

    fn read(dialect: Dialect, sql: &str) -> String {
        let mut words = Words::new(sql.as_bytes(), dialect);
        let mut text = Vec::new();
        while let Some(token) = words.next() {
            text.push(match token {
                Token::Word(word) => word.into_owned(),
                Token::Quoted(name) => format!("<{name}>"),
                Token::Text(content) => format!("'{content}'"),
                Token::Sign(sign) => char::from(sign).to_string(),
            });
        }
        text.join(" ")
    }

    #[test]
    fn quotes_and_comments_are_read_as_the_server_reads_them() {
        assert_eq!(read(MYSQL, "DROP /* a */ TABLE `a``b`.c -- x\n, d # y"), "DROP TABLE <a`b> . c , d");
        assert_eq!(read(MYSQL, r#"SET x = 'a''b\'c', y = "q""r""#), r#"SET x = 'a'b'c' , y = 'q"r'"#);
        assert_eq!(read(MYSQL, "a--b"), "a - - b");
        let ansi = Dialect { ansi_quotes: true, escapes: false, ..MYSQL };
        assert_eq!(read(ansi, r#"DROP TABLE "a", 'b\'"#), r"DROP TABLE <a> , 'b\'");
    }

    #[test]
    fn code_in_comments_is_read_where_the_server_runs_it() {
        assert_eq!(read(MYSQL, "/*!50003 CREATE*/ /*!50020 DEFINER=a*/ x"), "CREATE DEFINER = a x");
        assert_eq!(read(MYSQL, "/*!99999 a*/ b /*! c */ /*M! d */ e"), "b c e");
        assert_eq!(
            read(MARIADB, "/*!50701 a*/ b /*!100100 c */ /*M!100201 d */ /*M!110000 f*/ e"),
            "b c d e"
        );
        assert_eq!(read(MYSQL, "/*!080034 a*/ /*+ hint */ b"), "a b");
    }

    #[test]
    fn versions_and_modes_make_the_dialect() {
        let read = Dialect::new(true, "10.11.19-MariaDB-log", "STRICT_TRANS_TABLES,ANSI_QUOTES");
        assert_eq!(read, Dialect { ansi_quotes: true, ..MARIADB });
        assert_eq!(Dialect::new(false, "9.7.4-2", ""), MYSQL);
    }
}
