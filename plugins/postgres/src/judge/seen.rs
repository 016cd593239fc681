//! What was seen of a subject: named facts, as text that is kept with the intent and as a sentence for people.

use std::collections::BTreeMap;

/// How many facts a summary names.
const NAMED_MAX: usize = 8;
/// The most that is kept as text; what does not fit is counted, so that a comparison still sees a difference.
const TEXT_BYTES_MAX: usize = 48 * 1024;

/// The fact that says which server was asked.
pub(super) const SERVER: &str = "server";

/// Facts by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen(BTreeMap<String, String>);

impl Seen {
    /// Adds a fact.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// The value of a fact.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Facts whose names begin so.
    pub fn all<'s>(&'s self, begin: &'s str) -> impl Iterator<Item = (&'s str, &'s str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(move |(name, _)| name.starts_with(begin))
    }

    /// Whether a fact of this name is known, whatever it says.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// As text, a line for each fact.
    pub fn text(&self) -> String {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t");
        let mut text = String::new();
        for (at, (name, value)) in self.0.iter().enumerate() {
            if text.len() > TEXT_BYTES_MAX {
                text.push_str(&format!("more\t{}\n", self.0.len() - at));
                break;
            }
            text.push_str(&format!("{}\t{}\n", escaped(name), escaped(value)));
        }
        text
    }

    /// Back from text. Lines that are no facts are left out.
    pub fn parse(text: &str) -> Self {
        let whole = |text: &str| {
            let mut whole = String::new();
            let mut characters = text.chars();
            while let Some(character) = characters.next() {
                match (character, character == '\\') {
                    (_, true) => match characters.next() {
                        Some('n') => whole.push('\n'),
                        Some('t') => whole.push('\t'),
                        Some(other) => whole.push(other),
                        None => {}
                    },
                    (character, false) => whole.push(character),
                }
            }
            whole
        };
        let facts = text.lines().filter_map(|line| line.split_once('\t'));
        Self(facts.map(|(name, value)| (whole(name), whole(value))).collect())
    }

    /// For people.
    pub fn summary(&self) -> String {
        let facts: Vec<String> = self
            .0
            .iter()
            .filter(|(name, _)| *name != SERVER)
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let shown = facts.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        match facts.len().saturating_sub(NAMED_MAX) {
            0 => shown,
            more => format!("{shown}, and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_being_kept_as_text() {
        let mut seen = Seen::default();
        seen.add("index 1 \"a\tb\\\n\"", "valid");
        seen.add(SERVER, "7");
        assert_eq!(Seen::parse(&seen.text()), seen);
        assert_eq!(seen.summary(), "index 1 \"a\tb\\\n\" valid");
    }
}
