//! Tables: a text, and what is to be cut from it.

use crate::cut::{self, lines};
use runsheet_driver_sqlite::SqliteSplitter;

fn pieces(text: &str) -> Vec<String> {
    let outcome = cut::whole(SqliteSplitter::default(), text.as_bytes());
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
    let fault = cut::whole(SqliteSplitter::default(), text).fault;
    let fault = fault.unwrap_or_else(|| panic!("{:?} is not refused", String::from_utf8_lossy(text)));
    assert!(fault.message.contains(says), "{:?}: {}", String::from_utf8_lossy(text), fault.message);
    assert_eq!(fault.line(text), line, "{:?}: {}", String::from_utf8_lossy(text), fault.message);
}

#[test]
fn a_semicolon_in_a_quote_or_comment_ends_nothing() {
    holds_together(&[
        "SELECT ';'",
        "SELECT 'it''s; so', 'back\\'",
        "SELECT \"a;\"\"b\", [a;'b], `a;``b`",
        "SELECT x'3B', 1 /* ; ' */",
        "SELECT 1 -- ; '\n",
        "SELECT 5 / 2, 5 -2, 'a' -- ;\n",
    ]);
    cuts(
        "/* a */ -- b\n;; SELECT [a]];b]; SELECT 1",
        &["query: SELECT [a]]", "other: b]", "query: SELECT 1"],
    );
}

#[test]
fn a_trigger_is_one_statement() {
    holds_together(&[
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER g BEFORE UPDATE ON t WHEN CASE WHEN a THEN 1 END BEGIN SELECT CASE WHEN 1 THEN CASE 2 WHEN 3 THEN 4 END END; DELETE FROM t; END",
        "create temporary trigger if not exists \"end\" after delete on t begin insert into t values ('end;'); end",
        "CREATE /* ; */ TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; /* ; */ END -- ;\n",
        "EXPLAIN CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END",
        "EXPLAIN QUERY PLAN CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END",
    ]);
    cuts(
        "CREATE TABLE trigger_of (a); CREATE TABLE t (\"trigger\"); END; SELECT 1",
        &[
            "ddl: CREATE TABLE trigger_of (a)",
            "ddl: CREATE TABLE t (\"trigger\")",
            "commit: END",
            "query: SELECT 1",
        ],
    );
}

#[test]
fn the_shells_lines_end_statements_and_its_commands_are_refused_by_name_and_line() {
    cuts(
        "SELECT 1\n/\nSELECT 2\ngo\nSELECT 3\n GO -- so\nSELECT 4\r\n/\r\n# a comment; '\nSELECT 5",
        &["query: SELECT 1", "query: SELECT 2", "query: SELECT 3", "query: SELECT 4", "query: SELECT 5"],
    );
    cuts("SELECT 4\n/2\n;SELECT 1 AS\ngone;\n/\ngo\n", &["query: SELECT 4\n/2", "query: SELECT 1 AS\ngone"]);
    cuts(
        "SELECT '\n/\n'; CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 4\n/\n2; END\n/\n",
        &["query: SELECT '\n/\n'", "ddl: CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 4\n/\n2; END"],
    );
    for command in [
        ".read other.sql",
        ".import f t",
        ".open f",
        ".quit",
        ".tables",
        ".mode insert",
        ".load x",
        ".timeout 5",
        ".backup f",
        ".",
    ] {
        let name = command.split(' ').next().unwrap();
        refuses(format!("SELECT 1;\n\n{command}\nSELECT 2;"), 3, &format!("`{name}`"));
    }
    cuts("SELECT 1\n.5", &["query: SELECT 1\n.5"]);
}

#[test]
fn kinds_and_flags_are_told_from_the_words() {
    for (statement, wanted) in [
        ("BEGIN EXCLUSIVE", "begin"),
        ("COMMIT TRANSACTION", "commit"),
        ("END", "commit"),
        ("ROLLBACK", "rollback"),
        ("ROLLBACK TRANSACTION TO SAVEPOINT a", "savepoint"),
        ("SAVEPOINT a", "savepoint"),
        ("RELEASE a", "savepoint"),
        ("REPLACE INTO t VALUES (1)", "dml"),
        ("WITH a AS (SELECT 1), b AS (VALUES (2)) DELETE FROM t", "dml"),
        ("WITH a(x) AS (SELECT 'insert') SELECT * FROM a", "query"),
        ("EXPLAIN DELETE FROM t", "query"),
        ("ALTER TABLE t RENAME TO u", "ddl"),
        ("VACUUM", "maintenance alone repeatable"),
        ("VACUUM INTO 'f'", "maintenance alone repeatable"),
        ("REINDEX", "maintenance repeatable"),
        ("ATTACH 'f' AS a", "session alone session"),
        ("DETACH a", "session alone session"),
        ("PRAGMA journal_mode = WAL", "session alone session"),
        ("PRAGMA foreign_keys(ON)", "session alone session"),
        ("PRAGMA foreign_keys", "query"),
        ("PRAGMA cache_size = -2000", "session session"),
        ("PRAGMA main.user_version = 5", "ddl"),
        ("PRAGMA defer_foreign_keys = 1", "session"),
        ("PRAGMA wal_checkpoint(TRUNCATE)", "maintenance alone repeatable"),
        ("PRAGMA table_info(t)", "query"),
    ] {
        assert_eq!(pieces(statement), [format!("{wanted}: {statement}")]);
    }
}

#[test]
fn a_fault_is_where_it_began() {
    refuses("SELECT 1;\nSELECT 'a\nb\n;\n", 2, "quote");
    refuses("SELECT 1;\n\nSELECT [a\n", 3, "]");
    refuses("SELECT 1;\n/* a\n", 2, "comment");
    refuses("SELECT 1;\nCREATE TRIGGER g AFTER INSERT ON t\nBEGIN SELECT 1;\nSELECT 2;\n", 2, "trigger");
    for text in
        ["SELECT 1;\n\0", "SELECT 1;\n-- \0", "SELECT 1;\n/* \0 */", "SELECT 1;\n'\0'", "SELECT 1;\n[\0]"]
    {
        refuses(text, 2, "NUL");
    }
    refuses(b"\xFF\xFES\0", 1, "UTF-16");
}

#[test]
fn no_byte_of_a_statement_is_changed() {
    cuts("\u{FEFF}SELECT 1;\u{FEFF}SELECT 2;", &["query: SELECT 1", "query: SELECT 2"]);
    cuts("SELECT 'a\r\nb'\r\n;\r\nSELECT 2\r\n", &["query: SELECT 'a\r\nb'", "query: SELECT 2"]);
    let text = b"INSERT INTO \xE9t\xE9 VALUES ('caf\xE9;'); SELECT \xFF\n";
    let outcome = cut::whole(SqliteSplitter::default(), text);
    let texts: Vec<&[u8]> = outcome.pieces.iter().map(|piece| piece.text(text)).collect();
    assert_eq!(texts, [b"INSERT INTO \xE9t\xE9 VALUES ('caf\xE9;')".as_slice(), b"SELECT \xFF"]);
    cuts("", &[]);
    cuts("SELECT 1 -- the last has no semicolon", &["query: SELECT 1 -- the last has no semicolon"]);
}
