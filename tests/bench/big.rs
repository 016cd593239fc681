//! One large sheet of INSERTs into one table, by the engine's own client in one transaction and by Runsheet.

use super::Table;
use super::process::watch;
use super::site::Engine;
use super::turns::{ROUNDS, Turns, by_runsheet, seen, spec};
use anyhow::Result;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;

/// The rows of a statement where it has many.
const ROWS: usize = 1_000;
/// How large the sheet is where nobody says.
pub const MEGABYTES: usize = 100;

/// Measures on every engine, one row and a thousand rows a statement.
pub fn run(megabytes: usize, engines: &[(&'static str, Engine)]) -> Result<Table> {
    let mut rows = Vec::new();
    for (name, engine) in engines {
        for of in [1, ROWS] {
            rows.extend(in_turns(engine, megabytes, of)?.rows(&format!("{name}, {of} a statement")));
        }
    }
    Ok(Table { head: format!("INSERTs of {megabytes} MB in one transaction, {ROUNDS} rounds"), rows })
}

fn in_turns(engine: &Engine, megabytes: usize, of: usize) -> Result<Turns> {
    let (folder, sheets) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let sheet = sheets.path().join("sheet.sql");
    let count = write_sheet(&sheet, megabytes << 20, of)?;
    let rows = "SELECT count(*) FROM t";
    let mut turns = Turns::default();
    for _ in 0..ROUNDS {
        let database = engine.fresh_database()?;
        turns.client.push(watch(&mut client_of(engine, folder.path(), &database, &sheet)?)?);
        seen(engine, folder.path(), &database, rows, count)?;
        let database = engine.fresh_database()?;
        let (took, site) = by_runsheet(engine, sheets.path(), &[spec("big", &database, "sheet")])?;
        seen(engine, &site.path("databases"), &database, rows, count)?;
        turns.ours.push(took);
    }
    Ok(turns)
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
