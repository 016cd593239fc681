//! valgrind watches each driver while it opens and closes sessions, with a statement that runs and one that fails in each: nothing
//! is read or written that is not the driver's, nothing is lost, and what is held at the end does not grow with the sessions.
//! Nothing is suppressed. Before that a thousand sessions run without valgrind, where signals and descriptors are the process's own.

mod targets;

use anyhow::{Context, Result, bail, ensure};
use runsheet_test_servers::{
    MySql, Postgres, PostgresOptions, build_c_driver, c_driver_sources, compile_driver, shared,
};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sessions without valgrind, and under it where the engine runs in the process.
const MANY: u32 = 1000;
/// Sessions on a server under valgrind, where a driver of a debug build takes its time for each.
const SERVED: u32 = 60;
/// Sessions with TLS.
const ENCRYPTED: u32 = 30;
/// The sessions that the others are compared with.
const FEW: u32 = 10;

/// What is opened, and what is run in it.
struct Subject {
    library: PathBuf,
    database: String,
    statement: &'static str,
    wrong: &'static str,
    settings: Vec<String>,
    /// Whether it is encrypted.
    tls: bool,
}

impl Subject {
    /// The command of so many sessions, under another program or none.
    fn command(&self, under: &[&str], count: u32) -> Command {
        let mut words = under.iter().copied().chain([env!("CARGO_BIN_EXE_open_close")]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg(&self.library).arg(count.to_string());
        command.args([self.database.as_str(), self.statement, self.wrong]).args(&self.settings);
        command
    }
}

/// What valgrind said at the end.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    bytes: u64,
    blocks: u64,
}

/// Runs so many sessions under valgrind; an error of memory, or memory that is lost, is an error.
fn watched(subject: &Subject, count: u32) -> Result<Held> {
    let mut valgrind = vec![
        "valgrind",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect",
        "--errors-for-leak-kinds=definite,indirect",
        "--error-exitcode=9",
    ];
    if subject.tls {
        // It takes what the cipher's assembler has computed for uninitialised, although the other side, and here the program
        // itself, find each record's authentication tag right, which a value of chance could not be.
        valgrind.push("--undef-value-errors=no");
    }
    let output = subject.command(&valgrind, count).output().context("the package is valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(0) {
        bail!("{:?} with {count} sessions: {said}", output.status);
    }
    let line = said.lines().find(|line| line.contains("in use at exit:")).context(said.clone())?;
    let numbers: Vec<u64> =
        line.split_whitespace().filter_map(|word| word.replace(',', "").parse().ok()).collect();
    match numbers[..] {
        [bytes, blocks] => Ok(Held { bytes, blocks }),
        _ => bail!("{said}"),
    }
}

/// Holds that `count` sessions leave no more behind than a few.
fn assert_clean(subject: &Subject, count: u32) -> Result<()> {
    let plain = subject.command(&[], MANY).output()?;
    ensure!(plain.status.success(), "{}", String::from_utf8_lossy(&plain.stderr));
    let few = watched(subject, FEW)?;
    let many = watched(subject, count)?;
    println!("{}: {few:?} after {FEW} sessions, {many:?} after {count}", subject.library.display());
    ensure!(many == few, "what is held grows with the sessions: {few:?} after {FEW}, {many:?} after {count}");
    Ok(())
}

fn in_folder(library: PathBuf, folder: &Path, statement: &'static str, wrong: &'static str) -> Subject {
    let settings = vec![format!("directory={}", folder.display())];
    Subject { library, database: "x".to_owned(), statement, wrong, settings, tls: false }
}

#[test]
fn a_thousand_sessions_of_the_sqlite_driver_leave_nothing_behind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let statement = "CREATE TABLE IF NOT EXISTS t (id INTEGER)";
    let mut subject =
        in_folder(targets::library("sqlite"), folder.path(), statement, "SELECT * FROM nowhere");
    subject.settings.push("create=true".to_owned());
    assert_clean(&subject, MANY)
}

#[test]
fn a_thousand_sessions_of_the_driver_written_in_c_leave_nothing_behind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let subject = in_folder(build_c_driver()?, folder.path(), "PUT a 1", "FAIL 1 it is wrong");
    assert_clean(&subject, MANY)
}

#[test]
fn a_driver_that_loses_memory_is_seen() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // The file with the sessions, in which nothing is given back any more.
    let (mut sources, mut forgets) = (Vec::new(), String::new());
    for source in c_driver_sources()? {
        if source.ends_with("c_driver.c") {
            forgets.push_str("#include \"c_driver.h\"\n#include <stdlib.h>\n");
            forgets.push_str("#define free(pointer) ((void)(pointer))\n");
            forgets.push_str(&format!("#include {:?}\n", source.display().to_string()));
        } else {
            sources.push(source);
        }
    }
    let forgetful = folder.path().join("forgetful.c");
    std::fs::write(&forgetful, forgets)?;
    sources.push(forgetful);
    let library = folder.path().join("librunsheet_driver_keyvalue.so");
    compile_driver(&sources, &library)?;
    let subject = in_folder(library, folder.path(), "PUT a 1", "FAIL 1 it is wrong");
    let seen = watched(&subject, FEW).err().context("a leak is an error")?.to_string();
    assert!(seen.contains("are definitely lost in loss record") && seen.contains("driver_open"), "{seen}");
    Ok(())
}

#[test]
fn sessions_of_the_postgres_driver_leave_nothing_behind() -> Result<()> {
    let server = shared::postgres();
    let settings =
        ["host=127.0.0.1".to_owned(), format!("port={}", server.port()), "user=postgres".to_owned()];
    let subject = Subject {
        library: targets::library("postgres"),
        database: server.fresh_database()?,
        statement: "CREATE TABLE IF NOT EXISTS t (id integer)",
        wrong: "SELECT * FROM nowhere",
        settings: settings.to_vec(),
        tls: false,
    };
    assert_clean(&subject, SERVED)
}

#[test]
fn sessions_of_the_postgres_driver_with_tls_leave_nothing_behind() -> Result<()> {
    let server = Postgres::start(&PostgresOptions { tls: true, ..PostgresOptions::default() })?;
    let settings = [
        "host=localhost".to_owned(),
        format!("port={}", server.port()),
        "user=postgres".to_owned(),
        "tls=verify-full".to_owned(),
        format!("tls_ca={}", server.ca().display()),
    ];
    let subject = Subject {
        library: targets::library("postgres"),
        database: server.fresh_database()?,
        statement: "SELECT 1 FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl",
        wrong: "SELECT * FROM nowhere",
        settings: settings.to_vec(),
        tls: true,
    };
    assert_clean(&subject, ENCRYPTED)
}

fn on_mysql(server: &MySql) -> Result<()> {
    let settings = [format!("socket={}", server.socket().display()), "user=root".to_owned()];
    let subject = Subject {
        library: targets::library("mysql"),
        database: server.fresh_database()?,
        statement: "CREATE TABLE IF NOT EXISTS t (id integer)",
        wrong: "SELECT * FROM nowhere",
        settings: settings.to_vec(),
        tls: false,
    };
    assert_clean(&subject, SERVED)
}

#[test]
fn sessions_of_the_mysql_driver_on_mariadb_leave_nothing_behind() -> Result<()> {
    on_mysql(shared::mariadb())
}

#[test]
fn sessions_of_the_mysql_driver_on_mysql_leave_nothing_behind() -> Result<()> {
    on_mysql(shared::mysql())
}
