//! How long a token is: words, numbers and dollar tags, as psql's lexer has them. Pure functions of bytes.

/// A word or number that is longer means nothing, and its end is not waited for; a tag cannot be longer.
pub(super) const BYTES_MAX: usize = 1024;

/// The bytes that can stand in a word.
const WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] =
            byte >= 0x80 || matches!(byte as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$');
        byte += 1;
    }
    table
};

/// Whether a byte can stand in a word.
pub(super) fn is_word(byte: u8) -> bool {
    WORD[usize::from(byte)]
}

/// Whether a byte can begin a word.
pub(super) fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn digits(rest: &[u8], from: usize) -> usize {
    let rest = rest.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
}

/// The length of the number that the text begins with, and of the word that is stuck to it: `1e'…'` is no escape string. Nothing
/// where the text ends before the number does.
pub(super) fn number(rest: &[u8], at_end: bool) -> Option<usize> {
    let rest = rest.get(..rest.len().min(BYTES_MAX)).unwrap_or_default();
    let length = number_in(rest);
    (at_end || rest.len() == BYTES_MAX || length + 2 < rest.len()).then_some(length)
}

fn number_in(rest: &[u8]) -> usize {
    let at = |index: usize| rest.get(index).copied().unwrap_or(b' ');
    let mut length = digits(rest, 0);
    if at(length) == b'.' && at(length + 1) != b'.' {
        length = digits(rest, length + 1);
    }
    if matches!(at(length), b'e' | b'E') {
        let signed = matches!(at(length + 1), b'+' | b'-');
        let exponent = length + 1 + usize::from(signed);
        if at(exponent).is_ascii_digit() {
            length = digits(rest, exponent);
        } else if signed {
            return exponent;
        }
    }
    stuck(rest, length)
}

/// Behind the word that begins right there, if one does.
fn stuck(rest: &[u8], from: usize) -> usize {
    let tail = rest.get(from..).unwrap_or_default();
    match tail.first() {
        Some(first) if is_word_start(*first) => {
            from + tail.iter().position(|byte| !is_word(*byte)).unwrap_or(tail.len())
        }
        _ => from,
    }
}

/// What a dollar sign begins, with its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dollar {
    /// `$tag$`, with both its dollars.
    Tag(usize),
    /// `$1`, or the sign alone.
    Sign(usize),
}

/// Judges the dollar sign that the text begins with. Nothing where the text ends before that is decided.
pub(super) fn dollar(rest: &[u8], at_end: bool) -> Option<Dollar> {
    let body = rest.get(1..rest.len().min(BYTES_MAX)).unwrap_or_default();
    if body.first().is_some_and(u8::is_ascii_digit) {
        let length = 1 + stuck(body, digits(body, 0));
        return (at_end || length < rest.len()).then_some(Dollar::Sign(length));
    }
    match body.iter().position(|byte| !is_word(*byte) || *byte == b'$') {
        Some(length) if body.get(length) == Some(&b'$') => Some(Dollar::Tag(length + 2)),
        Some(_) => Some(Dollar::Sign(1)),
        None if at_end && rest.len() <= BYTES_MAX => Some(Dollar::Sign(1)),
        None => None,
    }
}

/// What a letter that stands by itself is to the quote behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// A word, and no part of a string.
    None,
    /// `E'…'`.
    Escapes,
    /// `N'…'`, which is read as a string without it.
    National,
    /// `B'…'`, `X'…'`, `U&'…'`, `U&"…"`, with how much stands before the quote: in them a backslash is one, whatever it is elsewhere.
    Plain(usize),
}

/// Judges the letter that the text begins with. Nothing where the text ends before that is decided.
pub(super) fn string_prefix(rest: &[u8], at_end: bool) -> Option<Prefix> {
    Some(match rest {
        [b'e' | b'E', b'\'', ..] => Prefix::Escapes,
        [b'n' | b'N', b'\'', ..] => Prefix::National,
        [b'b' | b'B' | b'x' | b'X', b'\'', ..] => Prefix::Plain(1),
        [b'u' | b'U', b'&', b'\'' | b'"', ..] => Prefix::Plain(2),
        [b'u' | b'U', b'&'] if !at_end => return None,
        _ => Prefix::None,
    })
}
