//! What comes into being and what goes, one or many at once.

use super::{applied, not_applied, unknown};
use crate::judge::change::Create;
use crate::judge::object::{Class, Object, list};
use crate::judge::seen::{Observed, There};
use runsheet_sdk::Verdict;

/// CREATE without OR REPLACE.
pub(super) fn created(create: &Create, before: &Observed, now: &Observed) -> Verdict {
    let (fresh, old): (Vec<&Object>, Vec<&Object>) =
        create.objects.iter().partition(|one| before.is_absent(one));
    if !create.lenient && !old.is_empty() {
        return not_applied(format!(
            "{} was there before, so that it must fail; it may be run again",
            list(old)
        ));
    }
    if let Some(gone) = old.iter().find(|one| now.is_absent(one)) {
        return unknown(format!(
            "{gone} was there before and is not any more, which is not by this statement"
        ));
    }
    let (there, missing): (Vec<&Object>, Vec<&Object>) =
        fresh.iter().copied().partition(|one| !now.is_absent(one));
    if there.is_empty() && create.passes {
        return unknown(format!(
            "{} is not there, but it may have been made, have run and be gone by itself",
            list(missing)
        ));
    }
    if there.is_empty()
        && let Some(verdict) = parts(&missing, before, now)
    {
        return verdict;
    }
    if there.is_empty() {
        let what = if missing.is_empty() {
            list(old) + " was there before"
        } else {
            list(missing) + " is not there"
        };
        return not_applied(what);
    }
    if !missing.is_empty() {
        return undo(&there, &missing);
    }
    if create.filled && !is_whole(&there, before, now) {
        return unknown(format!(
            "{} is there, but its engine knows no transactions and the server was started anew, so that rows may be missing",
            list(there)
        ));
    }
    applied(format!("{} is there, and was not before", list(there)))
}

/// Partitions that were made without their table are taken away by the names of their files, since they have no other.
fn parts(missing: &[&Object], before: &Observed, now: &Observed) -> Option<Verdict> {
    let [table] = missing else { return None };
    // Without a start of the server they are of somebody who is making the table now. Those that were not seen before may be old ones, in
    // which somebody's rows are.
    let (Some(old), Some(new)) = (&before.partitions, &now.partitions) else { return None };
    if before.process == now.process {
        return None;
    }
    let left: Vec<String> = new
        .iter()
        .filter(|file| !old.contains(file))
        .map(|file| Object::new(Class::Table, &table.schema, format!("#mysql50#{file}")).sql())
        .collect();
    let half =
        format!("{table} is not there, but partitions of it are, which the server made before it was killed");
    // Where the statement is in a log that others follow, they have nothing to take away.
    (!left.is_empty()).then(|| Verdict::repair(half, format!("DROP TABLE IF EXISTS {}", left.join(", "))))
}

/// Accounts that were made without their siblings are taken back, and all are made again.
fn undo(there: &[&Object], missing: &[&Object]) -> Verdict {
    let half = format!("{} is there, but not {}", list(there.iter().copied()), list(missing.iter().copied()));
    if !there.iter().all(|one| one.class == Class::User) {
        return unknown(half);
    }
    let names: Vec<String> = there.iter().map(|one| one.sql()).collect();
    // Roles of MariaDB have no host, and are dropped by another word.
    let what = if there.iter().all(|one| one.schema.is_empty()) { "ROLE" } else { "USER" };
    Verdict::repair(half, format!("DROP {what} IF EXISTS {}", names.join(", ")))
}

fn is_whole(tables: &[&Object], before: &Observed, now: &Observed) -> bool {
    before.process == now.process
        || tables.iter().all(|one| now.is_there(one).is_some_and(There::is_transactional))
}

/// CREATE OR REPLACE, where running it again would take away what has come since.
pub(super) fn replaced(create: &Create, before: &Observed, now: &Observed) -> Verdict {
    let Some(object) = create.objects.first() else { return unknown("it names nothing") };
    let (old, new) = match (before.is_there(object), now.is_there(object)) {
        (None, Some(_)) => return applied(format!("{object} is there, and was not before")),
        (None, None) => return not_applied(format!("{object} is not there")),
        (Some(_), None) => {
            return not_applied(format!("the old {object} is gone, and the new one was not made yet"));
        }
        (Some(old), Some(new)) => (old, new),
    };
    if object.class == Class::Database {
        return match (old.value == "0 tables", new.value == "0 tables") {
            (false, true) => applied(format!("{object} is empty, and was not before")),
            _ => not_applied(format!("{object} has the tables that it had, or some of them")),
        };
    }
    if old.definition != new.definition {
        return applied(format!("{object} is another than before"));
    }
    super::alter::by_time(object, old, new, before, now)
}

/// DROP.
pub(super) fn dropped(objects: &[Object], lenient: bool, before: &Observed, now: &Observed) -> Verdict {
    let (old, missing): (Vec<&Object>, Vec<&Object>) = objects.iter().partition(|one| !before.is_absent(one));
    if !lenient && !missing.is_empty() {
        if missing.iter().any(|one| one.class == Class::Function) {
            return unknown("it is not among the stored functions, so that it may be a loadable one");
        }
        let why =
            format!("{} was not there before, so that it must fail; it may be run again", list(missing));
        return not_applied(why);
    }
    if let Some(fresh) = missing.iter().find(|one| !now.is_absent(one)) {
        return unknown(format!("{fresh} was not there before and is now, which is not by this statement"));
    }
    let (there, gone): (Vec<&Object>, Vec<&Object>) =
        old.iter().copied().partition(|one| !now.is_absent(one));
    if let Some(other) = there.iter().find(|one| is_another(one, before, now)) {
        return unknown(format!(
            "{other} is there, but was made anew or altered since, and dropping it would drop something else"
        ));
    }
    if there.is_empty() {
        let what = if gone.is_empty() {
            list(missing) + " was not there before either"
        } else {
            list(gone) + " is gone"
        };
        // Where there was nothing to drop, running it again drops nothing.
        return if old.is_empty() { not_applied(what) } else { applied(what) };
    }
    if gone.is_empty() {
        return not_applied(format!("{} is still there", list(there)));
    }
    complete(&there, &gone, now)
}

/// Whether an object is not the one that it was.
fn is_another(object: &Object, before: &Observed, now: &Observed) -> bool {
    let (Some(old), Some(new)) = (before.is_there(object), now.is_there(object)) else { return false };
    if object.class == Class::Database {
        return has_more(old, new);
    }
    // MariaDB takes the time of a file, and touches those that it puts back after a crash.
    let is_told = before.process == now.process || !before.dialect.mariadb;
    old.what != new.what || (old.made != new.made && is_told)
}

/// Whether a database has tables that it had not.
fn has_more(old: &There, new: &There) -> bool {
    let names = |one: &There| one.definition.as_ref().and_then(|definition| definition.text.clone());
    match (names(old), names(new)) {
        (Some(old), Some(new)) => new.lines().any(|name| !old.lines().any(|other| other == name)),
        _ => old.definition != new.definition,
    }
}

/// The rest is dropped, too.
fn complete(there: &[&Object], gone: &[&Object], now: &Observed) -> Verdict {
    let half = format!("{} is gone, but not {}", list(gone.iter().copied()), list(there.iter().copied()));
    let Some(first) = there.first() else { return unknown(half) };
    let what = match first.class {
        Class::Table => match now.is_there(first).map(|there| there.what.as_str()) {
            Some("VIEW") => "VIEW",
            Some("SEQUENCE") => "SEQUENCE",
            _ => "TABLE",
        },
        Class::User if there.iter().all(|one| one.schema.is_empty()) => "ROLE",
        Class::User => "USER",
        _ => return unknown(half),
    };
    let names: Vec<String> = there.iter().map(|one| one.sql()).collect();
    Verdict::repair(half, format!("DROP {what} IF EXISTS {}", names.join(", ")))
}
