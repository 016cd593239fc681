//! `demo`: the main job, on three SQLite databases in a temporary folder, shown as it goes.

use super::exit::Exit;
use super::paint::{self, Colour, paint};
use super::source::Source;
use super::{follow, status};
use crate::config::Config;
use crate::daemon;
use anyhow::Context;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const PLAN: &str = r#"{
  "title": "Give every branch its customers and orders",
  // Two steps: the second waits until every task of the first is done.
  "steps": [
    { "title": "schema",
      "specs": [
        { "id": "north-schema", "changeDatabaseConfig": { "target": "instances/demo/databases/north", "sheet": "projects/demo/sheets/schema", "type": "MIGRATE", "schemaVersion": "1.0" } },
        { "id": "south-schema", "changeDatabaseConfig": { "target": "instances/demo/databases/south", "sheet": "projects/demo/sheets/schema", "type": "MIGRATE", "schemaVersion": "1.0" } },
        { "id": "head-schema",  "changeDatabaseConfig": { "target": "instances/demo/databases/head-office", "sheet": "projects/demo/sheets/schema", "type": "MIGRATE", "schemaVersion": "1.0" } },
      ] },
    { "title": "data",
      "specs": [
        { "id": "north-data", "changeDatabaseConfig": { "target": "instances/demo/databases/north", "sheet": "projects/demo/sheets/customers", "type": "DATA" } },
        { "id": "south-data", "changeDatabaseConfig": { "target": "instances/demo/databases/south", "sheet": "projects/demo/sheets/customers", "type": "DATA" } },
        { "id": "head-data",
          "dependsOnSpecs": ["north-data", "south-data"], // after both branches
          "changeDatabaseConfig": { "target": "instances/demo/databases/head-office", "sheet": "projects/demo/sheets/customers", "type": "DATA" } },
      ] },
  ],
}
"#;

const SCHEMA: &str = "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, since TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer, amount INTEGER NOT NULL);
CREATE TABLE total (customer INTEGER PRIMARY KEY, amount INTEGER NOT NULL);
CREATE TRIGGER orders_total AFTER INSERT ON orders BEGIN
    INSERT INTO total VALUES (new.customer, new.amount)
        ON CONFLICT DO UPDATE SET amount = amount + excluded.amount;
END;
";

/// How many rows the demo writes into each database.
const CUSTOMERS: u32 = 5_000;
const ORDERS: u32 = 50_000;

/// How long the daemon may take to answer for the first time.
const START_TIME_MAX: Duration = Duration::from_secs(20);

pub(super) fn run() -> anyhow::Result<Exit> {
    let folder = tempfile::Builder::new().prefix("runsheet-demo-").tempdir()?.keep();
    let config = prepare(&folder)?;
    paint::print(&format!(
        "A plan of two stages on three SQLite databases, in {}\n\n",
        paint(Colour::Bold, &folder.display().to_string())
    ))?;
    let options = daemon::Options { config: folder.join("config.toml"), until_idle: true, signals: true };
    let running = std::thread::Builder::new().name("demo".to_owned()).spawn(move || daemon::run(options))?;
    let watched = wait_until_taken(&config, &running)
        .and_then(|()| follow::last_plan(&config, "projects/demo/plans/branches"));
    let ended = running.join().map_err(|_| anyhow::anyhow!("the daemon broke down"))?;
    ended.context("the demo's daemon did not start")?;
    let exit = match watched {
        Ok(exit) => exit,
        // The daemon has ended before the last look: what is on the disk is the same.
        Err(_) => status::run(&config, Some("projects/demo/plans/branches"), false, true)?,
    };
    paint::print(&format!(
        "\nWhat a script reads   {}\nEvery statement       runsheet --config {1}/config.toml log branches\nAsk a database        sqlite3 {1}/databases/head-office.db 'SELECT count(*), sum(amount) FROM total'\n",
        config.folders.results.join("demo/branches/result.json").display(),
        folder.display()
    ))?;
    Ok(exit)
}

/// The folder as a user would make it: a config, and a plan with its sheets in the inbox.
fn prepare(folder: &Path) -> anyhow::Result<Config> {
    let (inbox, databases) = (folder.join("inbox/demo"), folder.join("databases"));
    fs::create_dir_all(&inbox)?;
    fs::create_dir_all(&databases)?;
    let text = format!(
        "[folders]\nroot = \".\"\n\n[daemon]\nsocket = \"runsheet.sock\"\nlog_level = \"warn\"\n\n[inbox]\nsettle = \"50ms\"\n\n[instances.demo]\ndriver = \"sqlite\"\ndirectory = {:?}\ncreate = true\n",
        databases.display().to_string()
    );
    fs::write(folder.join("config.toml"), text)?;
    fs::write(inbox.join("schema.sql"), SCHEMA)?;
    fs::write(inbox.join("customers.sql"), customers())?;
    fs::write(inbox.join("branches.plan.jsonc"), PLAN)?;
    Ok(Config::load(&folder.join("config.toml"))?)
}

fn customers() -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for id in 1..=CUSTOMERS {
        let _ = writeln!(
            text,
            "INSERT INTO customer VALUES ({id}, 'Customer {id}', '2026-11-{:02}');",
            id % 28 + 1
        );
    }
    for id in 1..=ORDERS {
        let _ = writeln!(text, "INSERT INTO orders VALUES ({id}, {}, {});", id % CUSTOMERS + 1, id % 977);
    }
    text
}

fn wait_until_taken<T>(config: &Config, running: &std::thread::JoinHandle<T>) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        if config.daemon.socket.exists()
            && let Ok(mut source) = Source::find(config)
            && source.plan("projects/demo/plans/branches").is_ok()
        {
            return Ok(());
        }
        if running.is_finished() || begun.elapsed() > START_TIME_MAX {
            anyhow::bail!("the daemon ended before it took the plan in");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
