//! Exactly once for statements that cannot stand in a transaction: what they change is looked up in the catalog before and
//! afterwards.

mod advice;
mod look;
mod rule;
mod seen;
mod subject;
mod words;

pub use rule::{KINDS, Kind};

use crate::connection::Session;
use runsheet_sdk::{Connection, Error, Judge, Mark, Notices, Observation, Observed, Outcome, Verdict};
use seen::Seen;
use subject::Subject;

impl Judge for Session {
    fn observe(&mut self, sql: &[u8], _mark: &Mark) -> Result<Observed, Error> {
        let subject = Subject::of(sql);
        let seen = look::look(self, &subject)?;
        Ok(Observed::Before(Observation {
            settled: rule::settled(&subject, &seen),
            text: seen.text(),
            summary: seen.summary(),
        }))
    }

    fn execute(
        &mut self,
        sql: &[u8],
        _mark: &Mark,
        _observation: &str,
        notices: Notices<'_>,
    ) -> Result<Outcome, Error> {
        // What would be rolled back without its client is best ended with it; this would be half done.
        self.notice_a_lost_client(false)?;
        let outcome = Connection::execute(self, sql, notices);
        if !self.is_lost() {
            // Where this loses the connection, the next call hears of it; the statement has been answered.
            let _ = self.notice_a_lost_client(true);
        }
        outcome
    }

    fn judge(&mut self, sql: &[u8], _mark: &Mark, observation: &str) -> Result<Verdict, Error> {
        let subject = Subject::of(sql);
        let now = look::look(self, &subject)?;
        Ok(rule::judge(&subject, &Seen::parse(observation), &now).seen(now.summary()))
    }

    fn advise(&mut self, notices: Notices<'_>) -> Result<(), Error> {
        advice::advise(self, notices)
    }
}
