//! The targets of the suite: each driver with an engine of its own, and that engine's words.
#![allow(dead_code, reason = "every test file uses another target")]

pub mod keyvalue;
pub mod mock;
pub mod mysql;
pub mod postgres;
pub mod sqlite;

use runsheet_sdk::Settings;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The library of a driver of this workspace, which lies beside the test.
pub fn library(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.with_file_name(format!("librunsheet_driver_{name}.so"))
}

/// A folder for databases in files, in memory where there is such a place: what is shown here does not depend on the disk.
pub fn folder() -> std::io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

/// Settings that are no secrets.
pub fn settings(pairs: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::new();
    for (key, value) in pairs {
        settings.set(*key, *value, false);
    }
    settings
}
