//! What is said of a transaction is what became of it: committed, rolled back, canceled, or not known.

mod support;

use anyhow::{Context, Result};
use runsheet_driver_postgres::Session;
use runsheet_sdk::{Applied, Class, Connection, Error, Failure, Transaction};
use runsheet_test_servers::{Postgres, PostgresOptions, shared, wait_until};
use support::{ask, on, open, run, run_noticed};

fn table(session: &mut Session) -> Result<()> {
    run(session, "CREATE TABLE t (id int PRIMARY KEY)")?;
    Ok(())
}

fn fresh() -> Result<(Session, String)> {
    let server = shared::postgres();
    let database = server.fresh_database()?;
    let mut session = open(&on(server, &[]), &database)?;
    table(&mut session)?;
    Ok((session, database))
}

fn count(database: &str) -> Result<String> {
    Ok(shared::postgres().query(database, "SELECT count(*) FROM t")?[0][0].clone())
}

/// The error that a statement ends with on another thread, once `meanwhile` has been done to it.
fn interrupted(
    session: Session,
    sql: &str,
    meanwhile: impl FnOnce() -> Result<()>,
) -> Result<(Session, Error)> {
    let mut session = session;
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let error = run(&mut session, sql).err();
            (session, error)
        });
        meanwhile()?;
        let (session, error) = running.join().expect("the session's thread ends");
        Ok((session, error.context("the statement fails")?))
    })
}

/// Waits until the server runs a statement that begins so.
fn wait_for_statement(server: &Postgres, begin: &str) -> Result<()> {
    let sql =
        format!("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '{begin}%'");
    wait_until("the statement runs", || server.query("postgres", &sql).is_ok_and(|rows| rows[0][0] != "0"))
}

#[test]
fn a_commit_that_the_server_answers_with_rollback_is_a_failure() -> Result<()> {
    let (mut session, database) = fresh()?;
    session.begin()?;
    run(&mut session, "INSERT INTO t VALUES (1)")?;
    run(&mut session, "INSERT INTO t VALUES (1)").expect_err("the key is taken");
    let error = session.commit(&mut |_| {}).expect_err("nothing is committed");
    assert_eq!((error.failure, error.applied), (Failure::Failed, Applied::No));
    assert!(error.message.contains("answered COMMIT with ROLLBACK"), "{error}");
    assert_eq!(count(&database)?, "0");

    // A sheet's own words are no different.
    for commit in ["COMMIT", "END WORK", "/* now */ commit transaction"] {
        run(&mut session, "BEGIN")?;
        run(&mut session, "INSERT INTO t VALUES (1)")?;
        run(&mut session, "SELECT 1/0").expect_err("it is no number");
        let error = run(&mut session, commit).expect_err("nothing is committed");
        assert_eq!((error.failure, error.applied), (Failure::Failed, Applied::No), "{commit}");
        assert_eq!(count(&database)?, "0");
    }
    run(&mut session, "BEGIN")?;
    run(&mut session, "SELECT 1/0").expect_err("it is no number");
    let outcome = run(&mut session, "ROLLBACK")?;
    assert_eq!((outcome.transaction, outcome.tag.as_str()), (Transaction::None, "ROLLBACK"));
    Ok(())
}

#[test]
fn the_state_of_the_transaction_is_told_after_every_statement() -> Result<()> {
    let (mut session, _) = fresh()?;
    assert_eq!(run(&mut session, "SELECT 1")?.transaction, Transaction::None);
    assert_eq!(run(&mut session, "BEGIN")?.transaction, Transaction::Open);
    let insert = run(&mut session, "INSERT INTO t SELECT generate_series(1, 7)")?;
    assert_eq!((insert.rows_affected, insert.transaction), (Some(7), Transaction::Open));
    assert_eq!(run(&mut session, "SAVEPOINT a")?.transaction, Transaction::Open);
    run(&mut session, "SELECT 1/0").expect_err("it is no number");
    let after = run(&mut session, "SELECT 1").expect_err("the transaction has failed");
    assert_eq!((after.sqlstate.as_str(), after.applied), ("25P02", Applied::No));
    assert_eq!(run(&mut session, "ROLLBACK TO SAVEPOINT a")?.transaction, Transaction::Open);
    assert_eq!(run(&mut session, "COMMIT")?.transaction, Transaction::None);
    // Without a transaction both are no more than a warning, as the server has it.
    session.rollback()?;
    assert_eq!(run_noticed(&mut session, "COMMIT")?.len(), 1);
    Ok(())
}

#[test]
fn a_constraint_that_is_looked_at_in_the_commit_fails_it_with_its_name() -> Result<()> {
    let (mut session, database) = fresh()?;
    run(
        &mut session,
        "CREATE TABLE child (id int CONSTRAINT of_t REFERENCES t DEFERRABLE INITIALLY DEFERRED)",
    )?;
    session.begin()?;
    run(&mut session, "INSERT INTO child VALUES (5)")?;
    let error = session.commit(&mut |_| {}).expect_err("there is no parent");
    assert_eq!((error.class, error.applied), (Class::Constraint, Applied::No));
    assert!(error.message.contains("of_t"), "{error}");
    // In no transaction the statement's own end is the commit.
    let alone = run(&mut session, "INSERT INTO child VALUES (5)").expect_err("there is no parent");
    assert_eq!((alone.class, alone.applied), (Class::Constraint, Applied::No));
    let rows = shared::postgres().query(&database, "SELECT count(*) FROM child")?;
    assert_eq!(rows[0][0], "0");
    Ok(())
}

#[test]
fn notices_of_the_commit_are_kept() -> Result<()> {
    let (mut session, _) = fresh()?;
    run(
        &mut session,
        "CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'late'; RETURN NULL; END $$",
    )?;
    run(
        &mut session,
        "CREATE CONSTRAINT TRIGGER says AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION say()",
    )?;
    session.begin()?;
    run(&mut session, "INSERT INTO t VALUES (1), (2)")?;
    let mut said = Vec::new();
    session.commit(&mut |notice| said.push(notice.message))?;
    assert_eq!(said, ["late", "late"]);
    Ok(())
}

#[test]
fn a_server_that_dies_between_statements_has_done_nothing_of_the_next() -> Result<()> {
    let mut server = Postgres::start(&PostgresOptions { tls: true, ..PostgresOptions::default() })?;
    for tls in ["disable", "require"] {
        let mut session = open(&on(&server, &[("tls", tls)]), "postgres")?;
        server.kill9();
        let error = run(&mut session, "CREATE TABLE t (id int)").expect_err("nobody is there");
        assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::No), "{tls}: {error}");
        let again = run(&mut session, "SELECT 1").expect_err("it is still lost");
        assert_eq!((again.failure, again.applied), (Failure::Lost, Applied::No));
        assert!(session.commit(&mut |_| {}).is_err() && session.reset("x").is_err());
        server.restart()?;
    }
    Ok(())
}

#[test]
fn a_server_that_dies_in_the_commit_leaves_it_unknown() -> Result<()> {
    let mut server = Postgres::start(&PostgresOptions::default())?;
    let mut session = open(&on(&server, &[]), "postgres")?;
    table(&mut session)?;
    run(
        &mut session,
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$",
    )?;
    run(
        &mut session,
        "CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()",
    )?;
    session.begin()?;
    run(&mut session, "INSERT INTO t VALUES (1)")?;
    let committing = std::thread::spawn(move || session.commit(&mut |_| {}));
    wait_for_statement(&server, "COMMIT")?;
    server.kill9();
    let error = committing.join().expect("the thread ends").expect_err("nobody answers");
    assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::Unknown), "{error}");
    server.restart()?;
    assert_eq!(server.query("postgres", "SELECT count(*) FROM t")?[0][0], "0");
    Ok(())
}

#[test]
fn a_session_that_an_administrator_ends_says_so_wherever_it_is() -> Result<()> {
    let server = shared::postgres();
    let end = |session: &mut Session| -> Result<String> {
        let pid = session.identify()?.session;
        Ok(format!("SELECT pg_terminate_backend({pid}, 5000)"))
    };
    // While it is idle: nothing of the next statement was done.
    let (mut idle, _) = fresh()?;
    server.execute("postgres", &end(&mut idle)?)?;
    let error = run(&mut idle, "CREATE TABLE x (id int)").expect_err("it is gone");
    assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::No), "{error}");
    assert_eq!((error.sqlstate.as_str(), error.class), ("57P01", Class::Connection), "{error}");
    assert!(error.message.contains("administrator"), "{error}");
    // In a statement: whether it took effect is not known.
    let (mut busy, _) = fresh()?;
    let kill = end(&mut busy)?;
    let (mut busy, error) = interrupted(busy, "SELECT pg_sleep(60) AS busy_one", || {
        wait_for_statement(server, "SELECT pg_sleep(60) AS busy_one")?;
        server.execute("postgres", &kill)?;
        Ok(())
    })?;
    assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::Unknown), "{error}");
    assert_eq!(error.sqlstate, "57P01", "{error}");
    assert!(run(&mut busy, "SELECT 1").is_err());
    Ok(())
}

#[test]
fn a_cancel_stops_the_statement_and_not_the_session_nor_the_next_statement() -> Result<()> {
    let server = Postgres::start(&PostgresOptions { tls: true, ..PostgresOptions::default() })?;
    let ca = server.ca();
    let full =
        [("host", "localhost"), ("tls", "verify-full"), ("tls_ca", ca.to_str().context("it is text")?)];
    for (tls, more) in [("disable", &[("tls", "disable")][..]), ("verify-full", &full[..])] {
        let mut session = open(&on(&server, more), "postgres")?;
        let canceler = session.canceler();
        // On an idle session it does nothing.
        canceler.cancel()?;
        run(&mut session, "SELECT 1")?;
        session.begin()?;
        let sql = "SELECT pg_sleep(60) AS sleeper";
        let (mut session, error) = interrupted(session, sql, || {
            wait_for_statement(&server, "SELECT pg_sleep(60) AS sleeper")?;
            canceler.cancel()?;
            Ok(())
        })?;
        assert_eq!((error.failure, error.class), (Failure::Canceled, Class::Canceled), "{tls}: {error}");
        assert_eq!((error.sqlstate.as_str(), error.applied), ("57014", Applied::No));
        session.rollback()?;
        run(&mut session, "SELECT 1")?;
    }
    // It was as secret as its session.
    let log = server.log();
    assert!(!log.contains("SSL error") && !log.contains("wrong key in cancel request"), "{log}");
    Ok(())
}

#[test]
fn a_limit_of_the_session_is_a_timeout_and_no_cancel() -> Result<()> {
    let server = shared::postgres();
    let database = server.fresh_database()?;
    let settings = on(server, &[("statement_timeout", "100ms"), ("lock_timeout", "50ms")]);
    let mut session = open(&settings, &database)?;
    let error = run(&mut session, "SELECT pg_sleep(60)").expect_err("it takes too long");
    assert_eq!((error.failure, error.class), (Failure::Failed, Class::Timeout), "{error}");
    table(&mut session)?;
    let mut other = open(&on(server, &[]), &database)?;
    other.begin()?;
    run(&mut other, "LOCK TABLE t")?;
    let locked = run(&mut session, "ALTER TABLE t ADD COLUMN x int").expect_err("another has it");
    assert_eq!((locked.failure, locked.class), (Failure::Failed, Class::LockTimeout), "{locked}");
    // Numbers without a unit are seconds, as everywhere in the config.
    let mut seconds = open(&on(server, &[("statement_timeout", "90")]), &database)?;
    assert_eq!(ask(&mut seconds, "SELECT current_setting('statement_timeout')")?, "90s");
    run(&mut seconds, "SET statement_timeout = 0")?;
    seconds.reset("again")?;
    assert_eq!(ask(&mut seconds, "SELECT current_setting('statement_timeout')")?, "90s");
    Ok(())
}

#[test]
fn a_standby_says_that_it_is_one() -> Result<()> {
    let server = Postgres::start(&PostgresOptions::default())?;
    let standby = server.standby()?;
    let mut session = open(&on(&standby, &[]), "postgres")?;
    assert!(session.identify()?.version.ends_with(", a standby"));
    let error = run(&mut session, "CREATE TABLE t (id int)").expect_err("it only reads");
    assert_eq!((error.sqlstate.as_str(), error.class), ("25006", Class::Permission));
    assert!(error.hint.contains("is a standby"), "{error}");
    let ledger = session.prepare_ledger().expect_err("it only reads");
    assert!(ledger.hint.contains("is a standby"), "{ledger}");
    let primary = open(&on(&server, &[]), "postgres")?.identify()?;
    assert!(!primary.version.contains("standby"), "{}", primary.version);
    Ok(())
}
