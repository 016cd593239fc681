//! The library itself: its symbol, its tables, and how it takes structs that have grown.

use crate::bench::{Bench, on};
use crate::case::Case;
use crate::raw::{RawSession, Sizes, fault};
use crate::symbols::exported;
use anyhow::{Context, Result, ensure};
use runsheet_sdk::text::lend;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "entry",
            rule: "The library exports one symbol, rsd_entry_v1, and says what it is.",
            needs: &[],
            check: entry,
        },
        Case {
            name: "extensions",
            rule: "An extension is the same table each time, and one that is not known is NULL.",
            needs: &[],
            check: extensions,
        },
        Case {
            name: "larger-structs",
            rule: "Structs that are larger than the driver knows are read as far as it knows them.",
            needs: &[],
            check: larger_structs,
        },
    ]
}

fn entry(bench: &Bench) -> Result<()> {
    let symbols = exported(bench.library.path())?;
    ensure!(symbols == ["rsd_entry_v1"], "it exports {symbols:?}");
    for (what, said) in [("version", bench.library.version()), ("title", bench.library.title())] {
        ensure!(!said.trim().is_empty(), "its {what} is empty");
    }
    Ok(())
}

fn extensions(bench: &Bench) -> Result<()> {
    let ask = bench.library.table().extension.context("there is no `extension`")?;
    // SAFETY: may be called from any thread; the text lives during the call (rule 3).
    let table = |id: &str| unsafe { ask(lend(id.as_bytes())) };
    for unknown in ["", "rsd", "rsd.split", "rsd.split/0", "rsd.split/10", "rsd.nothing/1"] {
        ensure!(table(unknown).is_null(), "it has an extension {unknown:?}");
    }
    for known in bench.library.extensions() {
        ensure!(table(known) == table(known), "{known} is another table each time");
    }
    Ok(())
}

fn larger_structs(bench: &Bench) -> Result<()> {
    let mut session = RawSession::sized(bench, Sizes::Larger, None)?;
    let table = bench.fresh_name();
    let statements = &bench.target.statements;
    for text in [on(statements.create, &table, 0), on(statements.insert, &table, 1)] {
        let (status, events) = session.execute(&text)?;
        if let Some(fault) = fault(status, &events, true) {
            anyhow::bail!("`{text}`: {fault} ({events:?})");
        }
    }
    ensure!(bench.rows(&table)? == 1, "the row is not there");
    Ok(())
}
