//! Sessions of the driver for its tests: opened with a few settings, asked by a warning, since a session's own rows go nowhere.
#![allow(dead_code, reason = "every test file uses another part of it")]

use anyhow::{Context, Result};
use runsheet_driver_mysql::{MySql, Session};
use runsheet_sdk::{Connection, Driver, Error, Notice, Outcome, Settings};
use runsheet_test_servers::{Family, MySql as Server, shared};

/// The shared server of each family.
pub fn both() -> [&'static Server; 2] {
    [shared::mariadb(), shared::mysql()]
}

pub fn is_mariadb(server: &Server) -> bool {
    server.family() == Family::MariaDb
}

/// Settings as text; `password` is a secret.
pub fn settings(pairs: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::new();
    for (key, value) in pairs {
        settings.set(*key, *value, *key == "password");
    }
    settings
}

/// Settings for a server by its socket, as root; `more` comes on top.
pub fn on(server: &Server, more: &[(&str, &str)]) -> Settings {
    let mut settings = settings(&[("user", "root")]);
    settings.set("socket", server.socket().display().to_string(), false);
    for (key, value) in more {
        settings.set(*key, *value, *key == "password");
    }
    settings
}

/// Settings for a server by TCP.
pub fn by_tcp(server: &Server, more: &[(&str, &str)]) -> Settings {
    let mut settings = settings(&[("host", "127.0.0.1"), ("user", "root")]);
    settings.set("port", server.port().to_string(), false);
    for (key, value) in more {
        settings.set(*key, *value, *key == "password");
    }
    settings
}

/// A session.
pub fn open(settings: &Settings, database: &str) -> Result<Session, Error> {
    MySql::open(settings, database, "runsheet test", &mut |_| {})
}

/// A session in a database of its own.
pub fn fresh(server: &Server) -> Result<(Session, String)> {
    let database = server.fresh_database()?;
    Ok((open(&on(server, &[]), &database)?, database))
}

/// Runs a statement; warnings are dropped.
pub fn run(session: &mut Session, sql: &str) -> Result<Outcome, Error> {
    session.execute(sql.as_bytes(), &mut |_| {})
}

/// Runs a statement and gives what the server said beside.
pub fn run_noticed(session: &mut Session, sql: &str) -> Result<Vec<Notice>, Error> {
    let mut notices = Vec::new();
    session.execute(sql.as_bytes(), &mut |notice| notices.push(notice))?;
    Ok(notices)
}

/// The value of an expression in the session, by way of an error, since it changes nothing.
pub fn ask(session: &mut Session, expression: &str) -> Result<String> {
    // An unknown XPath variable is shown as it is, up to 31 characters.
    let sql = format!("SELECT EXTRACTVALUE(1, CONCAT(0x2E7E, ({expression})))");
    let error = run(session, &sql).err().context("the server shows the value")?;
    let (_, rest) = error.message.split_once("'~").with_context(|| error.to_string())?;
    Ok(rest.trim_end_matches('\'').to_owned())
}
