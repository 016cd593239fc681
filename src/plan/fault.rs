//! Faults of a file: where, what, and what to do; drawn into the text for people, listed for scripts.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;
use std::ops::Range;

/// How many faults are drawn; the list for scripts has them all.
pub const DRAWN_MAX: usize = 50;
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
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Another place that belongs to it, with what it is.
    #[serde(skip)]
    pub also: Option<(Range<usize>, String)>,
}

/// All faults of a file, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

/// Where lines begin, so that a byte's line is found without reading the text again.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        let after = text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n').map(|(_, next)| next);
        Self { text, starts: std::iter::once(0).chain(after).collect() }
    }

    /// Line and column of a byte.
    pub fn place(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..at).map_or(at - start.min(at), |before| before.chars().count());
        (line, column + 1)
    }
}

/// A fault on its way: the place is filled in when all are there.
pub(super) struct Found {
    pub range: Range<usize>,
    pub message: String,
    pub help: Option<String>,
    pub also: Option<(Range<usize>, String)>,
}

impl Faults {
    pub(super) fn new(text: &str, mut found: Vec<Found>) -> Self {
        let lines = Lines::new(text);
        found.sort_by(|one, two| (one.range.start, &one.message).cmp(&(two.range.start, &two.message)));
        let faults = found.into_iter().map(|one| {
            let (line, column) = lines.place(one.range.start);
            Fault { range: one.range, line, column, message: one.message, help: one.help, also: one.also }
        });
        Self(faults.collect())
    }

    /// One fault that stands at the file's beginning.
    pub fn of_file(message: impl Into<String>, help: Option<String>) -> Self {
        Self(vec![Fault { range: 0..0, line: 1, column: 1, message: message.into(), help, also: None }])
    }

    /// In the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Draws them into the text.
    pub fn draw(&self, file: &str, text: &str, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let lines = Lines::new(text);
        let mut drawn: Vec<String> =
            self.0.iter().take(DRAWN_MAX).map(|fault| draw(&renderer, file, &lines, fault)).collect();
        if self.0.len() > DRAWN_MAX {
            drawn.push(format!("… and {} more", self.0.len() - DRAWN_MAX));
        }
        let mut text = drawn.join("\n\n");
        text.push('\n');
        text
    }
}

fn draw(renderer: &Renderer, file: &str, lines: &Lines<'_>, fault: &Fault) -> String {
    let title = Level::ERROR.primary_title(fault.message.as_str());
    let window = window(lines, &fault.range);
    let source = lines.text.get(window.clone()).unwrap_or_default();
    let (line, _) = lines.place(window.start);
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
    let mut snippet = Snippet::source(source).line_start(line).path(path);
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
    let text = lines.text;
    let at = range.start.min(text.len());
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let end = text.get(at..).and_then(|after| after.find('\n')).map_or(text.len(), |newline| at + newline);
    if end - start <= LINE_BYTES_MAX {
        return start..end;
    }
    let low = text.floor_char_boundary(at.saturating_sub(WINDOW_BYTES).max(start));
    let high =
        text.ceil_char_boundary(range.end.min(at + LINE_BYTES_MAX / 2).saturating_add(WINDOW_BYTES).min(end));
    low..high
}

/// The text of a file: UTF-8, without the mark that some editors put in front.
///
/// # Errors
/// Where it is not UTF-8, with the place of the first byte that is not.
pub fn text_of(bytes: &[u8]) -> Result<&str, Faults> {
    let help = "Save it as UTF-8.".to_owned();
    if matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
        return Err(Faults::of_file("the file is UTF-16", Some(help)));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let good = String::from_utf8_lossy(good);
        let (line, column) = Lines::new(&good).place(good.len());
        let byte = bad.first().copied().unwrap_or(0);
        let message = format!("the byte {byte:#04x} is not UTF-8");
        Faults(vec![Fault { range: 0..0, line, column, message, help: Some(help), also: None }])
    })
}
