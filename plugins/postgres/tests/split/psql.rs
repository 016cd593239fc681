//! Against psql itself: what it sends to a server that writes everything down must be what the splitter cuts, statement by statement
//! and row by row.

use crate::cut::{self, Outcome};
use crate::grammar;
use crate::random::{Random, cases, seed};
use crate::recorder::{Recorder, Sent};
use anyhow::Result;
use runsheet_driver_postgres::PostgresSplitter;
use runsheet_sdk::Kind;
use runsheet_test_servers::shared;
use std::process::Command;

/// How many texts one psql reads.
const AT_ONCE: usize = 100;

/// What is the same for both: psql keeps comments before a statement, sends its semicolon, and leaves out lines that are empty.
fn plain(text: &[u8]) -> Vec<u8> {
    let mut text = without_filler(text);
    while let Some((b';' | b'\n' | b'\r' | b' ' | b'\t' | 0x0C, rest)) = text.split_last() {
        text = rest;
    }
    let mut plain = text.to_vec();
    plain.dedup_by(|second, first| *first == b'\n' && *second == b'\n');
    plain
}

/// Without the blanks, comments and semicolons that it begins with.
pub fn without_filler(mut text: &[u8]) -> &[u8] {
    loop {
        match text {
            [b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | b';', rest @ ..]
            | [0xEF, 0xBB, 0xBF, rest @ ..] => text = rest,
            [b'-', b'-', ..] => {
                let line = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                text = &text[line.unwrap_or(text.len())..];
            }
            [b'/', b'*', ..] => match comment(text) {
                Some(length) => text = &text[length..],
                None => return text,
            },
            _ => return text,
        }
    }
}

fn comment(text: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0, 0);
    loop {
        match text.get(at..)? {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return Some(at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            [] => return None,
            _ => at += 1,
        }
    }
}

fn psqls(sent: &[Sent]) -> Vec<Sent> {
    let statements = sent.iter().map(|sent| match sent {
        Sent::Statement(text) => Sent::Statement(plain(text)),
        Sent::Rows(rows) => Sent::Rows(without_end(rows).to_vec()),
    });
    statements.filter(|sent| *sent != Sent::Statement(Vec::new())).collect()
}

/// Some versions of psql send the line that ends the rows too.
fn without_end(rows: &[u8]) -> &[u8] {
    let ends = [b"\\.\n".as_slice(), b"\\.\r\n"];
    let rest = ends.iter().find_map(|end| rows.strip_suffix(*end));
    rest.filter(|rest| matches!(rest.last(), None | Some(b'\n'))).unwrap_or(rows)
}

fn ours(outcome: &Outcome, text: &[u8]) -> Vec<Sent> {
    let pieces = outcome.pieces.iter().map(|piece| match piece.kind {
        Kind::Rows => Sent::Rows(piece.text(text).to_vec()),
        _ => Sent::Statement(plain(piece.text(text))),
    });
    pieces.collect()
}

fn shown(sent: &[Sent]) -> String {
    let line = |sent: &Sent| match sent {
        Sent::Statement(text) => format!("  {:?}\n", String::from_utf8_lossy(text)),
        Sent::Rows(rows) => format!("  rows {:?}\n", String::from_utf8_lossy(rows)),
    };
    sent.iter().map(line).collect()
}

/// Compares, and gives the number of statements and whether all of the text was cut.
fn compare(text: &[u8], sent: &[Sent], about: &str) -> (usize, bool) {
    let outcome = cut::whole(PostgresSplitter::default(), text);
    let (ours, psqls) = (ours(&outcome, text), psqls(sent));
    let same = match &outcome.fault {
        None => ours == psqls,
        // psql sends an unfinished rest as it stands; after what only psql knows, everything may follow.
        Some(fault) => {
            psqls.starts_with(&ours)
                && (!fault.message.contains("ends inside") || psqls.len() <= ours.len() + 1)
        }
    };
    assert!(
        same,
        "{about}: cut differently\nscript: {:?}\nours:\n{}fault: {:?}\npsql:\n{}",
        String::from_utf8_lossy(text),
        shown(&ours),
        outcome.fault,
        shown(&psqls),
    );
    (ours.len(), outcome.fault.is_none())
}

/// Cuts as many texts as there are cases; gives the cases, the statements and the texts that were cut to the end.
fn compare_all(make: impl Fn(&mut Random) -> Vec<u8>, default: usize) -> (usize, usize, usize) {
    let (seed, cases) = (seed(), cases(default));
    let recorder = Recorder::start();
    let (mut statements, mut whole) = (0, 0);
    let texts: Vec<Vec<u8>> =
        (0..cases).map(|case| make(&mut Random::new(seed ^ (case as u64) << 32))).collect();
    for (batch, texts) in texts.chunks(AT_ONCE).enumerate() {
        for (place, (text, sent)) in texts.iter().zip(recorder.run(texts)).enumerate() {
            let about = format!("RUNSHEET_SEED={seed}, case {}", batch * AT_ONCE + place);
            let (count, all) = compare(text, &sent, &about);
            statements += count;
            whole += usize::from(all);
        }
    }
    eprintln!("{cases} texts, {statements} statements, {whole} texts cut to the end");
    (cases, statements, whole)
}

#[test]
fn scripts_are_cut_as_psql_cuts_them() {
    let (cases, statements, whole) = compare_all(grammar::script, 1_000);
    assert_eq!(whole, cases, "a whole script was refused");
    assert!(statements > cases, "the scripts hold too few statements to prove anything");
}

#[test]
fn bytes_in_any_order_are_cut_as_psql_cuts_them() {
    let (cases, statements, whole) = compare_all(grammar::bytes, 3_000);
    assert!(statements > cases / 3 && whole > cases / 20, "the texts are too broken to prove anything");
}

/// What a dump has to write; rows stand in tables whose names the recorder knows.
const OBJECTS: &str = r#"
CREATE TABLE rows (a serial PRIMARY KEY, b text DEFAULT 'it''s; -- so', c bytea, d text[]);
INSERT INTO rows (b, c, d)
  SELECT E'tab\t new\n line; \\ back \\. ''' || g, '\x00275c3b0a', ARRAY['a;', NULL, '"'] FROM generate_series(1, 50) g;
CREATE TABLE rows_none (a int);
CREATE TABLE rows_named ("a;" int, "b""" text); INSERT INTO rows_named VALUES (1, E'\\.'), (2, NULL);
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $_$ BEGIN RETURN 1; -- $$ ; '
END $_$;
CREATE FUNCTION g(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN a > 1 THEN 2 END; SELECT 3; END;
CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1; SELECT 2;';
CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON rows FOR EACH ROW WHEN (NEW.b <> ';') EXECUTE FUNCTION h();
CREATE RULE r AS ON UPDATE TO rows_none DO ALSO (INSERT INTO rows_none VALUES (1); DELETE FROM rows_none);
CREATE VIEW v AS SELECT ';' AS ";", a[1:2] AS a FROM (SELECT ARRAY[1, 2, 3] AS a) s;
COMMENT ON VIEW v IS 'it''s; /* so */ \ $$';
SELECT lo_from_bytea(0, '\x273b5c');
"#;

/// Dumps with rows as COPY and as INSERTs, with routines and large objects.
#[test]
fn dumps_are_cut_as_psql_cuts_them() -> Result<()> {
    let server = shared::postgres();
    let database = server.fresh_database()?;
    server.execute(&database, OBJECTS)?;
    let mut texts = Vec::new();
    for options in [&["--blobs"][..], &["--inserts", "--clean", "--if-exists"], &["--column-inserts"]] {
        let mut dump = Command::new("pg_dump");
        dump.args(["-U", "postgres", "-h", "127.0.0.1", "-p"]).arg(server.port().to_string());
        let output = dump.args(options).arg(&database).output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        texts.push(output.stdout);
    }
    let mut statements = 0;
    for (text, sent) in texts.iter().zip(Recorder::start().run(&texts)) {
        let (count, whole) = compare(text, &sent, "a dump");
        assert!(whole, "a dump was refused: {:?}", String::from_utf8_lossy(text));
        statements += count;
    }
    eprintln!("{} dumps, {statements} statements", texts.len());
    assert!(statements > 200, "{statements} statements");
    Ok(())
}

/// PostgreSQL's own scripts, as its package brings them. Extensions' begin with a command of psql that keeps them from being run there.
#[test]
fn postgresqls_own_scripts_are_cut_as_psql_cuts_them() {
    let mut texts = Vec::new();
    for version in
        std::fs::read_dir("/usr/share/postgresql").expect("postgresql is installed (tests/install)")
    {
        for folder in [".", "extension"] {
            let folder = version.as_ref().expect("a folder").path().join(folder);
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("a file").path();
                if path.extension().is_some_and(|extension| extension == "sql") {
                    let text = std::fs::read_to_string(path).expect("a script");
                    let lines = text
                        .split_inclusive('\n')
                        .map(|line| if line.starts_with("\\echo") { "\n" } else { line });
                    texts.push(lines.collect::<String>().into_bytes());
                }
            }
        }
    }
    let recorder = Recorder::start();
    let mut statements = 0;
    for (place, (text, sent)) in texts.iter().zip(recorder.run(&texts)).enumerate() {
        let (count, whole) = compare(text, &sent, &format!("file {place}"));
        assert!(whole, "a script of PostgreSQL's own was refused: {:?}", String::from_utf8_lossy(text));
        statements += count;
    }
    eprintln!("{} files, {statements} statements", texts.len());
    assert!(texts.len() > 50 && statements > 2_000, "{} files, {statements} statements", texts.len());
}
