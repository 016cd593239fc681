//! Runs one task at a time on one connection: connects, takes the fence, asks the ledger what is in already, runs
//! the rest segment by segment, and says how it ended. It decides nothing about order between tasks and
//! knows no plan file, no inbox and no socket.

mod failure;
mod fence;
mod intent;
mod job;
mod journal;
mod perform;
mod pool;
mod progress;
mod run;
mod stop;
mod surveys;
mod workers;

pub use job::{End, Ended, Instance, Job, Orphans, Retry, SchemaVersion};
pub use pool::Pool;
pub use progress::Progress;
pub use run::task_key;
pub use stop::Stop;
pub use surveys::Surveys;
pub use workers::{Finished, Workers};
