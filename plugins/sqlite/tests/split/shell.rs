//! Against the sqlite3 shell: the statements that it says it has run must be what the splitter cuts, one by one.

use crate::cut;
use crate::engine::{bare, parsed};
use crate::grammar;
use crate::random::{Random, cases, seed};
use runsheet_driver_sqlite::SqliteSplitter;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the shell has run, from its trace: each statement ends with the time that it took.
fn ran(folder: &Path, script: &[u8]) -> (Vec<Vec<u8>>, String) {
    let (file, trace) = (folder.join("script.sql"), folder.join("trace"));
    let head = format!(".trace {} --profile --plain\n", trace.display());
    std::fs::write(&file, [head.as_bytes(), script].concat()).expect("the script is written");
    let mut shell = Command::new(std::env::var_os("RUNSHEET_SQLITE3").unwrap_or_else(|| "sqlite3".into()));
    shell.args(["-batch", "-init", "/dev/null", ":memory:"]);
    shell.stdin(Stdio::from(std::fs::File::open(&file).expect("the script is there")));
    let output = shell.output().expect("sqlite3 is installed (tests/install)");
    let text = std::fs::read(&trace).expect("the shell has traced");
    let mut statements = Vec::new();
    let mut begin = 0;
    for at in memchr::memmem::find_iter(&text, b"; -- ") {
        let line = text[at..].split(|byte| *byte == b'\n').next().unwrap_or_default();
        let time = line[5..].strip_suffix(b" ns");
        if time.is_some_and(|time| !time.is_empty() && time.iter().all(u8::is_ascii_digit)) {
            statements.push(text[begin..at].to_vec());
            begin = at + line.len() + 1;
        }
    }
    (statements, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn scripts_are_cut_as_the_shell_cuts_them() {
    let (seed, cases) = (seed(), cases(300));
    let folder = tempfile::tempdir().expect("a folder");
    let mut statements = 0;
    for case in 0..cases {
        let script = grammar::script(&mut Random::new(seed ^ (case as u64) << 32), true);
        let outcome = cut::whole(SqliteSplitter::default(), &script);
        let lines = |text: &[u8]| String::from_utf8_lossy(text).replace("\r\n", "\n");
        let mut ours: Vec<String> = outcome.pieces.iter().map(|piece| lines(piece.text(&script))).collect();
        let (ran, said) = ran(folder.path(), &script);
        let mut shell: Vec<String> = ran.iter().map(|text| lines(bare(text))).collect();
        // ANALYZE reads what it has written.
        shell.retain(|text| !text.starts_with("SELECT tbl,idx,stat FROM 'main'.sqlite_stat1"));
        // The shell runs these twice, to show them well.
        for texts in [&mut ours, &mut shell] {
            texts.dedup_by(|second, first| first == second && first.starts_with("EXPLAIN"));
        }
        let shown = String::from_utf8_lossy(&script);
        assert_eq!(
            (&ours, outcome.fault),
            (&shell, None),
            "RUNSHEET_SEED={seed}, case {case}: {shown:?}\n{said}"
        );
        statements += ours.len();
    }
    eprintln!("{cases} scripts, {statements} statements");
    assert!(statements > cases, "the scripts hold too few statements to prove anything");
}

/// What the shell writes of a database that a script has made.
#[test]
fn dumps_are_cut_as_the_parser_takes_them() {
    let (seed, cases) = (seed(), cases(25));
    let folder = tempfile::tempdir().expect("a folder");
    let mut statements = 0;
    for case in 0..cases {
        let database = folder.path().join(format!("{case}.db"));
        let script = grammar::script(&mut Random::new(seed ^ (case as u64) << 32), false);
        let file = folder.path().join("script.sql");
        std::fs::write(&file, script).expect("the script is written");
        let shell = |input: Stdio, command: &[&str]| {
            let output =
                Command::new("sqlite3").arg("-batch").arg(&database).args(command).stdin(input).output();
            output.expect("sqlite3 is installed (tests/install)").stdout
        };
        shell(Stdio::from(std::fs::File::open(&file).expect("the script is there")), &[]);
        let dump = shell(Stdio::null(), &[".dump"]);
        let outcome = cut::whole(SqliteSplitter::default(), &dump);
        let ours: Vec<&[u8]> = outcome.pieces.iter().map(|piece| piece.text(&dump)).collect();
        let shown = String::from_utf8_lossy(&dump);
        let taken =
            parsed(&dump).unwrap_or_else(|error| panic!("RUNSHEET_SEED={seed}, case {case}: {error}"));
        let taken: Vec<&[u8]> = taken.iter().map(|text| bare(text)).filter(|text| !text.is_empty()).collect();
        assert_eq!((&ours, outcome.fault), (&taken, None), "RUNSHEET_SEED={seed}, case {case}: {shown:?}");
        statements += ours.len();
    }
    eprintln!("{cases} dumps, {statements} statements");
    assert!(statements > 5 * cases, "the dumps hold too few statements to prove anything");
}
