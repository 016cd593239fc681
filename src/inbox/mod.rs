//! The inbox: files that were dropped become stored plans and sheets, or are refused with why. The scan is the truth; the
//! watcher only wakes it. It knows no scheduler, no driver and no socket.

mod file;
mod intake;
mod name;
mod reject;
mod rows;
mod scan;
mod shelf;
mod watch;

pub use name::{SUBMITTED, is_plan, is_sheet, plan_name, sheet_places};
pub use rows::new_plan;

use crate::store::{Sheets, Store, make_folders};
use file::Root;
use intake::Intake;
use scan::{Scan, Settling};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long after a wake the scan begins, at least and at most: files come in swarms.
const GATHER: Duration = Duration::from_millis(10);
const GATHER_MAX: Duration = Duration::from_secs(1);
/// While changes go on, looking at the inbox takes no more than one part in this many of the time.
const LOOK_SHARE: u32 = 4;

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

/// What the daemon is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The plan of this number is on the disk, and has all its sheets.
    Accepted(i64),
    /// Nothing can be recorded any more, for this reason.
    Failed(String),
}

/// Whom the inbox tells.
pub type Tell = Box<dyn Fn(News) + Send>;

enum Message {
    /// Something has changed.
    Wake,
    /// Somebody wants the inbox to be looked at, and what went wrong to be tried again.
    Look,
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
    stopping: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Handle {
    /// Looks at the inbox now.
    pub fn wake(&self) {
        self.shared.idle.store(false, Ordering::SeqCst);
        // The thread ends only with the daemon.
        let _ = self.messages.send(Message::Look);
    }

    /// Takes nothing more in, and waits until what is being taken in is on the disk.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let _ = self.messages.send(Message::Stop);
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic in it was printed by the hook.
            let _ = thread.join();
        }
    }

    /// Whether the last look found nothing to take in, and nothing that is still settling. What cannot be read or moved
    /// counts for nothing: it may stay so.
    pub fn is_idle(&self) -> bool {
        self.shared.idle.load(Ordering::SeqCst)
    }

    /// The instances that plans may name from now on.
    pub fn set_instances(&self, instances: BTreeSet<String>) {
        *self.shared.instances.lock().unwrap_or_else(PoisonError::into_inner) = instances;
    }
}

/// Makes the folders, and then looks at the inbox in a thread of its own.
///
/// # Errors
/// Where a folder cannot be made or read, lies where it would be taken for something dropped, or no thread is to be had.
pub fn start(
    options: Options,
    instances: BTreeSet<String>,
    store: Store,
    sheets: Sheets,
    tell: Tell,
) -> std::io::Result<Handle> {
    for folder in [&options.inbox, &options.accepted, &options.rejected] {
        make_folders(folder)
            .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    }
    lies_outside(&options)?;
    let (messages, receiver) = channel();
    let shared = Arc::new(Shared { instances: Mutex::new(instances), ..Shared::default() });
    let handle = Handle { messages: messages.clone(), shared: Arc::clone(&shared) };
    let root = Root::open(&options.inbox)?;
    let mut thread = Thread {
        folder: root.identity()?,
        intake: Intake::new(options.clone(), root, store, sheets, tell)?,
        settling: Settling::default(),
        said: HashSet::new(),
        options,
        messages,
        shared: Arc::clone(&shared),
    };
    let spawned =
        std::thread::Builder::new().name("inbox".to_owned()).spawn(move || thread.run(&receiver))?;
    *shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(spawned);
    Ok(handle)
}

/// What was taken in or refused must not come in again.
fn lies_outside(options: &Options) -> std::io::Result<()> {
    let inbox = options.inbox.canonicalize()?;
    for folder in [&options.accepted, &options.rejected] {
        if folder.canonicalize()?.starts_with(&inbox) {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                format!(
                    "the folder {} lies in the inbox {}, so that what is in it would be taken in again; name another one in the config: [folders]",
                    folder.display(),
                    inbox.display()
                ),
            ));
        }
    }
    Ok(())
}

struct Thread {
    options: Options,
    intake: Intake,
    settling: Settling,
    /// Which folder the inbox is.
    folder: (u64, u64),
    /// What was said of places that are left alone, so that it is said once.
    said: HashSet<(PathBuf, String)>,
    messages: Sender<Message>,
    shared: Arc<Shared>,
}

impl Thread {
    fn run(&mut self, receiver: &Receiver<Message>) {
        let mut watch = self.watch();
        loop {
            let begun = Instant::now();
            if self.is_another_folder() {
                watch = self.watch();
            }
            let wait = self.look(watch.as_ref());
            let took = begun.elapsed();
            match receiver.recv_timeout(wait) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(first) => {
                    self.shared.idle.store(false, Ordering::SeqCst);
                    if !self.gather(receiver, first, (took * LOOK_SHARE).clamp(GATHER, GATHER_MAX)) {
                        return;
                    }
                }
            }
        }
    }

    fn watch(&self) -> Option<watch::Watch> {
        let messages = self.messages.clone();
        self.options.watch.then(|| {
            watch::Watch::start(&self.options.inbox, move || {
                // The thread that reads it ends only with the daemon.
                let _ = messages.send(Message::Wake);
            })
        })
    }

    /// Lets more changes come before the next look. False where the daemon ends.
    fn gather(&mut self, receiver: &Receiver<Message>, first: Message, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut next = Ok(first);
        loop {
            match next {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Ok(Message::Look) => self.intake.try_again(),
                Ok(Message::Wake) => {}
                Err(RecvTimeoutError::Timeout) => return true,
            }
            next = receiver.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Whether another folder stands where the inbox was: something was mounted there, or it was made anew.
    fn is_another_folder(&mut self) -> bool {
        let Ok(root) = Root::open(&self.options.inbox) else { return false };
        let Ok(found) = root.identity() else { return false };
        if found == self.folder {
            return false;
        }
        tracing::info!("another folder stands at {}; it is the inbox now", self.options.inbox.display());
        self.folder = found;
        self.intake.set_root(root);
        true
    }

    /// Takes in what is settled. Gives how long nothing can happen by itself.
    fn look(&mut self, watch: Option<&watch::Watch>) -> Duration {
        let now = Instant::now();
        let inbox = &self.options.inbox;
        let mut scan = match Scan::of(&self.options) {
            Ok(scan) => scan,
            Err(error) => {
                let notes = vec![(inbox.clone(), format!("the inbox cannot be read: {error}"))];
                self.say(notes);
                return self.options.rescan;
            }
        };
        let mut notes = std::mem::take(&mut scan.notes);
        let open = watch.map(|watch| watch.held_open(inbox)).unwrap_or_default();
        let looked = self.settling.look(scan, &self.options, &open, now);
        notes.extend(looked.held.iter().map(|place| {
            let note = "whoever writes it still holds it open, so that it is not taken in";
            (place.clone(), note.to_owned())
        }));
        self.say(notes);
        let instances = self.shared.instances.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stopping = Arc::clone(&self.shared);
        // Whoever is told of a plan must not find the inbox idle from before.
        self.shared.idle.store(false, Ordering::SeqCst);
        let goes_on = move || !stopping.stopping.load(Ordering::SeqCst);
        if self.intake.take(&looked, &instances, now, &goes_on) {
            // What was taken may let others go on: a plan finds its sheets, a second file of a name is judged.
            return Duration::ZERO;
        }
        let due = looked.next_due.into_iter().chain(self.intake.next_due()).min();
        self.shared.idle.store(due.is_none(), Ordering::SeqCst);
        let due = due.into_iter().chain(self.intake.next_try()).min();
        due.map_or(self.options.rescan, |due| {
            due.saturating_duration_since(Instant::now()).min(self.options.rescan)
        })
    }

    /// Says what a person should know, each thing once as long as it is so.
    fn say(&mut self, notes: Vec<(PathBuf, String)>) {
        let notes: HashSet<(PathBuf, String)> = notes.into_iter().collect();
        for (place, note) in notes.difference(&self.said) {
            let place = if place == Path::new("") { &self.options.inbox } else { place };
            tracing::warn!("{}: {note}", name::shown(place));
        }
        self.said = notes;
    }
}
