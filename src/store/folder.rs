//! The state folder: its lock for the life of the daemon, and the judging of what is in it before anything is
//! written.

use super::error::Error;
use super::schema;
use super::sheets::Sheets;
use super::writer::{Reader, Store};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The database's name in the folder.
const DATABASE: &str = "runsheet.db";
/// The lock's name.
const LOCK: &str = "lock";

/// A state folder that this process alone may write to.
#[derive(Debug)]
pub struct StateFolder {
    folder: PathBuf,
    /// Held as long as this lives; the system lets go of it however the process ends.
    _lock: File,
}

impl StateFolder {
    /// Takes the folder, making it (mode 0700) where it is missing.
    ///
    /// # Errors
    /// [`Error::Taken`] where another daemon has it; [`Error::Io`].
    pub fn take(folder: &Path) -> Result<Self, Error> {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |why| Error::Io { path, why }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io(folder))?;
        let path = folder.join(LOCK);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Taken { folder: folder.to_path_buf() }),
            Err(TryLockError::Error(why)) => Err(Error::Io { path, why }),
        }
    }

    /// Opens the database for writing, after judging it, and upgrades an older one.
    pub fn open(&self) -> Result<Store, Error> {
        let file = self.folder.join(DATABASE);
        if file.exists() {
            schema::judge(&file)?;
        }
        Store::open(&file)
    }

    /// The folder of sheets.
    pub fn sheets(&self) -> Result<Sheets, Error> {
        Sheets::open(&self.folder.join("sheets"))
    }

    /// Whether a daemon holds the folder now.
    pub fn is_taken(folder: &Path) -> bool {
        File::open(folder.join(LOCK))
            .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Opens a folder's database only to read, with or without a daemon.
    ///
    /// # Errors
    /// [`Error::Io`] where there is none yet.
    pub fn read(folder: &Path) -> Result<Reader, Error> {
        let file = folder.join(DATABASE);
        fs::metadata(&file).map_err(|why| Error::Io { path: file.clone(), why })?;
        schema::judge_version(&file)?;
        Reader::open(&file)
    }
}
