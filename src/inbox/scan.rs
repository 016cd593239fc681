//! Looking at the inbox: which files are there, and which of them have been quiet long enough. Only names and metadata are
//! read.

use super::Options;
use super::name::{Kind, is_hidden, kind};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How deep folders may lie in each other.
const DEPTH_MAX: usize = 16;

/// What tells whether a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub fn of(meta: &std::fs::Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    /// A file that is read.
    File(Stamp),
    /// A link, pipe, device or socket, which is never opened.
    Other(&'static str, Stamp),
}

impl Thing {
    fn stamp(self) -> Stamp {
        match self {
            Self::File(stamp) | Self::Other(_, stamp) => stamp,
        }
    }
}

/// A file that means something to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Below the inbox.
    pub place: PathBuf,
    pub kind: Kind,
    pub thing: Thing,
}

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub candidates: Vec<Candidate>,
}

impl Scan {
    /// Looks through the inbox.
    pub fn of(options: &Options) -> std::io::Result<Self> {
        let mut scan = Self::default();
        let mut folders = vec![(PathBuf::new(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            let entries = match std::fs::read_dir(options.inbox.join(&folder)) {
                Ok(entries) => entries,
                Err(error) if folder.as_os_str().is_empty() => return Err(error),
                Err(error) => {
                    tracing::warn!("the folder {} in the inbox cannot be read: {error}", folder.display());
                    continue;
                }
            };
            for entry in entries.filter_map(Result::ok) {
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                    tracing::debug!(
                        "a file in {} has a name that is not UTF-8; it is left alone",
                        folder.display()
                    );
                    continue;
                };
                // Gone again, most likely.
                let Ok(meta) = entry.path().symlink_metadata() else { continue };
                if is_hidden(&name) {
                    continue;
                }
                let place = folder.join(&name);
                if meta.is_dir() {
                    if depth < DEPTH_MAX {
                        folders.push((place, depth + 1));
                    }
                    continue;
                }
                let Some(kind) = kind(&name) else { continue };
                if scan.candidates.len() >= options.max_files {
                    tracing::warn!(
                        "there are more than {} files in the inbox; the rest waits",
                        options.max_files
                    );
                    return Ok(scan);
                }
                scan.candidates.push(Candidate { place, kind, thing: thing(&meta) });
            }
        }
        scan.candidates.sort_by(|one, two| one.place.cmp(&two.place));
        Ok(scan)
    }
}

fn thing(meta: &std::fs::Metadata) -> Thing {
    use std::os::unix::fs::FileTypeExt;
    let (stamp, what) = (Stamp::of(meta), meta.file_type());
    if what.is_file() {
        Thing::File(stamp)
    } else if what.is_symlink() {
        Thing::Other("a symbolic link", stamp)
    } else if what.is_fifo() {
        Thing::Other("a pipe", stamp)
    } else if what.is_socket() {
        Thing::Other("a socket", stamp)
    } else {
        Thing::Other("a device", stamp)
    }
}

/// What has been seen of each file.
#[derive(Debug, Default)]
pub(super) struct Settling {
    seen: HashMap<PathBuf, (Stamp, Instant)>,
}

/// A look with its judgement.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Those that have been quiet long enough, and since when.
    pub settled: HashMap<PathBuf, (Candidate, Instant)>,
    /// Those that have not.
    pub unsettled: HashMap<PathBuf, Candidate>,
    /// When the next of them will be.
    pub next_due: Option<Instant>,
}

impl Looked {
    /// The settled ones of a kind, in the order of their places.
    pub fn of_kind(&self, kind: Kind) -> Vec<(&Candidate, Instant)> {
        let mut found: Vec<(&Candidate, Instant)> = self
            .settled
            .values()
            .filter(|(candidate, _)| candidate.kind == kind)
            .map(|(candidate, since)| (candidate, *since))
            .collect();
        found.sort_by(|one, two| one.0.place.cmp(&two.0.place));
        found
    }

    /// Whether a file stands there that is still being written.
    pub fn is_settling(&self, place: &Path) -> bool {
        self.unsettled.contains_key(place)
    }
}

impl Settling {
    /// Judges a scan by what was seen before.
    pub fn look(&mut self, scan: Scan, settle: Duration, now: Instant) -> Looked {
        let mut before = std::mem::take(&mut self.seen);
        let mut looked = Looked::default();
        for candidate in scan.candidates {
            let stamp = candidate.thing.stamp();
            let since = match before.remove(&candidate.place) {
                Some((same, since)) if same == stamp => since,
                Some(_) | None => now,
            };
            self.seen.insert(candidate.place.clone(), (stamp, since));
            let due = since + settle;
            if due <= now {
                looked.settled.insert(candidate.place.clone(), (candidate, since));
            } else {
                looked.next_due = Some(looked.next_due.map_or(due, |earlier| earlier.min(due)));
                looked.unsettled.insert(candidate.place.clone(), candidate);
            }
        }
        looked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(size: u64) -> Scan {
        let stamp = Stamp { device: 1, inode: 2, size, modified: (3, 0), changed: (4, 0) };
        let place = PathBuf::from("x.sql");
        Scan { candidates: vec![Candidate { place, kind: Kind::Sheet, thing: Thing::File(stamp) }] }
    }

    #[test]
    fn a_file_is_settled_when_it_has_not_changed_for_the_whole_time() {
        let (mut settling, settle, start) = (Settling::default(), Duration::from_secs(2), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert!(settling.look(scan(1), settle, at(0)).settled.is_empty());
        assert!(settling.look(scan(2), settle, at(3)).settled.is_empty(), "it has grown");
        let looked = settling.look(scan(2), settle, at(4));
        assert_eq!((looked.settled.len(), looked.next_due), (0, Some(at(5))));
        assert_eq!(settling.look(scan(2), settle, at(5)).settled.len(), 1);
    }

    #[test]
    fn without_a_time_to_settle_a_file_is_taken_at_first_sight() {
        let looked = Settling::default().look(scan(1), Duration::ZERO, Instant::now());
        assert_eq!(looked.settled.len(), 1);
    }
}
