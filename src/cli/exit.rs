//! Exit codes: the whole list, and which error means which.

use super::source::Refused;
use crate::config::ConfigError;
use crate::control::ClientError;
use crate::store::{PlanStatus, TaskStatus};
use crate::{daemon, recover, store};

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// The plan or the check failed.
    Failed,
    /// The command was used wrongly.
    Usage,
    /// The daemon cannot be reached.
    Unreachable,
    /// Something needs an operator: a task is IN_DOUBT.
    Operator,
    /// The state folder cannot be used as it is: damaged, or of a newer version.
    State,
    /// The program broke down.
    Bug,
    /// The state could not be recorded.
    Unrecorded,
    /// Another daemon has the state folder.
    Taken,
    /// The config is wrong.
    Config,
}

impl Exit {
    /// The number that the shell sees; those from 65 on are `sysexits.h`'s.
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Operator => 4,
            Self::State => 65,
            Self::Bug => 70,
            Self::Unrecorded => 74,
            Self::Taken => 75,
            Self::Config => 78,
        }
    }
}

/// An argument that cannot be what was meant: a driver that is not there, a file that is none.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct WrongUsage(pub String);

/// The exit of a daemon that ended.
pub(super) fn of_daemon(exit: daemon::Exit) -> Exit {
    match exit {
        daemon::Exit::Fine | daemon::Exit::Idle => Exit::Fine,
        daemon::Exit::Unrecorded => Exit::Unrecorded,
        daemon::Exit::Bug => Exit::Bug,
    }
}

/// The exit that an error means.
pub(super) fn of(error: &anyhow::Error) -> Exit {
    let state =
        error.downcast_ref::<store::Error>().or_else(|| match error.downcast_ref::<daemon::Error>() {
            Some(daemon::Error::State(state)) => Some(state),
            _ => match error.downcast_ref::<recover::Error>() {
                Some(recover::Error::State(state)) => Some(state),
                _ => None,
            },
        });
    let of_state = state.and_then(|state| match state {
        store::Error::Taken { .. } => Some(Exit::Taken),
        store::Error::Newer { .. } | store::Error::Foreign { .. } | store::Error::Corrupt { .. } => {
            Some(Exit::State)
        }
        store::Error::Io { .. }
        | store::Error::Sqlite(_)
        | store::Error::Unknown { .. }
        | store::Error::Stopped(_) => None,
    });
    let is_config = error.downcast_ref::<ConfigError>().is_some()
        || matches!(error.downcast_ref::<daemon::Error>(), Some(daemon::Error::Config(_)));
    let is_usage = error.downcast_ref::<WrongUsage>().is_some()
        || error.downcast_ref::<Refused>().is_some_and(|refused| refused.usage);
    match of_state {
        Some(exit) => exit,
        None if is_config => Exit::Config,
        None if is_usage => Exit::Usage,
        None if error.downcast_ref::<ClientError>().is_some() => Exit::Unreachable,
        None => Exit::Failed,
    }
}

/// The exit of a plan that was followed to where nothing goes on by itself.
pub(super) fn of_plan(status: PlanStatus, mut tasks: impl Iterator<Item = TaskStatus>) -> Exit {
    match status {
        PlanStatus::Done | PlanStatus::Running | PlanStatus::WaitingForSheets => Exit::Fine,
        PlanStatus::Failed | PlanStatus::Canceled => Exit::Failed,
        PlanStatus::Blocked if tasks.any(|status| status == TaskStatus::InDoubt) => Exit::Operator,
        PlanStatus::Blocked => Exit::Failed,
    }
}
