//! What the tests of the inbox have in common: sites on SQLite, plans of one task, and what lies in which folder.
#![allow(dead_code, reason = "every test file uses another part of it")]

use crate::site::{Engine, Site, plan_of};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A site on SQLite with these keys of `[inbox]`.
pub fn site(inbox: &str) -> Result<Site> {
    Site::on(&Engine::Sqlite, &format!("[inbox]\n{inbox}\n"))
}

/// The same, with its folders in memory, where waiting for a disk costs nothing: a kill leaves the same there. They are there
/// as long as the first is held, which must be longer than the site.
pub fn site_in_memory(inbox: &str) -> Result<(TempDir, Site)> {
    let memory = tempfile::Builder::new().prefix("runsheet-memory-").tempdir_in("/dev/shm")?;
    let site = site(inbox)?;
    let config = fs::read_to_string(site.path("config.toml"))?;
    let root = format!("root = {:?}", memory.path().display().to_string());
    site.write("config.toml", config.replacen("root = \".\"", &root, 1))?;
    fs::create_dir(memory.path().join("inbox"))?;
    fs::remove_dir(site.path("inbox"))?;
    for folder in ["inbox", "accepted", "rejected", "results", "state"] {
        symlink(memory.path().join(folder), site.path(folder))?;
    }
    Ok((memory, site))
}

/// A plan of one task on the database `db`.
pub fn one_task(sheet: &str) -> String {
    plan_of(&[&[("only", "instances/main/databases/db", sheet)]])
}

/// A sheet that leaves a number in `db`.
pub fn number_sheet(number: u32) -> String {
    format!("CREATE TABLE IF NOT EXISTS t (n INTEGER);\nINSERT INTO t VALUES ({number});\n")
}

/// The numbers that sheets have left, in their order.
pub fn numbers(site: &Site) -> Result<Vec<i64>> {
    let rows = Engine::Sqlite.query(&site.path("databases"), "db", "SELECT n FROM t ORDER BY n")?;
    rows.iter().map(|row| Ok(row.first().context("a column")?.parse()?)).collect()
}

/// The files below a folder of the site, by their places in it.
pub fn files(site: &Site, folder: &str) -> Result<BTreeSet<String>> {
    let root = site.path(folder);
    let mut found = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            // What is gone by now was just moved.
            let Ok(meta) = path.symlink_metadata() else { continue };
            if meta.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(&root)?.display().to_string());
            }
        }
    }
    Ok(found)
}

/// The same, as lists are written in a test.
pub fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Runs a command of the system, which must succeed.
pub fn command(program: &str, arguments: &[&Path]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    anyhow::ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A number for every test run; `RUNSHEET_SEED` repeats an earlier one.
pub fn seed() -> u64 {
    let given = std::env::var("RUNSHEET_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

/// The next number of a simple generator: the seed alone repeats all of them.
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
