//! Stopping a statement: KILL QUERY from a connection of its own, to the same server process as the session's.

use crate::connect;
use crate::error;
use crate::server;
use crate::settings::Options;
use runsheet_network::{Deadline, Peer};
use runsheet_sdk::{Applied, Canceler, Error};
use std::time::Duration;

/// How long a cancel may take.
const TIME_MAX: Duration = Duration::from_secs(4);

pub(crate) struct Cancel {
    pub options: Options,
    pub peer: Peer,
    pub connection: u32,
    /// Who the server is, and since when.
    pub system: String,
}

impl Canceler for Cancel {
    fn cancel(&self) -> Result<(), Error> {
        let mut client = connect::again(&self.options, &self.peer, TIME_MAX)?;
        // Numbers of sessions begin again with every start: another server's session is not ours.
        let system = server::system(&mut client).map_err(|fault| error::from(fault, b""))?;
        if system != self.system {
            return Err(Error::lost(
                format!("the server is another one now ({system}), and the session is not on it"),
                Applied::No,
            ));
        }
        let kill = format!("KILL QUERY {}", self.connection);
        let killed = client.query(kill.as_bytes(), false);
        client.quit(Deadline::after(TIME_MAX));
        killed.map(drop).map_err(|fault| error::from(fault, b""))
    }
}
