//! Statements of every kind that is looked at, what they find, and what tells whether they took effect.

use runsheet_driver_mysql::judge::kinds::Kind;
use runsheet_test_servers::Family;

/// A statement. `{d}` stands for the name of the trial's database.
pub struct Case {
    /// Its row in the table of kinds.
    pub kind: Kind,
    /// On which servers; on both where none is said.
    pub only: Option<Family>,
    /// What it finds.
    pub setup: &'static str,
    pub statement: &'static str,
    /// What brings about a half of it, where that is possible.
    pub half: &'static str,
    /// What tells of its effect besides the definitions of tables, routines, triggers and events.
    pub also: &'static str,
    /// Run by an account with all rights, since rights on a database of its own are not enough.
    pub by_root: bool,
    /// It finds objects that were made at least a second before.
    pub aged: bool,
    /// Where a person must look although nothing is wrong.
    pub doubt: Doubt,
}

/// When a judgement is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    Never,
    /// Where MariaDB was started anew and does not mark.
    AfterStart,
    /// Where the server does not mark it.
    WithoutMark,
    /// Where the server does not mark it, or may do it without a mark.
    WithoutProof,
    /// Where the server was started anew, marked or not.
    AfterAnyStart,
}

const PLAIN: Case = Case {
    kind: Kind::Other,
    only: None,
    setup: "",
    statement: "",
    half: "",
    also: "",
    by_root: false,
    aged: false,
    doubt: Doubt::Never,
};

/// A table whose change takes a while.
pub const ROWS: &str = "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, a int, b varchar(50)) ENGINE=InnoDB; \
    INSERT INTO t (a, b) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i, repeat('x', 40) FROM n; \
    INSERT INTO t (a, b) SELECT a, b FROM t; INSERT INTO t (a, b) SELECT a, b FROM t; INSERT INTO t (a, b) SELECT a, b FROM t";
const PARTS: &str = "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 4; \
    INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT i FROM n";
const MANY: &str = "CREATE TABLE a (i int); CREATE TABLE b (i int, j int); CREATE TABLE c (k int); CREATE TABLE e (i int); \
    CREATE TABLE f (i int); CREATE TABLE g (i int); CREATE TABLE h (i int)";
const MARIADB: Option<Family> = Some(Family::MariaDb);
const MYSQL: Option<Family> = Some(Family::MySql);

/// All of them.
pub const CASES: &[Case] = &[
    Case { kind: Kind::CreateTable, statement: "CREATE TABLE n (a int, b int)", ..PLAIN },
    Case { kind: Kind::CreateTable, setup: ROWS, statement: "CREATE TABLE IF NOT EXISTS n LIKE t", ..PLAIN },
    Case {
        kind: Kind::CreateTableSelect,
        setup: ROWS,
        statement: "CREATE TABLE n AS SELECT * FROM t",
        also: "SELECT count(*) FROM n",
        ..PLAIN
    },
    Case {
        kind: Kind::ReplaceTable,
        only: MARIADB,
        setup: "CREATE TABLE n (a int); INSERT INTO n VALUES (1), (2)",
        statement: "CREATE OR REPLACE TABLE n (a int)",
        half: "DROP TABLE n",
        also: "SELECT count(*) FROM n",
        aged: true,
        doubt: Doubt::AfterAnyStart,
        ..PLAIN
    },
    Case {
        kind: Kind::AlterTable,
        setup: ROWS,
        statement: "ALTER TABLE t ADD COLUMN c int, ALGORITHM=COPY",
        ..PLAIN
    },
    Case { kind: Kind::AlterTable, setup: ROWS, statement: "ALTER TABLE t ADD COLUMN c int FIRST", ..PLAIN },
    Case { kind: Kind::AlterTable, setup: ROWS, statement: "ALTER TABLE t ADD INDEX (b)", ..PLAIN },
    // The same before and after: it may be run again.
    Case { kind: Kind::AlterTable, setup: ROWS, statement: "ALTER TABLE t ENGINE=InnoDB", ..PLAIN },
    Case { kind: Kind::AlterTableRename, setup: ROWS, statement: "ALTER TABLE t RENAME TO u", ..PLAIN },
    Case {
        kind: Kind::AlterTableAnew,
        setup: ROWS,
        statement: "ALTER TABLE t DROP COLUMN b, ADD COLUMN b varchar(50)",
        also: "SELECT count(b) FROM t",
        aged: true,
        doubt: Doubt::AfterStart,
        ..PLAIN
    },
    Case { kind: Kind::Index, setup: ROWS, statement: "CREATE INDEX i ON t (b)", ..PLAIN },
    Case {
        kind: Kind::Index,
        setup: "CREATE TABLE t (a int, KEY i (a))",
        statement: "DROP INDEX i ON t",
        ..PLAIN
    },
    Case { kind: Kind::DropTable, setup: ROWS, statement: "DROP TABLE t", ..PLAIN },
    Case {
        kind: Kind::DropTable,
        setup: MANY,
        statement: "DROP TABLE a, b, c, e, f, g, h",
        half: "DROP TABLE a, f",
        ..PLAIN
    },
    Case {
        kind: Kind::RenameTable,
        setup: MANY,
        statement: "RENAME TABLE a TO x, b TO a, x TO b, c TO d",
        half: "RENAME TABLE a TO x, b TO a",
        ..PLAIN
    },
    Case {
        kind: Kind::RenameTable,
        setup: "CREATE TABLE a (i int); CREATE TABLE b (i int); INSERT INTO a VALUES (7)",
        statement: "RENAME TABLE a TO x, b TO a, x TO b",
        also: "SELECT count(*) FROM a",
        aged: true,
        // Both were made in one second, so that MySQL tells them apart only by its mark.
        doubt: Doubt::WithoutMark,
        ..PLAIN
    },
    Case {
        kind: Kind::Truncate,
        setup: ROWS,
        statement: "TRUNCATE TABLE t",
        also: "SELECT count(*) FROM t",
        ..PLAIN
    },
    Case {
        kind: Kind::TruncatePartition,
        setup: PARTS,
        statement: "ALTER TABLE t TRUNCATE PARTITION p1, p2, p3",
        half: "ALTER TABLE t TRUNCATE PARTITION p1",
        also: "SELECT id % 4, count(*) FROM t GROUP BY 1 ORDER BY 1",
        ..PLAIN
    },
    Case {
        kind: Kind::ExchangePartition,
        setup: "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (100)); \
                CREATE TABLE u (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); INSERT INTO u VALUES (7)",
        statement: "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u",
        also: "SELECT count(*) FROM t",
        ..PLAIN
    },
    Case {
        kind: Kind::View,
        setup: "CREATE TABLE t (a int)",
        statement: "CREATE VIEW v AS SELECT a FROM t",
        ..PLAIN
    },
    Case {
        kind: Kind::View,
        setup: "CREATE DEFINER=least@localhost VIEW v AS SELECT 1; CREATE DEFINER=least@localhost VIEW w AS SELECT 2; CREATE DEFINER=least@localhost VIEW x AS SELECT 3",
        statement: "DROP VIEW v, w, x",
        half: "DROP VIEW w",
        ..PLAIN
    },
    Case { kind: Kind::Routine, statement: "CREATE PROCEDURE p() SELECT 1", ..PLAIN },
    Case {
        kind: Kind::Routine,
        setup: "CREATE DEFINER=least@localhost FUNCTION f() RETURNS int DETERMINISTIC RETURN 1",
        statement: "DROP FUNCTION f",
        ..PLAIN
    },
    Case {
        kind: Kind::Trigger,
        setup: "CREATE TABLE t (a int)",
        statement: "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = NEW.a + 1",
        ..PLAIN
    },
    Case {
        kind: Kind::Trigger,
        setup: "CREATE TABLE t (a int); CREATE DEFINER=least@localhost TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
        statement: "DROP TRIGGER tr",
        ..PLAIN
    },
    Case { kind: Kind::Event, statement: "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", ..PLAIN },
    Case {
        kind: Kind::Event,
        setup: "CREATE DEFINER=least@localhost EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
        statement: "ALTER EVENT e ON SCHEDULE EVERY 2 HOUR",
        ..PLAIN
    },
    Case {
        kind: Kind::Event,
        setup: "CREATE DEFINER=least@localhost EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
        statement: "DROP EVENT e",
        ..PLAIN
    },
    Case { kind: Kind::Sequence, only: MARIADB, statement: "CREATE SEQUENCE s START WITH 5", ..PLAIN },
    Case {
        kind: Kind::Sequence,
        only: MARIADB,
        setup: "CREATE SEQUENCE s",
        statement: "ALTER SEQUENCE s INCREMENT BY 3",
        also: "SELECT increment FROM s",
        ..PLAIN
    },
    Case {
        kind: Kind::Sequence,
        only: MARIADB,
        setup: "CREATE SEQUENCE s",
        statement: "ALTER SEQUENCE s RESTART 500",
        also: "SELECT next_not_cached_value FROM s",
        doubt: Doubt::WithoutProof,
        ..PLAIN
    },
    Case {
        kind: Kind::Sequence,
        only: MARIADB,
        setup: "CREATE SEQUENCE r; CREATE SEQUENCE s",
        statement: "DROP SEQUENCE r, s",
        half: "DROP SEQUENCE r",
        ..PLAIN
    },
    Case {
        kind: Kind::Database,
        statement: "CREATE DATABASE {d}_n",
        also: "SELECT count(*) FROM information_schema.schemata WHERE schema_name = '{d}_n'",
        ..PLAIN
    },
    Case {
        kind: Kind::Database,
        setup: "ALTER DATABASE {d} CHARACTER SET latin1",
        statement: "ALTER DATABASE {d} CHARACTER SET utf8mb4",
        also: "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = '{d}'",
        ..PLAIN
    },
    Case {
        kind: Kind::Database,
        setup: "CREATE DATABASE {d}_n; CREATE TABLE {d}_n.a (i int); CREATE TABLE {d}_n.b (i int); CREATE TABLE {d}_n.c (i int)",
        statement: "DROP DATABASE {d}_n",
        half: "DROP TABLE {d}_n.b",
        also: "SELECT count(*) FROM information_schema.schemata WHERE schema_name = '{d}_n'; \
               SELECT count(*) FROM information_schema.tables WHERE table_schema = '{d}_n'",
        ..PLAIN
    },
    Case {
        kind: Kind::Account,
        statement: "CREATE USER {d}_a@localhost IDENTIFIED BY 'x', {d}_b, {d}_c@'%' IDENTIFIED BY 'y' REQUIRE SSL",
        half: "CREATE USER {d}_a@localhost",
        also: "SELECT user, host FROM mysql.user WHERE user LIKE '{d}\\_%' ORDER BY 1, 2",
        by_root: true,
        ..PLAIN
    },
    Case {
        kind: Kind::Account,
        setup: "CREATE USER {d}_a, {d}_b, {d}_c",
        statement: "DROP USER {d}_a, {d}_b, {d}_c",
        half: "DROP USER {d}_b",
        also: "SELECT user, host FROM mysql.user WHERE user LIKE '{d}\\_%' ORDER BY 1, 2",
        by_root: true,
        ..PLAIN
    },
    Case {
        kind: Kind::Account,
        setup: "CREATE USER {d}_a, {d}_b",
        statement: "RENAME USER {d}_a TO {d}_c, {d}_b TO {d}_d@localhost",
        half: "RENAME USER {d}_a TO {d}_c",
        also: "SELECT user, host FROM mysql.user WHERE user LIKE '{d}\\_%' ORDER BY 1, 2",
        by_root: true,
        ..PLAIN
    },
    Case {
        kind: Kind::Account,
        statement: "CREATE ROLE {d}_r, {d}_s",
        half: "CREATE ROLE {d}_s",
        also: "SELECT user, host FROM mysql.user WHERE user LIKE '{d}\\_%' ORDER BY 1, 2",
        by_root: true,
        ..PLAIN
    },
    Case {
        kind: Kind::AlterAccount,
        setup: "CREATE USER {d}_a",
        statement: "ALTER USER {d}_a WITH MAX_USER_CONNECTIONS 3",
        also: "SHOW CREATE USER {d}_a",
        by_root: true,
        ..PLAIN
    },
    Case {
        kind: Kind::AlterAccount,
        only: MYSQL,
        setup: "CREATE USER {d}_a IDENTIFIED BY 'one'",
        statement: "ALTER USER {d}_a IDENTIFIED BY 'two' RETAIN CURRENT PASSWORD",
        also: "SELECT user_attributes IS NULL FROM mysql.user WHERE user = '{d}_a'",
        by_root: true,
        ..PLAIN
    },
    Case {
        kind: Kind::Revoke,
        setup: "CREATE USER {d}_a; GRANT SELECT, INSERT ON {d}.* TO {d}_a",
        statement: "REVOKE INSERT ON {d}.* FROM {d}_a",
        also: "SHOW GRANTS FOR {d}_a",
        by_root: true,
        ..PLAIN
    },
    Case {
        kind: Kind::SetGlobal,
        setup: "SET GLOBAL wait_timeout = 20000",
        statement: "SET GLOBAL wait_timeout = @@GLOBAL.wait_timeout + 7",
        also: "SELECT @@GLOBAL.wait_timeout",
        by_root: true,
        doubt: Doubt::AfterAnyStart,
        ..PLAIN
    },
    Case {
        kind: Kind::Plugin,
        only: MARIADB,
        setup: "UNINSTALL SONAME IF EXISTS 'locales'",
        statement: "INSTALL SONAME 'locales'",
        also: "SELECT count(*) FROM information_schema.plugins WHERE plugin_library = 'locales.so'",
        by_root: true,
        ..PLAIN
    },
    Case {
        kind: Kind::Plugin,
        only: MARIADB,
        setup: "INSTALL PLUGIN IF NOT EXISTS disks SONAME 'disks'",
        statement: "UNINSTALL PLUGIN disks",
        also: "SELECT count(*) FROM information_schema.plugins WHERE plugin_name = 'disks'",
        by_root: true,
        ..PLAIN
    },
    Case {
        kind: Kind::OtherObject,
        statement: "CREATE SERVER {d}_s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'h')",
        also: "SELECT count(*) FROM mysql.servers WHERE server_name = '{d}_s'",
        by_root: true,
        doubt: Doubt::WithoutProof,
        ..PLAIN
    },
];
