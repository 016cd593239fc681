//! Batches: there is no way to a server here, so they are run one by one.

use crate::connection::Session;
use crate::fault::Fault;
use runsheet_sdk::{Answer, Answers, Batch, Connection, Error, Outcome};

impl Batch for Session {
    fn execute(&mut self, statements: &[&[u8]], answers: Answers<'_>) -> Result<(), Error> {
        for statement in statements {
            let mut notices = Vec::new();
            let outcome =
                Connection::execute(self, statement, &mut |notice| notices.push(Answer::Notice(notice)))
                    .map_err(|error| match self.fault(Fault::BatchUnplaced) {
                        true => Error { position: None, ..error },
                        false => error,
                    })?;
            let outcome = match self.fault(Fault::BatchUncounted) {
                true => Outcome { rows_affected: None, ..outcome },
                false => outcome,
            };
            let mut said = [notices, vec![Answer::Outcome(outcome)]].concat();
            if self.fault(Fault::BatchNoticesLate) {
                said.rotate_right(1);
            }
            said.into_iter().for_each(&mut *answers);
        }
        Ok(())
    }
}
