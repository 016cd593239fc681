//! The rules that hold for every text.

use crate::contract::{self, Alone, Dialect};
use crate::cut::Cut;
use crate::psql::without_filler;
use crate::{grammar, random::Random};
use runsheet_driver_postgres::PostgresSplitter;

const DIALECT: Dialect<PostgresSplitter> = Dialect {
    splitter: PostgresSplitter::default,
    script: |seed| grammar::script(&mut Random::new(seed)),
    parts: grammar::PARTS,
    is_filler,
    alone,
};

fn is_filler(mut gap: &[u8]) -> bool {
    loop {
        gap = without_filler(gap);
        match gap {
            [] | b"\\" => return true,
            // The end of rows, and psql's own that means nothing here.
            [b'\\', ..]
                if [b"\\.".as_slice(), b"\\restrict", b"\\unrestrict"]
                    .iter()
                    .any(|own| gap.starts_with(own)) =>
            {
                let line = gap.iter().position(|byte| *byte == b'\n');
                gap = &gap[line.unwrap_or(gap.len())..];
            }
            _ => return false,
        }
    }
}

fn alone(whole: &[u8], piece: &Cut) -> Option<Alone> {
    // How strings are read is said by another statement.
    let setting = b"standard_conforming_strings";
    let depends = whole.windows(setting.len()).any(|window| window == setting);
    (!depends).then(|| Alone { sheet: piece.text(whole).to_vec(), at: 0 })
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
        ("a string", "INSERT INTO t VALUES ('", "it''s -- long ", "'); SELECT 1"),
        ("an escape string", "SELECT E'", "it\\'s\\\\ ", "'; SELECT 1"),
        ("a dollar quote", "DO $long$", "$lon$ $$ ' ", "$long$; SELECT 1"),
        ("a comment in it", "SELECT /*", "/* ; */ * ", "*/ 1; SELECT 1"),
        ("a comment before it", "/*", "/* ; */ * ", "*/ SELECT 1"),
        ("line comments in it", "SELECT 1", "-- ; '\n", "; SELECT 1"),
        ("one line comment before it", "--", "; ' ", "\nSELECT 1"),
        ("blanks before it", "", " \n\t", "SELECT 1"),
        ("values", "INSERT INTO t VALUES (0)", ", (1, 'a', $1, E'\\'')", "; SELECT 1"),
        ("words", "SELECT a", " and word + $$;$$", "; SELECT 1"),
        ("a word", "SELECT ", "word", "; SELECT 1"),
        ("a number", "SELECT ", "1234567890", "; SELECT 1"),
        ("parentheses", "SELECT (0)", ", (1; 2)", "; SELECT 1"),
        ("a body", "CREATE FUNCTION f() BEGIN ATOMIC ", "SELECT CASE WHEN a THEN 1 END; ", "END; SELECT 1"),
        ("rows", "COPY t FROM STDIN;\n", "1\t\\N\t\\.x\n", "\\.\nSELECT 1"),
        ("one row", "COPY t FROM STDIN;\n", "1\t\\N\t\\.x", "\n\\.\nSELECT 1"),
    ] {
        contract::reads_nothing_twice(&DIALECT, name, head, unit, tail);
    }
}
