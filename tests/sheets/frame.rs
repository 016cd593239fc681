//! The frame around a sheet: its first and last statement write a row with the server's clock. A gate can stand behind the
//! first: the sheet goes on only once the test has opened it, so that what runs at once is seen on the servers.

use super::Dialect;
use crate::site::Engine;
use anyhow::{Context, Result};
use std::path::Path;

/// Where the frames of one database are kept: beside it where the engine allows, so that no dump has them.
pub struct Frame {
    dialect: Dialect,
    /// The database.
    database: String,
    /// What stands before the names of the frame's tables.
    before: String,
    /// The database that a query for them goes to.
    kept_in: String,
}

/// When a task began and ended, by the server's clock, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub task: String,
    pub begin: f64,
    pub end: f64,
}

impl Frame {
    /// Makes the tables.
    pub fn make(engine: &Engine, folder: &Path, database: &str) -> Result<Self> {
        let (dialect, before, kept_in, sql) = match engine {
            Engine::Postgres(_) => (
                Dialect::Postgres,
                "frame.".to_owned(),
                database.to_owned(),
                "CREATE SCHEMA frame; CREATE TABLE frame.gate (opened text);
                 CREATE TABLE frame.entry (id bigint GENERATED ALWAYS AS IDENTITY, task text, what text, at double precision)"
                    .to_owned(),
            ),
            Engine::MySql(_) => {
                let name = format!("frame_{database}");
                (Dialect::MySql, format!("{name}."), name.clone(), mysql_tables(&name))
            }
            Engine::Sqlite => (
                Dialect::Sqlite,
                "frame_".to_owned(),
                database.to_owned(),
                "CREATE TABLE frame_entry (id INTEGER PRIMARY KEY, task TEXT, what TEXT, at REAL)".to_owned(),
            ),
        };
        let made_in = if dialect == Dialect::MySql { "" } else { database };
        engine.query(folder, made_in, &sql)?;
        Ok(Self { dialect, database: database.to_owned(), before, kept_in })
    }

    /// A sheet in its frame.
    pub fn around(&self, task: &str, gated: bool, sheet: &[u8]) -> Vec<u8> {
        let gate = match (gated, self.dialect) {
            (false, _) | (true, Dialect::Sqlite) => "",
            (true, Dialect::Postgres) => {
                "DO $$ BEGIN LOOP EXIT WHEN EXISTS (SELECT FROM frame.gate); PERFORM pg_sleep(0.02); END LOOP; END $$;\n"
            }
            (true, Dialect::MySql) => &format!("CALL {}wait_at_gate();\n", self.before),
        };
        let (begin, end) = (self.write(task, "begin"), self.write(task, "end"));
        [format!("{begin};\n{gate}").as_bytes(), sheet, format!("\n;\n{end}").as_bytes()].concat()
    }

    fn write(&self, task: &str, what: &str) -> String {
        let clock = match self.dialect {
            Dialect::Postgres => "pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())",
            Dialect::MySql => "UNIX_TIMESTAMP(SYSDATE(6))",
            Dialect::Sqlite => "(julianday('now') - 2440587.5) * 86400.0",
        };
        format!("INSERT INTO {}entry (task, what, at) VALUES ('{task}', '{what}', {clock})", self.before)
    }

    /// Whether a sheet stands at the gate now, as the server says.
    pub fn waits_at_gate(&self, engine: &Engine, folder: &Path) -> Result<bool> {
        let sql = match self.dialect {
            Dialect::Postgres => format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND state = 'active'
                 AND application_name LIKE 'runsheet %' AND query LIKE 'DO %frame.gate%'",
                self.database
            ),
            Dialect::MySql => "SELECT COUNT(*) FROM waiting".to_owned(),
            Dialect::Sqlite => "SELECT 0".to_owned(),
        };
        Ok(engine.number(folder, &self.kept_in, &sql)? == 1)
    }

    /// Lets the sheet at the gate go on.
    pub fn open_gate(&self, engine: &Engine, folder: &Path) -> Result<()> {
        if self.dialect != Dialect::Sqlite {
            let opens = format!("INSERT INTO {}gate VALUES ('yes')", self.before);
            engine.query(folder, &self.kept_in, &opens)?;
        }
        Ok(())
    }

    /// What the database itself knows of the tasks that ran on it, in the order in which they began. A task that is in it
    /// twice, or only by half, is an error.
    pub fn entries(&self, engine: &Engine, folder: &Path) -> Result<Vec<Entry>> {
        let rows = engine.query(
            folder,
            &self.kept_in,
            &format!("SELECT task, what, at FROM {}entry ORDER BY id", self.before),
        )?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut rows = rows.iter();
        while let Some(begin) = rows.next() {
            let end = rows.next().with_context(|| format!("{begin:?} has no end on {}", self.database))?;
            let [task, what, at] = begin.as_slice() else { anyhow::bail!("{begin:?}") };
            let [same, other, until] = end.as_slice() else { anyhow::bail!("{end:?}") };
            let fits = (what.as_str(), other.as_str(), same) == ("begin", "end", task);
            let new = !entries.iter().any(|entry| entry.task == *task);
            anyhow::ensure!(fits && new, "{begin:?} and then {end:?} on {}", self.database);
            entries.push(Entry { task: task.clone(), begin: at.parse()?, end: until.parse()? });
        }
        Ok(entries)
    }

    /// How many rows there are: none of a task that never began.
    pub fn rows_of(&self, engine: &Engine, folder: &Path, task: &str) -> Result<i64> {
        let sql = format!("SELECT COUNT(*) FROM {}entry WHERE task = '{task}'", self.before);
        engine.number(folder, &self.kept_in, &sql)
    }
}

/// The gate and who stands at it are of an engine without transactions, so that each sees the other's rows at once.
fn mysql_tables(name: &str) -> String {
    format!(
        "CREATE DATABASE {name}; USE {name};
         CREATE TABLE gate (opened VARCHAR(10)) ENGINE=MyISAM;
         CREATE TABLE waiting (session BIGINT) ENGINE=MyISAM;
         CREATE TABLE entry (id INT AUTO_INCREMENT PRIMARY KEY, task VARCHAR(100), what VARCHAR(10), at DOUBLE) ENGINE=InnoDB;
         DELIMITER //
         CREATE PROCEDURE wait_at_gate() BEGIN
           INSERT INTO waiting VALUES (CONNECTION_ID());
           WHILE (SELECT COUNT(*) FROM gate) = 0 DO DO SLEEP(0.05); END WHILE;
         END //"
    )
}
