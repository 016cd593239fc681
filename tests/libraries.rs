//! What the driver libraries are as files: each shows one symbol, so that no two of them can get into each other's way in the
//! daemon, and asks nothing of the loader that it cannot give to a library that is loaded late.

mod site;

use anyhow::{Result, bail};
use runsheet_test_servers::{build_c_driver, c_driver_sources, driver_header_folder};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Libraries of the system that every machine with the daemon has.
const NEEDED: &[&str] =
    &["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];

fn libraries() -> Result<Vec<PathBuf>> {
    let mut libraries: Vec<PathBuf> = ["sqlite", "postgres", "mysql"]
        .map(|name| site::program().with_file_name(format!("librunsheet_driver_{name}.so")))
        .to_vec();
    libraries.push(build_c_driver()?);
    Ok(libraries)
}

fn said(program: &str, arguments: &[&str], file: &Path) -> Result<String> {
    let output = Command::new(program).args(arguments).arg(file).output()?;
    if !output.status.success() {
        bail!("{program} {}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The names that the library gives to others.
fn symbols(library: &Path) -> Result<Vec<String>> {
    let text = said("nm", &["-D", "--defined-only", "--format=posix"], library)?;
    Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// What a library has in its dynamic section that a driver must not have.
fn faults(library: &Path) -> Result<Vec<String>> {
    let text = said("readelf", &["--dynamic", "--wide"], library)?;
    let mut faults = Vec::new();
    for line in text.lines() {
        if line.contains("(NEEDED)") {
            let name = line.split(['[', ']']).nth(1).unwrap_or_default();
            if !NEEDED.contains(&name) {
                faults.push(format!("it needs {name}"));
            }
        }
        // Room for such thread-local variables is given when the program starts, and runs out afterwards.
        if line.contains("(FLAGS)") && line.contains("STATIC_TLS") {
            faults.push("STATIC_TLS".to_owned());
        }
        if line.contains("TEXTREL") {
            faults.push("TEXTREL".to_owned());
        }
    }
    let stack = said("readelf", &["--program-headers", "--wide"], library)?;
    if stack.lines().any(|line| line.contains("GNU_STACK") && line.contains("RWE")) {
        faults.push("an executable stack".to_owned());
    }
    Ok(faults)
}

#[test]
fn every_driver_shows_the_one_symbol_of_the_abi() -> Result<()> {
    for library in libraries()? {
        assert_eq!(symbols(&library)?, ["rsd_entry_v1"], "{}", library.display());
    }
    Ok(())
}

#[test]
fn every_driver_can_be_loaded_into_a_running_program() -> Result<()> {
    for library in libraries()? {
        assert_eq!(faults(&library)?, Vec::<String>::new(), "{}", library.display());
    }
    Ok(())
}

#[test]
fn a_library_that_shows_more_or_asks_more_is_seen() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("early.c");
    std::fs::write(
        &source,
        "__thread int early;\nint use_early(void);\nint use_early(void) { return early; }\n",
    )?;
    let library = folder.path().join("open.so");
    let status = Command::new("cc")
        .args([
            "-shared",
            "-fPIC",
            "-pthread",
            "-ftls-model=initial-exec",
            "-Wl,--no-as-needed",
            "-lresolv",
            "-I",
        ])
        .arg(driver_header_folder())
        .args(c_driver_sources()?)
        .arg(&source)
        .arg("-o")
        .arg(&library)
        .status()?;
    assert!(status.success());
    assert!(symbols(&library)?.iter().any(|symbol| symbol == "statement_run"));
    assert_eq!(faults(&library)?, ["it needs libresolv.so.2", "STATIC_TLS"]);
    Ok(())
}
