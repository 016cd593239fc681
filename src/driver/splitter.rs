//! A sheet being cut into pieces by its driver, in safe Rust.

use runsheet_sdk::abi::{RSD_END, RSD_MORE, RSD_OK, rsd_open_args, rsd_piece, rsd_split, rsd_splitter};
use runsheet_sdk::sink::{Collected, size};
use runsheet_sdk::text::lend;
use runsheet_sdk::{Class, Error, Failure, Flags, Kind, Notice, Piece, Split};

/// Cuts one sheet. Dropped means finished.
pub struct Splitter {
    table: &'static rsd_split,
    raw: *mut rsd_splitter,
}

// SAFETY: rule 4 of the ABI: calls may come from different threads, one at a time, which `&mut self` keeps.
unsafe impl Send for Splitter {}

impl Splitter {
    pub(super) fn start(table: Option<&'static rsd_split>, args: &rsd_open_args) -> Result<Self, Error> {
        let missing = || Error::new(Class::Unsupported, "the driver does not split sheets");
        let table = table.ok_or_else(missing)?;
        let start = table.start.ok_or_else(missing)?;
        let mut raw = std::ptr::null_mut();
        let mut dropped = |_: usize, _: Notice| {};
        let mut collected = Collected::new(&mut dropped);
        let sink = collected.sink();
        // SAFETY: rule 3: all arguments live during the call.
        let status = unsafe { start(args, &sink, &mut raw) };
        if status != RSD_OK || raw.is_null() {
            return Err(collected.error(Failure::from_abi(status)));
        }
        Ok(Self { table, raw })
    }

    /// The next piece of `text`, which begins where the last piece ended; after [`Split::More`] the same bytes
    /// must come again with more behind them. A driver whose piece does not lie in the text is refused.
    pub fn next(&mut self, text: &[u8], at_end: bool) -> Result<Split, Error> {
        let Some(next) = self.table.next else { return Ok(Split::End) };
        let mut piece = rsd_piece {
            struct_size: size::<rsd_piece>(),
            kind: 0,
            flags: 0,
            reserved: 0,
            start: 0,
            end: 0,
            consumed: 0,
        };
        let mut dropped = |_: usize, _: Notice| {};
        let mut collected = Collected::new(&mut dropped);
        let sink = collected.sink();
        // SAFETY: rules 3 and 4.
        let status = unsafe { next(self.raw, lend(text), u32::from(at_end), &mut piece, &sink) };
        match status {
            RSD_OK => {
                let kind = Kind::from_abi(piece.kind);
                let rows = kind == Kind::Rows;
                let sound = piece.start <= piece.end
                    && piece.end <= piece.consumed
                    && piece.consumed <= text.len()
                    && (piece.consumed > 0 || rows);
                if !sound {
                    return Err(broken(format!(
                        "it gave a piece from {} to {} (done with {}) of a text of {} bytes",
                        piece.start,
                        piece.end,
                        piece.consumed,
                        text.len()
                    )));
                }
                Ok(Split::Piece(Piece {
                    kind,
                    flags: Flags(piece.flags),
                    start: piece.start,
                    end: piece.end,
                    consumed: piece.consumed,
                }))
            }
            RSD_MORE if at_end => Err(broken("it asks for more text where the sheet has ended".to_owned())),
            RSD_MORE => Ok(Split::More),
            RSD_END if at_end => Ok(Split::End),
            RSD_END => Ok(Split::More),
            status => Err(collected.error(Failure::from_abi(status))),
        }
    }
}

fn broken(what: String) -> Error {
    Error {
        failure: Failure::DriverBug,
        ..Error::new(Class::Other, format!("the driver's splitter broke its contract: {what}"))
    }
}

impl Drop for Splitter {
    fn drop(&mut self) {
        if let Some(finish) = self.table.finish {
            // SAFETY: finished once, here, with no other call running.
            unsafe { finish(self.raw) }
        }
    }
}
