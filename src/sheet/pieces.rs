//! A sheet read piece by piece: the driver cuts, this feeds it, and keeps count of offsets, lines and
//! statement numbers. The sheet is never in memory as a whole: only what lies between the last cut and the next.

use crate::driver::Splitter;
use runsheet_sdk::{Class, Error, Flags, Kind, Piece, Split};
use std::io::Read;
use std::ops::Range;

/// How much is read at a time.
const CHUNK: usize = 256 * 1024;

/// How much of a line is shown.
const EXCERPT_CHARS_MAX: usize = 160;

/// What is wrong with a sheet, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Fault {
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
    /// The byte in the sheet.
    pub offset: u64,
    /// The statement that it is in, from 1; 0 where it is in none.
    pub statement: u64,
    /// The line's text, cut where it is long.
    pub excerpt: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Fault {
    /// A fault that is about a whole line.
    pub fn at_line(line: u64, text: &str, message: String) -> Self {
        Self { line, column: 1, offset: 0, statement: 0, excerpt: cut(text), message }
    }
}

/// A piece of a sheet with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// Its number, from 1; rows of a load have the number of their load.
    pub number: u64,
    /// What it is.
    pub kind: Kind,
    /// What holds of it.
    pub flags: Flags,
    /// Its first byte in the sheet.
    pub offset: u64,
    /// Its line, from 1.
    pub line: u64,
    /// What stands in that line before it, as far as it is blanks and comments: the rest is of other statements.
    pub lead: &'a [u8],
    /// The characters of that line before `lead`.
    pub lead_column: u64,
    /// Its bytes.
    pub text: &'a [u8],
}

impl Statement<'_> {
    /// Its beginning in one line, for people.
    pub fn excerpt(&self) -> String {
        let head = self.text.get(..self.text.len().min(4 * EXCERPT_CHARS_MAX)).unwrap_or_default();
        cut(&String::from_utf8_lossy(head).split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// What is wrong at a byte of it.
    pub fn fault(&self, position: usize, message: String) -> Fault {
        let (line, column, excerpt) = self.place(position);
        let offset = self.offset + position as u64;
        Fault { line, column, offset, statement: self.number, excerpt, message }
    }

    /// The place of a byte of it: line, column in characters, and the line's text.
    pub fn place(&self, position: usize) -> (u64, u64, String) {
        let position = position.min(self.text.len());
        let (before, after) = self.text.split_at(position);
        let end = after.iter().position(|byte| *byte == b'\n').map_or(self.text.len(), |at| position + at);
        // The other lines are all its own.
        let (hidden, lead, begin) = match before.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => (0, b"".as_slice(), at + 1),
            None => (self.lead_column, self.lead, 0),
        };
        let shown = [lead, self.text.get(begin..end).unwrap_or_default()].concat();
        let column = characters(lead) + characters(before.get(begin..).unwrap_or_default()) + 1;
        let text = around(String::from_utf8_lossy(&shown).trim_end(), column);
        let text = if hidden > 0 && !text.starts_with('…') { format!("…{text}") } else { text };
        (self.line + newlines(before), hidden + column, text)
    }
}

fn characters(bytes: &[u8]) -> u64 {
    if bytes.is_ascii() {
        return bytes.len() as u64;
    }
    String::from_utf8_lossy(bytes).chars().count() as u64
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The last line of a text whose first line goes on behind `column` characters, and how many stand before what is given.
fn last_line(text: &[u8], column: u64) -> (u64, &[u8]) {
    match text.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => (0, text.get(at + 1..).unwrap_or_default()),
        None => (column, text),
    }
}

pub(super) fn cut(text: &str) -> String {
    around(text, 1)
}

/// The part of a line that is shown: all of it, or a window with the column in it.
fn around(text: &str, column: u64) -> String {
    let length = text.chars().count();
    if length <= EXCERPT_CHARS_MAX {
        return text.to_owned();
    }
    let column = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
    let begin = column.saturating_sub(EXCERPT_CHARS_MAX / 2).min(length - EXCERPT_CHARS_MAX);
    let window: String = text.chars().skip(begin).take(EXCERPT_CHARS_MAX).collect();
    match (begin > 0, begin + EXCERPT_CHARS_MAX < length) {
        (true, true) => format!("…{window}…"),
        (true, false) => format!("…{window}"),
        (false, _) => format!("{window}…"),
    }
}

/// A piece whose text lies in a buffer.
struct Located {
    number: u64,
    kind: Kind,
    flags: Flags,
    offset: u64,
    line: u64,
    lead_column: u64,
    lead: Range<usize>,
    text: Range<usize>,
}

impl Located {
    fn in_buffer<'b>(&self, buffer: &'b [u8]) -> Statement<'b> {
        let Self { number, kind, flags, offset, line, lead_column, .. } = *self;
        let bytes = |range: &Range<usize>| buffer.get(range.clone()).unwrap_or_default();
        Statement {
            number,
            kind,
            flags,
            offset,
            line,
            lead: bytes(&self.lead),
            lead_column,
            text: bytes(&self.text),
        }
    }
}

/// Pieces that were read at once, with their text.
pub struct Chunk {
    buffer: Vec<u8>,
    pieces: Vec<Located>,
}

impl Chunk {
    /// They, in their order.
    pub fn statements(&self) -> impl Iterator<Item = Statement<'_>> {
        self.pieces.iter().map(|piece| piece.in_buffer(&self.buffer))
    }
}

/// A sheet being read.
pub struct Pieces<R> {
    source: R,
    splitter: Splitter,
    buffer: Vec<u8>,
    /// Where in the buffer the next piece is looked for.
    begin: usize,
    ended: bool,
    next: Next,
    /// The byte of the sheet at `begin`, and its line.
    offset: u64,
    line: u64,
    /// The characters of that line before `begin`.
    column: u64,
    number: u64,
}

/// What the next look at the sheet begins with.
#[derive(Debug)]
enum Next {
    /// The splitter is asked.
    Piece,
    /// The splitter has asked for more than what is in the buffer.
    Fill,
    /// There is no further piece.
    End,
    /// What came behind the last chunk.
    Failed(PiecesError),
}

/// Why no further piece came.
#[derive(Debug, thiserror::Error)]
pub enum PiecesError {
    /// The sheet is at fault.
    #[error(transparent)]
    Sheet(#[from] Fault),
    /// The driver's splitter is at fault.
    #[error("{0}")]
    Driver(Error),
    /// The file could not be read.
    #[error("the sheet could not be read: {0}")]
    Read(#[from] std::io::Error),
}

impl<R: Read> Pieces<R> {
    /// Begins with a sheet.
    pub fn new(source: R, splitter: Splitter) -> Self {
        Self {
            source,
            splitter,
            buffer: Vec::new(),
            begin: 0,
            ended: false,
            next: Next::Piece,
            offset: 0,
            line: 1,
            column: 0,
            number: 0,
        }
    }

    /// The bytes of the sheet that are done with.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next piece, or none at the sheet's end.
    pub fn advance(&mut self) -> Result<Option<Statement<'_>>, PiecesError> {
        Ok(self.step()?.map(|located| located.in_buffer(&self.buffer)))
    }

    /// The next pieces, as many as lie whole in what was read at once, or none at the sheet's end.
    pub fn chunk(&mut self) -> Result<Option<Chunk>, PiecesError> {
        let Some(first) = self.step()? else { return Ok(None) };
        let mut pieces = vec![first];
        self.next = loop {
            match self.look() {
                Ok(piece) => pieces.push(self.locate(piece)),
                Err(next) => break next,
            }
        };
        // What is behind the last one begins the next buffer.
        let rest = self.buffer.split_off(self.begin);
        self.begin = 0;
        Ok(Some(Chunk { buffer: std::mem::replace(&mut self.buffer, rest), pieces }))
    }

    fn step(&mut self) -> Result<Option<Located>, PiecesError> {
        loop {
            match std::mem::replace(&mut self.next, Next::Piece) {
                Next::Fill => self.fill()?,
                Next::Piece => {}
                Next::End => {
                    self.next = Next::End;
                    return Ok(None);
                }
                Next::Failed(error) => return Err(error),
            }
            match self.look() {
                Ok(piece) => return Ok(Some(self.locate(piece))),
                Err(next) => self.next = next,
            }
        }
    }

    /// Asks the splitter.
    fn look(&mut self) -> Result<Piece, Next> {
        let text = self.buffer.get(self.begin..).unwrap_or_default();
        match self.splitter.next(text, self.ended) {
            Ok(Split::Piece(piece)) => Ok(piece),
            Ok(Split::End) => Err(Next::End),
            Ok(Split::More) => Err(Next::Fill),
            Err(error) => Err(Next::Failed(self.fault(error))),
        }
    }

    /// Counts a piece, and what stands before it.
    fn locate(&mut self, piece: Piece) -> Located {
        let text = self.buffer.get(self.begin..).unwrap_or_default();
        let gap = text.get(..piece.start).unwrap_or_default();
        let line = self.line + newlines(gap);
        let (lead_column, lead) = last_line(gap, self.column);
        let lead_length = lead.len();
        let (column, rest) = last_line(text.get(..piece.consumed).unwrap_or_default(), self.column);
        self.column = column + characters(rest);
        self.line = line + newlines(text.get(piece.start..piece.consumed).unwrap_or_default());
        if piece.kind != Kind::Rows {
            self.number += 1;
        }
        let offset = self.offset + piece.start as u64;
        self.offset += piece.consumed as u64;
        let (start, end) = (self.begin + piece.start, self.begin + piece.end);
        self.begin += piece.consumed;
        let (lead, text) = (start - lead_length..start, start..end);
        Located {
            number: self.number,
            kind: piece.kind,
            flags: piece.flags,
            offset,
            line,
            lead_column,
            lead,
            text,
        }
    }

    /// Reads on behind what is there, moving it to the buffer's front first.
    fn fill(&mut self) -> Result<(), PiecesError> {
        self.buffer.drain(..self.begin);
        self.begin = 0;
        let had = self.buffer.len();
        // A long statement is read in steps that grow with it, so that it is not copied over and over.
        let want = CHUNK.max(had);
        self.buffer.reserve(want);
        let read = self.source.by_ref().take(want as u64).read_to_end(&mut self.buffer)?;
        self.ended = read < want;
        Ok(())
    }

    fn fault(&self, error: Error) -> PiecesError {
        let text = self.buffer.get(self.begin..).unwrap_or_default();
        match (error.class, error.position) {
            (Class::Syntax, position) => {
                let rest = Statement {
                    number: self.number + 1,
                    kind: Kind::Other,
                    flags: Flags::none(),
                    offset: self.offset,
                    line: self.line,
                    lead: b"",
                    lead_column: self.column,
                    text,
                };
                PiecesError::Sheet(rest.fault(position.unwrap_or(0), error.to_string()))
            }
            _ => PiecesError::Driver(error),
        }
    }
}
