//! The judgement: from what a statement does, what was seen before it and what is seen now, to what became of it. It holds as long as
//! nobody else changes the same objects meanwhile.

mod alter;
mod lists;
mod rename;
mod rows;

use super::change::{Change, Effect};
use super::object::{Object, list};
use super::seen::Observed;
use runsheet_sdk::{Ruling, Settled, Verdict};

/// How the outcome of a statement would be found out, where the server does not mark it.
pub(super) fn settled(change: &Change, before: &Observed) -> Settled {
    match &change.effect {
        Effect::Again => Settled::Repeat,
        Effect::Unseen(_) => Settled::Nobody,
        _ if before.hidden(&change.objects()).is_some() && !may_be_hidden(change) => Settled::Nobody,
        _ => Settled::Observation,
    }
}

/// Judges.
pub(super) fn judge(change: &Change, before: &Observed, now: &Observed) -> Verdict {
    let objects = change.objects();
    if !may_be_hidden(change)
        && let Some((object, why)) = before.hidden(&objects).or_else(|| now.hidden(&objects))
    {
        return unknown(format!("{object} cannot be seen ({why})"));
    }
    match &change.effect {
        Effect::Create(create) if create.replaces => lists::replaced(create, before, now),
        Effect::Create(create) => lists::created(create, before, now),
        Effect::Drop { objects, lenient } => lists::dropped(objects, *lenient, before, now),
        Effect::Rename { pairs, lenient } => rename::judge(pairs, *lenient, before, now),
        Effect::Alter(alter) => alter::judge(alter, before, now),
        Effect::Empty { .. } => rows::emptied(&objects, before, now),
        Effect::Exchange { table, partition, other } => rows::exchanged(table, partition, other, before, now),
        Effect::Set { variables } => set(variables, before, now),
        Effect::Again => not_applied("running it again does no harm"),
        Effect::Unseen(why) => unknown(*why),
    }
}

/// Whether a judgement is possible even though an object cannot be seen.
fn may_be_hidden(change: &Change) -> bool {
    matches!(&change.effect, Effect::Alter(alter) if alter.shown == super::change::Shown::NotNeeded)
}

fn set(variables: &[Object], before: &Observed, now: &Observed) -> Verdict {
    if before.process != now.process {
        return unknown("the server was started anew, and what was set is gone with its old process");
    }
    let value = |seen: &Observed, one: &Object| seen.is_there(one).map(|there| there.value.clone());
    let changed: Vec<&Object> =
        variables.iter().filter(|one| value(before, one) != value(now, one)).collect();
    if changed.is_empty() {
        return not_applied(format!("{} is as it was", list(variables)));
    }
    if changed.len() < variables.len() {
        return unknown(format!("{} has changed, but not all that it sets", list(changed)));
    }
    applied(format!("{} has changed", list(changed)))
}

fn applied(reason: impl Into<String>) -> Verdict {
    Verdict::new(Ruling::Applied, reason)
}

fn not_applied(reason: impl Into<String>) -> Verdict {
    Verdict::new(Ruling::NotApplied, reason)
}

fn unknown(reason: impl Into<String>) -> Verdict {
    Verdict::new(Ruling::Unknown, reason)
}

#[cfg(test)]
mod tests;
