//! Each server starts, keeps what was committed through a kill, and is the test's own.

use anyhow::Result;
use runsheet_test_servers::{Family, MySql, MySqlOptions, Postgres, PostgresOptions};

#[test]
fn postgres_keeps_what_was_committed_when_it_is_killed() -> Result<()> {
    let mut server = Postgres::start(&PostgresOptions::default())?;
    let database = server.fresh_database()?;
    server.execute(&database, "CREATE TABLE t (id int); INSERT INTO t VALUES (7)")?;
    server.kill9();
    assert!(server.execute(&database, "SELECT 1").is_err());
    server.restart()?;
    assert_eq!(server.query(&database, "SELECT id FROM t")?, [["7"]]);
    assert!(server.log().contains("INSERT INTO t VALUES (7)"));
    Ok(())
}

#[test]
fn mariadb_and_mysql_run_side_by_side_and_keep_what_was_committed() -> Result<()> {
    for family in [Family::MariaDb, Family::MySql] {
        let mut server = MySql::start(family, &MySqlOptions::default())?;
        let second = MySql::start(family, &MySqlOptions::default())?;
        assert_ne!(server.port(), second.port());
        let database = server.fresh_database()?;
        server.execute(
            &database,
            "CREATE TABLE t (id int primary key) ENGINE=InnoDB; INSERT INTO t VALUES (7)",
        )?;
        server.kill9();
        server.restart()?;
        assert_eq!(server.query(&database, "SELECT id FROM t")?, [["7"]]);
        let version = server.query("", "SELECT version()")?;
        assert_eq!(version[0][0].contains("MariaDB"), family == Family::MariaDb);
        assert!(server.general_log().contains("INSERT INTO t VALUES (7)"));
    }
    Ok(())
}
