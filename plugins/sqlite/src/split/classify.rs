//! What kind a statement is, from its first words. No quote, no comment and no end of statement is found here.

use super::pragma;
use runsheet_sdk::{Flags, Kind};

/// How many words are kept.
const WORDS_MAX: usize = 4;

/// The beginning of a statement.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Its first words in lower case, each with the sign before it.
    words: Vec<(String, u8)>,
    /// The last sign since the last word.
    sign: u8,
    /// How many parentheses are open.
    depth: u32,
    /// Whether more of the statement would tell nothing new.
    settled: bool,
    /// Whether a setting is given a value.
    assigns: bool,
}

impl Head {
    /// Whether no further word or sign is needed.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Takes a sign, or a quote's first byte.
    pub fn sign(&mut self, byte: u8) {
        if self.settled {
            return;
        }
        match byte {
            b'(' => self.depth = self.depth.saturating_add(1),
            b')' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.sign = byte;
        match self.first() {
            // No statement begins with a sign.
            "" => self.settled = true,
            "pragma" if matches!(byte, b'=' | b'(') => {
                self.assigns = true;
                self.settled = true;
            }
            _ => {}
        }
    }

    /// Takes a word, or the beginning of a long one.
    pub fn word(&mut self, word: &[u8]) {
        if self.settled {
            return;
        }
        let word = String::from_utf8_lossy(word).to_ascii_lowercase();
        let sign = std::mem::take(&mut self.sign);
        match self.first() {
            "" => {
                // Of these, the first word says all.
                self.settled = !matches!(word.as_str(), "with" | "rollback" | "pragma");
                self.words.push((word, sign));
            }
            // The verb comes late: behind the tables' names and the parentheses with what they are.
            "with" => {
                let verbs = ["select", "values", "insert", "replace", "update", "delete"];
                if self.depth == 0 && verbs.contains(&word.as_str()) {
                    self.words.push((word, sign));
                    self.settled = true;
                }
            }
            _ => {
                self.words.push((word, sign));
                self.settled = self.words.len() == WORDS_MAX;
            }
        }
    }

    fn first(&self) -> &str {
        self.at(0)
    }

    fn at(&self, index: usize) -> &str {
        self.words.get(index).map_or("", |(word, _)| word.as_str())
    }

    /// The kind and the flags.
    pub fn classify(self) -> (Kind, Flags) {
        let plain = |kind| (kind, Flags::none());
        match self.first() {
            "begin" => plain(Kind::Begin),
            "commit" | "end" => plain(Kind::Commit),
            // ROLLBACK [TRANSACTION] TO …
            "rollback" if self.at(1) == "to" || self.at(2) == "to" => plain(Kind::Savepoint),
            "rollback" => plain(Kind::Rollback),
            "savepoint" | "release" => plain(Kind::Savepoint),
            "insert" | "update" | "delete" | "replace" => plain(Kind::Dml),
            "with" if matches!(self.at(1), "insert" | "replace" | "update" | "delete") => plain(Kind::Dml),
            "with" | "select" | "values" | "explain" => plain(Kind::Query),
            "create" | "alter" | "drop" => plain(Kind::Ddl),
            "analyze" | "reindex" => (Kind::Maintenance, Flags::REPEATABLE),
            "vacuum" => (Kind::Maintenance, Flags::ALONE.with(Flags::REPEATABLE)),
            "attach" | "detach" => (Kind::Session, Flags::ALONE.with(Flags::SESSION)),
            "pragma" => {
                // `PRAGMA main.user_version` names its database first.
                let name = match self.words.get(2) {
                    Some((name, b'.')) => name,
                    _ => self.at(1),
                };
                pragma::classify(name, self.assigns)
            }
            _ => plain(Kind::Other),
        }
    }
}
