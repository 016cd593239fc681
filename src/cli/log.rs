//! `log`: what happened in the runs of a plan or a task, statement by statement, and what operators said.

use super::exit::Exit;
use super::paint::{self, Colour, paint};
use super::source::Source;
use super::table::{Cell, Table};
use crate::config::Config;
use crate::report::{LogBlock, LogPlace, LogReport};
use crate::store::{AuditEntry, LogEntry, LogRow, Millis};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::time::Duration;

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(300);

pub(super) fn run(config: &Config, of: &str, follow: bool, json: bool) -> anyhow::Result<Exit> {
    let mut source = Source::open(config)?;
    let mut place = LogPlace::default();
    loop {
        let log = source.log(of, place)?;
        place = log.place;
        paint::print(&if json { as_json(&log)? } else { as_text(&log) })?;
        if log.more {
            continue;
        }
        if log.ended || !follow {
            return Ok(Exit::Fine);
        }
        std::thread::sleep(LOOK);
    }
}

fn instant(time: Millis) -> Timestamp {
    Timestamp::from_millisecond(time).unwrap_or_default()
}

/// One object a line: the run's entries, and the operators' words as entries of their own kind.
fn as_json(log: &LogReport) -> anyhow::Result<String> {
    let mut text = String::new();
    for block in &log.blocks {
        for row in &block.entries {
            let mut line = Map::new();
            line.insert("plan".to_owned(), json!(block.plan));
            line.insert("specId".to_owned(), json!(block.spec_id));
            line.insert("target".to_owned(), json!(block.target));
            line.insert("attempt".to_owned(), json!(block.attempt));
            line.insert("time".to_owned(), json!(instant(row.time)));
            if let Value::Object(entry) = serde_json::to_value(&row.entry)? {
                line.extend(entry);
            }
            let _ = writeln!(text, "{}", Value::Object(line));
        }
    }
    for AuditEntry { time, who, action, plan, spec, reason } in &log.audit {
        let line = json!({
            "plan": plan, "specId": spec, "time": instant(*time),
            "entry": "operator", "action": action, "who": who, "reason": reason,
        });
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}

fn as_text(log: &LogReport) -> String {
    let mut text = String::new();
    for block in &log.blocks {
        let LogBlock { plan, spec_id, target, sheet, attempt, entries } = block;
        let day = entries.first().map_or_else(String::new, |row| local(row.time, "%Y-%m-%d"));
        let head = format!("{plan}/{spec_id} on {target}, {sheet}, try {attempt}, {day}");
        let _ = writeln!(text, "{}", paint(Colour::Bold, &paint::plain(&head)));
        let mut table = Table::new(2);
        entries.iter().for_each(|row| table.row(cells(row)));
        for (line, row) in table.lines().iter().zip(entries) {
            // Of a statement the beginning is enough; what went wrong is said to its end.
            let is_statement = matches!(row.entry, LogEntry::Statements { .. });
            let line = if is_statement { paint::fit(line) } else { line.clone() };
            let _ = writeln!(text, "{line}");
        }
        text.push('\n');
    }
    if !log.audit.is_empty() {
        let _ = writeln!(text, "{}", paint(Colour::Bold, "Operators"));
        let mut table = Table::new(2);
        for AuditEntry { time, who, action, spec, reason, .. } in &log.audit {
            let what = spec.as_ref().map_or_else(|| action.clone(), |spec| format!("{action} {spec}"));
            table.row([local(*time, "%Y-%m-%d %H:%M:%S").into(), what.into(), who.into(), reason.into()]);
        }
        let _ = writeln!(text, "{}\n", table.lines().join("\n"));
    }
    text
}

fn local(time: Millis, format: &str) -> String {
    instant(time).to_zoned_datetime(TimeZone::system()).strftime(format).to_string()
}

fn cells(row: &LogRow) -> Vec<Cell> {
    let time = Cell::coloured(local(row.time, "%H:%M:%S%.3f"), Colour::Faint);
    let (colour, words) = match &row.entry {
        LogEntry::Statements { first, last, line, kind, excerpt, affected_rows, micros } => {
            return vec![
                time,
                Cell::right(numbers(*first, *last)),
                format!("line {line}").into(),
                kind.into(),
                Cell::right(paint::took(*micros)),
                Cell::right(paint::count(*affected_rows, "row")),
                excerpt.into(),
            ];
        }
        LogEntry::Notice { statement, severity, code, message } => {
            let code = if code.is_empty() { String::new() } else { format!(" {code}") };
            let words = format!("{severity}{code}: {message}");
            return vec![
                time,
                Cell::right(numbers(*statement, *statement)),
                Cell::coloured(words, Colour::Waiting),
            ];
        }
        LogEntry::Judged { statement, ruling, reason, before, now } => {
            let seen = |when: &str, what: &str| {
                if what.is_empty() { String::new() } else { format!("; {when}: {what}") }
            };
            let words = format!("judged {ruling}: {reason}{}{}", seen("before", before), seen("now", now));
            let colour = if ruling == "unknown" { Colour::Bad } else { Colour::Active };
            return vec![time, Cell::right(numbers(*statement, *statement)), Cell::coloured(words, colour)];
        }
        other => sentence(other),
    };
    vec![time, Cell::coloured(words, colour)]
}

fn numbers(first: u64, last: u64) -> String {
    match (first, last) {
        (0, _) => String::new(),
        (first, last) if first == last => paint::number(first),
        (first, last) => format!("{}–{}", paint::number(first), paint::number(last)),
    }
}

/// An entry that is about the run and not about one statement.
fn sentence(entry: &LogEntry) -> (Colour, String) {
    let statements = |first: &u64, last: &u64| {
        if first == last { format!("statement {first}") } else { format!("statements {first} to {last}") }
    };
    match entry {
        LogEntry::Started { resumed, session, .. } => {
            let words = if *resumed { "taken up again" } else { "started" };
            (Colour::Active, format!("{words} as {session}"))
        }
        LogEntry::NoticesDropped { count } => {
            (Colour::Waiting, format!("{} more were not kept", paint::count(*count, "notice")))
        }
        LogEntry::Committed { segment, first, last } => {
            (Colour::Good, format!("committed segment {segment} with its mark: {}", statements(first, last)))
        }
        LogEntry::PassedOver { segment, first, last, because } => {
            (Colour::Faint, format!("passed over segment {segment}, {}: {because}", statements(first, last)))
        }
        LogEntry::RolledBack { segment, because } => {
            (Colour::Bad, format!("rolled back segment {segment}: {because}"))
        }
        LogEntry::Ended { status, text } => {
            let colour = if status == "DONE" { Colour::Good } else { Colour::Bad };
            (colour, if text.is_empty() { status.clone() } else { format!("{status}: {text}") })
        }
        LogEntry::Note { text } => (Colour::Faint, text.clone()),
        LogEntry::Statements { .. } | LogEntry::Notice { .. } | LogEntry::Judged { .. } => {
            (Colour::Faint, String::new())
        }
    }
}
