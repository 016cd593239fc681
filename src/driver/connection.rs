//! A session through a driver, in safe Rust. Calls on it come one at a time because they borrow it
//! mutably; a cancel comes from anywhere, and closing waits for it.

use super::library::Extensions;
use runsheet_sdk::abi::{
    RSD_BUSY, RSD_OK, rsd_connection, rsd_driver, rsd_ledger, rsd_open_args, rsd_sink, rsd_status,
};
use runsheet_sdk::sink::{Collected, identity_to_abi, mark_to_abi};
use runsheet_sdk::text::lend;
use runsheet_sdk::{Applied, Class, Error, Failure, Identity, Mark, Notice, Observation, Outcome, Verdict};
use std::sync::{Arc, Mutex, PoisonError};

/// A session. Dropped means closed.
pub struct Connection {
    driver: &'static rsd_driver,
    pub(super) extensions: Extensions,
    raw: *mut rsd_connection,
    cancel: Arc<CancelHandle>,
    lost: bool,
    /// Who the session is, once it has been asked: it stays the same session as long as it is open.
    identity: Option<Identity>,
}

// SAFETY: rule 4 of the ABI: calls may come from different threads, one at a time, which `&mut self` keeps.
unsafe impl Send for Connection {}

/// How asking for the lock on a database ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Lock {
    /// This session has it.
    Held,
    /// Another has it: who, where that can be known.
    Busy(Option<Identity>),
}

/// Stops what a connection runs; works from any thread, does nothing once it is closed.
pub struct CancelHandle {
    cancel: unsafe extern "C" fn(*mut rsd_connection) -> rsd_status,
    /// The connection while it is open. The lock is held during a cancel, so that closing waits for it.
    raw: Mutex<Option<Target>>,
}

struct Target(*mut rsd_connection);

// SAFETY: the pointer is only passed to `cancel`, which may come from any thread (rule 4).
unsafe impl Send for Target {}

impl CancelHandle {
    /// Asks the running statement to stop. True where the request went out.
    pub fn cancel(&self) -> bool {
        let target = self.raw.lock().unwrap_or_else(PoisonError::into_inner);
        match target.as_ref() {
            // SAFETY: open, since closing takes the pointer out under this lock first (rule 4).
            Some(target) => unsafe { (self.cancel)(target.0) == RSD_OK },
            None => false,
        }
    }
}

pub(super) fn open(
    driver: &'static rsd_driver,
    extensions: Extensions,
    args: &rsd_open_args,
    notices: &mut dyn FnMut(Notice),
) -> Result<Connection, Error> {
    let (Some(open), Some(cancel)) = (driver.open, driver.cancel) else { return Err(missing("open")) };
    let mut raw = std::ptr::null_mut();
    let mut numbered = |_, notice| notices(notice);
    let mut collected = Collected::new(&mut numbered);
    let sink = collected.sink();
    // SAFETY: rule 3: all arguments live during the call.
    let status = unsafe { open(args, &sink, &mut raw) };
    if status != RSD_OK || raw.is_null() {
        return Err(collected.error(Failure::from_abi(status)));
    }
    let cancel = Arc::new(CancelHandle { cancel, raw: Mutex::new(Some(Target(raw))) });
    Ok(Connection { driver, extensions, raw, cancel, lost: false, identity: None })
}

pub(super) fn missing(function: &str) -> Error {
    Error {
        failure: Failure::Unsupported,
        ..Error::new(Class::Unsupported, format!("the driver does not have `{function}`"))
    }
}

type Call = unsafe extern "C" fn(*mut rsd_connection, *const rsd_sink) -> rsd_status;

impl Connection {
    /// What stops the running statement from another thread.
    pub fn cancel_handle(&self) -> Arc<CancelHandle> {
        Arc::clone(&self.cancel)
    }

    /// Whether the connection is gone, or its driver broke down: nothing but dropping it makes sense.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether the driver keeps a ledger.
    pub fn has_ledger(&self) -> bool {
        self.extensions.ledger.is_some()
    }

    /// Makes the session as new for the task `label`.
    pub fn reset(&mut self, label: &str) -> Result<(), Error> {
        let reset = self.driver.reset.ok_or_else(|| missing("reset"))?;
        // SAFETY: rules 3 and 4.
        self.run(&mut |_| {}, |raw, sink| unsafe { reset(raw, lend(label.as_bytes()), sink) }).map(drop)
    }

    /// Asks whether the server still answers.
    pub fn ping(&mut self) -> Result<(), Error> {
        self.plain("ping", self.driver.ping).map(drop)
    }

    /// Asks who the session is.
    pub fn identify(&mut self) -> Result<Identity, Error> {
        let said = self.plain("identify", self.driver.identify)?;
        let unsaid = || Error::new(Class::Other, "the driver did not say who the session is");
        let identity = said.identity.ok_or_else(unsaid)?;
        self.identity = Some(identity.clone());
        Ok(identity)
    }

    /// Who the session is, where [`Self::identify`] was called before; what it was doing then is of no meaning.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Runs exactly one statement; notices go on as they come.
    pub fn execute(&mut self, sql: &[u8], notices: &mut dyn FnMut(Notice)) -> Result<Outcome, Error> {
        let execute = self.driver.execute.ok_or_else(|| missing("execute"))?;
        // SAFETY: rules 3 and 4.
        let said = self.run(notices, |raw, sink| unsafe { execute(raw, lend(sql), sink) })?;
        Ok(said.outcome())
    }

    /// Opens a transaction.
    pub fn begin(&mut self) -> Result<(), Error> {
        self.plain("begin", self.driver.begin).map(drop)
    }

    /// Commits; Ok only where the server says that it did.
    pub fn commit(&mut self, notices: &mut dyn FnMut(Notice)) -> Result<(), Error> {
        let commit = self.driver.commit.ok_or_else(|| missing("commit"))?;
        // SAFETY: rules 3 and 4.
        self.run(notices, |raw, sink| unsafe { commit(raw, sink) }).map(drop)
    }

    /// Ends the transaction without effect.
    pub fn rollback(&mut self) -> Result<(), Error> {
        self.plain("rollback", self.driver.rollback).map(drop)
    }

    /// Asks for the lock of one runner per database. A driver without locks always grants it.
    pub fn try_lock(&mut self) -> Result<Lock, Error> {
        let Some(table) = self.extensions.lock else { return Ok(Lock::Held) };
        let try_lock = table.try_lock.ok_or_else(|| missing("try_lock"))?;
        let mut dropped = |_: usize, _: Notice| {};
        let mut collected = Collected::new(&mut dropped);
        let sink = collected.sink();
        // SAFETY: rules 3 and 4.
        let status = unsafe { try_lock(self.raw, &sink) };
        match status {
            RSD_OK => Ok(Lock::Held),
            RSD_BUSY => Ok(Lock::Busy(collected.identity.take())),
            status => Err(self.failed(&mut collected, status)),
        }
    }

    /// Lets go of the lock.
    pub fn unlock(&mut self) -> Result<(), Error> {
        match self.extensions.lock {
            Some(table) => self.plain("unlock", table.unlock).map(drop),
            None => Ok(()),
        }
    }

    /// Ends the session that holds the lock, if it is the very one that `holder` names.
    pub fn end_holder(&mut self, holder: &Identity) -> Result<(), Error> {
        let end = self.extensions.lock.and_then(|table| table.end_holder);
        let end = end.ok_or_else(|| missing("end_holder"))?;
        let holder = identity_to_abi(holder);
        // SAFETY: rules 3 and 4.
        self.run(&mut |_| {}, |raw, sink| unsafe { end(raw, &holder, sink) }).map(drop)
    }

    /// Makes the ledger's table where it is missing.
    pub fn prepare_ledger(&mut self) -> Result<(), Error> {
        let table = self.ledger()?;
        self.plain("prepare", table.prepare).map(drop)
    }

    /// Writes a mark: in the open transaction, or by itself.
    pub fn write_mark(&mut self, mark: &Mark) -> Result<(), Error> {
        let write = self.ledger()?.write.ok_or_else(|| missing("write"))?;
        let mark = mark_to_abi(mark);
        // SAFETY: rules 3 and 4.
        self.run(&mut |_| {}, |raw, sink| unsafe { write(raw, &mark, sink) }).map(drop)
    }

    /// The marks of a task, in the order of segments.
    pub fn read_marks(&mut self, task: &str) -> Result<Vec<Mark>, Error> {
        let read = self.ledger()?.read.ok_or_else(|| missing("read"))?;
        // SAFETY: rules 3 and 4.
        let said = self.run(&mut |_| {}, |raw, sink| unsafe { read(raw, lend(task.as_bytes()), sink) })?;
        Ok(said.marks)
    }

    /// The complete mark that brought a schema version, if any.
    pub fn find_version(&mut self, schema_version: &str) -> Result<Option<Mark>, Error> {
        let find = self.ledger()?.find_version.ok_or_else(|| missing("find_version"))?;
        let text = lend(schema_version.as_bytes());
        // SAFETY: rules 3 and 4.
        let said = self.run(&mut |_| {}, |raw, sink| unsafe { find(raw, text, sink) })?;
        Ok(said.marks.into_iter().next())
    }

    /// Begins a load whose rows stand in the sheet.
    pub fn begin_load(&mut self, sql: &[u8], notices: &mut dyn FnMut(Notice)) -> Result<(), Error> {
        let begin =
            self.extensions.load.and_then(|table| table.begin).ok_or_else(|| missing("rsd.load/1"))?;
        // SAFETY: rules 3 and 4.
        self.run(notices, |raw, sink| unsafe { begin(raw, lend(sql), sink) }).map(drop)
    }

    /// Sends rows of the load.
    pub fn load_rows(&mut self, rows: &[u8]) -> Result<(), Error> {
        let send = self.extensions.load.and_then(|table| table.rows).ok_or_else(|| missing("rsd.load/1"))?;
        // SAFETY: rules 3 and 4.
        self.run(&mut |_| {}, |raw, sink| unsafe { send(raw, lend(rows), sink) }).map(drop)
    }

    /// Ends the load.
    pub fn end_load(&mut self, notices: &mut dyn FnMut(Notice)) -> Result<Outcome, Error> {
        let end = self.extensions.load.and_then(|table| table.end).ok_or_else(|| missing("rsd.load/1"))?;
        // SAFETY: rules 3 and 4.
        let said = self.run(notices, |raw, sink| unsafe { end(raw, sink) })?;
        Ok(said.outcome())
    }

    fn ledger(&self) -> Result<&'static rsd_ledger, Error> {
        self.extensions.ledger.ok_or_else(|| missing("rsd.ledger/1"))
    }

    pub(super) fn plain(&mut self, name: &str, call: Option<Call>) -> Result<Said, Error> {
        let call = call.ok_or_else(|| missing(name))?;
        // SAFETY: rules 3 and 4.
        self.run(&mut |_| {}, |raw, sink| unsafe { call(raw, sink) })
    }

    pub(super) fn run(
        &mut self,
        notices: &mut dyn FnMut(Notice),
        call: impl FnOnce(*mut rsd_connection, *const rsd_sink) -> rsd_status,
    ) -> Result<Said, Error> {
        let (said, failed) = self.listen(&mut |_, notice| notices(notice), call);
        failed.map_or(Ok(said), Err)
    }

    /// What one call said, and its error where it failed. A notice comes with how many results had been said before it.
    pub(super) fn listen(
        &mut self,
        notices: &mut dyn FnMut(usize, Notice),
        call: impl FnOnce(*mut rsd_connection, *const rsd_sink) -> rsd_status,
    ) -> (Said, Option<Error>) {
        let mut collected = Collected::new(notices);
        let sink = collected.sink();
        let status = call(self.raw, &sink);
        let failed = if status == RSD_OK {
            collected.breach().inspect(|_| self.lost = true)
        } else {
            Some(self.failed(&mut collected, status))
        };
        let said = Said {
            outcomes: std::mem::take(&mut collected.outcomes),
            identity: collected.identity.take(),
            marks: std::mem::take(&mut collected.marks),
            observation: collected.observation.take(),
            verdict: collected.verdict.take(),
        };
        (said, failed)
    }

    /// The driver broke the contract of a call: nothing more is asked of it.
    pub(super) fn breach(&mut self, what: String) -> Error {
        self.lost = true;
        let error = Error::new(Class::Other, what);
        Error { failure: Failure::DriverBug, applied: Applied::Unknown, ..error }
    }

    fn failed(&mut self, collected: &mut Collected<'_>, status: rsd_status) -> Error {
        let failure = Failure::from_abi(status);
        self.lost |= matches!(failure, Failure::Lost | Failure::DriverBug);
        collected.error(failure)
    }
}

/// What one call said.
pub(super) struct Said {
    pub outcomes: Vec<Outcome>,
    pub identity: Option<Identity>,
    pub marks: Vec<Mark>,
    pub observation: Option<Observation>,
    pub verdict: Option<Verdict>,
}

impl Said {
    /// The outcome of a call that has one; the last one where it was said more than once.
    pub fn outcome(self) -> Outcome {
        self.outcomes.into_iter().next_back().unwrap_or_default()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Taken out first, so that no cancel can begin any more, and one that runs has ended.
        self.cancel.raw.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(close) = self.driver.close {
            // SAFETY: closed once, here, with no other call running.
            unsafe { close(self.raw) }
        }
    }
}
