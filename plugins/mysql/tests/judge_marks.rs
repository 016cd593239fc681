//! The servers' own marks: they prove what they should, refuse a repeat, leave the session as it was, and are not trusted where they
//! prove nothing.

mod support;

use anyhow::{Context, Result, bail};
use runsheet_driver_mysql::Session;
use runsheet_sdk::{
    Connection, Error, Mark, Observation, Observed, Outcome, Ruling, Settled, TryLock, Verdict,
};
use runsheet_test_servers::{Family, MySql, MySqlOptions, wait_until};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{ask, on, open, run};

const GTIDS: &[&str] = &["--gtid-mode=ON", "--enforce-gtid-consistency=ON"];
const LOGGED: &[&str] = &["--sync-binlog=1", "--gtid-strict-mode=1"];
const DOMAIN: &[(&str, &str)] = &[("gtid_domain_id", "7001")];

fn start(family: Family, arguments: &[&str]) -> Result<MySql> {
    let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
    MySql::start(family, &MySqlOptions { arguments, ..MySqlOptions::default() })
}

fn mark(task: char, segment: u32) -> Mark {
    Mark { task: task.to_string().repeat(64), segment, ..Mark::default() }
}

/// A session that holds the lock on its database.
fn fenced(server: &MySql, more: &[(&str, &str)], database: &str) -> Result<Session> {
    let mut session = open(&on(server, more), database)?;
    if session.try_lock()? != TryLock::Held {
        bail!("the lock is held by another");
    }
    Ok(session)
}

fn observed(session: &mut Session, sql: &str, mark: &Mark) -> Result<Observed, Error> {
    session.judge().expect("it judges").observe(sql.as_bytes(), mark)
}

fn before(session: &mut Session, sql: &str, mark: &Mark) -> Result<Observation> {
    match observed(session, sql, mark)? {
        Observed::Before(seen) => Ok(seen),
        Observed::Applied(verdict) => bail!("it was run before: {verdict:?}"),
    }
}

fn sent(session: &mut Session, sql: &str, mark: &Mark, seen: &Observation) -> Result<Outcome, Error> {
    session.judge().expect("it judges").execute(sql.as_bytes(), mark, &seen.text, &mut |_| {})
}

fn judged(session: &mut Session, sql: &str, mark: &Mark, seen: &Observation) -> Result<Verdict> {
    Ok(session.judge().context("it judges")?.judge(sql.as_bytes(), mark, &seen.text)?)
}

#[test]
fn mysql_never_runs_a_marked_statement_twice() -> Result<()> {
    let server = start(Family::MySql, GTIDS)?;
    let database = server.fresh_database()?;
    let mut session = fenced(&server, &[], &database)?;
    session.prepare_ledger()?;
    run(&mut session, "CREATE TABLE t (a int)")?;
    let (sql, mark) = ("ALTER TABLE t ADD INDEX (a)", mark('a', 2));
    let seen = before(&mut session, sql, &mark)?;
    assert_eq!(seen.settled, Settled::Mark);
    sent(&mut session, sql, &mark, &seen)?;
    // Sent again by who does not ask: the server passes over it.
    sent(&mut session, sql, &mark, &seen)?;
    let count = "SELECT count(*) FROM information_schema.statistics WHERE table_name = 't'";
    assert_eq!(server.query(&database, count)?, [["1"]]);
    // Another Runsheet, that knows nothing of it, is told; another statement of the task is not.
    drop(session);
    let mut other = fenced(&server, &[], &database)?;
    assert!(matches!(observed(&mut other, sql, &mark)?, Observed::Applied(_)));
    let next = Mark { segment: 3, ..mark };
    assert_eq!(before(&mut other, sql, &next)?.settled, Settled::Mark);
    Ok(())
}

#[test]
fn mysql_leaves_the_session_unmarked_whatever_became_of_the_statement() -> Result<()> {
    let server = start(Family::MySql, GTIDS)?;
    let database = server.fresh_database()?;
    let mut session = fenced(&server, &[], &database)?;
    session.prepare_ledger()?;
    run(&mut session, "CREATE TABLE t (a int)")?;
    for (number, sql, succeeds) in [
        (1, "ALTER TABLE t ADD b int", true),
        (2, "ALTER TABLE t ADD b int", false),
        (3, "DROP TABLE t, missing", false),
        (4, "CREATE TABLE IF NOT EXISTS t (a int)", true),
        (5, "DROP TABLE IF EXISTS missing", true),
        (6, "ALTER TABLE nonsense", false),
    ] {
        let mark = mark('b', number);
        let seen = before(&mut session, sql, &mark)?;
        assert_eq!(sent(&mut session, sql, &mark, &seen).is_ok(), succeeds, "{sql}");
        assert_eq!(ask(&mut session, "SELECT @@SESSION.gtid_next")?, "AUTOMATIC", "{sql}");
        let marked = matches!(observed(&mut session, sql, &mark)?, Observed::Applied(_));
        assert_eq!(marked, succeeds, "{sql}");
        // The ledger's own row goes without the mark.
        session.write_mark(&Mark { sheet_sha256: "0".repeat(64), ..mark })?;
    }
    let rows = format!("SELECT count(*) FROM {database}.runsheet_ledger");
    assert_eq!(server.query("", &rows)?, [["6"]]);
    Ok(())
}

#[test]
fn a_database_that_is_made_anew_has_none_of_the_old_marks() -> Result<()> {
    let server = start(Family::MySql, GTIDS)?;
    let database = server.fresh_database()?;
    let (sql, mark) = ("CREATE TABLE t (a int)", mark('c', 1));
    for _ in 0..2 {
        let mut session = fenced(&server, &[], &database)?;
        session.prepare_ledger()?;
        let seen = before(&mut session, sql, &mark)?;
        sent(&mut session, sql, &mark, &seen)?;
        assert_eq!(server.query(&database, "SHOW TABLES LIKE 't'")?.len(), 1);
        drop(session);
        // The server tells when a table was made by whole seconds.
        let made = "SELECT UNIX_TIMESTAMP(create_time) FROM information_schema.tables WHERE table_name = 'runsheet_ledger'";
        let made = server.query("", made)?;
        runsheet_test_servers::wait_until("a second has passed", || {
            server.query("", "SELECT UNIX_TIMESTAMP()").is_ok_and(|now| now > made)
        })?;
        server.execute("", &format!("DROP DATABASE {database}; CREATE DATABASE {database}"))?;
    }
    // Without a ledger nothing tells them apart, and a mark is good for one try.
    let mut session = fenced(&server, &[], &database)?;
    let seen = before(&mut session, sql, &mark)?;
    sent(&mut session, sql, &mark, &seen)?;
    assert_eq!(judged(&mut session, sql, &mark, &seen)?.ruling, Ruling::Applied);
    server.execute(&database, "DROP TABLE t")?;
    assert_ne!(before(&mut session, sql, &mark)?.text, seen.text);
    Ok(())
}

#[test]
fn gtids_are_not_used_where_the_instance_says_so() -> Result<()> {
    let server = start(Family::MySql, GTIDS)?;
    let mut session = fenced(&server, &[("gtid", "off")], &server.fresh_database()?)?;
    assert_eq!(before(&mut session, "CREATE TABLE t (a int)", &mark('d', 1))?.settled, Settled::Observation);
    // Nor where nothing is logged.
    let mut session = fenced(&server, &[], &server.fresh_database()?)?;
    run(&mut session, "SET sql_log_bin = 0")?;
    assert_eq!(before(&mut session, "CREATE TABLE t (a int)", &mark('d', 1))?.settled, Settled::Observation);
    Ok(())
}

#[test]
fn mariadb_leaves_the_session_as_it_was() -> Result<()> {
    let server = start(Family::MariaDb, LOGGED)?;
    let database = server.fresh_database()?;
    let mut session = fenced(&server, DOMAIN, &database)?;
    run(&mut session, "SET gtid_domain_id = 5")?;
    for (number, sql, succeeds) in [
        (1, "CREATE TABLE t (a int)", true),
        (2, "CREATE TABLE t (a int)", false),
        (3, "CREATE TABLE IF NOT EXISTS t (a int)", true),
        (4, "DROP TABLE t, missing", false),
    ] {
        let mark = mark('e', number);
        let seen = before(&mut session, sql, &mark)?;
        assert_eq!(seen.settled, Settled::Mark, "{sql}");
        assert_eq!(sent(&mut session, sql, &mark, &seen).is_ok(), succeeds, "{sql}");
        let state = ask(&mut session, "SELECT CONCAT(@@SESSION.gtid_domain_id, ' ', @@SESSION.gtid_seq_no)")?;
        assert_eq!(state, "5 0", "{sql}");
        // The domain is free for others.
        assert_eq!(ask(&mut session, "SELECT IS_FREE_LOCK('runsheet-domain:7001')")?, "1", "{sql}");
    }
    Ok(())
}

#[test]
fn a_list_that_fails_in_its_middle_says_what_it_has_done() -> Result<()> {
    let server = start(Family::MariaDb, LOGGED)?;
    let mut session = fenced(&server, &[], &server.fresh_database()?)?;
    run(&mut session, "CREATE TABLE a (i int)")?;
    let (sql, mark) = ("DROP TABLE a, missing", mark('f', 1));
    let seen = before(&mut session, sql, &mark)?;
    let error = sent(&mut session, sql, &mark, &seen).expect_err("one is missing");
    assert!(error.detail.contains(".a is gone all the same"), "{error}");
    Ok(())
}

/// Tables of one form change places: after a start of MariaDB only the log tells whether they did.
const SWAP: &str = "RENAME TABLE a TO x, b TO a, x TO b";

/// Plans the swap in a database of its own, and has the daemon die before it sends it.
fn lost(server: &MySql, database: &str, mark: &Mark) -> Result<Observation> {
    server.execute(database, "CREATE TABLE a (i int); CREATE TABLE b (i int)")?;
    let seen = before(&mut fenced(server, DOMAIN, database)?, SWAP, mark)?;
    assert_eq!(seen.settled, Settled::Mark);
    Ok(seen)
}

/// Kills the server, and starts it in another second, which is how its processes are told apart.
fn start_anew(server: &mut MySql) -> Result<()> {
    std::thread::sleep(Duration::from_millis(1100));
    server.kill9();
    server.restart()
}

/// What is said of the swap that was never sent.
fn verdict(server: &MySql, database: &str, mark: &Mark, seen: &Observation) -> Result<Verdict> {
    judged(&mut fenced(server, DOMAIN, database)?, SWAP, mark, seen)
}

/// Has the server die at the first byte of its log that a statement writes.
fn killed_at_the_log(
    server: &mut MySql,
    session: &mut Session,
    send: impl FnOnce(&mut Session),
) -> Result<()> {
    let log = server.query("", "SELECT @@log_bin_basename")?.concat().concat();
    let newest = server.query("", "SHOW BINARY LOGS")?.pop().context("a log")?;
    let number = newest.first().and_then(|name| name.rsplit('.').next()).context("its number")?;
    killed_at(server, session, "write,pwrite64", &format!("{log}.{number}"), send)
}

/// Has the server die at the first of these calls that a statement makes on a file, which is named as the server names it.
fn killed_at(
    server: &mut MySql,
    session: &mut Session,
    calls: &str,
    file: &str,
    send: impl FnOnce(&mut Session),
) -> Result<()> {
    let process = fs::read_to_string(server.query("", "SELECT @@pid_file")?.concat().concat())?;
    let words = Command::new("strace")
        .args(["-f", "-qq", "-p", process.trim(), "-P", file])
        .args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:signal=KILL")])
        .stderr(Stdio::piped())
        .spawn()?;
    wait_until("the server is traced", || {
        let status = fs::read_to_string(format!("/proc/{}/status", process.trim())).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })?;
    send(session);
    words.wait_with_output()?;
    server.kill9();
    server.restart()
}

#[test]
fn an_alter_that_mariadb_completes_at_its_start_is_seen_though_its_mark_is_missing() -> Result<()> {
    let mut server = start(Family::MariaDb, LOGGED)?;
    let database = server.fresh_database()?;
    server.execute(&database, "CREATE TABLE t (a int) ENGINE=InnoDB")?;
    let (sql, mark) = ("ALTER TABLE t ADD COLUMN b int", mark('5', 1));
    let mut session = fenced(&server, DOMAIN, &database)?;
    let seen = before(&mut session, sql, &mark)?;
    assert_eq!(seen.settled, Settled::Mark);
    std::thread::sleep(Duration::from_millis(1100));
    killed_at_the_log(&mut server, &mut session, |session| {
        let lost = sent(session, sql, &mark, &seen).expect_err("the server died");
        assert_eq!(lost.applied, runsheet_sdk::Applied::Unknown, "{lost}");
    })?;
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 't'";
    assert_eq!(server.query(&database, columns)?, [["2"]], "the server has completed it");
    let said = judged(&mut fenced(&server, DOMAIN, &database)?, sql, &mark, &seen)?;
    assert_eq!(said.ruling, Ruling::Applied, "{said:?}");
    Ok(())
}

#[test]
fn partitions_that_mariadb_leaves_without_their_table_are_put_out_of_the_way() -> Result<()> {
    let mut server = start(Family::MariaDb, &[])?;
    let database = server.fresh_database()?;
    let sql = "CREATE TABLE t (a int) ENGINE=InnoDB PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (1), PARTITION p1 VALUES LESS THAN (2))";
    let mark = mark('6', 1);
    let mut session = fenced(&server, &[], &database)?;
    let seen = before(&mut session, sql, &mark)?;
    // The server's process is told by the second of its start.
    std::thread::sleep(Duration::from_millis(1100));
    killed_at(&mut server, &mut session, "open,openat", &format!("./{database}/t#P#p1.ibd"), |session| {
        sent(session, sql, &mark, &seen).expect_err("the server died");
    })?;
    let mut session = fenced(&server, &[], &database)?;
    let said = judged(&mut session, sql, &mark, &seen)?;
    assert_eq!(said.ruling, Ruling::Repair, "{said:?}");
    let refused = run(&mut session, sql).expect_err("a partition is in the way");
    assert!(refused.to_string().contains("#mysql50#"), "{refused:#}");
    run(&mut session, &said.repair)?;
    let said = judged(&mut session, sql, &mark, &seen)?;
    assert_eq!(said.ruling, Ruling::NotApplied, "{said:?}");
    sent(&mut session, sql, &mark, &seen)?;
    run(&mut session, "INSERT INTO t VALUES (0), (1)")?;
    // Those of a table that is there are nobody's business.
    let again = before(&mut session, sql, &mark)?;
    assert_eq!(judged(&mut session, sql, &mark, &again)?.ruling, Ruling::NotApplied);
    Ok(())
}

#[test]
fn databases_share_a_domain_of_mariadb_one_after_the_other() -> Result<()> {
    let mut server = start(Family::MariaDb, LOGGED)?;
    let (one, two) = (server.fresh_database()?, server.fresh_database()?);
    let mark1 = mark('1', 1);
    server.execute(&one, "CREATE TABLE other (i int)")?;
    {
        let mut first = fenced(&server, DOMAIN, &one)?;
        assert_eq!(before(&mut first, "DROP TABLE other", &mark1)?.settled, Settled::Mark);
        // The domain is taken: another database goes without a mark.
        let mut second = fenced(&server, DOMAIN, &two)?;
        let plain = before(&mut second, "CREATE TABLE t (a int)", &mark('2', 9))?;
        assert_eq!(plain.settled, Settled::Observation);
    }
    let seen = lost(&server, &one, &mark1)?;
    start_anew(&mut server)?;
    let said = verdict(&server, &one, &mark1, &seen)?;
    assert_eq!(said.ruling, Ruling::NotApplied, "{said:?}");
    // One other statement in the domain saw the number before it: still known. Of a second one that is not certain.
    let mut second = fenced(&server, DOMAIN, &two)?;
    for (number, ruling) in [(1, Ruling::NotApplied), (2, Ruling::Unknown)] {
        let (sql, mark2) = (format!("CREATE TABLE t{number} (a int)"), mark('2', number));
        let planned = before(&mut second, &sql, &mark2)?;
        assert_eq!(planned.settled, Settled::Mark);
        sent(&mut second, &sql, &mark2, &planned)?;
        let said = verdict(&server, &one, &mark1, &seen)?;
        assert_eq!(said.ruling, ruling, "after {number}: {said:?}");
    }
    Ok(())
}

#[test]
fn an_absent_mark_proves_nothing_where_a_database_is_left_out_of_the_log() -> Result<()> {
    for (arguments, ruling) in
        [(&[][..], Ruling::NotApplied), (&["--binlog-ignore-db=elsewhere"], Ruling::Unknown)]
    {
        let mut server = start(Family::MariaDb, &[LOGGED, arguments].concat())?;
        let database = server.fresh_database()?;
        let seen = lost(&server, &database, &mark('3', 1))?;
        start_anew(&mut server)?;
        let said = verdict(&server, &database, &mark('3', 1), &seen)?;
        assert_eq!(said.ruling, ruling, "{arguments:?}: {said:?}");
    }
    Ok(())
}

#[test]
fn an_absent_mark_proves_nothing_after_a_start_where_the_log_is_not_synchronised() -> Result<()> {
    let mut server = start(Family::MariaDb, &["--sync-binlog=0"])?;
    let database = server.fresh_database()?;
    let seen = lost(&server, &database, &mark('4', 1))?;
    start_anew(&mut server)?;
    let said = verdict(&server, &database, &mark('4', 1), &seen)?;
    assert_eq!(said.ruling, Ruling::Unknown, "{said:?}");
    Ok(())
}
