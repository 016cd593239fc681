//! Django: an application with a migration of `RunSQL` for each of ours; `atomic = False` where a statement cannot be in a transaction.

use super::job::{Address, Job};
use super::tool::{Tool, modules, python};
use anyhow::Result;
use std::process::Command;

pub struct Django;

impl Tool for Django {
    fn name(&self) -> &'static str {
        "django"
    }

    fn version(&self) -> Result<String> {
        modules(&["Django", "psycopg", "PyMySQL"])
    }

    fn prepare(&self, job: &Job) -> Result<()> {
        let served = |engine: &str, user: &str, port: u16, name: &str| {
            format!(
                "'ENGINE': 'django.db.backends.{engine}', 'HOST': '127.0.0.1', 'PORT': {port}, 'USER': '{user}', 'NAME': '{name}'"
            )
        };
        let database = match job.address() {
            Address::Sqlite(file) => {
                format!("'ENGINE': 'django.db.backends.sqlite3', 'NAME': '{}'", file.display())
            }
            Address::Postgres { port, database } => served("postgresql", "postgres", port, &database),
            Address::MySql { port, database } => served("mysql", "root", port, &database),
        };
        // PyMySQL stands in for mysqlclient, which has to be compiled; to Django both are the same module.
        job.site.write(
            "settings.py",
            format!(
                "import pymysql\n\npymysql.install_as_MySQLdb()\nINSTALLED_APPS = ['sheets']\nDATABASES = {{'default': {{{database}}}}}\n"
            ),
        )?;
        for package in ["sheets", "sheets/migrations"] {
            job.site.write(&format!("{package}/__init__.py"), "")?;
        }
        let mut before = String::new();
        for migration in &job.migrations {
            let atomic = if migration.alone { "    atomic = False\n" } else { "" };
            let statements = migration.python()?;
            job.site.write(
                &format!("sheets/migrations/{}.py", migration.name),
                format!(
                    "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n{atomic}    dependencies = [{before}]\n    operations = [migrations.RunSQL({statements})]\n"
                ),
            )?;
            before = format!("('sheets', '{}')", migration.name);
        }
        Ok(())
    }

    fn command(&self, job: &Job) -> Command {
        let mut command = python(job, "python");
        command.args(["-m", "django", "migrate", "--settings", "settings"]);
        command
    }
}
