//! What a session does beside transactions: it is as new for each task, keeps what the server says, and bears what is large.

mod support;

use anyhow::{Context, Result};
use runsheet_driver_postgres::Session;
use runsheet_sdk::{Applied, Class, Connection, Failure, Mark, Transaction, TryLock};
use runsheet_test_servers::{Pooler, Postgres, PostgresOptions, shared, wait_until};
use support::{ask, on, open, run, run_noticed};

fn fresh() -> Result<Session> {
    let server = shared::postgres();
    Ok(open(&on(server, &[]), &server.fresh_database()?)?)
}

#[test]
fn a_reset_leaves_nothing_of_the_task_before() -> Result<()> {
    let mut session = fresh()?;
    let new = "SELECT concat_ws(' ', current_user, current_setting('search_path'), current_setting('work_mem'), current_setting('TimeZone'))";
    let before = ask(&mut session, new)?;
    for sql in [
        "CREATE ROLE other_role",
        "CREATE TEMP TABLE left_over (id int)",
        "PREPARE left_over AS SELECT 1",
        "SET work_mem = '77kB'",
        "SET TIME ZONE 'Asia/Kathmandu'",
        "SET search_path = pg_catalog",
        "LISTEN left_over",
        "SELECT pg_advisory_lock(42)",
        "SET ROLE other_role",
    ] {
        run(&mut session, sql).with_context(|| sql.to_owned())?;
    }
    assert_eq!(session.try_lock()?, TryLock::Held);
    session.begin()?;
    run(&mut session, "SELECT 1/0").expect_err("it is no number");
    session.reset("runsheet next")?;
    assert_eq!(ask(&mut session, new)?, before);
    assert_eq!(ask(&mut session, "SELECT to_regclass('left_over')")?, "<NULL>");
    assert_eq!(ask(&mut session, "SELECT count(*) FROM pg_prepared_statements")?, "0");
    assert_eq!(ask(&mut session, "SELECT count(*) FROM pg_listening_channels()")?, "0");
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    assert_eq!(ask(&mut session, locks)?, "0");
    assert_eq!(run(&mut session, "DROP ROLE other_role")?.transaction, Transaction::None);
    Ok(())
}

#[test]
fn the_server_looks_whether_we_are_still_there_also_after_a_reset() -> Result<()> {
    let mut session = fresh()?;
    let interval = "SELECT current_setting('client_connection_check_interval')";
    assert_eq!(ask(&mut session, interval)?, "500ms");
    session.reset("x")?;
    assert_eq!(ask(&mut session, interval)?, "500ms");
    Ok(())
}

#[test]
fn settings_of_the_instance_hold_from_the_first_statement_on() -> Result<()> {
    let server = shared::postgres();
    let more = [("search_path", "one, \"Two\""), ("charset", "LATIN1"), ("lock_timeout", "3s")];
    let mut session = open(&on(server, &more), "postgres")?;
    for _ in 0..2 {
        assert_eq!(ask(&mut session, "SELECT current_setting('search_path')")?, "one, \"Two\"");
        assert_eq!(ask(&mut session, "SELECT current_setting('client_encoding')")?, "LATIN1");
        assert_eq!(ask(&mut session, "SELECT current_setting('lock_timeout')")?, "3s");
        session.reset("x")?;
    }
    // "ä" in LATIN1 is one byte, and one character.
    session.execute(b"DO $$ BEGIN ASSERT length('\xE4') = 1; END $$", &mut |_| {})?;
    let error =
        session.execute(b"SELECT nothing, '\xE4'", &mut |_| {}).err().context("there is no such column")?;
    assert_eq!(error.position, Some(7));
    let behind =
        session.execute(b"SELECT '\xE4', nothing", &mut |_| {}).err().context("there is no such column")?;
    assert_eq!(behind.position, None);
    Ok(())
}

#[test]
fn a_kept_session_that_the_server_has_closed_says_so_at_its_reset() -> Result<()> {
    let server = Postgres::start(&PostgresOptions {
        settings: vec!["idle_session_timeout = '200ms'".to_owned()],
        ..PostgresOptions::default()
    })?;
    let mut session = open(&on(&server, &[]), "postgres")?;
    let pid = session.identify()?.session;
    let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    wait_until("the server has closed it", || {
        server.query("postgres", &gone).is_ok_and(|rows| rows[0][0] == "0")
    })?;
    let error = session.reset("runsheet next").expect_err("it is closed");
    assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::No), "{error}");
    assert_eq!(error.sqlstate, "57P05", "{error}");
    Ok(())
}

#[test]
fn every_notice_is_kept_in_its_order_with_its_code() -> Result<()> {
    let mut session = fresh()?;
    let notices = run_noticed(
        &mut session,
        "DO $$ BEGIN
            RAISE WARNING 'first' USING ERRCODE = '01ABC', DETAIL = 'more';
            FOR i IN 1..5000 LOOP RAISE NOTICE 'number %', i; END LOOP;
            RAISE INFO 'last';
         END $$",
    )?;
    assert_eq!(notices.len(), 5002);
    let first = &notices[0];
    assert_eq!((first.severity.as_str(), first.sqlstate.as_str()), ("WARNING", "01ABC"));
    assert_eq!(first.message, "first (more)");
    for (index, notice) in notices[1..5001].iter().enumerate() {
        assert_eq!(notice.message, format!("number {}", index + 1));
    }
    assert_eq!((notices[5001].severity.as_str(), notices[5001].message.as_str()), ("INFO", "last"));
    Ok(())
}

#[test]
fn an_error_keeps_code_detail_hint_place_and_object() -> Result<()> {
    let mut session = fresh()?;
    run(&mut session, "CREATE TABLE t (id int CONSTRAINT positive CHECK (id > 0))")?;
    let constraint = run(&mut session, "INSERT INTO t VALUES (-1)").expect_err("it is not positive");
    assert_eq!((constraint.sqlstate.as_str(), constraint.class), ("23514", Class::Constraint));
    assert!(constraint.detail.contains("(-1)"), "{constraint}");
    let wrong = "SELECT 'größe', 1 FORM t";
    let syntax = run(&mut session, wrong).expect_err("a word is wrong");
    // In bytes, though the server counts characters.
    assert_eq!(syntax.position, wrong.rfind('t'));
    assert_eq!(syntax.class, Class::Syntax);
    let hinted = run(&mut session, "SELECT idd FROM t").expect_err("there is no such column");
    assert!(hinted.hint.contains("t.id"), "{hinted}");
    let inside = run(
        &mut session,
        "DO $$ BEGIN RAISE EXCEPTION 'mine' USING DETAIL = 'd', HINT = 'h', ERRCODE = 'XX123', TABLE = 't'; END $$",
    )
    .expect_err("it is raised");
    assert_eq!(
        (inside.sqlstate.as_str(), inside.message.as_str(), inside.object.as_str()),
        ("XX123", "mine", "t")
    );
    assert!(inside.detail.starts_with("d; PL/pgSQL function"), "{inside}");
    assert_eq!(inside.hint, "h");
    Ok(())
}

#[test]
fn an_error_of_many_megabytes_is_kept_in_part() -> Result<()> {
    let mut session = fresh()?;
    let sql =
        "DO $$ BEGIN RAISE EXCEPTION '%', repeat('word ', 4000000) USING HINT = repeat('h', 1000000); END $$";
    let error = run(&mut session, sql).expect_err("it is raised");
    assert!(error.message.starts_with("word word") && error.message.ends_with("(20000000 bytes in all)"));
    assert!(error.message.len() < 100_000 && error.hint.len() < 100_000);
    run(&mut session, "SELECT 1")?;
    Ok(())
}

#[test]
fn a_load_whose_rows_are_talked_about_does_not_stop() -> Result<()> {
    let mut session = fresh()?;
    run(&mut session, "CREATE TABLE t (id int, x text)")?;
    run(
        &mut session,
        "CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% %', NEW.id, repeat('n', 500); RETURN NEW; END $$",
    )?;
    run(&mut session, "CREATE TRIGGER says BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION say()")?;
    let load = session.load().context("it loads")?;
    load.begin(b"COPY t FROM STDIN", &mut |_| {})?;
    // Both directions carry more than any buffer on the way holds.
    let (rows, text) = (40_000, "r".repeat(500));
    for first in (0..rows).step_by(1000) {
        let chunk: String = (first..first + 1000).map(|id| format!("{id}\t{text}\n")).collect();
        load.rows(chunk.as_bytes())?;
    }
    let mut notices = Vec::new();
    let outcome = load.end(&mut |notice| notices.push(notice.message))?;
    assert_eq!(outcome.rows_affected, Some(rows));
    assert!(notices[0].starts_with("0 nnn") && notices[999].starts_with("999 nnn"));
    assert!(notices.iter().any(|message| message.contains("were not kept")), "{}", notices.len());
    assert_eq!(ask(&mut session, "SELECT count(*) FROM t")?, rows.to_string());
    Ok(())
}

#[test]
fn a_load_with_a_bad_row_fails_as_a_whole_and_leaves_the_session_usable() -> Result<()> {
    let mut session = fresh()?;
    run(&mut session, "CREATE TABLE t (id int)")?;
    let load = session.load().context("it loads")?;
    load.begin(b"COPY t FROM STDIN", &mut |_| {})?;
    for _ in 0..2000 {
        load.rows(format!("{}x\n", "1\n".repeat(5000)).as_bytes())?;
    }
    let error = load.end(&mut |_| {}).err().context("x is no number")?;
    assert_eq!((error.class, error.applied), (Class::Constraint, Applied::No), "{error}");
    assert!(error.detail.contains("line 5001"), "{error}");
    assert_eq!(ask(&mut session, "SELECT count(*) FROM t")?, "0");
    // A load that waits for rows outside of one is refused, and the session goes on.
    let stray = run(&mut session, "COPY t FROM STDIN").expect_err("there are no rows");
    assert_eq!((stray.class, stray.applied), (Class::Unsupported, Applied::No));
    let no_load = session.load().context("it loads")?.begin(b"SELECT 1", &mut |_| {});
    assert_eq!(no_load.err().context("it is none")?.class, Class::Unsupported);
    run(&mut session, "INSERT INTO t VALUES (1)")?;
    Ok(())
}

#[test]
fn two_statements_in_one_are_refused_and_neither_is_run() -> Result<()> {
    let mut session = fresh()?;
    run(&mut session, "CREATE TABLE t (id int)")?;
    let error =
        run(&mut session, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)").expect_err("they are two");
    assert_eq!((error.class, error.applied), (Class::Syntax, Applied::No), "{error}");
    let nul = run(&mut session, "SELECT 1\0; DROP TABLE t").expect_err("there is a NUL");
    assert_eq!((nul.class, nul.position), (Class::Syntax, Some(8)));
    assert_eq!(ask(&mut session, "SELECT count(*) FROM t")?, "0");
    Ok(())
}

#[test]
fn the_lock_is_one_per_database_and_ends_with_its_session() -> Result<()> {
    let server = shared::postgres();
    let (here, there) = (server.fresh_database()?, server.fresh_database()?);
    let settings = on(server, &[]);
    let (mut first, mut second) = (open(&settings, &here)?, open(&settings, &here)?);
    let mut elsewhere = open(&settings, &there)?;
    assert_eq!(first.try_lock()?, TryLock::Held);
    assert_eq!(first.try_lock()?, TryLock::Held);
    assert_eq!(elsewhere.try_lock()?, TryLock::Held);
    let TryLock::Busy(Some(holder)) = second.try_lock()? else { panic!("it is not free") };
    let own = first.identify()?;
    assert_eq!(holder.session, own.session);
    assert!(holder.doing.starts_with("runsheet test"), "{holder:?}");
    assert_eq!((&holder.session_start, &holder.user), (&own.session_start, &own.user));
    first.unlock()?;
    assert_eq!(second.try_lock()?, TryLock::Held);
    drop(second);
    wait_until("the lock is free", || first.try_lock().is_ok_and(|held| held == TryLock::Held))
}

#[test]
fn an_identity_is_the_sessions_own_and_the_servers() -> Result<()> {
    let server = shared::postgres();
    let other = Postgres::start(&PostgresOptions::default())?;
    let identity = |server: &Postgres| -> Result<_> { Ok(open(&on(server, &[]), "postgres")?.identify()?) };
    let (first, second, third) = (identity(server)?, identity(server)?, identity(&other)?);
    assert_eq!((first.product.as_str(), first.user.as_str()), ("PostgreSQL", "postgres"));
    assert_eq!(first.system, second.system);
    assert_ne!(first.system, third.system);
    assert_ne!((&first.session, &first.session_start), (&second.session, &second.session_start));
    let version = server.query("postgres", "SHOW server_version")?;
    assert_eq!(first.version, version[0][0]);
    Ok(())
}

#[test]
fn a_pooler_that_shares_sessions_is_refused_and_one_that_does_not_is_fine() -> Result<()> {
    let server = shared::postgres();
    let database = server.fresh_database()?;
    for mode in ["transaction", "statement"] {
        let pooler = Pooler::start(server, mode)?;
        let mut through = on(server, &[]);
        through.set("port", pooler.port().to_string(), false);
        let error = open(&through, &database).err().with_context(|| format!("{mode} is refused"))?;
        assert_eq!((error.class, error.failure), (Class::Unsupported, Failure::Failed), "{mode}: {error}");
        assert!(error.message.contains("pooler") && error.hint.contains("pool_mode = session"), "{error}");
    }
    let pooler = Pooler::start(server, "session")?;
    let mut through = on(server, &[]);
    through.set("port", pooler.port().to_string(), false);
    let (mut first, mut second) = (open(&through, &database)?, open(&through, &database)?);
    assert_eq!(first.try_lock()?, TryLock::Held);
    assert!(matches!(second.try_lock()?, TryLock::Busy(_)));
    first.reset("x")?;
    assert_eq!(second.try_lock()?, TryLock::Held);
    Ok(())
}

#[test]
fn messages_in_another_language_are_kept_and_understood() -> Result<()> {
    let server = Postgres::start(&PostgresOptions {
        settings: vec!["lc_messages = 'C.UTF-8'".to_owned()],
        environment: vec![("LANGUAGE".to_owned(), "de".to_owned())],
        ..PostgresOptions::default()
    })?;
    let mut session = open(&on(&server, &[]), "postgres")?;
    let error = run(&mut session, "SELECT * FROM nichts").expect_err("there is none");
    assert!(error.message.contains("existiert nicht"), "{error}");
    assert_eq!((error.class, error.position), (Class::MissingObject, Some(14)));
    let notices = run_noticed(&mut session, "DROP TABLE IF EXISTS nichts")?;
    assert_eq!(notices[0].severity, "NOTICE");
    assert!(notices[0].message.contains("existiert nicht"), "{notices:?}");
    let pid = session.identify()?.session;
    server.execute("postgres", &format!("SELECT pg_terminate_backend({pid}, 5000)"))?;
    let ended = run(&mut session, "SELECT 1").expect_err("it is gone");
    assert_eq!((ended.failure, ended.sqlstate.as_str()), (Failure::Lost, "57P01"), "{ended}");
    Ok(())
}

/// A kept session looks at the ledger again together with its first reading of it: each way in which the table may have changed since.
#[test]
fn a_kept_session_sees_what_became_of_the_ledger_since_its_last_user() -> Result<()> {
    let mut session = fresh()?;
    let mark = Mark { task: "a".repeat(64), segment: 1, complete: true, ..Mark::default() };
    let task = mark.task.clone();
    session.prepare_ledger()?;
    session.write_mark(&mark)?;
    session.reset("the next")?;
    session.prepare_ledger()?;
    assert_eq!(session.read_marks(&task)?.len(), 1);

    run(&mut session, "DROP SCHEMA runsheet CASCADE")?;
    session.reset("after it was dropped")?;
    session.prepare_ledger()?;
    assert_eq!(session.read_marks(&task)?, []);
    session.write_mark(&mark)?;

    let statements = [
        ("COMMENT ON TABLE runsheet.runsheet_ledger IS 'runsheet ledger 4711'", "newer Runsheet"),
        ("COMMENT ON TABLE runsheet.runsheet_ledger IS NULL", "is not Runsheet's"),
        ("ALTER TABLE runsheet.runsheet_ledger DROP COLUMN host", "is not Runsheet's"),
    ];
    for (statement, word) in statements {
        run(&mut session, statement)?;
        session.reset("after it was changed")?;
        session.prepare_ledger()?;
        let error = session.read_marks(&task).expect_err(statement);
        assert!(error.message.contains(word), "{statement}: {error}");
        session.reset("writing first")?;
        session.prepare_ledger()?;
        let error = session.write_mark(&mark).expect_err(statement);
        assert!(error.message.contains(word), "{statement}: {error}");
    }
    Ok(())
}
