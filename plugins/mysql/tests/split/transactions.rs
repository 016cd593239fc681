//! Whether a statement commits by itself: what the splitter says, against what real servers do with a row that was inserted before it.

use crate::cut;
use anyhow::Result;
use runsheet_driver_mysql::MySqlSplitter;
use runsheet_sdk::Flags;
use runsheet_test_servers::{MySql, shared};

const OBJECTS: &str = "CREATE TABLE t (a INT PRIMARY KEY, b INT); CREATE TABLE probe (a INT) ENGINE=InnoDB; CREATE PROCEDURE q() SELECT 1;";

/// What both servers commit, in an order in which each works.
const COMMITS: &[&str] = &[
    "CREATE TABLE x (a INT)",
    "CREATE TABLE y SELECT 1 AS a",
    "ALTER TABLE t ADD c INT",
    "/*!40000 ALTER TABLE t DISABLE KEYS */",
    "RENAME TABLE x TO z",
    "TRUNCATE t",
    "DROP TABLE y, z",
    "CREATE INDEX i ON t (b)",
    "DROP INDEX i ON t",
    "CREATE VIEW v AS SELECT 1",
    "ALTER VIEW v AS SELECT 2",
    "DROP VIEW v",
    "CREATE PROCEDURE p() SELECT 1",
    "ALTER PROCEDURE p COMMENT 'x'",
    "DROP PROCEDURE p",
    "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1",
    "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
    "ALTER EVENT e DISABLE",
    "DROP EVENT e",
    "CREATE USER user_of_split IDENTIFIED BY 'x'",
    "ALTER USER user_of_split IDENTIFIED BY 'y'",
    "GRANT SELECT ON *.* TO user_of_split",
    "REVOKE SELECT ON *.* FROM user_of_split",
    "RENAME USER user_of_split TO other_of_split",
    "DROP USER other_of_split",
    "CREATE DATABASE database_of_split",
    "DROP DATABASE database_of_split",
    "ANALYZE TABLE t",
    "ANALYZE LOCAL TABLE t",
    "CHECK TABLE t",
    "OPTIMIZE TABLE t",
    "REPAIR TABLE t",
    "FLUSH TABLES",
    "FLUSH LOCAL LOGS",
];

const COMMITS_IN_MYSQL: &[&str] =
    &["LOAD INDEX INTO CACHE t", "CREATE ROLE role_of_split", "DROP ROLE role_of_split"];

/// What neither commits.
const STAYS_OPEN: &[&str] = &[
    "INSERT INTO t (a) VALUES (1)",
    "UPDATE t SET a = a",
    "WITH c AS (SELECT 1) SELECT * FROM c",
    "SELECT 1",
    "SAVEPOINT a",
    "SET @a = 1",
    "SET NAMES utf8mb4",
    "SET sql_mode = ''",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "PREPARE s FROM 'SELECT 1'",
    "DO 1",
    "CALL q()",
    "SHOW TABLES",
    "EXPLAIN SELECT 1",
    "DESCRIBE t",
    "CHECKSUM TABLE t",
    "CREATE TEMPORARY TABLE x (a INT)",
    "CREATE TEMPORARY TABLE x2 SELECT 1 AS a",
    "DROP TEMPORARY TABLE IF EXISTS x",
];

const STAYS_OPEN_IN_MARIADB: &[&str] = &[
    "CREATE OR REPLACE TEMPORARY TABLE x (a INT)",
    "SET STATEMENT max_statement_time = 1 FOR INSERT INTO t (a) VALUES (1)",
    "ANALYZE UPDATE t SET a = a",
    "ANALYZE SELECT 1",
    "BEGIN NOT ATOMIC SELECT 1; END",
];

const COMMITS_IN_MARIADB: &[&str] = &[
    "SET STATEMENT max_statement_time = 1 FOR ALTER TABLE t ADD d INT",
    "CREATE OR REPLACE TABLE x (a INT)",
    "CREATE SEQUENCE s",
    "DROP SEQUENCE s",
];

/// These stand outside of any transaction of ours; the first is refused in one, and the others may commit it.
const ALONE: &[&str] = &[
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET autocommit = 1",
    "LOCK TABLES t WRITE",
    "UNLOCK TABLES",
    "SET GLOBAL max_connections = 200",
];

fn flags(statement: &str) -> Flags {
    let text = format!("DELIMITER //\n{statement}");
    let outcome = cut::whole(MySqlSplitter::for_mode(""), text.as_bytes());
    assert_eq!((outcome.pieces.len(), outcome.fault), (1, None), "{statement}");
    outcome.pieces[0].flags
}

/// Which of the statements commit: a row that was inserted before each of them is there although it was rolled back.
fn committed(server: &MySql, database: &str, statements: &[&str]) -> Result<Vec<bool>> {
    let mut script = "DELIMITER $$\n".to_owned();
    for (number, statement) in statements.iter().enumerate() {
        script.push_str(&format!(
            "START TRANSACTION$$ INSERT INTO probe VALUES ({number})$$ {statement}$$ ROLLBACK$$\n"
        ));
    }
    server.execute(database, &script)?;
    let rows = server.query(database, "SELECT a FROM probe")?;
    Ok((0..statements.len()).map(|number| rows.contains(&vec![number.to_string()])).collect())
}

fn compare(server: &MySql, commit: &[&[&str]], stay_open: &[&[&str]]) -> Result<()> {
    let database = server.fresh_database()?;
    server.execute(&database, OBJECTS)?;
    let statements = [commit.concat(), stay_open.concat()].concat();
    let committed = committed(server, &database, &statements)?;
    for (number, (statement, committed)) in statements.iter().zip(committed).enumerate() {
        let wanted = number < commit.concat().len();
        let said = flags(statement).has(Flags::COMMITS);
        assert_eq!((said, committed), (wanted, wanted), "{:?}: {statement}: said, done", server.family());
    }
    for statement in ALONE {
        assert!(flags(statement).has(Flags::ALONE), "{statement}");
    }
    let refused = server.execute(&database, &format!("START TRANSACTION; {}", ALONE[0]));
    assert!(refused.is_err_and(|error| error.to_string().contains("transaction is in progress")));
    Ok(())
}

#[test]
fn what_commits_by_itself_in_mariadb_is_said_to() -> Result<()> {
    compare(shared::mariadb(), &[COMMITS, COMMITS_IN_MARIADB], &[STAYS_OPEN, STAYS_OPEN_IN_MARIADB])
}

#[test]
fn what_commits_by_itself_in_mysql_is_said_to() -> Result<()> {
    compare(shared::mysql(), &[COMMITS, COMMITS_IN_MYSQL], &[STAYS_OPEN])
}
