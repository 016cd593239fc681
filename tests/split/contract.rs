//! What holds of every splitter and every text, whatever the dialect: chunks change nothing, nothing is lost or changed, a piece by
//! itself is that piece again, no bytes bring it down, and nothing is read twice.

use crate::cut::{self, Cut};
use crate::random::{cases, seed};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use runsheet_sdk::{Flags, Kind, Split, Splitter};

/// What is particular to a dialect.
pub struct Dialect<S> {
    /// A splitter at a sheet's beginning.
    pub splitter: fn() -> S,
    /// A whole script from a seed.
    pub script: fn(u64) -> Vec<u8>,
    /// What means something to it.
    pub parts: &'static [&'static str],
    /// Whether bytes between two pieces are blanks, comments, delimiters and what else is no statement.
    pub is_filler: fn(&[u8]) -> bool,
    /// A sheet that has only this piece of the text; nothing where it is read otherwise by itself.
    pub alone: fn(&[u8], &Cut) -> Option<Alone>,
}

/// A sheet of one piece.
pub struct Alone {
    pub sheet: Vec<u8>,
    /// Where the piece begins.
    pub at: usize,
}

fn check<T: std::fmt::Debug>(
    default: usize,
    from: impl Strategy<Value = T>,
    test: impl Fn(T) -> Result<(), TestCaseError>,
) {
    let seed = seed();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: cases(default) as u32, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    if let Err(why) = runner.run(&from, test) {
        panic!("RUNSHEET_SEED={seed}: {why}");
    }
}

/// Whole scripts, cut into chunks of any sizes.
pub fn scripts_keep_it<S: Splitter>(dialect: &Dialect<S>) {
    check(1_000, (any::<u64>(), vec(1_usize..40, 1..8)), |(seed, sizes)| {
        let text = (dialect.script)(seed);
        prop_assert_eq!(cut::whole((dialect.splitter)(), &text).fault, None);
        keeps_it(dialect, &text, &sizes)
    });
}

/// What means something, in any order, and any bytes between.
pub fn any_bytes_keep_it<S: Splitter>(dialect: &Dialect<S>) {
    let part = prop_oneof![
        9 => proptest::sample::select(dialect.parts).prop_map(|part| part.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..4),
    ];
    check(10_000, (vec(part, 0..60), vec(1_usize..30, 1..8)), |(parts, sizes)| {
        keeps_it(dialect, &parts.concat(), &sizes)
    });
}

fn keeps_it<S: Splitter>(dialect: &Dialect<S>, text: &[u8], sizes: &[usize]) -> Result<(), TestCaseError> {
    let outcome = cut::whole((dialect.splitter)(), text);
    let mut sizes = sizes.iter().cycle();
    let chunked = cut::chunks((dialect.splitter)(), text, || *sizes.next().expect("a cycle has no end"));
    prop_assert_eq!(&outcome, &chunked);
    prop_assert_eq!(&outcome, &cut::chunks((dialect.splitter)(), text, || 1));
    let mut end = 0;
    for piece in &outcome.pieces {
        let gap = text.get(end..piece.range.start);
        prop_assert!(gap.is_some_and(dialect.is_filler), "{:?} is lost", gap.map(String::from_utf8_lossy));
        end = piece.range.end;
        if piece.kind != Kind::Rows {
            let (first, last) = (piece.text(text).first(), piece.text(text).last());
            let bare = |byte: Option<&u8>| byte.is_some_and(|byte| !byte.is_ascii_whitespace());
            prop_assert!(bare(first) && bare(last), "{piece:?} is empty or has blanks around it");
            is_itself(dialect, text, piece)?;
        }
    }
    if outcome.fault.is_none() {
        prop_assert!(
            (dialect.is_filler)(&text[end..]),
            "{:?} is lost",
            String::from_utf8_lossy(&text[end..])
        );
    }
    Ok(())
}

fn is_itself<S: Splitter>(dialect: &Dialect<S>, text: &[u8], piece: &Cut) -> Result<(), TestCaseError> {
    let Some(Alone { sheet, at }) = (dialect.alone)(text, piece) else { return Ok(()) };
    let mut again = cut::whole((dialect.splitter)(), &sheet);
    // A load has rows, if only none.
    again.pieces.retain(|piece| piece.kind != Kind::Rows);
    let same = Cut { range: at..at + piece.range.len(), ..piece.clone() };
    prop_assert_eq!(again.fault, None, "{:?}", String::from_utf8_lossy(&sheet));
    prop_assert_eq!(again.pieces, vec![same], "{:?}", String::from_utf8_lossy(&sheet));
    Ok(())
}

/// A long piece in small chunks.
const LONG_BYTES: usize = 5 << 20;
const CHUNK_BYTES: usize = 64 << 10;
/// A splitter may look again at the statement's head, which says its kind, and at this much before the end.
const HEAD_BYTES: usize = 256;
const AGAIN_BYTES: usize = 4096;

/// Cuts `head`, megabytes of `unit` and `tail` from chunks. What was shown once is overwritten, so that a splitter that reads it again
/// goes astray; one that cuts all the same has done work that grows with the text and not with its square.
pub fn reads_nothing_twice<S: Splitter>(
    dialect: &Dialect<S>,
    name: &str,
    head: &str,
    unit: &str,
    tail: &str,
) {
    let text = [head, &unit.repeat(LONG_BYTES / unit.len()), tail].concat().into_bytes();
    let wanted = cut::whole((dialect.splitter)(), &text);
    let longest = wanted.pieces.iter().map(|piece| piece.range.len()).max();
    assert_eq!(wanted.fault, None, "{name}");
    let lead = wanted.pieces.first().map_or(0, |piece| piece.range.start);
    assert!(lead.max(longest.unwrap_or(0)) > LONG_BYTES / 2, "{name} is no long piece: {wanted:?}");
    let bad = ["'\"`;*/)$\n\\.\n", tail].concat().into_bytes();
    let mut splitter = (dialect.splitter)();
    let mut pieces: Vec<Cut> = Vec::new();
    let (mut begin, mut end, mut overwritten, mut shown) = (0, 0, 0, text.clone());
    loop {
        let split = splitter.next(&shown[begin..end], end == text.len());
        match split.unwrap_or_else(|error| panic!("{name}: {error} at {:?}", error.position)) {
            Split::End => break,
            Split::More => {
                let (from, to) = (overwritten.max(begin + HEAD_BYTES), end.saturating_sub(AGAIN_BYTES));
                if from < to {
                    shown[from..to].iter_mut().zip(bad.iter().cycle()).for_each(|(byte, bad)| *byte = *bad);
                    overwritten = to;
                }
                end = (end + CHUNK_BYTES).min(text.len());
            }
            Split::Piece(piece) => {
                let cut = Cut {
                    kind: piece.kind,
                    flags: piece.flags,
                    range: begin + piece.start..begin + piece.end,
                };
                begin += piece.consumed;
                match pieces.last_mut() {
                    Some(last) if last.kind == Kind::Rows && !last.flags.has(Flags::LAST) => {
                        (last.range.end, last.flags) = (cut.range.end, cut.flags);
                    }
                    _ => pieces.push(cut),
                }
            }
        }
    }
    assert_eq!(pieces, wanted.pieces, "{name}: it was read again");
}
