//! The symbols that a library exports, read from its file: an ELF file of 64 bits, little end first, as Linux has it.

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// The section type of the symbols that other libraries see.
const SHT_DYNSYM: u32 = 11;
/// The section number of a symbol that the library itself does not have.
const SHN_UNDEF: u16 = 0;
/// The binding of a symbol that only its own file sees.
const STB_LOCAL: u8 = 0;

/// The bytes of a part of a file.
fn part(file: &[u8], start: u64, length: u64) -> Result<&[u8]> {
    let (start, length) = (usize::try_from(start)?, usize::try_from(length)?);
    let end = start.checked_add(length).context("a part ends nowhere")?;
    file.get(start..end).context("the file is cut off")
}

/// A number of so many bytes.
fn number(file: &[u8], at: u64, bytes: u64) -> Result<u64> {
    Ok(part(file, at, bytes)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// One section: its type, where it is, how long, and the section that goes with it.
struct Section {
    kind: u32,
    start: u64,
    length: u64,
    link: u64,
}

fn section(file: &[u8], index: u64) -> Result<Section> {
    let headers = number(file, 0x28, 8)?;
    let size = number(file, 0x3A, 2)?;
    let at = headers + index * size;
    Ok(Section {
        kind: u32::try_from(number(file, at + 4, 4)?)?,
        start: number(file, at + 0x18, 8)?,
        length: number(file, at + 0x20, 8)?,
        link: number(file, at + 0x28, 4)?,
    })
}

/// The names of what a library exports.
pub(crate) fn exported(path: &Path) -> Result<Vec<String>> {
    let file = std::fs::read(path)?;
    ensure!(file.starts_with(b"\x7FELF\x02\x01"), "{} is no ELF file of 64 bits", path.display());
    let count = number(&file, 0x3C, 2)?;
    let mut names = Vec::new();
    for index in 0..count {
        let symbols = section(&file, index)?;
        if symbols.kind != SHT_DYNSYM {
            continue;
        }
        let texts = section(&file, symbols.link)?;
        let texts = part(&file, texts.start, texts.length)?;
        for symbol in part(&file, symbols.start, symbols.length)?.chunks_exact(24) {
            let binding = number(symbol, 4, 1)? >> 4;
            if number(symbol, 6, 2)? == u64::from(SHN_UNDEF) || binding == u64::from(STB_LOCAL) {
                continue;
            }
            let text = texts.get(usize::try_from(number(symbol, 0, 4)?)?..).context("a name is cut off")?;
            let name = text.split(|byte| *byte == 0).next().unwrap_or_default();
            names.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_symbols_of_the_c_library_are_read() -> Result<()> {
        let maps = std::fs::read_to_string("/proc/self/maps")?;
        let library =
            maps.split_whitespace().find(|word| word.contains("/libc.so") || word.contains("/libc-"));
        let exported = exported(Path::new(library.context("the C library is mapped")?))?;
        for name in ["malloc", "printf", "getpid"] {
            assert!(exported.iter().any(|symbol| symbol == name), "{name} is exported");
        }
        Ok(())
    }
}
