//! The rules that hold for every text.

use crate::client::without_filler;
use crate::contract::{self, Alone, Dialect};
use crate::cut::Cut;
use crate::{grammar, random::Random};
use runsheet_driver_mysql::MySqlSplitter;

const DIALECT: Dialect<MySqlSplitter> = Dialect {
    splitter: || MySqlSplitter::new(true),
    script: |seed| grammar::script(&mut Random::new(seed)),
    parts: grammar::PARTS,
    is_filler,
    alone,
};

fn is_filler(mut gap: &[u8]) -> bool {
    // What a delimiter was is not known here: its signs are taken off with the blanks.
    loop {
        gap = without_filler(gap);
        let line = gap.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match gap {
            [] => return true,
            _ if line.len() > 9 && line[..9].eq_ignore_ascii_case(b"delimiter") => gap = &gap[line.len()..],
            [b'\\', b'g' | b'G', rest @ ..] | [b'E', b'O', b'S', b'_', rest @ ..] => gap = rest,
            [b'/' | b'$' | b'%' | b'~' | b'.' | b'^', rest @ ..] => gap = rest,
            _ => return false,
        }
    }
}

/// Under a delimiter that is nowhere in it, so that a body stays whole.
fn alone(whole: &[u8], piece: &Cut) -> Option<Alone> {
    let text = piece.text(whole);
    // How strings are read is said by another statement, and a line of USE ends with its line.
    let depends =
        whole.windows(8).any(|part| part == b"sql_mode") || text.get(..3)?.eq_ignore_ascii_case(b"use");
    let line = b"DELIMITER <<end>>\n";
    (!depends).then(|| Alone { sheet: [line.as_slice(), text].concat(), at: line.len() })
}

#[test]
fn chunks_change_nothing_and_nothing_is_lost_of_whole_scripts() {
    contract::scripts_keep_it(&DIALECT);
}

#[test]
fn chunks_change_nothing_and_nothing_is_lost_of_any_bytes() {
    contract::any_bytes_keep_it(&DIALECT);
}

#[test]
fn a_long_statement_in_small_chunks_is_read_once() {
    for (name, head, unit, tail) in [
        ("a string", "INSERT INTO t VALUES ('", "it''s -- \\' long ", "'); SELECT 1"),
        ("a name", "SELECT `", "it``s \\ ", "`; SELECT 1"),
        ("a comment in it", "SELECT /*", "/* ; * ", "*/ 1; SELECT 1"),
        ("a comment before it", "/*", "/* ; * ", "*/ SELECT 1"),
        ("code in a comment", "SELECT /*!", " + 1", "*/; SELECT 1"),
        ("line comments in it", "SELECT 1", "-- ; '\n# ; \"\n", "; SELECT 1"),
        ("one line comment before it", "#", "; ' ", "\nSELECT 1"),
        ("blanks before it", "", " \n\t", "SELECT 1"),
        ("values", "INSERT INTO t VALUES (0)", ", (1, 'a', 0xFF, \\N)", "; SELECT 1"),
        ("words", "SELECT a", " and word + 'x'", "; SELECT 1"),
        ("a number in hexadecimal", "INSERT INTO t VALUES (0x", "0123456789ABCDEF", "); SELECT 1"),
        ("a word under a delimiter of letters", "DELIMITER EOS_\nSELECT ", "EOS", " EOS_ SELECT 1"),
        ("a line of USE that is none", "use ", "word ", "; SELECT 1"),
        ("a body", "DELIMITER //\nCREATE PROCEDURE p() BEGIN ", "SELECT ';'; ", "END // SELECT 1"),
        (
            "another language",
            "CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS $js$",
            "let $j$; ",
            "$js$; SELECT 1",
        ),
    ] {
        contract::reads_nothing_twice(&DIALECT, name, head, unit, tail);
    }
}
