//! `split`: how a driver cuts a sheet, statement by statement.

use super::exit::{Exit, WrongUsage};
use super::paint::{self, Colour, paint};
use crate::config::Config;
use crate::driver::{Drivers, Library};
use crate::sheet::{Fault, Head, Pieces, PiecesError, Placement, Segmenter};
use anyhow::Context;
use runsheet_sdk::{Flags, Kind, Settings};
use serde::Serialize;
use std::fs::File;
use std::path::Path;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    statement: u64,
    offset: u64,
    length: usize,
    line: u64,
    kind: &'static str,
    flags: Vec<&'static str>,
    segment: Option<u32>,
    /// Whether it is run in a transaction.
    transaction: bool,
    excerpt: String,
}

pub(super) fn run(config: &Config, sheet: &Path, driver: &str, json: bool) -> anyhow::Result<Exit> {
    let drivers = Drivers::load(&config.daemon.plugins).with_context(|| {
        format!("the folder of drivers {} cannot be read", config.daemon.plugins.display())
    })?;
    let Some(library) = drivers.get(driver) else {
        let names: Vec<&str> = drivers.names().collect();
        let why = format!("there is no driver `{driver}`; there are: {}", names.join(", "));
        return Err(WrongUsage(why).into());
    };
    // The settings of an instance of this driver may say more of the dialect; the first one stands for all.
    let settings = config
        .instances
        .values()
        .find(|instance| instance.driver == driver)
        .map_or_else(Settings::new, |instance| instance.settings.clone());
    let mut printed = Printed { json, rows: 0 };
    let said = cut(library, &settings, sheet, &mut printed);
    printed.end()?;
    match said? {
        Ok(()) => Ok(Exit::Fine),
        Err(fault) => {
            paint::say(&format!("runsheet: {fault}"));
            Ok(Exit::Failed)
        }
    }
}

fn open(sheet: &Path) -> Result<File, WrongUsage> {
    let unreadable = |why: String| WrongUsage(format!("the sheet {} cannot be read: {why}", sheet.display()));
    let file = File::open(sheet).map_err(|why| unreadable(why.to_string()))?;
    match file.metadata() {
        Ok(meta) if meta.is_dir() => Err(unreadable("it is a folder".to_owned())),
        Ok(_) | Err(_) => Ok(file),
    }
}

/// Prints each statement. The inner error is a fault of the sheet, with its place.
fn cut(
    library: Library,
    settings: &Settings,
    sheet: &Path,
    printed: &mut Printed,
) -> anyhow::Result<Result<(), String>> {
    let shown = sheet.display();
    let head = match Head::read(&mut open(sheet)?)? {
        Ok(head) => head,
        Err(fault) => return Ok(Err(placed(sheet, &fault))),
    };
    let mut pieces = Pieces::new(open(sheet)?, library.split(settings)?);
    let mut segmenter = Segmenter::new(head.txn_mode, library.facts());
    loop {
        let statement = match pieces.advance() {
            Ok(Some(statement)) if statement.kind == Kind::Rows => continue,
            Ok(Some(statement)) => statement,
            Ok(None) => return Ok(segmenter.end().map_err(|why| format!("{shown}: {why}"))),
            Err(PiecesError::Sheet(fault)) => return Ok(Err(placed(sheet, &fault))),
            Err(error) => return Ok(Err(format!("{shown}: {error}"))),
        };
        let placement = match segmenter.place(statement.kind, statement.flags, statement.line) {
            Ok(placement) => placement,
            Err(why) => return Ok(Err(format!("{shown}:{}: {why}", statement.line))),
        };
        printed.row(&Row {
            statement: statement.number,
            offset: statement.offset,
            length: statement.text.len(),
            line: statement.line,
            kind: statement.kind.word(),
            flags: flags(statement.flags),
            segment: placement.segment(),
            transaction: !matches!(placement, Placement::Alone { .. } | Placement::Session),
            excerpt: statement.excerpt(),
        })?;
    }
}

/// A fault with its place, and the line that it is in.
fn placed(sheet: &Path, fault: &Fault) -> String {
    let Fault { line, column, message, excerpt, .. } = fault;
    let place = format!("{}:{line}:{column}: {}", sheet.display(), paint::plain(message));
    if excerpt.is_empty() { place } else { format!("{place}\n  {line} | {}", paint::plain(excerpt)) }
}

fn flags(flags: Flags) -> Vec<&'static str> {
    [
        (Flags::ALONE, "alone"),
        (Flags::COMMITS, "commits"),
        (Flags::REPEATABLE, "repeatable"),
        (Flags::SESSION, "session"),
        (Flags::MAY_COMMIT, "may-commit"),
    ]
    .into_iter()
    .filter(|(flag, _)| flags.has(*flag))
    .map(|(_, word)| word)
    .collect()
}

/// What was printed so far: a sheet may have millions of statements, so each is printed as it comes.
struct Printed {
    json: bool,
    rows: u64,
}

impl Printed {
    fn row(&mut self, row: &Row) -> anyhow::Result<()> {
        let first = self.rows == 0;
        self.rows += 1;
        if self.json {
            let before = if first { "[\n" } else { ",\n" };
            return paint::print(&format!("{before}{}", serde_json::to_string(row)?));
        }
        if first {
            let heads = ["STATEMENT", "LINE", "OFFSET", "BYTES", "KIND", "RUN"];
            let [statement, line, offset, bytes, kind, run] = heads;
            let heads =
                format!("{statement:>9}  {line:>7}  {offset:>10}  {bytes:>8}  {kind:<11}  {run:<22}  TEXT");
            paint::print(&format!("{}\n", paint(Colour::Faint, &heads)))?;
        }
        let how = match (row.segment, row.transaction) {
            (Some(segment), true) => format!("in segment {segment}"),
            (Some(segment), false) => format!("by itself, segment {segment}"),
            (None, true) => "with what is open".to_owned(),
            (None, false) => "for the session".to_owned(),
        };
        let line = format!(
            "{:>9}  {:>7}  {:>10}  {:>8}  {:<11}  {how:<22}  {}",
            row.statement,
            row.line,
            row.offset,
            row.length,
            row.kind,
            paint::plain(&row.excerpt)
        );
        paint::print(&format!("{}\n", paint::fit(&line)))
    }

    /// The list is closed even where a fault ended it.
    fn end(&self) -> anyhow::Result<()> {
        match (self.json, self.rows) {
            (true, 0) => paint::print("[]\n"),
            (true, _) => paint::print("\n]\n"),
            (false, _) => Ok(()),
        }
    }
}
