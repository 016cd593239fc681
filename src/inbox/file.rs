//! Opening a file of the inbox without following anything out of it.

use super::scan::Stamp;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, fstat, openat, openat2, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// How reading a file ended.
pub(super) enum ReadFile {
    /// Its bytes.
    Whole(Vec<u8>),
    /// It is larger than it may be; this large.
    TooLarge(u64),
    /// It has changed since it was looked at, or is gone.
    Changed,
}

/// The inbox's folder, held open so that nobody can put another in its place.
pub(super) struct Root(OwnedFd);

/// An entry of a folder of the inbox: its folder is held open, so that its name means this file and no other's.
pub(super) struct Entry {
    folder: OwnedFd,
    name: OsString,
}

impl Root {
    pub fn open(inbox: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, inbox, flags, Mode::empty())?))
    }

    /// Which folder it is: another one may have been put there, or mounted over it.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let stat = fstat(&self.0)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// Opens what is below the inbox. No link is followed, and a pipe does not block.
    fn below(&self, place: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = match openat2(&self.0, place, flags, Mode::empty(), inside) {
            // Kernels before 5.6, and sandboxes that hide it: step by step instead.
            Err(Errno::NOSYS) => self.step_by_step(place, flags),
            other => other,
        };
        Ok(opened?)
    }

    fn step_by_step(&self, place: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let folder_flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut folder: Option<OwnedFd> = None;
        let mut parts = place.iter().peekable();
        while let Some(part) = parts.next() {
            let is_last = parts.peek().is_none();
            let wanted = if is_last { flags } else { folder_flags };
            let next = match &folder {
                Some(folder) => openat(folder, part, wanted, Mode::empty())?,
                None => openat(&self.0, part, wanted, Mode::empty())?,
            };
            if is_last {
                return Ok(next);
            }
            folder = Some(next);
        }
        Err(Errno::NOENT)
    }

    /// Opens a regular file below the inbox.
    fn file(&self, place: &Path) -> io::Result<File> {
        regular(self.below(place, OFlags::empty())?)
    }

    /// The entry at a place.
    pub fn entry(&self, place: &Path) -> io::Result<Entry> {
        let name = place.file_name().ok_or(Errno::NOENT)?.to_owned();
        let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = match parent {
            Some(parent) => self.below(parent, OFlags::DIRECTORY)?,
            None => self.0.try_clone()?,
        };
        Ok(Entry { folder, name })
    }

    /// Opens a file that must still be the one that was looked at.
    pub fn same_file(&self, place: &Path, stamp: Stamp) -> io::Result<Option<File>> {
        match self.file(place) {
            Ok(file) if Stamp::of(&file.metadata()?) == stamp => Ok(Some(file)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a file that must be the same before and after.
    pub fn read(&self, place: &Path, stamp: Stamp, limit: u64) -> io::Result<ReadFile> {
        let Some(mut file) = self.same_file(place, stamp)? else { return Ok(ReadFile::Changed) };
        let size = file.metadata()?.len();
        if size > limit {
            return Ok(ReadFile::TooLarge(size));
        }
        let mut bytes = Vec::new();
        (&mut file).take(limit + 1).read_to_end(&mut bytes)?;
        let same = Stamp::of(&file.metadata()?) == stamp && bytes.len() as u64 == size;
        Ok(if same { ReadFile::Whole(bytes) } else { ReadFile::Changed })
    }
}

fn regular(opened: OwnedFd) -> io::Result<File> {
    let file = File::from(opened);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

impl Entry {
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// What is there now; nothing where nothing is.
    pub fn stamp(&self) -> io::Result<Option<Stamp>> {
        match statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Stamp::of_stat(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens it, where it is a regular file.
    pub fn open(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        regular(openat(&self.folder, &self.name, flags, Mode::empty())?)
    }

    pub fn remove(&self) -> io::Result<()> {
        Ok(unlinkat(&self.folder, &self.name, AtFlags::empty())?)
    }
}
