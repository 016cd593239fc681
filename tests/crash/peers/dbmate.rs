//! dbmate: a file for each migration; `transaction:false` where a statement cannot be in a transaction.

use super::job::{Address, Job};
use super::tool::{Tool, installed, say};
use anyhow::Result;
use std::process::Command;

pub struct Dbmate;

/// What npm installed: a script that starts the program for this machine.
fn program() -> Command {
    Command::new(installed("dbmate/node_modules/.bin/dbmate"))
}

impl Tool for Dbmate {
    fn name(&self) -> &'static str {
        "dbmate"
    }

    fn version(&self) -> Result<String> {
        Ok(say(program().arg("--version"))?.replace("version ", ""))
    }

    fn prepare(&self, job: &Job) -> Result<()> {
        for migration in &job.migrations {
            let outside = if migration.alone { " transaction:false" } else { "" };
            job.site.write(
                &format!("migrations/{}.sql", migration.name),
                format!("-- migrate:up{outside}\n{}\n-- migrate:down\n", migration.text()),
            )?;
        }
        Ok(())
    }

    fn command(&self, job: &Job) -> Command {
        let url = match job.address() {
            Address::Sqlite(file) => format!("sqlite:{}", file.display()),
            Address::Postgres { port, database } => {
                format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
            }
            Address::MySql { port, database } => format!("mysql://root@127.0.0.1:{port}/{database}"),
        };
        let mut command = program();
        command.args(["--url", &url, "--no-dump-schema", "--migrations-dir"]);
        command.arg(job.site.path("migrations")).arg("migrate").current_dir(job.site.path(""));
        command
    }
}
