//! Looks into the catalog for what a statement changes. Everything that is read here every account may read.

use super::seen::{SERVER, Seen};
use super::subject::{Name, Subject, quoted};
use crate::connection::Session;
use runsheet_sdk::Error;

/// A text as SQL, whatever `standard_conforming_strings` says.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn regclass(name: &Name) -> String {
    format!("pg_catalog.to_regclass({})", literal(&name.to_string()))
}

/// Looks at the subject of a statement.
pub(super) fn look(session: &mut Session, subject: &Subject) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    match subject {
        Subject::CreateIndex { table, .. } => {
            indexes(session, &mut seen, &format!("i.indrelid = {}", regclass(table)))?;
            exists(session, &mut seen, "table", &format!("SELECT {}::pg_catalog.oid", regclass(table)))?;
        }
        Subject::DropIndex { index } => {
            indexes(session, &mut seen, &format!("i.indexrelid = {}", regclass(index)))?;
        }
        Subject::Reindex => {
            let left =
                "NOT (i.indisvalid AND i.indisready AND i.indislive) AND c.relname ~ '_cc(new|old)[0-9]*$'";
            indexes(session, &mut seen, left)?;
        }
        Subject::CreateDatabase { database }
        | Subject::DropDatabase { database }
        | Subject::MoveDatabase { database, .. } => self::database(session, &mut seen, database)?,
        Subject::CreateTablespace { tablespace } | Subject::DropTablespace { tablespace } => {
            let named =
                format!("SELECT oid FROM pg_catalog.pg_tablespace WHERE spcname = {}", literal(tablespace));
            exists(session, &mut seen, "tablespace", &named)?;
        }
        Subject::CreateSubscription { subscription }
        | Subject::DropSubscription { subscription }
        | Subject::AlterSubscription { subscription } => {
            // What may be changed of it, as one text; the connection, which may hold a password, nobody reads.
            let named = format!(
                "SELECT pg_catalog.concat_ws(' ', oid, subenabled, subslotname, subsynccommit, subpublications, subowner)
                 FROM pg_catalog.pg_subscription WHERE subname = {}
                   AND subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
                literal(subscription)
            );
            exists(session, &mut seen, "subscription", &named)?;
        }
        Subject::Detach { parent, partition } => detach(session, &mut seen, parent, partition)?,
        Subject::EndPrepared { transaction } => {
            let named = format!(
                "SELECT transaction FROM pg_catalog.pg_prepared_xacts
                 WHERE gid = {} AND database = pg_catalog.current_database()",
                literal(transaction)
            );
            exists(session, &mut seen, "prepared transaction", &named)?;
        }
        Subject::AlterSystem | Subject::Maintenance | Subject::Call | Subject::Other => return Ok(seen),
    }
    let server = session.query("SELECT system_identifier FROM pg_catalog.pg_control_system()")?;
    seen.add(SERVER, cell(&server, 0, 0));
    Ok(seen)
}

fn cell(rows: &[Vec<Option<String>>], row: usize, column: usize) -> String {
    rows.get(row).and_then(|row| row.get(column)).cloned().flatten().unwrap_or_default()
}

/// One fact: the first cell of a query, or that there is none.
fn exists(session: &mut Session, seen: &mut Seen, name: &str, query: &str) -> Result<(), Error> {
    let found = cell(&session.query(query)?, 0, 0);
    seen.add(name, if found.is_empty() { "absent".to_owned() } else { format!("present as {found}") });
    Ok(())
}

/// A fact for each index: the name tells it from every other, the value whether it can be used.
fn indexes(session: &mut Session, seen: &mut Seen, condition: &str) -> Result<(), Error> {
    let rows = session.query(&format!(
        "SELECT i.indexrelid, n.nspname, c.relname, i.indisvalid AND i.indisready AND i.indislive
         FROM pg_catalog.pg_index i
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE {condition}"
    ))?;
    for row in 0..rows.len() {
        let name = format!("{}.{}", quoted(&cell(&rows, row, 1)), quoted(&cell(&rows, row, 2)));
        let value = if cell(&rows, row, 3) == "t" { "valid" } else { "invalid" };
        seen.add(format!("index {} {name}", cell(&rows, row, 0)), value);
    }
    Ok(())
}

fn database(session: &mut Session, seen: &mut Seen, database: &str) -> Result<(), Error> {
    // A limit of -2 marks a database whose DROP was cut short.
    let rows = session.query(&format!(
        "SELECT d.oid, CASE WHEN d.datconnlimit = -2 THEN 'half dropped' ELSE 'present' END, t.spcname
         FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
         WHERE d.datname = {}",
        literal(database)
    ))?;
    if rows.is_empty() {
        seen.add("database", "absent");
        return Ok(());
    }
    seen.add("database", format!("{} as {}", cell(&rows, 0, 1), cell(&rows, 0, 0)));
    seen.add("tablespace", cell(&rows, 0, 2));
    Ok(())
}

fn detach(session: &mut Session, seen: &mut Seen, parent: &Name, partition: &Name) -> Result<(), Error> {
    let rows = session.query(&format!(
        "SELECT inhdetachpending FROM pg_catalog.pg_inherits WHERE inhparent = {} AND inhrelid = {}",
        regclass(parent),
        regclass(partition)
    ))?;
    let state = match cell(&rows, 0, 0).as_str() {
        "" => "detached",
        "t" => "half detached",
        _ => "attached",
    };
    seen.add("partition", state);
    Ok(())
}
