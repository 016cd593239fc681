//! The client's side of the protocol that MySQL and MariaDB speak: one statement in one request, which the server itself refuses
//! where it is more; no file of this machine is ever sent; and the server's word on the transaction is kept.

mod answer;
mod handshake;
mod key;
mod login;
mod packet;

pub(crate) use answer::Answer;
pub(crate) use login::{Access, KeyFrom};

use handshake::Greeting;
use packet::Packets;
use runsheet_network::{Deadline, Heard, Stream};
use std::io;

/// Commands of the protocol.
const QUIT: u8 = 0x01;
const USE: u8 = 0x02;
const QUERY: u8 = 0x03;
const PING: u8 = 0x0E;
const SET_OPTION: u8 = 0x1B;
const RESET: u8 = 0x1F;

/// What the server says of the session with every answer.
const IN_TRANSACTION: u16 = 0x0001;
const MORE_RESULTS: u16 = 0x0008;
const NO_BACKSLASH_ESCAPES: u16 = 0x0200;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server says so; the connection goes on.
    Said { code: u16, state: String, message: String },
    /// The connection broke.
    Network(io::Error),
    /// The server says what it must not say; the connection is of no use any more.
    Protocol(String),
    /// We do not log in this way.
    Login(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Network(error)
    }
}

fn protocol(what: &str) -> Fault {
    Fault::Protocol(format!("the server's answer is not as the protocol has it: {what}"))
}

/// A connection that has logged in.
pub(crate) struct Client {
    packets: Packets,
    /// What both sides can do.
    capabilities: u32,
    status: u16,
    connection: u32,
}

impl Client {
    /// Logs in on a stream on which nothing was said yet.
    pub fn login(stream: Stream, access: &Access<'_>) -> Result<Self, Fault> {
        let mut packets = Packets::new(stream);
        let greeting = Greeting::read(&packets.next()?)?;
        let connection = greeting.connection;
        let (packets, capabilities, status) = login::login(packets, greeting, access)?;
        Ok(Self { packets, capabilities, status, connection })
    }

    /// The session's number on the server.
    pub fn connection(&self) -> u32 {
        self.connection
    }

    /// Whether a transaction is open, by the server's last word.
    pub fn in_transaction(&self) -> bool {
        self.status & IN_TRANSACTION != 0
    }

    /// Whether a backslash is a character like others in strings.
    pub fn no_backslash_escapes(&self) -> bool {
        self.status & NO_BACKSLASH_ESCAPES != 0
    }

    pub fn stream(&self) -> &Stream {
        self.packets.stream()
    }

    /// Takes away the deadline of connecting.
    pub fn wait_for_ever(&mut self) {
        self.packets.stream_mut().wait_for_ever();
    }

    /// Runs one statement. Rows are kept where `keep` says so.
    pub fn query(&mut self, sql: &[u8], keep: bool) -> Result<Answer, Fault> {
        self.packets.command(QUERY, sql)?;
        self.answer(keep)
    }

    /// Lets a request have several statements from here on, or not any more.
    pub fn take_several(&mut self, several: bool) -> Result<(), Fault> {
        self.packets.command(SET_OPTION, &u16::from(!several).to_le_bytes())?;
        answer::error(&self.packets.next()?).map_or(Ok(()), Err)
    }

    /// Sends several statements, each of which [`Self::next_answer`] answers.
    pub fn ask(&mut self, statements: &[u8]) -> Result<(), Fault> {
        Ok(self.packets.command(QUERY, statements)?)
    }

    /// The next answer, and whether there is one more behind it.
    pub fn next_answer(&mut self) -> Result<(Answer, bool), Fault> {
        let mut answer = Answer::default();
        self.result(false, &mut answer)?;
        Ok((answer, self.status & MORE_RESULTS != 0))
    }

    /// Changes the database.
    pub fn choose(&mut self, database: &str) -> Result<(), Fault> {
        self.packets.command(USE, database.as_bytes())?;
        self.answer(false).map(drop)
    }

    pub fn ping(&mut self) -> Result<(), Fault> {
        self.packets.command(PING, &[])?;
        self.answer(false).map(drop)
    }

    /// Makes the session as new, but for its database.
    pub fn reset(&mut self) -> Result<(), Fault> {
        self.packets.command(RESET, &[])?;
        self.answer(false).map(drop)
    }

    /// Whether the server has said something that nobody asked for. That is its farewell: an error, or the end.
    pub fn farewell(&mut self) -> Option<Fault> {
        match self.packets.listen() {
            Ok(Heard::Nothing) => None,
            Ok(Heard::Bytes(_)) => Some(match self.packets.next() {
                Ok(packet) => match answer::error(&packet) {
                    Some(said) => said,
                    None => protocol("it speaks though it was not asked"),
                },
                Err(fault) => fault.into(),
            }),
            Ok(Heard::End) => Some(Fault::Network(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection",
            ))),
            Err(error) => Some(Fault::Network(error)),
        }
    }

    /// Says goodbye; the server ends the session by itself if this does not reach it.
    pub fn quit(&mut self, deadline: Deadline) {
        self.packets.stream_mut().limit(deadline);
        let _ = self.packets.command(QUIT, &[]);
    }
}
