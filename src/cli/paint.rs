//! Colour and the shape of numbers and times: colour on a terminal only, and not where `NO_COLOR` is set.

use crate::store::{PlanStatus, TaskStatus};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io::{IsTerminal, Write};
use unicode_width::UnicodeWidthChar;

/// The colours that mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Good,
    Bad,
    Active,
    Waiting,
    Faint,
    Bold,
}

/// Whether what is printed is for a person at a terminal.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

fn coloured() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// A text in a colour.
pub(super) fn paint(colour: Colour, text: &str) -> String {
    if !coloured() {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Good => "32",
        Colour::Bad => "31",
        Colour::Active => "36",
        Colour::Waiting => "33",
        Colour::Faint => "2",
        Colour::Bold => "1",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

pub(super) fn of_plan(status: PlanStatus) -> Colour {
    match status {
        PlanStatus::Done => Colour::Good,
        PlanStatus::Failed | PlanStatus::Blocked => Colour::Bad,
        PlanStatus::Running => Colour::Active,
        PlanStatus::WaitingForSheets => Colour::Waiting,
        PlanStatus::Canceled => Colour::Faint,
    }
}

/// A task's mark and colour.
pub(super) fn of_task(status: TaskStatus) -> (&'static str, Colour) {
    match status {
        TaskStatus::NotStarted => ("·", Colour::Faint),
        TaskStatus::Pending => ("○", Colour::Waiting),
        TaskStatus::Running => ("▶", Colour::Active),
        TaskStatus::Done => ("✓", Colour::Good),
        TaskStatus::Failed => ("✗", Colour::Bad),
        TaskStatus::Canceled => ("⊘", Colour::Faint),
        TaskStatus::Skipped => ("↷", Colour::Faint),
        TaskStatus::InDoubt => ("?", Colour::Bad),
    }
}

/// A number with its thousands apart.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its word: `1 row`, `2 rows`.
pub(super) fn count(number_of: u64, word: &str) -> String {
    format!("{} {word}{}", number(number_of), if number_of == 1 { "" } else { "s" })
}

/// A short length of time, where a millisecond matters.
pub(super) fn took(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        _ => length(micros / 1000),
    }
}

/// A length of time, at a glance.
pub(super) fn length(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis} ms"),
        1..10 => format!("{}.{} s", seconds, millis % 1000 / 100),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// The time between two instants; until now where the second is missing.
pub(super) fn between(start: Timestamp, end: Option<Timestamp>) -> String {
    let end = end.unwrap_or_else(Timestamp::now);
    length(u64::try_from(end.as_millisecond() - start.as_millisecond()).unwrap_or(0))
}

/// An instant in the local time zone.
pub(super) fn at(time: Timestamp) -> String {
    time.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How wide the terminal is; nothing where no terminal limits a line.
pub(super) fn terminal_width() -> Option<usize> {
    if !is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    Some(size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 20).unwrap_or(80))
}

/// How high the terminal is.
pub(super) fn terminal_height() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    size.map(|size| usize::from(size.ws_row)).filter(|rows| *rows > 5).unwrap_or(24)
}

/// A text as it may be shown: what would steer a terminal is taken out, and it stays on one line.
pub(super) fn plain(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// The characters of a text with the columns that each takes; those of a colour take none.
fn columns(text: &str) -> impl Iterator<Item = (usize, char, usize)> + '_ {
    let mut in_colour = false;
    text.char_indices().map(move |(at, c)| {
        let takes = if in_colour || c == '\x1b' { 0 } else { c.width().unwrap_or(0) };
        in_colour = (in_colour || c == '\x1b') && c != 'm';
        (at, c, takes)
    })
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    columns(text).map(|(_, _, takes)| takes).sum()
}

/// A text cut to a width, with a sign that it was. A colour is ended where it is cut.
pub(super) fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut used = 0;
    for (at, _, takes) in columns(text) {
        if used + takes >= room {
            let kept = text.get(..at).unwrap_or_default();
            let end = if kept.contains('\x1b') { "\x1b[0m" } else { "" };
            return format!("{kept}{end}…");
        }
        used += takes;
    }
    text.to_owned()
}

/// A line cut to the terminal; one for a file is as long as it is.
pub(super) fn fit(line: &str) -> String {
    terminal_width().map_or_else(|| line.to_owned(), |room| cut(line, room))
}

/// Prints a text as it is.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Says something beside the output. That nobody listens is no error.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a value as JSON.
pub(super) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Whether an error only says that nobody reads on, as with `| head`.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_read_at_a_glance() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(
            (length(9), length(1_250), length(61_000), length(7_260_000)),
            ("9 ms".to_owned(), "1.2 s".to_owned(), "61 s".to_owned(), "2 h 01 min".to_owned())
        );
        assert_eq!(
            (took(340), took(12_345), took(1_250_000)),
            ("0.3 ms".into(), "12 ms".into(), "1.2 s".into())
        );
    }

    #[test]
    fn a_text_is_cut_by_the_columns_that_are_seen() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
        assert_eq!(cut("\x1b[32mabcd\x1b[0m", 4), "\x1b[32mabcd\x1b[0m");
        assert_eq!(cut("\x1b[32mabcdef\x1b[0m", 4), "\x1b[32mabc\x1b[0m…");
        assert_eq!((width("\x1b[1m数据库\x1b[0m"), cut("数据库", 5)), (6, "数据…".to_owned()));
    }

    #[test]
    fn what_would_steer_a_terminal_is_taken_out() {
        assert_eq!(plain("a\tb\n\x1b[2Jc\u{9b}"), "a b \u{fffd}[2Jc\u{fffd}");
    }
}
