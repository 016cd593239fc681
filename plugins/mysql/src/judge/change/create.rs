//! CREATE.

use super::{Alter, BEYOND, Change, Create, Effect, Shown, account, preamble};
use crate::judge::kinds::Kind;
use crate::judge::object::{Class, Object};
use crate::judge::reader::Reader;
use crate::judge::words::{Dialect, Token};

const LOADABLE: &str = "a loadable function is not among what is looked at";
const ONE_TIME: &str = "a one-time event that it replaces may have run already, and would run again";

pub(super) fn read(reader: &mut Reader<'_>, dialect: Dialect, current: &str) -> Option<Change> {
    let replaces = reader.eats_all(&["or", "replace"]);
    reader.eats_one(&["online", "offline"]);
    if reader.eats_one(&["unique", "fulltext", "vector"]).is_some() {
        reader.eats("index");
        return index(reader, current);
    }
    preamble(reader);
    let what = reader.eats_one(&[
        "table",
        "index",
        "view",
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
        "spatial",
    ]);
    match what {
        None => Some(Change::beyond(BEYOND)),
        Some("spatial") if reader.eats("index") => index(reader, current),
        Some("spatial") => Some(Change::beyond(BEYOND)),
        Some("index") => index(reader, current),
        Some("user") => account::create(reader, replaces, "%"),
        Some("role") => account::create(reader, replaces, if dialect.mariadb { "" } else { "%" }),
        Some(what) => object(reader, what, replaces, current),
    }
}

fn object(reader: &mut Reader<'_>, what: &str, replaces: bool, current: &str) -> Option<Change> {
    let body = what == "package" && reader.eats("body");
    let lenient = reader.eats_all(&["if", "not", "exists"]);
    let (class, kind) = match what {
        "table" => (Class::Table, Kind::CreateTable),
        "sequence" => (Class::Table, Kind::Sequence),
        "view" => (Class::Table, Kind::View),
        "procedure" => (Class::Procedure, Kind::Routine),
        "function" => (Class::Function, Kind::Routine),
        "package" if body => (Class::PackageBody, Kind::Routine),
        "package" => (Class::Package, Kind::Routine),
        "trigger" => (Class::Trigger, Kind::Trigger),
        "event" => (Class::Event, Kind::Event),
        _ => (Class::Database, Kind::Database),
    };
    let object = match class {
        Class::Database => Object::new(class, "", reader.name()?),
        _ => reader.object(class, current)?,
    };
    if what == "function" && is_loadable(reader) {
        return Some(Change::beyond(LOADABLE));
    }
    let filled = what == "table" && is_filled(reader);
    let partitioned = what == "table" && reader.clone().skip_to(&["partition", "like"]);
    let passes = what == "event" && passes(reader);
    if replaces {
        match what {
            "event" if passes => return Some(Change::beyond(ONE_TIME)),
            "table" | "sequence" | "database" | "schema" => {}
            _ => return Some(Change::again(Kind::Replacing)),
        }
    }
    let kind = match kind {
        Kind::CreateTable if replaces => Kind::ReplaceTable,
        Kind::CreateTable if filled => Kind::CreateTableSelect,
        Kind::Sequence if replaces => Kind::ReplaceTable,
        other => other,
    };
    let create = Create { objects: vec![object], lenient, replaces, filled, partitioned, passes };
    Some(Change::new(kind, Effect::Create(create)))
}

/// CREATE INDEX, from behind the word INDEX: it changes a table.
fn index(reader: &mut Reader<'_>, current: &str) -> Option<Change> {
    reader.eats_all(&["if", "not", "exists"]);
    reader.name()?;
    if !reader.skip_to(&["on"]) || !reader.eats("on") {
        return None;
    }
    let objects = vec![reader.object(Class::Table, current)?];
    let alter = Alter { objects, lenient: false, renamed: None, shown: Shown::Yes };
    Some(Change::new(Kind::Index, Effect::Alter(alter)))
}

fn is_loadable(reader: &Reader<'_>) -> bool {
    let mut ahead = reader.clone();
    ahead.eats("returns") && ahead.name().is_some() && ahead.eats("soname")
}

/// Whether rows of a SELECT, of VALUES or of a TABLE go into a new table.
fn is_filled(reader: &Reader<'_>) -> bool {
    let mut ahead = reader.clone();
    let mut depth = 0_u32;
    while let Some(token) = ahead.take() {
        match token {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth = depth.saturating_sub(1),
            Token::Word(word) if word.eq_ignore_ascii_case("select") => return true,
            Token::Word(word)
                if depth == 0 && ["values", "table"].iter().any(|one| word.eq_ignore_ascii_case(one)) =>
            {
                return true;
            }
            _ => {}
        }
    }
    false
}

/// Whether an event ends by itself: at one time, or at the end of a series.
fn passes(reader: &Reader<'_>) -> bool {
    let mut ahead = reader.clone();
    ahead.skip_to(&["at", "ends", "do"]) && !ahead.is("do")
}
