//! Messages on the wire: requests go out in one write, answers are read until the server is ready for the next.

use crate::error::Said;
use crate::stream::Stream;
use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use runsheet_sdk::{Applied, Error, Transaction};
use std::io::{self, Read, Write};

/// How much is read at a time.
const READ_BYTES: usize = 64 * 1024;

/// A stream with what was read from it.
pub(crate) struct Wire {
    stream: Stream,
    read: BytesMut,
    chunk: Vec<u8>,
}

/// What came of a request, before the server was ready again.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The last command tag.
    pub tag: String,
    pub error: Option<Said>,
    pub transaction: Transaction,
    /// The rows, where they were asked for.
    pub rows: Vec<Vec<Option<String>>>,
    /// The server waits for rows of a COPY.
    pub copy_in: bool,
}

impl Wire {
    pub fn new(stream: Stream) -> Self {
        Self { stream, read: BytesMut::new(), chunk: vec![0; READ_BYTES] }
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The next message.
    pub fn next(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = Message::parse(&mut self.read)? {
                return Ok(message);
            }
            let read = self.stream.read(&mut self.chunk)?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
            self.read.extend_from_slice(self.chunk.get(..read).unwrap_or_default());
        }
    }

    /// Reads until the server is ready, or waits for rows. Rows are kept only where `keep` says so.
    pub fn answer(&mut self, keep: bool, notices: &mut dyn FnMut(Said)) -> io::Result<Answer> {
        let mut answer = Answer::default();
        loop {
            match self.next()? {
                Message::ReadyForQuery(ready) => {
                    answer.transaction = match ready.status() {
                        b'I' => Transaction::None,
                        b'T' => Transaction::Open,
                        b'E' => Transaction::Failed,
                        _ => Transaction::Unknown,
                    };
                    return Ok(answer);
                }
                Message::CommandComplete(complete) => answer.tag = complete.tag()?.to_owned(),
                Message::ErrorResponse(error) => {
                    let said = Said::read(error.fields());
                    let fatal = said.is_fatal();
                    // The first one is the cause.
                    answer.error.get_or_insert(said);
                    if fatal {
                        return Ok(answer);
                    }
                }
                Message::NoticeResponse(notice) => notices(Said::read(notice.fields())),
                Message::DataRow(row) if keep => answer.rows.push(cells(&row)?),
                Message::CopyInResponse(_) => {
                    answer.copy_in = true;
                    return Ok(answer);
                }
                // Rows that nobody wants, what the server says of itself, and steps on the way.
                _ => {}
            }
        }
    }
}

fn cells(row: &postgres_protocol::message::backend::DataRowBody) -> io::Result<Vec<Option<String>>> {
    use fallible_iterator::FallibleIterator;
    let buffer = row.buffer();
    row.ranges()
        .map(|range| {
            Ok(range.map(|range| String::from_utf8_lossy(buffer.get(range).unwrap_or_default()).into_owned()))
        })
        .collect()
}

/// A connection that broke; whether what was asked took effect is said by `applied`.
pub(crate) fn lost(error: &io::Error, applied: Applied) -> Error {
    Error::lost(format!("the connection to the server was lost: {error}"), applied)
}

/// A request of one statement that the server refuses where it is more than one: Parse, Bind, Execute, Sync.
pub(crate) fn one_statement(sql: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.push(b'P');
    let length = 4 + 1 + sql.len() + 1 + 2;
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    out.push(0);
    out.extend_from_slice(sql);
    out.extend_from_slice(&[0, 0, 0]);
    // Bind without parameters, Execute without a limit of rows, Sync.
    out.extend_from_slice(&[b'B', 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&[b'E', 0, 0, 0, 9, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&[b'S', 0, 0, 0, 4]);
}

/// A request of one or more statements.
pub(crate) fn query(sql: &[u8], out: &mut Vec<u8>) {
    out.push(b'Q');
    out.extend_from_slice(&u32::try_from(4 + sql.len() + 1).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(sql);
    out.push(0);
}
