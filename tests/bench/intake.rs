//! How long it is from dropping to running: for one plan, which has nobody before it; and for very many that come at one moment, beside
//! the copying of the same files.

use super::site::{Engine, Site, until};
use super::turns::{PROJECT, spec};
use super::{Row, Table, median};
use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How often one plan is dropped.
const DROPS: usize = 25;
/// How many plans come at one moment.
const PLANS: usize = 10_000;
/// On how many databases.
const LANES: usize = 100;
/// Where they are made, beside the inbox.
const PREPARED: &str = "prepared";
/// What the site's config waits after a file's last change, in milliseconds.
const SETTLE: f64 = 20.0;

/// Measures both.
pub fn run() -> Result<Table> {
    let mut rows = vec![
        Row::new("one plan: from its rename to its first statement's end", one_plan()?, "ms"),
        Row::new("one plan: of it, what the config waits for more bytes", SETTLE, "ms"),
    ];
    let (copied, done, peak) = crowd()?;
    #[expect(clippy::cast_precision_loss, reason = "ten thousand is exact")]
    let each = done * 1_000.0 / PLANS as f64;
    rows.extend([
        Row::new(format!("{PLANS} plans: from their rename to the last one's end"), done, "s"),
        Row::new(format!("{PLANS} plans: by plan"), each, "ms"),
        Row::new(format!("{PLANS} plans: their files copied, each synced"), copied, "s"),
        Row::new(format!("{PLANS} plans: of that time"), done / copied, "×"),
        Row::new(format!("{PLANS} plans: peak memory of the daemon"), peak, "MB"),
    ]);
    Ok(Table { head: format!("{DROPS} drops of one plan, and {PLANS} plans of one task at once"), rows })
}

fn state(site: &Site) -> Result<Connection> {
    Ok(Connection::open_with_flags(site.path("state/runsheet.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

fn done(site: &Site) -> Result<usize> {
    let sql = "SELECT count(*) FROM plans WHERE status = 'DONE'";
    Ok(usize::try_from(state(site)?.query_row(sql, [], |row| row.get::<_, i64>(0))?)?)
}

fn one_plan() -> Result<f64> {
    let site = &mut Site::on(&Engine::Sqlite, "")?;
    site.start()?;
    until("it answers", || Ok(site.run(&["status"])?.status.success()))?;
    let mut times = Vec::new();
    for drop in 0..DROPS {
        site.drop_file(&format!("{PROJECT}/s{drop}.sql"), format!("CREATE TABLE t{drop} (a INTEGER);\n"))?;
        let plan = serde_json::json!({ "steps": [{ "specs": [spec("one", "db", &format!("s{drop}"))] }] });
        let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1_000.0;
        site.drop_file(&format!("{PROJECT}/p{drop}.plan.json"), plan.to_string())?;
        until("it is done", || Ok(done(site)? == drop + 1))?;
        let sql = "SELECT time FROM log WHERE json_extract(entry, '$.entry') = 'statements' ORDER BY id DESC LIMIT 1";
        let ran: f64 = state(site)?.query_row(sql, [], |row| row.get(0))?;
        times.push(ran - time);
    }
    Ok(median(times))
}

/// Seconds of copying, and from dropping to the last end; and megabytes.
fn crowd() -> Result<(f64, f64, f64)> {
    let instance = "[instances.main]\ndriver = \"mock\"\nmax_connections = 64\n";
    let site = &mut Site::with_config("[scheduler]\nmax_running_tasks = 64\n", instance)?;
    site.write(&format!("{PREPARED}/sheet.sql"), "ok;\n")?;
    for plan in 0..PLANS {
        let spec = spec("one", &format!("db{}", plan % LANES), "sheet");
        let text = serde_json::json!({ "steps": [{ "specs": [spec] }] }).to_string();
        site.write(&format!("{PREPARED}/p{plan}.plan.json"), text)?;
    }
    let begun = Instant::now();
    fs::create_dir(site.path("copied"))?;
    for entry in fs::read_dir(site.path(PREPARED))? {
        let from = entry?.path();
        let to = site.path("copied").join(from.file_name().context("a name")?);
        fs::copy(&from, &to)?;
        File::open(&to)?.sync_all()?;
    }
    let copied = begun.elapsed().as_secs_f64();
    Command::new("sync").status()?;
    site.start()?;
    until("it answers", || Ok(site.run(&["status"])?.status.success()))?;
    let begun = Instant::now();
    fs::rename(site.path(PREPARED), site.path("inbox").join(PROJECT))?;
    until("all are done", || Ok(done(site)? == PLANS))?;
    let all = begun.elapsed().as_secs_f64();
    let peak = super::process::peak_of(site.pid().context("a daemon")?)? / 1_000.0;
    Ok((copied, all, peak))
}
