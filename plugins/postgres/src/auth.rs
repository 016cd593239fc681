//! Logging in.

use crate::error::Said;
use crate::settings::{Binding, Options};
use crate::wire::{Wire, lost};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;
use runsheet_sdk::{Applied, Class, Error};
use std::collections::HashMap;
use std::io;

/// What a session knows of its server after logging in.
#[derive(Debug, Default)]
pub(crate) struct Login {
    pub process: i32,
    pub key: i32,
    pub parameters: HashMap<String, String>,
}

/// A login that failed.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub error: Error,
    /// The server itself said no before it had let us in: with TLS, or without, its answer may be another.
    pub by_server: bool,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, by_server: false }
    }
}

/// A login under way.
struct Talk<'a> {
    options: &'a Options,
    login: Login,
    scram: Option<sasl::ScramSha256>,
    /// The server has shown by SCRAM that it knows the password too.
    proved: bool,
    admitted: bool,
    out: BytesMut,
}

/// Logs in. Errors of the network before the server knows of us have no effect.
pub(crate) fn login(
    wire: &mut Wire,
    options: &Options,
    database: &str,
    label: &str,
    notices: &mut dyn FnMut(Said),
) -> Result<Login, Refusal> {
    let io = |error: io::Error| lost(&error, Applied::No);
    // Who asks for no database asks the server itself. Its own default is one of the account's name, which there seldom is.
    let database = if database.is_empty() { "postgres" } else { database };
    let mut parameters = vec![("user", options.user.as_str()), ("database", database)];
    parameters.push(("application_name", label));
    parameters.extend(options.parameters.iter().map(|(key, value)| (*key, value.as_str())));
    let mut talk = Talk {
        options,
        login: Login::default(),
        scram: None,
        proved: false,
        admitted: false,
        out: BytesMut::new(),
    };
    frontend::startup_message(parameters, &mut talk.out).map_err(io)?;
    wire.send(&talk.out).map_err(io)?;
    loop {
        talk.out.clear();
        match wire.next().map_err(io)? {
            Message::ReadyForQuery(_) => return Ok(talk.login),
            Message::NoticeResponse(body) => notices(Said::read(body.fields())),
            Message::ErrorResponse(body) => {
                let mut error = Said::read(body.fields()).error(None);
                error.applied = Applied::No;
                error.hint = advice(&error);
                return Err(Refusal { error, by_server: !talk.admitted });
            }
            message => talk.step(message, wire)?,
        }
        if !talk.out.is_empty() {
            wire.send(&talk.out).map_err(io)?;
        }
    }
}

impl Talk<'_> {
    /// One message of the server's; the answer to it goes to `out`.
    fn step(&mut self, message: Message, wire: &Wire) -> Result<(), Error> {
        let io = |error: io::Error| lost(&error, Applied::No);
        match message {
            Message::AuthenticationOk => self.admit()?,
            Message::AuthenticationCleartextPassword => {
                self.without_binding()?;
                if !wire.stream().is_private() {
                    return Err(refuse(
                        "the server wants the password as plain text, and others could read it on the way",
                    )
                    .hint("Set `tls`, or give the account a SCRAM password"));
                }
                frontend::password_message(password(self.options)?.as_bytes(), &mut self.out).map_err(io)?;
            }
            Message::AuthenticationMd5Password(body) => {
                self.without_binding()?;
                let hash =
                    md5_hash(self.options.user.as_bytes(), password(self.options)?.as_bytes(), body.salt());
                frontend::password_message(hash.as_bytes(), &mut self.out).map_err(io)?;
            }
            Message::AuthenticationSasl(body) => self.begin_scram(&body, wire)?,
            Message::AuthenticationSaslContinue(body) => {
                let scram = self.scram.as_mut().ok_or_else(out_of_order)?;
                scram.update(body.data()).map_err(|error| {
                    refuse(format!("the server's log-in is not as it should be: {error}"))
                })?;
                frontend::sasl_response(scram.message(), &mut self.out).map_err(io)?;
            }
            Message::AuthenticationSaslFinal(body) => {
                let scram = self.scram.as_mut().ok_or_else(out_of_order)?;
                scram
                    .finish(body.data())
                    .map_err(|error| refuse(format!("the server could not prove itself: {error}")))?;
                self.proved = true;
            }
            Message::BackendKeyData(body) => {
                self.login.process = body.process_id();
                self.login.key = body.secret_key();
            }
            Message::ParameterStatus(body) => {
                let name = body.name().map_err(io)?.to_owned();
                self.login.parameters.insert(name, body.value().map_err(io)?.to_owned());
            }
            _ => {
                return Err(refuse(
                    "the server wants a way to log in that this driver does not have (Kerberos, SSPI)",
                ));
            }
        }
        Ok(())
    }

    fn admit(&mut self) -> Result<(), Error> {
        // A server that asks for a proof and then goes on without giving its own has not got the password.
        if self.scram.is_some() && !self.proved {
            return Err(refuse("the server let us in without proving that it knows the password"));
        }
        if self.scram.is_none() {
            self.without_binding()?;
        }
        self.admitted = true;
        Ok(())
    }

    /// Refuses a log-in that is not bound to the server's certificate, where it has to be.
    fn without_binding(&self) -> Result<(), Error> {
        if self.options.binding == Binding::Require {
            return Err(refuse("channel_binding = \"require\", and the server wants a log-in without it"));
        }
        Ok(())
    }

    fn begin_scram(&mut self, body: &AuthenticationSaslBody, wire: &Wire) -> Result<(), Error> {
        let io = |error: io::Error| lost(&error, Applied::No);
        let offered: Vec<&str> = body.mechanisms().collect().map_err(io)?;
        let end_point = match self.options.binding {
            Binding::Disable => None,
            Binding::Prefer | Binding::Require => wire.stream().end_point(),
        };
        let (mechanism, binding) = match end_point {
            Some(end_point) if offered.contains(&sasl::SCRAM_SHA_256_PLUS) => {
                (sasl::SCRAM_SHA_256_PLUS, sasl::ChannelBinding::tls_server_end_point(end_point))
            }
            _ if !offered.contains(&sasl::SCRAM_SHA_256) => {
                let ways = offered.join(", ");
                return Err(refuse(format!(
                    "the server offers no way to log in that this driver has; it offers {ways}"
                )));
            }
            // Says that we could have, so that a server which does offer it sees that somebody has taken the offer away.
            Some(_) => {
                self.without_binding()?;
                (sasl::SCRAM_SHA_256, sasl::ChannelBinding::unrequested())
            }
            None => {
                self.without_binding()?;
                (sasl::SCRAM_SHA_256, sasl::ChannelBinding::unsupported())
            }
        };
        let scram = sasl::ScramSha256::new(password(self.options)?.as_bytes(), binding);
        frontend::sasl_initial_response(mechanism, scram.message(), &mut self.out).map_err(io)?;
        self.scram = Some(scram);
        Ok(())
    }
}

fn password(options: &Options) -> Result<&str, Error> {
    options.password.as_deref().ok_or_else(|| {
        refuse("the server wants a password, and the instance has none")
            .hint("Set `password` on the instance")
    })
}

fn refuse(message: impl Into<String>) -> Error {
    Error::new(Class::Authentication, message)
}

fn out_of_order() -> Error {
    refuse("the server's log-in is out of order")
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
