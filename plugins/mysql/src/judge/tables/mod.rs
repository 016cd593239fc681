//! Tables that know no transactions, and statements that change them. A database without such a table costs one question for a
//! session, and nothing for a statement but a look at its first words.

mod reach;
mod targets;

use super::change::{Change, Effect};
use super::object::{Class, Object};
use super::words::Dialect;
use crate::connection::Session;
use crate::text::literal;
use runsheet_sdk::{Class as ErrorClass, Error, Kind, Observation, Settled};
use std::collections::BTreeMap;
use targets::targets;

/// Tables that are asked for one by one; where more have changed, all are asked for.
const STALE_MAX: usize = 20;

/// What is known of them, by schema; and how the session reads statements.
#[derive(Debug, Default)]
pub(super) struct Known {
    schemas: BTreeMap<String, Schema>,
    reads: Option<(Dialect, String)>,
    /// Tables that a statement has made or altered since.
    stale: Vec<Object>,
    /// How many questions were put to the server.
    asked: u64,
}

/// What is known of a schema.
#[derive(Debug, Default)]
struct Schema {
    /// The engine of each such table, by its name in lower case.
    tables: BTreeMap<String, String>,
    /// What else runs where a name stands: the triggers of a table, the text of a view or routine.
    texts: Option<BTreeMap<String, Vec<String>>>,
}

impl Known {
    pub fn ran(&mut self, kind: Kind) {
        match kind {
            Kind::Dml | Kind::Query | Kind::Load | Kind::Rows => {}
            Kind::Begin | Kind::Commit | Kind::Rollback | Kind::Savepoint => {}
            Kind::Session => self.reads = None,
            Kind::Ddl | Kind::Maintenance => self.schemas.clear(),
            Kind::Call | Kind::Other => *self = Self::default(),
        }
    }

    /// What is still known after a change.
    pub fn after(mut self, change: &Change) -> Self {
        if matches!(change.effect, Effect::Unseen(_)) {
            return Self::default();
        }
        for object in change.objects() {
            if object.class == Class::Table {
                self.stale.push(object.clone());
            } else if object.class == Class::Database {
                self.schemas.remove(&object.name);
            }
        }
        self.schemas.values_mut().for_each(|schema| schema.texts = None);
        if self.stale.len() > STALE_MAX {
            return Self { reads: self.reads, ..Self::default() };
        }
        self
    }
}

/// Says what a statement changes that is not undone with its transaction.
///
/// # Errors
/// Where the instance's settings do not allow it.
pub(super) fn vet(session: &mut Session, sql: &[u8]) -> Result<Option<Observation>, Error> {
    let asked = session.judging.tables.asked;
    let (dialect, current) = reads(session)?;
    let targets = targets(sql, dialect, &current);
    refresh(session)?;
    let mut is_clean = true;
    for schema in targets.iter().map(|one| one.schema.as_str()).chain([current.as_str()]) {
        is_clean &= load(session, schema)?;
    }
    if asked != session.judging.tables.asked
        && let Some(name) = counts(sql, dialect)
    {
        let message = format!(
            "{name}() would say here how many rows the driver has read to find tables without transactions"
        );
        return Err(Error::new(ErrorClass::Unsupported, message)
            .hint("Put what it counts and this into one block or procedure, or keep the number in a variable by SET"));
    }
    if is_clean {
        return Ok(None);
    }
    let Some(found) = reach::find(session, sql, dialect, &current, &targets)? else { return Ok(None) };
    let what = format!("it changes {found}, which knows no transactions");
    if session.options().judging.allows_non_transactional {
        let summary = format!("{what}: what it does there is not undone with its transaction");
        return Ok(Some(Observation { settled: Settled::Nobody, text: String::new(), summary }));
    }
    let error = Error::new(
        ErrorClass::Unsupported,
        format!("{what}: what it does there is not undone with its transaction; it was not run"),
    );
    Err(error.hint(
        "Change the table's engine to InnoDB; or set `non_transactional_dml = \"allow\"` on the instance, which means that a crash in its middle is \
         IN_DOUBT. `-- txn-mode = off` at the head of the sheet then keeps that to this one statement",
    ))
}

/// The function by which a statement asks about the statement before it, if it does.
fn counts(sql: &[u8], dialect: Dialect) -> Option<&'static str> {
    let called = reach::called(sql, dialect);
    ["ROW_COUNT", "FOUND_ROWS"].into_iter().find(|name| called.contains(&name.to_lowercase()))
}

fn ask(session: &mut Session, question: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
    session.judging.tables.asked += 1;
    session.forget_counts();
    session.query(question)
}

fn reads(session: &mut Session) -> Result<(Dialect, String), Error> {
    if let Some(known) = &session.judging.tables.reads {
        return Ok(known.clone());
    }
    let row = ask(session, "SELECT DATABASE(), @@SESSION.sql_mode")?.into_iter().next().unwrap_or_default();
    let mut row = row.into_iter().map(Option::unwrap_or_default);
    let (database, mode) = (row.next().unwrap_or_default(), row.next().unwrap_or_default());
    let reads = (Dialect::new(session.is_mariadb(), session.version(), &mode), database);
    session.judging.tables.reads = Some(reads.clone());
    Ok(reads)
}

/// The question for such tables.
fn question(schema: &str, table: Option<&str>) -> String {
    let one = table.map(|name| format!(" AND TABLE_NAME = {}", literal(name))).unwrap_or_default();
    format!(
        "SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = {}{one} \
         AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND ENGINE <> 'BLACKHOLE' \
         AND ENGINE NOT IN (SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES')",
        literal(schema)
    )
}

fn found(rows: Vec<Vec<Option<String>>>) -> impl Iterator<Item = (String, String)> {
    rows.into_iter().filter_map(|row| {
        let mut row = row.into_iter();
        Some((row.next()??.to_lowercase(), row.next()??))
    })
}

/// Asks again for what has changed.
fn refresh(session: &mut Session) -> Result<(), Error> {
    for table in std::mem::take(&mut session.judging.tables.stale) {
        if !session.judging.tables.schemas.contains_key(&table.schema) {
            continue;
        }
        let rows = ask(session, &question(&table.schema, Some(&table.name)))?;
        if let Some(schema) = session.judging.tables.schemas.get_mut(&table.schema) {
            schema.tables.remove(&table.name.to_lowercase());
            schema.tables.extend(found(rows));
        }
    }
    Ok(())
}

/// Makes a schema known, and says whether it has no such table.
fn load(session: &mut Session, schema: &str) -> Result<bool, Error> {
    // What is measured there is kept by no transaction, and by no disk.
    if schema.is_empty() || schema.eq_ignore_ascii_case("performance_schema") {
        return Ok(true);
    }
    if let Some(known) = session.judging.tables.schemas.get(schema) {
        return Ok(known.tables.is_empty());
    }
    let tables: BTreeMap<_, _> = found(ask(session, &question(schema, None))?).collect();
    let is_clean = tables.is_empty();
    session.judging.tables.schemas.insert(schema.to_owned(), Schema { tables, texts: None });
    Ok(is_clean)
}
