//! The rules that hold for every text.

use crate::contract::{self, Alone, Dialect};
use crate::cut::Cut;
use crate::engine::bare;
use crate::{grammar, random::Random};
use runsheet_driver_sqlite::SqliteSplitter;

const DIALECT: Dialect<SqliteSplitter> = Dialect {
    splitter: SqliteSplitter::default,
    script: |seed| grammar::script(&mut Random::new(seed), true),
    parts: grammar::PARTS,
    is_filler,
    alone,
};

fn is_filler(mut gap: &[u8]) -> bool {
    loop {
        gap = bare(gap);
        let line = gap.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match gap {
            [] => return true,
            [0xEF, 0xBB, 0xBF, rest @ ..] => gap = rest,
            // The shell's own comments, and its lines that end a statement.
            [b'#', ..] => gap = &gap[line.len()..],
            [b'/', ..] if bare(&line[1..]).is_empty() => gap = &gap[line.len()..],
            [b'g' | b'G', b'o' | b'O', ..] if bare(&line[2..]).is_empty() => gap = &gap[line.len()..],
            _ => return false,
        }
    }
}

fn alone(whole: &[u8], piece: &Cut) -> Option<Alone> {
    let line = piece.text(whole).rsplit(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_start();
    if line.starts_with(b"/") || line.get(..2).is_some_and(|word| word.eq_ignore_ascii_case(b"go")) {
        // With nothing behind it, the line could end the statement.
        return None;
    }
    // Not at a line's beginning, where the shell would take some signs for its own.
    Some(Alone { sheet: [b";", piece.text(whole)].concat(), at: 1 })
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
        ("a name in brackets", "SELECT [", "it's \" ; ", "]; SELECT 1"),
        ("a comment in it", "SELECT /*", "/* ; * ", "*/ 1; SELECT 1"),
        ("a comment before it", "/*", "/* ; * ", "*/ SELECT 1"),
        ("line comments in it", "SELECT 1", "-- ; '\n", "; SELECT 1"),
        ("one line comment before it", "--", "; ' ", "\nSELECT 1"),
        ("blanks before it", "", " \n\t", "SELECT 1"),
        ("values", "INSERT INTO t VALUES (0)", ", (1, 'a', x'FF')", "; SELECT 1"),
        ("words", "SELECT a", " and word + 'x'", "; SELECT 1"),
        ("a word", "SELECT ", "word", "; SELECT 1"),
        ("a word where one could mean something", "CREATE ", "word", "; SELECT 1"),
        (
            "a body",
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN ",
            "SELECT CASE WHEN 1 THEN 2 END; ",
            "END; SELECT 1",
        ),
        ("lines that may end it", "SELECT 1", "\n/2", "; SELECT 1"),
    ] {
        contract::reads_nothing_twice(&DIALECT, name, head, unit, tail);
    }
}
