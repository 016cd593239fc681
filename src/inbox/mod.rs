//! The inbox: files that were dropped become stored plans and sheets, or are refused with why. The scan is the truth; the
//! watcher only wakes it. It knows no scheduler, no driver and no socket.

mod file;
mod intake;
mod name;
mod reject;
mod scan;
mod shelf;
mod watch;

pub use name::{SUBMITTED, plan_name, sheet_places};

use crate::store::{Sheets, Store};
use intake::Intake;
use scan::{Scan, Settling};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long after a wake the scan begins: files come in swarms.
const GATHER: Duration = Duration::from_millis(10);

/// Where and how files are taken in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files are dropped here.
    pub inbox: PathBuf,
    /// Originals of what was taken in go here.
    pub accepted: PathBuf,
    /// What is refused goes here.
    pub rejected: PathBuf,
    /// How long a file must be quiet.
    pub settle: Duration,
    /// How long a plan that stops in the middle is waited for.
    pub settle_max: Duration,
    /// How often the inbox is looked at when nothing wakes.
    pub rescan: Duration,
    /// The largest sheet.
    pub max_sheet_bytes: u64,
    /// The largest plan.
    pub max_plan_bytes: u64,
    /// How many files are looked at.
    pub max_files: usize,
    /// Whether the file system is asked to wake the scan.
    pub watch: bool,
}

/// What is called with the number of each plan that is ready to run, after it is on the disk.
pub type Accepted = Box<dyn Fn(i64) + Send>;

enum Message {
    Wake,
    Stop,
}

/// Speaks to the inbox's thread.
#[derive(Clone)]
pub struct Handle {
    messages: Sender<Message>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    instances: Mutex<BTreeSet<String>>,
    idle: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Handle {
    /// Looks at the inbox now.
    pub fn wake(&self) {
        self.shared.idle.store(false, Ordering::SeqCst);
        // The thread ends only with the daemon.
        let _ = self.messages.send(Message::Wake);
    }

    /// Takes nothing more in, and waits until what is being taken in is on the disk.
    pub fn stop(&self) {
        let _ = self.messages.send(Message::Stop);
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic in it was printed by the hook.
            let _ = thread.join();
        }
    }

    /// Whether the last look found nothing to take in, and nothing that is still settling.
    pub fn is_idle(&self) -> bool {
        self.shared.idle.load(Ordering::SeqCst)
    }

    /// The instances that plans may name from now on.
    pub fn set_instances(&self, instances: BTreeSet<String>) {
        *self.shared.instances.lock().unwrap_or_else(PoisonError::into_inner) = instances;
    }
}

/// Makes the folders, looks at the inbox once, and then goes on in a thread of its own.
///
/// # Errors
/// Where a folder cannot be made or read, or no thread is to be had.
pub fn start(
    options: Options,
    instances: BTreeSet<String>,
    store: Store,
    sheets: Sheets,
    accepted: Accepted,
) -> std::io::Result<Handle> {
    for folder in [&options.inbox, &options.accepted, &options.rejected] {
        std::fs::create_dir_all(folder)
            .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    }
    let (messages, receiver) = channel();
    let shared = Arc::new(Shared { instances: Mutex::new(instances), ..Shared::default() });
    let handle = Handle { messages: messages.clone(), shared: Arc::clone(&shared) };
    let mut thread = Thread {
        intake: Intake::new(options.clone(), store, sheets, accepted)?,
        settling: Settling::default(),
        options,
        shared: Arc::clone(&shared),
    };
    let spawned = std::thread::Builder::new()
        .name("inbox".to_owned())
        .spawn(move || thread.run(&receiver, messages))?;
    *shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(spawned);
    Ok(handle)
}

struct Thread {
    options: Options,
    intake: Intake,
    settling: Settling,
    shared: Arc<Shared>,
}

impl Thread {
    fn run(&mut self, receiver: &Receiver<Message>, messages: Sender<Message>) {
        let _watcher = self.options.watch.then(|| {
            watch::start(&self.options.inbox, move || {
                let _ = messages.send(Message::Wake);
            })
        });
        self.intake.finish_earlier();
        loop {
            let wait = self.look();
            match receiver.recv_timeout(wait) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Wake) => {
                    self.shared.idle.store(false, Ordering::SeqCst);
                    std::thread::sleep(GATHER);
                    if receiver.try_iter().any(|message| matches!(message, Message::Stop)) {
                        return;
                    }
                }
            }
        }
    }

    /// Takes in what is settled. Gives how long nothing can happen by itself.
    fn look(&mut self) -> Duration {
        let now = Instant::now();
        let scan = match Scan::of(&self.options) {
            Ok(scan) => scan,
            Err(error) => {
                tracing::error!("the inbox {} cannot be read: {error}", self.options.inbox.display());
                return self.options.rescan;
            }
        };
        let looked = self.settling.look(scan, self.options.settle, now);
        let instances = self.shared.instances.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let took = self.intake.take(&looked, &instances, now);
        if took {
            // What was taken may let others go on: a plan finds its sheets, a second file of a name is judged.
            return Duration::ZERO;
        }
        let due = looked.next_due.into_iter().chain(self.intake.next_due()).min();
        if due.is_none() {
            self.shared.idle.store(true, Ordering::SeqCst);
        }
        due.map_or(self.options.rescan, |due| {
            due.saturating_duration_since(Instant::now()).min(self.options.rescan)
        })
    }
}
