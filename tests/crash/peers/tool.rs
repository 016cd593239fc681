//! A migration tool as its users have it: a folder that is made ready, and one command.

use super::job::Job;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

/// A tool.
pub trait Tool {
    /// As `--peer` and the table name it.
    fn name(&self) -> &'static str;

    /// What it is and what it reaches the databases with, as it says itself.
    fn version(&self) -> Result<String>;

    /// Writes the migrations and the settings.
    fn prepare(&self, job: &Job) -> Result<()>;

    /// What an operator types, at first and after the kill.
    fn command(&self, job: &Job) -> Command;

    /// Whether the tool says that all is in.
    fn is_done(&self, _: &Job, status: ExitStatus) -> Result<bool> {
        Ok(status.success())
    }

    /// Its own words about what holds it up.
    fn why(&self, job: &Job) -> String {
        job.site.log()
    }
}

/// Every tool, Runsheet first.
pub fn all() -> Vec<Box<dyn Tool>> {
    vec![
        Box::new(super::runsheet::Runsheet),
        Box::new(super::alembic::Alembic),
        Box::new(super::django::Django),
        Box::new(super::dbmate::Dbmate),
        Box::new(super::sqlx::Sqlx),
        Box::new(super::yoyo::Yoyo),
    ]
}

/// What `tests/crash/peers/install` has put there.
pub fn installed(below: &str) -> PathBuf {
    runsheet_test_servers::cache().join("peers").join(below)
}

/// A program of Python's, in the folder of a job.
pub fn python(job: &Job, program: &str) -> Command {
    let mut command = Command::new(installed("python/bin").join(program));
    command.current_dir(job.site.path(""));
    command
}

/// What a program says, in one line.
pub fn say(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| {
        format!("{} cannot be started; tests/crash/peers/install brings it", command.get_program().display())
    })?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The versions of modules of Python, as they were installed.
pub fn modules(names: &[&str]) -> Result<String> {
    let said = names
        .iter()
        .map(|name| {
            let ask = format!("import importlib.metadata as m; print(m.version('{name}'))");
            Ok(format!("{name} {}", say(Command::new(installed("python/bin/python")).args(["-c", &ask]))?))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(said.join(", "))
}
