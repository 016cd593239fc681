//! Logging in, by the ways that accounts of MySQL and MariaDB have.

use super::answer::{self, Fields};
use super::handshake::{self, Greeting};
use super::packet::Packets;
use super::{Fault, key, protocol};
use mysql_common::packets::AuthPlugin;
use runsheet_network::{Mode, Tls};
use std::path::Path;

const NATIVE: &str = "mysql_native_password";
const CACHING: &str = "caching_sha2_password";
const SHA256: &str = "sha256_password";
const ED25519: &str = "client_ed25519";
const CLEAR: &str = "mysql_clear_password";

/// The packets of a login.
const OK: u8 = 0x00;
const MORE: u8 = 0x01;
const CHANGE: u8 = 0xFE;
/// What `caching_sha2_password` goes on with: the server knows the account already, or wants the password itself.
const KNOWN: u8 = 0x03;
const WHOLE: u8 = 0x04;
/// How many steps a login may have, whatever the server says.
const STEPS_MAX: usize = 16;

/// Where the server's public key is from, by which a password is made unreadable where the connection is not secret.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyFrom<'a> {
    /// A file.
    File(&'a Path),
    /// The server itself. Somebody between could give another one.
    Server,
    /// Nowhere: a password is not sent so.
    Nowhere,
}

/// What is needed to log in.
pub(crate) struct Access<'a> {
    pub user: &'a str,
    pub password: Option<&'a str>,
    /// Or none, where it is empty.
    pub database: &'a str,
    /// How TLS is done, with which host, and whether it must be; nothing where it must not be.
    pub tls: Option<(&'a Tls, &'a str)>,
    pub key: KeyFrom<'a>,
}

impl Access<'_> {
    fn password(&self) -> &str {
        self.password.unwrap_or_default()
    }
}

/// Answers the greeting, and all that comes until the server lets us in. Gives what both sides can do, and the session's state.
pub(super) fn login(
    mut packets: Packets,
    greeting: Greeting,
    access: &Access<'_>,
) -> Result<(Packets, u32, u16), Fault> {
    let mut capabilities = handshake::OURS & greeting.capabilities;
    if !access.database.is_empty() {
        capabilities |= handshake::CONNECT_WITH_DB;
    }
    if let Some((tls, host)) = access.tls.filter(|_| !packets.stream().is_local_socket()) {
        if greeting.capabilities & handshake::SSL != 0 {
            capabilities |= handshake::SSL;
            packets.send(&handshake::secret_request(capabilities))?;
            packets = packets.make_secret(|stream| stream.make_secret(tls, host))?;
        } else if tls.mode != Mode::Prefer {
            return Err(Fault::Login("the server has no TLS, and `tls` wants it".to_owned()));
        }
    }
    let mut talk = Talk { access, plugin: greeting.plugin, challenge: greeting.challenge };
    // A way that we do not have is told once the server insists on it; it may have another one for this account.
    let proof = talk.proof(&packets).unwrap_or_else(|_| {
        talk.plugin = NATIVE.to_owned();
        talk.proof(&packets).unwrap_or_default()
    });
    let attributes = [
        ("program_name", "runsheet"),
        ("_client_name", "runsheet"),
        ("_client_version", env!("CARGO_PKG_VERSION")),
        ("_pid", &std::process::id().to_string()),
    ];
    packets.send(&handshake::response(
        capabilities,
        access.user,
        &proof,
        access.database,
        &talk.plugin,
        &attributes,
    ))?;
    for _ in 0..STEPS_MAX {
        let packet = packets.next()?;
        if let Some(said) = answer::error(&packet) {
            return Err(said);
        }
        let rest = packet.get(1..).unwrap_or_default();
        match packet.first() {
            Some(&OK) => return Ok((packets, capabilities, status(rest)?)),
            Some(&CHANGE) => talk.change(rest, &mut packets)?,
            Some(&MORE) => talk.more(rest, &mut packets)?,
            _ => return Err(protocol("a log-in out of order")),
        }
    }
    Err(protocol("a log-in without end"))
}

fn status(ok: &[u8]) -> Result<u16, Fault> {
    let mut fields = Fields(ok);
    fields.packed()?;
    fields.packed()?;
    Ok(u16::try_from(fields.number(2)?).unwrap_or_default())
}

/// A login under way.
struct Talk<'a> {
    access: &'a Access<'a>,
    plugin: String,
    challenge: Vec<u8>,
}

impl Talk<'_> {
    /// What shows, by the way that is asked for, that we know the password.
    fn proof(&self, packets: &Packets) -> Result<Vec<u8>, Fault> {
        let password = self.access.password();
        let made = |plugin: AuthPlugin<'_>, challenge: &[u8]| {
            plugin.gen_data(Some(password), challenge).map(|proof| proof.to_vec()).unwrap_or_default()
        };
        let short = self.challenge.get(..20).unwrap_or(&self.challenge);
        match self.plugin.as_str() {
            NATIVE => Ok(made(AuthPlugin::MysqlNativePassword, short)),
            CACHING => Ok(made(AuthPlugin::CachingSha2Password, short)),
            ED25519 => Ok(made(AuthPlugin::Ed25519, &self.challenge)),
            // The password itself, or first the wish for a key.
            SHA256 if password.is_empty() => Ok(vec![0]),
            // For this one a socket is not secret enough.
            SHA256 if packets.stream().is_secret() => Ok(with_end(password)),
            SHA256 => match self.access.key {
                KeyFrom::File(path) => self.encrypted(&file(path)?),
                KeyFrom::Server => Ok(vec![1]),
                KeyFrom::Nowhere => Err(no_key()),
            },
            CLEAR if is_secret(packets) => Ok(with_end(password)),
            CLEAR => Err(Fault::Login(
                "the server wants the password as plain text, and the connection is not secret; set `tls`"
                    .to_owned(),
            )),
            "mysql_old_password" | "" => Err(Fault::Login(
                "the account's password is of a kind from before MySQL 4.1; set it again on the server"
                    .to_owned(),
            )),
            other => Err(Fault::Login(format!(
                "the account logs in by `{other}`, which this driver does not have; it has {NATIVE}, {CACHING}, {SHA256}, {ED25519} and, where the connection is secret, {CLEAR}"
            ))),
        }
    }

    /// The account is of another kind than the server had thought.
    fn change(&mut self, rest: &[u8], packets: &mut Packets) -> Result<(), Fault> {
        let mut fields = Fields(rest);
        self.plugin = String::from_utf8_lossy(fields.text()).into_owned();
        self.challenge = handshake::trimmed(fields.0).to_vec();
        let proof = self.proof(packets)?;
        packets.send(&proof)?;
        Ok(())
    }

    fn more(&mut self, rest: &[u8], packets: &mut Packets) -> Result<(), Fault> {
        match (self.plugin.as_str(), rest) {
            (CACHING, [KNOWN]) => Ok(()),
            (CACHING, [WHOLE]) if is_secret(packets) => {
                packets.send(&with_end(self.access.password()))?;
                Ok(())
            }
            (CACHING, [WHOLE]) => {
                let asks_by = &[2];
                self.send_unreadable(packets, asks_by)
            }
            // It is the key that was wished for instead of the password.
            (SHA256, pem) if matches!(self.access.key, KeyFrom::Server) => {
                packets.send(&self.encrypted(pem)?)?;
                Ok(())
            }
            _ => Err(protocol("a log-in out of order")),
        }
    }

    /// Sends the password so that only who has the server's private key can read it.
    fn send_unreadable(&self, packets: &mut Packets, asks_by: &[u8]) -> Result<(), Fault> {
        let pem = match self.access.key {
            KeyFrom::File(path) => file(path)?,
            KeyFrom::Server => {
                packets.send(asks_by)?;
                let packet = packets.next()?;
                if let Some(said) = answer::error(&packet) {
                    return Err(said);
                }
                packet.strip_prefix(&[MORE]).ok_or_else(|| protocol("a log-in out of order"))?.to_vec()
            }
            KeyFrom::Nowhere => return Err(no_key()),
        };
        packets.send(&self.encrypted(&pem)?)?;
        Ok(())
    }

    fn encrypted(&self, pem: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut secret = with_end(self.access.password());
        // Mixed with the challenge, so that it cannot be sent again by somebody else.
        for (byte, mixed) in secret.iter_mut().zip(self.challenge.iter().cycle()) {
            *byte ^= mixed;
        }
        key::encrypt(&secret, pem).map_err(Fault::Login)
    }
}

fn file(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|error| {
        Fault::Login(format!("`server_public_key`: {} cannot be read: {error}", path.display()))
    })
}

fn no_key() -> Fault {
    Fault::Login(
        "the server wants the password itself, and the connection is not secret; set `tls`, or name the server's key by `server_public_key`"
            .to_owned(),
    )
}

/// Whether the password itself may be sent: as the server sees it, too.
fn is_secret(packets: &Packets) -> bool {
    packets.stream().is_secret() || packets.stream().is_local_socket()
}

/// A password as it is sent: with a zero behind it.
fn with_end(password: &str) -> Vec<u8> {
    let mut bytes = password.as_bytes().to_vec();
    bytes.push(0);
    bytes
}
