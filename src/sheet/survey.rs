//! Reading a sheet once from end to end before anything of it runs: every fault that is in the sheet itself shows
//! here, and what a run must know beforehand is counted.

use super::head::Head;
use super::pieces::{Fault, Pieces, PiecesError};
use super::segment::{Placement, Segmenter};
use crate::driver::Library;
use runsheet_sdk::{Facts, Kind, Settings};
use std::fs::File;
use std::path::Path;

/// How many statements of a kind.
pub type KindCount = (Kind, u64);

/// What a sheet holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Its head.
    pub head: Head,
    /// Its statements.
    pub statements: u64,
    /// Its segments.
    pub segments: u32,
    /// Segments of a statement that commits by itself, or may.
    pub alone: u32,
    /// Its bytes.
    pub bytes: u64,
    /// Statements by kind, in the order in which the kinds first come.
    pub kinds: Vec<KindCount>,
}

/// Reads a sheet through a driver's splitter.
pub fn survey(path: &Path, driver: Library, settings: &Settings) -> Result<Survey, PiecesError> {
    let head = Head::read(&mut File::open(path)?)??;
    let splitter = driver.split(settings).map_err(PiecesError::Driver)?;
    let mut pieces = Pieces::new(File::open(path)?, splitter);
    through(&mut pieces, head, driver.facts())
}

fn through(pieces: &mut Pieces<File>, head: Head, facts: Facts) -> Result<Survey, PiecesError> {
    let mut segmenter = Segmenter::new(head.txn_mode, facts);
    let mut survey = Survey { head, statements: 0, segments: 0, alone: 0, bytes: 0, kinds: Vec::new() };
    let mut last_line = 1;
    while let Some(statement) = pieces.advance()? {
        if statement.kind == Kind::Rows {
            continue;
        }
        survey.statements = statement.number;
        last_line = statement.line;
        match survey.kinds.iter_mut().find(|(kind, _)| *kind == statement.kind) {
            Some((_, count)) => *count += 1,
            None => survey.kinds.push((statement.kind, 1)),
        }
        let placed = segmenter
            .place(statement.kind, statement.flags, statement.line)
            .map_err(|message| statement.fault(0, message))?;
        if matches!(placed, Placement::Alone { .. } | Placement::Guarded { .. }) {
            survey.alone += 1;
        }
    }
    segmenter.end().map_err(|message| Fault {
        line: last_line,
        column: 1,
        offset: pieces.offset(),
        statement: survey.statements,
        excerpt: String::new(),
        message,
    })?;
    survey.segments = segmenter.count();
    survey.bytes = pieces.offset();
    Ok(survey)
}
