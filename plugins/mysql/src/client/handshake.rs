//! The first packets: the server's greeting and our answer to it.

use super::answer::{self, Fields};
use super::{Fault, protocol};

/// What a side can do, as bits.
pub(super) const LONG_PASSWORD: u32 = 0x0000_0001;
pub(super) const LONG_FLAG: u32 = 0x0000_0004;
pub(super) const CONNECT_WITH_DB: u32 = 0x0000_0008;
pub(super) const PROTOCOL_41: u32 = 0x0000_0200;
pub(super) const SSL: u32 = 0x0000_0800;
pub(super) const TRANSACTIONS: u32 = 0x0000_2000;
pub(super) const SECURE_CONNECTION: u32 = 0x0000_8000;
pub(super) const MULTI_RESULTS: u32 = 0x0002_0000;
pub(super) const PLUGIN_AUTH: u32 = 0x0008_0000;
pub(super) const CONNECT_ATTRIBUTES: u32 = 0x0010_0000;
pub(super) const LENGTH_OF_AUTH_DATA: u32 = 0x0020_0000;
pub(super) const DEPRECATE_EOF: u32 = 0x0100_0000;

/// What we can do. Not several statements in one request, and not files of this machine.
pub(super) const OURS: u32 = LONG_PASSWORD
    | LONG_FLAG
    | PROTOCOL_41
    | TRANSACTIONS
    | SECURE_CONNECTION
    | MULTI_RESULTS
    | PLUGIN_AUTH
    | CONNECT_ATTRIBUTES
    | LENGTH_OF_AUTH_DATA
    | DEPRECATE_EOF;

/// The longest packet that we take, by what we say; the server's own limit is what counts.
const PACKET_BYTES_MAX: u32 = 1 << 30;
/// `utf8mb4_general_ci`, which every server has; `SET NAMES` comes right after.
const CHARACTER_SET: u8 = 45;
/// The version of the protocol that is spoken since 1998.
const VERSION: u64 = 10;

/// What the server says first.
#[derive(Debug)]
pub(super) struct Greeting {
    pub connection: u32,
    pub capabilities: u32,
    pub plugin: String,
    pub challenge: Vec<u8>,
}

impl Greeting {
    pub fn read(packet: &[u8]) -> Result<Self, Fault> {
        if let Some(said) = answer::error(packet) {
            return Err(said);
        }
        let mut fields = Fields(packet);
        if fields.number(1)? != VERSION {
            return Err(protocol("it is no MySQL or MariaDB, or a very old one"));
        }
        fields.text();
        let connection = fields.number(4)?;
        let mut challenge = fields.bytes(8)?.to_vec();
        fields.bytes(1)?;
        let low = fields.number(2)?;
        fields.bytes(1)?;
        fields.bytes(2)?;
        let high = fields.number(2)?;
        let length = fields.number(1)?;
        fields.bytes(10)?;
        let rest = usize::try_from(length.saturating_sub(8).max(13)).unwrap_or(13);
        challenge.extend_from_slice(fields.bytes(rest.min(fields.0.len()))?);
        let plugin = String::from_utf8_lossy(fields.text()).into_owned();
        let greeting = Self {
            connection: u32::try_from(connection).unwrap_or_default(),
            capabilities: u32::try_from(high << 16 | low).unwrap_or_default(),
            plugin,
            challenge: trimmed(&challenge).to_vec(),
        };
        let needed = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;
        if greeting.capabilities & needed != needed {
            return Err(protocol("it is a very old server"));
        }
        Ok(greeting)
    }
}

/// A challenge without the zero that ends it.
pub(super) fn trimmed(challenge: &[u8]) -> &[u8] {
    challenge.strip_suffix(&[0]).unwrap_or(challenge)
}

/// What we say of ourselves, at the beginning of both our packets.
fn ourselves(capabilities: u32) -> Vec<u8> {
    let mut packet = capabilities.to_le_bytes().to_vec();
    packet.extend_from_slice(&PACKET_BYTES_MAX.to_le_bytes());
    packet.push(CHARACTER_SET);
    packet.extend_from_slice(&[0; 23]);
    packet
}

/// The wish for TLS.
pub(super) fn secret_request(capabilities: u32) -> Vec<u8> {
    ourselves(capabilities)
}

/// Who we are.
pub(super) fn response(
    capabilities: u32,
    user: &str,
    proof: &[u8],
    database: &str,
    plugin: &str,
    attributes: &[(&str, &str)],
) -> Vec<u8> {
    let mut packet = ourselves(capabilities);
    packet.extend_from_slice(user.as_bytes());
    packet.push(0);
    if capabilities & LENGTH_OF_AUTH_DATA != 0 {
        put_packed(&mut packet, proof);
    } else {
        packet.push(u8::try_from(proof.len()).unwrap_or(u8::MAX));
        packet.extend_from_slice(proof);
    }
    if capabilities & CONNECT_WITH_DB != 0 {
        packet.extend_from_slice(database.as_bytes());
        packet.push(0);
    }
    packet.extend_from_slice(plugin.as_bytes());
    packet.push(0);
    if capabilities & CONNECT_ATTRIBUTES != 0 {
        let mut all = Vec::new();
        for (name, value) in attributes {
            put_packed(&mut all, name.as_bytes());
            put_packed(&mut all, value.as_bytes());
        }
        put_packed(&mut packet, &all);
    }
    packet
}

/// Bytes behind their length; none of ours are longer than 64 KB.
fn put_packed(packet: &mut Vec<u8>, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(length @ 0..=0xFA) => packet.push(length),
        _ => {
            packet.push(0xFC);
            packet.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes());
        }
    }
    packet.extend_from_slice(bytes);
}
