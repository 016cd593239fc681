//! The targets of the suite: each driver with an engine of its own, and that engine's words.
#![allow(dead_code, reason = "every test file uses another target")]

pub mod mock;
pub mod mysql;
pub mod postgres;
pub mod sqlite;

use runsheet_sdk::Settings;
use std::path::PathBuf;

/// The library of a driver of this workspace, which lies beside the test.
pub fn library(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.with_file_name(format!("librunsheet_driver_{name}.so"))
}

/// Settings that are no secrets.
pub fn settings(pairs: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::new();
    for (key, value) in pairs {
        settings.set(*key, *value, false);
    }
    settings
}
