//! Runsheet itself, in the row beside the others: its daemon is killed, and started again.

use super::super::site::program;
use super::job::Job;
use super::tool::{Tool, say};
use anyhow::Result;
use std::process::{Command, ExitStatus};

const PLAN: &str = "projects/crash/plans/peers";

pub struct Runsheet;

impl Tool for Runsheet {
    fn name(&self) -> &'static str {
        "runsheet"
    }

    fn version(&self) -> Result<String> {
        say(Command::new(program()).arg("--version"))
    }

    fn prepare(&self, job: &Job) -> Result<()> {
        for (name, text) in &job.scenario.sheets {
            job.site.drop_file(&format!("crash/{name}.sql"), text)?;
        }
        job.site.drop_file("crash/peers.plan.json", &job.scenario.plan)
    }

    fn command(&self, job: &Job) -> Command {
        let mut command = Command::new(program());
        command.arg("--config").arg(job.site.path("config.toml")).args(["daemon", "--until-idle"]);
        command
    }

    /// A daemon ends well where nothing is left to do, and a plan that waits for an operator is nothing to do.
    fn is_done(&self, job: &Job, status: ExitStatus) -> Result<bool> {
        Ok(status.success() && job.site.plan(PLAN).is_ok_and(|plan| plan["status"] == "DONE"))
    }

    fn why(&self, job: &Job) -> String {
        match job.site.plan(PLAN) {
            Ok(plan) => plan.to_string(),
            Err(error) => error.to_string(),
        }
    }
}
