//! Sessions of the driver for its tests: opened with a few settings, asked by a notice, since a session's own rows go nowhere.
#![allow(dead_code, reason = "every test file uses another part of it")]

use anyhow::{Context, Result};
use runsheet_driver_postgres::{Postgres, Session};
use runsheet_sdk::{Connection, Driver, Error, Notice, Outcome, Settings};
use runsheet_test_servers::Postgres as Server;

/// Settings as text; `password` is a secret.
pub fn settings(pairs: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::new();
    for (key, value) in pairs {
        settings.set(*key, *value, *key == "password");
    }
    settings
}

/// Settings for a server by TCP, as its superuser; `more` comes on top.
pub fn on(server: &Server, more: &[(&str, &str)]) -> Settings {
    let mut settings = settings(&[("host", "127.0.0.1"), ("user", "postgres")]);
    settings.set("port", server.port().to_string(), false);
    for (key, value) in more {
        settings.set(*key, *value, *key == "password");
    }
    settings
}

/// A session.
pub fn open(settings: &Settings, database: &str) -> Result<Session, Error> {
    Postgres::open(settings, database, "runsheet test", &mut |_| {})
}

/// Runs a statement; notices are dropped.
pub fn run(session: &mut Session, sql: &str) -> Result<Outcome, Error> {
    session.execute(sql.as_bytes(), &mut |_| {})
}

/// Runs a statement and gives what the server said beside.
pub fn run_noticed(session: &mut Session, sql: &str) -> Result<Vec<Notice>, Error> {
    let mut notices = Vec::new();
    session.execute(sql.as_bytes(), &mut |notice| notices.push(notice))?;
    Ok(notices)
}

/// The value of an expression in the session.
pub fn ask(session: &mut Session, expression: &str) -> Result<String> {
    let sql = format!("DO $ask$ BEGIN RAISE NOTICE '%', ({expression}); END $ask$");
    let notices = run_noticed(session, &sql)?;
    Ok(notices.first().context("the server answers")?.message.clone())
}
