//! How a driver reaches its server: the addresses of a host, one deadline for all of connecting, keepalive, and TLS with the
//! meanings of libpq's `sslmode`. Knows no engine's protocol.
#![deny(unsafe_code)]

mod authorities;
mod certificate;
mod host;
mod reach;
mod settings;
mod socket;
mod stream;
mod verify;

pub use reach::{Peer, Place, Reach};
pub use settings::{Mode, Tls, read_or_tell};
pub use socket::Deadline;
pub use stream::{Heard, Stream};
