//! One large sheet of INSERTs into one table, by the engine's own client in one transaction and by Runsheet, in turns on the same server.
//! The daemon's time is from its start to its end, with a plan that lies in its inbox: reading the config, taking in and recording are in it.

use super::process::{Took, watch};
use super::site::{Engine, Site, plan_of, program};
use super::{Row, Table, median};
use anyhow::{Result, ensure};
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;

/// How often each is run.
const ROUNDS: usize = 5;
/// The rows of a statement where it has many.
const ROWS: usize = 1_000;
/// How large the sheet is where nobody says.
pub const MEGABYTES: usize = 100;

/// Measures on every engine, one row and a thousand rows a statement.
pub fn run(megabytes: usize, only: &str) -> Result<Table> {
    let mut rows = Vec::new();
    for (name, engine) in Engine::all() {
        if !name.contains(only) {
            continue;
        }
        for of in [1, ROWS] {
            let (client, ours) = in_turns(&engine, megabytes, of)?;
            let of_all = |took: &[Took], what: fn(&Took) -> f64| median(took.iter().map(what).collect());
            let (theirs, own) = (of_all(&client, |took| took.wall), of_all(&ours, |took| took.wall));
            let head = format!("{name}, {of} a statement");
            rows.push(Row::new(format!("{head}: the client"), theirs, "s"));
            rows.push(Row::new(format!("{head}: runsheet"), own, "s"));
            rows.push(Row::new(format!("{head}: of the client's time"), own / theirs, "×"));
            rows.push(Row::new(
                format!("{head}: its processor time"),
                of_all(&ours, |took| took.processor),
                "s",
            ));
            rows.push(Row::new(format!("{head}: its peak memory"), of_all(&ours, |took| took.peak), "MB"));
        }
    }
    Ok(Table { head: format!("INSERTs of {megabytes} MB in one transaction, {ROUNDS} rounds"), rows })
}

fn in_turns(engine: &Engine, megabytes: usize, of: usize) -> Result<(Vec<Took>, Vec<Took>)> {
    let folder = tempfile::tempdir()?;
    let sheet = folder.path().join("sheet.sql");
    let count = write_sheet(&sheet, megabytes << 20, of)?;
    let (mut client, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let database = engine.fresh_database()?;
        client.push(watch(&mut client_of(engine, folder.path(), &database, &sheet)?)?);
        seen(engine, folder.path(), &database, count)?;
        ours.push(by_runsheet(engine, &sheet, count)?);
    }
    Ok((client, ours))
}

/// Writes so many bytes of INSERTs, and tells how many rows that is.
fn write_sheet(path: &Path, bytes: usize, of: usize) -> Result<usize> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut text = "CREATE TABLE t (id BIGINT, name VARCHAR(40), note VARCHAR(80));\n".to_owned();
    let (mut written, mut count) = (0, 0);
    while written < bytes {
        text.push_str("INSERT INTO t (id, name, note) VALUES ");
        for row in 0..of {
            let end = if row + 1 == of { ";\n" } else { "," };
            write!(text, "({count}, 'name {count}', 'some text; with a '' quote, as notes have it'){end}")?;
            count += 1;
        }
        file.write_all(text.as_bytes())?;
        written += text.len();
        text.clear();
    }
    file.flush()?;
    Ok(count)
}

/// The engine's own client, with the whole file in one transaction.
fn client_of(engine: &Engine, folder: &Path, database: &str, sheet: &Path) -> Result<Command> {
    match engine {
        Engine::Postgres(server) => {
            let mut command = server.client(database);
            command.arg("-1").arg("-f").arg(sheet);
            Ok(command)
        }
        Engine::MySql(server) => {
            let mut command = server.client(database);
            command.arg("-e").arg(format!("SET autocommit = 0; source {}; COMMIT;", sheet.display()));
            Ok(command)
        }
        Engine::Sqlite => {
            let script = folder.join("script.sql");
            fs::write(&script, format!("BEGIN;\n.read {}\nCOMMIT;\n", sheet.display()))?;
            let mut command = Command::new("sqlite3");
            command.arg("-bail").arg(folder.join(format!("{database}.db")));
            command.arg(format!(".read {}", script.display()));
            Ok(command)
        }
    }
}

fn by_runsheet(engine: &Engine, sheet: &Path, count: usize) -> Result<Took> {
    let site = Site::on(engine, "")?;
    let database = engine.fresh_database()?;
    fs::create_dir_all(site.path("inbox/bench"))?;
    fs::copy(sheet, site.path("inbox/bench/sheet.sql"))?;
    let target = format!("instances/main/databases/{database}");
    site.drop_file(
        "bench/big.plan.json",
        plan_of(&[&[("big", &target, "sheet")]]).replace("/test/", "/bench/"),
    )?;
    let mut command = Command::new(program());
    command.arg("--config").arg(site.path("config.toml")).args(["daemon", "--until-idle"]);
    command.stderr(File::create(site.path("log"))?);
    let took = watch(&mut command)?;
    seen(engine, &site.path("databases"), &database, count)?;
    Ok(took)
}

/// A time of something that was not done counts for nothing.
fn seen(engine: &Engine, folder: &Path, database: &str, count: usize) -> Result<()> {
    let found = engine.number(folder, database, "SELECT count(*) FROM t")?;
    ensure!(usize::try_from(found)? == count, "{found} rows are in, not {count}");
    Ok(())
}
