//! Sheets: their bytes in a folder, named by their SHA-256, and their names in the database.

use super::Millis;
use super::error::Error;
use super::folder::sync_name;
use super::salvage::readable;
use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How much is copied at a time.
const CHUNK: usize = 1 << 20;
/// So many files are made durable one by one; for more, the whole file system is, which waits for what others have written too.
const ONE_BY_ONE_MAX: usize = 32;
/// A file system that a program serves (`FUSE_SUPER_MAGIC`): the kernel does not pass a sync of the whole of it on to the program, and says
/// yes all the same.
const FUSE: rustix::fs::FsWord = 0x6573_5546;

/// The folder of sheets.
#[derive(Clone, Debug)]
pub struct Sheets {
    folder: PathBuf,
    written: Arc<Mutex<Written>>,
}

/// What this process has written whole.
#[derive(Debug, Default)]
struct Written {
    all: HashSet<String>,
    /// Those that are not durable yet.
    fresh: Vec<String>,
}

/// A sheet's name and what it stands for; it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetRow {
    /// `projects/{project}/sheets/{sheet}`.
    pub name: String,
    /// The bytes' SHA-256.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
    /// When it was taken in.
    pub taken_time: Millis,
}

impl Sheets {
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .and_then(|()| sync_name(folder))
            .map_err(|why| Error::Io { path: folder.to_path_buf(), why })?;
        let sheets = Self { folder: folder.to_path_buf(), written: Arc::default() };
        sheets.sweep()?;
        Ok(sheets)
    }

    /// The file of a sheet.
    pub fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256)
    }

    /// Copies a sheet in, up to `limit` bytes, and gives its SHA-256 and size. The same bytes again are the same file. It is
    /// durable only after [`Sheets::sync`], which a batch needs once; until then a crash may leave a file that is torn, so
    /// one that this process did not write itself is written again.
    ///
    /// # Errors
    /// [`Error::Io`], with `FileTooLarge` where it is over the limit.
    pub fn put(&self, from: &mut impl Read, limit: u64) -> Result<(String, u64), Error> {
        let io = |why| Error::Io { path: self.folder.clone(), why };
        let mut file = tempfile::Builder::new().prefix(".incoming-").tempfile_in(&self.folder).map_err(io)?;
        let mut hash = Sha256::new();
        let mut chunk = vec![0; CHUNK];
        let mut size: u64 = 0;
        loop {
            let read = from.read(&mut chunk).map_err(io)?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            size += read as u64;
            if size > limit {
                return Err(io(std::io::Error::from(std::io::ErrorKind::FileTooLarge)));
            }
            hash.update(bytes);
            file.write_all(bytes).map_err(io)?;
        }
        let sha256 = hex::encode(hash.finalize());
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if !written.all.contains(&sha256) {
            file.persist(self.path(&sha256)).map_err(|error| io(error.error))?;
            written.all.insert(sha256.clone());
            written.fresh.push(sha256.clone());
        }
        Ok((sha256, size))
    }

    /// Makes everything that was put durable.
    pub fn sync(&self) -> Result<(), Error> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.fresh.is_empty() {
            return Ok(());
        }
        self.sync_files(&written.fresh).map_err(|why| Error::Io { path: self.folder.clone(), why })?;
        written.fresh.clear();
        Ok(())
    }

    fn sync_files(&self, names: &[String]) -> std::io::Result<()> {
        let folder = File::open(&self.folder)?;
        if names.len() > ONE_BY_ONE_MAX && rustix::fs::fstatfs(&folder)?.f_type != FUSE {
            return Ok(rustix::fs::syncfs(&folder)?);
        }
        for name in names {
            File::open(self.path(name))?.sync_all()?;
        }
        folder.sync_all()
    }

    /// Removes what a crash left half copied.
    fn sweep(&self) -> Result<(), Error> {
        let io = |why| Error::Io { path: self.folder.clone(), why };
        for entry in fs::read_dir(&self.folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            if entry.file_name().to_string_lossy().starts_with(".incoming-") {
                fs::remove_file(entry.path()).map_err(io)?;
            }
        }
        Ok(())
    }
}

/// Records a sheet's name. The same name with the same bytes is no change.
pub fn insert_sheet(connection: &Connection, sheet: &SheetRow) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT INTO sheets (name, sha256, size, taken_time) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
        .execute(params![sheet.name, sheet.sha256, sheet.size, sheet.taken_time])?;
    Ok(())
}

/// The sheet of a name, if it was taken in.
pub fn sheet_by_name(connection: &Connection, name: &str) -> Result<Option<SheetRow>, Error> {
    Ok(connection
        .prepare_cached("SELECT name, sha256, size, taken_time FROM sheets WHERE name = ?1")?
        .query_row([name], sheet_row)
        .optional()?)
}

fn sheet_row(row: &Row<'_>) -> rusqlite::Result<SheetRow> {
    Ok(SheetRow { name: row.get(0)?, sha256: row.get(1)?, size: row.get(2)?, taken_time: row.get(3)? })
}

/// A plan that uses a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetUser {
    /// The plan's name.
    pub plan: String,
    /// The folder that the plan came in.
    pub folder: String,
    /// The sheet's name.
    pub sheet: String,
}

/// The stored sheets whose names end with `/sheets/{id}` for one of these ids.
pub fn sheets_called(connection: &Connection, ids: &HashSet<&str>) -> Result<Vec<SheetRow>, Error> {
    let mut statement = connection.prepare_cached("SELECT name, sha256, size, taken_time FROM sheets")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if name.rsplit_once('/').is_some_and(|(_, id)| ids.contains(id)) {
            found.push(sheet_row(row)?);
        }
    }
    Ok(found)
}

/// The plans that use one of these sheets, in the order of acceptance. All tasks are read, so it is not asked where no
/// sheet is meant.
pub fn users_of_sheets(connection: &Connection, names: &HashSet<&str>) -> Result<Vec<SheetUser>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached("SELECT plan_id, sheet FROM tasks ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut uses: BTreeSet<(i64, String)> = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let sheet: String = row.get(1)?;
        if names.contains(sheet.as_str()) {
            uses.insert((row.get(0)?, sheet));
        }
    }
    let mut statement = connection.prepare_cached("SELECT name, folder FROM plans WHERE id = ?1")?;
    let user = |(plan, sheet): (i64, String)| {
        let (plan, folder) = statement.query_row([plan], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(SheetUser { plan, folder, sheet })
    };
    uses.into_iter().map(user).collect()
}

/// All sheets of a damaged database that can be read.
pub(super) fn all_sheets(connection: &Connection, whole: &mut bool) -> Vec<SheetRow> {
    readable(connection, "SELECT name, sha256, size, taken_time FROM sheets", whole, sheet_row)
}
