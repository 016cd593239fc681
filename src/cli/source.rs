//! Where readers get what they show: from the daemon, or from the state folder where none runs.

use super::paint;
use crate::config::Config;
use crate::control::{Answer, Client, ClientError, Request};
use crate::daemon;
use crate::report::{LogPlace, LogReport, PlanReport, PlanSummary, find, log_of, of_plan, summary};
use crate::store::{self, Reader, StateFolder, plans};
use anyhow::{Context, bail};
use std::collections::HashMap;

/// Where readers get what they show.
pub(super) enum Source<'a> {
    Daemon(Client),
    State(Reader, &'a Config),
}

/// What was refused, as an error of the command.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(super) struct Refused {
    why: String,
    /// Whether the asker's words were wrong: no such plan, say.
    pub usage: bool,
}

impl Refused {
    fn usage(why: String) -> anyhow::Error {
        Self { why, usage: true }.into()
    }
}

impl<'a> Source<'a> {
    /// The daemon if it answers, else the state folder.
    pub fn find(config: &'a Config) -> anyhow::Result<Self> {
        let unreachable = match Client::connect(&config.daemon.socket) {
            Ok(client) => return Ok(Self::Daemon(client)),
            Err(unreachable) => unreachable,
        };
        match StateFolder::read(&config.folders.state) {
            Ok(reader) => Ok(Self::State(reader, config)),
            // Without a state there is nothing to read; the daemon is what is lacking.
            Err(store::Error::Io { .. }) => Err(unreachable.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Source::find`]; where no daemon answers, that is said.
    pub fn open(config: &'a Config) -> anyhow::Result<Self> {
        let source = Self::find(config)?;
        if !source.is_daemon() {
            paint::say(&no_daemon(config));
        }
        Ok(source)
    }

    pub fn is_daemon(&self) -> bool {
        matches!(self, Self::Daemon(_))
    }

    pub fn plans(&mut self) -> anyhow::Result<Vec<PlanSummary>> {
        match self {
            Self::Daemon(client) => match client.ask(&Request::Plans)? {
                Answer::Plans { plans } => Ok(plans),
                other => unexpected(other),
            },
            Self::State(reader, _) => Ok(reader.read(|connection| {
                plans(connection)?.iter().map(|plan| summary(connection, plan)).collect()
            })?),
        }
    }

    pub fn plan(&mut self, name: &str) -> anyhow::Result<PlanReport> {
        match self {
            Self::Daemon(client) => match client.ask(&Request::Plan { plan: name.to_owned() })? {
                Answer::Plan { plan } => Ok(*plan),
                other => unexpected(other),
            },
            Self::State(reader, config) => {
                let found = reader.read(|connection| find(connection, name))?;
                let subject = found.map_err(Refused::usage)?;
                let waiting = daemon::waiting_without_daemon(config, reader, subject.plan().id)?;
                let plan = subject.plan();
                Ok(reader.read(|connection| of_plan(connection, plan, &waiting, &HashMap::new()))?)
            }
        }
    }

    pub fn log(&mut self, of: &str, place: LogPlace) -> anyhow::Result<LogReport> {
        match self {
            Self::Daemon(client) => match client.ask(&Request::Log { of: of.to_owned(), place })? {
                Answer::Log { log } => Ok(log),
                other => unexpected(other),
            },
            Self::State(reader, _) => {
                let found = reader.read(|connection| log_of(connection, of, place))?;
                found.map_err(Refused::usage)
            }
        }
    }
}

/// The sentence that says where what is shown comes from.
pub(super) fn no_daemon(config: &Config) -> String {
    format!("no daemon answers on {}; this is what the state folder says", config.daemon.socket.display())
}

fn unexpected<T>(answer: Answer) -> anyhow::Result<T> {
    match answer {
        Answer::Refused { why, usage } => Err(Refused { why, usage }.into()),
        Answer::Plans { .. } | Answer::Plan { .. } | Answer::Log { .. } | Answer::Done { .. } => {
            bail!("the daemon gave an answer that does not fit the question; are both of the same version?")
        }
    }
}

/// Asks the daemon to do something. Gives what it did.
pub(super) fn order(config: &Config, request: &Request) -> anyhow::Result<Vec<String>> {
    let mut client = Client::connect(&config.daemon.socket)?;
    match client
        .ask(request)
        .context("what was asked may have been done all the same; see `runsheet status`")?
    {
        Answer::Done { did } => Ok(did),
        other => unexpected(other),
    }
}

/// Whether an error only says that the daemon is not there.
pub(super) fn is_unreachable(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some()
}
