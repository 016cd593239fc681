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
    /// Sessions that somebody else can end, accounts, passwords.
    Server,
    /// A server that shows what sessions call themselves.
    Labels,
}

impl Need {
    /// Why it is not there, if it is not.
    pub fn missing(self, bench: &Bench) -> Option<String> {
        let facts = bench.library.facts();
        match self {
            Self::Fact(fact) if !facts.has(fact) => {
                Some(format!("the driver does not state the fact {}", fact.words().join(", ")))
            }
            Self::Extension(name) if !bench.library.extensions().contains(&name) => {
                Some(format!("the driver does not have {name}"))
            }
            Self::Server if facts.has(Facts::EMBEDDED) => {
                Some("the driver states the fact embedded: there is no server".to_owned())
            }
            Self::Labels if !bench.target.outside.shows_labels() => {
                Some("the engine shows nowhere what a session calls itself".to_owned())
            }
            _ => None,
        }
    }
}
