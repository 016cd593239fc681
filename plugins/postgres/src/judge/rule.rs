//! What became of a statement, from what was seen of its subject before and is seen now: pure. The lock on the database, which the
//! judging session holds, says that the session that sent it is gone and that nobody else of Runsheet has touched the subject since.

use super::seen::{SERVER, Seen};
use super::subject::{Name, Subject, quoted};
use runsheet_sdk::{Ruling, Settled, Verdict};

/// A kind of statement, what is looked at, and what can be said of it afterwards.
pub struct Kind {
    /// The statement.
    pub statement: &'static str,
    /// What is looked at before and afterwards.
    pub seen: &'static str,
    /// What can be said.
    pub rulings: &'static str,
}

/// Every kind of statement that cannot stand in a transaction. The documentation is made from it.
pub const KINDS: &[Kind] = &[
    Kind {
        statement: "CREATE INDEX CONCURRENTLY",
        seen: "the indexes of the table, by number, and whether they are valid",
        rulings: "a new valid index: applied; none: not applied; a new invalid one: it is dropped, and the statement is run again",
    },
    Kind {
        statement: "DROP INDEX CONCURRENTLY",
        seen: "the index",
        rulings: "gone: applied; there, valid or not: not applied, since dropping it again completes it",
    },
    Kind {
        statement: "REINDEX … CONCURRENTLY",
        seen: "invalid indexes that such a statement leaves behind (`_ccnew`, `_ccold`)",
        rulings: "each new one is dropped; then it is run again, which does no harm",
    },
    Kind {
        statement: "CREATE DATABASE, CREATE TABLESPACE, CREATE SUBSCRIPTION",
        seen: "whether it exists",
        rulings: "it exists now and did not before: applied; it does not: not applied",
    },
    Kind {
        statement: "DROP DATABASE, DROP TABLESPACE, DROP SUBSCRIPTION",
        seen: "whether it exists, and under which number",
        rulings: "gone: applied; there: not applied, since dropping it again completes it",
    },
    Kind {
        statement: "ALTER DATABASE … SET TABLESPACE",
        seen: "the database's tablespace",
        rulings: "the new one: applied; else not applied",
    },
    Kind {
        statement: "ALTER SUBSCRIPTION",
        seen: "its state, slot and publications",
        rulings: "changed: applied; unchanged: not applied, since what changes none of them may be done twice",
    },
    Kind {
        statement: "ALTER TABLE … DETACH PARTITION … CONCURRENTLY",
        seen: "whether it is attached, half detached or detached",
        rulings: "detached: applied; attached: not applied; half: FINALIZE completes it",
    },
    Kind {
        statement: "COMMIT PREPARED, ROLLBACK PREPARED",
        seen: "whether the prepared transaction is there",
        rulings: "gone: applied; there: not applied",
    },
    Kind {
        statement: "VACUUM, CLUSTER, REINDEX, CHECKPOINT, ALTER SYSTEM, DISCARD",
        seen: "nothing",
        rulings: "run again: doing it twice does no harm",
    },
    Kind {
        statement: "CALL and DO under `-- txn-mode = off`",
        seen: "nothing",
        rulings: "a person must look: it may have committed a part of its work",
    },
];

/// How a statement on this subject would be settled.
pub(super) fn settled(subject: &Subject, before: &Seen) -> Settled {
    match subject {
        Subject::AlterSystem | Subject::Maintenance => Settled::Repeat,
        Subject::Call | Subject::Other => Settled::Nobody,
        // An index that is there is left as it is, however often that is said.
        Subject::CreateIndex { index: Some(index), if_not_exists: true, .. }
            if index_named(before, index) =>
        {
            Settled::Repeat
        }
        Subject::CreateIndex { .. }
        | Subject::DropIndex { .. }
        | Subject::Reindex
        | Subject::CreateDatabase { .. }
        | Subject::DropDatabase { .. }
        | Subject::MoveDatabase { .. }
        | Subject::CreateTablespace { .. }
        | Subject::DropTablespace { .. }
        | Subject::CreateSubscription { .. }
        | Subject::DropSubscription { .. }
        | Subject::AlterSubscription { .. }
        | Subject::Detach { .. }
        | Subject::EndPrepared { .. } => Settled::Observation,
    }
}

/// The name behind the number in a fact about an index.
fn index_name(fact: &str) -> &str {
    fact.splitn(3, ' ').nth(2).unwrap_or_default()
}

fn index_named(seen: &Seen, name: &str) -> bool {
    let ending = format!(".{}", quoted(name));
    seen.all("index ").any(|(fact, _)| index_name(fact).ends_with(&ending))
}

/// The judgement.
pub(super) fn judge(subject: &Subject, before: &Seen, now: &Seen) -> Verdict {
    let (was, is) = (before.get(SERVER), now.get(SERVER));
    if was != is {
        let reason = "this is another server than the one that the statement was sent to";
        return Verdict::new(Ruling::Unknown, reason);
    }
    match subject {
        Subject::CreateIndex { .. } => created_index(before, now),
        Subject::DropIndex { .. } => dropped_index(before, now),
        Subject::Reindex => reindexed(before, now),
        Subject::CreateDatabase { .. } => created("database", before, now),
        Subject::CreateTablespace { .. } => created("tablespace", before, now),
        Subject::CreateSubscription { .. } => created("subscription", before, now),
        Subject::DropDatabase { .. } => dropped("database", before, now),
        Subject::DropTablespace { .. } => dropped("tablespace", before, now),
        Subject::DropSubscription { .. } => dropped("subscription", before, now),
        Subject::EndPrepared { .. } => dropped("prepared transaction", before, now),
        Subject::MoveDatabase { tablespace, .. } => moved(tablespace, now),
        Subject::AlterSubscription { .. } => altered(before, now),
        Subject::Detach { parent, partition } => detached(parent, partition, before, now),
        Subject::AlterSystem | Subject::Maintenance => {
            Verdict::new(Ruling::NotApplied, "running it again does no harm")
        }
        Subject::Call => Verdict::new(
            Ruling::Unknown,
            "a procedure or block may commit in its middle, and nothing tells how far it came",
        ),
        Subject::Other => Verdict::new(Ruling::Unknown, "nothing is known of this kind of statement"),
    }
}

fn created_index(before: &Seen, now: &Seen) -> Verdict {
    let new: Vec<(&str, &str)> = now.all("index ").filter(|(fact, _)| !before.has(fact)).collect();
    match new.as_slice() {
        [] => Verdict::new(Ruling::NotApplied, "the table has no new index"),
        [(fact, "valid")] => {
            Verdict::new(Ruling::Applied, format!("the index {} is there and valid", index_name(fact)))
        }
        [(fact, _)] => Verdict::repair(
            format!("the index {} is there, but invalid: it was being built", index_name(fact)),
            format!("DROP INDEX CONCURRENTLY IF EXISTS {}", index_name(fact)),
        ),
        several => Verdict::new(
            Ruling::Unknown,
            format!("the table has {} new indexes; somebody else has made some of them", several.len()),
        ),
    }
}

fn dropped_index(before: &Seen, now: &Seen) -> Verdict {
    let Some((fact, _)) = before.all("index ").next() else {
        return Verdict::new(Ruling::NotApplied, "the index was not there before");
    };
    match now.get(fact) {
        None => Verdict::new(Ruling::Applied, format!("the index {} is gone", index_name(fact))),
        Some("valid") => Verdict::new(Ruling::NotApplied, format!("the index {} is there", index_name(fact))),
        Some(_) => Verdict::new(
            Ruling::NotApplied,
            format!("the index {} is half dropped, and dropping it again completes that", index_name(fact)),
        ),
    }
}

fn reindexed(before: &Seen, now: &Seen) -> Verdict {
    match now.all("index ").find(|(fact, _)| !before.has(fact)) {
        Some((fact, _)) => Verdict::repair(
            format!("the invalid index {} was left behind", index_name(fact)),
            format!("DROP INDEX CONCURRENTLY IF EXISTS {}", index_name(fact)),
        ),
        None => Verdict::new(Ruling::NotApplied, "running it again does no harm"),
    }
}

fn is_absent(seen: &Seen, what: &str) -> bool {
    seen.get(what).is_none_or(|value| value == "absent")
}

fn created(what: &str, before: &Seen, now: &Seen) -> Verdict {
    if is_absent(now, what) {
        Verdict::new(Ruling::NotApplied, format!("the {what} does not exist"))
    } else if is_absent(before, what) {
        Verdict::new(Ruling::Applied, format!("the {what} exists, and did not before"))
    } else {
        Verdict::new(Ruling::NotApplied, format!("the {what} existed before"))
    }
}

fn dropped(what: &str, before: &Seen, now: &Seen) -> Verdict {
    if is_absent(before, what) {
        Verdict::new(Ruling::NotApplied, format!("the {what} did not exist before"))
    } else if is_absent(now, what) {
        Verdict::new(Ruling::Applied, format!("the {what} is gone"))
    } else {
        Verdict::new(Ruling::NotApplied, format!("the {what} still exists"))
    }
}

fn moved(tablespace: &str, now: &Seen) -> Verdict {
    match now.get("tablespace") {
        Some(found) if found == tablespace => {
            Verdict::new(Ruling::Applied, format!("the database lies in the tablespace {tablespace}"))
        }
        Some(found) => {
            Verdict::new(Ruling::NotApplied, format!("the database lies in the tablespace {found}"))
        }
        None => Verdict::new(Ruling::NotApplied, "the database does not exist"),
    }
}

fn altered(before: &Seen, now: &Seen) -> Verdict {
    if before.get("subscription") == now.get("subscription") {
        let reason = "the subscription is as it was, and what changes nothing of it may be done twice";
        Verdict::new(Ruling::NotApplied, reason)
    } else {
        Verdict::new(Ruling::Applied, "the subscription is not as it was")
    }
}

fn detached(parent: &Name, partition: &Name, before: &Seen, now: &Seen) -> Verdict {
    if before.get("partition") == Some("detached") {
        return Verdict::new(Ruling::NotApplied, "it was no partition of that table before");
    }
    match now.get("partition") {
        Some("attached") => Verdict::new(Ruling::NotApplied, "the partition is attached"),
        Some("half detached") => Verdict::repair(
            "the partition is half detached",
            format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE"),
        ),
        Some(_) | None => Verdict::new(Ruling::Applied, "the partition is detached"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(facts: &[(&str, &str)]) -> Seen {
        let mut seen = Seen::default();
        facts.iter().for_each(|(name, value)| seen.add(*name, *value));
        seen
    }

    fn ruling(sql: &str, before: &[(&str, &str)], now: &[(&str, &str)]) -> Ruling {
        judge(&Subject::of(sql.as_bytes()), &seen(before), &seen(now)).ruling
    }

    #[test]
    fn an_index_is_judged_by_its_number_and_whether_it_can_be_used() {
        let old = ("index 1 \"s\".\"a\"", "valid");
        let make = "CREATE INDEX CONCURRENTLY i ON t (a)";
        assert_eq!(ruling(make, &[old], &[old]), Ruling::NotApplied);
        assert_eq!(ruling(make, &[old], &[old, ("index 2 \"s\".\"i\"", "valid")]), Ruling::Applied);
        let half = judge(
            &Subject::of(make.as_bytes()),
            &seen(&[old]),
            &seen(&[old, ("index 2 \"s\".\"i i\"", "invalid")]),
        );
        assert_eq!(
            (half.ruling, half.repair.as_str()),
            (Ruling::Repair, "DROP INDEX CONCURRENTLY IF EXISTS \"s\".\"i i\"")
        );
        let two = [("index 2 \"s\".\"i\"", "valid"), ("index 3 \"s\".\"j\"", "valid")];
        assert_eq!(ruling(make, &[], &two), Ruling::Unknown);
        let drop = "DROP INDEX CONCURRENTLY a";
        assert_eq!(ruling(drop, &[old], &[]), Ruling::Applied);
        assert_eq!(ruling(drop, &[old], &[("index 1 \"s\".\"a\"", "invalid")]), Ruling::NotApplied);
    }

    #[test]
    fn another_server_decides_nothing() {
        let make = "CREATE DATABASE d";
        assert_eq!(
            ruling(
                make,
                &[("server", "1"), ("database", "absent")],
                &[("server", "2"), ("database", "present as 5")]
            ),
            Ruling::Unknown
        );
    }

    #[test]
    fn what_was_there_before_is_no_proof() {
        let there = [("database", "present as 5")];
        assert_eq!(ruling("CREATE DATABASE d", &there, &there), Ruling::NotApplied);
        assert_eq!(ruling("CREATE DATABASE d", &[("database", "absent")], &there), Ruling::Applied);
        assert_eq!(
            ruling("DROP DATABASE d", &there, &[("database", "half dropped as 5")]),
            Ruling::NotApplied
        );
        assert_eq!(ruling("DROP DATABASE d", &there, &[("database", "absent")]), Ruling::Applied);
    }

    #[test]
    fn a_half_detached_partition_is_finalized() {
        let sql = "ALTER TABLE s.p DETACH PARTITION c CONCURRENTLY";
        let half = judge(
            &Subject::of(sql.as_bytes()),
            &seen(&[("partition", "attached")]),
            &seen(&[("partition", "half detached")]),
        );
        assert_eq!(half.repair, "ALTER TABLE \"s\".\"p\" DETACH PARTITION \"c\" FINALIZE");
    }
}
