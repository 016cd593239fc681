//! Packets: three bytes of length, one that counts, and what they carry; longer ones in parts of 16 MB.

use runsheet_network::{Heard, Stream};
use std::io::{self, Read};

/// The longest part.
const PART_BYTES_MAX: usize = 0xFF_FFFF;
/// A part's length and number.
const HEAD_BYTES: usize = 4;
/// How much is read at a time.
const READ_BYTES: usize = 64 * 1024;
/// Requests up to here go out in one piece.
const JOINED_BYTES_MAX: usize = 64 * 1024;

/// A stream of packets.
pub(super) struct Packets {
    stream: Stream,
    buffer: Vec<u8>,
    at: usize,
    /// The number of the next part, in either direction.
    number: u8,
}

impl Packets {
    pub fn new(stream: Stream) -> Self {
        Self { stream, buffer: Vec::new(), at: 0, number: 0 }
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    pub fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Makes the connection secret. Fails where something was read ahead, which somebody would have put there.
    pub fn make_secret(mut self, secure: impl FnOnce(Stream) -> io::Result<Stream>) -> io::Result<Self> {
        if self.at < self.buffer.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the server spoke before TLS began"));
        }
        self.stream = secure(self.stream)?;
        Ok(self)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (buffer, at) = (&mut self.buffer, &mut self.at);
        buffer.drain(..std::mem::take(at));
        self.stream.send(bytes, &mut |heard| buffer.extend_from_slice(heard))
    }

    /// Sends a command with what it is about, as the beginning of an exchange.
    pub fn command(&mut self, command: u8, about: &[u8]) -> io::Result<()> {
        self.number = 0;
        self.send_behind(&[command], about)
    }

    /// Sends the next packet of an exchange.
    pub fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.send_behind(&[], payload)
    }

    fn send_behind(&mut self, first: &[u8], rest: &[u8]) -> io::Result<()> {
        let mut rest = rest;
        let mut first = first;
        loop {
            let length = (first.len() + rest.len()).min(PART_BYTES_MAX);
            let (now, later) = rest.split_at(length - first.len());
            let [low, middle, high, _] = u32::try_from(length).unwrap_or_default().to_le_bytes();
            let mut head = vec![low, middle, high, self.number];
            head.extend_from_slice(first);
            self.number = self.number.wrapping_add(1);
            if now.len() <= JOINED_BYTES_MAX {
                head.extend_from_slice(now);
                self.write(&head)?;
            } else {
                self.write(&head)?;
                self.write(now)?;
            }
            (first, rest) = (&[], later);
            // A full part is always followed by another one, which may be empty.
            if length < PART_BYTES_MAX {
                return Ok(());
            }
        }
    }

    /// Reads until so many bytes are there.
    fn need(&mut self, count: usize) -> io::Result<()> {
        while self.buffer.len() - self.at < count {
            self.buffer.drain(..std::mem::take(&mut self.at));
            let filled = self.buffer.len();
            self.buffer.resize(filled + READ_BYTES, 0);
            let read = self.stream.read(self.buffer.get_mut(filled..).unwrap_or_default());
            self.buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
        }
        Ok(())
    }

    fn peek(&self, count: usize) -> &[u8] {
        self.buffer.get(self.at..self.at + count).unwrap_or_default()
    }

    /// The length of the next part, whose number must be the next one.
    fn head(&mut self) -> io::Result<usize> {
        self.need(HEAD_BYTES)?;
        let head: [u8; HEAD_BYTES] = self.peek(HEAD_BYTES).try_into().unwrap_or_default();
        let [low, middle, high, number] = head;
        if number != self.number {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the server's packet has the number {number} where {} is due", self.number),
            ));
        }
        self.at += HEAD_BYTES;
        self.number = number.wrapping_add(1);
        Ok(u32::from_le_bytes([low, middle, high, 0]) as usize)
    }

    /// The next packet.
    pub fn next(&mut self) -> io::Result<Vec<u8>> {
        let length = self.head()?;
        self.whole(length)
    }

    /// A packet whose first part has this length, and its head was read.
    fn whole(&mut self, first: usize) -> io::Result<Vec<u8>> {
        let mut payload = Vec::new();
        let mut length = first;
        loop {
            self.need(length)?;
            payload.extend_from_slice(self.peek(length));
            self.at += length;
            if length < PART_BYTES_MAX {
                return Ok(payload);
            }
            length = self.head()?;
        }
    }

    /// The next packet of a result, unless it is a row, which is passed over without being kept, however large it is.
    pub fn next_unless_row(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = self.head()?;
        self.need(length.min(1))?;
        let is_row = match self.peek(length.min(1)) {
            [0xFF] => false,
            // It begins a row only where a text of 16 MB follows.
            [0xFE] => length == PART_BYTES_MAX,
            _ => true,
        };
        if !is_row {
            return self.whole(length).map(Some);
        }
        loop {
            let mut left = length;
            while left > 0 {
                self.need(1)?;
                let passed = left.min(self.buffer.len() - self.at);
                self.at += passed;
                left -= passed;
            }
            if length < PART_BYTES_MAX {
                return Ok(None);
            }
            length = self.head()?;
        }
    }

    /// What the server has said without being asked: the beginning of an exchange of its own.
    pub fn listen(&mut self) -> io::Result<Heard> {
        self.buffer.drain(..std::mem::take(&mut self.at));
        if !self.buffer.is_empty() {
            self.number = 0;
            return Ok(Heard::Bytes(self.buffer.len()));
        }
        let mut chunk = [0; 1024];
        let heard = self.stream.hear(&mut chunk)?;
        if let Heard::Bytes(count) = heard {
            self.number = 0;
            self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
        Ok(heard)
    }
}
