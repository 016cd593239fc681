//! Where readers get what they show: from the daemon, or from the state folder where none runs.

use crate::config::Config;
use crate::control::{Answer, Client, ClientError, Request};
use crate::report::{LogReport, PlanReport, PlanSummary, find, log_of, of_plan, summary};
use crate::store::{Reader, StateFolder, plans};
use anyhow::{Context, bail};
use std::collections::HashMap;

/// Where readers get what they show.
pub(super) enum Source {
    Daemon(Client),
    State(Reader),
}

/// What the daemon refused, as an error of the command.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub String);

impl Source {
    /// The daemon if it answers, else the state folder, which is said.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        match Client::connect(&config.daemon.socket) {
            Ok(client) => Ok(Self::Daemon(client)),
            Err(unreachable) => {
                let reader = match StateFolder::read(&config.folders.state) {
                    Ok(reader) => reader,
                    // Without a state there is nothing to read; the daemon is what is lacking.
                    Err(_) => return Err(unreachable.into()),
                };
                eprintln!(
                    "no daemon answers on {}; this is what the state folder says",
                    config.daemon.socket.display()
                );
                Ok(Self::State(reader))
            }
        }
    }

    pub fn plans(&mut self) -> anyhow::Result<Vec<PlanSummary>> {
        match self {
            Self::Daemon(client) => match client.ask(&Request::Plans)? {
                Answer::Plans { plans } => Ok(plans),
                other => unexpected(other),
            },
            Self::State(reader) => Ok(reader.read(|connection| {
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
            Self::State(reader) => {
                let found = reader.read(|connection| match find(connection, name)? {
                    Ok(subject) => {
                        of_plan(connection, subject.plan(), &HashMap::new(), &HashMap::new()).map(Ok)
                    }
                    Err(why) => Ok(Err(why)),
                })?;
                found.map_err(|why| Refused(why).into())
            }
        }
    }

    pub fn log(&mut self, of: &str, after: i64) -> anyhow::Result<LogReport> {
        match self {
            Self::Daemon(client) => match client.ask(&Request::Log { of: of.to_owned(), after })? {
                Answer::Log { log } => Ok(log),
                other => unexpected(other),
            },
            Self::State(reader) => {
                let found = reader.read(|connection| log_of(connection, of, after))?;
                found.map_err(|why| Refused(why).into())
            }
        }
    }
}

fn unexpected<T>(answer: Answer) -> anyhow::Result<T> {
    match answer {
        Answer::Refused { why, .. } => Err(Refused(why).into()),
        Answer::Plans { .. } | Answer::Plan { .. } | Answer::Log { .. } | Answer::Done { .. } => {
            bail!("the daemon gave an answer that does not fit the question; are both of the same version?")
        }
    }
}

/// Asks the daemon to do something. Gives what it did.
pub(super) fn order(config: &Config, request: &Request) -> anyhow::Result<Result<Vec<String>, String>> {
    let mut client = Client::connect(&config.daemon.socket)?;
    match client
        .ask(request)
        .context("what was asked may have been done all the same; see `runsheet status`")?
    {
        Answer::Done { did } => Ok(Ok(did)),
        Answer::Refused { why, .. } => Ok(Err(why)),
        other => unexpected(other),
    }
}

/// Whether an error only says that the daemon is not there.
pub(super) fn is_unreachable(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some()
}
