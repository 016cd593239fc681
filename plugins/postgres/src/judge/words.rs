//! The words of a statement that cannot stand in a transaction, with names as the server reads them. Comments are skipped; what such
//! statements never have in front of their names (dollar quotes, operators) comes out as single signs.

/// A word, a name or a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A key word or a name without quotes, in lower case.
    Plain(String),
    /// A name in quotes, as it is.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// Anything else, byte by byte.
    Sign(char),
}

impl Word {
    /// Whether it is this key word.
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Self::Plain(plain) if plain == word)
    }

    /// The name that it can be.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Plain(name) | Self::Quoted(name) => Some(name),
            Self::Text(_) | Self::Sign(_) => None,
        }
    }
}

/// A place in the words, going forward.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    words: &'a [Word],
}

impl<'a> Reader<'a> {
    pub fn new(words: &'a [Word]) -> Self {
        Self { words }
    }

    /// Takes these key words, if they come next.
    pub fn take(&mut self, wanted: &[&str]) -> bool {
        let found =
            wanted.iter().enumerate().all(|(at, word)| self.words.get(at).is_some_and(|one| one.is(word)));
        if found {
            self.words = self.words.get(wanted.len()..).unwrap_or_default();
        }
        found
    }

    /// Takes a sign, if it comes next.
    pub fn sign(&mut self, sign: char) -> bool {
        let found = self.words.first() == Some(&Word::Sign(sign));
        if found {
            self.words = self.words.get(1..).unwrap_or_default();
        }
        found
    }

    /// The next word, whatever it is.
    pub fn next(&mut self) -> Option<&'a Word> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    /// Whether any of the words that are left is this one.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|one| one.is(word))
    }

    /// Whether a key word comes next.
    pub fn sees(&self, word: &str) -> bool {
        self.words.first().is_some_and(|one| one.is(word))
    }

    /// A name, with its schema where it has one.
    pub fn name(&mut self) -> Option<super::subject::Name> {
        let first = self.next()?.name()?.to_owned();
        if !self.sign('.') {
            return Some(super::subject::Name { schema: None, name: first });
        }
        let second = self.next()?.name()?.to_owned();
        // A database in front of the schema can only be the session's own.
        if self.sign('.') {
            let third = self.next()?.name()?.to_owned();
            return Some(super::subject::Name { schema: Some(second), name: third });
        }
        Some(super::subject::Name { schema: Some(first), name: second })
    }
}

/// Takes a statement apart.
pub(super) fn words(sql: &[u8]) -> Vec<Word> {
    let text = String::from_utf8_lossy(sql);
    let mut rest = text.as_ref();
    let mut words = Vec::new();
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.find('\n').map_or("", |end| comment.get(end..).unwrap_or_default());
        } else if rest.starts_with("/*") {
            rest = behind_comment(rest);
        } else if first.is_whitespace() {
            rest = rest.trim_start();
        } else if first == '"' || first == '\'' {
            let (inside, behind) = quoted(rest, first);
            words.push(if first == '"' { Word::Quoted(inside) } else { Word::Text(inside) });
            rest = behind;
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            words.push(Word::Plain(word.to_ascii_lowercase()));
            rest = behind;
        } else {
            words.push(Word::Sign(first));
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    words
}

/// What stands behind the comment, which may have others inside, that the text begins with.
fn behind_comment(text: &str) -> &str {
    let mut depth = 0_u32;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return text.get(at..).unwrap_or_default();
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    ""
}

/// What is inside the quotes that the text begins with, and what stands behind them. A doubled quote means one.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut inside = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character != quote {
            inside.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            inside.push(quote);
        } else {
            return (inside, text.get(at + 1..).unwrap_or_default());
        }
    }
    (inside, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_server_reads_them() {
        let found = words(b"DROP /* a /* b */ c */ INDEX -- so\n \"A \"\"b\"\"\".C'x''y';");
        let plain = |word: &str| Word::Plain(word.to_owned());
        assert_eq!(
            found,
            [
                plain("drop"),
                plain("index"),
                Word::Quoted("A \"b\"".to_owned()),
                Word::Sign('.'),
                plain("c"),
                Word::Text("x'y".to_owned()),
                Word::Sign(';')
            ]
        );
    }
}
