//! Connecting, with a deadline for all of it: the crate has one for each read at most, and a server may say nothing at all.

use crate::error;
use crate::settings::{Mode, Options};
use mysql::{ClientIdentity, Conn, DriverError, OptsBuilder, SslOpts};
use runsheet_sdk::{Applied, Error};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Connects to a database, or to none where the name is empty.
pub(crate) fn connect(options: &Options, database: &str, timeout: Duration) -> Result<Conn, Error> {
    let (sender, receiver) = channel();
    let (wanted, name) = (options.clone(), database.to_owned());
    let thread = std::thread::Builder::new().name("connect".to_owned()).spawn(move || {
        // Nobody listens any more where it took too long; the connection is closed then.
        let _ = sender.send(try_both(&wanted, &name));
    });
    let unreachable =
        |why: String| Error::lost(format!("no connection to {}: {why}", options.place()), Applied::No);
    if let Err(error) = thread {
        return Err(unreachable(error.to_string()));
    }
    match receiver.recv_timeout(timeout) {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(failed)) => {
            let failed = error::from(failed, b"");
            Err(Error {
                applied: Applied::No,
                message: format!(
                    "{} (connecting to {}, database {database:?})",
                    failed.message,
                    options.place()
                ),
                ..failed
            })
        }
        Err(RecvTimeoutError::Timeout) => Err(unreachable(format!("it did not answer within {timeout:?}"))),
        Err(RecvTimeoutError::Disconnected) => Err(unreachable("the client broke down".to_owned())),
    }
}

/// `prefer` means TLS where the server has it.
fn try_both(options: &Options, database: &str) -> mysql::Result<Conn> {
    let secret = options.tls != Mode::Disable && options.socket.is_none();
    match Conn::new(builder(options, database, secret)) {
        Err(mysql::Error::DriverError(DriverError::TlsNotSupported) | mysql::Error::TlsError(_))
            if options.tls == Mode::Prefer =>
        {
            Conn::new(builder(options, database, false))
        }
        other => other,
    }
}

fn builder(options: &Options, database: &str, secret: bool) -> OptsBuilder {
    let keepalive = u32::try_from(options.keepalive.as_millis()).ok().filter(|millis| *millis > 0);
    let mut builder = OptsBuilder::new()
        .user(Some(options.user.clone()))
        .pass(options.password.clone())
        .db_name((!database.is_empty()).then(|| database.to_owned()))
        .prefer_socket(false)
        .tcp_connect_timeout(Some(options.connect_timeout))
        .tcp_keepalive_time_ms(keepalive)
        .tcp_nodelay(true)
        .stmt_cache_size(0)
        .init(vec![options.init.clone()])
        .connect_attrs(Some(std::collections::HashMap::from([("program_name", "runsheet")])));
    builder = match &options.socket {
        Some(socket) => builder.socket(Some(socket.clone())),
        None => builder.ip_or_hostname(options.host.clone()).tcp_port(options.port),
    };
    if !secret {
        return builder;
    }
    let verified = matches!(options.tls, Mode::VerifyCa | Mode::VerifyFull)
        || (options.tls == Mode::Require && options.tls_ca.is_some());
    let mut tls = SslOpts::default()
        .with_danger_accept_invalid_certs(!verified)
        .with_danger_skip_domain_validation(options.tls != Mode::VerifyFull);
    if let Some(ca) = &options.tls_ca {
        tls = tls.with_root_cert_path(Some(ca.clone()));
    }
    if let Some((cert, key)) = &options.tls_client {
        tls = tls.with_client_identity(Some(ClientIdentity::new(cert.clone(), key.clone())));
    }
    builder.ssl_opts(tls)
}
