//! One row of a load, looked up in the sheet again: rows are passed on as they come, and nobody keeps them.

use super::pieces::cut;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// How much of a row is read.
const ROW_BYTES_MAX: u64 = 4 * 1024;

/// The text of a row, cut where it is long: `row` counts from 0, and the first begins at the byte `begin` of the sheet.
///
/// # Errors
/// Where the sheet cannot be read, or has no such row.
pub fn row_text(sheet: &Path, begin: u64, row: u64) -> std::io::Result<String> {
    let mut file = File::open(sheet)?;
    file.seek(SeekFrom::Start(begin))?;
    let mut rows = BufReader::new(file);
    for _ in 0..row {
        if rows.skip_until(b'\n')? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut text = Vec::new();
    rows.take(ROW_BYTES_MAX).read_until(b'\n', &mut text)?;
    Ok(cut(String::from_utf8_lossy(&text).trim_end()))
}
