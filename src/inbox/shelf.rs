//! Moving files out of the inbox: only the file that was judged, never over another one, and safe against a crash in the
//! middle.

use super::file::{Entry, Root};
use super::scan::Stamp;
use rustix::fs::{CWD, RenameFlags, readlinkat, renameat_with, symlinkat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How many files of one name there may be in a folder.
const SAME_NAME_MAX: u32 = 100_000;
/// A longer name is shortened, so that a number and an ending can be put behind it.
const NAME_BYTES_MAX: usize = 200;

/// Moves a file into a folder, under its own name or the next free one. Gives the new place; nothing where the file is gone or
/// another one stands in its place. A file that is there with the same bytes already is not kept twice.
pub(super) fn move_into(
    root: &Root,
    place: &Path,
    stamp: Stamp,
    folder: &Path,
) -> io::Result<Option<PathBuf>> {
    move_into_with(root, place, stamp, folder, |_| Ok(()))
}

/// The same, with something to be done once the new place is known and before the file is there.
pub(super) fn move_into_with(
    root: &Root,
    place: &Path,
    stamp: Stamp,
    folder: &Path,
    before: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<Option<PathBuf>> {
    let entry = match root.entry(place) {
        Ok(entry) => entry,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if entry.stamp()? != Some(stamp) {
        return Ok(None);
    }
    fs::create_dir_all(folder)?;
    let name = short_name(entry.name());
    for number in 1..SAME_NAME_MAX {
        let to = folder.join(if number == 1 { name.clone() } else { format!("{name}.{number}") });
        if to.symlink_metadata().is_ok() {
            if same_bytes(&entry, &to) {
                before(&to)?;
                sync_folder(folder)?;
                let same = entry.stamp()? == Some(stamp);
                return if same { entry.remove().map(|()| Some(to)) } else { Ok(None) };
            }
            continue;
        }
        before(&to)?;
        match rename(&entry, stamp, &to) {
            // Somebody was quicker than us; the next name, then.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(true) => return Ok(Some(to)),
            Ok(false) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{} is full of files called {name}", folder.display()),
    ))
}

/// A name that leaves room for more behind it. A shortened one ends with what tells it from others that begin alike.
fn short_name(name: &OsStr) -> String {
    let name = name.to_string_lossy();
    if name.len() <= NAME_BYTES_MAX {
        return name.into_owned();
    }
    let start = name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default();
    let hash = Sha256::digest(name.as_bytes());
    format!("{start}-{}", hex::encode(hash.get(..4).unwrap_or_default()))
}

/// Renames an entry, where it is still the file that is meant. False where it is not.
fn rename(entry: &Entry, stamp: Stamp, to: &Path) -> io::Result<bool> {
    let (folder, name) = (entry.folder(), entry.name());
    match renameat_with(folder, name, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(Errno::XDEV) => return move_over(entry, stamp, to),
        // File systems that cannot promise it; that nothing is there was seen just now.
        Err(Errno::INVAL | Errno::NOSYS) => rustix::fs::renameat(folder, name, CWD, to)?,
        Err(error) => return Err(error.into()),
    }
    let moved = Stamp::of(&to.symlink_metadata()?);
    if moved.is_same_file(stamp) {
        return Ok(true);
    }
    // It was replaced at the very last moment: the new one goes back, to be judged for itself.
    renameat_with(CWD, to, folder, name, RenameFlags::NOREPLACE)?;
    Ok(false)
}

/// Moves to another file system: copied under a hidden name, made durable, then named, then taken away.
fn move_over(entry: &Entry, stamp: Stamp, to: &Path) -> io::Result<bool> {
    let folder = to.parent().unwrap_or(Path::new("."));
    if let Ok(target) = readlinkat(entry.folder(), entry.name(), Vec::new()) {
        symlinkat(target, CWD, to)?;
    } else {
        let mut file = entry.open()?;
        let meta = file.metadata()?;
        // Always of the same name, so that what a crash left is written over and not left for ever.
        let hidden = folder.join(format!(".{}.moving", short_name(entry.name())));
        let mut copy = File::create(&hidden)?;
        let copied = io::copy(&mut file, &mut copy).and_then(|_| {
            copy.set_permissions(fs::Permissions::from_mode(meta.permissions().mode() & 0o777))?;
            copy.set_modified(meta.modified()?)?;
            copy.sync_all()?;
            Ok(Stamp::of(&file.metadata()?) == stamp)
        });
        if !matches!(copied, Ok(true)) {
            fs::remove_file(&hidden)?;
            return copied;
        }
        rename_to_free(&hidden, to)?;
    }
    sync_folder(folder)?;
    let same = entry.stamp()? == Some(stamp);
    if same {
        entry.remove()?;
    }
    Ok(same)
}

/// Renames within a file system, not over anything.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // File systems that cannot promise it; that nothing is there was seen just now.
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to),
        other => Ok(other?),
    }
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether two files have the same bytes; a link or the like has none.
fn same_bytes(entry: &Entry, other: &Path) -> bool {
    let is_file = other.symlink_metadata().is_ok_and(|meta| meta.is_file());
    let (Ok(one), Ok(two), true) = (entry.open(), File::open(other), is_file) else { return false };
    let size = |file: &File| file.metadata().ok().map(|meta| meta.len());
    if size(&one) != size(&two) {
        return false;
    }
    let mut bytes = (io::BufReader::new(one), io::BufReader::new(two));
    loop {
        let (Ok(left), Ok(right)) =
            (io::BufRead::fill_buf(&mut bytes.0), io::BufRead::fill_buf(&mut bytes.1))
        else {
            return false;
        };
        let length = left.len().min(right.len());
        if length == 0 {
            return left.len() == right.len();
        }
        if left.get(..length) != right.get(..length) {
            return false;
        }
        io::BufRead::consume(&mut bytes.0, length);
        io::BufRead::consume(&mut bytes.1, length);
    }
}
