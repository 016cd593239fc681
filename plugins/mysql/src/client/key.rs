//! The server's public RSA key. It comes from the server before anything of it is known, so that it is looked at before it is
//! given to a library that takes only good ones.

use mysql_common::crypto;

/// What the padding adds to what is encrypted.
const PADDING_BYTES: usize = 42;
/// The largest key that is taken: 16,384 bits.
const KEY_BYTES_MAX: usize = 2048;

/// Encrypts by RSA with OAEP.
pub(super) fn encrypt(secret: &[u8], pem: &[u8]) -> Result<Vec<u8>, String> {
    let bad = || "the server's public key is not one".to_owned();
    let modulus = modulus_bytes(pem).ok_or_else(bad)?;
    if secret.len() + PADDING_BYTES > modulus {
        return Err(format!(
            "the password is too long for the server's key of {} bits; use TLS",
            modulus * 8
        ));
    }
    Ok(crypto::encrypt(secret, pem))
}

/// How long the key's modulus is, where all of the key is as it should be.
fn modulus_bytes(pem: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(pem).ok()?;
    let body = text.trim_end_matches(['\0', '\n', '\r']);
    let inner = body
        .strip_prefix("-----BEGIN PUBLIC KEY-----")?
        .trim_end()
        .strip_suffix("-----END PUBLIC KEY-----")?;
    let der = decode(inner)?;
    // SubjectPublicKeyInfo: the algorithm, and the key as a bit string.
    let (info, rest) = take(0x30, &der)?;
    let (_, bits) = take(0x30, info)?;
    let (key, after) = take(0x03, bits)?;
    let (numbers, end) = take(0x30, key.strip_prefix(&[0])?)?;
    let (modulus, exponents) = take(0x02, numbers)?;
    let (exponent, last) = take(0x02, exponents)?;
    let is_whole = [rest, after, end, last].iter().all(|left| left.is_empty());
    let digits = modulus.iter().skip_while(|byte| **byte == 0).count();
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    let good = is_whole && is_odd(modulus) && is_odd(exponent) && exponent.len() <= 8;
    (good && (128..=KEY_BYTES_MAX).contains(&digits)).then_some(digits)
}

/// The value with this tag at the beginning, and what is behind it.
fn take(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?), rest.get(2..)?),
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn decode(base64: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count, mut padded) = (0_u32, 0, 0);
    for letter in base64.bytes().filter(|letter| !letter.is_ascii_whitespace()) {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padded += 1;
                continue;
            }
            _ => return None,
        };
        if padded > 0 {
            return None;
        }
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xFF).ok()?);
        }
    }
    let groups_are_whole = (base64.bytes().filter(|letter| !letter.is_ascii_whitespace()).count() % 4) == 0;
    (groups_are_whole && padded <= 2).then_some(bytes)
}
