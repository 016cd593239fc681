//! Logging in.

use crate::error::Said;
use crate::settings::Options;
use crate::stream::Stream;
use crate::wire::{Wire, lost};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use runsheet_sdk::{Applied, Class, Error};
use std::collections::HashMap;
use std::io;

/// What a session knows of its server after logging in.
#[derive(Debug, Default)]
pub(crate) struct Login {
    pub process: i32,
    pub secret: i32,
    pub parameters: HashMap<String, String>,
}

/// Logs in. Errors of the network before the server knows of us have no effect.
pub(crate) fn login(
    stream: Stream,
    options: &Options,
    database: &str,
    label: &str,
    notices: &mut dyn FnMut(Said),
) -> Result<(Wire, Login), Error> {
    let mut wire = Wire::new(stream);
    let io = |error: io::Error| lost(&error, Applied::No);
    let mut out = BytesMut::new();
    let mut parameters = vec![("user", options.user.as_str())];
    if !database.is_empty() {
        parameters.push(("database", database));
    }
    parameters.push(("application_name", label));
    parameters.extend(options.parameters.iter().map(|(key, value)| (*key, value.as_str())));
    frontend::startup_message(parameters, &mut out).map_err(io)?;
    wire.send(&out).map_err(io)?;
    let mut login = Login::default();
    let mut scram: Option<sasl::ScramSha256> = None;
    loop {
        out.clear();
        match wire.next().map_err(io)? {
            Message::AuthenticationOk => {}
            Message::AuthenticationCleartextPassword => {
                if matches!(wire.stream(), Stream::Tcp(_)) {
                    return Err(refuse(
                        "the server wants the password as plain text, and the connection is not secret; set `tls`",
                    ));
                }
                frontend::password_message(password(options)?.as_bytes(), &mut out).map_err(io)?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(options.user.as_bytes(), password(options)?.as_bytes(), body.salt());
                frontend::password_message(hash.as_bytes(), &mut out).map_err(io)?;
            }
            Message::AuthenticationSasl(body) => {
                let known = body.mechanisms().any(|name| Ok(name == sasl::SCRAM_SHA_256)).map_err(io)?;
                if !known {
                    return Err(refuse(
                        "the server offers no way to log in that this driver has (SCRAM-SHA-256)",
                    ));
                }
                let begun = sasl::ScramSha256::new(
                    password(options)?.as_bytes(),
                    sasl::ChannelBinding::unsupported(),
                );
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, begun.message(), &mut out)
                    .map_err(io)?;
                scram = Some(begun);
            }
            Message::AuthenticationSaslContinue(body) => {
                let scram = scram.as_mut().ok_or_else(|| refuse("the server's log-in is out of order"))?;
                scram.update(body.data()).map_err(|error| refuse(&format!("the log-in failed: {error}")))?;
                frontend::sasl_response(scram.message(), &mut out).map_err(io)?;
            }
            Message::AuthenticationSaslFinal(body) => {
                let scram = scram.as_mut().ok_or_else(|| refuse("the server's log-in is out of order"))?;
                // Shows that the server knows the password too.
                scram
                    .finish(body.data())
                    .map_err(|error| refuse(&format!("the server could not prove itself: {error}")))?;
            }
            Message::BackendKeyData(body) => {
                login.process = body.process_id();
                login.secret = body.secret_key();
            }
            Message::ParameterStatus(body) => {
                let name = body.name().map_err(io)?.to_owned();
                login.parameters.insert(name, body.value().map_err(io)?.to_owned());
            }
            Message::NoticeResponse(body) => notices(Said::read(body.fields())),
            Message::ErrorResponse(body) => {
                let mut error = Said::read(body.fields()).error(b"");
                error.applied = Applied::No;
                error.hint = advice(&error);
                return Err(error);
            }
            Message::ReadyForQuery(_) => return Ok((wire, login)),
            _ => {
                return Err(refuse(
                    "the server wants a way to log in that this driver does not have (Kerberos, SSPI)",
                ));
            }
        }
        if !out.is_empty() {
            wire.send(&out).map_err(io)?;
        }
    }
}

fn refuse(message: &str) -> Error {
    Error::new(Class::Authentication, message)
}

fn password(options: &Options) -> Result<&str, Error> {
    options.password.as_deref().ok_or_else(|| {
        refuse("the server wants a password, and the instance has none")
            .hint("Set `password` on the instance")
    })
}

fn advice(error: &Error) -> String {
    match error.sqlstate.as_str() {
        "28P01" => "Look at `user` and `password` of the instance".to_owned(),
        "28000" => "Look at the server's pg_hba.conf, and at `tls` of the instance".to_owned(),
        "3D000" => "Create the database, or name another one in the plan's target".to_owned(),
        "53300" => "The server has no connection left; lower `max_connections` of the instance".to_owned(),
        _ => error.hint.clone(),
    }
}
