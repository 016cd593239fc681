//! What statements change, as text: the kind, what becomes of which objects, and how.

use super::*;

const MARIADB: Dialect = Dialect { mariadb: true, version: 101_119, ansi_quotes: false, escapes: true };
const MYSQL: Dialect = Dialect { mariadb: false, version: 90_704, ..MARIADB };

fn names(objects: &[Object]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn told(dialect: Dialect, sql: &str) -> String {
    let change = Change::of(sql.as_bytes(), dialect, "d");
    let maybe = |yes: bool, word: &str| if yes { format!(" {word}") } else { String::new() };
    let effect = match &change.effect {
        Effect::Create(create) => format!(
            "create {}{}{}{}{}",
            names(&create.objects),
            maybe(create.lenient, "leniently"),
            maybe(create.replaces, "replacing"),
            maybe(create.filled, "filled"),
            maybe(create.passes, "passing")
        ),
        Effect::Drop { objects, lenient } => {
            format!("drop {}{}", names(objects), maybe(*lenient, "leniently"))
        }
        Effect::Rename { pairs, lenient } => {
            let pairs: Vec<String> = pairs.iter().map(|(from, to)| format!("{from} to {to}")).collect();
            format!("rename {}{}", pairs.join(", "), maybe(*lenient, "leniently"))
        }
        Effect::Alter(alter) => format!(
            "alter {}{}{} shown {:?}",
            names(&alter.objects),
            maybe(alter.lenient, "leniently"),
            alter.renamed.as_ref().map(|new| format!(" to {new}")).unwrap_or_default(),
            alter.shown
        ),
        Effect::Empty { table, partitions } => format!("empty {table} {}", partitions.join("+")),
        Effect::Exchange { table, partition, other } => {
            format!("exchange {partition} of {table} and {other}")
        }
        Effect::Set { variables } => format!("set {}", names(variables)),
        Effect::Again => "again".to_owned(),
        Effect::Unseen(_) => "unseen".to_owned(),
    };
    format!("{:?}: {}", change.kind, effect.trim_end())
}

fn check(dialect: Dialect, cases: &[(&str, &str)]) {
    for (sql, wanted) in cases {
        assert_eq!(told(dialect, sql), *wanted, "{sql}");
    }
}

#[test]
fn tables_are_made_dropped_and_renamed() {
    check(
        MARIADB,
        &[
            ("CREATE TABLE t (a int)", "CreateTable: create d.t"),
            ("create table if not exists `e`.`t` like s", "CreateTable: create e.t leniently"),
            ("CREATE TABLE e . t AS SELECT 1", "CreateTableSelect: create e.t filled"),
            (
                "CREATE TABLE t (a int, b varchar(9) DEFAULT 'select') PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (1))",
                "CreateTable: create d.t",
            ),
            (
                "CREATE TABLE t (a int) ENGINE=InnoDB (SELECT * FROM s)",
                "CreateTableSelect: create d.t filled",
            ),
            ("CREATE OR REPLACE TABLE t (a int)", "ReplaceTable: create d.t replacing"),
            ("CREATE OR REPLACE SEQUENCE s", "ReplaceTable: create d.s replacing"),
            ("/*!50001 CREATE TABLE IF NOT EXISTS t (a int)*/", "CreateTable: create d.t leniently"),
            ("DROP TABLE a, `b`.c /* x */ , d CASCADE", "DropTable: drop d.a, b.c, d.d"),
            ("DROP TABLES IF EXISTS a WAIT 5", "DropTable: drop d.a leniently"),
            ("RENAME TABLE a TO b, c TO e.d", "RenameTable: rename d.a to d.b, d.c to e.d"),
            ("RENAME TABLES IF EXISTS a WAIT 3 TO b", "RenameTable: rename d.a to d.b leniently"),
            ("TRUNCATE t", "Truncate: empty d.t"),
            ("TRUNCATE TABLE e.t NOWAIT", "Truncate: empty e.t"),
        ],
    );
}

#[test]
fn tables_are_altered_in_ways_that_show_or_not() {
    check(
        MARIADB,
        &[
            ("ALTER TABLE t ADD COLUMN c int", "AlterTable: alter d.t shown Yes"),
            (
                "ALTER ONLINE IGNORE TABLE IF EXISTS t WAIT 1 ADD c int",
                "AlterTable: alter d.t leniently shown Yes",
            ),
            (
                "ALTER TABLE t ENGINE=InnoDB, COMMENT='drop column a, add column a'",
                "AlterTable: alter d.t shown Yes",
            ),
            ("ALTER TABLE t DROP COLUMN c, ADD COLUMN c int", "AlterTableAnew: alter d.t shown Anew"),
            ("ALTER TABLE t DROP c, ADD (e int, f int)", "AlterTableAnew: alter d.t shown Anew"),
            ("ALTER TABLE t DROP c, ADD e int", "AlterTable: alter d.t shown Yes"),
            ("ALTER TABLE t DROP KEY c, ADD KEY c (a)", "AlterTable: alter d.t shown Yes"),
            (
                "ALTER TABLE t DROP SYSTEM VERSIONING, ADD SYSTEM VERSIONING",
                "AlterTableAnew: alter d.t shown Anew",
            ),
            ("ALTER TABLE t ADD c int, RENAME TO e.u", "AlterTableRename: alter d.t to e.u shown Yes"),
            ("ALTER TABLE t RENAME u", "AlterTableRename: alter d.t to d.u shown Yes"),
            ("ALTER TABLE t RENAME COLUMN a TO b, RENAME INDEX i TO j", "AlterTable: alter d.t shown Yes"),
            ("ALTER TABLE t TRUNCATE PARTITION p0, p1", "TruncatePartition: empty d.t p0+p1"),
            (
                "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE e.u",
                "ExchangePartition: exchange p of d.t and e.u",
            ),
            ("ALTER TABLE t REBUILD PARTITION ALL", "Maintenance: again"),
            ("ALTER TABLE t IMPORT TABLESPACE", "OtherObject: unseen"),
            ("CREATE UNIQUE INDEX IF NOT EXISTS i USING BTREE ON e.t (a)", "Index: alter e.t shown Yes"),
            ("CREATE OR REPLACE INDEX `on` ON t (a)", "Index: alter d.t shown Yes"),
            ("DROP INDEX `PRIMARY` ON t", "Index: alter d.t shown Yes"),
        ],
    );
}

#[test]
fn what_else_a_database_has_is_read() {
    check(
        MYSQL,
        &[
            (
                "CREATE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW v AS SELECT 1",
                "View: create d.v",
            ),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", "Replacing: again"),
            ("DROP VIEW IF EXISTS v, e.w", "View: drop d.v, e.w leniently"),
            ("CREATE DEFINER = CURRENT_USER() PROCEDURE p() SELECT 1", "Routine: create procedure d.p"),
            ("CREATE FUNCTION e.f() RETURNS int RETURN 1", "Routine: create function e.f"),
            ("CREATE FUNCTION f RETURNS STRING SONAME 'x.so'", "OtherObject: unseen"),
            ("DROP PROCEDURE p", "Routine: drop procedure d.p"),
            ("ALTER FUNCTION f COMMENT 'x'", "Replacing: again"),
            (
                "/*!50003 CREATE*/ /*!50017 DEFINER=a@localhost*/ /*!50003 TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @a = 1 */",
                "Trigger: create trigger d.tr",
            ),
            ("DROP TRIGGER IF EXISTS e.tr", "Trigger: drop trigger e.tr leniently"),
            ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", "Event: create event d.e"),
            ("CREATE EVENT e ON SCHEDULE AT NOW() DO SELECT 1", "Event: create event d.e passing"),
            ("ALTER DEFINER=a EVENT e RENAME TO f", "Event: alter event d.e to event d.f shown Yes"),
            ("CREATE DATABASE IF NOT EXISTS x", "Database: create database x leniently"),
            ("ALTER SCHEMA CHARACTER SET utf8mb4", "Database: alter database d shown Yes"),
            ("ALTER DATABASE x COLLATE utf8mb4_bin", "Database: alter database x shown Yes"),
            ("DROP DATABASE x", "Database: drop database x"),
            ("CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'h')", "OtherObject: unseen"),
            ("DROP TABLESPACE ts", "OtherObject: unseen"),
        ],
    );
    check(
        MARIADB,
        &[
            ("CREATE PACKAGE BODY p AS END", "Routine: create package body d.p"),
            ("ALTER SEQUENCE s RESTART 5", "Sequence: alter d.s shown Number"),
            ("ALTER SEQUENCE IF EXISTS s CACHE 9", "Sequence: alter d.s leniently shown Yes"),
            ("DROP SEQUENCE a, b", "Sequence: drop d.a, d.b"),
            ("CREATE ROLE r", "Account: create role r"),
            ("DROP ROLE r, s", "Account: drop role r, role s"),
        ],
    );
}

#[test]
fn accounts_and_what_they_may_are_read() {
    check(
        MYSQL,
        &[
            (
                "CREATE USER a@localhost IDENTIFIED BY 'x, y', 'b'@'%' IDENTIFIED WITH caching_sha2_password BY 'z' REQUIRE SSL PASSWORD EXPIRE",
                "Account: create account a@localhost, account b@%",
            ),
            ("CREATE USER IF NOT EXISTS a", "Account: create account a@% leniently"),
            ("CREATE USER a@10.0.0.1 DEFAULT ROLE r, s", "Account: create account a@10.0.0.1"),
            ("DROP USER a, b@h", "Account: drop account a@%, account b@h"),
            (
                "RENAME USER a@h TO b@h, c TO `d`@`x`",
                "Account: rename account a@h to account b@h, account c@% to account d@x",
            ),
            ("ALTER USER a@h IDENTIFIED BY 'x'", "AlterAccount: alter account a@h shown NotNeeded"),
            (
                "ALTER USER a@h IDENTIFIED BY 'x' RETAIN CURRENT PASSWORD",
                "AlterAccount: alter account a@h shown EachTime",
            ),
            ("SET PASSWORD FOR a@h = 'x'", "AlterAccount: again"),
            ("GRANT ALL ON *.* TO a", "Grant: again"),
            (
                "REVOKE SELECT (a, b), INSERT ON d.`from` FROM a@h, b",
                "Revoke: alter account a@h, account b@% shown Yes",
            ),
            ("REVOKE IF EXISTS r FROM a", "Grant: again"),
            ("SET DEFAULT ROLE r TO a", "Grant: again"),
        ],
    );
}

#[test]
fn what_is_of_the_whole_server_is_read() {
    check(
        MYSQL,
        &[
            ("SET GLOBAL max_connections = 200", "SetGlobal: again"),
            ("SET PERSIST a = -1.5, @@global.b = ON, GLOBAL c := 'x'", "SetGlobal: again"),
            ("SET GLOBAL max_connections = @@max_connections + 1", "SetGlobal: set variable max_connections"),
            ("SET GLOBAL gtid_purged = '+x:1'", "SetGlobal: set variable gtid_purged"),
            ("RESET PERSIST IF EXISTS a", "SetGlobal: again"),
            ("RESET BINARY LOGS AND GTIDS", "Other: unseen"),
            ("INSTALL PLUGIN p SONAME 'p.so'", "Plugin: create plugin p"),
            ("UNINSTALL SONAME 'p'", "Plugin: drop plugins of p"),
            ("INSTALL COMPONENT 'file://x'", "Other: unseen"),
            ("OPTIMIZE TABLE t", "Maintenance: again"),
            ("FLUSH PRIVILEGES", "Maintenance: again"),
            ("CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'h'", "Other: unseen"),
            ("CALL p()", "Other: unseen"),
            ("", "Other: unseen"),
            ("DROP TABLE", "Other: unseen"),
        ],
    );
}

#[test]
fn a_name_in_quotes_is_a_name_as_the_session_reads_it() {
    let ansi = Dialect { ansi_quotes: true, ..MYSQL };
    assert_eq!(told(ansi, r#"DROP TABLE "a b""#), "DropTable: drop d.a b");
    assert_eq!(told(MYSQL, "DROP TABLE `a``b`.`c`"), "DropTable: drop a`b.c");
    assert_eq!(told(MYSQL, "DROP TABLE ta\u{308}ble"), "DropTable: drop d.ta\u{308}ble");
}

#[test]
fn what_a_server_does_not_log_exactly_when_it_does_it_is_known() {
    let atomic =
        |dialect: Dialect, sql: &str| Change::of(sql.as_bytes(), dialect, "d").is_atomic(dialect.mariadb);
    for sql in [
        "DROP TABLE a",
        "DROP DATABASE a",
        "CREATE USER a, b",
        "TRUNCATE t",
        "ALTER TABLE t TRUNCATE PARTITION a",
    ] {
        assert!(atomic(MYSQL, sql), "{sql}");
        assert!(!atomic(MARIADB, sql), "{sql}");
    }
    for sql in ["RENAME TABLE a TO b, c TO d", "ALTER TABLE t ADD a int", "CREATE INDEX i ON t (a)"] {
        assert!(atomic(MARIADB, sql), "{sql}");
        assert!(atomic(MYSQL, sql), "{sql}");
    }
    assert!(!atomic(MARIADB, "ALTER SEQUENCE s RESTART"));
    assert!(!atomic(MYSQL, "CALL p()"));
    assert!(!atomic(MYSQL, "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'h')"));
}
