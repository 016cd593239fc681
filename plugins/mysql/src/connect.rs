//! Connecting, with one deadline for all of it; with TLS or without, as `tls` says.

use crate::client::{Access, Client, Fault, KeyFrom};
use crate::error;
use crate::settings::Options;
use runsheet_network::{Deadline, Mode, Peer, Stream};
use runsheet_sdk::{Applied, Error};
use std::io;
use std::time::Duration;

/// Connects to a database, or to none where the name is empty.
pub(crate) fn connect(options: &Options, database: &str) -> Result<Client, Error> {
    let deadline = Deadline::after(options.connect_timeout);
    let reach = || Stream::connect(&options.reach, deadline);
    with_or_without_tls(options, database, &reach)
}

/// Connects to the very server that a session is on; for a cancel.
pub(crate) fn again(options: &Options, peer: &Peer, timeout: Duration) -> Result<Client, Error> {
    let deadline = Deadline::after(timeout);
    let reach = || Stream::connect_to(&options.reach, peer, deadline);
    with_or_without_tls(options, "", &reach)
}

fn with_or_without_tls(
    options: &Options,
    database: &str,
    reach: &dyn Fn() -> io::Result<Stream>,
) -> Result<Client, Error> {
    let with_tls = options.tls.mode != Mode::Disable;
    let logged_in = match try_with(options, database, with_tls, reach) {
        // The network is there, and TLS is not what both have; the server has let nobody in yet.
        Err(Fault::Network(error))
            if options.tls.mode == Mode::Prefer && error.kind() == io::ErrorKind::InvalidData =>
        {
            try_with(options, database, false, reach)
        }
        other => other,
    };
    logged_in.map_err(|fault| {
        let failed = match fault {
            Fault::Network(error) => Error::lost(format!("no connection: {error}"), Applied::No),
            fault => error::from(fault, b""),
        };
        Error {
            applied: Applied::No,
            message: format!("{} (connecting to {}, database {database:?})", failed.message, options.place()),
            ..failed
        }
    })
}

fn try_with(
    options: &Options,
    database: &str,
    with_tls: bool,
    reach: &dyn Fn() -> io::Result<Stream>,
) -> Result<Client, Fault> {
    let stream = reach()?;
    let key = match &options.server_public_key {
        Some(path) => KeyFrom::File(path),
        // Without TLS by the operator's own word, or where nobody is between.
        None if options.tls.mode == Mode::Disable || stream.is_private() => KeyFrom::Server,
        None => KeyFrom::Nowhere,
    };
    let access = Access {
        user: &options.user,
        password: options.password.as_deref(),
        database,
        tls: with_tls.then_some((&options.tls, options.host())),
        key,
    };
    Client::login(stream, &access)
}
