//! Looking at the objects that a statement changes: at those alone, and only at what the judgement needs.

mod account;
mod named;
mod partition;
mod rows;
mod table;

use super::change::{Change, Effect, Shown};
use super::object::{Class, Object};
use super::seen::{OBJECTS_MAX, Rows, Seen};
use super::words::Dialect;
use crate::connection::Session;
use runsheet_sdk::{Error, Failure};
use std::collections::BTreeMap;

/// How closely an object is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Whether it is there.
    Presence,
    /// What it is, too.
    Definition,
    /// What a database or an account has.
    Contents,
}

/// What was looked at.
#[derive(Default)]
pub(super) struct Looked {
    pub objects: Vec<(Object, Seen)>,
    pub rows: BTreeMap<String, Rows>,
    /// Files of partitions of a table that is to be made, where they were looked at and could be seen.
    pub partitions: Option<Vec<String>>,
}

impl Looked {
    /// Nothing of what a change is about can be seen.
    pub fn hidden(change: &Change, why: &str) -> Self {
        let hide = |(one, _)| (one, Seen::Hidden(why.to_owned()));
        Self { objects: wanted(&change.effect).into_iter().map(hide).collect(), ..Self::default() }
    }
}

/// Looks.
///
/// # Errors
/// Where the session is lost; what it may not see is a fact like others.
pub(super) fn look(session: &mut Session, change: &Change, dialect: Dialect) -> Result<Looked, Error> {
    let wanted = wanted(&change.effect);
    if wanted.len() > OBJECTS_MAX {
        return Ok(Looked::hidden(change, &format!("the statement names more than {OBJECTS_MAX} objects")));
    }
    let mut looked = Looked::default();
    let tables: Vec<(Object, Depth)> =
        wanted.iter().filter(|(one, _)| one.class == Class::Table).cloned().collect();
    looked.objects.extend(table::look(session, &tables)?);
    for (object, depth) in wanted.into_iter().filter(|(one, _)| one.class != Class::Table) {
        let seen = match object.class {
            Class::User => account::look(session, &object, depth, dialect)?,
            _ => named::look(session, &object, depth)?,
        };
        looked.objects.push((object, seen));
    }
    match &change.effect {
        Effect::Create(create) if create.partitioned => {
            if let [table] = create.objects.as_slice() {
                looked.partitions = partition::look(session, table)?;
            }
        }
        Effect::Empty { table, partitions } => {
            looked.rows = rows::look(session, table, partitions)?;
        }
        Effect::Exchange { table, partition, other } => {
            looked.rows = rows::look(session, table, std::slice::from_ref(partition))?;
            looked.rows.extend(rows::look(session, other, &[])?);
        }
        _ => {}
    }
    Ok(looked)
}

/// The key of the rows of a table, or of one of its partitions.
pub(super) fn rows_key(table: &Object, partition: Option<&str>) -> String {
    match partition {
        None => table.to_string(),
        Some(partition) => format!("partition {partition} of {table}"),
    }
}

fn wanted(effect: &Effect) -> Vec<(Object, Depth)> {
    let all = |objects: &[Object], depth| objects.iter().map(|one| (one.clone(), depth)).collect();
    let mut wanted: Vec<(Object, Depth)> = match effect {
        Effect::Create(create) if create.replaces => all(&create.objects, Depth::Contents),
        Effect::Create(create) => all(&create.objects, Depth::Presence),
        Effect::Drop { objects, .. } => {
            let of_database = objects.iter().any(|one| one.class == Class::Database);
            all(objects, if of_database { Depth::Contents } else { Depth::Presence })
        }
        Effect::Rename { pairs, .. } => {
            // An account's definition has its name in it.
            let depth =
                |one: &Object| if one.class == Class::User { Depth::Presence } else { Depth::Definition };
            let names = pairs.iter().flat_map(|(from, to)| [from, to]);
            names.map(|one| (one.clone(), depth(one))).collect()
        }
        Effect::Alter(alter) => {
            let of_account = alter.objects.iter().any(|one| one.class == Class::User);
            // What an account may do is changed by REVOKE; how it is identified by the others.
            let contents = of_account && alter.shown == Shown::Yes;
            let mut wanted: Vec<_> =
                all(&alter.objects, if contents { Depth::Contents } else { Depth::Definition });
            wanted.extend(alter.renamed.iter().map(|one| (one.clone(), Depth::Definition)));
            wanted
        }
        Effect::Empty { table, .. } => vec![(table.clone(), Depth::Definition)],
        Effect::Exchange { table, other, .. } => {
            vec![(table.clone(), Depth::Presence), (other.clone(), Depth::Presence)]
        }
        Effect::Set { variables } => all(variables, Depth::Definition),
        Effect::Again | Effect::Unseen(_) => Vec::new(),
    };
    // A name may stand in several pairs.
    wanted.sort_by(|(one, _), (other, _)| one.cmp(other));
    wanted.dedup_by(|(one, _), (other, _)| one == other);
    wanted
}

/// What an error of looking means: the session is lost, or the object cannot be seen.
fn hidden(error: Error) -> Result<Seen, Error> {
    match error.failure {
        Failure::Lost | Failure::Canceled | Failure::DriverBug => Err(error),
        Failure::Failed | Failure::Misuse | Failure::Unsupported => Ok(Seen::Hidden(error.message)),
    }
}

/// The seconds in a cell that may be empty or have fractions.
fn seconds(cell: Option<&Option<String>>) -> i64 {
    let text = cell.and_then(Option::as_deref).unwrap_or_default();
    text.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
}

/// A cell's text.
fn text(cell: Option<&Option<String>>) -> String {
    cell.and_then(Option::clone).unwrap_or_default()
}
