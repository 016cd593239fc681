//! Exactly once for statements that commit by themselves, through a driver: seen before, marked, judged afterwards. A driver that
//! does not judge leaves such a statement to a person.

use super::connection::{Connection, missing};
use runsheet_sdk::abi::rsd_judge;
use runsheet_sdk::sink::mark_to_abi;
use runsheet_sdk::text::lend;
use runsheet_sdk::{Class, Error, Failure, Mark, Notice, Observation, Observed, Outcome, Ruling, Verdict};

/// The most that is kept of an observation's text: what the ABI allows.
const TEXT_BYTES_MAX: usize = 64 * 1024;

impl Connection {
    /// Looks at what a statement is about to change.
    pub fn observe(&mut self, sql: &[u8], mark: &Mark) -> Result<Observed, Error> {
        let Some(table) = self.extensions.judge else { return Ok(Observed::Before(Observation::default())) };
        let observe = table.observe.ok_or_else(|| missing("observe"))?;
        let mark = mark_to_abi(mark);
        // SAFETY: rules 3 and 4.
        let said = self.run(&mut |_| {}, |raw, sink| unsafe { observe(raw, lend(sql), &mark, sink) });
        let said = match said {
            Err(error) if error.failure == Failure::Unsupported => {
                return Ok(Observed::Before(Observation::default()));
            }
            other => other?,
        };
        match (said.verdict, said.observation) {
            (Some(verdict), _) if verdict.ruling == Ruling::Applied => Ok(Observed::Applied(verdict)),
            (_, Some(observation)) if observation.text.len() > TEXT_BYTES_MAX => Err(Error::new(
                Class::Other,
                format!("the driver's observation has {} bytes, more than it may", observation.text.len()),
            )),
            (_, observation) => Ok(Observed::Before(observation.unwrap_or_default())),
        }
    }

    /// Runs a statement so that the server's own mark goes with it, where there is one.
    pub fn execute_marked(
        &mut self,
        sql: &[u8],
        mark: &Mark,
        observation: &str,
        notices: &mut dyn FnMut(Notice),
    ) -> Result<Outcome, Error> {
        let Some(execute) = self.extensions.judge.and_then(|table| table.execute) else {
            return self.execute(sql, notices);
        };
        let (raw_mark, text) = (mark_to_abi(mark), lend(observation.as_bytes()));
        // SAFETY: rules 3 and 4.
        let said = self.run(notices, |raw, sink| unsafe { execute(raw, lend(sql), &raw_mark, text, sink) });
        match said {
            Err(error) if error.failure == Failure::Unsupported => self.execute(sql, notices),
            other => Ok(other?.outcome()),
        }
    }

    /// What became of a statement whose answer never came.
    pub fn judge(&mut self, sql: &[u8], mark: &Mark, observation: &str) -> Result<Verdict, Error> {
        let none = || Verdict::new(Ruling::Unknown, "the driver does not judge");
        let Some(judge) = self.extensions.judge.and_then(|table| table.judge) else { return Ok(none()) };
        let (raw_mark, text) = (mark_to_abi(mark), lend(observation.as_bytes()));
        // SAFETY: rules 3 and 4.
        let said = self.run(&mut |_| {}, |raw, sink| unsafe { judge(raw, lend(sql), &raw_mark, text, sink) });
        match said {
            Err(error) if error.failure == Failure::Unsupported => Ok(none()),
            other => {
                Ok(other?.verdict.unwrap_or_else(|| Verdict::new(Ruling::Unknown, "the driver said nothing")))
            }
        }
    }

    /// What a statement in a transaction changes that a rollback does not undo, if anything.
    pub fn vet(&mut self, sql: &[u8]) -> Result<Option<Observation>, Error> {
        let Some(vet) = self.judging().and_then(|table| table.vet) else { return Ok(None) };
        // SAFETY: rules 3 and 4.
        Ok(self.run(&mut |_| {}, |raw, sink| unsafe { vet(raw, lend(sql), sink) })?.observation)
    }

    /// What the server's settings and the account's rights mean for exactly once.
    pub fn advise(&mut self, notices: &mut dyn FnMut(Notice)) -> Result<(), Error> {
        let Some(advise) = self.judging().and_then(|table| table.advise) else { return Ok(()) };
        // SAFETY: rules 3 and 4.
        match self.run(notices, |raw, sink| unsafe { advise(raw, sink) }) {
            Err(error) if error.failure == Failure::Unsupported => Ok(()),
            other => other.map(drop),
        }
    }

    fn judging(&self) -> Option<&'static rsd_judge> {
        self.extensions.judge
    }
}
