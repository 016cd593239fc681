//! The changes of names in folders, in their order, and which of them are on the disk.

use crate::luck::Luck;
use crate::tree::Number;
use std::collections::HashSet;
use std::ffi::OsString;

/// In which order names come to the disk that nobody has synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As in one journal for all folders: what is there is everything up to some moment. ext4 and XFS work like this.
    InOneOrder,
    /// Each folder by itself, as far as POSIX goes: what was done in another folder may be lost though it was earlier. A rename from one
    /// folder to another is there or not, and never half.
    FolderByFolder,
}

/// What stands under a name of a folder from now on.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub folder: Number,
    pub name: OsString,
    /// Nothing where the name is gone.
    pub number: Option<Number>,
}

/// One change of names: it is on the disk as a whole or not at all.
#[derive(Debug)]
struct Change {
    entries: Vec<Entry>,
    synced: bool,
}

impl Change {
    fn folders(&self) -> impl Iterator<Item = Number> {
        self.entries.iter().map(|entry| entry.folder)
    }
}

/// The changes since the names of the whole disk were last written down.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    changes: Vec<Change>,
}

impl Journal {
    pub fn add(&mut self, entries: Vec<Entry>) {
        self.changes.push(Change { entries, synced: false });
    }

    /// Makes a folder's names durable, and with them what must be there for that: what was done before in the folders that a
    /// rename has tied to it.
    pub fn sync(&mut self, folder: Number) {
        let mut folders = HashSet::from([folder]);
        for change in self.changes.iter_mut().rev() {
            if change.folders().any(|folder| folders.contains(&folder)) {
                change.synced = true;
                folders.extend(change.folders().collect::<Vec<_>>());
            }
        }
    }

    pub fn sync_all(&mut self) {
        self.changes.iter_mut().for_each(|change| change.synced = true);
    }

    /// What a power cut leaves, in its order.
    pub fn cut(self, names: Names, luck: &mut Luck<'_>) -> Vec<Entry> {
        let kept = match names {
            Names::InOneOrder => self.kept_in_one_order(luck),
            Names::FolderByFolder => self.kept_by_folder(luck),
        };
        let kept = self.changes.into_iter().zip(kept).filter(|(_, kept)| *kept);
        kept.flat_map(|(change, _)| change.entries).collect()
    }

    fn kept_in_one_order(&self, luck: &mut Luck<'_>) -> Vec<bool> {
        let synced = self.changes.iter().rposition(|change| change.synced).map_or(0, |last| last + 1);
        let end = synced + luck.state(self.changes.len() - synced + 1);
        (0..self.changes.len()).map(|index| index < end).collect()
    }

    fn kept_by_folder(&self, luck: &mut Luck<'_>) -> Vec<bool> {
        let mut behind: HashSet<Number> = HashSet::new();
        let mut kept = Vec::with_capacity(self.changes.len());
        for change in &self.changes {
            let comes_after_a_lost_one = change.folders().any(|folder| behind.contains(&folder));
            let keeps = change.synced || (!comes_after_a_lost_one && luck.keeps());
            if !keeps {
                behind.extend(change.folders());
            }
            kept.push(keeps);
        }
        kept
    }
}
