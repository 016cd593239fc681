//! Faults of a file: where, what, and what to do; drawn into the text for people, listed for scripts.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;
use std::ops::Range;

/// How many faults are drawn; the list for scripts has more.
pub const DRAWN_MAX: usize = 50;
/// How many faults of a file are kept; of the others it is said how many there are.
pub const KEPT_MAX: usize = 1_000;
/// The longest line that is drawn whole; of a longer one, a window is.
const LINE_BYTES_MAX: usize = 400;
/// How much of a longer line is drawn on each side.
const WINDOW_BYTES: usize = 60;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The bytes that it is about.
    #[serde(skip)]
    pub range: Range<usize>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line, or the part of a long one around the fault.
    pub excerpt: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Another place that belongs to it, with what it is.
    #[serde(skip)]
    pub also: Option<(Range<usize>, String)>,
    /// Whether only the end of the text is missing: the file may still be on its way.
    #[serde(skip)]
    pub unfinished: bool,
}

/// All faults of a file, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    kept: Vec<Fault>,
    /// How many there are besides those that are kept.
    more: usize,
}

/// Where lines begin, so that a byte's place is found without reading the text again.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// The byte that was asked for last, and how many characters of its line are before it: a file may be one long line.
    last: (usize, usize),
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        let after = text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n').map(|(_, next)| next);
        Self { text, starts: std::iter::once(0).chain(after).collect(), last: (0, 0) }
    }

    /// The bytes of the line that a byte is in, and its number.
    fn line(&self, at: usize) -> (Range<usize>, usize) {
        let number = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts.get(number - 1).copied().unwrap_or(0);
        let end = self.starts.get(number).map_or(self.text.len(), |next| next - 1);
        (start..end, number)
    }

    /// Line and column of a byte.
    pub fn place(&mut self, at: usize) -> (usize, usize) {
        let (line, number) = self.line(at);
        let (from, before) =
            if (line.start..=at).contains(&self.last.0) { self.last } else { (line.start, 0) };
        let column =
            before + self.text.get(from..at).map_or(at.saturating_sub(from), |text| text.chars().count());
        self.last = (at, column);
        (number, column + 1)
    }
}

/// A fault on its way: the place is filled in when all are there.
pub(super) struct Found {
    pub range: Range<usize>,
    pub message: String,
    pub help: Option<String>,
    pub also: Option<(Range<usize>, String)>,
    pub unfinished: bool,
}

impl Faults {
    /// Fills in the places. `more` were found besides.
    pub(super) fn new(text: &str, mut found: Vec<Found>, more: usize) -> Self {
        let mut lines = Lines::new(text);
        found.sort_by(|one, two| (one.range.start, &one.message).cmp(&(two.range.start, &two.message)));
        let kept = found.into_iter().map(|one| {
            let (line, column) = lines.place(one.range.start);
            let excerpt = text.get(window(&lines, &one.range)).unwrap_or_default().trim_end().to_owned();
            Fault {
                range: one.range,
                line,
                column,
                excerpt,
                message: one.message,
                help: one.help,
                also: one.also,
                unfinished: one.unfinished,
            }
        });
        Self { kept: kept.collect(), more }
    }

    /// One fault that is about the file as a whole.
    pub fn of_file(message: impl Into<String>, help: Option<String>) -> Self {
        let found = Found { range: 0..0, message: message.into(), help, also: None, unfinished: false };
        Self::new("", vec![found], 0)
    }

    /// In the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.kept.iter()
    }

    /// How many there are besides those that are kept.
    pub fn more(&self) -> usize {
        self.more
    }

    /// Whether only the end of the text is missing: the file may still be on its way.
    pub fn is_unfinished(&self) -> bool {
        self.kept.iter().any(|fault| fault.unfinished)
    }

    /// Draws them into the text.
    pub fn draw(&self, file: &str, text: &str, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut lines = Lines::new(text);
        let mut drawn: Vec<String> =
            self.kept.iter().take(DRAWN_MAX).map(|fault| draw(&renderer, file, &mut lines, fault)).collect();
        let left_out = self.kept.len().saturating_sub(DRAWN_MAX) + self.more;
        if left_out > 0 {
            drawn.push(format!("… and {left_out} more"));
        }
        let mut text = drawn.join("\n\n");
        text.push('\n');
        text
    }
}

fn draw(renderer: &Renderer, file: &str, lines: &mut Lines<'_>, fault: &Fault) -> String {
    let title = Level::ERROR.primary_title(fault.message.as_str());
    let window = window(lines, &fault.range);
    let source = lines.text.get(window.clone()).unwrap_or_default();
    // A window in a long line has lost its true column, so that is said in words.
    let path = if window.len() < LINE_BYTES_MAX {
        file.to_owned()
    } else {
        format!("{file}, column {}", fault.column)
    };
    let inside = |range: &Range<usize>| -> Option<Range<usize>> {
        let start = range.start.checked_sub(window.start)?;
        let end = range.end.saturating_sub(window.start).min(source.len());
        (start <= end).then_some(start..end)
    };
    let mut snippet = Snippet::source(source).line_start(fault.line).path(path);
    if let Some(range) = inside(&fault.range) {
        snippet = snippet.annotation(AnnotationKind::Primary.span(range));
    }
    let mut group = title.element(snippet);
    if let Some((range, label)) = &fault.also {
        let (other, column) = lines.place(range.start);
        group = group.element(Level::NOTE.message(format!("{label}: line {other}, column {column}")));
    }
    if let Some(help) = &fault.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// The bytes that are shown of a fault: its first line, or a part of that.
fn window(lines: &Lines<'_>, range: &Range<usize>) -> Range<usize> {
    let at = range.start.min(lines.text.len());
    let (line, _) = lines.line(at);
    if line.len() <= LINE_BYTES_MAX {
        return line;
    }
    let low = at.saturating_sub(WINDOW_BYTES).max(line.start);
    let high = range.end.min(at + LINE_BYTES_MAX / 2).saturating_add(WINDOW_BYTES).min(line.end);
    lines.text.floor_char_boundary(low)..lines.text.ceil_char_boundary(high)
}

/// The text of a file: UTF-8, without the mark that some editors put in front.
///
/// # Errors
/// Where it is not UTF-8: the fault at the first byte that is not, and the text as far as it can be shown.
pub fn text_of(bytes: &[u8]) -> Result<&str, (Faults, String)> {
    let help = "Save it as UTF-8.".to_owned();
    if matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
        return Err((Faults::of_file("the file is UTF-16", Some(help)), String::new()));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        // What is not UTF-8 is shown as one sign, so that the places before it stay as they are.
        let shown = String::from_utf8_lossy(bytes).into_owned();
        let at = error.valid_up_to();
        let byte = bytes.get(at).copied().unwrap_or(0);
        let found = Found {
            range: at..at + char::REPLACEMENT_CHARACTER.len_utf8(),
            message: format!("the byte {byte:#04x} is not UTF-8"),
            help: Some(help),
            also: None,
            unfinished: error.error_len().is_none(),
        };
        (Faults::new(&shown, vec![found], 0), shown)
    })
}
