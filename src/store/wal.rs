//! Whether the log of writes beside the database (`-wal`) has everything that was committed. SQLite takes a log that is
//! missing, cut short or damaged in its middle for one that ends earlier, without a word; what it holds was promised. The index of
//! the log (`-shm`), which a killed daemon leaves, says how far it went. It is never made durable, so that it is believed only where the
//! machine has not been started anew since; without it, commits that stand behind a damaged place are still seen.
//!
//! What this cannot see: a log that was taken away together with its index, or across a restart of the machine. Either looks like a
//! state of an earlier time.

use super::folder::DATABASE;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// The log's header, and the header of each page in it.
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The index's header; it is there twice, and then comes the number of pages that are in the database already.
const INDEX_HEADER: usize = 48;
const INDEX_BYTES: u64 = 136;
const INDEX_VERSION: u32 = 3_007_000;
/// The magic number of a log whose checksums are made of little-endian words; of big-endian ones it is one more.
const MAGIC: u32 = 0x377F_0682;
/// The sizes that a page can have.
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 512..=65_536;

/// What the index says of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Index {
    /// How many pages of it are committed.
    committed: u32,
    /// How many of them are in the database already.
    moved: u32,
    /// Which log it is.
    salt: [u8; 8],
}

/// What can be read of a log.
#[derive(Clone, Copy, Debug, Default)]
struct Log {
    /// Which log it is; nothing where it has no sound header.
    salt: Option<[u8; 8]>,
    /// How many pages can be read.
    pages: u32,
    /// How many pages behind those end a commit of this very log.
    commits_behind: u32,
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What is wrong with the log of a database that nobody has open, if anything.
pub(super) fn fault(database: &Path, index_is_of_now: bool) -> io::Result<Option<String>> {
    let open = |ending: &str| match File::open(beside(database, ending)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let log = open("-wal")?.map(|file| Log::read(BufReader::new(file))).transpose()?;
    let mut index = Vec::new();
    if let Some(file) = open("-shm")?.filter(|_| index_is_of_now) {
        file.take(INDEX_BYTES).read_to_end(&mut index)?;
    }
    Ok(judge(log, Index::read(&index)))
}

fn judge(log: Option<Log>, index: Option<Index>) -> Option<String> {
    if let Some(index) = index.filter(|index| index.committed > index.moved) {
        let held = format!(
            "its log of writes, {DATABASE}-wal, held {} pages, of which {} are in no other place",
            index.committed,
            index.committed - index.moved
        );
        match log {
            None => return Some(format!("{held}, and the log is gone")),
            Some(Log { salt: None, .. }) => return Some(format!("{held}, and its beginning cannot be read")),
            Some(Log { salt: Some(salt), .. }) if salt != index.salt => {
                return Some(format!("{held}, and another log stands in its place"));
            }
            Some(Log { pages, .. }) if pages < index.committed => {
                return Some(format!("{held}, and only the first {pages} can be read"));
            }
            Some(_) => {}
        }
    }
    // A write that was cut off leaves one commit behind the whole part at most: each is on the disk before the next is begun.
    log.filter(|log| log.commits_behind > 1).map(|log| {
        format!(
            "its log of writes, {DATABASE}-wal, can be read only up to page {}, and {} commits stand behind it",
            log.pages, log.commits_behind
        )
    })
}

impl Index {
    /// Nothing where the index says nothing that could be relied on.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (first, second) = (bytes.get(..INDEX_HEADER)?, bytes.get(INDEX_HEADER..2 * INDEX_HEADER)?);
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let is_set_up = *first.get(12)? != 0;
        if first != second || !is_set_up || word(0)? != INDEX_VERSION {
            return None;
        }
        let salt = first.get(32..40)?.try_into().ok()?;
        Some(Self { committed: word(16)?, moved: word(2 * INDEX_HEADER)?, salt })
    }
}

fn big_endian(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    word.map_or(0, u32::from_be_bytes)
}

impl Log {
    fn read(mut file: impl Read) -> io::Result<Self> {
        let mut log = Self::default();
        let mut header = [0; HEADER];
        if !fill(&mut file, &mut header)? {
            return Ok(log);
        }
        let (magic, page_size) = (big_endian(&header, 0), big_endian(&header, 8) as usize);
        let is_big_endian = magic == MAGIC + 1;
        let mut checksum = sum(is_big_endian, (0, 0), header.get(..24).unwrap_or_default());
        let is_sound = checksum == (big_endian(&header, 24), big_endian(&header, 28));
        if magic & !1 != MAGIC || !is_sound || !PAGE_SIZES.contains(&page_size) {
            return Ok(log);
        }
        log.salt = header.get(16..24).and_then(|salt| salt.try_into().ok());
        let mut frame = vec![0; FRAME_HEADER + page_size];
        let mut is_broken = false;
        while fill(&mut file, &mut frame)? {
            // Pages of an earlier log lie behind the end of this one.
            if frame.get(8..16) != header.get(16..24) {
                is_broken = true;
                continue;
            }
            checksum = sum(is_big_endian, checksum, frame.get(..8).unwrap_or_default());
            checksum = sum(is_big_endian, checksum, frame.get(FRAME_HEADER..).unwrap_or_default());
            is_broken |= (big_endian(&frame, 16), big_endian(&frame, 20)) != checksum;
            if is_broken {
                log.commits_behind += u32::from(big_endian(&frame, 4) != 0);
            } else {
                log.pages += 1;
            }
        }
        Ok(log)
    }
}

/// Reads as much as is asked for. False where the file ends before that.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// SQLite's running checksum over pairs of words.
fn sum(is_big_endian: bool, from: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes = bytes.try_into().unwrap_or_default();
        if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    bytes.chunks_exact(8).fold(from, |(one, two), pair| {
        let (left, right) = pair.split_at(4);
        let one = one.wrapping_add(word(left)).wrapping_add(two);
        let two = two.wrapping_add(word(right)).wrapping_add(one);
        (one, two)
    })
}

/// The file that says in which run of the machine the database was last opened.
const BOOT: &str = "boot";

fn boot() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
}

/// Keeps in mind that the log's index is of this run of the machine.
pub(super) fn remember_boot(folder: &Path) -> io::Result<()> {
    fs::write(folder.join(BOOT), boot()?)
}

/// Whether the log's index is of this run of the machine.
pub(super) fn is_of_this_boot(folder: &Path) -> bool {
    let kept = fs::read_to_string(folder.join(BOOT));
    matches!((kept, boot()), (Ok(kept), Ok(now)) if kept == now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// A database that was left open in the middle, as by a kill: its log, and the index of it.
    fn left() -> (Vec<u8>, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.db");
        let connection = Connection::open(&file).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        for row in 0..20 {
            connection.execute("INSERT INTO t VALUES (?1)", [row]).unwrap();
        }
        let read = |ending: &str| fs::read(folder.path().join(format!("x.db{ending}"))).unwrap();
        (read("-wal"), read("-shm"))
    }

    fn judged(log: &[u8], index: Option<Index>) -> Option<String> {
        judge((!log.is_empty()).then(|| Log::read(log).unwrap()), index)
    }

    #[test]
    fn a_log_is_whole_where_it_has_what_its_index_says() {
        let (log, shm) = left();
        let index = Index::read(&shm);
        assert!(index.is_some_and(|index| index.committed >= 20), "{index:?}");
        assert_eq!(judged(&log, index), None);
        assert_eq!(judged(&log, None), None);
        // An unfinished write behind it is no damage.
        let mut more = log.clone();
        more.extend_from_slice(&log[log.len() - 4120..log.len() - 7]);
        assert_eq!(judged(&more, index), None);
    }

    #[test]
    fn what_was_committed_and_is_gone_is_seen() {
        let (log, shm) = left();
        let index = Index::read(&shm);
        let middle = log.len() / 2;
        let mut flipped = log.clone();
        flipped[middle] ^= 1;
        for (what, damaged) in [
            ("taken away", &log[..0]),
            ("cut in a page", &log[..middle]),
            ("its last page is gone", &log[..log.len() - 4120]),
            ("a bit", &flipped),
        ] {
            assert!(judged(damaged, index).is_some(), "{what}");
        }
        assert!(judged(&flipped, None).is_some(), "commits stand behind the damage");
        assert!(judged(&log[..middle], None).is_none(), "a shorter log alone is one of an earlier time");
        let (other, _) = left();
        assert!(judged(&other, index).unwrap().contains("another log"));
    }
}
