//! Moving files out of the inbox: never over another file, and safe against a crash in the middle.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// How many files of one name there may be in a folder.
const SAME_NAME_MAX: u32 = 100_000;

/// Moves a file into a folder, under its own name or the next free one. Gives the new place. A file that is there
/// with the same bytes already is not kept twice.
pub(super) fn move_into(from: &Path, folder: &Path) -> io::Result<PathBuf> {
    move_into_with(from, folder, |_| Ok(()))
}

/// The same, with something to be done once the new place is known and before the file is there.
pub(super) fn move_into_with(
    from: &Path,
    folder: &Path,
    before: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let name = from.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    for number in 1..SAME_NAME_MAX {
        let to = folder.join(if number == 1 { name.clone() } else { format!("{name}.{number}") });
        if to.symlink_metadata().is_ok() {
            if same_bytes(from, &to) {
                before(&to)?;
                fs::remove_file(from)?;
                return Ok(to);
            }
            continue;
        }
        before(&to)?;
        rename(from, &to)?;
        return Ok(to);
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{} is full of files called {name}", folder.display()),
    ))
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices && is_file(from) => {
            // Another file system: copied under a hidden name, made durable, then named, then taken away.
            let folder = to.parent().unwrap_or(Path::new("."));
            let mut copy = tempfile::Builder::new().prefix(".moving-").tempfile_in(folder)?;
            io::copy(&mut File::open(from)?, copy.as_file_mut())?;
            copy.as_file().sync_all()?;
            copy.persist_noclobber(to).map_err(|error| error.error)?;
            fs::remove_file(from)
        }
        other => other,
    }
}

fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

/// Whether two files have the same bytes; a link or the like has none.
fn same_bytes(one: &Path, two: &Path) -> bool {
    let size =
        |path: &Path| path.symlink_metadata().ok().filter(fs::Metadata::is_file).map(|meta| meta.len());
    let sizes = (size(one), size(two));
    if sizes.0.is_none() || sizes.0 != sizes.1 {
        return false;
    }
    let (Ok(one), Ok(two)) = (File::open(one), File::open(two)) else { return false };
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
