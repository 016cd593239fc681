//! Alembic: a revision for each migration, with `op.execute` for each statement.

use super::job::{Address, Job};
use super::tool::{Tool, modules, python};
use anyhow::Result;
use std::process::Command;

pub struct Alembic;

/// What `alembic init` writes, without what this does not need, and with `transaction_per_migration`, which the documentation recommends
/// to who has an `autocommit_block`.
const ENVIRONMENT: &str = "from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
connectable = engine_from_config(
    config.get_section(config.config_ini_section, {}), prefix='sqlalchemy.', poolclass=pool.NullPool
)
with connectable.connect() as connection:
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
";

impl Tool for Alembic {
    fn name(&self) -> &'static str {
        "alembic"
    }

    fn version(&self) -> Result<String> {
        modules(&["alembic", "SQLAlchemy", "psycopg", "PyMySQL"])
    }

    fn prepare(&self, job: &Job) -> Result<()> {
        let url = match job.address() {
            Address::Sqlite(file) => format!("sqlite:///{}", file.display()),
            Address::Postgres { port, database } => {
                format!("postgresql+psycopg://postgres@127.0.0.1:{port}/{database}")
            }
            Address::MySql { port, database } => format!("mysql+pymysql://root@127.0.0.1:{port}/{database}"),
        };
        job.site.write(
            "alembic.ini",
            format!("[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\nsqlalchemy.url = {url}\n"),
        )?;
        job.site.write("migrations/env.py", ENVIRONMENT)?;
        let mut before = "None".to_owned();
        for migration in &job.migrations {
            let name = &migration.name;
            let statements = migration.python()?;
            let upgrade = if migration.alone {
                format!(
                    "    with op.get_context().autocommit_block():\n        for statement in {statements}:\n            op.execute(statement)\n"
                )
            } else {
                format!("    for statement in {statements}:\n        op.execute(statement)\n")
            };
            job.site.write(
                &format!("migrations/versions/{name}.py"),
                format!("from alembic import op\n\nrevision = '{name}'\ndown_revision = {before}\n\n\ndef upgrade():\n{upgrade}"),
            )?;
            before = format!("'{name}'");
        }
        Ok(())
    }

    fn command(&self, job: &Job) -> Command {
        let mut command = python(job, "alembic");
        command.args(["upgrade", "head"]);
        command
    }
}
