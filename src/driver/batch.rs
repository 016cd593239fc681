//! Statements of one transaction that a driver sends in one go, each with an outcome of its own.

use super::connection::{Connection, missing};
use runsheet_sdk::text::lend;
use runsheet_sdk::{Error, Notice, Outcome};

/// What came of a batch.
#[derive(Debug)]
pub struct Batched {
    /// The outcomes of its first statements.
    pub outcomes: Vec<Outcome>,
    /// The error of the first statement without an outcome, if there is one. None behind it has run.
    pub error: Option<Error>,
}

impl Connection {
    /// Whether the driver sends statements in one go.
    pub fn has_batches(&self) -> bool {
        self.extensions.batch.is_some()
    }

    /// Runs statements one behind the other in the open transaction. A notice comes with the index of its statement.
    pub fn execute_batch(&mut self, statements: &[&[u8]], notices: &mut dyn FnMut(usize, Notice)) -> Batched {
        let Some(execute) = self.extensions.batch.and_then(|table| table.execute) else {
            return Batched { outcomes: Vec::new(), error: Some(missing("rsd.batch/1")) };
        };
        let texts: Vec<_> = statements.iter().map(|text| lend(text)).collect();
        // SAFETY: rules 3 and 4; the texts live until the call returns.
        let call = |raw, sink| unsafe { execute(raw, texts.as_ptr(), texts.len(), sink) };
        let (said, mut error) = self.listen(notices, call);
        let (sent, answered) = (statements.len(), said.outcomes.len());
        if answered > sent || answered < sent && error.is_none() {
            error = Some(self.breach(format!("the driver said {answered} results for {sent} statements")));
        }
        Batched { outcomes: said.outcomes, error }
    }
}
