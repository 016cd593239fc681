//! How commands speak to the daemon: one JSON line there, one or more back, over a unix socket. Types and
//! framing only; what a request means is the daemon's business, what an answer looks like the commands'.

mod client;
mod protocol;

pub use client::{Client, ClientError};
pub use protocol::{Answer, LINE_BYTES_MAX, Request, Selector};
