//! Runsheet and another tool in turns, on the same server with the same settings.

use super::process::{Took, watch};
use super::site::{Engine, Site, program};
use super::{Row, median};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// How often each is run.
pub const ROUNDS: usize = 5;

/// The project of a bench's plan.
pub const PROJECT: &str = "bench";

/// What both took, by rounds.
#[derive(Default)]
pub struct Turns {
    pub client: Vec<Took>,
    pub ours: Vec<Took>,
}

impl Turns {
    /// The rows of a table: medians, and how the one is to the other.
    pub fn rows(&self, head: &str) -> Vec<Row> {
        let of_all = |took: &[Took], what: fn(&Took) -> f64| median(took.iter().map(what).collect());
        let (theirs, own) = (of_all(&self.client, |took| took.wall), of_all(&self.ours, |took| took.wall));
        vec![
            Row::new(format!("{head}: the client"), theirs, "s"),
            Row::new(format!("{head}: runsheet"), own, "s"),
            Row::new(format!("{head}: of the client's time"), own / theirs, "×"),
            Row::new(format!("{head}: its processor time"), of_all(&self.ours, |took| took.processor), "s"),
            Row::new(format!("{head}: its peak memory"), of_all(&self.ours, |took| took.peak), "MB"),
        ]
    }
}

/// A spec of a plan of [`PROJECT`].
pub fn spec(id: &str, database: &str, sheet: &str) -> Value {
    json!({ "id": id, "changeDatabaseConfig": {
        "target": format!("instances/main/databases/{database}"),
        "sheet": format!("projects/{PROJECT}/sheets/{sheet}"), "type": "MIGRATE" } })
}

/// A daemon from its start to its end, with a plan of one step and its sheets in the inbox: reading the config, taking in and recording
/// are in its time.
pub fn by_runsheet(engine: &Engine, sheets: &Path, specs: &[Value]) -> Result<(Took, Site)> {
    let site = Site::on(engine, "")?;
    let inbox = site.path("inbox").join(PROJECT);
    fs::create_dir_all(&inbox)?;
    for entry in fs::read_dir(sheets)? {
        let path = entry?.path();
        fs::copy(&path, inbox.join(path.file_name().unwrap_or_default()))?;
    }
    let took = to_its_end(&site, specs)?;
    Ok((took, site))
}

/// A daemon from its start to its end, on a site whose inbox gets a plan of one step to the sheets that are there.
pub fn to_its_end(site: &Site, specs: &[Value]) -> Result<Took> {
    let plan = json!({ "steps": [{ "specs": specs }] }).to_string();
    site.drop_file(&format!("{PROJECT}/plan.json"), plan)?;
    let mut command = Command::new(program());
    command.arg("--config").arg(site.path("config.toml")).args(["daemon", "--until-idle"]);
    command.stderr(File::create(site.path("log"))?);
    watch(&mut command)
}

/// A time of something that was not done counts for nothing.
pub fn seen(engine: &Engine, folder: &Path, database: &str, sql: &str, wanted: usize) -> Result<()> {
    let found = engine.number(folder, database, sql)?;
    ensure!(usize::try_from(found)? == wanted, "{sql} gives {found}, not {wanted}");
    Ok(())
}
