//! `log`: what happened in the runs of a plan or a task, statement by statement.

use super::exit::Exit;
use super::paint::{self, Colour, paint};
use super::source::Source;
use crate::config::Config;
use crate::report::{LogBlock, LogReport};
use crate::store::{AuditEntry, LogEntry, LogRow};
use jiff::Timestamp;
use std::fmt::Write;
use std::time::Duration;

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(300);

pub(super) fn run(config: &Config, of: &str, follow: bool, json: bool) -> anyhow::Result<Exit> {
    let mut source = Source::open(config)?;
    let mut after = 0;
    loop {
        let log = source.log(of, after)?;
        let newest = log.blocks.iter().flat_map(|block| &block.entries).map(|row| row.id).max();
        after = newest.unwrap_or(after).max(after);
        paint::print(&if json { as_json(&log)? } else { as_text(&log) })?;
        if log.ended || !follow {
            return Ok(Exit::Fine);
        }
        std::thread::sleep(LOOK);
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    plan: &'a str,
    spec_id: &'a str,
    target: &'a str,
    attempt: u32,
    time: String,
    #[serde(flatten)]
    entry: &'a LogEntry,
}

fn as_json(log: &LogReport) -> anyhow::Result<String> {
    let mut text = String::new();
    for block in &log.blocks {
        for row in &block.entries {
            let line = Line {
                plan: &block.plan,
                spec_id: &block.spec_id,
                target: &block.target,
                attempt: block.attempt,
                time: Timestamp::from_millisecond(row.time).unwrap_or_default().to_string(),
                entry: &row.entry,
            };
            let _ = writeln!(text, "{}", serde_json::to_string(&line)?);
        }
    }
    Ok(text)
}

fn as_text(log: &LogReport) -> String {
    let mut text = String::new();
    for block in &log.blocks {
        let head = format!(
            "{}/{} on {}, {}, try {}",
            block.plan, block.spec_id, block.target, block.sheet, block.attempt
        );
        let _ = writeln!(text, "{}", paint(Colour::Bold, &head));
        for row in &block.entries {
            text.push_str(&entry(row, block));
        }
        text.push('\n');
    }
    for AuditEntry { time, who, action, spec, reason, .. } in &log.audit {
        let time = Timestamp::from_millisecond(*time).map(paint::at).unwrap_or_default();
        let on = spec.as_ref().map_or_else(String::new, |spec| format!(" {spec}"));
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let _ = writeln!(text, "{time}  {action}{on} by {who}{why}");
    }
    text
}

fn entry(row: &LogRow, _block: &LogBlock) -> String {
    let time = Timestamp::from_millisecond(row.time).unwrap_or_default();
    let time = time.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%H:%M:%S%.3f").to_string();
    let (colour, words) = match &row.entry {
        LogEntry::Started { resumed, session, .. } => {
            (Colour::Active, format!("{} as {session}", if *resumed { "taken up again" } else { "started" }))
        }
        LogEntry::Statements { first, last, line, kind, excerpt, affected_rows, micros } => {
            let numbers = if first == last { format!("{first}") } else { format!("{first}–{last}") };
            let took = paint::length(micros / 1000);
            let rows = if *affected_rows > 0 {
                format!(", {}", paint::count(*affected_rows, "row"))
            } else {
                String::new()
            };
            return format!(
                "  {time}  {numbers:>6}  line {line}, {kind}{rows}, {took}: {}\n",
                paint::cut(excerpt, 100)
            );
        }
        LogEntry::Notice { statement, severity, code, message } => {
            (Colour::Waiting, format!("{statement:>6}  {severity} {code}: {message}"))
        }
        LogEntry::NoticesDropped { count } => {
            (Colour::Waiting, format!("{count} more notices were not kept"))
        }
        LogEntry::Committed { segment, first, last } => (
            Colour::Good,
            format!("committed segment {segment}: statements {first} to {last}, with their mark"),
        ),
        LogEntry::PassedOver { segment, first, last, because } => (
            Colour::Faint,
            format!("passed over segment {segment}: statements {first} to {last}, because {because}"),
        ),
        LogEntry::RolledBack { segment, because } => {
            (Colour::Bad, format!("rolled back segment {segment}: {because}"))
        }
        LogEntry::Note { text } => (Colour::Faint, text.clone()),
        LogEntry::Ended { status, text } => {
            let colour = if status == "DONE" { Colour::Good } else { Colour::Bad };
            (colour, if text.is_empty() { status.clone() } else { format!("{status}: {text}") })
        }
    };
    format!("  {time}  {}\n", paint(colour, &words))
}
