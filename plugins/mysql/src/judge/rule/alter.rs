//! What changes and stays.

use super::{applied, not_applied, unknown};
use crate::judge::change::{Alter, Shown};
use crate::judge::object::{Object, list};
use crate::judge::seen::{Observed, There};
use runsheet_sdk::Verdict;

pub(super) fn judge(alter: &Alter, before: &Observed, now: &Observed) -> Verdict {
    if let Some(missing) = alter.objects.iter().find(|one| before.is_absent(one)) {
        return not_applied(format!("{missing} was not there before, so that nothing of it is altered"));
    }
    if let (Some(new), Some(old)) = (&alter.renamed, alter.objects.first())
        && new != old
    {
        return renamed(old, new, before, now);
    }
    if let Some(gone) = alter.objects.iter().find(|one| now.is_absent(one)) {
        return unknown(format!("{gone} is gone, which is not by this statement"));
    }
    let (changed, same): (Vec<&Object>, Vec<&Object>) =
        alter.objects.iter().partition(|one| has_changed(one, before, now));
    match (changed.is_empty(), same.is_empty()) {
        (false, true) => applied(changes(&changed, before, now)),
        (false, false) if alter.shown != Shown::NotNeeded => unknown(format!(
            "{} has changed, but not {}",
            list(changed.iter().copied()),
            list(same.iter().copied())
        )),
        _ => unchanged(alter, before, now),
    }
}

fn has_changed(object: &Object, before: &Observed, now: &Observed) -> bool {
    match (before.is_there(object), now.is_there(object)) {
        (Some(old), Some(new)) => match (&old.definition, &new.definition) {
            (Some(old), Some(new)) => old.sha256 != new.sha256,
            _ => false,
        },
        _ => false,
    }
}

fn changes(changed: &[&Object], before: &Observed, now: &Observed) -> String {
    let Some(first) = changed.first() else { return String::new() };
    let what = match (before.is_there(first), now.is_there(first)) {
        (Some(There { definition: Some(old), .. }), Some(There { definition: Some(new), .. }))
            if old.text.is_some() || new.text.is_some() =>
        {
            format!(": {}", old.difference(new))
        }
        _ => String::new(),
    };
    format!("the definition of {} has changed{what}", list(changed.iter().copied()))
}

/// The definitions are as they were.
fn unchanged(alter: &Alter, before: &Observed, now: &Observed) -> Verdict {
    let objects = list(&alter.objects);
    match alter.shown {
        Shown::Yes => not_applied(format!("the definition of {objects} is as it was")),
        Shown::NotNeeded => not_applied("running it again does no harm"),
        Shown::EachTime => not_applied(format!("{objects} is as it was")),
        Shown::Anew | Shown::Number => {
            let Some(object) = alter.objects.first() else { return unknown("it names nothing") };
            let (Some(old), Some(new)) = (before.is_there(object), now.is_there(object)) else {
                return unknown(format!("{object} cannot be seen"));
            };
            if alter.shown == Shown::Anew {
                return by_time(object, old, new, before, now);
            }
            if old.value == new.value {
                not_applied(format!("the next number of {object} is as it was"))
            } else {
                unknown(format!(
                    "the next number of {object} was {} and is {}, which may be by its use alone",
                    old.value, new.value
                ))
            }
        }
    }
}

/// Whether something was made anew whose definition is as it was: by the time at which it was made.
pub(super) fn by_time(
    object: &Object,
    old: &There,
    new: &There,
    before: &Observed,
    now: &Observed,
) -> Verdict {
    if old.made == 0 || new.made == 0 {
        return unknown(format!("{object} looks as it did, and does not say when it was made"));
    }
    if old.made != new.made {
        // MySQL keeps the time in its dictionary.
        return if before.process == now.process || !before.dialect.mariadb {
            applied(format!("{object} was made anew since"))
        } else {
            // MariaDB takes the time of a file, and touches those that it puts back after a crash.
            unknown(format!(
                "{object} looks as it did, and its files were touched when the server was started"
            ))
        };
    }
    if old.made >= before.time {
        return unknown(format!("{object} looks as it did, and was made in the very second before"));
    }
    not_applied(format!("{object} is as it was"))
}

fn renamed(old: &Object, new: &Object, before: &Observed, now: &Observed) -> Verdict {
    if !before.is_absent(new) {
        return not_applied(format!("{new} was there before, so that it must fail; it may be run again"));
    }
    match (now.is_absent(old), now.is_absent(new)) {
        (true, false) => applied(format!("{old} is gone, and {new} is there")),
        (false, true) if !has_changed(old, before, now) => {
            not_applied(format!("{old} is as it was, and {new} is not there"))
        }
        (false, true) => unknown(format!("{old} has changed, but not its name")),
        (false, false) => unknown(format!("{old} and {new} are both there")),
        (true, true) => unknown(format!("neither {old} nor {new} is there")),
    }
}
