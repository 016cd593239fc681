//! DROP.

use super::{Alter, BEYOND, Change, Effect, Shown, account};
use crate::judge::kinds::Kind;
use crate::judge::object::{Class, Object};
use crate::judge::reader::Reader;
use crate::judge::words::Dialect;

pub(super) fn read(reader: &mut Reader<'_>, dialect: Dialect, current: &str) -> Option<Change> {
    reader.eats_one(&["online", "offline"]);
    let what = reader.eats_one(&[
        "table",
        "tables",
        "view",
        "index",
        "procedure",
        "function",
        "package",
        "trigger",
        "event",
        "sequence",
        "database",
        "schema",
        "user",
        "role",
    ]);
    let body = what == Some("package") && reader.eats("body");
    let Some(what) = what else { return Some(beyond(reader)) };
    let lenient = reader.eats_all(&["if", "exists"]);
    let (kind, objects) = match what {
        "table" | "tables" => (Kind::DropTable, reader.objects(Class::Table, current)?),
        "view" => (Kind::View, reader.objects(Class::Table, current)?),
        "sequence" => (Kind::Sequence, reader.objects(Class::Table, current)?),
        "index" => return index(reader, current),
        "procedure" => (Kind::Routine, vec![reader.object(Class::Procedure, current)?]),
        "function" => (Kind::Routine, vec![reader.object(Class::Function, current)?]),
        "package" if body => (Kind::Routine, vec![reader.object(Class::PackageBody, current)?]),
        "package" => (Kind::Routine, vec![reader.object(Class::Package, current)?]),
        "trigger" => (Kind::Trigger, vec![reader.object(Class::Trigger, current)?]),
        "event" => (Kind::Event, vec![reader.object(Class::Event, current)?]),
        "user" => (Kind::Account, account::list(reader, "%")?),
        "role" => (Kind::Account, account::list(reader, if dialect.mariadb { "" } else { "%" })?),
        _ => (Kind::Database, vec![Object::new(Class::Database, "", reader.name()?)]),
    };
    Some(Change::new(kind, Effect::Drop { objects, lenient }))
}

fn index(reader: &mut Reader<'_>, current: &str) -> Option<Change> {
    reader.name()?;
    if !reader.eats("on") {
        return None;
    }
    let objects = vec![reader.object(Class::Table, current)?];
    let alter = Alter { objects, lenient: false, renamed: None, shown: Shown::Yes };
    Some(Change::new(Kind::Index, Effect::Alter(alter)))
}

/// What is not looked at, but goes without harm where it is gone already.
fn beyond(reader: &mut Reader<'_>) -> Change {
    reader.take();
    if reader.eats_all(&["if", "exists"]) {
        return Change::again(Kind::Replacing);
    }
    Change::beyond(BEYOND)
}
