//! The segments of a sheet with the statement that each begins with: what a recovery must know to ask a target.

use crate::driver::Library;
use crate::sheet::{Head, Pieces, PiecesError, Placement, Segmenter};
use crate::store::IntentKind;
use runsheet_sdk::{Flags, Kind, Settings};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::Path;

/// A segment, and its first statement.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    /// From 1.
    pub number: u32,
    /// Whether it is one statement that commits by itself, or may.
    pub is_alone: bool,
    /// Whether that may be run again without harm, by its kind.
    pub repeatable: bool,
    /// Its statements that change rows, where it is a transaction: on some engines there are tables whose changes a rollback does not undo.
    pub changes: Vec<Vec<u8>>,
    /// The first statement's number.
    pub statement: u64,
    pub offset: u64,
    pub line: u64,
    pub text: Vec<u8>,
    pub excerpt: String,
}

impl Segment {
    /// What an open intent of it is of, where the target has a ledger.
    pub fn kind(&self) -> IntentKind {
        if self.is_alone { IntentKind::Statement } else { IntentKind::NotUndone }
    }

    /// SHA-256 of its first statement.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.text))
    }
}

/// What of a sheet's segments is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All.
    All,
    /// The first behind those that the ledger has, with the texts of what changes rows.
    After(u32),
    /// Those that might be in without a mark.
    Unmarked,
}

/// Reads a sheet's segments.
pub(super) fn outline(
    sheet: &Path,
    driver: Library,
    settings: &Settings,
    wanted: Wanted,
) -> Result<Vec<Segment>, PiecesError> {
    let head = Head::read(&mut File::open(sheet)?)??;
    let splitter = driver.split(settings).map_err(PiecesError::Driver)?;
    let mut pieces = Pieces::new(File::open(sheet)?, splitter);
    let mut segmenter = Segmenter::new(head.txn_mode, driver.facts());
    let has_unsafe_tables = driver.facts().has(runsheet_sdk::Facts::UNSAFE_TABLES);
    let mut found: Vec<Segment> = Vec::new();
    while let Some(statement) = pieces.advance()? {
        if statement.kind == Kind::Rows {
            continue;
        }
        let placement =
            segmenter.place(statement.kind, statement.flags, statement.line).map_err(|message| {
                let (line, column, excerpt) = statement.place(0);
                crate::sheet::Fault {
                    line,
                    column,
                    offset: statement.offset,
                    statement: statement.number,
                    excerpt,
                    message,
                }
            })?;
        let Some(number) = placement.segment() else { continue };
        if let Wanted::After(last) = wanted {
            if found.last().is_some_and(|first| first.number != number) {
                break;
            }
            if number <= last {
                continue;
            }
        }
        let is_alone = matches!(placement, Placement::Alone { .. } | Placement::Guarded { .. });
        if placement.begins_a_segment() {
            found.push(Segment {
                number,
                is_alone,
                repeatable: statement.flags.has(Flags::REPEATABLE),
                changes: Vec::new(),
                statement: statement.number,
                offset: statement.offset,
                line: statement.line,
                text: statement.text.to_vec(),
                excerpt: statement.excerpt(),
            });
        }
        let changes = !is_alone && has_unsafe_tables && matches!(statement.kind, Kind::Dml | Kind::Load);
        if changes && let Some(segment) = found.last_mut() {
            // Whether there is any is all that counts where they are not asked for one by one.
            let text = if matches!(wanted, Wanted::After(_)) { statement.text.to_vec() } else { Vec::new() };
            segment.changes.push(text);
        }
    }
    if wanted == Wanted::Unmarked {
        found.retain(|segment| segment.is_alone || !segment.changes.is_empty());
    }
    Ok(found)
}
