//! Tables: a text, and what is to be cut from it.

use crate::cut::{self, lines};
use runsheet_driver_mysql::MySqlSplitter;

fn pieces(text: &str) -> Vec<String> {
    let outcome = cut::whole(MySqlSplitter::for_mode(""), text.as_bytes());
    assert_eq!(outcome.fault, None, "{text}");
    lines(&outcome, text.as_bytes())
}

#[track_caller]
fn cuts(text: &str, wanted: &[&str]) {
    assert_eq!(pieces(text), wanted, "{text}");
}

/// Each is one statement.
#[track_caller]
fn holds_together(texts: &[&str]) {
    for text in texts {
        let script = format!("{text}; SELECT 2");
        assert_eq!(pieces(&script).len(), 2, "{script}: {:?}", pieces(&script));
    }
}

#[track_caller]
fn refuses(text: impl AsRef<[u8]>, line: usize, says: &str) {
    let text = text.as_ref();
    let fault = cut::whole(MySqlSplitter::for_mode(""), text).fault;
    let fault = fault.unwrap_or_else(|| panic!("{:?} is not refused", String::from_utf8_lossy(text)));
    assert!(fault.message.contains(says), "{:?}: {}", String::from_utf8_lossy(text), fault.message);
    assert_eq!(fault.line(text), line, "{:?}: {}", String::from_utf8_lossy(text), fault.message);
}

#[test]
fn a_semicolon_in_a_quote_or_comment_ends_nothing() {
    holds_together(&[
        "SELECT ';'",
        "SELECT 'it''s; so', 'it\\'s; so', '\\\\'",
        "SELECT \"a;\"\"b\", \"a\\\";\"",
        "SELECT `a;``b`, `back\\`",
        "SELECT 1 /* ; ' */",
        "SELECT 1 -- ; '\n",
        "SELECT 1 --\n",
        "SELECT 1 # ; '\n",
        "SELECT /*+ MAX_EXECUTION_TIME(1) ; ' */ 1",
        "SELECT /*!50001 ';' */ 1, /*!80000 1 /* in ; it */ + */ 2",
        "SELECT \\N",
        "--without a blank before a statement; '\nSELECT 1",
    ]);
    cuts("SELECT 1--2; SELECT 1", &["query: SELECT 1--2", "query: SELECT 1"]);
    cuts("/* a */ -- b\n# c\n;; SELECT 1 -- d", &["query: SELECT 1 -- d"]);
}

#[test]
fn strings_follow_sql_mode() {
    cuts(
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SELECT '\\'; SET sql_mode = 'ANSI'; SELECT \"\\\", '\\'; '; SET sql_mode = @old; SELECT \"\\\"; \"",
        &[
            "session session: SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
            "query: SELECT '\\'",
            "session session: SET sql_mode = 'ANSI'",
            "query: SELECT \"\\\", '\\'; '",
            "session session: SET sql_mode = @old",
            "query: SELECT \"\\\"; \"",
        ],
    );
    let text = b"SELECT '\\', \"\\\"; SELECT 1";
    let outcome = cut::whole(MySqlSplitter::for_mode("ansi_quotes,no_backslash_escapes"), text);
    assert_eq!(lines(&outcome, text), ["query: SELECT '\\', \"\\\"", "query: SELECT 1"]);
    refuses("SELECT 1;\nSET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES');", 2, "as a string");
}

#[test]
fn a_delimiter_may_be_any_string() {
    for delimiter in ["//", "$$", ";;", "|", "GO", "EOF_", "é", "-", "#"] {
        let script = format!(
            "delimiter {delimiter}\nSELECT 1 {delimiter} SELECT 2{delimiter}\nDELIMITER ;\nSELECT 3;"
        );
        cuts(&script, &["query: SELECT 1", "query: SELECT 2", "query: SELECT 3"]);
    }
    cuts(
        "DELIMITER // -- so\r\nSELECT 1//\r\n  delimiter ;\r\nSELECT 2;",
        &["query: SELECT 1", "query: SELECT 2"],
    );
    cuts(
        "DELIMITER '//'\nSELECT 1//\nDELIMITER \"a b\"\nSELECT 2 a b",
        &["query: SELECT 1", "query: SELECT 2"],
    );
    cuts("DELIMITER xx\nSELECT axxSELECT 2xx", &["query: SELECT a", "query: SELECT 2"]);
    cuts("DELIMITER x;\nSELECT axyx;SELECT 2", &["query: SELECT axy", "query: SELECT 2"]);
    cuts("CREATE TABLE t (\ndelimiter CHAR(1))", &["ddl commits: CREATE TABLE t (\ndelimiter CHAR(1))"]);
    refuses("SELECT 1; DELIMITER //", 1, "beginning of a line");
    refuses("DELIMITER //\nSELECT 1;\nDELIMITER ;\nSELECT 2;", 3, "in force");
    refuses("\nDELIMITER\n", 2, "needs the delimiter");
    refuses("DELIMITER;\n", 1, "needs the delimiter");
    refuses("DELIMITER \\\\\n", 1, "backslash");
    refuses("DELIMITER 0123456789abcdef\n", 1, "15 bytes");
}

#[test]
fn a_body_is_one_statement_and_others_are_taken_apart() {
    cuts(
        "DELIMITER //\nDROP PROCEDURE IF EXISTS p;\nCREATE PROCEDURE p()\nBEGIN\n  SELECT 1;\n  SELECT ';';\nEND //\nDELIMITER ;\nCALL p;",
        &[
            "ddl commits: DROP PROCEDURE IF EXISTS p",
            "ddl commits: CREATE PROCEDURE p()\nBEGIN\n  SELECT 1;\n  SELECT ';';\nEND",
            "call may-commit: CALL p",
        ],
    );
    for body in [
        "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`l`*/ /*!50003 TRIGGER t BEFORE INSERT ON u FOR EACH ROW BEGIN SET @a = 1; END */",
        "CREATE DEFINER = CURRENT_USER EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN SELECT 1; END",
        "CREATE OR REPLACE PACKAGE BODY k AS PROCEDURE p AS BEGIN SELECT 1; END; END",
    ] {
        cuts(
            &format!("DELIMITER ;;\n{body} ;;\nSELECT 1 ;;"),
            &[&format!("ddl commits: {body}"), "query: SELECT 1"],
        );
    }
    for body in [
        "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END",
        "begin\n insert into t values (1); commit; end",
        "part: BEGIN SELECT 1; END",
        "DECLARE a INT; BEGIN SELECT 1; END",
        "IF a THEN SELECT 1; END IF",
        "FOR i IN 1..2 DO SELECT i; END FOR",
    ] {
        cuts(&format!("DELIMITER //\n{body} //"), &[&format!("call may-commit: {body}")]);
    }
    cuts(
        "CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS $js$ let a = '$$;'; return a; $js$; SELECT 1",
        &[
            "ddl commits: CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS $js$ let a = '$$;'; return a; $js$",
            "query: SELECT 1",
        ],
    );
}

#[test]
fn what_the_client_does_by_itself_is_understood_or_refused_by_name_and_line() {
    cuts(
        "use db1\nSELECT 1\\G SELECT 2\\g\nUSE `db2`;",
        &["session session: use db1", "query: SELECT 1", "query: SELECT 2", "session session: USE `db2`"],
    );
    for command in [
        "source other.sql",
        "\\. other.sql",
        "\\c",
        "\\q",
        "exit",
        "quit;",
        "system ls",
        "\\! ls",
        "tee file",
        "notee",
        "pager less",
        "connect db",
        "\\r",
        "\\u db",
        "status",
        "\\s",
        "print",
        "\\d //",
        "charset utf8",
        "edit",
        "ego",
        "go",
        "clear",
        "help",
        "prompt x",
        "warnings;",
        "nowarning",
        "rehash",
        "\\x",
    ] {
        let name = command.split([' ', ';']).next().unwrap();
        refuses(format!("SELECT 1;\n\n{command}\nSELECT 2;"), 3, &format!("`{name}`"));
    }
    holds_together(&["source: LOOP", "SELECT\nsource", "statuses", "exits"]);
}

#[test]
fn transactions_of_the_sheets_own_are_told_apart() {
    cuts(
        "BEGIN; begin work; START TRANSACTION READ ONLY; COMMIT; COMMIT AND NO CHAIN NO RELEASE; ROLLBACK; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a; SAVEPOINT a; RELEASE SAVEPOINT a",
        &[
            "begin: BEGIN",
            "begin: begin work",
            "begin: START TRANSACTION READ ONLY",
            "commit: COMMIT",
            "commit: COMMIT AND NO CHAIN NO RELEASE",
            "rollback: ROLLBACK",
            "savepoint: ROLLBACK TO a",
            "savepoint: ROLLBACK WORK TO SAVEPOINT a",
            "savepoint: SAVEPOINT a",
            "savepoint: RELEASE SAVEPOINT a",
        ],
    );
    for (statement, says) in [
        ("COMMIT AND CHAIN", "AND CHAIN"),
        ("ROLLBACK AND CHAIN", "AND CHAIN"),
        ("COMMIT RELEASE", "RELEASE"),
        ("ROLLBACK RELEASE", "RELEASE"),
        ("XA START 'x'", "XA"),
        ("LOAD DATA LOCAL INFILE 'f' INTO TABLE t", "LOAD DATA LOCAL"),
    ] {
        refuses(format!("BEGIN;\n{statement};"), 2, says);
    }
}

#[test]
fn kinds_and_flags_are_told_from_the_words() {
    for (statement, wanted) in [
        ("INSERT INTO t VALUES (1)", "dml"),
        ("LOAD DATA INFILE 'f' INTO TABLE t", "dml"),
        ("WITH a AS (SELECT 1) DELETE FROM t", "dml"),
        ("ANALYZE UPDATE t SET a = 1", "dml"),
        ("ANALYZE FORMAT=JSON SELECT 1", "query"),
        ("ANALYZE TABLE t", "maintenance commits repeatable"),
        ("(SELECT 1) UNION (SELECT 2)", "query"),
        ("EXECUTE IMMEDIATE 'SELECT 1'", "call may-commit"),
        ("SET STATEMENT max_statement_time=1 FOR INSERT INTO t VALUES (1)", "dml"),
        (
            "SET STATEMENT lock_wait_timeout=1, max_statement_time=1 FOR ALTER TABLE t ADD a INT",
            "ddl commits",
        ),
        ("SET @a = 1", "session session"),
        ("SET autocommit = 0", "session alone session"),
        ("SET @OLD_AUTOCOMMIT=@@AUTOCOMMIT, @@AUTOCOMMIT=0", "session alone session"),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "session alone session"),
        ("SET GLOBAL max_connections = 5", "other alone"),
        ("SET @@persist.max_connections = 5", "other alone"),
        ("LOCK TABLES t WRITE", "session alone session"),
        ("CREATE TEMPORARY TABLE t (a INT)", "ddl"),
        ("CREATE OR REPLACE TEMPORARY TABLE t (a INT)", "ddl"),
        ("DROP TEMPORARY TABLE t", "ddl"),
        ("CREATE TABLE t SELECT 1", "ddl commits"),
        ("/*!50001 CREATE*/ /*!50013 VIEW v AS SELECT 1 */", "ddl commits"),
        ("/*!40000 ALTER TABLE t DISABLE KEYS */", "ddl commits"),
    ] {
        assert_eq!(pieces(statement), [format!("{wanted}: {statement}")]);
    }
}

#[test]
fn a_fault_is_where_it_began() {
    refuses("SELECT 1;\nSELECT 'a\nb\n;\n", 2, "'-quote");
    refuses("SELECT 1;\n\nSELECT `a\n", 3, "`-quote");
    refuses("SELECT 1;\n/* a\n/* b\n", 2, "comment");
    refuses("SELECT 1;\nSELECT /*!50001 1\n + 1", 2, "/*! … */");
    refuses("SELECT 1;\n/*!50001 SELECT 1;\n*/", 2, "where the client would cut it");
    refuses("SELECT 1;\nSELECT \0 2", 2, "NUL");
    refuses(b"\xFF\xFES\0", 1, "UTF-16");
}

#[test]
fn no_byte_of_a_statement_is_changed() {
    cuts("\u{FEFF}SELECT 1;", &["query: SELECT 1"]);
    cuts(
        "SELECT 'a\r\nb\\\r\nc'\r\n;\r\nSELECT 2\r\n",
        &["query: SELECT 'a\r\nb\\\r\nc'", "query: SELECT 2"],
    );
    let text = b"INSERT INTO \xE9t\xE9 VALUES (_binary 'caf\xE9;\0\x1A'); SELECT \xFF\n";
    let outcome = cut::whole(MySqlSplitter::for_mode(""), text);
    let texts: Vec<&[u8]> = outcome.pieces.iter().map(|piece| piece.text(text)).collect();
    assert_eq!(
        texts,
        [b"INSERT INTO \xE9t\xE9 VALUES (_binary 'caf\xE9;\0\x1A')".as_slice(), b"SELECT \xFF"]
    );
    cuts(
        "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\n/*!40101 SET NAMES utf8 */;",
        &["session session: /*!40101 SET NAMES utf8 */"],
    );
}
