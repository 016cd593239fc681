//! What a client must see in a certificate and the TLS library does not show: its names, whether it is of the first version of
//! X.509, and how it is signed. Reads DER; anything out of order reads as nothing.

use sha2::{Digest, Sha256, Sha384, Sha512};
use std::net::IpAddr;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const BMP_STRING: u8 = 0x1E;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xA0;
const EXTENSIONS: u8 = 0xA3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 0x11];
const RSA_SIGNATURE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01];
const ECDSA_SIGNATURE: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04];
const SHA_2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// A certificate.
#[derive(Debug, Default)]
pub(crate) struct Certificate<'a> {
    /// Of X.509's first version, which has no extensions and so says nothing of what it is for.
    pub is_first_version: bool,
    /// What is signed.
    pub signed: &'a [u8],
    /// How, as its AlgorithmIdentifier without tag and length.
    pub signature_algorithm: &'a [u8],
    pub signature: &'a [u8],
    pub issuer: &'a [u8],
    pub subject: &'a [u8],
    /// Seconds since 1970.
    pub not_before: u64,
    pub not_after: u64,
    /// The public key's SubjectPublicKeyInfo, whole.
    pub key_info: &'a [u8],
    pub key_algorithm: &'a [u8],
    pub key: &'a [u8],
    pub dns_names: Vec<String>,
    pub addresses: Vec<IpAddr>,
    pub common_name: Option<String>,
}

/// Values one after the other.
struct Der<'a>(&'a [u8]);

struct Value<'a> {
    tag: u8,
    whole: &'a [u8],
    inner: &'a [u8],
}

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<Value<'a>> {
        let (tag, first) = (*self.0.first()?, *self.0.get(1)?);
        let (length, head) = match first {
            0..=0x7F => (usize::from(first), 2),
            0x81..=0x84 => {
                let count = usize::from(first & 0x7F);
                let digits = self.0.get(2..2 + count)?;
                (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), 2 + count)
            }
            _ => return None,
        };
        let end = head.checked_add(length)?;
        let value = Value { tag, whole: self.0.get(..end)?, inner: self.0.get(head..end)? };
        self.0 = self.0.get(end..)?;
        Some(value)
    }

    fn take(&mut self, tag: u8) -> Option<Value<'a>> {
        self.next().filter(|value| value.tag == tag)
    }

    /// The next value where it has this tag; else it is left where it is.
    fn take_if(&mut self, tag: u8) -> Option<Value<'a>> {
        if self.0.first() == Some(&tag) { self.next() } else { None }
    }
}

impl<'a> Certificate<'a> {
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Der(Der(der).take(SEQUENCE)?.inner);
        let signed = outer.take(SEQUENCE)?;
        let signature_algorithm = outer.take(SEQUENCE)?.inner;
        let signature = bits(&outer.take(BIT_STRING)?)?;
        let mut fields = Der(signed.inner);
        let version = fields.take_if(VERSION);
        fields.take(INTEGER)?;
        fields.take(SEQUENCE)?;
        let issuer = fields.take(SEQUENCE)?.whole;
        let mut validity = Der(fields.take(SEQUENCE)?.inner);
        let subject = fields.take(SEQUENCE)?;
        let key_info = fields.take(SEQUENCE)?;
        let mut key_fields = Der(key_info.inner);
        let mut certificate = Self {
            is_first_version: version.is_none(),
            signed: signed.whole,
            signature_algorithm,
            signature,
            issuer,
            subject: subject.whole,
            not_before: seconds(&validity.next()?)?,
            not_after: seconds(&validity.next()?)?,
            key_info: key_info.whole,
            key_algorithm: key_fields.take(SEQUENCE)?.inner,
            key: bits(&key_fields.take(BIT_STRING)?)?,
            common_name: common_name(subject.inner),
            ..Self::default()
        };
        while let Some(field) = fields.next() {
            if field.tag == EXTENSIONS {
                certificate.read_names(field.inner);
            }
        }
        Some(certificate)
    }

    fn read_names(&mut self, extensions: &[u8]) -> Option<()> {
        let mut extensions = Der(Der(extensions).take(SEQUENCE)?.inner);
        while let Some(extension) = extensions.take(SEQUENCE) {
            let mut fields = Der(extension.inner);
            if fields.take(OBJECT)?.inner != SUBJECT_ALT_NAME {
                continue;
            }
            let mut value = fields.next()?;
            if value.tag != OCTET_STRING {
                // In between it may say that the extension is critical.
                value = fields.take(OCTET_STRING)?;
            }
            let mut names = Der(Der(value.inner).take(SEQUENCE)?.inner);
            while let Some(name) = names.next() {
                match name.tag {
                    DNS_NAME => self.dns_names.push(String::from_utf8_lossy(name.inner).into_owned()),
                    IP_ADDRESS => self.addresses.extend(address(name.inner)),
                    _ => {}
                }
            }
        }
        Some(())
    }

    /// Whether it is in its time.
    pub fn is_in_time(&self, now: u64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// The hash that `tls-server-end-point` of RFC 5929 is made with: its signature's, and nothing weaker than SHA-256.
    fn hash(&self) -> Option<Hash> {
        let mut algorithm = Der(self.signature_algorithm);
        let object = algorithm.take(OBJECT)?.inner;
        let kind = object.get(RSA_SIGNATURE.len()..)?.to_vec();
        match (object.starts_with(RSA_SIGNATURE), kind.as_slice()) {
            (true, [0x04 | 0x05 | 0x0B]) => return Some(Hash::Sha256),
            (true, [0x0C]) => return Some(Hash::Sha384),
            (true, [0x0D]) => return Some(Hash::Sha512),
            (true, [0x0A]) => return padded_hash(&mut algorithm),
            _ => {}
        }
        match object.strip_prefix(ECDSA_SIGNATURE)? {
            [0x01] | [0x03, 0x02] => Some(Hash::Sha256),
            [0x03, 0x03] => Some(Hash::Sha384),
            [0x03, 0x04] => Some(Hash::Sha512),
            _ => None,
        }
    }
}

/// The hashes that bind a login to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// What a login is bound to where it is bound to the server's certificate (`tls-server-end-point`, RFC 5929). Nothing where the
/// certificate's signature has no hash of its own.
pub(crate) fn end_point(der: &[u8]) -> Option<Vec<u8>> {
    Some(match Certificate::read(der)?.hash()? {
        Hash::Sha256 => Sha256::digest(der).to_vec(),
        Hash::Sha384 => Sha384::digest(der).to_vec(),
        Hash::Sha512 => Sha512::digest(der).to_vec(),
    })
}

/// The hash of RSASSA-PSS, which stands in its parameters.
fn padded_hash(algorithm: &mut Der<'_>) -> Option<Hash> {
    let mut parameters = Der(algorithm.take(SEQUENCE)?.inner);
    let Some(hash) = parameters.take_if(VERSION) else { return Some(Hash::Sha256) };
    let object = Der(Der(hash.inner).take(SEQUENCE)?.inner).take(OBJECT)?.inner;
    match object.strip_prefix(SHA_2) {
        Some([1]) => Some(Hash::Sha256),
        Some([2]) => Some(Hash::Sha384),
        Some([3]) => Some(Hash::Sha512),
        _ => None,
    }
}

/// The bytes of a bit string that ends with a whole byte.
fn bits<'a>(value: &Value<'a>) -> Option<&'a [u8]> {
    value.inner.strip_prefix(&[0])
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}

fn common_name(subject: &[u8]) -> Option<String> {
    let mut sets = Der(subject);
    while let Some(set) = sets.take(SET) {
        let mut pair = Der(Der(set.inner).take(SEQUENCE)?.inner);
        if pair.take(OBJECT)?.inner == COMMON_NAME {
            let text = pair.next()?;
            return Some(match text.tag {
                BMP_STRING => text
                    .inner
                    .chunks_exact(2)
                    .map(|unit| u32::from_be_bytes([0, 0, unit[0], unit[1]]))
                    .map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect(),
                _ => String::from_utf8_lossy(text.inner).into_owned(),
            });
        }
    }
    None
}

/// A time as seconds since 1970.
fn seconds(value: &Value<'_>) -> Option<u64> {
    let digits = value.inner.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        std::str::from_utf8(digits.get(range)?).ok()?.parse().ok()
    };
    let (year, rest) = match value.tag {
        // By the rule of X.509, 50 and above are of the last century.
        UTC_TIME => (number(0..2).map(|year| if year >= 50 { 1900 + year } else { 2000 + year })?, 2),
        GENERALIZED_TIME => (number(0..4)?, 4),
        _ => return None,
    };
    let part = |index: usize| number(rest + 2 * index..rest + 2 * index + 2);
    let (month, day) = (part(0)?, part(1)?);
    let days = days_since_1970(year, month, day);
    u64::try_from(((days * 24 + part(2)?) * 60 + part(3)?) * 60 + part(4)?).ok()
}

/// Days between 1970-01-01 and a day of the Gregorian calendar; years are counted from March, so that a leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_of_both_kinds_become_seconds() {
        let time = |tag, text: &'static str| seconds(&Value { tag, whole: &[], inner: text.as_bytes() });
        assert_eq!(time(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, "261125223100Z"), Some(1_795_645_860));
        assert_eq!(time(GENERALIZED_TIME, "20240229120000Z"), Some(1_709_208_000));
        assert_eq!(time(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        assert_eq!(time(UTC_TIME, "2611252231Z"), None);
        assert_eq!(time(UTC_TIME, "26112522310xZ"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Certificate::read(&bytes);
            let _ = end_point(&bytes);
        }

        #[test]
        fn a_value_whose_length_is_wrong_is_nothing(tag in any::<u8>(), length in 1_u8..0x80) {
            let short = vec![0; usize::from(length) - 1];
            let mut bytes = vec![tag, length];
            bytes.extend(short);
            prop_assert!(Der(&bytes).next().is_none());
        }
    }
}
