//! COPY … FROM STDIN: rows go to the server while what it says is listened to, so that neither waits for the other.

use crate::connection::{Session, rows_of};
use crate::error::Said;
use crate::place;
use crate::wire::{SYNC, query};
use postgres_protocol::message::backend::Message;
use runsheet_sdk::{Applied, Class, Error, Failure, LoadRows, Notice, Notices, Outcome};

/// How much of a load goes into one message.
const COPY_BYTES: usize = 64 * 1024;
/// Notices that are kept until the load ends.
const NOTICES_MAX: usize = 1_000;

/// A load under way.
#[derive(Default)]
pub(crate) struct Load {
    /// What the server said of its rows so far.
    notices: Vec<Notice>,
    dropped: usize,
    /// The server has refused a row; the others are not sent.
    refused: bool,
}

impl Load {
    fn say_all(&mut self, notices: Notices<'_>) {
        self.notices.drain(..).for_each(&mut *notices);
        if self.dropped > 0 {
            let message = format!("{} further notices of this load were not kept", self.dropped);
            notices(Notice { severity: "WARNING".to_owned(), message, ..Notice::default() });
        }
    }
}

impl Session {
    /// Tells a server that waits for rows that there are none.
    pub(crate) fn refuse_rows(&mut self) -> Result<(), Error> {
        self.buffer.clear();
        let reason = b"no rows\0";
        self.buffer.push(b'f');
        self.buffer.extend_from_slice(&u32::try_from(4 + reason.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.buffer.extend_from_slice(reason);
        // The Sync that was sent with the statement was dropped while the server waited.
        self.buffer.extend_from_slice(&SYNC);
        let buffer = std::mem::take(&mut self.buffer);
        self.wire.send(&buffer).map_err(|error| self.broken(&error, Applied::No))?;
        match self.answer(b"", false, &mut |_| {}) {
            Err(error) if error.failure == Failure::Lost => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Takes what the server has said of the rows so far.
    fn hear_of_rows(&mut self) -> Result<(), Error> {
        self.wire.listen().map_err(|error| self.broken(&error, Applied::Unknown))?;
        while let Some(message) =
            self.wire.heard(b"NS").map_err(|error| self.broken(&error, Applied::Unknown))?
        {
            if let Message::NoticeResponse(body) = message {
                if self.load.notices.len() < NOTICES_MAX {
                    self.load.notices.push(Said::read(body.fields()).notice());
                } else {
                    self.load.dropped += 1;
                }
            }
        }
        self.load.refused = self.wire.has_heard(b'E');
        Ok(())
    }
}

impl LoadRows for Session {
    fn begin(&mut self, sql: &[u8], notices: Notices<'_>) -> Result<(), Error> {
        self.buffer.clear();
        query(sql, &mut self.buffer);
        self.send()?;
        let answer = self.answer(sql, false, notices)?;
        if !answer.copy_in {
            return Err(Error::new(
                Class::Unsupported,
                "the server does not wait for rows after this statement",
            ));
        }
        self.load = Load::default();
        Ok(())
    }

    fn rows(&mut self, rows: &[u8]) -> Result<(), Error> {
        for chunk in rows.chunks(COPY_BYTES) {
            // A row that the server refused is told at the end, where its answer is read.
            if self.load.refused {
                return Ok(());
            }
            self.buffer.clear();
            self.buffer.push(b'd');
            self.buffer.extend_from_slice(&u32::try_from(4 + chunk.len()).unwrap_or(u32::MAX).to_be_bytes());
            self.buffer.extend_from_slice(chunk);
            let buffer = std::mem::take(&mut self.buffer);
            let sent = self.wire.send(&buffer);
            self.buffer = buffer;
            sent.map_err(|error| self.broken(&error, Applied::Unknown))?;
            self.hear_of_rows()?;
        }
        Ok(())
    }

    fn end(&mut self, notices: Notices<'_>) -> Result<Outcome, Error> {
        let done = [b'c', 0, 0, 0, 4];
        let mut load = std::mem::take(&mut self.load);
        load.say_all(notices);
        self.wire.send(&done).map_err(|error| self.broken(&error, Applied::Unknown))?;
        let answer = self.answer_placed(false, notices, place::in_rows)?;
        Ok(Outcome { rows_affected: rows_of(&answer.tag), transaction: answer.transaction, tag: answer.tag })
    }
}
