//! Judging of `alone create T` and `alone drop T`: by whether the table is there, before and now. Everything else that stands alone is left
//! to a person.

use crate::connection::Session;
use crate::fault::Fault;
use crate::place::Place;
use crate::server::hold;
use crate::statement::{self, Statement};
use runsheet_sdk::{Error, Judge, Mark, Notices, Observation, Observed, Outcome, Ruling, Settled, Verdict};

/// What is seen of a table.
const THERE: &str = "there";
const ABSENT: &str = "absent";

/// The table that a statement makes (true) or drops, where it stands alone.
fn subject(sql: &[u8]) -> Option<(String, bool)> {
    match statement::read(sql).ok()?.as_slice() {
        [Statement::Alone(alone)] => match alone.as_ref() {
            Statement::Create(table) => Some((table.clone(), true)),
            Statement::Drop(table) => Some((table.clone(), false)),
            _ => None,
        },
        _ => None,
    }
}

impl Session {
    fn look(&self, table: &str) -> &'static str {
        if hold(&self.database.contents).has_table(table) { THERE } else { ABSENT }
    }

    fn ruling(&self, sql: &[u8], before: &str) -> Ruling {
        let Some((table, makes)) = subject(sql) else { return Ruling::Unknown };
        let (from, to) = if makes { (ABSENT, THERE) } else { (THERE, ABSENT) };
        let now = self.look(&table);
        match before == from {
            _ if self.fault(Fault::JudgeSaysApplied) => Ruling::Applied,
            _ if self.fault(Fault::JudgeSaysNotApplied) => Ruling::NotApplied,
            true if now == to => Ruling::Applied,
            true => Ruling::NotApplied,
            // It could have had no effect, so its effect cannot be seen.
            false => Ruling::Unknown,
        }
    }
}

impl Judge for Session {
    fn observe(&mut self, sql: &[u8], _mark: &Mark) -> Result<Observed, Error> {
        self.call(Place::Observe, |session| {
            let seen = subject(sql).map(|(table, _)| (session.look(&table), table));
            Ok(Observed::Before(match seen {
                Some((seen, table)) => Observation {
                    settled: Settled::Observation,
                    text: seen.to_owned(),
                    summary: format!("the table {table} is {seen}"),
                },
                None => Observation::default(),
            }))
        })
    }

    fn execute(
        &mut self,
        sql: &[u8],
        _mark: &Mark,
        _observation: &str,
        notices: Notices<'_>,
    ) -> Result<Outcome, Error> {
        self.call(Place::JudgeExecute, |session| session.execute_text(sql, notices))
    }

    fn judge(&mut self, sql: &[u8], _mark: &Mark, observation: &str) -> Result<Verdict, Error> {
        self.call(Place::Judge, |session| {
            let ruling = session.ruling(sql, observation);
            if ruling == Ruling::NotApplied && session.fault(Fault::JudgeRuns) {
                session.execute_text(sql, &mut |_| {})?;
            }
            Ok(Verdict::new(ruling, format!("before it: {observation}")))
        })
    }

    fn advise(&mut self, _notices: Notices<'_>) -> Result<(), Error> {
        self.call(Place::Advise, |_| Ok(()))
    }
}
