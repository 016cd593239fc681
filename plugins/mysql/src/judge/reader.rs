//! Reading a statement word by word: what comes next is asked for, and eaten where it is that.

use super::object::{Class, Object};
use super::words::{Dialect, Token, Words};

/// A statement, from where it is.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    words: Words<'a>,
    next: Option<Token<'a>>,
}

impl<'a> Reader<'a> {
    pub fn new(sql: &'a [u8], dialect: Dialect) -> Self {
        let mut words = Words::new(sql, dialect);
        let next = words.next();
        Self { words, next }
    }

    /// What comes next.
    pub fn peek(&self) -> Option<&Token<'a>> {
        self.next.as_ref()
    }

    /// Eats whatever comes next.
    pub fn take(&mut self) -> Option<Token<'a>> {
        std::mem::replace(&mut self.next, self.words.next())
    }

    /// Whether this word comes next.
    pub fn is(&self, word: &str) -> bool {
        matches!(&self.next, Some(Token::Word(next)) if next.eq_ignore_ascii_case(word))
    }

    /// Eats a word, if it comes next.
    pub fn eats(&mut self, word: &str) -> bool {
        let is = self.is(word);
        if is {
            self.take();
        }
        is
    }

    /// Eats one of these words, if one comes next, and says which.
    pub fn eats_one<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        words.iter().copied().find(|word| self.eats(word))
    }

    /// Eats all of these words, if they come next in this order, or none.
    pub fn eats_all(&mut self, words: &[&str]) -> bool {
        let mut ahead = self.clone();
        let are = words.iter().all(|word| ahead.eats(word));
        if are {
            *self = ahead;
        }
        are
    }

    /// Eats a sign, if it comes next.
    pub fn sign(&mut self, sign: u8) -> bool {
        let is = self.next == Some(Token::Sign(sign));
        if is {
            self.take();
        }
        is
    }

    /// Eats a name.
    pub fn name(&mut self) -> Option<String> {
        match &self.next {
            Some(Token::Word(_) | Token::Quoted(_)) => match self.take() {
                Some(Token::Word(name)) => Some(name.into_owned()),
                Some(Token::Quoted(name)) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Eats `name` or `schema.name`; `current` is the schema where none is said.
    pub fn object(&mut self, class: Class, current: &str) -> Option<Object> {
        let first = self.name()?;
        if !self.sign(b'.') {
            return Some(Object::new(class, current, first));
        }
        let second = self.name()?;
        Some(Object::new(class, first, second))
    }

    /// Eats a list of such names.
    pub fn objects(&mut self, class: Class, current: &str) -> Option<Vec<Object>> {
        let mut objects = vec![self.object(class, current)?];
        while self.sign(b',') {
            objects.push(self.object(class, current)?);
        }
        Some(objects)
    }

    /// Eats an account: `user`, `'user'@'host'`, `user@host`; `host` is the one where none is said.
    pub fn account(&mut self, host: &str) -> Option<Object> {
        let name = match self.take()? {
            Token::Word(name) => name.into_owned(),
            Token::Quoted(name) | Token::Text(name) => name,
            Token::Sign(_) => return None,
        };
        if self.next != Some(Token::Sign(b'@')) {
            return Some(Object::new(Class::User, host, name));
        }
        // What is next is read already; the host is read in its own way.
        let host = self.words.host()?;
        self.next = self.words.next();
        Some(Object::new(Class::User, host, name))
    }

    /// Eats everything up to the end, or to one of these words outside parentheses; says whether such a word comes next.
    pub fn skip_to(&mut self, words: &[&str]) -> bool {
        let mut depth = 0_u32;
        loop {
            match self.peek() {
                None => return false,
                Some(Token::Sign(b'(')) => depth += 1,
                Some(Token::Sign(b')')) => depth = depth.saturating_sub(1),
                Some(Token::Word(_)) if depth == 0 && words.iter().any(|word| self.is(word)) => return true,
                Some(_) => {}
            }
            self.take();
        }
    }

    /// Eats everything up to the next comma outside parentheses, and the comma; says whether there was one.
    pub fn skip_comma(&mut self) -> bool {
        let mut depth = 0_u32;
        while let Some(token) = self.take() {
            match token {
                Token::Sign(b'(') => depth += 1,
                Token::Sign(b')') => depth = depth.saturating_sub(1),
                Token::Sign(b',') if depth == 0 => return true,
                _ => {}
            }
        }
        false
    }
}
