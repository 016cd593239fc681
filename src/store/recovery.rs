//! Putting a rebuilt database in the place of a damaged one, so that a kill at any moment leaves either the one or the other, or
//! a folder that says of itself that it is between them. The damaged files are moved, never changed and never removed.
//!
//! The order: the new database is made whole under a name of its own; a marker says that files are being moved, and where to; the
//! damaged ones are moved; the new one gets its name; the marker goes. While the marker is there no daemon starts, and the
//! next `recover` does all of it again, from the files where they are now.

use super::error::Error;
use super::folder::{DATABASE, StateFolder};
use super::soundness;
use super::writer::Store;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Says where the damaged files are being moved to.
const MARKER: &str = "recovering";
/// The database that is being made.
const REBUILT: &str = "rebuilt.db";
/// Copies to be read; a crash may leave one.
const COPY: &str = ".salvage-";
/// The database's files.
const FILES: &[&str] = &["", "-wal", "-shm"];

/// A recovery under way, in a folder that nobody else has.
#[derive(Debug)]
pub struct Recovery<'a> {
    folder: &'a Path,
    /// Where the damaged files are, or will be.
    aside: PathBuf,
}

/// Refuses a folder in which files are being moved.
pub(super) fn judge(folder: &Path) -> Result<(), Error> {
    match aside_of(folder)? {
        None => Ok(()),
        Some(_) => {
            let why = "a recovery was cut off in its middle; run `runsheet recover` again".to_owned();
            Err(soundness::damaged(&folder.join(DATABASE), why))
        }
    }
}

fn aside_of(folder: &Path) -> Result<Option<PathBuf>, Error> {
    let marker = folder.join(MARKER);
    match fs::read_to_string(&marker) {
        Ok(name) => Ok(Some(folder.join(name.trim()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(Error::Io { path: marker, why }),
    }
}

/// A name that nothing has: the damaged files of an earlier recovery stay where they are.
fn free_name(folder: &Path, name: &str) -> PathBuf {
    let named = std::iter::once(name.to_owned()).chain((2..).map(|number| format!("{name}-{number}")));
    let mut places = named.map(|name| folder.join(name));
    places.find(|place| !place.exists()).expect("the numbers do not end")
}

fn name_of(ending: &str) -> String {
    format!("{DATABASE}{ending}")
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl StateFolder {
    /// What is wrong with the database, if anything is that a recovery can put right.
    ///
    /// # Errors
    /// Where the state cannot be judged, or is another program's or a newer version's: a recovery would take it away.
    pub fn damage(&self) -> Result<Option<String>, Error> {
        match judge(&self.folder).and_then(|()| soundness::judge(&self.folder)) {
            Ok(()) => Ok(None),
            Err(Error::Corrupt { why, .. }) => Ok(Some(why)),
            Err(error) => Err(error),
        }
    }

    /// Prepares a recovery; nothing is changed yet. `stamp` says when, and becomes part of a folder's name.
    pub fn recovery(&self, stamp: &str) -> Result<Recovery<'_>, Error> {
        let io = |why| Error::Io { path: self.folder.clone(), why };
        for entry in fs::read_dir(&self.folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(COPY) {
                fs::remove_dir_all(entry.path()).map_err(io)?;
            } else if name.starts_with(REBUILT) {
                fs::remove_file(entry.path()).map_err(io)?;
            }
        }
        let aside = match aside_of(&self.folder)? {
            Some(aside) => aside,
            None => free_name(&self.folder, &format!("damaged-{stamp}")),
        };
        Ok(Recovery { folder: &self.folder, aside })
    }
}

impl Recovery<'_> {
    /// The folder where the damaged files are kept.
    pub fn aside(&self) -> &Path {
        &self.aside
    }

    /// A copy of the damaged files, wherever they are now, that may be opened. It is gone with what is given.
    pub(super) fn copy(&self) -> Result<tempfile::TempDir, Error> {
        let io = |why| Error::Io { path: self.folder.to_path_buf(), why };
        let copy = tempfile::Builder::new().prefix(COPY).tempdir_in(self.folder).map_err(io)?;
        for ending in FILES {
            let from = self.place(&name_of(ending));
            match fs::copy(&from, copy.path().join(name_of(ending))) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(why) => return Err(Error::Io { path: from, why }),
            }
        }
        Ok(copy)
    }

    /// Whether the index of the log is of this run of the machine.
    pub(super) fn index_is_of_now(&self) -> bool {
        super::wal::is_of_this_boot(self.folder)
    }

    /// Where a damaged file is now.
    fn place(&self, name: &str) -> PathBuf {
        let moved = self.aside.join(name);
        // Once anything was moved, what has the name in the folder may be the new one.
        if moved.exists() || (self.aside.join(DATABASE).exists() && self.folder.join(MARKER).exists()) {
            moved
        } else {
            self.folder.join(name)
        }
    }

    /// The new database, to be filled.
    pub fn rebuilt(&self) -> Result<Store, Error> {
        Store::open(&self.rebuilt_file())
    }

    pub(super) fn rebuilt_file(&self) -> PathBuf {
        self.folder.join(REBUILT)
    }

    /// Puts the new database, which is closed, into the place of the damaged one.
    pub fn exchange(self) -> Result<(), Error> {
        let io = |why| Error::Io { path: self.folder.to_path_buf(), why };
        // A log that was not taken up into the file would be lost by the renaming.
        assert!(!self.folder.join(format!("{REBUILT}-wal")).exists(), "the new database is closed");
        File::open(self.folder.join(REBUILT)).and_then(|file| file.sync_all()).map_err(io)?;
        self.mark().map_err(io)?;
        match DirBuilder::new().mode(0o700).create(&self.aside) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
            _ => {}
        }
        // The database last: where it is aside, all of it is.
        for ending in FILES.iter().rev() {
            let (from, to) = (self.place(&name_of(ending)), self.aside.join(name_of(ending)));
            if from != to && from.exists() {
                fs::rename(from, to).map_err(io)?;
            }
        }
        // Where there was none, an empty one says that it was so.
        File::options().create(true).append(true).open(self.aside.join(DATABASE)).map_err(io)?;
        sync(&self.aside).and_then(|()| sync(self.folder)).map_err(io)?;
        fs::rename(self.folder.join(REBUILT), self.folder.join(DATABASE)).map_err(io)?;
        sync(self.folder).map_err(io)?;
        fs::remove_file(self.folder.join(MARKER)).and_then(|()| sync(self.folder)).map_err(io)
    }

    fn mark(&self) -> io::Result<()> {
        let name = self.aside.file_name().unwrap_or_default();
        let mut marker = tempfile::Builder::new().prefix(REBUILT).tempfile_in(self.folder)?;
        io::Write::write_all(&mut marker, name.as_encoded_bytes())?;
        marker.as_file().sync_all()?;
        marker.persist(self.folder.join(MARKER))?;
        sync(self.folder)
    }
}
