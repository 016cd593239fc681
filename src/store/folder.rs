//! The state folder: its lock for the life of the daemon, and the judging of what is in it before anything is
//! written.

use super::error::Error;
use super::recovery;
use super::sheets::Sheets;
use super::writer::{Reader, Store};
use super::{soundness, wal};
use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The database's name in the folder.
pub(super) const DATABASE: &str = "runsheet.db";
/// The lock's name.
const LOCK: &str = "lock";

/// How long the lock may be held by those who only look, and how often it is asked for meanwhile.
const LOOK_TIME_MAX: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// How much is read of who has the lock.
const HOLDER_BYTES_MAX: u64 = 400;

/// A state folder that this process alone may write to.
#[derive(Debug)]
pub struct StateFolder {
    pub(super) folder: PathBuf,
    /// Held as long as this lives; the system lets go of it however the process ends.
    _lock: File,
}

impl StateFolder {
    /// Takes the folder, making it where it is missing, and keeps everybody else out of it.
    ///
    /// # Errors
    /// [`Error::Taken`] where another daemon has it; [`Error::Io`].
    pub fn take(folder: &Path) -> Result<Self, Error> {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |why| Error::Io { path, why }
        };
        make(folder).map_err(io(folder))?;
        let path = folder.join(LOCK);
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io(&path))?;
        match try_lock(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who it is, is for people; that there is somebody, is certain.
                let _ = lock.take(HOLDER_BYTES_MAX).read_to_string(&mut holder);
                let holder = if holder.is_empty() { "an unknown process".to_owned() } else { holder };
                return Err(Error::Taken { folder: folder.to_path_buf(), holder });
            }
            Err(TryLockError::Error(why)) => return Err(Error::Io { path, why }),
        }
        let own = format!(
            "process {} on {}",
            std::process::id(),
            rustix::system::uname().nodename().to_string_lossy()
        );
        // A full disk must not keep the daemon from saying so itself.
        let _ = lock.set_len(0).and_then(|()| lock.write_all(own.as_bytes()));
        Ok(Self { folder: folder.to_path_buf(), _lock: lock })
    }

    /// Opens the database for writing, after judging it, and upgrades an older one.
    pub fn open(&self) -> Result<Store, Error> {
        recovery::judge(&self.folder)?;
        soundness::judge(&self.folder)?;
        let store = Store::open(&self.folder.join(DATABASE))?;
        // Where it cannot be kept in mind, less damage is seen at the next start.
        let _ = wal::remember_boot(&self.folder);
        Ok(store)
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
        // Only the daemon takes the journal of a first start back; whoever reads would be in its way.
        let file = folder.join(DATABASE);
        if soundness::is_half_made(&file) {
            return Err(Error::Io { path: file, why: io::ErrorKind::NotFound.into() });
        }
        recovery::judge(folder)?;
        soundness::judge_to_read(folder, Self::is_taken(folder))?;
        Reader::open(&file)
    }
}

/// Takes the lock of the folder. A command that looks whether a daemon has it holds it for a moment itself, so that it is asked for again.
fn try_lock(lock: &File) -> Result<(), TryLockError> {
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOOK_TIME_MAX => {
                std::thread::sleep(LOOK_AGAIN);
            }
            taken => return taken,
        }
    }
}

/// Makes the folder for the daemon alone. Those around it are made as any program makes them: the inbox is others' business.
fn make(folder: &Path) -> io::Result<()> {
    if let Some(around) = folder.parent() {
        make_folders(around)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::metadata(folder)?.mode() & 0o077 != 0 {
                fs::set_permissions(folder, Permissions::from_mode(0o700))?;
            }
        }
        Err(error) => return Err(error),
    }
    sync_name(folder)
}

/// Makes a folder and those around it, where they are missing, and makes their names durable.
pub fn make_folders(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    missing.into_iter().rev().try_for_each(sync_name)
}

/// Makes the name of a folder durable, in the folder that it lies in. However well its files were synced, they are lost with it: only
/// a sync of the folder around it says to the disk that it is there. Also where it was there before, because whoever made it may have
/// been killed in between.
pub(super) fn sync_name(folder: &Path) -> io::Result<()> {
    let around = match folder.parent() {
        Some(around) if around.as_os_str().is_empty() => Path::new("."),
        Some(around) => around,
        None => return Ok(()),
    };
    match File::open(around) {
        Ok(around) => around.sync_all(),
        // A folder that this user may not look into is not ours: whoever made this one in it has put it there for good.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}
