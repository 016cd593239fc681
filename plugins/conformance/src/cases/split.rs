//! Splitting: the pieces of a sheet are what they are, however its text comes.

use crate::bench::Bench;
use crate::case::Case;
use crate::target::Sheet;
use anyhow::{Context, Result, ensure};
use runsheet_sdk::{Kind, Split};

/// In how many ways a sheet is cut up.
const CHUNKINGS: usize = 50;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "split",
            rule: "The pieces of a sheet are in order, apart, and all of it but blanks, comments and delimiters.",
            needs: &[],
            check: whole,
        },
        Case {
            name: "split-in-chunks",
            rule: "However a sheet's text comes, its pieces are the same.",
            needs: &[],
            check: in_chunks,
        },
        Case {
            name: "split-again",
            rule: "A piece, taken for a sheet, is that one piece.",
            needs: &[],
            check: again,
        },
    ]
}

/// A piece with its place in the sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    start: usize,
    text: String,
    kind: Kind,
}

/// The pieces of a text that comes in chunks; `more` gives the length of the next. Rows of one load are joined.
fn pieces(bench: &Bench, text: &str, mut more: impl FnMut(usize) -> usize) -> Result<Vec<Found>> {
    let mut splitter = bench.library.split(&bench.target.settings)?;
    let bytes = text.as_bytes();
    let (mut begin, mut come) = (0, 0);
    let mut found: Vec<Found> = Vec::new();
    loop {
        let seen = bytes.get(begin..come).unwrap_or_default();
        match splitter.next(seen, come == bytes.len())? {
            Split::End => return Ok(found),
            Split::More => come += more(bytes.len() - come).clamp(1, bytes.len() - come),
            Split::Piece(piece) => {
                let range = begin + piece.start..begin + piece.end;
                let start = range.start;
                let text = text.get(range).context("a piece ends inside a character")?.to_owned();
                begin += piece.consumed;
                match found.last_mut().filter(|last| last.kind == Kind::Rows && piece.kind == Kind::Rows) {
                    Some(rows) => rows.text.push_str(&text),
                    None => found.push(Found { start, text, kind: piece.kind }),
                }
            }
        }
    }
}

fn sheets(bench: &Bench) -> Result<&[Sheet]> {
    ensure!(!bench.target.sheets.is_empty(), "the target has no sheets");
    Ok(&bench.target.sheets)
}

fn whole(bench: &Bench) -> Result<()> {
    for sheet in sheets(bench)? {
        let found = pieces(bench, &sheet.text, |rest| rest)?;
        let texts: Vec<&str> = found.iter().map(|piece| piece.text.as_str()).collect();
        ensure!(texts == sheet.pieces, "the pieces are {texts:?} instead of {:?}", sheet.pieces);
        let mut end = 0;
        for piece in &found {
            ensure!(piece.start >= end, "{:?} begins before the piece before it has ended", piece.text);
            end = piece.start + piece.text.len();
        }
    }
    Ok(())
}

fn in_chunks(bench: &Bench) -> Result<()> {
    for sheet in sheets(bench)? {
        let whole = pieces(bench, &sheet.text, |rest| rest)?;
        for round in 0..CHUNKINGS {
            let found = match round {
                0 => pieces(bench, &sheet.text, |_| 1)?,
                _ => {
                    pieces(bench, &sheet.text, |_| usize::try_from(1 + bench.random.below(40)).unwrap_or(1))?
                }
            };
            ensure!(found == whole, "in other chunks the pieces are {found:?} instead of {whole:?}");
        }
    }
    Ok(())
}

fn again(bench: &Bench) -> Result<()> {
    for sheet in sheets(bench)?.iter().filter(|sheet| sheet.pieces_are_sheets) {
        for piece in pieces(bench, &sheet.text, |rest| rest)? {
            if matches!(piece.kind, Kind::Rows | Kind::Load) {
                continue;
            }
            let found = pieces(bench, &piece.text, |rest| rest)?;
            let same = found.len() == 1 && found.iter().all(|again| again.text == piece.text);
            ensure!(same, "{:?} is split into {found:?}", piece.text);
            ensure!(found.iter().all(|again| again.kind == piece.kind), "{:?} has another kind", piece.text);
        }
    }
    Ok(())
}
