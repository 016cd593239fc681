//! Files with which something went wrong that may go right later: a full disk, a permission. They are left alone for a while,
//! and what went wrong is said once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The files, and how long each is left alone.
#[derive(Debug)]
pub(super) struct PutOff {
    wait: Duration,
    files: HashMap<PathBuf, Entry>,
}

#[derive(Debug)]
struct Entry {
    until: Instant,
    is_due: bool,
    said: String,
}

impl PutOff {
    pub fn new(wait: Duration) -> Self {
        Self { wait, files: HashMap::new() }
    }

    /// At the begin of a look: what is gone is forgotten, and what is due is tried.
    pub fn look(&mut self, exists: impl Fn(&Path) -> bool, now: Instant) {
        self.files.retain(|place, _| exists(place));
        for entry in self.files.values_mut() {
            entry.is_due |= entry.until <= now;
        }
    }

    /// Whether a file is to be left alone.
    pub fn contains(&self, place: &Path) -> bool {
        self.files.get(place).is_some_and(|entry| !entry.is_due)
    }

    /// Puts a file off. True where this was not said of it just before.
    pub fn add(&mut self, place: &Path, why: &str) -> bool {
        let entry = Entry { until: Instant::now() + self.wait, is_due: false, said: why.to_owned() };
        self.files.insert(place.to_path_buf(), entry).is_none_or(|before| before.said != why)
    }

    /// Tries all of them at the next look.
    pub fn try_again(&mut self) {
        let now = Instant::now();
        self.files.values_mut().for_each(|entry| entry.until = now);
    }

    /// When the next of them is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.files.values().filter(|entry| !entry.is_due).map(|entry| entry.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_left_alone_for_a_while_and_spoken_of_once() {
        let (mut files, place) = (PutOff::new(Duration::from_secs(30)), Path::new("x.sql"));
        assert!(files.add(place, "no room"));
        files.look(|_| true, Instant::now());
        assert!(files.contains(place) && files.next_due().is_some());
        files.look(|_| true, Instant::now() + Duration::from_secs(31));
        assert!(!files.contains(place) && files.next_due().is_none());
        assert!(!files.add(place, "no room"), "it was said");
        assert!(files.contains(place));
        assert!(files.add(place, "no permission"), "this was not");
    }

    #[test]
    fn a_file_that_is_gone_is_forgotten() {
        let (mut files, place) = (PutOff::new(Duration::from_secs(30)), Path::new("x.sql"));
        files.add(place, "no room");
        files.look(|_| false, Instant::now());
        assert!(!files.contains(place) && files.add(place, "no room"));
    }
}
