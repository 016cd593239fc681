//! Tables: a text, and what is to be cut from it.

use crate::cut::{self, lines};
use runsheet_driver_postgres::PostgresSplitter;

fn pieces(text: &str) -> Vec<String> {
    let outcome = cut::whole(PostgresSplitter::default(), text.as_bytes());
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
    let fault = cut::whole(PostgresSplitter::default(), text).fault;
    let fault = fault.unwrap_or_else(|| panic!("{:?} is not refused", String::from_utf8_lossy(text)));
    assert!(fault.message.contains(says), "{:?}: {}", String::from_utf8_lossy(text), fault.message);
    assert_eq!(fault.line(text), line, "{:?}: {}", String::from_utf8_lossy(text), fault.message);
}

#[test]
fn a_semicolon_in_a_quote_or_comment_ends_nothing() {
    holds_together(&[
        "SELECT ';'",
        "SELECT 'it''s; so'",
        "SELECT 'back\\'",
        "SELECT E'it\\'s; so', e'\\\\'",
        "SELECT E'it''s; \\\\'",
        "SELECT U&'d\\0061t; \\' , U&\"d\\0061t; \"",
        "SELECT B'0;1', X'F;F', N'n;'",
        "SELECT \"a;\"\"b\"",
        "SELECT $$ ; ' \" $a$ $$",
        "SELECT $tag$ ; $$ $tg$ $tag $tag$",
        "SELECT $é_1$ ; $é$ $é_1$",
        "SELECT 1 /* ; /* ; */ ' */",
        "SELECT 1 -- ; '\n",
        "SELECT 1 -- ; '\r\n",
        "SELECT a$b$c, $1, $2$$ ; $$",
        "SELECT 1 @-/* ; */ 2, 3 *-- ; \n 4",
        "SELECT 5 */* ; */ 2",
    ]);
}

#[test]
fn what_looks_like_a_quote_or_comment_and_is_none_ends_with_its_semicolon() {
    cuts("SELECT a$b$c; SELECT 1", &["query: SELECT a$b$c", "query: SELECT 1"]);
    cuts("SELECT $1a; SELECT 1", &["query: SELECT $1a", "query: SELECT 1"]);
    cuts("SELECT 'a\\'; SELECT 1", &["query: SELECT 'a\\'", "query: SELECT 1"]);
    cuts("SELECT typE'a\\'; SELECT 1", &["query: SELECT typE'a\\'", "query: SELECT 1"]);
    cuts("SELECT 1E'a\\'; SELECT 1", &["query: SELECT 1E'a\\'", "query: SELECT 1"]);
    cuts("SELECT 1a$b$; SELECT 1$$;$$", &["query: SELECT 1a$b$", "query: SELECT 1$$;$$"]);
    cuts("SELECT 1 - -2; -- a\rSELECT 1", &["query: SELECT 1 - -2", "query: SELECT 1"]);
}

#[test]
fn parentheses_hold_a_rule_together() {
    cuts(
        "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO u VALUES (1); DELETE FROM w); SELECT 1",
        &[
            "ddl: CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO u VALUES (1); DELETE FROM w)",
            "query: SELECT 1",
        ],
    );
    cuts("SELECT 1); SELECT (2)", &["query: SELECT 1)", "query: SELECT (2)"]);
}

#[test]
fn a_routine_with_a_body_is_one_statement() {
    holds_together(&[
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN CASE b WHEN 1 THEN 2 END END; END",
        "create or replace procedure p(begin int) begin atomic insert into t values ('end'); end",
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int RETURN CASE a WHEN 1 THEN 2 END",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
    ]);
    cuts(
        "CREATE FUNCTIONS; BEGIN; CREATE TABLE t (a int); END; SELECT 1",
        &[
            "ddl: CREATE FUNCTIONS",
            "begin: BEGIN",
            "ddl: CREATE TABLE t (a int)",
            "commit: END",
            "query: SELECT 1",
        ],
    );
}

#[test]
fn the_rows_of_a_copy_are_a_piece_of_their_own() {
    cuts(
        "COPY t FROM STDIN;\n1\t;\n\\N\t\\.x\n\\.\nSELECT 1;",
        &["load: COPY t FROM STDIN", "rows last: 1\t;\n\\N\t\\.x\n", "query: SELECT 1"],
    );
    cuts(
        "COPY t FROM STDIN;\r\n1\r\n\\.\r\nSELECT 1",
        &["load: COPY t FROM STDIN", "rows last: 1\r\n", "query: SELECT 1"],
    );
    cuts(
        "copy t (a, b) from stdin with (format csv); -- rows\n1,2\n",
        &["load: copy t (a, b) from stdin with (format csv)", "rows last: 1,2\n"],
    );
    cuts(
        "COPY t FROM /* the client's */ STDOUT;\n\\.",
        &["load: COPY t FROM /* the client's */ STDOUT", "rows last: "],
    );
    cuts("COPY t FROM STDIN", &["load: COPY t FROM STDIN", "rows last: "]);
    cuts("COPY t FROM 'stdin'; SELECT 1", &["dml: COPY t FROM 'stdin'", "query: SELECT 1"]);
    cuts("COPY t FROM PROGRAM 'stdin'; SELECT 1", &["dml: COPY t FROM PROGRAM 'stdin'", "query: SELECT 1"]);
    cuts(
        "COPY (SELECT a FROM stdin) TO '/f'; SELECT 1",
        &["dml: COPY (SELECT a FROM stdin) TO '/f'", "query: SELECT 1"],
    );
    refuses("COPY t FROM STDIN; SELECT 1;\n\\.\n", 1, "on the line after its semicolon");
    refuses("COPY t FROM STDIN;\n1\n2\0\n\\.\n", 3, "NUL");
}

#[test]
fn transactions_of_the_sheets_own_are_told_apart() {
    cuts(
        "BEGIN; START TRANSACTION; begin work isolation level serializable; COMMIT; END; ROLLBACK; ABORT; COMMIT AND NO CHAIN",
        &[
            "begin: BEGIN",
            "begin: START TRANSACTION",
            "begin: begin work isolation level serializable",
            "commit: COMMIT",
            "commit: END",
            "rollback: ROLLBACK",
            "rollback: ABORT",
            "commit: COMMIT AND NO CHAIN",
        ],
    );
    cuts(
        "SAVEPOINT a; RELEASE a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a; COMMIT PREPARED 'x'",
        &[
            "savepoint: SAVEPOINT a",
            "savepoint: RELEASE a",
            "savepoint: ROLLBACK TO a",
            "savepoint: ROLLBACK WORK TO SAVEPOINT a",
            "other alone: COMMIT PREPARED 'x'",
        ],
    );
    refuses("BEGIN;\nPREPARE TRANSACTION 'x'", 2, "PREPARE TRANSACTION");
    for end in ["COMMIT AND CHAIN", "rollback transaction and chain", "END AND\nCHAIN"] {
        refuses(format!("BEGIN;\n{end}"), 2, "AND CHAIN");
    }
    refuses("SELECT 1;\nDISCARD ALL;", 2, "the lock");
}

#[test]
fn kinds_and_flags_are_told_from_the_words() {
    for (statement, wanted) in [
        ("INSERT INTO t VALUES (1)", "dml"),
        ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", "dml"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "query"),
        ("(SELECT 1) UNION (SELECT 2)", "query"),
        ("EXPLAIN ANALYZE SELECT 1", "query"),
        ("SELECT pg_catalog.set_config('search_path', '', false)", "session session"),
        ("SET search_path = a", "session session"),
        ("SET LOCAL search_path = a", "session"),
        ("RESET ALL", "session session"),
        ("CALL p()", "call may-commit"),
        ("DO $$ BEGIN END $$", "call may-commit"),
        ("TRUNCATE t", "ddl"),
        ("ALTER TYPE e ADD VALUE 'x'", "ddl"),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", "ddl"),
        ("VACUUM (ANALYZE) t", "maintenance alone repeatable"),
        ("ANALYZE t", "maintenance repeatable"),
        ("CREATE INDEX CONCURRENTLY ON t (a)", "ddl alone"),
        ("CREATE INDEX ON t (concurrently)", "ddl"),
        ("LOCK TABLE t", "other"),
    ] {
        assert_eq!(pieces(statement), [format!("{wanted}: {statement}")]);
    }
}

#[test]
fn strings_follow_standard_conforming_strings() {
    cuts(
        "SET standard_conforming_strings = off; SELECT 'it\\'s; '; RESET ALL; SELECT '\\'; SELECT 1",
        &[
            "session session: SET standard_conforming_strings = off",
            "query: SELECT 'it\\'s; '",
            "session session: RESET ALL",
            "query: SELECT '\\'",
            "query: SELECT 1",
        ],
    );
    cuts(
        "SET standard_conforming_strings = off; SELECT U&' \\', X'\\', N'\\'; '; SELECT 1",
        &[
            "session session: SET standard_conforming_strings = off",
            "query: SELECT U&' \\', X'\\', N'\\'; '",
            "query: SELECT 1",
        ],
    );
    refuses("SET LOCAL standard_conforming_strings = off", 1, "standard_conforming_strings");
}

#[test]
fn colons_are_the_servers_where_it_has_a_use_for_them() {
    holds_together(&[
        "SELECT a[1:n], a[:'2'], a[lo:\"hi\"], 'x'::text, f(a := 1)",
        "SELECT JSON_OBJECT('k':'v', 'l': w, m:'x')",
    ]);
    for (script, variable) in [
        ("SELECT\n:'name'", "`:'name'`"),
        ("SELECT *\nFROM :\"table\"", "`:\"table\"`"),
        ("INSERT INTO t VALUES (1,\n:value, 2)", "`:value`"),
        ("SELECT\n:{?name}", "`:{?name}`"),
    ] {
        refuses(script, 2, variable);
    }
}

#[test]
fn what_psql_does_by_itself_is_refused_by_name_and_line() {
    for command in [
        "\\i other.sql",
        "\\c db",
        "\\copy t from 'f'",
        "\\set a 1",
        "\\gexec",
        "\\.",
        "\\echo hello",
        "\\;",
        "\\!",
        "\\if true",
        "\\g",
    ] {
        let name = command.split(' ').next().unwrap();
        refuses(format!("SELECT 1;\n\n{command}\nSELECT 2;"), 3, &format!("`{name}`"));
        refuses(format!("SELECT 1\n{command}"), 2, &format!("`{name}`"));
    }
    cuts("\\restrict abc\nSELECT 1;\n\\unrestrict abc\n", &["query: SELECT 1"]);
}

#[test]
fn a_fault_is_where_it_began() {
    refuses("SELECT 1;\nSELECT 'a\nb\n;\n", 2, "'-quote");
    refuses("SELECT 1;\n\nSELECT E'a\\'\n", 3, "'-quote");
    refuses("SELECT 1;\n/* a\n/* b */\n", 2, "comment");
    refuses("SELECT\n$a$ b $$\n$", 2, "$a$");
    refuses("\nSELECT \"a\n", 2, "\"-quote");
    refuses("SELECT 1;\n\nCREATE FUNCTION f()\nBEGIN ATOMIC SELECT 1;\n", 3, "BEGIN ATOMIC");
    refuses("SELECT 1;\nSELECT (1;\nSELECT 2;\n", 2, "parentheses");
    for text in [
        "SELECT 1;\n\0",
        "SELECT 1;\n-- \0",
        "SELECT 1;\n/* \0 */",
        "SELECT 1;\n'\0'",
        "SELECT 1;\nE'\\\0'",
        "SELECT 1;\n$$\0$$",
    ] {
        refuses(text, 2, "NUL");
    }
    refuses(b"\xFF\xFES\0", 1, "UTF-16");
    refuses(format!("SELECT 1;\n${}$", "a".repeat(2000)), 2, "tag");
}

#[test]
fn no_byte_of_a_statement_is_changed() {
    cuts("\u{FEFF}SELECT 1;", &["query: SELECT 1"]);
    cuts("SELECT 'a\r\nb'\r\n;\r\nSELECT 2\r\n", &["query: SELECT 'a\r\nb'", "query: SELECT 2"]);
    let text = b"INSERT INTO \xE9t\xE9 VALUES ('caf\xE9;'); SELECT \xFF\n";
    let outcome = cut::whole(PostgresSplitter::default(), text);
    let texts: Vec<&[u8]> = outcome.pieces.iter().map(|piece| piece.text(text)).collect();
    assert_eq!(texts, [b"INSERT INTO \xE9t\xE9 VALUES ('caf\xE9;')".as_slice(), b"SELECT \xFF"]);
    cuts(" ;; -- nothing\n/* at all */ ;", &[]);
    cuts("", &[]);
    cuts("SELECT 1 -- the last has no semicolon", &["query: SELECT 1 -- the last has no semicolon"]);
}
