//! A text cut by a splitter, fed as the daemon feeds it: a buffer that begins where the last piece ended, and grows when more is
//! asked for.

use runsheet_sdk::{Flags, Kind, Split, Splitter};
use std::ops::Range;

/// A piece with its place in the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    pub kind: Kind,
    pub flags: Flags,
    pub range: Range<usize>,
}

impl Cut {
    pub fn text<'a>(&self, whole: &'a [u8]) -> &'a [u8] {
        &whole[self.range.clone()]
    }
}

/// Why the cutting stopped before the text's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    /// The byte of the whole text.
    pub at: Option<usize>,
}

impl Fault {
    /// The line that it points at, from 1.
    pub fn line(&self, whole: &[u8]) -> usize {
        let before = &whole[..self.at.expect("a fault of a sheet has a place")];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// What came of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub pieces: Vec<Cut>,
    pub fault: Option<Fault>,
}

/// Cuts a text that is there as a whole.
pub fn whole<S: Splitter>(splitter: S, text: &[u8]) -> Outcome {
    chunks(splitter, text, || text.len().max(1))
}

/// Cuts a text that comes in chunks of the sizes given. What depends on the chunks by intent does not show: rows that follow each other
/// are one piece.
pub fn chunks<S: Splitter>(mut splitter: S, text: &[u8], mut size: impl FnMut() -> usize) -> Outcome {
    let mut pieces: Vec<Cut> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    loop {
        match splitter.next(&text[begin..end], end == text.len()) {
            Ok(Split::Piece(piece)) => {
                assert!(
                    piece.start <= piece.end && piece.end <= piece.consumed && piece.consumed <= end - begin,
                    "{piece:?} does not lie in a text of {} bytes",
                    end - begin
                );
                assert!(piece.consumed > 0 || piece.kind == Kind::Rows, "{piece:?} is never done with");
                let cut = Cut {
                    kind: piece.kind,
                    flags: piece.flags,
                    range: begin + piece.start..begin + piece.end,
                };
                begin += piece.consumed;
                match pieces.last_mut() {
                    Some(last) if last.kind == Kind::Rows && !last.flags.has(Flags::LAST) => {
                        assert_eq!(cut.kind, Kind::Rows, "rows without a last one before {cut:?}");
                        assert_eq!(cut.range.start, last.range.end, "rows are lost before {cut:?}");
                        last.range.end = cut.range.end;
                        last.flags = cut.flags;
                    }
                    _ => pieces.push(cut),
                }
            }
            Ok(Split::More) => {
                assert!(end < text.len(), "more is asked for where the text has ended");
                end = (end + size()).min(text.len());
            }
            Ok(Split::End) => {
                assert_eq!(end, text.len(), "the end is seen before it");
                return Outcome { pieces, fault: None };
            }
            Err(error) => {
                let at = error.position.map(|position| begin + position);
                return Outcome { pieces, fault: Some(Fault { message: error.message, at }) };
            }
        }
    }
}

/// The pieces as lines of a table: the kind, what holds of it, and the text.
pub fn lines(outcome: &Outcome, text: &[u8]) -> Vec<String> {
    let words = [
        (Flags::ALONE, " alone"),
        (Flags::COMMITS, " commits"),
        (Flags::REPEATABLE, " repeatable"),
        (Flags::SESSION, " session"),
        (Flags::LAST, " last"),
        (Flags::MAY_COMMIT, " may-commit"),
    ];
    let line = |piece: &Cut| {
        let flags: String =
            words.iter().filter(|(flag, _)| piece.flags.has(*flag)).map(|(_, word)| *word).collect();
        format!("{}{flags}: {}", piece.kind, String::from_utf8_lossy(piece.text(text)))
    };
    outcome.pieces.iter().map(line).collect()
}
