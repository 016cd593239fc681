//! A case: one rule, what must be there for it to hold at all, and the check of it.

use crate::bench::Bench;
use anyhow::Result;
use runsheet_sdk::Facts;

/// One rule of the ABI.
pub(crate) struct Case {
    pub name: &'static str,
    pub rule: &'static str,
    pub needs: &'static [Need],
    pub check: fn(&Bench) -> Result<()>,
}

/// What a rule is about, and is not there everywhere.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// What is true of the engine.
    Fact(Facts),
    /// What the driver can do.
    Extension(&'static str),
    /// Sessions on a server of its own, which shows what they do.
    Server,
    /// Accounts with passwords.
    Accounts,
    /// Sessions that somebody else can end.
    Killing,
    /// A server that shows what sessions call themselves.
    Labels,
    /// Settings of a session.
    SessionSettings,
    /// Tables of a session.
    TemporaryTables,
}

/// The error of a case whose call came to UNSUPPORTED, where the ABI lets it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotThere(pub &'static str);

impl Need {
    /// Why it is not there, if it is not.
    pub fn missing(self, bench: &Bench) -> Option<String> {
        let facts = bench.library.facts();
        let embedded = facts.has(Facts::EMBEDDED);
        let no_server = || "the driver states the fact embedded: there is no server".to_owned();
        let target = &bench.target;
        match self {
            Self::Fact(fact) if !facts.has(fact) => {
                Some(format!("the driver does not state the fact {}", fact.words().join(", ")))
            }
            Self::Extension(name) if !bench.library.extensions().contains(&name) => {
                Some(format!("the driver does not have {name}"))
            }
            Self::Server if embedded => Some(no_server()),
            Self::Accounts if embedded && target.refused.is_none() => Some(no_server()),
            Self::Killing if embedded && !target.outside.can_kill() => Some(no_server()),
            Self::Labels if !target.outside.shows_labels() => {
                Some("the engine shows nowhere what a session calls itself".to_owned())
            }
            Self::SessionSettings if target.statements.read_only.is_none() => {
                Some("the engine has no settings of a session".to_owned())
            }
            Self::TemporaryTables if target.statements.temporary.is_none() => {
                Some("the engine has no temporary tables".to_owned())
            }
            _ => None,
        }
    }
}
