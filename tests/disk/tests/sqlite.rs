//! SQLite on the disk, as the proof that the disk finds what it is for: settings that are known to lose what was acknowledged do
//! lose it here, and settings that are known to be safe do not.

#[path = "../../crash/random.rs"]
#[allow(dead_code, reason = "the crash matrix uses all of it")]
mod random;

use anyhow::{Context, Result};
use random::Random;
use runsheet_test_disk::{Disk, Names};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// So many commits a run, at most.
const COMMITS: u32 = 400;

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Kept,
    /// Something that was acknowledged is gone.
    Lost,
    /// The file is damaged.
    Broken,
}

/// A shell commits row after row and says so of each, and the power fails in the middle.
fn run(journal: &str, synchronous: &str, seed: u64) -> Result<End> {
    let mut random = Random::new(seed);
    let folder = tempfile::Builder::new().prefix("runsheet-disk-").tempdir()?;
    let mut disk = Disk::mount(folder.path())?;
    let script = folder.path().join("script");
    fs::write(&script, script_of(journal, synchronous))?;
    disk.sync();
    let mut child = Command::new("stdbuf")
        .args(["-oL", "sqlite3", "-batch", "-bail"])
        .arg(folder.path().join("file.db"))
        .stdin(File::open(&script)?)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("its output")?;
    let acknowledged = std::thread::spawn(move || {
        let rows = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("in|")?.parse().ok());
        rows.max().unwrap_or(0_u32)
    });
    if random.chance(50) {
        disk.fail_at_sync(1 + random.below(200), random.chance(50));
        disk.wait_for_failure(|| acknowledged.is_finished(), Duration::from_secs(30));
    } else {
        std::thread::sleep(Duration::from_micros(random.below(60_000)));
    }
    disk.fail();
    child.kill()?;
    disk.release();
    child.wait()?;
    let acknowledged = acknowledged.join().map_err(|_| anyhow::anyhow!("the reader has panicked"))?;
    let names = random.pick(&[Names::InOneOrder, Names::FolderByFolder]);
    disk.cut(names, |end| random.below(end))?;
    end(&folder.path().join("file.db"), acknowledged)
}

fn script_of(journal: &str, synchronous: &str) -> String {
    let mut script = format!(
        "PRAGMA journal_mode = {journal}; PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 60;\n\
         CREATE TABLE t (n INTEGER PRIMARY KEY, filling TEXT);\n"
    );
    for number in 1..=COMMITS {
        // Rows of a third of a page: some commits write several pages.
        writeln!(script, "INSERT INTO t VALUES ({number}, hex(zeroblob(700))); SELECT 'in', {number};")
            .expect("a text grows");
    }
    script
}

fn end(file: &Path, acknowledged: u32) -> Result<End> {
    if acknowledged == 0 {
        return Ok(End::Kept);
    }
    let ask = "PRAGMA integrity_check; SELECT count(*), coalesce(max(n), 0) FROM t;";
    let output = Command::new("sqlite3").args(["-batch", "-bail"]).arg(file).arg(ask).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.strip_prefix("ok\n").and_then(|rows| rows.trim().split_once('|'));
    let no_table = String::from_utf8_lossy(&output.stderr).contains("no such table");
    match rows {
        Some((count, last)) if count == last && last.parse::<u32>()? >= acknowledged => Ok(End::Kept),
        Some((count, last)) if count == last => Ok(End::Lost),
        None if no_table => Ok(End::Lost),
        _ => Ok(End::Broken),
    }
}

/// How many of so many runs end how.
fn runs(journal: &str, synchronous: &str, runs: u64) -> Result<(usize, usize)> {
    let ends: Vec<End> = (0..runs).map(|seed| run(journal, synchronous, seed)).collect::<Result<_>>()?;
    let count = |wanted: &End| ends.iter().filter(|end| *end == wanted).count();
    let (lost, broken) = (count(&End::Lost), count(&End::Broken));
    println!(
        "journal_mode {journal}, synchronous {synchronous}: {lost} of {runs} cuts lost something that was acknowledged, {broken} damaged the file"
    );
    Ok((lost, broken))
}

#[test]
fn full_synchronisation_with_a_write_ahead_log_loses_nothing() -> Result<()> {
    assert_eq!(runs("WAL", "FULL", 120)?, (0, 0));
    Ok(())
}

#[test]
fn normal_synchronisation_with_a_write_ahead_log_loses_commits_and_damages_nothing() -> Result<()> {
    let (lost, broken) = runs("WAL", "NORMAL", 20)?;
    assert!(lost > 0 && broken == 0, "{lost} lost, {broken} damaged");
    Ok(())
}

#[test]
fn no_synchronisation_loses_commits() -> Result<()> {
    let (lost, broken) = runs("WAL", "OFF", 20)?;
    assert!(lost + broken > 0);
    Ok(())
}

/// The commit is the removal of the journal, and only `extra` syncs the folder that it is removed from.
#[test]
fn a_rollback_journal_needs_more_than_full() -> Result<()> {
    let (lost, broken) = runs("DELETE", "FULL", 40)?;
    assert!(lost > 0 && broken == 0, "{lost} lost, {broken} damaged");
    assert_eq!(runs("DELETE", "EXTRA", 60)?, (0, 0));
    Ok(())
}
