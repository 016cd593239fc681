//! Messages on the wire: requests go out in one go, answers are read until the server is ready for the next.

use crate::error::Said;
use bytes::{Buf, BytesMut};
use postgres_protocol::message::backend::{DataRowBody, Message};
use runsheet_network::{Heard, Stream};
use runsheet_sdk::{Applied, Error, Transaction};
use std::io::{self, Read};

/// How much is read at a time.
const READ_BYTES: usize = 64 * 1024;
/// A message's tag and length.
const HEAD_BYTES: usize = 5;
/// Requests up to here go out in one piece.
const JOINED_BYTES_MAX: usize = 64 * 1024;

/// A stream with what was read from it.
pub(crate) struct Wire {
    stream: Stream,
    read: BytesMut,
    chunk: Vec<u8>,
}

/// What the server says on the way to being ready again.
pub(crate) enum Word {
    Notice(Said),
    /// A statement has run; its command tag.
    Done(String),
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

    pub fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Sends. What the server says before it has taken all of it is kept.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let read = &mut self.read;
        self.stream.send(bytes, &mut |heard| read.extend_from_slice(heard))
    }

    /// Sends a statement between a head and a tail; a large one is not copied for it.
    pub fn send_around(&mut self, head: &mut Vec<u8>, statement: &[u8], tail: &[u8]) -> io::Result<()> {
        if head.len() + statement.len() + tail.len() <= JOINED_BYTES_MAX {
            head.extend_from_slice(statement);
            head.extend_from_slice(tail);
            return self.send(head);
        }
        self.send(head)?;
        self.send(statement)?;
        self.send(tail)
    }

    /// Reads what is there without waiting. False where the server has closed the connection.
    pub fn listen(&mut self) -> io::Result<bool> {
        loop {
            match self.stream.hear(&mut self.chunk)? {
                Heard::Bytes(count) => {
                    self.read.extend_from_slice(self.chunk.get(..count).unwrap_or_default());
                }
                Heard::Nothing => return Ok(true),
                Heard::End => return Ok(false),
            }
        }
    }

    /// The next message that has been read already, if its tag is among these.
    pub fn heard(&mut self, tags: &[u8]) -> io::Result<Option<Message>> {
        match self.read.first() {
            Some(tag) if tags.contains(tag) => Message::parse(&mut self.read),
            _ => Ok(None),
        }
    }

    /// Whether the next message that has been read has this tag.
    pub fn has_heard(&self, tag: u8) -> bool {
        self.read.first() == Some(&tag)
    }

    fn fill(&mut self) -> io::Result<()> {
        match self.stream.read(&mut self.chunk)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            count => {
                self.read.extend_from_slice(self.chunk.get(..count).unwrap_or_default());
                Ok(())
            }
        }
    }

    /// The next message.
    pub fn next(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = Message::parse(&mut self.read)? {
                return Ok(message);
            }
            self.fill()?;
        }
    }

    /// Passes over rows that nobody wants, however large they are, without keeping them.
    fn pass_over_rows(&mut self) -> io::Result<()> {
        loop {
            while self.read.len() < HEAD_BYTES {
                self.fill()?;
            }
            let mut head = &self.read[..HEAD_BYTES];
            let tag = head.get_u8();
            if !matches!(tag, b'D' | b'd') {
                return Ok(());
            }
            let mut left = 1 + head.get_u32() as usize;
            while left > self.read.len() {
                left -= self.read.len();
                self.read.clear();
                self.fill()?;
            }
            self.read.advance(left);
        }
    }

    /// Reads until the server is ready, or waits for rows. Rows are kept only where `keep` says so.
    pub fn answer(&mut self, keep: bool, notices: &mut dyn FnMut(Said)) -> io::Result<Answer> {
        let mut last = String::new();
        let answer = self.words(keep, &mut |word| match word {
            Word::Notice(said) => notices(said),
            Word::Done(tag) => last = tag,
        })?;
        Ok(Answer { tag: last, ..answer })
    }

    /// The same for a request of several statements: what is said of each, as it comes. The answer's own tag stays empty.
    pub fn words(&mut self, keep: bool, say: &mut dyn FnMut(Word)) -> io::Result<Answer> {
        let mut answer = Answer::default();
        loop {
            if !keep {
                self.pass_over_rows()?;
            }
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
                Message::CommandComplete(complete) => say(Word::Done(complete.tag()?.to_owned())),
                Message::ErrorResponse(error) => {
                    let said = Said::read(error.fields());
                    let fatal = said.is_fatal();
                    // The first one is the cause.
                    answer.error.get_or_insert(said);
                    if fatal {
                        return Ok(answer);
                    }
                }
                Message::NoticeResponse(notice) => say(Word::Notice(Said::read(notice.fields()))),
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

    /// What a server said before the connection broke, if it is there: why it did.
    pub fn last_words(&mut self) -> Option<Said> {
        // Whatever can still be read counts; how the reading ends is known.
        let _ = self.listen();
        loop {
            match Message::parse(&mut self.read) {
                Ok(Some(Message::ErrorResponse(error))) => return Some(Said::read(error.fields())),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

fn cells(row: &DataRowBody) -> io::Result<Vec<Option<String>>> {
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

/// What stands behind a statement in its request: Bind without parameters, Execute without a limit of rows.
pub(crate) const STATEMENT_TAIL: [u8; 26] = [
    0, 0, 0, // The statement's end, and no types of parameters.
    b'B', 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, //
    b'E', 0, 0, 0, 9, 0, 0, 0, 0, 0,
];

/// Sync: the server answers that it is ready, and takes up again what it passed over since an error.
pub(crate) const SYNC: [u8; 5] = [b'S', 0, 0, 0, 4];

/// What stands before a statement in a request that the server refuses where it is more than one: Parse, without a name.
pub(crate) fn statement_head(sql: &[u8], out: &mut Vec<u8>) {
    out.push(b'P');
    let length = 4 + 1 + sql.len() + 1 + 2;
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    out.push(0);
}

/// A request of one or more statements.
pub(crate) fn query(sql: &[u8], out: &mut Vec<u8>) {
    out.push(b'Q');
    out.extend_from_slice(&u32::try_from(4 + sql.len() + 1).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(sql);
    out.push(0);
}
