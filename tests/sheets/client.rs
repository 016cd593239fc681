//! The engines' own clients: what they make of a sheet is what Runsheet must make of it, and their dumps tell whether two databases
//! are the same.

use crate::site::Engine;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

fn at_server(program: &str, engine: &Engine) -> Command {
    let mut command = Command::new(program);
    match engine {
        Engine::Postgres(server) => {
            command.arg("-h").arg(server.socket()).args(["-p", &server.port().to_string(), "-U", "postgres"]);
        }
        Engine::MySql(server) => {
            command.args(["--no-defaults", "-u", "root", "--default-character-set=utf8mb4"]);
            command.arg(format!("--socket={}", server.socket().display()));
        }
        Engine::Sqlite => {}
    }
    command
}

/// Runs a sheet by the engine's own client, which stops at the first error.
pub fn run(engine: &Engine, folder: &Path, database: &str, sheet: &[u8]) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), sheet)?;
    let mut command = match engine {
        Engine::Postgres(_) => {
            let mut command = at_server("psql", engine);
            command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-o", "/dev/null"]);
            command
        }
        Engine::MySql(_) => {
            let mut command = at_server("mariadb", engine);
            // Without it the client takes comments out of routines, which are part of what a dump shows.
            command.arg("--comments").arg(database);
            command
        }
        Engine::Sqlite => {
            let mut command = Command::new("sqlite3");
            command.arg("-bail").arg(folder.join(format!("{database}.db")));
            command
        }
    };
    output(command.stdin(Stdio::from(File::open(file.path())?))).map(drop)
}

/// A database as its engine's own program writes it down, without what Runsheet and the frame keep in it. The text is a sheet.
pub fn dump(engine: &Engine, folder: &Path, database: &str) -> Result<Vec<u8>> {
    let mut command = match engine {
        Engine::Postgres(_) => {
            let mut command = at_server("pg_dump", engine);
            command.args(["--exclude-schema=frame", "--exclude-schema=runsheet", "-d", database]);
            command
        }
        Engine::MySql(_) => {
            let mut command = at_server("mariadb-dump", engine);
            command.args(["--routines", "--triggers", "--events", "--skip-dump-date", "--order-by-primary"]);
            command.arg(format!("--ignore-table={database}.runsheet_ledger")).arg(database);
            command
        }
        Engine::Sqlite => {
            let copy = tempfile::NamedTempFile::new()?;
            std::fs::copy(folder.join(format!("{database}.db")), copy.path())?;
            let drops = "DROP TABLE IF EXISTS runsheet_ledger; DROP TABLE IF EXISTS frame_entry";
            output(Command::new("sqlite3").arg(copy.path()).arg(drops))?;
            return output(Command::new("sqlite3").arg(copy.path()).arg(".dump"));
        }
    };
    output(&mut command)
}

/// The dump without what differs between two databases that are the same.
pub fn picture(engine: &Engine, folder: &Path, database: &str) -> Result<String> {
    let dump = dump(engine, folder, database)?;
    let text = String::from_utf8_lossy(&dump);
    let own = |line: &&str| line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
    let lines = text.lines();
    let mut lines: Vec<String> = match engine {
        // Each dump has a word of its own there, which only psql reads.
        Engine::Postgres(_) => lines.filter(|line| !own(line)).map(str::to_owned).collect(),
        // The name stands in a comment in the first lines, and nowhere else.
        Engine::MySql(_) => lines.map(|line| line.replace(database, "database")).collect(),
        Engine::Sqlite => lines.map(str::to_owned).collect(),
    };
    // Where a row lies in its table is the server's business, and so is the order of triggers.
    lines.sort();
    Ok(lines.join("\n"))
}
