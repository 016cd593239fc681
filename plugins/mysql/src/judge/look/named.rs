//! What else has a name: routines, triggers, events, databases, variables and plugins.

use super::{Depth, hidden, seconds, text};
use crate::connection::Session;
use crate::judge::object::{Class, Object};
use crate::judge::seen::{Definition, Seen, There, short};
use crate::text::{literal, quoted};
use runsheet_sdk::Error;

/// The longest value of a variable that is kept as it is.
const VALUE_BYTES_MAX: usize = 100;
/// Tables of a database whose names are kept.
const TABLES_MAX: usize = 1000;

pub(super) fn look(session: &mut Session, object: &Object, depth: Depth) -> Result<Seen, Error> {
    let found = match object.class {
        Class::Variable => return variable(session, object),
        Class::Database => return database(session, object, depth),
        _ => session.query(&question(object)),
    };
    let rows = match found {
        Ok(rows) => rows,
        Err(error) => return hidden(error),
    };
    let Some(row) = rows.first() else { return Ok(Seen::Absent) };
    let mut there = There { what: text(row.first()), made: seconds(row.get(1)), ..There::default() };
    if object.class == Class::Event && depth == Depth::Definition {
        match session.query(&format!("SHOW CREATE EVENT {}", object.sql())) {
            Ok(rows) => {
                let shown = rows.first().map(|row| text(row.get(3))).unwrap_or_default();
                there.definition = Some(Definition::of(shown.clone(), &shown));
            }
            Err(error) => return hidden(error),
        }
    }
    Ok(Seen::There(there))
}

/// Asks for what it is, and when it was made or altered.
fn question(object: &Object) -> String {
    let (schema, name) = (literal(&object.schema), literal(&object.name));
    let routine = |kind: &str| {
        format!(
            "SELECT ROUTINE_TYPE, UNIX_TIMESTAMP(LAST_ALTERED) FROM information_schema.ROUTINES \
             WHERE ROUTINE_SCHEMA = {schema} AND ROUTINE_NAME = {name} AND ROUTINE_TYPE = '{kind}'"
        )
    };
    match object.class {
        Class::Procedure => routine("PROCEDURE"),
        Class::Function => routine("FUNCTION"),
        Class::Package => routine("PACKAGE"),
        Class::PackageBody => routine("PACKAGE BODY"),
        Class::Trigger => format!(
            "SELECT 'TRIGGER', UNIX_TIMESTAMP(CREATED) FROM information_schema.TRIGGERS \
             WHERE TRIGGER_SCHEMA = {schema} AND TRIGGER_NAME = {name}"
        ),
        Class::Event => format!(
            "SELECT 'EVENT', UNIX_TIMESTAMP(LAST_ALTERED) FROM information_schema.EVENTS \
             WHERE EVENT_SCHEMA = {schema} AND EVENT_NAME = {name}"
        ),
        Class::PluginLibrary => {
            let library = literal(&format!("{}.so", object.name));
            format!(
                "SELECT 'PLUGIN', 0 FROM information_schema.PLUGINS WHERE PLUGIN_LIBRARY IN ({name}, {library})"
            )
        }
        Class::Plugin | Class::Table | Class::Database | Class::User | Class::Variable => {
            format!("SELECT 'PLUGIN', 0 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = {name}")
        }
    }
}

fn database(session: &mut Session, object: &Object, depth: Depth) -> Result<Seen, Error> {
    let name = literal(&object.name);
    let is_there = format!("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {name}");
    match session.ask(&is_there) {
        Ok(None) => return Ok(Seen::Absent),
        Ok(Some(_)) => {}
        Err(error) => return hidden(error),
    }
    let mut there = There { what: "DATABASE".to_owned(), ..There::default() };
    let shown = match depth {
        Depth::Presence => return Ok(Seen::There(there)),
        Depth::Definition => session
            .query(&format!("SHOW CREATE DATABASE {}", quoted(&object.name)))
            .map(|rows| rows.first().map(|row| text(row.get(1))).unwrap_or_default()),
        Depth::Contents => {
            let tables = format!(
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {name} ORDER BY TABLE_NAME"
            );
            session.query(&tables).map(|rows| {
                there.value = format!("{} tables", rows.len());
                let names = rows.iter().take(TABLES_MAX).map(|row| text(row.first()));
                names.collect::<Vec<_>>().join("\n")
            })
        }
    };
    match shown {
        Ok(shown) => there.definition = Some(Definition::of(shown.clone(), &shown)),
        Err(error) => return hidden(error),
    }
    Ok(Seen::There(there))
}

fn variable(session: &mut Session, object: &Object) -> Result<Seen, Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !object.name.chars().all(fits) {
        return Ok(Seen::Hidden("its name has parts".to_owned()));
    }
    match session.ask(&format!("SELECT @@GLOBAL.{}", object.name)) {
        Ok(value) => {
            let value = value.unwrap_or_else(|| "NULL".to_owned());
            let value = if value.len() <= VALUE_BYTES_MAX { value } else { short(value.as_bytes()) };
            Ok(Seen::There(There { what: "VARIABLE".to_owned(), value, ..There::default() }))
        }
        Err(error) => hidden(error),
    }
}
