//! The folder of driver plugins: which files are drivers, which are used, and why the others are not.

use super::error::LoadError;
use super::library::Library;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files that are looked at begin and end like this.
const PREFIX: &str = "librunsheet_driver_";
const SUFFIX: &str = ".so";

/// The drivers of a folder.
#[derive(Debug, Default)]
pub struct Drivers {
    folder: PathBuf,
    found: Vec<Found>,
    by_name: BTreeMap<String, Library>,
}

/// A file of the folder that has a driver's name, and what came of it.
#[derive(Debug)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// The driver, or why it is not used.
    pub result: Result<Library, LoadError>,
}

impl Drivers {
    /// Loads every driver of a folder. A file that is refused does not stop the others.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn load(folder: &Path) -> std::io::Result<Self> {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
            })
            .collect();
        paths.sort();
        let mut drivers = Self { folder: folder.to_path_buf(), ..Self::default() };
        for path in paths {
            let result = Library::load_unless(&path, |name| {
                drivers.by_name.get(name).map(|first| first.path().to_path_buf())
            });
            if let Ok(library) = &result {
                drivers.by_name.insert(library.name().to_owned(), *library);
            }
            drivers.found.push(Found { path, result });
        }
        Ok(drivers)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was found, in the order of file names.
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// The driver of a name.
    pub fn get(&self, name: &str) -> Option<Library> {
        self.by_name.get(name).copied()
    }

    /// The names of all drivers that are used.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}
