//! The driver written in C, built with the machine's own compiler as its author would.

use crate::process::run;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Nothing but the one symbol is seen from outside, and nothing may be missing when the library is linked.
const FLAGS: &[&str] = &[
    "-std=c11",
    "-pedantic",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-O1",
    "-g",
    "-shared",
    "-fPIC",
    "-fvisibility=hidden",
    "-Wl,-z,defs",
    "-pthread",
];

fn tests() -> PathBuf {
    // This crate is tests/servers.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The folder of `runsheet_driver.h`.
pub fn driver_header_folder() -> PathBuf {
    tests().join("../plugins/sdk/include")
}

/// Compiles C sources to a driver library.
///
/// # Errors
/// What the compiler says.
pub fn compile_driver(sources: &[PathBuf], library: &Path) -> Result<()> {
    run(Command::new("cc")
        .args(FLAGS)
        .arg("-I")
        .arg(driver_header_folder())
        .arg("-I")
        .arg(tests().join("c-driver"))
        .args(sources)
        .arg("-o")
        .arg(library))?;
    Ok(())
}

/// The sources of the key/value driver in `tests/c-driver`.
///
/// # Errors
/// Where the folder cannot be read.
pub fn c_driver_sources() -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(tests().join("c-driver")).context("tests/c-driver is there")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    Ok(sources)
}

/// The library of the key/value driver in `tests/c-driver`, built once in a process. It lies in a folder of its own below
/// Cargo's, where a daemon can take it from.
///
/// # Errors
/// What the compiler says.
pub fn build_c_driver() -> Result<PathBuf> {
    static BUILT: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.clone().map_err(anyhow::Error::msg)
}

fn build() -> Result<PathBuf> {
    // A test's program is in target/PROFILE/deps.
    let program = std::env::current_exe()?;
    let folder = program.ancestors().nth(2).context("Cargo's folder")?.join("c-driver");
    std::fs::create_dir_all(&folder)?;
    // Renamed into place, since other tests may have the old one mapped.
    let fresh = folder.join(format!("{}.so", std::process::id()));
    compile_driver(&c_driver_sources()?, &fresh)?;
    let library = folder.join("librunsheet_driver_keyvalue.so");
    std::fs::rename(&fresh, &library)?;
    Ok(library)
}
