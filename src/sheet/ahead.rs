//! A sheet that is read and cut on a thread of its own while the database is at work on what came before. No more than a few chunks
//! lie ready, so that memory stays what it is for a small sheet.

use super::pieces::{Chunk, Pieces, PiecesError};
use std::io::Read;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::Builder;

/// How many chunks lie ready.
const READY: usize = 1;

/// What comes next of a sheet.
pub type Next<'n> = &'n mut dyn FnMut() -> Result<Option<Chunk>, PiecesError>;

/// Gives the chunks of a sheet to `run`, while those behind them are read. What `run` does not ask for is not read.
///
/// # Errors
/// Where there is no thread to be had.
pub fn read_ahead<R: Read + Send, T>(
    pieces: Pieces<R>,
    run: impl FnOnce(Next<'_>) -> T,
) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let (send, chunks) = sync_channel(READY);
        Builder::new().name("sheet".to_owned()).spawn_scoped(scope, move || read(pieces, &send))?;
        // The channel ends behind the sheet's end.
        let ended = run(&mut || chunks.recv().unwrap_or(Ok(None)));
        drop(chunks);
        Ok(ended)
    })
}

fn read<R: Read>(mut pieces: Pieces<R>, chunks: &SyncSender<Result<Option<Chunk>, PiecesError>>) {
    loop {
        let chunk = pieces.chunk();
        let goes_on = matches!(chunk, Ok(Some(_)));
        // Nobody asks any more where the run has ended before the sheet.
        if chunks.send(chunk).is_err() || !goes_on {
            return;
        }
    }
}
