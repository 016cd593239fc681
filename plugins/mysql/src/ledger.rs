//! The ledger: a table in the target itself, always named with its database, since a sheet may USE another.

use crate::connection::Session;
use crate::error;
use mysql::prelude::Queryable;
use runsheet_sdk::{Class, Error, Mark};

/// On the table, where SHOW CREATE TABLE shows it.
const STAMP: &str = "runsheet ledger 1";

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text that means the same whatever the session's sql_mode and character set are.
fn literal(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("_utf8mb4 X'{digits}'")
}

fn table(session: &Session) -> String {
    format!("{}.runsheet_ledger", quoted(session.database()))
}

fn failed(failed: mysql::Error) -> Error {
    Error { position: None, ..error::from(failed, b"") }
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
        session.client().query_drop(create).map_err(failed).map_err(|error| {
            let hint = match error.class {
                Class::Permission => format!(
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
    let found: Option<(String, Option<String>)> = session.client().query_first(query).map_err(failed)?;
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
    let alone = !session.in_transaction;
    let client = session.client();
    let written = if alone {
        // A transaction of its own, whatever a sheet has made of autocommit and of table locks.
        client
            .query_drop("START TRANSACTION")
            .and_then(|()| client.query_drop(insert))
            .and_then(|()| client.query_drop("COMMIT"))
    } else {
        client.query_drop(insert)
    };
    written.map_err(failed).map_err(|error| session.lose(error)).map_err(|error| match error.code {
        1062 => Error {
            class: Class::AlreadyExists,
            message: "the mark is in the ledger already".to_owned(),
            ..error
        },
        _ => error,
    })
}

const COLUMNS: &str = "task, segment, first_statement, last_statement, complete, plan, spec, sheet, sheet_sha256, coalesce(schema_version, ''), host, date_format(convert_tz(applied_time, @@session.time_zone, '+00:00'), '%Y-%m-%dT%H:%i:%s.%fZ')";

fn marks(session: &mut Session, condition: &str) -> Result<Vec<Mark>, Error> {
    let query = format!("SELECT {COLUMNS} FROM {} WHERE {condition} ORDER BY segment", table(session));
    let rows: Vec<mysql::Row> = match session.client().query(query) {
        Ok(rows) => rows,
        Err(error) => {
            let error = failed(error);
            return match error.code {
                1146 | 1049 => Ok(Vec::new()),
                _ => Err(session.lose(error)),
            };
        }
    };
    Ok(rows.iter().map(mark).collect())
}

fn mark(row: &mysql::Row) -> Mark {
    let text = |index: usize| row.get_opt::<String, _>(index).and_then(Result::ok).unwrap_or_default();
    Mark {
        task: text(0),
        segment: text(1).parse().unwrap_or(0),
        first_statement: text(2).parse().unwrap_or(0),
        last_statement: text(3).parse().unwrap_or(0),
        complete: text(4) == "1",
        plan: text(5),
        spec: text(6),
        sheet: text(7),
        sheet_sha256: text(8),
        schema_version: text(9),
        host: text(10),
        applied_time: text(11),
    }
}

pub(crate) fn read(session: &mut Session, task: &str) -> Result<Vec<Mark>, Error> {
    marks(session, &format!("task = {}", literal(task)))
}

pub(crate) fn find_version(session: &mut Session, schema_version: &str) -> Result<Option<Mark>, Error> {
    let found = marks(session, &format!("schema_version = {} AND complete = 1", literal(schema_version)))?;
    Ok(found.into_iter().next())
}
