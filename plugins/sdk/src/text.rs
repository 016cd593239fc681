//! Borrowed text of the ABI: making it, reading it.

use crate::abi::rsd_str;
use std::borrow::Cow;

/// Borrows bytes for a call.
pub fn lend(bytes: &[u8]) -> rsd_str {
    rsd_str { ptr: bytes.as_ptr(), len: bytes.len() }
}

/// A text that lives for ever, for static tables.
pub const fn lend_static(text: &'static str) -> rsd_str {
    rsd_str { ptr: text.as_ptr(), len: text.len() }
}

/// The bytes of a borrowed text.
///
/// # Safety
/// Rule 3 of the ABI: `text` is alive for `'a`, which the caller must not
/// let outlast the call or callback that it came with.
pub unsafe fn bytes<'a>(text: rsd_str) -> &'a [u8] {
    if text.ptr.is_null() || text.len == 0 {
        return &[];
    }
    // SAFETY: not NULL, and by the contract alive and `len` long.
    unsafe { std::slice::from_raw_parts(text.ptr, text.len) }
}

/// A borrowed text as Rust text; bytes that are not UTF-8 become the replacement character.
///
/// # Safety
/// As [`bytes`].
pub unsafe fn string<'a>(text: rsd_str) -> Cow<'a, str> {
    // SAFETY: passed on to the caller.
    String::from_utf8_lossy(unsafe { bytes(text) })
}

/// SQLSTATE as the ABI carries it.
pub fn sqlstate(text: &str) -> [u8; 8] {
    let mut out = [0; 8];
    for (place, byte) in out.iter_mut().zip(text.bytes()).take(7) {
        *place = byte;
    }
    out
}

/// SQLSTATE back from the ABI.
pub fn sqlstate_text(bytes: &[u8; 8]) -> String {
    bytes.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect()
}
