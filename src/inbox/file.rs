//! Opening a file of the inbox without following anything out of it.

use super::scan::Stamp;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
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

impl Root {
    pub fn open(inbox: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, inbox, flags, Mode::empty())?))
    }

    /// Opens a regular file below the inbox. No link is followed, and a pipe does not block.
    pub fn file(&self, place: &Path) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = match openat2(&self.0, place, flags, Mode::empty(), inside) {
            // Kernels before 5.6, and sandboxes that hide it: step by step instead.
            Err(Errno::NOSYS) => self.step_by_step(place, flags),
            other => other,
        }?;
        let file = File::from(opened);
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
        }
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
