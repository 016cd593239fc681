//! Against the engine: `sqlite3_complete` for any text, and for scripts the statements that its parser takes one after the other.

use crate::cut;
use crate::grammar;
use crate::random::{Random, cases, seed};
use runsheet_driver_sqlite::SqliteSplitter;
use rusqlite::ffi;
use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};

fn is_complete(text: &[u8]) -> bool {
    let text = CString::new(text).expect("the texts have no NUL byte");
    // SAFETY: the text ends with a NUL byte and lives during the call.
    unsafe { ffi::sqlite3_complete(text.as_ptr()) == 1 }
}

/// Every statement must be complete at its semicolon, and at none before it.
fn is_cut_where_complete(text: &[u8], about: &str) -> usize {
    let outcome = cut::whole(SqliteSplitter::default(), text);
    for piece in &outcome.pieces {
        let behind = &text[piece.range.end..];
        // A line that ends a statement is the shell's, and the text's end needs no semicolon.
        let blanks = behind.iter().position(|byte| !byte.is_ascii_whitespace());
        let end = blanks.map(|blanks| piece.range.end + blanks).filter(|end| text[*end] == b';');
        let semicolons =
            (piece.range.start..end.map_or(piece.range.end, |end| end + 1)).filter(|at| text[*at] == b';');
        for at in semicolons {
            assert_eq!(
                is_complete(&text[piece.range.start..=at]),
                Some(at) == end,
                "{about}: the semicolon at {at} of {:?}, in the piece {:?}",
                String::from_utf8_lossy(text),
                String::from_utf8_lossy(piece.text(text))
            );
        }
    }
    outcome.pieces.len()
}

#[test]
fn a_statement_ends_where_sqlite3_complete_says() {
    let (seed, cases) = (seed(), cases(10_000));
    let mut statements = 0;
    for case in 0..cases {
        let mut random = Random::new(seed ^ (case as u64) << 32);
        let text =
            if case % 4 == 0 { grammar::script(&mut random, true) } else { grammar::bytes(&mut random) };
        statements += is_cut_where_complete(&text, &format!("RUNSHEET_SEED={seed}, case {case}"));
    }
    eprintln!("{cases} texts, {statements} statements");
    assert!(statements > cases / 2, "the texts are too broken to prove anything");
}

/// The texts of the statements as the parser takes them, each run once, so that the next can be understood.
pub fn parsed(script: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let script = CString::new(script).expect("the scripts have no NUL byte");
    let mut statements = Vec::new();
    let mut database = null_mut();
    // SAFETY: the pointers come from SQLite and are used as its manual says: each statement is finalized, the database closed, and the
    // script outlives them all.
    unsafe {
        assert_eq!(ffi::sqlite3_open(c":memory:".as_ptr(), &mut database), ffi::SQLITE_OK);
        let mut rest: *const c_char = script.as_ptr();
        let mut failed = None;
        while *rest != 0 && failed.is_none() {
            let mut statement = null_mut();
            let mut tail = null();
            let prepared = ffi::sqlite3_prepare_v2(database, rest, -1, &mut statement, &mut tail);
            if prepared == ffi::SQLITE_OK && !statement.is_null() {
                let text = CStr::from_ptr(ffi::sqlite3_sql(statement)).to_bytes();
                statements.push(text.to_vec());
                while ffi::sqlite3_step(statement) == ffi::SQLITE_ROW {}
            }
            if prepared != ffi::SQLITE_OK || ffi::sqlite3_finalize(statement) != ffi::SQLITE_OK {
                let error = CStr::from_ptr(ffi::sqlite3_errmsg(database)).to_string_lossy();
                failed = Some(format!("{error} in {:?}", CStr::from_ptr(rest)));
            }
            rest = tail;
        }
        ffi::sqlite3_close(database);
        failed.map_or(Ok(statements), Err)
    }
}

/// Without the blanks, comments and semicolons that it begins with, and without the semicolon that ends it.
pub fn bare(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b' ' | b'\t' | b'\n' | b'\r' | 0x0C | b';', rest @ ..] => rest,
            [b'-', b'-', ..] => &text[text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len())..],
            [b'/', b'*', rest @ ..] => match rest.windows(2).position(|two| two == b"*/") {
                Some(length) => &rest[length + 2..],
                None => break,
            },
            _ => break,
        };
    }
    text.strip_suffix(b";").unwrap_or(text).trim_ascii_end()
}

#[test]
fn scripts_are_cut_as_the_parser_takes_them() {
    let (seed, cases) = (seed(), cases(1_500));
    let mut statements = 0;
    for case in 0..cases {
        let script = grammar::script(&mut Random::new(seed ^ (case as u64) << 32), false);
        let outcome = cut::whole(SqliteSplitter::default(), &script);
        let ours: Vec<&[u8]> = outcome.pieces.iter().map(|piece| piece.text(&script)).collect();
        let shown = String::from_utf8_lossy(&script);
        let parsed =
            parsed(&script).unwrap_or_else(|error| panic!("RUNSHEET_SEED={seed}, case {case}: {error}"));
        let parsed: Vec<&[u8]> =
            parsed.iter().map(|text| bare(text)).filter(|text| !text.is_empty()).collect();
        assert_eq!((&ours, outcome.fault), (&parsed, None), "RUNSHEET_SEED={seed}, case {case}: {shown:?}");
        statements += ours.len();
    }
    eprintln!("{cases} scripts, {statements} statements");
    assert!(statements > cases, "the scripts hold too few statements to prove anything");
}
