//! The lock of one runner per database: a lock on a file beside the database's, held by the session's own descriptor, so that it is gone when the
//! process is, whatever ended it. The file stays, since removing it would let two sessions lock two files of one name.

use runsheet_sdk::{Class, Error, Identity};
use rustix::fs::OFlags;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What is put behind the database file's name. Fixed for ever: every Runsheet must take the same.
const SUFFIX: &str = "-runsheet-lock";
/// How much of the file is read to learn who holds it.
const HOLDER_BYTES_MAX: u64 = 4096;

/// A lock that is held; dropped means let go.
pub(crate) struct Held(#[allow(dead_code, reason = "the descriptor is the lock")] File);

/// How asking ended.
pub(crate) enum Asked {
    Held(Held),
    Busy(Option<Identity>),
}

/// Asks for the lock on a database's file, and writes who has it into the lock's file.
pub(crate) fn ask(database: &Path, own: &Identity) -> Result<Asked, Error> {
    let mut path = database.as_os_str().to_owned();
    path.push(SUFFIX);
    let path = PathBuf::from(path);
    let failed = |error: std::io::Error| {
        let message = format!("the lock file {} cannot be used: {error}", path.display());
        Error::new(Class::Permission, message)
            .hint("The daemon's user must be able to make and write files in the database's folder")
    };
    let (mut file, writable) = open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Asked::Busy(holder(&mut file, own))),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    if writable {
        // Who holds it is for people; the lock itself does not depend on it.
        let text = format!("{}\n{}\n{}\n{}\n", own.session, own.session_start, own.system, own.user);
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
    }
    Ok(Asked::Held(Held(file)))
}

/// Another user's lock file may be locked without being written.
fn open(path: &Path) -> std::io::Result<(File, bool)> {
    let mut options = File::options();
    // Where the folder is shared, a link could lead to somebody else's file.
    options.read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    match options.clone().write(true).create(true).truncate(false).open(path) {
        Ok(file) => Ok((file, true)),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            options.open(path).map(|file| (file, false))
        }
        Err(error) => Err(error),
    }
}

fn holder(file: &mut File, own: &Identity) -> Option<Identity> {
    let mut text = String::new();
    file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
    let mut lines = text.lines().map(str::to_owned);
    let session = lines.next().filter(|session| !session.is_empty())?;
    Some(Identity {
        session,
        session_start: lines.next().unwrap_or_default(),
        system: lines.next().unwrap_or_default(),
        user: lines.next().unwrap_or_default(),
        product: own.product.clone(),
        database: own.database.clone(),
        ..Identity::default()
    })
}
