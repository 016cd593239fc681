//! The ledger: a table in the target itself, always named with its database, since a sheet may USE another.

use crate::connection::Session;
use crate::text::{literal, quoted};
use runsheet_sdk::{Class, Error, Failure, Mark};

/// On the table, where SHOW CREATE TABLE shows it.
const STAMP: &str = "runsheet ledger 1";

fn table(session: &Session) -> String {
    format!("{}.runsheet_ledger", quoted(session.database()))
}

pub(crate) fn prepare(session: &mut Session) -> Result<(), Error> {
    if session.ledger_is_known {
        return Ok(());
    }
    if !is_there(session)? {
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {} (
                task CHAR(64) NOT NULL, segment INT UNSIGNED NOT NULL,
                first_statement BIGINT UNSIGNED NOT NULL, last_statement BIGINT UNSIGNED NOT NULL, complete TINYINT NOT NULL,
                plan VARCHAR(300) NOT NULL, spec VARCHAR(128) NOT NULL, sheet VARCHAR(300) NOT NULL, sheet_sha256 CHAR(64) NOT NULL,
                schema_version VARCHAR(255), host VARCHAR(255) NOT NULL,
                applied_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
                PRIMARY KEY (task, segment), KEY runsheet_ledger_version (schema_version)
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='{STAMP}'",
            table(session)
        );
        session.run(&create).map_err(|error| {
            let hint = match error.class {
                Class::Permission if error.hint.is_empty() => format!(
                    "The account needs: GRANT CREATE, SELECT, INSERT ON {} TO it; or set `ledger = \"none\"` on the instance",
                    table(session)
                ),
                _ => error.hint.clone(),
            };
            Error { message: format!("the ledger {} could not be made: {}", table(session), error.message), hint, ..error }
        })?;
        // Another program may have made a table of that name at the same moment.
        is_there(session)?;
    }
    session.ledger_is_known = true;
    Ok(())
}

fn is_there(session: &mut Session) -> Result<bool, Error> {
    let query = format!(
        "SELECT TABLE_COMMENT, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = 'runsheet_ledger'",
        literal(session.database())
    );
    let found = session.query(&query)?.into_iter().next().map(|row| {
        let mut cells = row.into_iter();
        (cells.next().flatten().unwrap_or_default(), cells.next().flatten())
    });
    let why = match found {
        None => return Ok(false),
        Some((stamp, Some(engine))) if stamp == STAMP && engine.eq_ignore_ascii_case("InnoDB") => {
            return Ok(true);
        }
        Some((stamp, engine)) if stamp == STAMP => {
            format!(
                "has the engine {}, and its marks would not be committed with what they mark; ALTER TABLE … ENGINE=InnoDB",
                engine.unwrap_or_default()
            )
        }
        Some((stamp, _)) if stamp.starts_with("runsheet ledger ") => {
            "was made by a newer Runsheet; it was not touched. Install that version here too".to_owned()
        }
        Some(_) => {
            "is not Runsheet's; it was not touched. Rename it, or set `ledger = \"none\"` on the instance"
                .to_owned()
        }
    };
    let table = table(session);
    Err(Error {
        object: table.clone(),
        ..Error::new(Class::AlreadyExists, format!("the table {table} {why}"))
    })
}

pub(crate) fn write(session: &mut Session, mark: &Mark) -> Result<(), Error> {
    let version =
        if mark.schema_version.is_empty() { "NULL".to_owned() } else { literal(&mark.schema_version) };
    let insert = format!(
        "INSERT INTO {} (task, segment, first_statement, last_statement, complete, plan, spec, sheet, sheet_sha256, schema_version, host)
         VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {version}, {})",
        table(session),
        literal(&mark.task),
        mark.segment,
        mark.first_statement,
        mark.last_statement,
        u8::from(mark.complete),
        literal(&mark.plan),
        literal(&mark.spec),
        literal(&mark.sheet),
        literal(&mark.sheet_sha256),
        literal(&mark.host)
    );
    let written = if session.in_transaction() { session.run(&insert) } else { alone(session, &insert) };
    written.map_err(|error| match error.code {
        1062 => Error {
            class: Class::AlreadyExists,
            message: "the mark is in the ledger already".to_owned(),
            ..error
        },
        _ => error,
    })
}

/// In a transaction of its own, whatever a sheet has made of autocommit and of table locks.
fn alone(session: &mut Session, insert: &str) -> Result<(), Error> {
    session.run("START TRANSACTION")?;
    session.run(insert).and_then(|()| session.run("COMMIT")).inspect_err(|error| {
        if error.failure != Failure::Lost {
            // The error is told; this only frees the session from its failed transaction.
            let _ = session.run("ROLLBACK");
        }
    })
}

const COLUMNS: &str = "task, segment, first_statement, last_statement, complete, plan, spec, sheet, sheet_sha256, coalesce(schema_version, ''), host, date_format(convert_tz(applied_time, @@session.time_zone, '+00:00'), '%Y-%m-%dT%H:%i:%s.%fZ')";

fn marks(session: &mut Session, condition: &str) -> Result<Vec<Mark>, Error> {
    let query = format!("SELECT {COLUMNS} FROM {} WHERE {condition} ORDER BY segment", table(session));
    match session.query(&query) {
        Ok(rows) => rows.iter().map(|row| Mark::from_row(row)).collect(),
        Err(error) if matches!(error.code, 1146 | 1049) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

pub(crate) fn read(session: &mut Session, task: &str) -> Result<Vec<Mark>, Error> {
    marks(session, &format!("task = {}", literal(task)))
}

pub(crate) fn find_version(session: &mut Session, schema_version: &str) -> Result<Option<Mark>, Error> {
    let found = marks(session, &format!("schema_version = {} AND complete = 1", literal(schema_version)))?;
    Ok(found.into_iter().next())
}
