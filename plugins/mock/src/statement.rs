//! The statements: from text to what they ask for.

use runsheet_sdk::{Applied, Class, Error, Flags, Kind};
use std::borrow::Cow;
use std::time::Duration;

/// What a statement asks for; [the crate](crate) has the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Ok,
    Say(String),
    Rows(u64),
    Notice(u64),
    Sleep(Duration),
    Fail(Class, String),
    Lost(Applied),
    Panic(String),
    Create(String),
    Drop(String),
    Put(String, Vec<(String, String)>),
    Delete(String, String),
    Count(String),
    Load(String),
    Begin,
    Commit,
    Rollback,
    Alone(Box<Statement>),
    ReadOnly(bool),
    Temporary(String),
    SlowCommits(String, Duration),
    LoseCommit(bool),
    Kill(u64),
    Running(u64),
    Labelled(u64, String),
}

/// What the splitter says of a statement that begins with this word.
pub(crate) fn kind(word: &str) -> (Kind, Flags) {
    let none = Flags::none();
    match word {
        "create" | "drop" | "slow-commits" => (Kind::Ddl, none),
        "put" | "delete" | "rows" => (Kind::Dml, none),
        "count" | "sleep" | "running" | "labelled" => (Kind::Query, Flags::REPEATABLE),
        "load" => (Kind::Load, none),
        "begin" => (Kind::Begin, none),
        "commit" => (Kind::Commit, none),
        "rollback" => (Kind::Rollback, none),
        "alone" => (Kind::Ddl, Flags::ALONE.with(Flags::COMMITS)),
        "read-only" | "temporary" => (Kind::Session, Flags::SESSION),
        _ => (Kind::Other, none),
    }
}

/// A word or a semicolon of a text.
#[derive(Debug, PartialEq, Eq)]
struct Token<'t> {
    /// Nothing for a semicolon.
    word: Option<Cow<'t, str>>,
    at: usize,
}

fn wrong(message: impl Into<String>, at: usize) -> Error {
    Error::new(Class::Syntax, message).at(at)
}

/// The words and semicolons of a text, without comments.
fn tokens(text: &str) -> Result<Vec<Token<'_>>, Error> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(|c: char| c.is_ascii_whitespace()) {
            at += 1;
        } else if rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            at += 4 + comment.find("*/").ok_or_else(|| wrong("the comment does not end", at))?;
        } else if rest.starts_with(';') {
            found.push(Token { word: None, at });
            at += 1;
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            let length = quote_length(quoted).ok_or_else(|| wrong("the quote does not end", at))?;
            let word = Cow::Owned(quoted.get(..length).unwrap_or_default().replace("''", "'"));
            found.push(Token { word: Some(word), at });
            at += length + 2;
        } else {
            let ends = |c: char| c.is_ascii_whitespace() || matches!(c, ';' | '\'');
            let length = rest.find(ends).unwrap_or(rest.len());
            found.push(Token { word: rest.get(..length).map(Cow::Borrowed), at });
            at += length;
        }
    }
    Ok(found)
}

/// The bytes up to the quote that ends it; doubled ones stand for themselves.
fn quote_length(quoted: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let quote = from + quoted.get(from..)?.find('\'')?;
        match quoted.as_bytes().get(quote + 1) {
            Some(b'\'') => from = quote + 2,
            _ => return Some(quote),
        }
    }
}

/// The words of one statement that were not read yet.
struct Words<'t> {
    tokens: std::vec::IntoIter<Token<'t>>,
    end: usize,
}

impl<'t> Words<'t> {
    fn next(&mut self, what: &str) -> Result<(Cow<'t, str>, usize), Error> {
        match self.tokens.next() {
            Some(Token { word: Some(word), at }) => Ok((word, at)),
            _ => Err(wrong(format!("{what} is missing"), self.end)),
        }
    }

    fn text(&mut self, what: &str) -> Result<String, Error> {
        self.next(what).map(|(word, _)| word.into_owned())
    }

    fn number(&mut self, what: &str) -> Result<u64, Error> {
        let (word, at) = self.next(what)?;
        word.parse().map_err(|_| wrong(format!("`{word}` is no number"), at))
    }

    fn time(&mut self) -> Result<Duration, Error> {
        let (word, at) = self.next("a time")?;
        let (number, unit) = match (word.strip_suffix("ms"), word.strip_suffix('s')) {
            (Some(number), _) => (number, 1),
            (None, Some(number)) => (number, 1000),
            (None, None) => ("", 0),
        };
        let millis: Option<u64> = number.parse().ok();
        millis
            .map(|millis| Duration::from_millis(millis.saturating_mul(unit)))
            .ok_or_else(|| wrong(format!("`{word}` is no time; `200ms` is one, and `2s`"), at))
    }

    fn choice<T: Copy>(&mut self, choices: &[(&str, T)]) -> Result<T, Error> {
        let (word, at) = self.next("a word")?;
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        let known: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        found.ok_or_else(|| wrong(format!("`{word}` is none of {}", known.join(", ")), at))
    }

    fn rows(&mut self) -> Result<Vec<(String, String)>, Error> {
        let mut rows = Vec::new();
        while !self.tokens.as_slice().is_empty() {
            rows.push((self.text("a key")?, self.text("a value")?));
        }
        Ok(rows)
    }

    fn statement(&mut self) -> Result<Statement, Error> {
        let (word, at) = self.next("a statement")?;
        Ok(match word.as_ref() {
            "ok" => Statement::Ok,
            "say" => Statement::Say(self.text("a word")?),
            "rows" => Statement::Rows(self.number("how many")?),
            "notice" => Statement::Notice(self.number("how many")?),
            "sleep" => Statement::Sleep(self.time()?),
            "fail" => {
                let (class, at) = self.next("a class")?;
                let class = Class::from_word(&class).ok_or_else(|| wrong("there is no such class", at))?;
                Statement::Fail(class, self.text("a message")?)
            }
            "lost" => Statement::Lost(self.choice(&[
                ("no", Applied::No),
                ("yes", Applied::Yes),
                ("unknown", Applied::Unknown),
            ])?),
            "panic" => Statement::Panic(self.text("a message")?),
            "create" => Statement::Create(self.text("a table")?),
            "drop" => Statement::Drop(self.text("a table")?),
            "put" => Statement::Put(self.text("a table")?, self.rows()?),
            "delete" => Statement::Delete(self.text("a table")?, self.text("a key")?),
            "count" => Statement::Count(self.text("a table")?),
            "load" => Statement::Load(self.text("a table")?),
            "begin" => Statement::Begin,
            "commit" => Statement::Commit,
            "rollback" => Statement::Rollback,
            "alone" => Statement::Alone(Box::new(self.statement()?)),
            "read-only" => Statement::ReadOnly(self.choice(&[("on", true), ("off", false)])?),
            "temporary" => Statement::Temporary(self.text("a table")?),
            "slow-commits" => Statement::SlowCommits(self.text("a table")?, self.time()?),
            "lose-commit" => Statement::LoseCommit(self.choice(&[("yes", true), ("no", false)])?),
            "kill" => Statement::Kill(self.number("a session")?),
            "running" => Statement::Running(self.number("a session")?),
            "labelled" => Statement::Labelled(self.number("a session")?, self.text("a label")?),
            word => return Err(wrong(format!("`{word}` is no statement"), at)),
        })
    }
}

/// The statements of a text; as many as there are, so that who asks for one sees that there are more.
pub(crate) fn read(sql: &[u8]) -> Result<Vec<Statement>, Error> {
    let text =
        std::str::from_utf8(sql).map_err(|error| wrong("the text is not UTF-8", error.valid_up_to()))?;
    let mut statements = Vec::new();
    let mut rest = tokens(text)?;
    while !rest.is_empty() {
        let length = rest.iter().position(|token| token.word.is_none());
        let end = length.and_then(|length| rest.get(length)).map_or(text.len(), |token| token.at);
        let behind = rest.split_off(length.map_or(rest.len(), |length| length + 1));
        rest.truncate(length.unwrap_or(rest.len()));
        if !rest.is_empty() {
            let mut words = Words { tokens: rest.into_iter(), end };
            statements.push(words.statement()?);
            if let Some(token) = words.tokens.next() {
                let word = token.word.unwrap_or_default();
                return Err(wrong(format!("`{word}` is one word too many"), token.at));
            }
        }
        rest = behind;
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_and_comments_are_read() {
        let text = b"put t 'it''s; one' 2 -- a row\n/* ; */ 3 4; ok;";
        let rows = vec![("it's; one".to_owned(), "2".to_owned()), ("3".to_owned(), "4".to_owned())];
        assert_eq!(read(text), Ok(vec![Statement::Put("t".to_owned(), rows), Statement::Ok]));
        assert_eq!(read(b" ; -- nothing"), Ok(Vec::new()));
    }

    #[test]
    fn a_fault_is_at_its_byte() {
        let at = |text: &str| read(text.as_bytes()).map_err(|error| error.position);
        assert_eq!(at("say 'äöü' oops"), Err(Some("say 'äöü' ".len())));
        assert_eq!(at("sleep soon"), Err(Some(6)));
        assert_eq!(at("sleep"), Err(Some(5)));
        assert_eq!(at("ok; 'ü"), Err(Some(4)));
    }
}
