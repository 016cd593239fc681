//! Stopping a statement: KILL QUERY from a connection of its own.

use crate::connect::connect;
use crate::error;
use crate::settings::Options;
use mysql::prelude::Queryable;
use runsheet_sdk::{Canceler, Error};
use std::time::Duration;

/// How long a cancel may take.
const TIME_MAX: Duration = Duration::from_secs(4);

pub(crate) struct Cancel {
    pub options: Options,
    pub connection: u32,
}

impl Canceler for Cancel {
    fn cancel(&self) -> Result<(), Error> {
        let mut connection = connect(&self.options, "", TIME_MAX)?;
        let kill = format!("KILL QUERY {}", self.connection);
        connection.query_drop(kill).map_err(|failed| error::from(failed, b""))
    }
}
