//! Where a database's file is, and whether it may be opened. Only names and attributes are looked at, and nothing is opened: closing
//! a file drops the POSIX locks that any other part of the process holds on it.

use crate::settings::Options;
use runsheet_sdk::log::{Level, line};
use runsheet_sdk::{Class, Error};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The daemon's own database, and the folder beside it.
const STATE_FILE: &str = "runsheet.db";
const STATE_SHEETS: &str = "sheets";

/// File systems of other machines, by the number that statfs gives: NFS, CIFS, SMB2.
const NETWORK_FILE_SYSTEMS: &[u64] = &[0x6969, 0xFF53_4D42, 0xFE53_4D42];

fn refuse(class: Class, database: &str, message: String) -> Error {
    Error { object: database.to_owned(), ..Error::new(class, message) }
}

impl Options {
    /// The file of a database, by its real path.
    ///
    /// # Errors
    /// Where the name or the file is none that may be opened, or the file is missing and may not be made.
    pub fn file(&self, database: &str) -> Result<PathBuf, Error> {
        if database.is_empty() || database.contains(['/', '\0']) || database.starts_with('.') {
            return Err(refuse(
                Class::Setting,
                database,
                format!(
                    "{database:?} is no name of a database: it must be a file's name, not empty, without a slash and not beginning with a dot"
                ),
            ));
        }
        let directory = self.real_directory()?;
        let bare = directory.join(database);
        let file =
            if bare.is_file() { bare } else { directory.join(format!("{database}{}", self.extension)) };
        if file.file_name().is_some_and(|name| name == STATE_FILE) {
            return Err(refuse(
                Class::Permission,
                database,
                format!(
                    "{} has the name of a Runsheet daemon's own state, which is never opened as a database; rename the file",
                    file.display()
                ),
            ));
        }
        match fs::symlink_metadata(&file) {
            Ok(_) => judge(&file, &directory, database),
            Err(error) if error.kind() == ErrorKind::NotFound && self.create => Ok(file),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let message = format!("there is no database file {}", file.display());
                Err(refuse(Class::MissingObject, database, message)
                    .hint("Set `create = true` on the instance to have it made"))
            }
            Err(error) => Err(unreadable(&file, database, &error)),
        }
    }

    fn real_directory(&self) -> Result<PathBuf, Error> {
        let shown = self.directory.display();
        let wrong = |message: String| Err(Error::setting("directory", message));
        match fs::canonicalize(&self.directory) {
            Ok(real) if !real.is_dir() => wrong(format!("`directory` {shown} is not a directory")),
            Ok(real) if is_state_folder(&real) => wrong(format!(
                "`directory` {shown} is the state folder of a Runsheet daemon; its files are never opened as databases"
            )),
            Ok(real) => {
                warn_of_network(&real);
                Ok(real)
            }
            Err(error) => wrong(format!("`directory` {shown} cannot be used: {error}")),
        }
    }
}

fn unreadable(file: &Path, database: &str, error: &std::io::Error) -> Error {
    let class = if error.kind() == ErrorKind::PermissionDenied { Class::Permission } else { Class::Resource };
    refuse(class, database, format!("{} cannot be looked at: {error}", file.display()))
}

/// A file that is there: in the directory itself, a plain file, and known by one name only.
fn judge(file: &Path, directory: &Path, database: &str) -> Result<PathBuf, Error> {
    let shown = file.display();
    let real = fs::canonicalize(file).map_err(|error| unreadable(file, database, &error))?;
    let meta = fs::metadata(&real).map_err(|error| unreadable(file, database, &error))?;
    let permission = |message: String| Err(refuse(Class::Permission, database, message));
    if real.parent() != Some(directory) {
        return permission(format!(
            "{shown} leads out of the instance's directory, to {}; copy the file there, or give that folder an instance of its own",
            real.display()
        ));
    }
    if real.file_name().is_some_and(|name| name == STATE_FILE) {
        return permission(format!("{shown} leads to a Runsheet daemon's own state"));
    }
    if !meta.is_file() {
        return permission(format!("{shown} is not a plain file"));
    }
    if meta.nlink() > 1 {
        return permission(format!(
            "{shown} has {} names (hard links); SQLite looks for its journal under the name that it opens, so two names can destroy the file. Leave it one name",
            meta.nlink()
        ));
    }
    Ok(real)
}

/// Whether a folder has the shape of a daemon's state.
pub(crate) fn is_state_folder(folder: &Path) -> bool {
    folder.join(STATE_FILE).exists() && folder.join(STATE_SHEETS).is_dir()
}

/// Whether a file that a sheet names is a daemon's state, by its name or by the folder that it lies in.
pub(crate) fn is_state_file(file: &Path) -> bool {
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    real.file_name().is_some_and(|name| name == STATE_FILE) || real.parent().is_some_and(is_state_folder)
}

fn warn_of_network(directory: &Path) {
    let Ok(found) = rustix::fs::statfs(directory) else { return };
    // The field's type differs between machines; the numbers have 32 bits.
    let number = found.f_type as u64 & 0xFFFF_FFFF;
    if NETWORK_FILE_SYSTEMS.contains(&number) {
        line(
            Level::Warning,
            format_args!(
                "{} is on a network file system, whose locks may not hold between machines; SQLite files there can be damaged",
                directory.display()
            ),
        );
    }
}
