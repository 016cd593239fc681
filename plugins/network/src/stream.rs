//! The bytes between a driver and its server, secret or not. Sending listens at the same time, so that a server that talks while
//! it is talked to never waits for a client that waits for it.

use crate::reach::{Peer, Reach};
use crate::settings::Tls;
use crate::socket::{Deadline, Now, Socket};
use rustix::event::PollFlags;
use rustls::ClientConnection;
use rustls::pki_types::CertificateDer;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// How much is read at a time while sending.
const CHUNK_BYTES: usize = 16 * 1024;

/// A stream to a server.
pub struct Stream {
    socket: Socket,
    secret: Option<Box<ClientConnection>>,
    peer: Peer,
}

/// What was heard of a server that was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing.
    Nothing,
    /// So many bytes.
    Bytes(usize),
    /// It has closed the connection.
    End,
}

impl Stream {
    /// Connects. All reads and writes end at the deadline, until [`Stream::wait_for_ever`].
    pub fn connect(reach: &Reach, deadline: Deadline) -> io::Result<Self> {
        let (socket, peer) = reach.connect(deadline)?;
        Ok(Self { socket, secret: None, peer })
    }

    /// Connects to a server that was found before, not to another one of the same name.
    pub fn connect_to(reach: &Reach, peer: &Peer, deadline: Deadline) -> io::Result<Self> {
        Ok(Self { socket: reach.connect_to(peer, deadline)?, secret: None, peer: peer.clone() })
    }

    /// Makes the connection secret. Nothing may have been read ahead.
    pub fn make_secret(mut self, tls: &Tls, host: &str) -> io::Result<Self> {
        let mut secret = tls.client(host)?;
        while secret.is_handshaking() {
            secret.complete_io(&mut self.socket).map_err(crate::verify::explain)?;
        }
        self.secret = Some(Box::new(secret));
        Ok(self)
    }

    /// Whether nobody on the way can read it: by TLS, or because it does not leave the machine.
    pub fn is_private(&self) -> bool {
        self.is_secret()
            || match &self.peer {
                Peer::Path(_) => true,
                Peer::Address(address) => address.ip().to_canonical().is_loopback(),
            }
    }

    /// Whether TLS is in use.
    pub fn is_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// Whether it is a unix socket.
    pub fn is_local_socket(&self) -> bool {
        matches!(self.peer, Peer::Path(_))
    }

    /// Where the server was found.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.secret.as_ref().and_then(|secret| secret.peer_certificates()).and_then(<[_]>::first)
    }

    /// What a login is bound to where it is bound to the server's certificate: `tls-server-end-point` of RFC 5929.
    pub fn end_point(&self) -> Option<Vec<u8>> {
        crate::certificate::end_point(self.certificate()?)
    }

    /// All reads and writes end at this deadline from now on.
    pub fn limit(&mut self, deadline: Deadline) {
        self.socket.deadline = Some(deadline);
    }

    /// Takes the deadline away: from now on a statement may take as long as it takes.
    pub fn wait_for_ever(&mut self) {
        self.socket.deadline = None;
    }

    /// Reads what is there, without waiting.
    pub fn hear(&mut self, buffer: &mut [u8]) -> io::Result<Heard> {
        let Some(secret) = &mut self.secret else {
            return heard(self.socket.read_now(buffer));
        };
        loop {
            match heard(secret.reader().read(buffer))? {
                Heard::Nothing => {}
                said => return Ok(said),
            }
            match heard(secret.read_tls(&mut Now(&self.socket)))? {
                Heard::Nothing => return Ok(Heard::Nothing),
                // The end of the stream is told by the reader, once it has given all that came before.
                Heard::Bytes(_) | Heard::End => {
                    secret.process_new_packets().map_err(io::Error::other)?;
                }
            }
        }
    }

    /// Sends all of it. What the server says before it has taken everything goes to `listen`.
    pub fn send(&mut self, bytes: &[u8], listen: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let mut rest = bytes;
        loop {
            match self.send_some(rest) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_and_listen(listen)?,
                Err(error) => return Err(error),
            }
            if rest.is_empty() && !self.secret.as_ref().is_some_and(|secret| secret.wants_write()) {
                return Ok(());
            }
        }
    }

    fn send_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(secret) = &mut self.secret else { return self.socket.write_now(bytes) };
        while secret.wants_write() {
            secret.write_tls(&mut Now(&self.socket))?;
        }
        secret.writer().write(bytes)
    }

    fn wait_and_listen(&mut self, listen: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let can = self.socket.wait(PollFlags::IN | PollFlags::OUT)?;
        if can.contains(PollFlags::OUT) {
            return Ok(());
        }
        let mut chunk = [0; CHUNK_BYTES];
        match self.hear(&mut chunk)? {
            Heard::Bytes(count) => listen(chunk.get(..count).unwrap_or_default()),
            Heard::Nothing => {}
            Heard::End => {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the server closed the connection"));
            }
        }
        Ok(())
    }
}

/// Reading nothing because nothing is there is no error.
fn heard(read: io::Result<usize>) -> io::Result<Heard> {
    match read {
        Ok(0) => Ok(Heard::End),
        Ok(count) => Ok(Heard::Bytes(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Heard::Nothing),
        // Closed without a farewell of TLS's own.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Heard::End),
        Err(error) => Err(error),
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(secret) = &mut self.secret else { return self.socket.read(buffer) };
        match rustls::Stream::new(&mut **secret, &mut self.socket).read(buffer) {
            // Closed without a farewell of TLS's own; what is missing is seen in the engine's protocol.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            other => other,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.descriptor().as_fd()
    }
}
