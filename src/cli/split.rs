//! `split`: how a driver cuts a sheet, statement by statement.

use super::exit::Exit;
use super::paint;
use crate::config::Config;
use crate::driver::Drivers;
use crate::sheet::{Head, Pieces, Placement, Segmenter};
use anyhow::{Context, anyhow};
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
    let names: Vec<&str> = drivers.names().collect();
    let library = drivers
        .get(driver)
        .ok_or_else(|| anyhow!("there is no driver `{driver}`; there are: {}", names.join(", ")))?;
    // The settings of an instance of this driver may say more of the dialect; the first one stands for all.
    let settings = config
        .instances
        .values()
        .find(|instance| instance.driver == driver)
        .map_or_else(Settings::new, |instance| instance.settings.clone());
    let open = || File::open(sheet).with_context(|| format!("{} cannot be read", sheet.display()));
    let head = Head::read(&mut open()?)?.map_err(|fault| anyhow!("{}:{fault}", sheet.display()))?;
    let mut pieces = Pieces::new(open()?, library.split(&settings)?);
    let mut segmenter = Segmenter::new(head.txn_mode, library.facts());
    if json {
        paint::print("[")?;
    }
    let mut first = true;
    loop {
        let statement = match pieces.advance() {
            Ok(Some(statement)) if statement.kind == Kind::Rows => continue,
            Ok(Some(statement)) => statement,
            Ok(None) => break,
            Err(error) => {
                eprintln!("runsheet: {}: {error}", sheet.display());
                return Ok(Exit::Failed);
            }
        };
        let placement = segmenter.place(statement.kind, statement.flags, statement.line);
        let placement = placement.map_err(|why| anyhow!("{}:{}: {why}", sheet.display(), statement.line))?;
        let row = Row {
            statement: statement.number,
            offset: statement.offset,
            length: statement.text.len(),
            line: statement.line,
            kind: statement.kind.word(),
            flags: flags(statement.flags),
            segment: placement.segment(),
            transaction: !matches!(placement, Placement::Alone { .. } | Placement::Session),
            excerpt: statement.excerpt(),
        };
        if json {
            let comma = if first { "\n" } else { ",\n" };
            paint::print(&format!("{comma}{}", serde_json::to_string(&row)?))?;
        } else {
            paint::print(&line(&row))?;
        }
        first = false;
    }
    if json {
        paint::print("\n]\n")?;
    }
    Ok(match segmenter.end() {
        Ok(()) => Exit::Fine,
        Err(why) => {
            eprintln!("runsheet: {}: {why}", sheet.display());
            Exit::Failed
        }
    })
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

fn line(row: &Row) -> String {
    let segment = row.segment.map_or_else(|| "–".to_owned(), |segment| segment.to_string());
    let how =
        if row.transaction { format!("segment {segment}") } else { format!("segment {segment}, by itself") };
    format!(
        "{:>6}  line {:<6} byte {:<9} {:>8} bytes  {:<11} {:<22} {}\n",
        row.statement,
        row.line,
        row.offset,
        row.length,
        row.kind,
        how,
        paint::cut(&row.excerpt, 70)
    )
}
