//! The threads that run tasks: as many as run at once, kept for the next task.

use super::job::{Ended, Job};
use super::pool::Pool;
use super::run;
use crate::store::Store;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Drivers may be deep; the default of a thread in Rust is 2 MiB.
const STACK_BYTES: usize = 8 << 20;

/// A run has come to its end, or the code that ran it broke down.
#[derive(Debug)]
pub struct Finished {
    /// The task.
    pub task_id: i64,
    /// The run.
    pub run_id: i64,
    /// How it ended; nothing where the executor panicked.
    pub ended: Option<Ended>,
}

/// The threads.
#[derive(Clone)]
pub struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    store: Store,
    pool: Arc<Pool>,
    finished: Box<dyn Fn(Finished) + Send + Sync>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Threads that have no job, whether they wait or are about to look for one.
    idle: usize,
}

impl Workers {
    /// No thread yet; `finished` is called on the thread that ran a job.
    pub fn new(store: Store, pool: Arc<Pool>, finished: impl Fn(Finished) + Send + Sync + 'static) -> Self {
        let shared = Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            store,
            pool,
            finished: Box::new(finished),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Runs a job on a thread that waits for one, or on a new one.
    ///
    /// # Errors
    /// Where the system gives no further thread.
    pub fn run(&self, job: Job) -> std::io::Result<()> {
        let mut queue = self.shared.queue();
        queue.jobs.push_back(job);
        if queue.jobs.len() <= queue.idle {
            self.shared.wake.notify_one();
            return Ok(());
        }
        queue.idle += 1;
        drop(queue);
        let shared = Arc::clone(&self.shared);
        std::thread::Builder::new()
            .name("run".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || work(&shared))?;
        Ok(())
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job.
    fn next(&self) -> Job {
        let mut queue = self.queue();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                queue.idle -= 1;
                return job;
            }
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(shared: &Shared) {
    loop {
        let job = shared.next();
        let (task_id, run_id) = (job.task_id, job.run_id);
        let ended = catch_unwind(AssertUnwindSafe(|| run::run(&job, &shared.store, &shared.pool))).ok();
        drop(job);
        // Before anybody hears of it: the next job that this leads to finds this thread.
        shared.queue().idle += 1;
        (shared.finished)(Finished { task_id, run_id, ended });
    }
}
