//! Very many small sheets, each a task of its own: by the engine's own client, one file after the other in one session, which keeps no
//! record of anything; and by Runsheet.

use super::Table;
use super::process::watch;
use super::site::Engine;
use super::turns::{ROUNDS, Turns, by_runsheet, seen, spec};
use anyhow::Result;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// How many tasks, on one database.
const TASKS: [usize; 2] = [1_000, 5_000];
/// Databases and tasks of each, where there are many.
const MANY: (usize, usize) = (50, 20);
/// How many clients run beside each other then.
const CLIENTS: usize = 8;

/// Measures tasks on one database.
pub fn run_tiny(engines: &[(&'static str, Engine)]) -> Result<Table> {
    let mut rows = Vec::new();
    for (name, engine) in engines {
        for tasks in TASKS {
            rows.extend(in_turns(engine, 1, tasks)?.rows(&format!("{name}, {tasks} tasks")));
        }
    }
    Ok(Table { head: format!("tasks of one CREATE TABLE on one database, {ROUNDS} rounds"), rows })
}

/// Measures tasks on many databases: the client runs on eight of them at a time.
pub fn run_many(engines: &[(&'static str, Engine)]) -> Result<Table> {
    let (databases, tasks) = MANY;
    let mut rows = Vec::new();
    for (name, engine) in engines {
        rows.extend(in_turns(engine, databases, tasks)?.rows(name));
    }
    let head = format!(
        "{tasks} tasks of one CREATE TABLE on each of {databases} databases, {CLIENTS} clients at a time, {ROUNDS} rounds"
    );
    Ok(Table { head, rows })
}

fn in_turns(engine: &Engine, databases: usize, tasks: usize) -> Result<Turns> {
    let (folder, sheets) = (tempfile::tempdir()?, tempfile::tempdir()?);
    for task in 0..tasks {
        let text = format!("CREATE TABLE t{task} (id INTEGER PRIMARY KEY, name VARCHAR(40));\n");
        fs::write(sheets.path().join(format!("s{task}.sql")), text)?;
    }
    let fresh = || (0..databases).map(|_| engine.fresh_database()).collect::<Result<Vec<_>>>();
    let mut turns = Turns::default();
    for _ in 0..ROUNDS {
        let names = fresh()?;
        turns.client.push(watch(&mut clients(engine, folder.path(), &names, sheets.path(), tasks)?)?);
        are_made(engine, folder.path(), &names, tasks)?;
        let names = fresh()?;
        let specs: Vec<Value> = names
            .iter()
            .flat_map(|name| {
                (0..tasks).map(move |task| spec(&format!("{name}-{task}"), name, &format!("s{task}")))
            })
            .collect();
        let (took, site) = by_runsheet(engine, sheets.path(), &specs)?;
        are_made(engine, &site.path("databases"), &names, tasks)?;
        turns.ours.push(took);
    }
    Ok(turns)
}

fn are_made(engine: &Engine, folder: &Path, databases: &[String], tasks: usize) -> Result<()> {
    let tables = match engine {
        Engine::Sqlite => "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name LIKE 't%'",
        Engine::Postgres(_) => "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
        Engine::MySql(_) => {
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 't%'"
        }
    };
    databases.iter().try_for_each(|database| seen(engine, folder, database, tables, tasks))
}

/// One client for each database, which reads one file after the other.
fn clients(
    engine: &Engine,
    folder: &Path,
    databases: &[String],
    sheets: &Path,
    tasks: usize,
) -> Result<Command> {
    let word = match engine {
        Engine::Sqlite => ".read",
        Engine::Postgres(_) => "\\i",
        Engine::MySql(_) => "source",
    };
    let script = folder.join("script.sql");
    let lines: Vec<String> =
        (0..tasks).map(|task| format!("{word} {}", sheets.join(format!("s{task}.sql")).display())).collect();
    fs::write(&script, lines.join("\n") + "\n")?;
    // The database's name is put in where the word stands.
    let client = match engine {
        Engine::Sqlite => {
            let mut command = Command::new("sqlite3");
            command.arg("-bail").arg(folder.join("{}.db"));
            command
        }
        Engine::Postgres(server) => server.client("{}"),
        Engine::MySql(server) => server.client("{}"),
    };
    let mut command = Command::new("xargs");
    command.arg("-a").arg({
        let list = folder.join("databases");
        fs::write(&list, databases.join("\n"))?;
        list
    });
    command.args(["-P", &CLIENTS.to_string(), "-I", "{}", "sh", "-c"]);
    let words: Vec<String> = std::iter::once(client.get_program())
        .chain(client.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    command.arg(format!("exec {} < '{}'", words.join(" "), script.display()));
    Ok(command)
}
