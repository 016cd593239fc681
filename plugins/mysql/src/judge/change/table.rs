//! ALTER TABLE and TRUNCATE.

use super::{Alter, Change, Effect, Shown};
use crate::judge::kinds::Kind;
use crate::judge::object::{Class, Object};
use crate::judge::reader::Reader;
use std::collections::BTreeSet;

const TABLESPACE: &str = "a tablespace file that goes or comes leaves no trace in the table's definition";

/// MariaDB's WAIT n and NOWAIT.
pub(super) fn waits(reader: &mut Reader<'_>) {
    if !reader.eats("nowait") && reader.eats("wait") {
        reader.take();
    }
}

pub(super) fn truncate(reader: &mut Reader<'_>, current: &str) -> Option<Change> {
    reader.eats("table");
    let table = reader.object(Class::Table, current)?;
    Some(Change::new(Kind::Truncate, Effect::Empty { table, partitions: Vec::new() }))
}

/// What the actions of an ALTER TABLE have told so far.
#[derive(Default)]
struct Actions {
    renamed: Option<Object>,
    added: BTreeSet<String>,
    dropped: BTreeSet<String>,
    /// One that stands alone.
    alone: Option<Change>,
    /// Columns in parentheses, whose names are not read.
    added_some: bool,
}

pub(super) fn alter(reader: &mut Reader<'_>, current: &str) -> Option<Change> {
    let lenient = reader.eats_all(&["if", "exists"]);
    let table = reader.object(Class::Table, current)?;
    waits(reader);
    let mut actions = Actions::default();
    loop {
        action(reader, &table, current, &mut actions)?;
        if !reader.skip_comma() {
            break;
        }
    }
    if let Some(change) = actions.alone {
        return Some(change);
    }
    let anew = actions.dropped.iter().any(|name| actions.added.contains(name))
        || (actions.added_some && !actions.dropped.is_empty());
    let shown = if anew { Shown::Anew } else { Shown::Yes };
    let kind = match (&actions.renamed, anew) {
        (Some(_), _) => Kind::AlterTableRename,
        (None, true) => Kind::AlterTableAnew,
        (None, false) => Kind::AlterTable,
    };
    let alter = Alter { objects: vec![table], lenient, renamed: actions.renamed, shown };
    Some(Change::new(kind, Effect::Alter(alter)))
}

fn action(reader: &mut Reader<'_>, table: &Object, current: &str, actions: &mut Actions) -> Option<()> {
    match reader.eats_one(&[
        "rename", "add", "drop", "truncate", "exchange", "discard", "import", "analyze", "check", "optimize",
        "rebuild", "repair",
    ]) {
        Some("rename") if reader.eats_one(&["column", "index", "key"]).is_some() => {}
        Some("rename") => {
            if reader.eats_one(&["to", "as"]).is_none() {
                reader.sign(b'=');
            }
            actions.renamed = Some(reader.object(Class::Table, current)?);
        }
        Some("add") => {
            reader.eats("column");
            reader.eats_all(&["if", "not", "exists"]);
            actions.added_some |= reader.sign(b'(');
            actions.added.extend(column(reader));
        }
        Some("drop") => {
            reader.eats("column");
            reader.eats_all(&["if", "exists"]);
            actions.dropped.extend(column(reader));
        }
        Some("truncate") => {
            reader.eats("partition");
            let partitions = partitions(reader)?;
            let effect = Effect::Empty { table: table.clone(), partitions };
            actions.alone = Some(Change::new(Kind::TruncatePartition, effect));
        }
        Some("exchange") => {
            reader.eats("partition");
            let partition = reader.name()?;
            reader.eats_all(&["with", "table"]);
            let other = reader.object(Class::Table, current)?;
            let effect = Effect::Exchange { table: table.clone(), partition, other };
            actions.alone = Some(Change::new(Kind::ExchangePartition, effect));
        }
        Some("discard" | "import") => {
            actions.alone = Some(Change::beyond(TABLESPACE));
        }
        Some(_) => actions.alone = Some(Change::again(Kind::Maintenance)),
        None => {}
    }
    Some(())
}

/// The name of a column, or of what else is added or dropped by a name: versioning, and keys without one, by their kind.
fn column(reader: &mut Reader<'_>) -> Option<String> {
    let key = ["index", "key", "constraint", "primary", "unique", "fulltext", "spatial", "foreign", "check"];
    let other = ["partition", "period", "vector"];
    if key.iter().chain(&other).any(|word| reader.is(word)) {
        // What it says shows in the definition, and rows do not go with it; partitions cannot go and come in one statement.
        return None;
    }
    reader.name().map(|name| name.to_lowercase())
}

fn partitions(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let mut names = vec![reader.name()?];
    while reader.sign(b',') {
        names.push(reader.name()?);
    }
    Some(names)
}
