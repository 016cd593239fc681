//! Exactly once for statements that commit by themselves: what they change is looked at before they are sent, the server marks them
//! where it can, and what became of one whose answer never came is judged by both.

mod advice;
mod change;
pub mod kinds;
mod look;
mod mark;
mod moment;
mod object;
mod reader;
mod rule;
mod seen;
mod settings;
mod tables;
mod words;

pub(crate) use mark::unlock_domain;
pub(crate) use settings::Options;

use crate::connection::Session;
use crate::text::quoted;
use change::{Change, Effect};
use kinds::Kind;
use look::Looked;
use mark::{Evidence, Marking, Plan};
use moment::Moment;
use object::list;
use runsheet_sdk::{
    Applied, Connection, Error, Failure, Judge, Mark, Notices, Observation, Outcome, Ruling, Settled, Verdict,
};
use seen::{Observed, Seen};

/// What a session knows for judging.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Whether statements can be marked.
    marking: Option<Marking>,
    /// When the database's ledger was made.
    ledger_birth: Option<String>,
    /// The lock by name on a domain of MariaDB's log, while it is held.
    domain_lock: Option<String>,
    /// The domain that the session had before.
    domain_before: String,
    /// Tables that know no transactions.
    tables: tables::Known,
}

impl State {
    /// The session goes on with another task.
    pub fn reset(&mut self) {
        *self = Self { marking: self.marking.take(), ..Self::default() };
    }

    /// A statement of this kind was run.
    pub fn ran(&mut self, kind: runsheet_sdk::Kind) {
        self.tables.ran(kind);
    }
}

impl Session {
    pub(crate) fn is_mariadb(&self) -> bool {
        self.server().product == "MariaDB"
    }

    fn version(&self) -> &str {
        &self.server().version
    }

    /// The server's process.
    fn process(&self) -> &str {
        &self.server().system
    }

    /// The account in SQL, for advice.
    pub(crate) fn account(&self) -> String {
        let user = &self.server().user;
        let (name, host) = user.rsplit_once('@').unwrap_or((user, "%"));
        format!("{}@{}", quoted(name), quoted(host))
    }

    /// Looks at what a statement changes.
    fn looked(&mut self, change: &Change, moment: &Moment) -> Result<Looked, Error> {
        if matches!(change.effect, Effect::Again | Effect::Unseen(_)) {
            return Ok(Looked::default());
        }
        if !moment.reads_utf8() && change.objects().iter().any(|one| !one.is_ascii()) {
            return Ok(Looked::hidden(change, "the session reads names in another character set than UTF-8"));
        }
        let dialect = moment.dialect(self);
        moment.steadily(self, |session| look::look(session, change, dialect))
    }

    fn observed(&mut self, change: &Change, moment: &Moment) -> Result<Observed, Error> {
        let Looked { objects, rows, partitions } = self.looked(change, moment)?;
        Ok(Observed {
            server: moment.server.clone(),
            process: self.process().to_owned(),
            time: moment.time,
            dialect: moment.dialect(self),
            database: moment.database.clone(),
            mark: None,
            objects,
            rows,
            partitions,
        })
    }

    /// Says what became of a statement.
    fn verdict(&mut self, sql: &[u8], before: &Observed) -> Result<Verdict, Error> {
        let moment = Moment::ask(self)?;
        let change = Change::of(sql, before.dialect, &before.database);
        let evidence = mark::evidence(self, before, &moment)?;
        if let Evidence::Marked(why) = evidence {
            return Ok(Verdict::new(Ruling::Applied, why));
        }
        if moment.server != before.server {
            let why = format!(
                "it was sent to the server {}, and this is {}, which may lack what that one had last",
                before.server, moment.server
            );
            return Ok(Verdict::new(Ruling::Unknown, why));
        }
        let now = self.observed(&change, &moment)?;
        let seen = rule::judge(&change, before, &now);
        Ok(weighed(seen, &evidence, &change, before, &now).seen(now.summary()))
    }

    /// Says what became of a statement of which nothing is known from before it was sent: only a mark that follows from the task
    /// can tell.
    fn verdict_by_mark(&mut self, sql: &[u8], mark: &Mark) -> Result<Verdict, Error> {
        let moment = Moment::ask(self)?;
        let change = Change::of(sql, moment.dialect(self), &moment.database);
        let now = self.observed(&change, &moment)?;
        let unknown = |why: &str| Ok(Verdict::new(Ruling::Unknown, why).seen(now.summary()));
        if let Effect::Unseen(why) = change.effect {
            return unknown(why);
        }
        // One that changes an engine may have been sent without a mark, for the engine that there was before.
        let of_engine = sql.windows(6).any(|word| word.eq_ignore_ascii_case(b"engine"));
        if of_engine || !can_be_marked(&change, &now) {
            return unknown("nothing is known of before it was sent, and it has no mark of the server's");
        }
        match mark::lasting(self, &moment, mark)? {
            Evidence::Marked(why) => Ok(Verdict::new(Ruling::Applied, why).seen(now.summary())),
            Evidence::NotMarked(why) => Ok(Verdict::new(Ruling::NotApplied, why).seen(now.summary())),
            Evidence::Silent => {
                unknown("nothing is known of before it was sent, and the server's marks do not tell")
            }
        }
    }

    /// Says, of a list that a server does not do as a whole, how far a failed statement came.
    fn how_far(&mut self, sql: &[u8], before: &Observed, error: Error) -> Error {
        let change = Change::of(sql, before.dialect, &before.database);
        if change.is_atomic(before.dialect.mariadb) || self.is_lost() {
            return error;
        }
        let now = Moment::ask(self).and_then(|moment| self.observed(&change, &moment));
        let Ok(now) = now else { return error };
        let objects = change.objects();
        let gone = objects.iter().copied().filter(|one| before.is_there(one).is_some() && now.is_absent(one));
        let made = objects.iter().copied().filter(|one| before.is_absent(one) && now.is_there(one).is_some());
        let told: Vec<String> = [(gone.collect::<Vec<_>>(), "gone"), (made.collect(), "there")]
            .into_iter()
            .filter(|(some, _)| !some.is_empty())
            .map(|(some, what)| format!("{} is {what} all the same", list(some)))
            .collect();
        if told.is_empty() {
            return error;
        }
        // What was stopped in its middle is judged, and completed, at the next try.
        let is_half = rule::judge(&change, before, &now).ruling == Ruling::Repair;
        let applied =
            if is_half && error.failure == Failure::Canceled { Applied::Unknown } else { error.applied };
        Error { applied, detail: told.join("; "), ..error }
    }
}

/// What is seen, together with what the log tells.
fn weighed(
    seen: Verdict,
    evidence: &Evidence,
    change: &Change,
    before: &Observed,
    now: &Observed,
) -> Verdict {
    let Evidence::NotMarked(why) = evidence else { return seen };
    let started_anew = before.process != now.process;
    let follows_its_log = change.follows_its_log(before.dialect.mariadb, started_anew);
    if !follows_its_log || !is_transactional(before) || !is_transactional(now) {
        return seen;
    }
    match seen.ruling {
        Ruling::NotApplied | Ruling::Unknown => Verdict::new(Ruling::NotApplied, why.clone()),
        Ruling::Applied | Ruling::Repair => Verdict::new(
            Ruling::Unknown,
            format!("{why}; but {}, as if somebody else had done it", seen.reason),
        ),
    }
}

/// Whether all tables that were seen are of engines that change together with the log.
fn is_transactional(seen: &Observed) -> bool {
    seen.objects.iter().all(|(_, one)| match one {
        Seen::There(there) => there.engine.is_empty() || there.is_transactional(),
        Seen::Absent => true,
        Seen::Hidden(_) => false,
    })
}

/// Whether the server can mark a statement: what it does must be one entry of the log.
fn can_be_marked(change: &Change, before: &Observed) -> bool {
    match &change.effect {
        Effect::Again | Effect::Set { .. } => false,
        Effect::Unseen(_) => change.kind == Kind::OtherObject,
        _ => change.kind != Kind::Plugin && is_transactional(before),
    }
}

impl Judge for Session {
    fn observe(&mut self, sql: &[u8], mark: &Mark) -> Result<runsheet_sdk::Observed, Error> {
        let moment = Moment::ask(self)?;
        let change = Change::of(sql, moment.dialect(self), &moment.database);
        let mut before = self.observed(&change, &moment)?;
        if can_be_marked(&change, &before) {
            match mark::plan(self, &moment, mark)? {
                Plan::Go(planned) => before.mark = planned,
                Plan::Done(why) => {
                    return Ok(runsheet_sdk::Observed::Applied(Verdict::new(Ruling::Applied, why)));
                }
            }
        }
        let settled = if before.mark.is_some() { Settled::Mark } else { rule::settled(&change, &before) };
        Ok(runsheet_sdk::Observed::Before(Observation {
            settled,
            text: before.text(),
            summary: before.summary(),
        }))
    }

    fn execute(
        &mut self,
        sql: &[u8],
        _mark: &Mark,
        observation: &str,
        notices: Notices<'_>,
    ) -> Result<Outcome, Error> {
        let Some(before) = Observed::parse(observation) else {
            return Connection::execute(self, sql, notices);
        };
        let known = std::mem::take(&mut self.judging.tables);
        let outcome = self.execute_marked(sql, &before, notices);
        let change = Change::of(sql, before.dialect, &before.database);
        self.judging.tables = known.after(&change);
        outcome.map_err(|error| self.how_far(sql, &before, error))
    }

    fn judge(&mut self, sql: &[u8], mark: &Mark, observation: &str) -> Result<Verdict, Error> {
        match Observed::parse(observation) {
            Some(before) => self.verdict(sql, &before),
            None => self.verdict_by_mark(sql, mark),
        }
    }

    fn vet(&mut self, sql: &[u8]) -> Result<Option<Observation>, Error> {
        tables::vet(self, sql)
    }

    fn advise(&mut self, notices: Notices<'_>) -> Result<(), Error> {
        advice::advise(self, notices)
    }
}

impl Session {
    fn execute_marked(
        &mut self,
        sql: &[u8],
        before: &Observed,
        notices: Notices<'_>,
    ) -> Result<Outcome, Error> {
        let Some(planned) = &before.mark else { return Connection::execute(self, sql, notices) };
        mark::begin(self, planned)?;
        let outcome = Connection::execute(self, sql, notices);
        if self.is_lost() {
            return outcome;
        }
        let Err(error) = mark::end(self, planned, outcome.is_ok()) else { return outcome };
        // What comes next would go with the same mark; the session is of no more use.
        let applied = match &outcome {
            Ok(_) => Applied::Yes,
            Err(failed) => failed.applied,
        };
        let what = format!("the session still marks what it runs, and is given up: {}", error.message);
        Err(self.give_up(Error::lost(what, applied)))
    }
}
