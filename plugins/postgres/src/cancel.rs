//! Stopping a statement: the cancel request of the protocol, on a connection of its own.

use crate::settings::Options;
use crate::stream::Stream;
use bytes::BytesMut;
use postgres_protocol::message::frontend;
use runsheet_sdk::{Applied, Canceler, Error};
use std::io::{Read, Write};
use std::time::Duration;

/// How long a cancel may take.
const TIME_MAX: Duration = Duration::from_secs(4);

pub(crate) struct Cancel {
    pub options: Options,
    pub process: i32,
    pub secret: i32,
}

impl Canceler for Cancel {
    fn cancel(&self) -> Result<(), Error> {
        let ask = || {
            let mut stream = Stream::connect(&self.options, TIME_MAX)?;
            let mut out = BytesMut::new();
            frontend::cancel_request(self.process, self.secret, &mut out);
            stream.write_all(&out)?;
            stream.flush()?;
            // The server closes when it has passed the request on: a later statement is not hit by it.
            let _ = stream.read(&mut [0; 1]);
            Ok(())
        };
        ask().map_err(|error: std::io::Error| crate::wire::lost(&error, Applied::No))
    }
}
