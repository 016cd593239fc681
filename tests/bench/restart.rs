//! A daemon is killed with many tasks in its state and some in flight. How long until the next one has them all in hand again,
//! beside the start of a daemon that has nothing in its state.

use super::process::peak_of;
use super::site::{Site, until};
use super::{Row, Table, median};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, Instant};

/// Tasks in the state.
const TASKS: usize = 100_000;
/// Of them in flight: each waits for the lock of its database, which somebody else holds.
const IN_FLIGHT: usize = 50;
const PLANS: usize = 10;
/// How often the daemon is killed.
const KILLS: usize = 7;

/// Kills and starts, and tells how long it took.
pub fn run() -> Result<Table> {
    let site = &mut Site::with_config("[scheduler]\nmax_running_tasks = 50\n", "")?;
    let config = fs::read_to_string(site.path("config.toml"))?;
    let folder = site.path("databases");
    let instance = format!(
        "[instances.main]\ndriver = \"sqlite\"\ndirectory = {:?}\ncreate = true\nmax_connections = {IN_FLIGHT}\n",
        folder.display().to_string()
    );
    site.write("config.toml", format!("{config}{instance}"))?;
    let empty = median((0..KILLS).map(|_| start_of_an_empty_one(site)).collect::<Result<_>>()?);
    let _held: Vec<File> =
        (0..IN_FLIGHT).map(|database| site.hold(&format!("db{database}"))).collect::<Result<_>>()?;
    drop_plans(site)?;
    site.start()?;
    until("all are in flight", || Ok(at_the_lock(site) == IN_FLIGHT))?;
    let mut times = Vec::new();
    let mut peak = 0.0;
    for _ in 0..KILLS {
        site.kill();
        let before = at_the_lock(site);
        let begun = Instant::now();
        site.start()?;
        until("all are in flight again", || Ok(at_the_lock(site) == before + IN_FLIGHT))?;
        times.push(begun.elapsed().as_secs_f64());
        peak = f64::max(peak, peak_of(site.pid().context("a daemon")?)?);
    }
    let went_on = median(times);
    #[expect(clippy::cast_precision_loss, reason = "a hundred thousand is exact")]
    let by_task = peak / TASKS as f64;
    Ok(Table {
        head: format!("{TASKS} tasks in the state, {IN_FLIGHT} of them in flight, {KILLS} kills"),
        rows: vec![
            Row::new("from start to all in flight again", went_on, "s"),
            Row::new("from start to ready, with an empty state", empty, "s"),
            Row::new("peak memory of the daemon, by task", by_task, "kB"),
        ],
    })
}

fn drop_plans(site: &Site) -> Result<()> {
    site.drop_file("crowd/make.sql", "CREATE TABLE made (id INTEGER);")?;
    let spec = |id: String, database: usize| -> Value {
        json!({ "id": id, "changeDatabaseConfig": {
            "target": format!("instances/main/databases/db{}", database % IN_FLIGHT),
            "sheet": "projects/crowd/sheets/make", "type": "MIGRATE" } })
    };
    for plan in 0..PLANS {
        let specs: Vec<Value> = (0..TASKS / PLANS).map(|task| spec(format!("t{task}"), task)).collect();
        let text = json!({ "steps": [{ "specs": specs }] }).to_string();
        site.drop_file(&format!("crowd/p{plan:02}.plan.json"), text)?;
    }
    Ok(())
}

fn start_of_an_empty_one(site: &mut Site) -> Result<f64> {
    let begun = Instant::now();
    site.start()?;
    until("it answers", || Ok(site.path("socket").exists() && site.run(&["status"])?.status.success()))?;
    let time = begun.elapsed().as_secs_f64();
    site.kill();
    fs::remove_file(site.path("socket"))?;
    fs::remove_dir_all(site.path("state"))?;
    Ok(time)
}

/// How many tasks have come to the lock of their database, over all starts: each says so in its log once.
fn at_the_lock(site: &Site) -> usize {
    let output = Command::new("sqlite3")
        .args(["-readonly"])
        .arg(site.path("state/runsheet.db"))
        .arg("SELECT count(*) FROM log WHERE entry LIKE '%waits for the lock%'")
        .output();
    std::thread::sleep(Duration::from_millis(20));
    output.ok().and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse().ok()).unwrap_or(0)
}
