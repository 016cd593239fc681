//! The ledger: a table in a schema of its own, so that a mark is committed with what it marks.

use crate::connection::Session;
use runsheet_sdk::{Class, Error, Failure, Mark};

/// On the table, where `\d+` shows it.
const STAMP: &str = "runsheet ledger 1";

/// A row as text; nothing where it is NULL.
type Row = Vec<Option<String>>;

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    let text = text.replace('\0', "");
    if text.contains('\\') {
        // Means the same whatever a sheet has made of standard_conforming_strings.
        format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

fn table(session: &Session) -> String {
    format!("{}.runsheet_ledger", quoted(session.ledger_schema()))
}

/// What a session knows of the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing yet.
    #[default]
    No,
    /// It was there for an earlier user of the session. It is looked at again together with its first reading, which saves a round trip
    /// for each task.
    Before,
    /// It is there.
    Yes,
}

impl Known {
    /// What is left of it for the next user of the session.
    pub(crate) fn for_the_next(self) -> Self {
        if self == Self::No { Self::No } else { Self::Before }
    }
}

pub(crate) fn prepare(session: &mut Session) -> Result<(), Error> {
    if session.ledger == Known::No { make_sure(session) } else { Ok(()) }
}

/// Looks at the ledger where nobody has since the session's last user, and makes it where it is missing.
fn make_sure(session: &mut Session) -> Result<(), Error> {
    if session.ledger == Known::Yes {
        return Ok(());
    }
    if !is_there(session)? {
        // Another session may make it at the same moment: then it is there at the second look.
        if let Err(error) = create(session)
            && !is_there(session)?
        {
            return Err(explain(session, error));
        }
    }
    session.ledger = Known::Yes;
    Ok(())
}

/// As [`make_sure`], for what comes before the first reading.
fn look_again(session: &mut Session) -> Result<(), Error> {
    if session.ledger == Known::Before { make_sure(session) } else { Ok(()) }
}

/// Asks whether the table is there, and for its stamp.
fn stamp(session: &Session) -> String {
    let name = literal(&table(session));
    format!(
        "SELECT pg_catalog.to_regclass({name}) IS NOT NULL, pg_catalog.obj_description(pg_catalog.to_regclass({name}), 'pg_class')"
    )
}

fn is_there(session: &mut Session) -> Result<bool, Error> {
    let rows = session.query(&stamp(session))?;
    is_ours(session, rows.first())
}

/// Judges the answer to [`stamp`].
fn is_ours(session: &Session, row: Option<&Row>) -> Result<bool, Error> {
    let cell = |index: usize| row.and_then(|row| row.get(index)).and_then(Option::as_deref);
    if cell(0) != Some("t") {
        return Ok(false);
    }
    match cell(1) {
        Some(STAMP) => Ok(true),
        Some(stamp) if stamp.starts_with("runsheet ledger ") => Err(foreign(
            session,
            "was made by a newer Runsheet; it was not touched. Install that version here too",
        )),
        Some(_) | None => Err(foreign(
            session,
            "is not Runsheet's; it was not touched. Rename it, or name another schema by `ledger_schema`",
        )),
    }
}

fn foreign(session: &Session, why: &str) -> Error {
    let table = table(session);
    Error { object: table.clone(), ..Error::new(Class::AlreadyExists, format!("the table {table} {why}")) }
}

fn create(session: &mut Session) -> Result<(), Error> {
    let (schema, table) = (quoted(session.ledger_schema()), table(session));
    let schema_name = literal(session.ledger_schema());
    let there =
        session.query(&format!("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {schema_name}"))?;
    let make_schema = if there.is_empty() { format!("CREATE SCHEMA {schema};") } else { String::new() };
    session
        .query(&format!(
            "BEGIN; {make_schema}
             CREATE TABLE {table} (
                task char(64) NOT NULL, segment integer NOT NULL,
                first_statement bigint NOT NULL, last_statement bigint NOT NULL, complete boolean NOT NULL,
                plan text NOT NULL, spec text NOT NULL, sheet text NOT NULL, sheet_sha256 char(64) NOT NULL,
                schema_version text, host text NOT NULL, applied_time timestamptz NOT NULL DEFAULT clock_timestamp(),
                PRIMARY KEY (task, segment));
             CREATE INDEX runsheet_ledger_version ON {table} (schema_version) WHERE complete;
             COMMENT ON TABLE {table} IS '{STAMP}'; COMMIT"
        ))
        .map(drop)
        .inspect_err(|_| {
            // The error is told; this only frees the session from its failed transaction.
            let _ = session.query("ROLLBACK");
        })
}

fn explain(session: &Session, error: Error) -> Error {
    let hint = match error.class {
        // A server that only reads says what to do itself.
        Class::Permission if error.sqlstate != "25006" => format!(
            "The account needs: GRANT CREATE ON DATABASE, or a schema made for it: CREATE SCHEMA {} AUTHORIZATION its-name; or set `ledger = \"none\"` on the instance",
            quoted(session.ledger_schema())
        ),
        _ => error.hint.clone(),
    };
    Error {
        message: format!("the ledger {} could not be made: {}", table(session), error.message),
        hint,
        ..error
    }
}

pub(crate) fn write(session: &mut Session, mark: &Mark) -> Result<(), Error> {
    look_again(session)?;
    let table = table(session);
    let version =
        if mark.schema_version.is_empty() { "NULL".to_owned() } else { literal(&mark.schema_version) };
    let insert = format!(
        "INSERT INTO {table} (task, segment, first_statement, last_statement, complete, plan, spec, sheet, sheet_sha256, schema_version, host)
         VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {version}, {})",
        literal(&mark.task),
        mark.segment,
        mark.first_statement,
        mark.last_statement,
        mark.complete,
        literal(&mark.plan),
        literal(&mark.spec),
        literal(&mark.sheet),
        literal(&mark.sheet_sha256),
        literal(&mark.host)
    );
    // The mark is written as the account itself, whatever role the sheet has taken, and it is on the disk when the commit is
    // answered, whatever the sheet has set. All of it is local to the transaction, which ends right after.
    let local =
        "SET LOCAL synchronous_commit = on; SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE NONE";
    let text = if session.in_transaction() {
        format!("{local}; {insert}")
    } else {
        format!("BEGIN; {local}; {insert}; COMMIT")
    };
    let alone = !session.in_transaction();
    session.query(&text).map(drop).map_err(|error| {
        if alone && !session.is_lost() {
            let _ = session.query("ROLLBACK");
        }
        if error.sqlstate == "23505" {
            return Error {
                class: Class::AlreadyExists,
                message: "the mark is in the ledger already".to_owned(),
                ..error
            };
        }
        // It is not the sheet's text that this is about.
        Error { position: None, ..error }
    })
}

const COLUMNS: &str = "task, segment, first_statement, last_statement, complete, plan, spec, sheet, sheet_sha256, coalesce(schema_version, ''), host, to_char(applied_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";

/// Asks for the marks for which a condition holds.
fn select(session: &Session, condition: &str) -> String {
    format!("SELECT {COLUMNS} FROM {} WHERE {condition} ORDER BY segment", table(session))
}

fn marks(session: &mut Session, condition: &str) -> Result<Vec<Mark>, Error> {
    match session.query(&select(session, condition)) {
        Ok(rows) => rows.iter().map(|row| Mark::from_row(row)).collect(),
        Err(error) if error.class == Class::MissingObject => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

pub(crate) fn read(session: &mut Session, task: &str) -> Result<Vec<Mark>, Error> {
    let condition = format!("task = {}", literal(task));
    if session.ledger == Known::Before {
        // Where the table is gone, it is made again, and has no marks.
        let rows = match session.query(&format!("{}; {}", stamp(session), select(session, &condition))) {
            Ok(rows) => rows,
            Err(error) if error.class == Class::MissingObject => Vec::new(),
            // One that is not ours may have other columns: its stamp says so.
            Err(error) if error.failure == Failure::Failed => return is_there(session).and(Err(error)),
            Err(error) => return Err(error),
        };
        if is_ours(session, rows.first())? {
            session.ledger = Known::Yes;
            return rows.iter().skip(1).map(|row| Mark::from_row(row)).collect();
        }
        make_sure(session)?;
    }
    marks(session, &condition)
}

pub(crate) fn find_version(session: &mut Session, schema_version: &str) -> Result<Option<Mark>, Error> {
    look_again(session)?;
    let found = marks(session, &format!("schema_version = {} AND complete", literal(schema_version)))?;
    Ok(found.into_iter().next())
}
