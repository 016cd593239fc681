//! The judgement on what cannot be brought about at will on a server.

use super::*;
use crate::judge::seen::{Definition, Rows, Seen, There};
use crate::judge::words::Dialect;
use std::collections::BTreeMap;

const MARIADB: Dialect = Dialect { mariadb: true, version: 101_119, ansi_quotes: false, escapes: true };
const MYSQL: Dialect = Dialect { mariadb: false, version: 90_704, ..MARIADB };
const TIME: i64 = 1000;

/// A table with this form, made then.
fn table(form: &str, made: i64) -> Seen {
    let definition = Some(Definition::of(form.to_owned(), form));
    Seen::There(There {
        what: "BASE TABLE".to_owned(),
        engine: "InnoDB".to_owned(),
        made,
        definition,
        value: String::new(),
    })
}

fn observed(dialect: Dialect, process: &str, tables: &[(&str, Seen)]) -> Observed {
    let object = |name: &str| Object::new(crate::judge::object::Class::Table, "d", name);
    Observed {
        server: "server".to_owned(),
        process: process.to_owned(),
        time: TIME,
        dialect,
        database: "d".to_owned(),
        mark: None,
        objects: tables.iter().map(|(name, seen)| (object(name), seen.clone())).collect(),
        rows: BTreeMap::new(),
        partitions: None,
    }
}

fn ruled(sql: &str, before: &Observed, now: &Observed) -> Verdict {
    judge(&Change::of(sql.as_bytes(), before.dialect, "d"), before, now)
}

fn ruling(sql: &str, before: &[(&str, Seen)], now: &[(&str, Seen)]) -> Ruling {
    ruled(sql, &observed(MARIADB, "1", before), &observed(MARIADB, "1", now)).ruling
}

#[test]
fn a_drop_that_came_half_way_is_completed() {
    let one = || table("x", 5);
    let before = [("a", one()), ("b", one()), ("c", one())];
    let now = [("a", Seen::Absent), ("b", one()), ("c", one())];
    let verdict =
        ruled("DROP TABLE a, b, c", &observed(MARIADB, "1", &before), &observed(MARIADB, "2", &now));
    assert_eq!(verdict.ruling, Ruling::Repair);
    assert_eq!(verdict.repair, "DROP TABLE IF EXISTS `d`.`b`, `d`.`c`");
}

#[test]
fn a_table_that_is_another_than_before_is_not_dropped() {
    let now = [("a", table("x", TIME + 5))];
    assert_eq!(ruling("DROP TABLE a", &[("a", table("x", 5))], &now), Ruling::Unknown);
    // A server that is started again may touch its files.
    let (before, now) = ([("a", table("x", 5))], observed(MARIADB, "2", &now));
    assert_eq!(ruled("DROP TABLE a", &observed(MARIADB, "1", &before), &now).ruling, Ruling::NotApplied);
}

#[test]
fn what_comes_or_goes_by_another_hand_is_not_judged() {
    let there = || table("x", 5);
    assert_eq!(
        ruling("CREATE TABLE IF NOT EXISTS a (b int)", &[("a", there())], &[("a", Seen::Absent)]),
        Ruling::Unknown
    );
    assert_eq!(ruling("DROP TABLE IF EXISTS a", &[("a", Seen::Absent)], &[("a", there())]), Ruling::Unknown);
    assert_eq!(ruling("ALTER TABLE a ADD c int", &[("a", there())], &[("a", Seen::Absent)]), Ruling::Unknown);
    assert_eq!(ruling("TRUNCATE a", &[("a", there())], &[("a", Seen::Absent)]), Ruling::Unknown);
}

#[test]
fn what_must_fail_is_run_again_so_that_the_server_says_so() {
    let there = || table("x", 5);
    assert_eq!(ruling("CREATE TABLE a (b int)", &[("a", there())], &[("a", there())]), Ruling::NotApplied);
    let half = [("a", Seen::Absent), ("b", Seen::Absent)];
    assert_eq!(ruling("DROP TABLE a, b", &[("a", there()), ("b", Seen::Absent)], &half), Ruling::NotApplied);
    assert_eq!(
        ruling("RENAME TABLE a TO b", &[("a", there()), ("b", there())], &[("a", there()), ("b", there())]),
        Ruling::NotApplied
    );
    assert_eq!(
        ruling("ALTER TABLE a ADD c int", &[("a", Seen::Absent)], &[("a", Seen::Absent)]),
        Ruling::NotApplied
    );
}

#[test]
fn tables_of_one_form_that_change_places_are_told_apart_by_time() {
    const SWAP: &str = "RENAME TABLE a TO x, b TO a, x TO b";
    let before = [("a", table("f", 10)), ("b", table("f", 20)), ("x", Seen::Absent)];
    let swapped = [("a", table("f", 20)), ("b", table("f", 10)), ("x", Seen::Absent)];
    let touched = [("a", table("f", TIME + 1)), ("b", table("f", TIME + 1)), ("x", Seen::Absent)];
    let on = |dialect, process, tables: &[(&str, Seen)]| observed(dialect, process, tables);
    let rule = |dialect, now: &[(&str, Seen)]| {
        ruled(SWAP, &on(dialect, "1", &before), &on(dialect, "1", now)).ruling
    };
    assert_eq!(rule(MYSQL, &before), Ruling::NotApplied);
    assert_eq!(rule(MYSQL, &swapped), Ruling::Applied);
    assert_eq!(rule(MARIADB, &before), Ruling::NotApplied);
    assert_eq!(rule(MARIADB, &touched), Ruling::Applied);
    let restarted = ruled(SWAP, &on(MARIADB, "1", &before), &on(MARIADB, "2", &touched));
    assert_eq!(restarted.ruling, Ruling::Unknown, "{}", restarted.reason);
    let restarted = ruled(SWAP, &on(MYSQL, "1", &before), &on(MYSQL, "2", &swapped));
    assert_eq!(restarted.ruling, Ruling::Applied, "{}", restarted.reason);
    let middle = [("a", Seen::Absent), ("b", table("f", 20)), ("x", table("f", TIME + 1))];
    let half = ruled(SWAP, &on(MARIADB, "1", &before), &on(MARIADB, "1", &middle));
    assert_eq!(half.repair, "RENAME TABLE `d`.`b` TO `d`.`a`, `d`.`x` TO `d`.`b`");
}

#[test]
fn a_table_made_anew_in_the_same_form_is_told_by_time_or_not_at_all() {
    const ANEW: &str = "ALTER TABLE a DROP COLUMN b, ADD COLUMN b int";
    let of = |made| [("a", table("f", made))];
    assert_eq!(ruling(ANEW, &of(10), &of(10)), Ruling::NotApplied);
    assert_eq!(ruling(ANEW, &of(10), &of(TIME + 1)), Ruling::Applied);
    assert_eq!(ruling(ANEW, &of(TIME), &of(TIME)), Ruling::Unknown);
    assert_eq!(ruling(ANEW, &of(10), &[("a", table("g", TIME))]), Ruling::Applied);
    let restarted = ruled(ANEW, &observed(MARIADB, "1", &of(10)), &observed(MARIADB, "2", &of(TIME + 9)));
    assert_eq!(restarted.ruling, Ruling::Unknown);
}

#[test]
fn rows_that_go_are_known_by_the_first_of_them() {
    let row = |text: &str| Rows::Some(text.to_owned());
    let seen = |value: &str, rows: Rows| {
        let Seen::There(there) = table("f", 5) else { unreachable!("it is there") };
        let mut seen =
            observed(MYSQL, "1", &[("a", Seen::There(There { value: value.to_owned(), ..there }))]);
        seen.rows.insert("d.a".to_owned(), rows);
        seen
    };
    let rule = |before: &Observed, now: &Observed| ruled("TRUNCATE a", before, now).ruling;
    let before = seen("AUTO_INCREMENT=9", row("1"));
    assert_eq!(rule(&before, &seen("AUTO_INCREMENT=9", row("1"))), Ruling::NotApplied);
    assert_eq!(rule(&before, &seen("", Rows::None)), Ruling::Applied);
    assert_eq!(rule(&before, &seen("AUTO_INCREMENT=3", row("2"))), Ruling::Applied);
    assert_eq!(rule(&before, &seen("AUTO_INCREMENT=12", row("2"))), Ruling::Unknown);
    assert_eq!(rule(&seen("", Rows::None), &seen("", Rows::None)), Ruling::NotApplied);
    assert_eq!(rule(&seen("", Rows::None), &seen("", row("1"))), Ruling::Unknown);
    assert_eq!(rule(&before, &seen("AUTO_INCREMENT=12", Rows::Hidden("no".to_owned()))), Ruling::Unknown);
}

#[test]
fn what_cannot_be_seen_is_not_guessed_at() {
    let hidden = || [("a", Seen::Hidden("no right to see it".to_owned()))];
    let before = observed(MYSQL, "1", &hidden());
    let change = Change::of(b"ALTER TABLE a ADD c int", MYSQL, "d");
    assert_eq!(settled(&change, &before), Settled::Nobody);
    let verdict = judge(&change, &before, &before);
    assert_eq!(verdict.ruling, Ruling::Unknown);
    assert!(verdict.reason.contains("no right to see it"), "{}", verdict.reason);
}

#[test]
fn an_event_that_ends_by_itself_may_have_been_there() {
    let event = |name: &str| Object::new(crate::judge::object::Class::Event, "d", name);
    let mut seen = observed(MYSQL, "1", &[]);
    seen.objects.push((event("e"), Seen::Absent));
    assert_eq!(
        ruled("CREATE EVENT e ON SCHEDULE AT NOW() DO SELECT 1", &seen, &seen).ruling,
        Ruling::Unknown
    );
    let every = "CREATE EVENT e ON SCHEDULE EVERY 1 HOUR DO SELECT 1";
    assert_eq!(ruled(every, &seen, &seen).ruling, Ruling::NotApplied);
}

#[test]
fn only_partitions_that_came_since_are_taken_away() {
    let sql = "CREATE TABLE a (b int) PARTITION BY HASH (b)";
    let with = |process: &str, partitions: Option<&[&str]>| Observed {
        partitions: partitions.map(|files| files.iter().map(|file| (*file).to_owned()).collect()),
        ..observed(MARIADB, process, &[("a", Seen::Absent)])
    };
    let (one, two): (Option<&[&str]>, Option<&[&str]>) = (Some(&["a#P#p0"]), Some(&["a#P#p0", "a#P#p1"]));
    let verdict = ruled(sql, &with("1", one), &with("2", two));
    assert_eq!(verdict.ruling, Ruling::Repair);
    assert_eq!(verdict.repair, "DROP TABLE IF EXISTS `d`.`#mysql50#a#P#p1`");
    // Somebody may want to have back what is in the others, may not have been seen before, or is making the table now.
    for (before, now) in [
        (with("1", one), with("2", one)),
        (with("1", None), with("2", one)),
        (with("1", one), with("2", None)),
        (with("1", one), with("1", two)),
    ] {
        assert_eq!(ruled(sql, &before, &now).ruling, Ruling::NotApplied, "{before:?} {now:?}");
    }
}
