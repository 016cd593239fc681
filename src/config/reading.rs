//! A config while it is read: where its keys stand, and everything that was found of it so far.

use super::place::Places;
use std::path::{Path, PathBuf};

/// What is done with the secrets that a config names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrets {
    /// They are read from where they are kept.
    Read,
    /// They are left there: whoever connects to nothing needs none, and may not be allowed to read them.
    Leave,
}

/// A config while it is read.
#[derive(Debug)]
pub(super) struct Reading {
    /// The folder from which paths count.
    pub base: PathBuf,
    pub secrets: Secrets,
    pub places: Places,
    pub warnings: Vec<String>,
    faults: Vec<String>,
}

impl Reading {
    pub fn new(base: &Path, secrets: Secrets) -> Self {
        Self {
            base: base.to_path_buf(),
            secrets,
            places: Places::default(),
            warnings: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// A fault of a key, such as `scheduler.stage_gate`, or of the table around it.
    pub fn fault(&mut self, key: &str, message: impl AsRef<str>) {
        self.faults.push(self.places.tell(key, message.as_ref()));
    }

    /// What is allowed, but worth a word.
    pub fn warning(&mut self, key: &str, message: impl AsRef<str>) {
        self.warnings.push(self.places.tell(key, message.as_ref()));
    }

    /// A path means the same wherever the daemon is started. Taken apart and put together again it has no `.` in it.
    pub fn path(&self, text: &str) -> PathBuf {
        self.base.join(text).components().collect()
    }

    /// Where the keys stand and what is worth a word, or everything that is wrong.
    pub fn end(self) -> Result<(Places, Vec<String>), Vec<String>> {
        if self.faults.is_empty() { Ok((self.places, self.warnings)) } else { Err(self.faults) }
    }
}
