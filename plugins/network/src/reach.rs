//! Reaching a server: a name's addresses one after the other, each with its share of the time, or a unix socket.

use crate::socket::{Deadline, Socket};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Between two keepalive probes that were not answered.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// How many of them make a dead peer.
const PROBES_MAX: u32 = 3;
/// Between two tries where a unix socket's queue is full.
const QUEUE_WAIT: Duration = Duration::from_millis(20);

/// Where a server listens, as the settings say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A name or address, and a port.
    Host(String, u16),
    /// A unix socket.
    Socket(PathBuf),
}

/// Where a server was found: one address of its name, or its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// By TCP.
    Address(SocketAddr),
    /// By a unix socket.
    Path(PathBuf),
}

/// How connections are made.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Where to.
    pub place: Place,
    /// How long a silent peer is taken for alive; zero means for ever.
    pub keepalive: Duration,
}

impl Reach {
    /// Connects to the first of the place's addresses that answers. All of it ends at the deadline.
    pub(crate) fn connect(&self, deadline: Deadline) -> io::Result<(Socket, Peer)> {
        match &self.place {
            Place::Socket(path) => {
                let peer = Peer::Path(path.clone());
                self.connect_to(&peer, deadline).map(|socket| (socket, peer))
            }
            Place::Host(host, port) => self.first(&addresses(host, *port, deadline)?, deadline),
        }
    }

    /// Tries addresses in their order; one that does not answer has only its share of the time.
    fn first(&self, addresses: &[SocketAddr], deadline: Deadline) -> io::Result<(Socket, Peer)> {
        let mut failures: Vec<(SocketAddr, io::Error)> = Vec::new();
        for (index, address) in addresses.iter().enumerate() {
            let others = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX).max(1);
            let share = Deadline::after(deadline.left() / others);
            match self.tcp(*address, share) {
                Ok(descriptor) => {
                    return Ok((Socket::new(descriptor, deadline), Peer::Address(*address)));
                }
                Err(error) => failures.push((*address, error)),
            }
        }
        let kind = failures.last().map_or(io::ErrorKind::NotFound, |(_, error)| error.kind());
        let told: Vec<String> = match failures.as_slice() {
            [] => vec!["the name has no address".to_owned()],
            [(_, error)] => vec![error.to_string()],
            many => many.iter().map(|(address, error)| format!("{}: {error}", address.ip())).collect(),
        };
        Err(io::Error::new(kind, told.join("; ")))
    }

    /// Connects to a server that was found before.
    pub(crate) fn connect_to(&self, peer: &Peer, deadline: Deadline) -> io::Result<Socket> {
        let descriptor = match peer {
            Peer::Address(address) => self.tcp(*address, deadline)?,
            Peer::Path(path) => unix(path, deadline)?,
        };
        Ok(Socket::new(descriptor, deadline))
    }

    fn tcp(&self, address: SocketAddr, deadline: Deadline) -> io::Result<OwnedFd> {
        let stream = TcpStream::connect_timeout(&address, deadline.left()).map_err(|error| {
            if error.kind() == io::ErrorKind::TimedOut { deadline.missed() } else { error }
        })?;
        stream.set_nodelay(true)?;
        if !self.keepalive.is_zero() {
            let socket = stream.as_fd();
            sockopt::set_socket_keepalive(socket, true)?;
            sockopt::set_tcp_keepidle(socket, self.keepalive.max(Duration::from_secs(1)))?;
            sockopt::set_tcp_keepintvl(socket, PROBE_INTERVAL)?;
            sockopt::set_tcp_keepcnt(socket, PROBES_MAX)?;
            // What was sent and never acknowledged, too: the system would go on sending it for a quarter of an hour.
            let silent = self.keepalive + PROBE_INTERVAL * PROBES_MAX;
            sockopt::set_tcp_user_timeout(socket, u32::try_from(silent.as_millis()).unwrap_or(u32::MAX))?;
        }
        Ok(stream.into())
    }
}

/// The addresses of a name. Asking for them may take the system longer than the deadline, so it is asked aside.
fn addresses(host: &str, port: u16, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, receiver) = channel();
    let name = host.to_owned();
    std::thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        // Nobody listens any more where it took too long.
        let _ = sender.send((name.as_str(), port).to_socket_addrs().map(Iterator::collect));
    })?;
    match receiver.recv_timeout(deadline.left()) {
        Ok(found) => found,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the addresses of the name {host:?} were not found in time"),
        )),
    }
}

/// Connects to a unix socket, whose queue may be full because the server is busy or stopped.
fn unix(path: &std::path::Path, deadline: Deadline) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::AGAIN) if deadline.is_over() => return Err(deadline.missed()),
            Err(Errno::AGAIN | Errno::INTR) => std::thread::sleep(QUEUE_WAIT.min(deadline.left())),
            Err(error) => return Err(error.into()),
        }
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A listener whose queue is full: the system drops what would come next, as a black hole does.
    fn black_hole() -> (OwnedFd, SocketAddr, Vec<OwnedFd>) {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let listener = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&listener, &any).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let name: SocketAddr = rustix::net::getsockname(&listener).unwrap().try_into().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&name, Duration::from_millis(300)) {
            waiting.push(stream.into());
            assert!(waiting.len() < 64, "the queue is never full");
        }
        (listener, name, waiting)
    }

    fn reach() -> Reach {
        Reach { place: Place::Host("unused".to_owned(), 1), keepalive: Duration::from_secs(60) }
    }

    #[test]
    fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        let (_listener, hole, _waiting) = black_hole();
        let good = TcpListener::bind("127.0.0.1:0").unwrap();
        let deadline = Deadline::after(Duration::from_secs(2));
        let (_, peer) = reach().first(&[hole, good.local_addr().unwrap()], deadline).unwrap();
        assert_eq!(peer, Peer::Address(good.local_addr().unwrap()));
    }

    #[test]
    fn a_silent_peer_is_asked_and_given_up_also_in_the_middle_of_a_statement() {
        let good = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = good.local_addr().unwrap();
        let deadline = Deadline::after(Duration::from_secs(5));
        let socket = reach().tcp(address, deadline).unwrap();
        assert!(sockopt::socket_keepalive(&socket).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&socket).unwrap(), Duration::from_secs(60));
        assert_eq!(sockopt::tcp_keepcnt(&socket).unwrap(), PROBES_MAX);
        assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), 90_000);
        let never = Reach { keepalive: Duration::ZERO, ..reach() }.tcp(address, deadline).unwrap();
        assert!(!sockopt::socket_keepalive(&never).unwrap());
    }

    #[test]
    fn a_black_hole_ends_at_the_deadline_and_says_so() {
        let (_listener, hole, _waiting) = black_hole();
        let deadline = Deadline::after(Duration::from_millis(300));
        let error = reach().first(&[hole], deadline).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("did not answer within"), "{error}");
    }

    #[test]
    fn every_address_that_failed_is_named() {
        let refused: Vec<SocketAddr> =
            (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()).collect();
        let error = reach().first(&refused, Deadline::after(Duration::from_secs(5))).err().unwrap();
        assert_eq!(error.to_string().matches("refused").count(), 2, "{error}");
    }

    #[test]
    fn a_unix_socket_whose_queue_is_full_ends_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let address = SocketAddrUnix::new(&path).unwrap();
        let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&listener, &address).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let mut waiting = Vec::new();
        let error = loop {
            match unix(&path, Deadline::after(Duration::from_millis(200))) {
                Ok(socket) => waiting.push(socket),
                Err(error) => break error,
            }
            assert!(waiting.len() < 64, "the queue is never full");
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
