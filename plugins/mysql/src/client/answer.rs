//! Answers: an OK, an error, or rows; and one after the other where a procedure gives several.

use super::{Client, Fault, MORE_RESULTS, handshake, protocol};

const OK: u8 = 0x00;
const FILE_WANTED: u8 = 0xFB;
const END: u8 = 0xFE;
const ERROR: u8 = 0xFF;

/// What came of a statement: of all its results together.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub affected: u64,
    pub warnings: u16,
    /// What the server says beside, such as `Records: 3  Duplicates: 0  Warnings: 0`.
    pub info: String,
    /// It has said rows, whether they were asked for or not.
    pub has_rows: bool,
    /// The rows of the last result that had some, where they were asked for.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Bytes that are read from their beginning.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let taken = self.0.get(..count).ok_or_else(|| protocol("it ends too early"))?;
        self.0 = self.0.get(count..).unwrap_or_default();
        Ok(taken)
    }

    /// A number of so many bytes.
    pub fn number(&mut self, bytes: usize) -> Result<u64, Fault> {
        let digits = self.bytes(bytes)?;
        Ok(digits.iter().rev().fold(0, |sum, digit| sum << 8 | u64::from(*digit)))
    }

    /// A number that says its own length; nothing where it stands for NULL.
    pub fn packed(&mut self) -> Result<Option<u64>, Fault> {
        match self.number(1)? {
            small @ 0..=0xFA => Ok(Some(small)),
            0xFB => Ok(None),
            0xFC => self.number(2).map(Some),
            0xFD => self.number(3).map(Some),
            0xFE => self.number(8).map(Some),
            _ => Err(protocol("a length that is none")),
        }
    }

    /// Bytes behind their length; nothing where they are NULL.
    pub fn packed_bytes(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        match self.packed()? {
            None => Ok(None),
            Some(length) => self.bytes(usize::try_from(length).unwrap_or(usize::MAX)).map(Some),
        }
    }

    /// Bytes up to a zero, or to the end.
    pub fn text(&mut self) -> &'a [u8] {
        let end = memchr::memchr(0, self.0).unwrap_or(self.0.len());
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        text
    }
}

/// The error that a packet is, if it is one. Before the login it has no SQLSTATE.
pub(super) fn error(packet: &[u8]) -> Option<Fault> {
    let rest = packet.strip_prefix(&[ERROR])?;
    let mut fields = Fields(rest);
    let code = fields.number(2).ok()?;
    let state = match fields.0.strip_prefix(b"#") {
        Some(_) => fields.bytes(6).ok()?.get(1..).unwrap_or_default(),
        None => &[],
    };
    Some(Fault::Said {
        code: u16::try_from(code).unwrap_or_default(),
        state: String::from_utf8_lossy(state).into_owned(),
        message: String::from_utf8_lossy(fields.0).into_owned(),
    })
}

impl Client {
    /// Reads all results of a request. An error among them is the request's.
    pub(super) fn answer(&mut self, keep: bool) -> Result<Answer, Fault> {
        let mut answer = Answer::default();
        loop {
            self.result(keep, &mut answer)?;
            if self.status & MORE_RESULTS == 0 {
                return Ok(answer);
            }
        }
    }

    /// Reads one result.
    pub(super) fn result(&mut self, keep: bool, answer: &mut Answer) -> Result<(), Fault> {
        let packet = self.packets.next()?;
        if let Some(said) = error(&packet) {
            return Err(said);
        }
        match packet.first() {
            Some(&OK) => self.read_ok(packet.get(1..).unwrap_or_default(), answer),
            // Never agreed to; a server that asks all the same is not to be trusted with anything.
            Some(&FILE_WANTED) => Err(protocol("it wants a file of this machine")),
            Some(_) => self.rows(&packet, keep, answer),
            None => Err(protocol("it is empty")),
        }
    }

    fn read_ok(&mut self, packet: &[u8], answer: &mut Answer) -> Result<(), Fault> {
        let mut fields = Fields(packet);
        answer.affected += fields.packed()?.unwrap_or_default();
        fields.packed()?;
        self.read_state(&mut fields, answer)?;
        let info = match fields.0.split_first() {
            // With its length in front, which is not in every server's manual.
            Some((length, rest)) if usize::from(*length) == rest.len() => rest,
            _ => fields.0,
        };
        answer.info = String::from_utf8_lossy(info).into_owned();
        Ok(())
    }

    fn read_state(&mut self, fields: &mut Fields<'_>, answer: &mut Answer) -> Result<(), Fault> {
        self.status = u16::try_from(fields.number(2)?).unwrap_or_default();
        answer.warnings = u16::try_from(fields.number(2)?).unwrap_or_default();
        Ok(())
    }

    /// The end of rows, or of what stands before them, as both forms of the protocol have it.
    fn read_end(&mut self, packet: &[u8], answer: &mut Answer) -> Result<(), Fault> {
        let mut fields = Fields(packet.get(1..).unwrap_or_default());
        if self.capabilities & handshake::DEPRECATE_EOF != 0 {
            fields.packed()?;
            fields.packed()?;
            return self.read_state(&mut fields, answer);
        }
        answer.warnings = u16::try_from(fields.number(2)?).unwrap_or_default();
        self.status = u16::try_from(fields.number(2)?).unwrap_or_default();
        Ok(())
    }

    fn rows(&mut self, head: &[u8], keep: bool, answer: &mut Answer) -> Result<(), Fault> {
        answer.has_rows = true;
        let columns = Fields(head).packed()?.ok_or_else(|| protocol("no number of columns"))?;
        for _ in 0..columns {
            self.packets.next()?;
        }
        if self.capabilities & handshake::DEPRECATE_EOF == 0 {
            self.packets.next()?;
        }
        let mut rows = Vec::new();
        loop {
            let packet = if keep {
                self.packets.next()?
            } else {
                match self.packets.next_unless_row()? {
                    Some(packet) => packet,
                    None => continue,
                }
            };
            if let Some(said) = error(&packet) {
                return Err(said);
            }
            if packet.first() == Some(&END) && packet.len() < 0xFF_FFFF {
                if keep {
                    answer.rows = rows;
                }
                return self.read_end(&packet, answer);
            }
            let mut fields = Fields(&packet);
            let cells = (0..columns)
                .map(|_| Ok(fields.packed_bytes()?.map(|bytes| String::from_utf8_lossy(bytes).into_owned())));
            rows.push(cells.collect::<Result<Vec<_>, Fault>>()?);
        }
    }
}
