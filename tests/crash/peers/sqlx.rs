//! sqlx-cli: a file for each migration; `-- no-transaction` where a statement cannot be in a transaction.

use super::job::{Address, Job};
use super::tool::{Tool, installed, say};
use anyhow::Result;
use std::process::Command;

pub struct Sqlx;

fn program() -> Command {
    Command::new(installed("sqlx/bin/sqlx"))
}

impl Tool for Sqlx {
    fn name(&self) -> &'static str {
        "sqlx"
    }

    fn version(&self) -> Result<String> {
        say(program().arg("--version"))
    }

    fn prepare(&self, job: &Job) -> Result<()> {
        for migration in &job.migrations {
            let outside = if migration.alone { "-- no-transaction\n" } else { "" };
            job.site.write(
                &format!("migrations/{}.sql", migration.name),
                format!("{outside}{}", migration.text()),
            )?;
        }
        Ok(())
    }

    fn command(&self, job: &Job) -> Command {
        let url = match job.address() {
            // sqlx-cli makes no file by itself where it is not told to.
            Address::Sqlite(file) => format!("sqlite://{}?mode=rwc", file.display()),
            Address::Postgres { port, database } => {
                format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
            }
            Address::MySql { port, database } => {
                format!("mysql://root@127.0.0.1:{port}/{database}?ssl-mode=DISABLED")
            }
        };
        let mut command = program();
        command.args(["migrate", "run", "--database-url", &url, "--source"]);
        command.arg(job.site.path("migrations")).current_dir(job.site.path(""));
        command
    }
}
