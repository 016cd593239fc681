//! The server's public RSA key. It comes from the server before anything of it is known, so that it is looked at before it is
//! given to a library that takes only good ones.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mysql_common::crypto;

/// What the padding adds to what is encrypted.
const PADDING_BYTES: usize = 43;
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
    let letters: Vec<u8> = inner.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(letters).ok()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCWaw4WxtovxhmoerPaa9V+E/G7
5MVhDZZOF1nl4TiZY7uiI/BRKmq4HVHHqWP+unPJR5XyWZxytRf9JfvtdQhlD9uB
6ku1Zd2z8/4MfAMVKSM3P6HP8ikxAIC4ILLF3I4WDbvAhAgAZHSF6R7J+ClD0Z9r
jUtvOviKUFkb9dew2wIDAQAB
-----END PUBLIC KEY-----
";

    #[test]
    fn a_good_key_is_taken_and_a_password_that_does_not_fit_is_not() {
        assert_eq!(modulus_bytes(KEY.as_bytes()), Some(128));
        assert_eq!(encrypt(&[7; 85], KEY.as_bytes()).map(|text| text.len()), Ok(128));
        assert!(encrypt(&[7; 86], KEY.as_bytes()).is_err_and(|why| why.contains("too long")));
    }

    proptest! {
        #[test]
        fn a_key_that_is_damaged_does_no_harm(at in 0..KEY.len(), byte in any::<u8>(), cut in 0..KEY.len()) {
            let mut damaged = KEY.as_bytes().to_vec();
            damaged[at] = byte;
            let _ = encrypt(b"password", &damaged);
            let _ = encrypt(b"password", &damaged[..cut]);
        }

        #[test]
        fn a_key_of_any_content_does_no_harm(der in proptest::collection::vec(any::<u8>(), 0..200)) {
            let body = STANDARD.encode(&der);
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
            let _ = encrypt(b"password", pem.as_bytes());
        }
    }
}
