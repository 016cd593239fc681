//! Judging in sessions as sheets leave them, the session that holds the lock, and what is advised.

mod support;

use anyhow::{Context, Result, bail};
use runsheet_driver_mysql::Session;
use runsheet_sdk::{Connection, Error, Identity, Mark, Observation, Observed, Ruling, TryLock};
use runsheet_test_servers::{Family, MySql, MySqlOptions, wait_until};
use support::{ask, both, by_tcp, fresh, is_mariadb, on, open, run};

fn start(family: Family, arguments: &[&str]) -> Result<MySql> {
    let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
    MySql::start(family, &MySqlOptions { arguments, ..MySqlOptions::default() })
}

/// Without marks: what is run here beside them would contradict them.
const UNMARKED: &[(&str, &str)] = &[("gtid", "off")];

/// A session in a database of its own.
fn unmarked(server: &MySql) -> Result<(Session, String)> {
    let database = server.fresh_database()?;
    Ok((open(&on(server, UNMARKED), &database)?, database))
}

fn observed(session: &mut Session, sql: &str) -> Result<Observed, Error> {
    let mark = Mark { task: "5".repeat(64), segment: 1, ..Mark::default() };
    session.judge().expect("it judges").observe(sql.as_bytes(), &mark)
}

fn before(session: &mut Session, sql: &str) -> Result<Observation> {
    match observed(session, sql)? {
        Observed::Before(seen) => Ok(seen),
        Observed::Applied(verdict) => bail!("it was run before: {verdict:?}"),
    }
}

fn ruling(session: &mut Session, sql: &str, seen: &Observation) -> Result<Ruling> {
    let judge = session.judge().context("it judges")?;
    Ok(judge.judge(sql.as_bytes(), &Mark::default(), &seen.text)?.ruling)
}

#[test]
fn a_table_that_the_server_cannot_open_is_not_taken_for_made() -> Result<()> {
    const CREATE: &str = "CREATE TABLE t (a int) ENGINE=InnoDB";
    let mut server = start(Family::MariaDb, &[])?;
    let database = server.fresh_database()?;
    let seen = before(&mut open(&on(&server, UNMARKED), &database)?, CREATE)?;
    server.execute(&database, CREATE)?;
    let files = server.query("", "SELECT @@datadir")?.concat().concat();
    server.kill9();
    // As a kill between making the file and filling it leaves it.
    std::fs::File::create(format!("{files}{database}/t.frm"))?;
    server.restart()?;
    let mut session = open(&on(&server, UNMARKED), &database)?;
    let verdict =
        session.judge().context("it judges")?.judge(CREATE.as_bytes(), &Mark::default(), &seen.text)?;
    assert_eq!(verdict.ruling, Ruling::Unknown, "{verdict:?}");
    assert!(verdict.reason.contains("cannot open it"), "{verdict:?}");
    Ok(())
}

#[test]
fn what_a_sheet_has_made_of_its_session_changes_no_judgement() -> Result<()> {
    const ALTER: &str = "ALTER TABLE `tä` ADD c int";
    for server in both() {
        let (mut session, database) = unmarked(server)?;
        run(&mut session, "CREATE TABLE `tä` (a int, b varchar(9) DEFAULT 'ü') ENGINE=InnoDB")?;
        for setting in [
            "SET sql_mode = 'ANSI_QUOTES'",
            "SET sql_quote_show_create = 0",
            "SET sql_select_limit = 1",
            "SET time_zone = '-07:00'",
            "SET character_set_results = NULL",
        ] {
            let state = "SELECT CONCAT_WS(' ', @@sql_mode, @@sql_quote_show_create, @@sql_select_limit, @@character_set_client)";
            run(&mut session, setting)?;
            let was = ask(&mut session, state)?;
            let seen = before(&mut session, ALTER)?;
            assert_eq!(ask(&mut session, state)?, was, "{setting}");
            let mut other = open(&on(server, UNMARKED), &database)?;
            assert_eq!(ruling(&mut other, ALTER, &seen)?, Ruling::NotApplied, "{setting}");
            run(&mut other, ALTER)?;
            assert_eq!(ruling(&mut other, ALTER, &seen)?, Ruling::Applied, "{setting}");
            run(&mut other, "ALTER TABLE `tä` DROP c")?;
            session.reset("")?;
        }
    }
    Ok(())
}

#[test]
fn a_name_means_the_database_that_the_session_uses() -> Result<()> {
    const DROP: &str = "DROP TABLE t";
    for server in both() {
        let (mut session, database) = unmarked(server)?;
        let other = server.fresh_database()?;
        server.execute(&other, "CREATE TABLE t (a int)")?;
        run(&mut session, &format!("USE {other}"))?;
        let seen = before(&mut session, DROP)?;
        assert!(seen.summary.contains(&format!("{other}.t is there")), "{}", seen.summary);
        run(&mut session, DROP)?;
        // The next session begins in the database of the target.
        let mut next = open(&on(server, UNMARKED), &database)?;
        assert_eq!(ruling(&mut next, DROP, &seen)?, Ruling::Applied);
    }
    Ok(())
}

#[test]
fn a_temporary_table_is_not_taken_for_the_one_behind_it() -> Result<()> {
    const ALTER: &str = "ALTER TABLE t ADD c int";
    for server in both() {
        let (mut session, database) = unmarked(server)?;
        run(&mut session, "CREATE TABLE t (a int)")?;
        run(&mut session, "CREATE TEMPORARY TABLE t (a int)")?;
        let seen = before(&mut session, ALTER)?;
        drop(session);
        let mut next = open(&on(server, UNMARKED), &database)?;
        assert_eq!(ruling(&mut next, ALTER, &seen)?, Ruling::Unknown, "{}", seen.summary);
    }
    Ok(())
}

#[test]
fn a_session_that_has_let_go_of_its_lock_sends_nothing() -> Result<()> {
    for server in both() {
        let (mut session, _) = fresh(server)?;
        assert_eq!(session.try_lock()?, TryLock::Held);
        before(&mut session, "CREATE TABLE t (a int)")?;
        run(&mut session, "DO RELEASE_ALL_LOCKS()")?;
        let error = observed(&mut session, "CREATE TABLE t (a int)").expect_err("the lock is gone");
        assert!(error.message.contains("lost its lock"), "{error}");
    }
    Ok(())
}

#[test]
fn the_holder_is_shown_at_work_and_no_other_session_is_ended() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        assert_eq!(session.try_lock()?, TryLock::Held);
        let own = session.identify()?;
        let running = std::thread::spawn(move || {
            let ended = run(&mut session, "SELECT /* at work */ SLEEP(60)");
            (session, ended)
        });
        let mut other = open(&on(server, &[]), &database)?;
        let mut holder = Identity::default();
        wait_until("the holder is at work", || {
            if let Ok(TryLock::Busy(Some(found))) = other.try_lock() {
                holder = *found;
            }
            holder.doing.contains("SLEEP(60)")
        })?;
        assert_eq!(
            (&holder.session, &holder.system, &holder.database),
            (&own.session, &own.system, &own.database)
        );
        assert!(own.user.starts_with(&holder.user) && !holder.user.is_empty(), "{holder:?}");
        assert!(holder.session_start.is_empty(), "the server tells nobody");
        // Another server process, another holder.
        let strangers = [
            Identity { system: format!("{} or so", holder.system), ..holder.clone() },
            Identity { session: other.identify()?.session, ..holder.clone() },
            Identity { session: "0 OR 1".to_owned(), ..holder.clone() },
        ];
        for stranger in &strangers {
            other.end_holder(stranger).expect_err("it is another session");
        }
        assert!(matches!(other.try_lock()?, TryLock::Busy(_)));
        other.end_holder(&holder)?;
        wait_until("the lock is free", || matches!(other.try_lock(), Ok(TryLock::Held)))?;
        let (_, ended) = running.join().map_err(|_| anyhow::anyhow!("the session's thread panicked"))?;
        assert!(ended.is_err());
        // It has ended already.
        other.unlock()?;
        other.end_holder(&holder)?;
    }
    Ok(())
}

fn advice(session: &mut Session) -> Result<Vec<String>> {
    let mut said = Vec::new();
    let judge = session.judge().context("it judges")?;
    judge.advise(&mut |notice| said.push(format!("{}: {}", notice.severity, notice.message)))?;
    Ok(said)
}

/// That something is advised which begins and goes on so.
#[track_caller]
fn assert_says(said: &[String], begin: &str, part: &str) {
    let found = said.iter().any(|one| one.starts_with(begin) && one.contains(part));
    assert!(found, "`{begin}` and `{part}` are not in {said:#?}");
}

#[test]
fn a_server_that_marks_and_keeps_what_it_acknowledges_gets_no_warning() -> Result<()> {
    let server = start(Family::MySql, &["--gtid-mode=ON", "--enforce-gtid-consistency=ON"])?;
    let mut session = open(&on(&server, &[]), "")?;
    assert_eq!(advice(&mut session)?, ["NOTE: DDL on this instance: exactly once by GTID"]);
    let server = start(Family::MariaDb, &["--sync-binlog=1"])?;
    let mut session = open(&on(&server, &[("gtid_domain_id", "7001")]), "")?;
    let said = advice(&mut session)?;
    assert_eq!(said.len(), 1, "{said:?}");
    assert_says(&said, "NOTE: DDL on this instance: exactly once by GTID", "7001");
    Ok(())
}

#[test]
fn what_keeps_a_server_from_marking_is_said_with_what_would_change_that() -> Result<()> {
    const OBSERVED: &str = "NOTE: DDL on this instance: judged by observation, because";
    let mysql = start(Family::MySql, &["--gtid-mode=ON", "--enforce-gtid-consistency=ON"])?;
    let mariadb = start(Family::MariaDb, &[])?;
    for server in [&mysql, &mariadb] {
        server.execute("", "CREATE USER least@'127.0.0.1', least@localhost")?;
    }
    let domain = [("gtid_domain_id", "7001"), ("user", "least")];
    let mut session = open(&by_tcp(&mysql, &domain), "")?;
    assert_says(&advice(&mut session)?, OBSERVED, "GRANT SESSION_VARIABLES_ADMIN ON *.* TO `least`@`");
    let mut session = open(&by_tcp(&mariadb, &domain), "")?;
    assert_says(&advice(&mut session)?, OBSERVED, "GRANT BINLOG REPLAY ON *.* TO `least`@`");
    let mut session = open(&on(&mariadb, &[]), "")?;
    assert_says(&advice(&mut session)?, OBSERVED, "`gtid_domain_id`");
    let mut session = open(&on(&mysql, &[("gtid", "off")]), "")?;
    assert_says(&advice(&mut session)?, OBSERVED, "`gtid` is \"off\"");
    let plain = start(Family::MySql, &["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"])?;
    let mut session = open(&on(&plain, &[]), "")?;
    assert_says(&advice(&mut session)?, OBSERVED, "gtid_mode = ON");
    let silent = start(Family::MariaDb, &["--skip-log-bin"])?;
    let mut session = open(&on(&silent, &[("gtid_domain_id", "7001")]), "")?;
    assert_says(&advice(&mut session)?, OBSERVED, "log_bin");
    Ok(())
}

#[test]
fn what_may_lose_an_acknowledged_commit_is_warned_of() -> Result<()> {
    for family in [Family::MariaDb, Family::MySql] {
        let careless = [
            "--innodb-flush-log-at-trx-commit=0",
            "--sync-binlog=0",
            "--skip-innodb-doublewrite",
            "--default-storage-engine=MyISAM",
        ];
        let server = start(family, &careless)?;
        let mut session = open(&on(&server, &[]), "")?;
        let said = advice(&mut session)?;
        for what in
            ["innodb_flush_log_at_trx_commit is 0", "sync_binlog is 0", "innodb_doublewrite", "MyISAM"]
        {
            assert_says(&said, "WARNING: ", what);
        }
        assert_eq!(said.len(), 5, "{said:#?}");
    }
    Ok(())
}

#[test]
fn an_observation_of_another_server_decides_nothing() -> Result<()> {
    const CREATE: &str = "CREATE TABLE t (a int)";
    for server in both() {
        let family = if is_mariadb(server) { Family::MariaDb } else { Family::MySql };
        let other = start(family, &["--server-id=2"])?;
        let database = server.fresh_database()?;
        other.execute("", &format!("CREATE DATABASE {database}"))?;
        let mut session = open(&on(server, &[("gtid", "off")]), &database)?;
        let seen = before(&mut session, CREATE)?;
        let mut elsewhere = open(&on(&other, &[]), &database)?;
        assert_eq!(ruling(&mut elsewhere, CREATE, &seen)?, Ruling::Unknown);
        assert_eq!(ruling(&mut session, CREATE, &seen)?, Ruling::NotApplied);
    }
    Ok(())
}
