//! yoyo-migrations: a file of Python for each migration, with a `step` for each statement; `__transactional__ = False` where a statement
//! cannot be in a transaction.

use super::job::{Address, Job};
use super::tool::{Tool, modules, python};
use anyhow::Result;
use std::process::Command;

pub struct Yoyo;

impl Tool for Yoyo {
    fn name(&self) -> &'static str {
        "yoyo"
    }

    fn version(&self) -> Result<String> {
        modules(&["yoyo-migrations", "psycopg", "PyMySQL"])
    }

    fn prepare(&self, job: &Job) -> Result<()> {
        let mut before = String::new();
        for migration in &job.migrations {
            let transactional = if migration.alone { "__transactional__ = False\n" } else { "" };
            let statements = migration.python()?;
            job.site.write(
                &format!("migrations/{}.py", migration.name),
                format!(
                    "from yoyo import step\n\n{transactional}__depends__ = {{{before}}}\nsteps = [step(statement) for statement in {statements}]\n"
                ),
            )?;
            before = format!("'{}'", migration.name);
        }
        Ok(())
    }

    fn command(&self, job: &Job) -> Command {
        let url = match job.address() {
            Address::Sqlite(file) => format!("sqlite:///{}", file.display()),
            Address::Postgres { port, database } => {
                format!("postgresql+psycopg://postgres@127.0.0.1:{port}/{database}")
            }
            Address::MySql { port, database } => format!("mysql://root@127.0.0.1:{port}/{database}"),
        };
        let mut command = python(job, "yoyo");
        command.args(["apply", "--batch", "--no-config-file", "--database", &url, "migrations"]);
        command
    }
}
