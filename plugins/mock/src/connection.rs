//! A session: what the ABI asks of it, and where its rules are broken.

use crate::contents::{Change, Contents};
use crate::fault::Fault;
use crate::ledger;
use crate::misbehave::{leak, leak_descriptor, misbehave};
use crate::place::Place;
use crate::server::{Database, Presence, SERVER, Woken, hold};
use crate::settings::Options;
use crate::transaction::Transaction;
use runsheet_sdk::{
    Applied, Batch, Canceler, Class, Connection, Error, Identity, Judge, LoadRows, Mark, Notices, Outcome,
    TryLock,
};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ThreadId;

/// A session.
pub struct Session {
    pub(crate) options: Options,
    name: String,
    pub(crate) database: Arc<Database>,
    /// Where the lock is.
    locks: Arc<Database>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) read_only: bool,
    pub(crate) temporary: HashSet<String>,
    /// The table and the rows of the load under way.
    pub(crate) loading: Option<(String, Vec<u8>)>,
    /// How often the ledger was prepared, and the lock asked for.
    pub(crate) asked: Asked,
    pub(crate) opener: ThreadId,
}

#[derive(Default)]
pub(crate) struct Asked {
    pub ledger: u32,
    lock: u32,
}

impl Session {
    pub(crate) fn open(options: Options, name: &str, label: &str) -> Result<Self, Error> {
        options.log_in()?;
        let database = SERVER.database(name);
        let locks =
            if options.has(Fault::LockOfAll) { SERVER.database("locks") } else { Arc::clone(&database) };
        let presence = SERVER.begin(&locks, label, options.has(Fault::LockOutlivesKill));
        misbehave(&options);
        Ok(Self {
            options,
            name: name.to_owned(),
            database,
            locks,
            presence,
            transaction: None,
            read_only: false,
            temporary: HashSet::new(),
            loading: None,
            asked: Asked::default(),
            opener: std::thread::current().id(),
        })
    }

    /// Makes a call: refused where the session is gone, seen by others while it runs.
    pub(crate) fn call<T>(
        &mut self,
        place: Place,
        body: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.options.enter(place);
        let lingers = self.presence.begin(&self.options)?
            && match place {
                Place::Execute => self.fault(Fault::CancelLingers),
                Place::Prepare | Place::Write => self.fault(Fault::CancelHitsLedger),
                _ => false,
            };
        let done = if lingers { Err(Error::new(Class::Canceled, "canceled")) } else { body(self) };
        self.presence.rest();
        done
    }

    /// The session is gone in the middle of something.
    pub(crate) fn lost(&self, applied: Applied) -> Error {
        Error::lost("the session was ended", applied)
    }

    pub(crate) fn fault(&self, fault: Fault) -> bool {
        self.options.has(fault)
    }

    /// Makes a change, in the open transaction or at once.
    pub(crate) fn change(&mut self, contents: &mut Contents, change: Change) {
        match self.transaction.as_mut() {
            Some(transaction) => transaction.add(contents, change, &self.options),
            None => contents.apply(change),
        }
    }

    pub(crate) fn begin_transaction(&mut self) -> Result<(), Error> {
        if self.transaction.is_some() {
            return Err(Error::new(Class::Other, "a transaction is open already"));
        }
        self.transaction = Some(Transaction::default());
        leak(&self.options);
        Ok(())
    }

    pub(crate) fn commit_transaction(&mut self) -> Result<(), Error> {
        let Some(transaction) = self.transaction.take() else {
            return Err(Error::new(Class::Other, "there is no transaction to commit"));
        };
        let database = Arc::clone(&self.database);
        if transaction.has_failed {
            transaction.rollback(&mut hold(&database.contents), &self.options);
            return match self.fault(Fault::CommitLies) {
                true => Ok(()),
                false => Err(Error::new(Class::Other, "a statement had failed; all was rolled back")),
            };
        }
        let time = hold(&database.contents).commit_time(transaction.changes());
        if self.presence.wait(time) == Woken::Killed {
            let no = self.fault(Fault::CommitLostSaysNo);
            return Err(self.lost(if no { Applied::No } else { Applied::Unknown }));
        }
        let mut contents = hold(&database.contents);
        if self.presence.is_killed() {
            return Err(self.lost(Applied::Unknown));
        }
        let lose = transaction.lose_commit;
        match lose {
            Some(false) => transaction.rollback(&mut contents, &self.options),
            Some(true) | None => transaction.commit(&mut contents, &self.options)?,
        }
        drop(contents);
        match lose {
            None => {
                if self.fault(Fault::LockEndsWithCommit) {
                    self.let_go();
                }
                Ok(())
            }
            Some(_) => {
                SERVER.end(&self.presence);
                Err(self.lost(Applied::Unknown))
            }
        }
    }

    pub(crate) fn rollback_transaction(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            transaction.rollback(&mut hold(&self.database.contents), &self.options);
        }
    }

    fn identity(&self, presence: &Presence) -> Identity {
        static CHANGES: AtomicU64 = AtomicU64::new(1);
        let mut identity = Identity {
            product: "mock".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            session: presence.number.to_string(),
            session_start: presence.begun.to_string(),
            system: format!("process {}", std::process::id()),
            database: self.name.clone(),
            user: "nobody".to_owned(),
            doing: String::new(),
        };
        if self.fault(Fault::IdentityChanges) {
            identity.user.push_str(&CHANGES.fetch_add(1, Ordering::Relaxed).to_string());
        }
        if self.fault(Fault::SystemDiffers) {
            identity.system.push_str(&identity.session);
        }
        identity
    }
}

/// Whether two identities are of one session.
fn is_same(one: &Identity, other: &Identity) -> bool {
    (&one.session, &one.session_start, &one.system) == (&other.session, &other.session_start, &other.system)
}

/// Keeps a row that is all that a transaction has changed.
fn keep_only_row(transaction: Option<&Transaction>, contents: &mut Contents) {
    if let Some([change @ Change::Put { .. }]) = transaction.map(Transaction::changes) {
        contents.apply(change.clone());
    }
}

/// Stops a session's statement.
struct Cancel {
    options: Options,
    presence: Arc<Presence>,
}

impl Canceler for Cancel {
    fn cancel(&self) -> Result<(), Error> {
        self.options.enter(Place::Cancel);
        if !self.options.has(Fault::CancelIgnored) {
            self.presence.cancel();
        }
        Ok(())
    }
}

impl Connection for Session {
    fn reset(&mut self, label: &str) -> Result<(), Error> {
        self.call(Place::Reset, |session| {
            if !session.fault(Fault::ResetKeepsTransaction) {
                session.rollback_transaction();
            }
            if !session.fault(Fault::ResetKeepsSettings) {
                session.read_only = false;
            }
            if !session.fault(Fault::ResetKeepsTemporary) {
                session.temporary.clear();
            }
            if !session.fault(Fault::ResetKeepsLock) {
                session.let_go();
            }
            if !session.fault(Fault::ResetKeepsLabel) {
                session.presence.relabel(label);
            }
            session.loading = None;
            Ok(())
        })
    }

    fn ping(&mut self) -> Result<(), Error> {
        self.call(Place::Ping, |_| Ok(()))
    }

    fn identify(&mut self) -> Result<Identity, Error> {
        self.call(Place::Identify, |session| Ok(session.identity(&session.presence)))
    }

    fn execute(&mut self, sql: &[u8], notices: Notices<'_>) -> Result<Outcome, Error> {
        self.call(Place::Execute, |session| {
            let _gate = session.fault(Fault::OneAtATime).then(|| hold(&SERVER.gate));
            session.execute_text(sql, notices)
        })
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.call(Place::Begin, Self::begin_transaction)
    }

    fn commit(&mut self, _notices: Notices<'_>) -> Result<(), Error> {
        self.call(Place::Commit, Self::commit_transaction)
    }

    fn rollback(&mut self) -> Result<(), Error> {
        self.call(Place::Rollback, |session| {
            let database = Arc::clone(&session.database);
            if let (true, Some(Transaction { has_failed: false, .. })) =
                (session.fault(Fault::RollbackCommits), &session.transaction)
            {
                keep_only_row(session.transaction.as_ref(), &mut hold(&database.contents));
            }
            session.rollback_transaction();
            Ok(())
        })
    }

    fn canceler(&self) -> Box<dyn Canceler> {
        self.options.enter(Place::Canceler);
        Box::new(Cancel { options: self.options.clone(), presence: Arc::clone(&self.presence) })
    }

    fn try_lock(&mut self) -> Result<TryLock, Error> {
        self.call(Place::TryLock, |session| {
            let mut contents = hold(&session.locks.contents);
            let number = session.presence.number;
            session.asked.lock += 1;
            let asked_again = session.asked.lock > 1 && session.options.has(Fault::LockForTheAsking);
            let holder = contents.lock.filter(|holder| *holder != number && !asked_again);
            let Some(holder) = holder else {
                contents.lock = Some(number);
                return Ok(TryLock::Held);
            };
            drop(contents);
            let presence = SERVER.session(holder).ok().filter(|_| !session.fault(Fault::LockNameless));
            Ok(TryLock::Busy(presence.map(|presence| Box::new(session.identity(&presence)))))
        })
    }

    fn unlock(&mut self) -> Result<(), Error> {
        self.call(Place::Unlock, |session| {
            if !session.fault(Fault::LockStays) {
                session.let_go();
            }
            Ok(())
        })
    }

    fn end_holder(&mut self, holder: &Identity) -> Result<(), Error> {
        self.call(Place::EndHolder, |session| {
            let number = hold(&session.locks.contents).lock;
            let presence = number.and_then(|number| SERVER.session(number).ok());
            let any = session.fault(Fault::EndsAnyHolder);
            match presence.filter(|presence| any || is_same(&session.identity(presence), holder)) {
                Some(presence) => SERVER.close(&presence, false),
                None => return Err(Error::new(Class::MissingObject, "the lock is held by another session")),
            }
            Ok(())
        })
    }

    fn prepare_ledger(&mut self) -> Result<(), Error> {
        self.call(Place::Prepare, ledger::prepare)
    }

    fn write_mark(&mut self, mark: &Mark) -> Result<(), Error> {
        self.call(Place::Write, |session| ledger::write(session, mark))
    }

    fn read_marks(&mut self, task: &str) -> Result<Vec<Mark>, Error> {
        self.call(Place::Read, |session| ledger::read(session, task))
    }

    fn find_version(&mut self, schema_version: &str) -> Result<Option<Mark>, Error> {
        self.call(Place::FindVersion, |session| Ok(ledger::find_version(session, schema_version)))
    }

    fn load(&mut self) -> Option<&mut dyn LoadRows> {
        Some(self)
    }

    fn batch(&mut self) -> Option<&mut dyn Batch> {
        Some(self)
    }

    fn judge(&mut self) -> Option<&mut dyn Judge> {
        Some(self)
    }
}

impl Session {
    fn let_go(&self) {
        let mut contents = hold(&self.locks.contents);
        if contents.lock == Some(self.presence.number) {
            contents.lock = None;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let is_killed = self.presence.is_killed();
        if is_killed && self.fault(Fault::LossLeaksDescriptor) {
            leak_descriptor();
        }
        match self.transaction.take() {
            Some(transaction) if self.fault(Fault::CloseCommits) && !is_killed => {
                // It was told to break a rule, and its error would be nobody's.
                let _ = transaction.commit(&mut hold(&self.database.contents), &self.options);
            }
            transaction => self.transaction = transaction,
        }
        self.rollback_transaction();
        SERVER.close(&self.presence, self.fault(Fault::LockOutlivesClose));
        self.options.enter(Place::Close);
    }
}
