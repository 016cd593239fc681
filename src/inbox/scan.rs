//! Looking at the inbox: which files are there, and which of them have been quiet long enough. Only names and metadata are
//! read.

use super::Options;
use super::name::{Kind, is_hidden, kind};
use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

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

    /// The same, from the system's own structure.
    pub fn of_stat(stat: &rustix::fs::Stat) -> Self {
        let nanoseconds = |value| i64::try_from(value).unwrap_or(0);
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
            changed: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
        }
    }

    /// How many bytes.
    pub fn size(self) -> u64 {
        self.size
    }

    /// Whether both are of one file with one content: being renamed counts for nothing.
    pub fn is_same_file(self, other: Self) -> bool {
        let own = |stamp: Self| (stamp.device, stamp.inode, stamp.size, stamp.modified);
        own(self) == own(other)
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
    pub fn stamp(self) -> Stamp {
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
    /// Whether there were more files than are looked at.
    pub is_cut: bool,
    /// What a person should know of places that are left alone.
    pub notes: Vec<(PathBuf, String)>,
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
                // Gone again: it was moved out, or had nothing left in it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    scan.note(&folder, format!("the folder cannot be read: {error}"));
                    continue;
                }
            };
            for entry in entries.filter_map(Result::ok) {
                let name = entry.file_name();
                let place = folder.join(&name);
                let Some(name) = name.to_str() else {
                    scan.note(&place, "its name is not UTF-8; it is left alone");
                    continue;
                };
                // Gone again, most likely.
                let Ok(meta) = entry.path().symlink_metadata() else { continue };
                if is_hidden(name) {
                    continue;
                }
                if meta.is_dir() {
                    if depth < DEPTH_MAX {
                        folders.push((place, depth + 1));
                    } else {
                        scan.note(
                            &place,
                            format!("it lies more than {DEPTH_MAX} folders deep; it is left alone"),
                        );
                    }
                    continue;
                }
                let Some(kind) = kind(name) else { continue };
                if scan.candidates.len() >= options.max_files {
                    let most = options.max_files;
                    scan.note(
                        Path::new(""),
                        format!("there are more than {most} files in the inbox; the rest waits"),
                    );
                    scan.is_cut = true;
                    return Ok(scan);
                }
                scan.candidates.push(Candidate { place, kind, thing: thing(&meta) });
            }
        }
        Ok(scan)
    }

    fn note(&mut self, place: &Path, note: impl Into<String>) {
        self.notes.push((place.to_path_buf(), note.into()));
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
    /// Whether there are files that were not looked at.
    pub is_cut: bool,
    /// Those that have been quiet for very long, but are still held open by their writers.
    pub held: Vec<PathBuf>,
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
}

impl Settling {
    /// Judges a scan by what was seen before, and by which files their writers hold open.
    pub fn look(&mut self, scan: Scan, options: &Options, open: &HashSet<PathBuf>, now: Instant) -> Looked {
        let mut before = std::mem::take(&mut self.seen);
        let mut looked = Looked { is_cut: scan.is_cut, ..Looked::default() };
        for candidate in scan.candidates {
            let stamp = candidate.thing.stamp();
            let since = match before.remove(&candidate.place) {
                Some((same, since)) if same == stamp => since,
                Some(_) | None => now,
            };
            self.seen.insert(candidate.place.clone(), (stamp, since));
            let is_open = open.contains(&candidate.place);
            // A sheet of no bytes is one whose first have not come yet.
            let is_file = matches!(candidate.thing, Thing::File(_));
            let may_still_come = is_file && candidate.kind == Kind::Sheet && stamp.size() == 0;
            let due = since + if may_still_come { options.settle_max } else { options.settle };
            if due <= now && !is_open {
                looked.settled.insert(candidate.place.clone(), (candidate, since));
                continue;
            }
            if is_open && since + options.settle_max <= now {
                looked.held.push(candidate.place.clone());
            }
            // Its being closed wakes the scan; until then it is looked at now and then.
            let next = if is_open { now + options.rescan } else { due };
            looked.next_due = Some(looked.next_due.map_or(next, |earlier| earlier.min(next)));
            looked.unsettled.insert(candidate.place.clone(), candidate);
        }
        looked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn scan(kind: Kind, size: u64) -> Scan {
        let stamp = Stamp { device: 1, inode: 2, size, modified: (3, 0), changed: (4, 0) };
        let candidate = Candidate { place: PathBuf::from("x"), kind, thing: Thing::File(stamp) };
        Scan { candidates: vec![candidate], ..Scan::default() }
    }

    fn options(settle: u64) -> Options {
        let seconds = Duration::from_secs;
        Options {
            inbox: PathBuf::new(),
            accepted: PathBuf::new(),
            rejected: PathBuf::new(),
            settle: seconds(settle),
            settle_max: seconds(60),
            rescan: seconds(30),
            max_sheet_bytes: 1,
            max_plan_bytes: 1,
            max_files: 1,
            watch: false,
        }
    }

    #[test]
    fn a_file_is_settled_when_it_has_not_changed_for_the_whole_time() {
        let (mut settling, options, start) = (Settling::default(), options(2), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut look = |size, time| settling.look(scan(Kind::Plan, size), &options, &HashSet::new(), time);
        assert!(look(1, at(0)).settled.is_empty());
        assert!(look(2, at(3)).settled.is_empty(), "it has grown");
        let looked = look(2, at(4));
        assert_eq!((looked.settled.len(), looked.next_due), (0, Some(at(5))));
        assert_eq!(look(2, at(5)).settled.len(), 1);
    }

    #[test]
    fn a_file_that_its_writer_holds_open_is_not_settled_however_quiet_it_is() {
        let (mut settling, options, start) = (Settling::default(), options(2), Instant::now());
        let open = HashSet::from([PathBuf::from("x")]);
        for hours in 0..3 {
            let now = start + Duration::from_secs(hours * 3600);
            let looked = settling.look(scan(Kind::Sheet, 1), &options, &open, now);
            assert!(looked.settled.is_empty() && looked.next_due.is_some());
            assert_eq!(looked.held.len(), usize::from(hours > 0), "a person is told");
        }
        let now = start + Duration::from_secs(7201);
        assert_eq!(settling.look(scan(Kind::Sheet, 1), &options, &HashSet::new(), now).settled.len(), 1);
    }

    #[test]
    fn a_sheet_of_no_bytes_is_waited_for() {
        let (mut settling, options, start) = (Settling::default(), options(2), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut look = |time| settling.look(scan(Kind::Sheet, 0), &options, &HashSet::new(), time);
        assert!(look(at(0)).settled.is_empty());
        assert_eq!(look(at(59)).next_due, Some(at(60)));
        assert_eq!(look(at(60)).settled.len(), 1);
    }

    #[test]
    fn without_a_time_to_settle_a_file_is_taken_at_first_sight() {
        let looked =
            Settling::default().look(scan(Kind::Plan, 1), &options(0), &HashSet::new(), Instant::now());
        assert_eq!(looked.settled.len(), 1);
    }
}
