//! Stopping a statement: the cancel request of the protocol, on a connection of its own to the same server, and secret where
//! the session is.

use crate::connect;
use crate::settings::Options;
use bytes::BytesMut;
use postgres_protocol::message::frontend;
use runsheet_network::{Deadline, Peer};
use runsheet_sdk::{Applied, Canceler, Error};
use std::io::{self, Read};
use std::time::Duration;

/// How long a cancel may take.
const TIME_MAX: Duration = Duration::from_secs(4);

pub(crate) struct Cancel {
    pub options: Options,
    pub peer: Peer,
    pub with_tls: bool,
    pub process: i32,
    pub key: i32,
}

impl Canceler for Cancel {
    fn cancel(&self) -> Result<(), Error> {
        let ask = || -> io::Result<()> {
            let deadline = Deadline::after(TIME_MAX);
            let mut stream = connect::again(&self.options, &self.peer, self.with_tls, deadline)?;
            let mut out = BytesMut::new();
            frontend::cancel_request(self.process, self.key, &mut out);
            stream.send(&out, &mut |_| {})?;
            // The server closes when it has passed the request on: a later statement is not hit by it.
            let _ = stream.read(&mut [0; 1]);
            Ok(())
        };
        ask().map_err(|error| Error::lost(format!("the server could not be asked: {error}"), Applied::No))
    }
}
