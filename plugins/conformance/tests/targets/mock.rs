//! The mock driver: its server is in this process, and is asked by sessions of its own.

use super::{library, settings};
use anyhow::{Context, Result, bail};
use runsheet::driver::Connection;
use runsheet_conformance::{
    Counted, Failing, Load, Misplaced, Notices, Outside, Sheet, Statements, Target, load,
};
use runsheet_sdk::{Class, Error, Identity, Outcome};
use runsheet_test_servers::fresh_name;
use std::any::Any;
use std::time::Duration;

/// A target whose sessions break the rule that `fault` names, if any.
pub fn target(fault: Option<&str>) -> Target {
    let mut given = settings(&[]);
    given.set("password", "open sesame", true);
    let mut refused = settings(&[]);
    refused.set("password", "wrong horse 4711", true);
    if let Some(fault) = fault {
        given.set("fault", fault, false);
        refused.set("fault", fault, false);
    }
    Target {
        library: library("mock"),
        settings: given,
        required: Vec::new(),
        refused: Some(refused),
        database: fresh_name("mock"),
        second_database: fresh_name("mock"),
        statements: statements(),
        sheets: sheets(),
        apart: Duration::ZERO,
        patience: Duration::from_millis(500),
        outside: Box::new(Beside),
    }
}

fn statements() -> Statements {
    let counted = |text, rows, tag| Counted { text, rows, tag: Some(tag) };
    let failing = |text, class| Failing { text, class };
    Statements {
        create: "create {table}",
        insert: "put {table} {id} x",
        counted: vec![
            counted("put {table} 1 a 2 b 3 c", Some(3), "OK"),
            counted("delete {table} 2", Some(1), "OK"),
            counted("delete {table} 2", Some(0), "OK"),
            counted("create {table}_two", None, "OK"),
            counted("rows 7", Some(7), "ROWS"),
            counted("ok", None, "OK"),
        ],
        failing: vec![
            failing("fail constraint 'a row 1 is there'", Class::Constraint),
            failing("fail deadlock victim", Class::Deadlock),
            failing("put nowhere 1 x", Class::MissingObject),
            failing("create {table}", Class::AlreadyExists),
            failing("oops", Class::Syntax),
        ],
        begin: "begin",
        two: vec!["put {table} 1 x; put {table} 2 x", "put {table} 1 x; -- one\nput {table} 2 x;"],
        decorated: vec![
            "put {table} {id} x;",
            "  \n put {table} {id} x ;; \n",
            "-- before; this\nput {table} {id} x",
            "put /* between; these */ {table} {id} x -- after; this",
            "put {table} {id} 'x; y' /* after */;",
        ],
        misplaced: vec![
            Misplaced { text: "say 'äöü€𝄞' oops", at: "oops" },
            Misplaced { text: "say é \n 'ü' 'ä'", at: "'ü'" },
        ],
        notices: Some(Notices { before: vec![], statement: "notice 2000".to_owned(), count: 2000 }),
        slow: "sleep 2s",
        read_only: Some("read-only on"),
        temporary: Some("temporary {table}"),
        judged: vec!["alone create {table}_two", "alone drop {table}"],
        load: Some(Load {
            statement: "load {table}",
            rows: "1 a\n2 bé\n3 c\n",
            count: 3,
            wrong_rows: "1 a\nnovalue\n3 c\n",
        }),
        foreign_ledger: vec!["create runsheet_ledger", "put runsheet_ledger 1 x"],
        ledger_table: "runsheet_ledger",
    }
}

fn sheets() -> Vec<Sheet> {
    vec![
        Sheet::of(&[
            "-- head; of the sheet\n\n",
            "create t",
            ";\n/* between; these */\n",
            "put t 1 'it''s; one'",
            ";;\n ;",
            "put t 2 'zwei ü; €' -- behind; it\n 3 x",
            " \n;",
            "alone ok",
            ";\n",
            "commit",
            "",
        ]),
        Sheet::of(&[" ", "load t", ";\n", "1 a; b\n2 'c\n", "\\.\n", "ok", "; -- the end"]),
        Sheet::of(&["", "put t 1 'ü'", ";", "ok", "\n"]),
        Sheet::of(&[" \n;; -- nothing"]),
    ]
}

/// A session of the server's own, which breaks no rule.
fn session(database: &str) -> Result<Connection> {
    let library = load(&library("mock")).map_err(anyhow::Error::msg)?;
    Ok(library.open(&settings(&[]), database, "the test", &mut |_| {})?)
}

fn ask(database: &str, text: &str) -> Result<Result<Outcome, Error>> {
    Ok(session(database)?.execute(text.as_bytes(), &mut |_| {}))
}

/// Whether a statement ends well; failing by constraint means no.
fn holds(text: &str) -> Result<bool> {
    match ask("", text)? {
        Ok(_) => Ok(true),
        Err(error) if error.class == Class::Constraint => Ok(false),
        Err(error) => bail!("`{text}`: {error}"),
    }
}

struct Beside;

impl Outside for Beside {
    fn rows(&self, database: &str, table: &str) -> Result<Option<u64>> {
        match ask(database, &format!("count {table}"))? {
            Ok(outcome) => Ok(Some(outcome.rows_affected.context("a count counts")?)),
            Err(error) if error.class == Class::MissingObject => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn kill(&self, session: &Identity) -> Result<()> {
        ask("", &format!("kill {}", session.session))??;
        Ok(())
    }

    fn is_running(&self, session: &Identity) -> Result<bool> {
        holds(&format!("running {}", session.session))
    }

    fn hold_commits(&self, database: &str, table: &str) -> Result<Box<dyn Any>> {
        ask(database, &format!("slow-commits {table} 2s"))??;
        Ok(Box::new(()))
    }

    fn shows_labels(&self) -> bool {
        true
    }

    fn label(&self, session: &Identity, expected: &str) -> Result<bool> {
        holds(&format!("labelled {} '{}'", session.session, expected.replace('\'', "''")))
    }
}
