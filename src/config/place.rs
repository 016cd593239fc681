//! Where each key of a config was written, so that a fault can say it.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where keys were written: for each the file that has the last word on it.
#[derive(Clone, Debug, Default)]
pub struct Places(HashMap<String, Place>);

#[derive(Clone, Debug)]
struct Place {
    /// `FILE:LINE`, or the variable's name.
    name: String,
    /// The line as it was written; nothing where it may have a secret.
    text: Option<String>,
}

impl Places {
    /// Notes where the keys of a file stand.
    pub(super) fn add_file(&mut self, path: &Path, text: &str, table: &DeTable<'_>) {
        self.add_table(&File { path: path.to_path_buf(), text }, "", table);
    }

    fn add_table(&mut self, file: &File<'_>, outer: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = if outer.is_empty() { name.to_string() } else { format!("{outer}.{}", name.get_ref()) };
            self.0.insert(key.clone(), file.place(&key, name.span()));
            self.add_value(file, &key, value);
        }
    }

    fn add_value(&mut self, file: &File<'_>, key: &str, value: &Spanned<DeValue<'_>>) {
        if let DeValue::Table(inner) = value.get_ref() {
            self.add_table(file, key, inner);
        }
    }

    /// Notes that a key comes from a variable.
    pub(super) fn add_variable(&mut self, key: &str, name: &str) {
        self.0.insert(key.to_owned(), Place { name: name.to_owned(), text: None });
    }

    /// Where a key was written, such as `scheduler.stage_gate`; where it was not, the table around it.
    pub fn of(&self, key: &str) -> Option<&str> {
        self.find(key).map(|place| place.name.as_str())
    }

    /// A message with its place, and with the line where that may be shown.
    pub(super) fn tell(&self, key: &str, message: &str) -> String {
        match self.find(key) {
            Some(Place { name, text: Some(text) }) => format!("{name}: {message}\n      {text}"),
            Some(Place { name, text: None }) => format!("{name}: {message}"),
            None => message.to_owned(),
        }
    }

    fn find(&self, key: &str) -> Option<&Place> {
        let mut key = key;
        loop {
            if let Some(place) = self.0.get(key) {
                return Some(place);
            }
            key = key.rsplit_once('.')?.0;
        }
    }
}

struct File<'a> {
    path: PathBuf,
    text: &'a str,
}

impl File<'_> {
    fn place(&self, key: &str, span: Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count();
        let text = self.text.lines().nth(line).unwrap_or_default().trim();
        // An instance's settings are a driver's business, and a mistyped one may be its password.
        let may_be_secret = key.starts_with("instances.");
        Place {
            name: format!("{}:{}", self.path.display(), line + 1),
            text: (!may_be_secret).then(|| text.to_owned()),
        }
    }
}
