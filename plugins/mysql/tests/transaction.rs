//! What is said of a transaction is what became of it: committed, rolled back by the server, canceled, or not known.

mod support;

use anyhow::{Context, Result};
use runsheet_driver_mysql::Session;
use runsheet_sdk::{Applied, Class, Connection, Error, Failure, Transaction};
use runsheet_test_servers::{Family, MySql, MySqlOptions, wait_until};
use std::thread::JoinHandle;
use support::{both, by_tcp, fresh, is_mariadb, on, open, run};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0) ENGINE=InnoDB";

fn count(server: &MySql, database: &str) -> Result<String> {
    Ok(server.query(database, "SELECT count(*) FROM t")?[0][0].clone())
}

/// Runs a statement on a thread of its own.
fn start(session: Session, sql: &'static str) -> JoinHandle<(Session, Option<Error>)> {
    let mut session = session;
    std::thread::spawn(move || {
        let error = run(&mut session, sql).err();
        (session, error)
    })
}

/// Waits until the server runs a statement that begins so.
fn wait_for_statement(server: &MySql, begin: &str) -> Result<()> {
    let sql = format!(
        "SELECT count(*) FROM information_schema.processlist WHERE command = 'Query' AND info LIKE '{begin}%'"
    );
    wait_until("the statement runs", || server.query("", &sql).is_ok_and(|rows| rows[0][0] != "0"))
}

#[test]
fn the_state_of_the_transaction_is_the_servers_own_word() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        assert_eq!(run(&mut session, TABLE)?.transaction, Transaction::None);
        assert_eq!(run(&mut session, "BEGIN")?.transaction, Transaction::Open);
        let insert = run(&mut session, "INSERT INTO t (id) VALUES (1), (2), (3)")?;
        assert_eq!((insert.rows_affected, insert.transaction), (Some(3), Transaction::Open));
        let failed = run(&mut session, "INSERT INTO t (id) VALUES (4), (1)").expect_err("the key is taken");
        assert_eq!((failed.class, failed.applied), (Class::Constraint, Applied::No));
        // The statement alone was undone.
        assert_eq!(run(&mut session, "SAVEPOINT a")?.transaction, Transaction::Open);
        assert_eq!(run(&mut session, "COMMIT")?.transaction, Transaction::None);
        assert_eq!(count(server, &database)?, "3");
        // What commits by itself ends what is open.
        session.begin()?;
        run(&mut session, "INSERT INTO t (id) VALUES (9)")?;
        assert_eq!(run(&mut session, "CREATE TABLE u (id int)")?.transaction, Transaction::None);
        session.commit(&mut |_| {})?;
        session.rollback()?;
        assert_eq!(count(server, &database)?, "4");
        run(&mut session, "SET autocommit = 0")?;
        assert_eq!(run(&mut session, "INSERT INTO t (id) VALUES (10)")?.transaction, Transaction::Open);
        session.reset("x")?;
        assert_eq!(count(server, &database)?, "4");
        assert_eq!(run(&mut session, "INSERT INTO t (id) VALUES (11)")?.transaction, Transaction::None);
    }
    Ok(())
}

#[test]
fn a_deadlock_takes_the_whole_transaction_and_its_commit_is_a_failure() -> Result<()> {
    for server in both() {
        let (mut first, database) = fresh(server)?;
        run(&mut first, TABLE)?;
        run(&mut first, "INSERT INTO t (id) VALUES (1), (2)")?;
        let mut second = open(&on(server, &[]), &database)?;
        // The victim is the one that has changed less.
        second.begin()?;
        run(&mut second, "INSERT INTO t (id) VALUES (101), (102), (103), (104)")?;
        run(&mut second, "UPDATE t SET n = 2 WHERE id = 2")?;
        first.begin()?;
        run(&mut first, "UPDATE t SET n = 1 WHERE id = 1")?;
        let waiting = start(second, "UPDATE t SET n = 2 WHERE id = 1");
        wait_for_statement(server, "UPDATE t SET n = 2 WHERE id = 1")?;
        let error = run(&mut first, "UPDATE t SET n = 1 WHERE id = 2").expect_err("it is the victim");
        assert_eq!((error.code, error.class, error.applied), (1213, Class::Deadlock, Applied::No));
        assert!(error.detail.contains("rolled back the whole transaction"), "{error}");
        let (mut second, none) = waiting.join().expect("the thread ends");
        assert_eq!(none, None);
        // What is run now would be a transaction of its own; the commit says that it is not the old one.
        assert_eq!(run(&mut first, "SELECT 1")?.transaction, Transaction::Failed);
        for commit in ["COMMIT", "/* so */ commit work"] {
            let error = run(&mut first, commit).expect_err("nothing is committed");
            assert_eq!((error.failure, error.applied), (Failure::Failed, Applied::No));
            assert!(error.message.contains("rolled back"), "{error}");
        }
        let error = first.commit(&mut |_| {}).expect_err("nothing is committed");
        assert_eq!((error.failure, error.applied), (Failure::Failed, Applied::No));
        first.rollback()?;
        second.commit(&mut |_| {})?;
        first.begin()?;
        run(&mut first, "UPDATE t SET n = 7 WHERE id = 1")?;
        first.commit(&mut |_| {})?;
        let rows = server.query(&database, "SELECT n FROM t WHERE id < 3 ORDER BY id")?;
        assert_eq!(rows, [["7"], ["2"]]);
    }
    Ok(())
}

#[test]
fn a_wait_for_a_lock_takes_the_statement_or_all_as_the_server_is_set() -> Result<()> {
    let arguments = vec!["--innodb-rollback-on-timeout=ON".to_owned()];
    let options = MySqlOptions { arguments, ..MySqlOptions::default() };
    let all = MySql::start(Family::MariaDb, &options)?;
    let [mariadb, mysql] = both();
    for (server, takes_all) in [(mariadb, false), (mysql, false), (&all, true)] {
        let (mut first, database) = fresh(server)?;
        run(&mut first, TABLE)?;
        run(&mut first, "INSERT INTO t (id) VALUES (1)")?;
        first.begin()?;
        run(&mut first, "UPDATE t SET n = 1 WHERE id = 1")?;
        let mut second = open(&on(server, &[("innodb_lock_wait_timeout", "1s")]), &database)?;
        second.begin()?;
        run(&mut second, "INSERT INTO t (id) VALUES (2)")?;
        let error = run(&mut second, "UPDATE t SET n = 2 WHERE id = 1").expect_err("it is locked");
        assert_eq!((error.code, error.class, error.applied), (1205, Class::LockTimeout, Applied::No));
        assert_eq!(error.detail.contains("rolled back the whole"), takes_all, "{error}");
        assert_eq!(second.commit(&mut |_| {}).is_err(), takes_all);
        first.commit(&mut |_| {})?;
        assert_eq!(count(server, &database)?, if takes_all { "1" } else { "2" });
    }
    Ok(())
}

#[test]
fn a_server_that_dies_has_done_nothing_of_the_next_statement_and_leaves_a_commit_unknown() -> Result<()> {
    for family in [Family::MariaDb, Family::MySql] {
        let mut server = MySql::start(family, &MySqlOptions { tls: true, ..MySqlOptions::default() })?;
        let database = server.fresh_database()?;
        let mut secret = open(&by_tcp(&server, &[("tls", "require")]), &database)?;
        let mut plain = open(&on(&server, &[]), &database)?;
        run(&mut plain, TABLE)?;
        plain.begin()?;
        run(&mut plain, "INSERT INTO t (id) VALUES (1)")?;
        server.kill9();
        for session in [&mut secret, &mut plain] {
            let error = run(session, "CREATE TABLE u (id int)").expect_err("nobody is there");
            assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::No), "{family:?}: {error}");
            let again = session.commit(&mut |_| {}).expect_err("it is still lost");
            assert_eq!((again.failure, again.applied), (Failure::Lost, Applied::No), "{family:?}: {again}");
            assert!(session.reset("x").is_err() && session.ping().is_err());
        }
        server.restart()?;
        assert_eq!(count(&server, &database)?, "0");

        let mut session = open(&on(&server, &[]), &database)?;
        session.begin()?;
        run(&mut session, "INSERT INTO t (id) VALUES (1)")?;
        // No commit goes through while another session holds this.
        let (mut other, _) = fresh(&server)?;
        run(&mut other, "FLUSH TABLES WITH READ LOCK")?;
        let committing = std::thread::spawn(move || session.commit(&mut |_| {}));
        wait_for_statement(&server, "COMMIT")?;
        server.kill9();
        let error = committing.join().expect("the thread ends").expect_err("nobody answers");
        assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::Unknown), "{family:?}: {error}");
        server.restart()?;
        assert_eq!(count(&server, &database)?, "0");
    }
    Ok(())
}

#[test]
fn a_session_that_is_killed_says_so_wherever_it_is() -> Result<()> {
    for server in both() {
        let (mut idle, _) = fresh(server)?;
        let number = idle.identify()?.session;
        server.execute("", &format!("KILL {number}"))?;
        let gone = format!("SELECT count(*) FROM information_schema.processlist WHERE id = {number}");
        wait_until("it is gone", || server.query("", &gone).is_ok_and(|rows| rows[0][0] == "0"))?;
        let error = run(&mut idle, "CREATE TABLE x (id int)").expect_err("it is gone");
        assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::No), "{error}");

        let (mut busy, _) = fresh(server)?;
        let number = busy.identify()?.session;
        let running = start(busy, "SELECT SLEEP(60) AS killed_one");
        wait_for_statement(server, "SELECT SLEEP(60) AS killed_one")?;
        server.execute("", &format!("KILL {number}"))?;
        let (mut busy, error) = running.join().expect("the thread ends");
        let error = error.context("it is gone")?;
        assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::Unknown), "{error}");
        assert!(run(&mut busy, "SELECT 1").is_err());
    }
    Ok(())
}

/// A statement that a cancel ends with an error; a plain SLEEP would end as if it had slept enough.
const SLEEPER: &str = "UPDATE t SET n = n + SLEEP(60)";

#[test]
fn a_cancel_stops_the_statement_and_neither_session_nor_transaction() -> Result<()> {
    for family in [Family::MariaDb, Family::MySql] {
        let server = MySql::start(family, &MySqlOptions { tls: true, ..MySqlOptions::default() })?;
        let ca = server.ca();
        let full =
            [("host", "localhost"), ("tls", "verify-full"), ("tls_ca", ca.to_str().context("it is text")?)];
        for settings in [on(&server, &[]), by_tcp(&server, &full)] {
            let database = server.fresh_database()?;
            let mut session = open(&settings, &database)?;
            let canceler = session.canceler();
            canceler.cancel()?;
            run(&mut session, TABLE)?;
            run(&mut session, "INSERT INTO t (id) VALUES (1)")?;
            session.begin()?;
            run(&mut session, "INSERT INTO t (id) VALUES (2)")?;
            let running = start(session, SLEEPER);
            wait_for_statement(&server, "UPDATE t SET n = n + SLEEP")?;
            canceler.cancel()?;
            let (mut session, error) = running.join().expect("the thread ends");
            let error = error.context("it was stopped")?;
            assert_eq!((error.failure, error.class), (Failure::Canceled, Class::Canceled), "{error}");
            assert_eq!((error.code, error.applied), (1317, Applied::No), "{error}");
            assert_eq!(run(&mut session, "SELECT 1")?.transaction, Transaction::Open);
            session.commit(&mut |_| {})?;
            assert_eq!(count(&server, &database)?, "2");
        }
    }
    Ok(())
}

#[test]
fn a_cancel_where_the_server_has_no_place_left_says_so_and_works_later() -> Result<()> {
    // MariaDB has at least so many.
    const PLACES: usize = 10;
    for family in [Family::MariaDb, Family::MySql] {
        let arguments = vec![format!("--max-connections={PLACES}")];
        let server = MySql::start(family, &MySqlOptions { arguments, ..MySqlOptions::default() })?;
        let (mut root, database) = fresh(&server)?;
        run(&mut root, TABLE)?;
        run(&mut root, "INSERT INTO t (id) VALUES (1)")?;
        run(&mut root, "CREATE USER deploy IDENTIFIED BY 'x'")?;
        run(&mut root, &format!("GRANT ALL ON {database}.* TO deploy"))?;
        let deploy = on(&server, &[("user", "deploy"), ("password", "x")]);
        let session = open(&deploy, &database)?;
        let canceler = session.canceler();
        let mut others = (2..PLACES).map(|_| open(&deploy, &database)).collect::<Result<Vec<_>, Error>>()?;
        let running = start(session, SLEEPER);
        // The place that is kept for administrators is enough for the test's own looking.
        wait_for_statement(&server, "UPDATE t SET n = n + SLEEP")?;
        let full = canceler.cancel().expect_err("there is no place");
        assert_eq!((full.code, full.class), (1040, Class::Resource), "{full}");
        assert!(full.hint.contains("max_connections"), "{full}");
        others.pop();
        // The host says it again until it has reached the server.
        wait_until("a place is free", || canceler.cancel().is_ok())?;
        let (session, error) = running.join().expect("the thread ends");
        assert_eq!(error.context("it was stopped")?.class, Class::Canceled);

        // An account that may administrate uses the place that is kept for it.
        let canceler = root.canceler();
        // Those that were closed are gone a little later.
        let mut filled = Vec::new();
        wait_until("it is full", || match open(&deploy, &database) {
            Ok(session) => {
                filled.push(session);
                false
            }
            Err(error) => error.code == 1040 && filled.len() + others.len() + 2 == PLACES,
        })?;
        let running = start(root, SLEEPER);
        wait_for_statement(&server, "UPDATE t SET n = n + SLEEP")?;
        // The test's own look has used that place, too.
        wait_until("the kept place is free", || canceler.cancel().is_ok())?;
        let (_root, error) = running.join().expect("the thread ends");
        assert_eq!(error.context("it was stopped")?.class, Class::Canceled);
        drop(session);
    }
    Ok(())
}

#[test]
fn a_cancel_never_hits_the_session_of_another_server_process() -> Result<()> {
    for family in [Family::MariaDb, Family::MySql] {
        let mut server = MySql::start(family, &MySqlOptions::default())?;
        let (session, _) = fresh(&server)?;
        let canceler = session.canceler();
        // Two starts within one second look alike: the server tells its start by seconds.
        wait_until("the server has run for a while", || {
            let uptime = server.query("", "SHOW GLOBAL STATUS LIKE 'Uptime'").unwrap_or_default();
            uptime.first().and_then(|row| row.get(1)?.parse::<u32>().ok()).is_some_and(|seconds| seconds >= 2)
        })?;
        // Its number is given out again after the start.
        server.restart()?;
        let (mut stranger, _) = fresh(&server)?;
        let error = canceler.cancel().expect_err("the server is another one");
        assert!(error.message.contains("another one now"), "{error}");
        run(&mut stranger, "SELECT 1")?;
        drop(session);
    }
    Ok(())
}

#[test]
fn a_server_that_only_reads_says_so() -> Result<()> {
    for family in [Family::MariaDb, Family::MySql] {
        let server = MySql::start(family, &MySqlOptions::default())?;
        let database = server.fresh_database()?;
        server.execute("", "CREATE USER deploy IDENTIFIED BY 'x'")?;
        server.execute("", &format!("GRANT ALL ON {database}.* TO deploy"))?;
        let deploy = on(&server, &[("user", "deploy"), ("password", "x")]);
        assert!(!open(&deploy, &database)?.identify()?.version.contains("read only"));
        server.execute("", "SET GLOBAL read_only = 1")?;
        let mut session = open(&deploy, &database)?;
        assert!(session.identify()?.version.ends_with(", read only"));
        let error = run(&mut session, TABLE).expect_err("it only reads");
        assert_eq!((error.code, error.class, error.applied), (1290, Class::Permission, Applied::No));
        assert!(error.hint.contains("replica"), "{error}");
        let ledger = session.prepare_ledger().expect_err("it only reads");
        assert!(ledger.hint.contains("replica"), "{ledger}");
    }
    Ok(())
}

#[test]
fn what_would_leave_a_transaction_behind_the_task_is_refused() -> Result<()> {
    for server in both() {
        let (mut session, _) = fresh(server)?;
        for sql in ["XA START 'x'", "COMMIT AND CHAIN"] {
            let error = run(&mut session, sql).expect_err("it is refused");
            assert_eq!((error.class, error.applied), (Class::Syntax, Applied::No), "{sql}");
        }
        assert_eq!(run(&mut session, "SELECT 1")?.transaction, Transaction::None);
        assert!(is_mariadb(server) == session.identify()?.version.contains("MariaDB"));
    }
    Ok(())
}
