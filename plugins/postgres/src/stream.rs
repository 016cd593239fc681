//! The bytes on the wire: TCP or a unix socket, with or without TLS, with deadlines and keepalive.

use crate::settings::{Mode, Options};
use crate::tls;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A stream to a server.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// The answer to the wish for TLS that means yes.
const TLS_YES: u8 = b'S';

impl Stream {
    /// Connects as the settings say. `timeout` bounds it all, and every read until it is taken away.
    pub fn connect(options: &Options, timeout: Duration) -> io::Result<Self> {
        if options.host.starts_with('/') {
            let stream =
                UnixStream::connect(Path::new(&options.host).join(format!(".s.PGSQL.{}", options.port)))?;
            stream.set_read_timeout(Some(timeout))?;
            return Ok(Self::Unix(stream));
        }
        match options.tls {
            Mode::Disable => Self::tcp(options, timeout).map(Self::Tcp),
            Mode::Allow => Self::tcp(options, timeout).map(Self::Tcp),
            Mode::Prefer => match Self::tls(options, timeout)? {
                Ok(stream) => Ok(stream),
                // The server has none, or none that fits: without is what `prefer` means then.
                Err(_) => Self::tcp(options, timeout).map(Self::Tcp),
            },
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => Self::tls(options, timeout)?,
        }
    }

    /// The same over TLS, where `allow` was refused without.
    pub fn connect_tls(options: &Options, timeout: Duration) -> io::Result<Self> {
        Self::tls(options, timeout)?
    }

    fn tcp(options: &Options, timeout: Duration) -> io::Result<TcpStream> {
        let begun = Instant::now();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (options.host.as_str(), options.port).to_socket_addrs()? {
            let left = timeout.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
            match TcpStream::connect_timeout(&address, left) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(timeout))?;
                    stream.set_write_timeout(Some(timeout))?;
                    if !options.keepalive.is_zero() {
                        sockopt::set_socket_keepalive(&stream, true)?;
                        sockopt::set_tcp_keepidle(&stream, options.keepalive)?;
                        sockopt::set_tcp_keepintvl(&stream, Duration::from_secs(10))?;
                        sockopt::set_tcp_keepcnt(&stream, 3)?;
                    }
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The outer error is the network's, the inner one TLS's.
    fn tls(options: &Options, timeout: Duration) -> io::Result<io::Result<Self>> {
        let config = match tls::config(options) {
            Ok(config) => config,
            Err(error) => return Ok(Err(error)),
        };
        let mut stream = Self::tcp(options, timeout)?;
        let mut wish = bytes::BytesMut::new();
        postgres_protocol::message::frontend::ssl_request(&mut wish);
        stream.write_all(&wish)?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        if answer != [TLS_YES] {
            return Ok(Err(io::Error::new(io::ErrorKind::Unsupported, "the server does not speak TLS")));
        }
        Ok(tls::handshake(config, &options.host, stream).map(|stream| Self::Tls(Box::new(stream))))
    }

    /// Takes the deadlines away: from now on a statement may take as long as it takes.
    pub fn wait_for_ever(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(None).and_then(|()| stream.set_write_timeout(None)),
            Self::Unix(stream) => stream.set_read_timeout(None),
            Self::Tls(stream) => {
                stream.sock.set_read_timeout(None).and_then(|()| stream.sock.set_write_timeout(None))
            }
        }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Tls(stream) => stream.sock.as_fd(),
        }
    }

    /// Whether something waits to be read: on an idle session that is the server's farewell.
    pub fn has_something_to_say(&self) -> bool {
        let mut wanted = [PollFd::from_borrowed_fd(self.descriptor(), PollFlags::IN)];
        matches!(poll(&mut wanted, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(ready) if ready > 0)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
