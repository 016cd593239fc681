//! Whether the server has ended a session while it was idle: by `wait_timeout`, by KILL, or by ending itself. What is sent to such a session
//! is certainly not carried out, which the answer that never comes would not tell.

use mysql::Conn;
use runsheet_sdk::{Applied, Error};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Fails where the server has something to say although nothing was asked: in this protocol that is the end.
#[allow(unsafe_code)]
pub(crate) fn look(client: &Conn) -> Result<(), Error> {
    // SAFETY: the descriptor is the client's own, and open as long as the client is borrowed.
    let descriptor = unsafe { BorrowedFd::borrow_raw(client.as_raw_fd()) };
    let mut wanted = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    match poll(&mut wanted, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(0) => Ok(()),
        Ok(_) | Err(_) => Err(Error::lost(
            "the server had ended the session before; nothing of this was carried out",
            Applied::No,
        )
        .hint(
            "It was killed or idle for longer than the server's `wait_timeout`, or the server was stopped",
        )),
    }
}
