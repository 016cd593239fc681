//! The one thread that writes: it takes what waits, commits it in one transaction, and only then
//! tells those who asked. A failed commit stops it for good: nothing is done that cannot be recorded.

use super::error::Error;
use super::schema;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many writes go into one commit at most: bounds how long the first of them waits.
const GROUP_MAX: usize = 4_096;

/// How many connections that only read are kept for the next one who asks: to open one costs more than most reads.
const READERS_KEPT: usize = 8;

/// How long a reader waits for SQLite's own short locks.
const BUSY: Duration = Duration::from_secs(10);

/// What is told after the commit, or after it failed.
type Told = Box<dyn FnOnce(Result<(), Error>) + Send>;
/// A write: runs inside the group's transaction and gives what is told afterwards.
type Write = Box<dyn FnOnce(&Connection) -> (Result<(), Error>, Told) + Send>;

/// The handle of the writing thread; clones speak to the same one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    /// Taken out when the store is closed, so that the thread ends after what waits.
    writes: Mutex<Option<Sender<Write>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Connections that only read, and are not in use.
    readers: Mutex<Vec<Connection>>,
}

impl Store {
    pub(super) fn open(file: &Path) -> Result<Self, Error> {
        let mut connection = Connection::open(file)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(64);
        schema::prepare(&mut connection)?;
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || run(connection, &receiver))
            .map_err(|why| Error::Io { path: file.to_path_buf(), why })?;
        let inner = Inner {
            file: file.to_path_buf(),
            writes: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            readers: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Writes in the next group. `told` is called on the writing thread, after the commit with what
    /// `write` gave, or with the error; it must be quick.
    pub fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
        told: impl FnOnce(Result<T, Error>) + Send + 'static,
    ) {
        let job: Write = Box::new(move |connection| match write(connection) {
            Ok(value) => (Ok(()), Box::new(move |committed| told(committed.map(|()| value)))),
            Err(error) => {
                let why = error.to_string();
                // The group fails with it, so the value of `told` is always this error.
                (Err(error), Box::new(move |_| told(Err(Error::Stopped(why)))))
            }
        });
        let sender = self.inner.writes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let refused = match sender {
            Some(sender) => sender.send(job).err().map(|unsent| unsent.0),
            None => Some(job),
        };
        if let Some(job) = refused {
            refuse(job);
        }
    }

    /// Writes in the next group and waits until it is on the disk.
    pub fn write_and_wait<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = channel();
        self.write(write, move |result| {
            // The one who waits is gone only where its thread was ended.
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or_else(|_| Err(Error::Stopped("its thread has ended".to_owned())))
    }

    /// A connection that only reads, and sees what is committed.
    pub fn reader(&self) -> Result<Reader, Error> {
        let kept = self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match kept {
            Some(connection) => Reader { connection: Some(connection), home: None },
            None => Reader::open(&self.inner.file)?,
        };
        reader.home = Some(Arc::clone(&self.inner));
        Ok(reader)
    }

    /// Commits what waits and ends the thread; later writes are refused.
    pub fn close(&self) {
        drop(self.inner.writes.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic in it was printed by the hook, and its writes were told of.
            let _ = thread.join();
        }
    }
}

/// Tells a write that it will not happen, through a connection that holds nothing.
fn refuse(job: Write) {
    if let Ok(nothing) = Connection::open_in_memory() {
        let (_, told) = job(&nothing);
        told(Err(Error::Stopped("the daemon is ending".to_owned())));
    }
}

fn run(mut connection: Connection, writes: &Receiver<Write>) {
    let mut stopped: Option<String> = None;
    while let Ok(first) = writes.recv() {
        let group = std::iter::once(first).chain(writes.try_iter()).take(GROUP_MAX);
        let mut waiting: Vec<Told> = Vec::new();
        let result = match &stopped {
            Some(why) => {
                let why = why.clone();
                // They still run, against nothing, so that each is told.
                for job in group {
                    refuse_with(job, &why);
                }
                continue;
            }
            None => commit(&mut connection, group, &mut waiting),
        };
        let failed = result.err().map(|error| error.to_string());
        for told in waiting {
            told(match &failed {
                None => Ok(()),
                Some(why) => Err(Error::Stopped(why.clone())),
            });
        }
        if let Some(why) = failed {
            tracing::error!("the state database failed; no more work is started: {why}");
            stopped = Some(why);
        }
    }
    // SQLite itself empties the log only where the last connection that goes may write, and one that reads may go after this one.
    // What is not emptied is as durable as the file, and the next start reads it.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

fn refuse_with(job: Write, why: &str) {
    if let Ok(nothing) = Connection::open_in_memory() {
        let (_, told) = job(&nothing);
        told(Err(Error::Stopped(why.to_owned())));
    }
}

fn commit(
    connection: &mut Connection,
    group: impl Iterator<Item = Write>,
    waiting: &mut Vec<Told>,
) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
    let transaction = match transaction {
        Ok(transaction) => transaction,
        Err(error) => {
            let why = error.to_string();
            group.for_each(|job| refuse_with(job, &why));
            return Err(error.into());
        }
    };
    let mut result = Ok(());
    for job in group {
        let (outcome, told) = job(&transaction);
        waiting.push(told);
        if result.is_ok() {
            result = outcome;
        }
    }
    result?;
    transaction.commit()?;
    Ok(())
}

/// A connection that only reads. One of a store goes back to it.
pub struct Reader {
    /// Taken out when it goes.
    connection: Option<Connection>,
    home: Option<Arc<Inner>>,
}

impl Reader {
    pub(super) fn open(file: &Path) -> Result<Self, Error> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(BUSY)?;
        Ok(Self { connection: Some(connection), home: None })
    }

    /// Reads several things as of one moment.
    pub fn read<T>(&mut self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let connection = self.connection.as_mut().expect("it is there until it goes");
        let transaction = connection.transaction()?;
        let value = read(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let (Some(home), Some(connection)) = (self.home.take(), self.connection.take()) else { return };
        let mut readers = home.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_KEPT {
            readers.push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_in_the_log_at_the_end_also_where_somebody_still_reads() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("runsheet.db");
        let store = Store::open(&file)?;
        let mut reader = store.reader()?;
        reader.read(|connection| Ok(connection.query_row("SELECT 1", [], |_| Ok(()))?))?;
        store.close();
        drop(reader);
        drop(store);
        let log = folder.path().join("runsheet.db-wal");
        assert_eq!(std::fs::metadata(log).map_or(0, |log| log.len()), 0);
        // What the reader leaves beside it does not look like a loss to the next start.
        assert_eq!(crate::store::wal::fault(&file, true)?, None);
        Ok(())
    }
}
