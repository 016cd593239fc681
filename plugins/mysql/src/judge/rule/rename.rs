//! Names that change, pair by pair: what is there now is compared with what would be there after each pair.

use super::{applied, not_applied, unknown};
use crate::judge::object::{Class, Object};
use crate::judge::seen::{Observed, Seen, There};
use runsheet_sdk::Verdict;
use std::collections::BTreeMap;

/// What a name stands for after some pairs: nothing, or what stood under another name before. And whether it was moved.
type Names<'a> = BTreeMap<&'a Object, Option<(&'a Object, bool)>>;

pub(super) fn judge(pairs: &[(Object, Object)], lenient: bool, before: &Observed, now: &Observed) -> Verdict {
    let steps = match steps(pairs, lenient, before) {
        Ok(steps) => steps,
        Err(fails) => return fails,
    };
    let fitting = |by_time: bool| -> Vec<usize> {
        let fits = steps.iter().zip(0..).filter(|(names, _)| is_so(names, by_time, before, now));
        fits.map(|(_, done)| done).collect()
    };
    let mut fits = fitting(false);
    // Tables of one form that change places: when they were made or touched tells them apart, unless a start of the server has
    // touched them, too.
    if fits.len() > 1 && (before.process == now.process || !before.dialect.mariadb) {
        fits = fitting(true);
    }
    match fits.as_slice() {
        [] => unknown("the names stand for something else than before it, after it or in its middle"),
        [0] => not_applied("every name stands for what it stood for"),
        [all] if *all == pairs.len() => applied("every name stands for what it is to stand for"),
        [some] => rest(pairs, *some),
        _ => unknown("what the names stand for looks the same before it and after it"),
    }
}

/// What the names stand for before the first pair and after each; or that it must fail.
fn steps<'a>(
    pairs: &'a [(Object, Object)],
    lenient: bool,
    before: &Observed,
) -> Result<Vec<Names<'a>>, Verdict> {
    let mut names: Names<'_> = pairs
        .iter()
        .flat_map(|(from, to)| [from, to])
        .map(|name| (name, (!before.is_absent(name)).then_some((name, false))))
        .collect();
    let mut steps = vec![names.clone()];
    for (from, to) in pairs {
        match (names.get(from).copied().flatten(), names.get(to).copied().flatten()) {
            (Some((what, _)), None) => {
                names.insert(from, None);
                names.insert(to, Some((what, true)));
            }
            (None, _) if lenient => {}
            (None, _) => return Err(fails(from, "would not be there")),
            (Some(_), Some(_)) => return Err(fails(to, "would be there already")),
        }
        steps.push(names.clone());
    }
    Ok(steps)
}

fn fails(name: &Object, what: &str) -> Verdict {
    // Both servers take back what they have renamed before it.
    not_applied(format!("{name} {what}, so that it must fail; it may be run again"))
}

fn is_so(names: &Names<'_>, by_time: bool, before: &Observed, now: &Observed) -> bool {
    names.iter().all(|(name, what)| match (now.of(name), what) {
        (Seen::Absent, None) => true,
        (Seen::There(there), Some((what, moved))) => before.is_there(what).is_some_and(|old| {
            has_its_form(old, there) && (!by_time || has_its_time(old, there, *moved, before))
        }),
        _ => false,
    })
}

fn has_its_form(old: &There, now: &There) -> bool {
    let shape = |one: &There| one.definition.as_ref().map(|definition| definition.shape.clone());
    old.what == now.what && shape(old) == shape(now)
}

/// MariaDB tells when the table's file was touched last, which a new name does; MySQL tells when the table was made.
fn has_its_time(old: &There, now: &There, moved: bool, before: &Observed) -> bool {
    if moved && before.dialect.mariadb && old.made != 0 {
        now.made >= before.time
    } else {
        now.made == old.made
    }
}

/// The pairs that are left.
fn rest(pairs: &[(Object, Object)], done: usize) -> Verdict {
    let left = pairs.get(done..).unwrap_or_default();
    let what = if left.iter().any(|(from, _)| from.class == Class::User) { "USER" } else { "TABLE" };
    let names: Vec<String> =
        left.iter().map(|(from, to)| format!("{} TO {}", from.sql(), to.sql())).collect();
    Verdict::repair(
        format!("{done} of {} names have changed", pairs.len()),
        format!("RENAME {what} {}", names.join(", ")),
    )
}
