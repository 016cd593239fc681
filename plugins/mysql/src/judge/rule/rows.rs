//! Rows that go, and rows that change places.

use super::{applied, not_applied, unknown};
use crate::judge::look::rows_key;
use crate::judge::object::Object;
use crate::judge::seen::{Observed, Rows};
use runsheet_sdk::Verdict;

/// TRUNCATE, of a table or of partitions.
pub(super) fn emptied(objects: &[&Object], before: &Observed, now: &Observed) -> Verdict {
    let Some(table) = objects.first() else { return unknown("it names nothing") };
    if before.is_absent(table) {
        return not_applied(format!(
            "{table} was not there before, so that it must fail; it may be run again"
        ));
    }
    if now.is_absent(table) {
        return unknown(format!("{table} is gone, which is not by this statement"));
    }
    let began_anew = match (counter(table, before), counter(table, now)) {
        (Some(old), now) => now.unwrap_or(1) < old,
        _ => false,
    };
    let (mut gone, mut kept) = (0, 0);
    for (of, old) in &before.rows {
        match (old, now.rows.get(of)) {
            (Rows::None, Some(Rows::None)) => {}
            (Rows::Some(_), Some(Rows::None)) => gone += 1,
            (Rows::Some(old), Some(Rows::Some(new))) if old == new => kept += 1,
            _ if began_anew => gone += 1,
            (Rows::Hidden(why), _) | (_, Some(Rows::Hidden(why))) => {
                return unknown(format!("the rows of {of} cannot be seen ({why})"));
            }
            _ => {
                return unknown(format!(
                    "{of} has rows now, but other ones, which may have come before it or after it"
                ));
            }
        }
    }
    match (gone, kept) {
        (0, 0) if began_anew => applied("its numbers begin anew"),
        (0, 0) => not_applied("there were no rows and there are none, so that it may be run again"),
        (_, 0) => applied("the rows that were there are gone"),
        (0, _) => not_applied("the rows that were there are still there"),
        _ => not_applied(
            "some partitions still have the rows that they had; running it again empties them, too",
        ),
    }
}

fn counter(table: &Object, seen: &Observed) -> Option<u64> {
    let value = &seen.is_there(table)?.value;
    value.strip_prefix("AUTO_INCREMENT=")?.parse().ok()
}

/// EXCHANGE PARTITION.
pub(super) fn exchanged(
    table: &Object,
    partition: &str,
    other: &Object,
    before: &Observed,
    now: &Observed,
) -> Verdict {
    if let Some(missing) = [table, other].into_iter().find(|one| before.is_absent(one)) {
        return not_applied(format!(
            "{missing} was not there before, so that it must fail; it may be run again"
        ));
    }
    let keys = [rows_key(table, Some(partition)), rows_key(other, None)];
    let rows = |seen: &Observed, at: usize| keys.get(at).and_then(|key| seen.rows.get(key)).cloned();
    let (Some(old_one), Some(old_other), Some(one), Some(new_other)) =
        (rows(before, 0), rows(before, 1), rows(now, 0), rows(now, 1))
    else {
        return unknown("the rows of the partition or of the table cannot be seen");
    };
    let all = [&old_one, &old_other, &one, &new_other];
    if let Some(Rows::Hidden(why)) = all.iter().find(|rows| matches!(rows, Rows::Hidden(_))) {
        return unknown(format!("rows cannot be seen ({why})"));
    }
    if all.iter().all(|rows| **rows == Rows::None) {
        return not_applied("neither has rows, so that it may be run again");
    }
    match (one == old_one && new_other == old_other, one == old_other && new_other == old_one) {
        (true, false) => not_applied("both have the rows that they had"),
        (false, true) => applied("each has the rows that the other had"),
        (true, true) => unknown(
            "their first rows are the same, so that it cannot be told whether they have changed places",
        ),
        (false, false) => unknown("they have other rows than before"),
    }
}
