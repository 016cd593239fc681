//! A socket's bytes: TCP or unix alike, with a deadline while one is set, and with reads and writes that do not wait.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Until when something must be done.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    end: Instant,
    whole: Duration,
}

impl Deadline {
    /// This long from now.
    pub fn after(whole: Duration) -> Self {
        Self { end: Instant::now() + whole, whole }
    }

    /// What is left of it; never quite nothing.
    pub fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// The error of those who missed it.
    pub fn missed(&self) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, format!("it did not answer within {:?}", self.whole))
    }
}

/// A connected socket. Blocking, but for what is asked not to wait.
pub(crate) struct Socket {
    descriptor: OwnedFd,
    /// While it is set, no read or write goes on after it.
    pub deadline: Option<Deadline>,
}

impl Socket {
    pub fn new(descriptor: OwnedFd, deadline: Deadline) -> Self {
        Self { descriptor, deadline: Some(deadline) }
    }

    pub fn descriptor(&self) -> &OwnedFd {
        &self.descriptor
    }

    /// Waits until one of `wanted` is possible, and says what is.
    pub fn wait(&self, wanted: PollFlags) -> io::Result<PollFlags> {
        loop {
            let left = match self.deadline {
                Some(deadline) if deadline.is_over() => return Err(deadline.missed()),
                Some(deadline) => Timespec::try_from(deadline.left()).ok(),
                None => None,
            };
            let mut polled = [PollFd::new(&self.descriptor, wanted)];
            match poll(&mut polled, left.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(polled.first().map_or(PollFlags::empty(), PollFd::revents)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn receive(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        rustix::io::retry_on_intr(|| recv(&self.descriptor, &mut *buffer, flags))
            .map(|(read, _)| read)
            .map_err(io::Error::from)
    }

    /// Reads what is there; `WouldBlock` where nothing is.
    pub fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer, RecvFlags::DONTWAIT)
    }

    /// Writes what fits; `WouldBlock` where nothing does.
    pub fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        rustix::io::retry_on_intr(|| send(&self.descriptor, bytes, flags)).map_err(io::Error::from)
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.deadline.is_some() {
            self.wait(PollFlags::IN)?;
        }
        self.receive(buffer, RecvFlags::empty())
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.write_now(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::OUT)?;
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same socket for those who must not wait.
pub(crate) struct Now<'a>(pub &'a Socket);

impl Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_now(buffer)
    }
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_now(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
