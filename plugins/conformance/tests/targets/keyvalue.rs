//! The driver that is written in C: a key/value store in files, looked at in the files themselves. A table is a key, and its rows are the
//! keys below it.

use super::settings;
use anyhow::{Context, Result, bail};
use runsheet_conformance::{Counted, Failing, Misplaced, Notices, Outside, Sheet, Statements, Target, load};
use runsheet_sdk::{Class, Identity};
use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A target in a folder, which has a password.
pub fn target(library: PathBuf, folder: &Path) -> Result<Target> {
    fs::write(folder.join("password"), "open sesame\n")?;
    let directory = folder.display().to_string();
    let mut given = settings(&[("directory", &directory)]);
    given.set("password", "open sesame", true);
    let mut refused = settings(&[("directory", &directory)]);
    refused.set("password", "wrong horse 4711", true);
    let outside = Files { library: library.clone(), folder: folder.to_path_buf() };
    Ok(Target {
        library,
        settings: given,
        required: vec!["directory"],
        refused: Some(refused),
        database: "one".to_owned(),
        second_database: "two".to_owned(),
        statements: statements(),
        sheets: sheets(),
        apart: Duration::ZERO,
        patience: Duration::from_secs(5),
        outside: Box::new(outside),
    })
}

fn statements() -> Statements {
    let counted = |text, rows, tag| Counted { text, rows, tag: Some(tag) };
    let failing = |text, class| Failing { text, class };
    Statements {
        create: "PUT {table} table",
        insert: "INSERT {table}/{id} x",
        counted: vec![
            counted("INSERT {table}/1 'a b'", Some(1), "INSERT"),
            counted("PUT {table}/1 c", Some(1), "PUT"),
            counted("DELETE {table}/1", Some(1), "DELETE"),
            counted("DELETE {table}/1", Some(0), "DELETE"),
            counted("NOTICE something", None, "NOTICE"),
        ],
        failing: vec![
            failing("INSERT {table}/1 again", Class::Constraint),
            failing("GET {table}/absent", Class::MissingObject),
            failing("EXPECT {table}/1 another", Class::Other),
            failing("FAIL 7 'as it was told'", Class::Other),
            failing("INSERT {table}/7", Class::Syntax),
        ],
        begin: "BEGIN",
        two: vec![
            "INSERT {table}/201 x; INSERT {table}/202 x",
            "INSERT {table}/201 x; -- one\nINSERT {table}/202 x;",
            "INSERT {table}/201 x; nonsense",
        ],
        decorated: vec![
            "INSERT {table}/{id} x;",
            " \n INSERT {table}/{id} x ; \n",
            "-- before; this\nINSERT {table}/{id} x",
            "INSERT -- between; these\n {table}/{id} 'x; y'; -- after; this",
        ],
        misplaced: vec![
            Misplaced { text: "-- äöü€𝄞\nGET absent", at: "absent" },
            Misplaced { text: "-- é\nNOTICES -- ü\n many", at: "many" },
        ],
        notices: Some(Notices { before: vec![], statement: "NOTICES 2000".to_owned(), count: 2000 }),
        slow: "SLEEP 600000",
        read_only: None,
        temporary: None,
        judged: vec![],
        load: None,
        foreign_ledger: vec!["PUT runsheet_ledger 'of another'", "PUT runsheet_ledger/1 x"],
        ledger_table: "runsheet_ledger",
    }
}

fn sheets() -> Vec<Sheet> {
    vec![
        Sheet::of(&[
            "-- head; of the sheet\n\n",
            "PUT t 'it''s; one'",
            ";\n-- between; these\n;; ;",
            "PUT u 'zwei ü; €' -- behind; it\n x",
            " \n;",
            "VACUUM",
            ";\n",
            "COMMIT",
            "",
        ]),
        Sheet::of(&[" \n;; -- nothing"]),
    ]
}

struct Files {
    library: PathBuf,
    folder: PathBuf,
}

impl Outside for Files {
    fn rows(&self, database: &str, table: &str) -> Result<Option<u64>> {
        let text = match fs::read_to_string(self.folder.join(format!("{database}.kv"))) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let keys: Vec<&str> =
            text.lines().skip(1).filter_map(|line| line.split_once('\t')).map(|(key, _)| key).collect();
        let below = format!("{table}/");
        let rows = keys.iter().filter(|key| key.starts_with(&below)).count() as u64;
        Ok(keys.contains(&table).then_some(rows))
    }

    fn kill(&self, session: &Identity) -> Result<()> {
        let library = load(&self.library).map_err(anyhow::Error::msg)?;
        let directory = self.folder.display().to_string();
        let mut given = settings(&[("directory", &directory)]);
        given.set("password", "open sesame", true);
        let mut other = library.open(&given, "one", "the test", &mut |_| {})?;
        other.execute(format!("KILL {}", session.session).as_bytes(), &mut |_| {}).context("KILL")?;
        Ok(())
    }

    fn is_running(&self, _session: &Identity) -> Result<bool> {
        bail!("that is seen nowhere")
    }

    fn hold_commits(&self, _database: &str, _table: &str) -> Result<Box<dyn Any>> {
        bail!("commits wait for nobody")
    }

    fn shows_labels(&self) -> bool {
        false
    }

    fn label(&self, _session: &Identity, _expected: &str) -> Result<bool> {
        bail!("that is seen nowhere")
    }
}
