//! What a session does beside transactions: it is as new for each task, keeps what the server says, and bears what is large.

mod support;

use anyhow::{Context, Result};
use runsheet_sdk::{Applied, Class, Connection, Failure, TryLock};
use runsheet_test_servers::{Family, MySql, MySqlOptions, wait_until};
use support::{ask, both, by_tcp, fresh, is_mariadb, on, open, run, run_noticed};

#[test]
fn a_reset_leaves_nothing_of_the_task_before() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        let other = server.fresh_database()?;
        let state = "CONCAT_WS(' ', DATABASE(), LENGTH(@@sql_mode), @@autocommit + 0, @@time_zone)";
        let charset = "CONCAT_WS(' ', @@character_set_client, @@character_set_results)";
        let before = (ask(&mut session, state)?, ask(&mut session, charset)?);
        assert!(before.0.starts_with(&database) && before.0.contains(" 1 "), "{before:?}");
        assert_eq!(before.1, "utf8mb4 utf8mb4");
        for sql in [
            "CREATE TEMPORARY TABLE left_over (id int)",
            "SET @left_over = 1",
            "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
            "SET autocommit = 0",
            "SET time_zone = '+05:45'",
            "SET NAMES latin1",
            "DO GET_LOCK('left_over', 0)",
            "PREPARE left_over FROM 'SELECT 1'",
            &format!("USE {other}"),
        ] {
            run(&mut session, sql).with_context(|| sql.to_owned())?;
        }
        assert_eq!(session.try_lock()?, TryLock::Held);
        session.reset("runsheet next")?;
        assert_eq!((ask(&mut session, state)?, ask(&mut session, charset)?), before);
        assert_eq!(ask(&mut session, "IFNULL(@left_over, 'nothing')")?, "nothing");
        assert_eq!(ask(&mut session, "IFNULL(IS_USED_LOCK('left_over'), 'free')")?, "free");
        run(&mut session, "SELECT * FROM left_over").expect_err("the table is gone");
        run(&mut session, "EXECUTE left_over").expect_err("the statement is gone");
        let (mut second, _) = (open(&on(server, &[]), &database)?, ());
        assert_eq!(second.try_lock()?, TryLock::Held);
    }
    Ok(())
}

#[test]
fn settings_of_the_instance_hold_from_the_first_statement_on() -> Result<()> {
    for server in both() {
        let more = [
            ("sql_mode", "ANSI_QUOTES,NO_ZERO_DATE"),
            ("time_zone", "+02:00"),
            ("lock_wait_timeout", "7s"),
            ("innodb_lock_wait_timeout", "2min"),
        ];
        // An account with no rights but its own.
        server.execute("", "CREATE USER IF NOT EXISTS plain IDENTIFIED BY 'x'")?;
        let mine = [&more[..], &[("user", "plain"), ("password", "x")]].concat();
        let mut session = open(&on(server, &mine), "")?;
        for _ in 0..2 {
            assert_eq!(ask(&mut session, "@@sql_mode")?, "ANSI_QUOTES,NO_ZERO_DATE");
            let rest = "CONCAT_WS(' ', @@time_zone, @@lock_wait_timeout, @@innodb_lock_wait_timeout)";
            assert_eq!(ask(&mut session, rest)?, "+02:00 7 120");
            assert_eq!(
                ask(&mut session, "CONCAT_WS(' ', @@autocommit + 0, @@character_set_client)")?,
                "1 utf8mb4"
            );
            run(&mut session, "SET sql_mode = '', time_zone = '+00:00', autocommit = 0, NAMES latin1")?;
            session.reset("x")?;
        }
        let unknown =
            open(&on(server, &[("time_zone", "Nowhere/At_All")]), "").err().context("there is none")?;
        assert!(unknown.message.contains("Nowhere/At_All"), "{unknown}");
    }
    Ok(())
}

/// A statement with as many warnings.
fn warns(count: usize) -> String {
    let rows: Vec<String> = (0..count).map(|number| format!("('{number}x')")).collect();
    format!("INSERT INTO t VALUES {}", rows.join(","))
}

#[test]
fn every_warning_is_kept_with_its_code_as_far_as_the_server_keeps_them() -> Result<()> {
    for server in both() {
        let (mut session, _) = fresh(server)?;
        run(&mut session, "CREATE TABLE t (n int)")?;
        run(&mut session, "SET sql_mode = ''")?;
        let few = run_noticed(&mut session, &warns(900))?;
        assert_eq!(few.len(), 900);
        for (index, warning) in few.iter().enumerate() {
            assert_eq!((warning.severity.as_str(), warning.code), ("Warning", 1265), "{warning:?}");
            assert!(warning.message.contains(&format!("at row {}", index + 1)), "{warning:?}");
        }
        // MariaDB was asked to keep more; MySQL lets only administrators ask.
        let kept = if is_mariadb(server) { 10_000 } else { 1024 };
        let many = run_noticed(&mut session, &warns(12_345))?;
        assert_eq!(many.len(), kept + 1);
        let told = &many[kept];
        let missing = 12_345 - kept;
        assert!(told.message.contains(&format!("{missing} further warnings")), "{told:?}");
        let very_many = run_noticed(&mut session, &warns(66_000))?;
        let told = very_many.last().context("it is told")?;
        assert!(
            told.message.starts_with("at least ") && told.message.contains("max_error_count"),
            "{told:?}"
        );
        // A query's, too.
        let query = run_noticed(&mut session, "SELECT CAST('x' AS SIGNED), CAST('y' AS SIGNED)")?;
        assert_eq!(query.iter().map(|warning| warning.code).collect::<Vec<_>>(), [1292, 1292]);
        let note = run_noticed(&mut session, "DROP TABLE IF EXISTS nothing")?;
        assert_eq!((note[0].severity.as_str(), note[0].code), ("Note", 1051), "{note:?}");
        assert_eq!(run_noticed(&mut session, "SELECT 1")?, []);
    }
    Ok(())
}

#[test]
fn a_row_count_that_reading_the_warnings_has_taken_is_refused_and_never_wrong() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        run(&mut session, "CREATE TABLE t (n int)")?;
        let count = "SET @n = ROW_COUNT()";
        run(&mut session, "INSERT INTO t VALUES (1), (2), (3)")?;
        run(&mut session, count)?;
        assert_eq!(ask(&mut session, "@n")?, "3");
        run(&mut session, "SET sql_mode = ''")?;
        run(&mut session, &warns(2))?;
        let error = run(&mut session, count).expect_err("it would be -1");
        assert_eq!((error.class, error.applied, error.position), (Class::Unsupported, Applied::No, Some(9)));
        run(&mut session, &warns(2))?;
        run(&mut session, "CREATE PROCEDURE p() BEGIN DELETE FROM t; SET @n = ROW_COUNT(); END")?;
        // Where only their number is wanted, nothing comes between.
        let mut session = open(&on(server, &[("warnings", "counted"), ("sql_mode", "")]), &database)?;
        let notices = run_noticed(&mut session, &warns(2))?;
        assert!(notices.len() == 1 && notices[0].message.starts_with("2 warnings"), "{notices:?}");
        run(&mut session, count)?;
        assert_eq!(ask(&mut session, "@n")?, "2");
    }
    Ok(())
}

#[test]
fn what_the_server_notes_about_a_failure_is_kept_beside_it() -> Result<()> {
    for server in both() {
        let (mut session, _) = fresh(server)?;
        run(&mut session, "CREATE TABLE t (n int) ENGINE=InnoDB")?;
        run(&mut session, "SET sql_mode = 'STRICT_ALL_TABLES'")?;
        let mut notices = Vec::new();
        let sql = "INSERT INTO t SELECT CAST(a AS SIGNED) FROM (SELECT '1x' a UNION ALL SELECT '2x') x WHERE a > 0 OR 1/0";
        let outcome = session.execute(sql.as_bytes(), &mut |notice| notices.push(notice));
        match outcome {
            Err(error) => {
                assert_eq!(error.applied, Applied::No);
                assert!(notices.iter().all(|notice| notice.message != error.message), "{notices:?}");
            }
            Ok(_) => assert!(!notices.is_empty()),
        }
        let error = run(&mut session, "INSERT INTO t VALUES ('abc')").expect_err("it is no number");
        assert_eq!((error.code, error.class), (1366, Class::Constraint), "{error}");
        let mut notices = Vec::new();
        let sql = "CREATE TABLE c (n int, FOREIGN KEY (n) REFERENCES t (n)) ENGINE=InnoDB";
        let error = session.execute(sql.as_bytes(), &mut |notice| notices.push(notice)).err();
        let error = error.context("there is no index")?;
        if is_mariadb(server) {
            // The error says only "errno: 150"; the reason is in the warning.
            assert!(notices.iter().any(|notice| notice.message.contains("no index")), "{error}: {notices:?}");
        }
    }
    Ok(())
}

#[test]
fn all_results_of_a_call_are_read_and_an_error_in_the_last_is_the_statements() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        run(&mut session, "CREATE TABLE t (n int)")?;
        run(
            &mut session,
            "CREATE PROCEDURE many(fails int) BEGIN
                SELECT 1; SELECT 2, 3 UNION SELECT 4, 5; INSERT INTO t VALUES (1), (2); SELECT * FROM t;
                IF fails THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'late', MYSQL_ERRNO = 31000; END IF;
                UPDATE t SET n = 7;
             END",
        )?;
        let outcome = run(&mut session, "CALL many(0)")?;
        // MariaDB counts what all of its statements have changed.
        assert_eq!(outcome.rows_affected, Some(if is_mariadb(server) { 4 } else { 2 }));
        assert_eq!(ask(&mut session, "(SELECT SUM(n) FROM t)")?, "14");
        let error = run(&mut session, "CALL many(1)").expect_err("it signals");
        assert_eq!((error.code, error.sqlstate.as_str(), error.message.as_str()), (31000, "45000", "late"));
        run(&mut session, "SELECT 1")?;
        assert_eq!(server.query(&database, "SELECT COUNT(*) FROM t")?, [["4"]]);
    }
    Ok(())
}

#[test]
fn two_statements_in_one_are_refused_by_the_server_itself() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        run(&mut session, "CREATE TABLE t (n int)")?;
        // To the splitter what is behind the semicolon may be the routine's body.
        for sql in [
            "CREATE PROCEDURE p() SELECT 1; DROP TABLE t",
            "CREATE PROCEDURE p() BEGIN SELECT 1; END; DROP TABLE t",
            "INSERT INTO t VALUES (1); DROP TABLE t",
        ] {
            let error = run(&mut session, sql).expect_err("they are two");
            assert_eq!((error.class, error.applied), (Class::Syntax, Applied::No), "{sql}: {error}");
        }
        assert_eq!(server.query(&database, "SELECT COUNT(*) FROM t")?, [["0"]]);
        run(&mut session, "CALL p()").expect_err("there is none");
    }
    Ok(())
}

#[test]
fn no_file_of_this_machine_is_sent_to_the_server() -> Result<()> {
    for server in both() {
        server.execute("", "SET GLOBAL local_infile = 1")?;
        let (mut session, database) = fresh(server)?;
        run(&mut session, "CREATE TABLE t (line text)")?;
        let load = "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t";
        let error = run(&mut session, load).expect_err("it is refused");
        assert_eq!(error.applied, Applied::No, "{error}");
        // Where it is hidden, the server does not even ask.
        run(&mut session, &format!("SET @load = \"{load}\""))?;
        let prepared =
            run(&mut session, "PREPARE hidden FROM @load").and_then(|_| run(&mut session, "EXECUTE hidden"));
        let error = prepared.expect_err("it is refused");
        assert_eq!((error.failure, error.applied), (Failure::Failed, Applied::No), "{error}");
        assert_eq!(server.query(&database, "SELECT COUNT(*) FROM t")?, [["0"]]);
    }
    Ok(())
}

#[test]
fn bytes_that_are_no_text_reach_the_server_as_they_are() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        run(&mut session, "CREATE TABLE t (b blob)")?;
        session.execute(b"INSERT INTO t VALUES (_binary '\xFF\xFE\x80')", &mut |_| {})?;
        assert_eq!(server.query(&database, "SELECT HEX(b) FROM t")?, [["FFFE80"]]);
    }
    Ok(())
}

#[test]
fn a_statement_that_the_server_does_not_take_says_how_large_both_are() -> Result<()> {
    for server in both() {
        let (mut session, _) = fresh(server)?;
        run(&mut session, "CREATE TABLE t (x longtext)")?;
        let limit: usize = server.query("", "SELECT @@GLOBAL.max_allowed_packet")?[0][0].parse()?;
        let of_bytes = |bytes: usize| {
            let empty = "INSERT INTO t VALUES ('')";
            format!("INSERT INTO t VALUES ('{}')", "x".repeat(bytes - empty.len()))
        };
        let error = run(&mut session, &of_bytes(limit - 1)).expect_err("it is too large");
        assert_eq!(
            (error.failure, error.class, error.applied),
            (Failure::Failed, Class::Resource, Applied::No)
        );
        assert!(
            error.message.contains(&(limit - 2).to_string()) && error.message.contains("max_allowed_packet"),
            "{error}"
        );
        assert!(error.hint.contains("max_allowed_packet"), "{error}");
        run(&mut session, "SELECT 1")?;
        // As much as it takes, it takes; and where a part of the protocol's own ends.
        for bytes in [0xFF_FFFF - 2, 0xFF_FFFF - 1, 0xFF_FFFF, 2 * 0xFF_FFFF - 1] {
            if bytes < limit - 1 {
                run(&mut session, &of_bytes(bytes)).with_context(|| format!("{bytes} bytes"))?;
            }
        }
        run(&mut session, "SELECT 1")?;
    }
    Ok(())
}

#[test]
fn a_session_that_was_too_small_is_not_kept_since_the_limit_may_be_higher_by_now() -> Result<()> {
    let server = MySql::start(Family::MariaDb, &MySqlOptions::default())?;
    let (mut session, database) = fresh(&server)?;
    run(&mut session, "CREATE TABLE t (x longtext)")?;
    let sql = format!("INSERT INTO t VALUES ('{}')", "x".repeat(17_000_000));
    run(&mut session, &sql).expect_err("it is too large");
    session.rollback()?;
    server.execute("", "SET GLOBAL max_allowed_packet = 33554432")?;
    let error = session.reset("runsheet again").expect_err("its own limit stays");
    assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::No), "{error}");
    assert_eq!(run(&mut open(&on(&server, &[]), &database)?, &sql)?.rows_affected, Some(1));
    Ok(())
}

#[test]
fn a_kept_session_that_the_server_has_closed_says_so_at_its_reset() -> Result<()> {
    for server in both() {
        let (mut session, _) = fresh(server)?;
        run(&mut session, "SET wait_timeout = 1")?;
        let number = session.identify()?.session;
        let gone = format!("SELECT count(*) FROM information_schema.processlist WHERE id = {number}");
        wait_until("the server has closed it", || {
            server.query("", &gone).is_ok_and(|rows| rows[0][0] == "0")
        })?;
        let error = session.reset("runsheet next").expect_err("it is closed");
        assert_eq!((error.failure, error.applied), (Failure::Lost, Applied::No), "{error}");
        assert!(error.hint.contains("wait_timeout"), "{error}");
    }
    Ok(())
}

#[test]
fn the_lock_is_one_per_database_whatever_its_name_and_ends_with_its_session() -> Result<()> {
    for server in both() {
        let long = runsheet_test_servers::fresh_name(&"d".repeat(40));
        let (long, other) = (format!("{long:d<63}a"), format!("{long:d<63}b"));
        for name in [&long, &other] {
            server.execute("", &format!("CREATE DATABASE `{name}`"))?;
        }
        let settings = on(server, &[]);
        let (mut first, mut second) = (open(&settings, &long)?, open(&settings, &long)?);
        let mut elsewhere = open(&settings, &other)?;
        assert_eq!(first.try_lock()?, TryLock::Held);
        assert_eq!(first.try_lock()?, TryLock::Held);
        assert_eq!(elsewhere.try_lock()?, TryLock::Held);
        let TryLock::Busy(Some(holder)) = second.try_lock()? else { panic!("it is not free") };
        assert_eq!(holder.session, first.identify()?.session);
        // Held once, however often it was asked for.
        first.unlock()?;
        assert_eq!(second.try_lock()?, TryLock::Held);
        drop(second);
        wait_until("the lock is free", || first.try_lock().is_ok_and(|held| held == TryLock::Held))?;
    }
    Ok(())
}

#[test]
fn an_identity_is_the_sessions_own_and_the_servers() -> Result<()> {
    let mut systems = Vec::new();
    for server in both() {
        let (mut first, database) = fresh(server)?;
        let mut second = open(&by_tcp(server, &[]), &database)?;
        let (first, second) = (first.identify()?, second.identify()?);
        let version = server.query("", "SELECT VERSION()")?;
        assert_eq!(first.version, version[0][0]);
        assert_eq!(first.product, if is_mariadb(server) { "MariaDB" } else { "MySQL" });
        assert_eq!((first.database.as_str(), first.user.as_str()), (database.as_str(), "root@localhost"));
        assert_eq!(first.system, second.system);
        assert_ne!(first.session, second.session);
        systems.push(first.system);
    }
    assert_ne!(systems[0], systems[1]);
    Ok(())
}

#[test]
fn messages_in_another_language_are_kept_and_understood() -> Result<()> {
    for server in both() {
        let (mut session, _) = fresh(server)?;
        let same = run(&mut session, "SELECT 1 FORM t x").expect_err("a word is wrong");
        run(&mut session, "SET lc_messages = 'de_DE'")?;
        let error = run(&mut session, "SELECT 1 FORM t x").expect_err("a word is wrong");
        assert_ne!(error.message, same.message);
        assert_eq!((error.class, error.position), (Class::Syntax, same.position), "{error}");
        assert_eq!(same.position, "SELECT 1 FORM t x".find("t x"), "{same}");
        let missing = run(&mut session, "SELECT * FROM nichts").expect_err("there is none");
        assert!(
            missing.message.contains("existiert nicht") && missing.class == Class::MissingObject,
            "{missing}"
        );
    }
    Ok(())
}

#[test]
fn a_server_that_reads_strings_otherwise_than_the_instance_says_is_refused() -> Result<()> {
    let server = MySql::start(
        Family::MariaDb,
        &MySqlOptions {
            arguments: vec!["--sql-mode=NO_BACKSLASH_ESCAPES".to_owned()],
            ..MySqlOptions::default()
        },
    )?;
    let refused = open(&on(&server, &[]), "").err().context("its sheets would be cut in the wrong places")?;
    assert_eq!((refused.class, refused.object.as_str()), (Class::Setting, "sql_mode"), "{refused}");
    let mut session = open(&on(&server, &[("sql_mode", "NO_BACKSLASH_ESCAPES")]), "")?;
    run(&mut session, "DO '\\'")?;
    Ok(())
}
