//! Changes to rows of tables without transactions are seen before they are run, and a database without such tables pays nothing for it.

mod support;

use anyhow::{Context, Result};
use runsheet_driver_mysql::Session;
use runsheet_sdk::{Class, Connection, Error, Mark, Observation, Observed, Settled};
use runsheet_test_servers::MySql;
use support::{both, fresh, is_mariadb, on, open, run};

fn vet(session: &mut Session, sql: &str) -> Result<Option<Observation>, Error> {
    session.judge().expect("it judges").vet(sql.as_bytes())
}

/// That a change is refused, naming this table.
#[track_caller]
fn refused(session: &mut Session, sql: &str, table: &str) {
    let error = vet(session, sql).expect_err(sql);
    assert_eq!(error.class, Class::Unsupported, "{error}");
    assert!(error.message.contains(table), "{sql}: {error}");
    assert!(error.hint.contains("non_transactional_dml"), "{error}");
    assert!(error.hint.contains("-- txn-mode = off"), "{error}");
}

#[track_caller]
fn let_through(session: &mut Session, sql: &str) {
    assert_eq!(vet(session, sql), Ok(None), "{sql}");
}

/// Runs a statement that commits by itself, as the executor does.
fn alone(session: &mut Session, sql: &str) -> Result<()> {
    let mark = Mark { task: "7".repeat(64), segment: 1, ..Mark::default() };
    let judge = session.judge().context("it judges")?;
    let Observed::Before(seen) = judge.observe(sql.as_bytes(), &mark)? else {
        anyhow::bail!("it was run before")
    };
    judge.execute(sql.as_bytes(), &mark, &seen.text, &mut |_| {}).with_context(|| sql.to_owned())?;
    Ok(())
}

/// How often the session has asked for the tables of a database.
fn questions(server: &MySql, database: &str) -> usize {
    let name: String = database.bytes().map(|byte| format!("{byte:02x}")).collect();
    let log = server.general_log();
    log.lines().filter(|line| line.contains("AND ENGINE NOT IN") && line.contains(&name)).count()
}

#[test]
fn a_database_without_such_tables_is_asked_once() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        run(&mut session, "CREATE TABLE t (a int) ENGINE=InnoDB")?;
        for number in 0..200 {
            let_through(&mut session, &format!("INSERT INTO t VALUES ({number})"));
            run(&mut session, &format!("INSERT INTO t VALUES ({number})"))?;
        }
        let_through(&mut session, "UPDATE t SET a = 1");
        let_through(&mut session, "DELETE FROM t");
        assert_eq!(questions(server, &database), 1);
        // What a sheet makes or alters is asked about by its name alone.
        alone(&mut session, "CREATE TABLE u (a int) ENGINE=InnoDB")?;
        let_through(&mut session, "INSERT INTO u VALUES (1)");
        let_through(&mut session, "INSERT INTO t VALUES (1)");
        assert_eq!(questions(server, &database), 2);
    }
    Ok(())
}

#[test]
fn changes_to_tables_without_transactions_are_refused_by_the_name_of_the_table() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        let mut engines = vec!["MyISAM", "MEMORY", "CSV", "ARCHIVE"];
        if is_mariadb(server) {
            engines.push("Aria");
            // Not loaded by itself.
            engines.retain(|engine| *engine != "ARCHIVE");
        }
        run(&mut session, "CREATE TABLE safe (a int NOT NULL) ENGINE=InnoDB")?;
        for engine in &engines {
            run(&mut session, &format!("CREATE TABLE `t {engine}` (a int NOT NULL) ENGINE={engine}"))?;
        }
        for engine in &engines {
            let table = format!("`t {engine}`");
            let name = format!("{database}.t {} ({engine})", engine.to_lowercase());
            for sql in [
                "INSERT INTO {} VALUES (1)",
                "UPDATE {} SET a = 1",
                "DELETE FROM {}",
                "REPLACE {} VALUES (1)",
            ] {
                refused(&mut session, &sql.replace("{}", &table), &name);
            }
            let_through(&mut session, &format!("INSERT INTO safe SELECT a FROM {table}"));
            let_through(&mut session, &format!("UPDATE safe s JOIN {table} t ON s.a = t.a SET s.a = t.a"));
            let_through(&mut session, &format!("DELETE s FROM safe s JOIN {table} t ON s.a = t.a"));
            refused(
                &mut session,
                &format!("UPDATE safe s JOIN {table} t ON s.a = t.a SET s.a = 1, t.a = 2"),
                &name,
            );
        }
    }
    Ok(())
}

#[test]
fn what_is_allowed_is_told_and_left_to_a_person_after_a_crash() -> Result<()> {
    for server in both() {
        let database = server.fresh_database()?;
        let mut session = open(&on(server, &[("non_transactional_dml", "allow")]), &database)?;
        run(&mut session, "CREATE TABLE t (a int) ENGINE=MyISAM")?;
        let seen = vet(&mut session, "INSERT INTO t VALUES (1)")?.context("it is told")?;
        assert_eq!(seen.settled, Settled::Nobody);
        assert!(seen.summary.contains(&format!("{database}.t (MyISAM)")), "{}", seen.summary);
    }
    Ok(())
}

#[test]
fn what_a_sheet_changes_of_its_tables_is_known_at_once() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        let (insert, name) = ("INSERT INTO t VALUES (1)", format!("{database}.t"));
        alone(&mut session, "CREATE TABLE t (a int) ENGINE=InnoDB")?;
        let_through(&mut session, insert);
        alone(&mut session, "ALTER TABLE t ENGINE=MyISAM")?;
        refused(&mut session, insert, &name);
        alone(&mut session, "RENAME TABLE t TO u")?;
        refused(&mut session, "INSERT INTO u VALUES (1)", &format!("{database}.u"));
        alone(&mut session, "ALTER TABLE u RENAME t")?;
        refused(&mut session, insert, &name);
        alone(&mut session, "ALTER TABLE t ENGINE=InnoDB")?;
        let_through(&mut session, insert);
        // A procedure may do anything.
        run(&mut session, "CREATE PROCEDURE p() ALTER TABLE t ENGINE=MyISAM")?;
        let_through(&mut session, insert);
        run(&mut session, "CALL p()")?;
        refused(&mut session, insert, &name);
        alone(&mut session, "DROP TABLE t")?;
        let_through(&mut session, insert);
    }
    Ok(())
}

#[test]
fn triggers_views_and_functions_are_looked_through() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        let name = format!("{database}.log");
        for sql in [
            "CREATE TABLE log (a int) ENGINE=MyISAM",
            "CREATE TABLE t (a int) ENGINE=InnoDB",
            "CREATE TABLE plain (a int) ENGINE=InnoDB",
            "CREATE VIEW over_log AS SELECT a FROM log",
            "CREATE VIEW over_plain AS SELECT a FROM plain",
            "CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (NEW.a)",
            "CREATE FUNCTION noting() RETURNS int DETERMINISTIC BEGIN INSERT INTO log VALUES (1); RETURN 1; END",
            "CREATE FUNCTION plainly() RETURNS int DETERMINISTIC RETURN 1",
        ] {
            run(&mut session, sql).with_context(|| sql.to_owned())?;
        }
        refused(&mut session, "INSERT INTO t VALUES (1)", &name);
        refused(&mut session, "UPDATE over_log SET a = 1", &name);
        refused(&mut session, "INSERT INTO plain VALUES (noting())", &name);
        let_through(&mut session, "INSERT INTO plain VALUES (plainly())");
        let_through(&mut session, "INSERT INTO plain VALUES (1), ('noting()')");
        let_through(&mut session, "UPDATE over_plain SET a = 1");
    }
    Ok(())
}

#[test]
fn the_database_that_a_name_means_is_the_one_that_the_session_uses() -> Result<()> {
    for server in both() {
        let (mut session, database) = fresh(server)?;
        let other = server.fresh_database()?;
        server.execute(&other, "CREATE TABLE t (a int) ENGINE=MyISAM")?;
        run(&mut session, "CREATE TABLE t (a int) ENGINE=InnoDB")?;
        let_through(&mut session, "INSERT INTO t VALUES (1)");
        refused(&mut session, &format!("INSERT INTO {other}.t VALUES (1)"), &format!("{other}.t"));
        run(&mut session, &format!("USE {other}"))?;
        refused(&mut session, "INSERT INTO t VALUES (1)", &format!("{other}.t"));
        let_through(&mut session, &format!("INSERT INTO {database}.t VALUES (1)"));
        // The session reads quotes as it was told to.
        run(&mut session, "SET sql_mode = 'ANSI_QUOTES'")?;
        refused(&mut session, "INSERT INTO \"t\" VALUES (1)", &format!("{other}.t"));
        session.reset("")?;
        let_through(&mut session, "INSERT INTO t VALUES (1)");
    }
    Ok(())
}

#[test]
fn a_count_of_the_statement_before_is_never_that_of_the_looking() -> Result<()> {
    for server in both() {
        let (mut session, _) = fresh(server)?;
        let other = server.fresh_database()?;
        server.execute(&other, "CREATE TABLE counts (a int) ENGINE=InnoDB")?;
        run(&mut session, "CREATE TABLE t (a int) ENGINE=InnoDB")?;
        let_through(&mut session, "INSERT INTO t VALUES (1), (2)");
        run(&mut session, "INSERT INTO t VALUES (1), (2)")?;
        let counts = format!("INSERT INTO {other}.counts VALUES (ROW_COUNT())");
        let error = vet(&mut session, &counts).expect_err("it would say something else");
        assert!(error.message.contains("ROW_COUNT"), "{error}");
        // The database is known now.
        run(&mut session, "INSERT INTO t VALUES (3), (4)")?;
        let_through(&mut session, &counts);
        run(&mut session, &counts)?;
        assert_eq!(server.query(&other, "SELECT a FROM counts")?, [["2"]]);
    }
    Ok(())
}
