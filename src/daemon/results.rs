//! `results/<project>/<plan>/result.json`: written anew, whole, by a thread of its own whenever a plan has changed, so that
//! a reader always finds a file that is complete. That a plan's end stands there is recorded, so that it is written after a crash that
//! came between.

use crate::report::{WaitingReport, of_plan};
use crate::store::{Reader, Store, make_folders, plan_by_id, set_shown_end};
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// One plan to be written.
struct Order {
    plan: i64,
    waiting: HashMap<i64, WaitingReport>,
}

/// The writing thread.
pub(super) struct Results {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Results {
    /// Starts the thread.
    pub(super) fn start(folder: &Path, store: &Store) -> std::io::Result<Self> {
        let (orders, receiver) = channel();
        let (folder, store) = (folder.to_path_buf(), store.clone());
        let thread = std::thread::Builder::new()
            .name("results".to_owned())
            .spawn(move || run(&folder, &store, &receiver))?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Writes a plan's result soon. `waiting` says what its tasks wait for.
    pub(super) fn write(&self, plan: i64, waiting: HashMap<i64, WaitingReport>) {
        if let Some(orders) = &self.orders {
            // The thread ends only with this.
            let _ = orders.send(Order { plan, waiting });
        }
    }

    /// Writes what waits, and ends the thread.
    pub(super) fn close(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it was printed by the hook.
            let _ = thread.join();
        }
    }
}

fn run(folder: &Path, store: &Store, orders: &Receiver<Order>) {
    let mut reader: Option<Reader> = None;
    while let Ok(order) = orders.recv() {
        // What came meanwhile for the same plan stands in the newer order.
        let mut newest: HashMap<i64, Order> = HashMap::from([(order.plan, order)]);
        newest.extend(orders.try_iter().map(|order| (order.plan, order)));
        for order in newest.into_values() {
            if let Err(error) = write(folder, store, &mut reader, &order) {
                tracing::error!(plan = order.plan, "its result.json could not be written: {error:#}");
            }
        }
    }
}

fn write(folder: &Path, store: &Store, reader: &mut Option<Reader>, order: &Order) -> anyhow::Result<()> {
    let reader = match reader {
        Some(reader) => reader,
        None => reader.insert(store.reader()?),
    };
    let report = reader.read(|connection| match plan_by_id(connection, order.plan)? {
        Some(plan) => of_plan(connection, &plan, &order.waiting, &HashMap::new())
            .map(|report| Some((report, plan.end_time))),
        None => Ok(None),
    })?;
    let Some((report, end)) = report else { return Ok(()) };
    let place = place(folder, &report.plan);
    make_folders(&place)?;
    let mut file = tempfile::Builder::new().prefix(".result-").tempfile_in(&place)?;
    serde_json::to_writer_pretty(std::io::BufWriter::new(file.as_file_mut()), &report)?;
    file.as_file_mut().write_all(b"\n")?;
    // Group and others may read it, as the folder's mode lets them.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    file.persist(place.join("result.json"))?;
    if let Some(end) = end {
        fs::File::open(&place)?.sync_all()?;
        let plan = order.plan;
        // Where this fails, the daemon hears of it by its next decision, and the file is written once more at the next start.
        store.write(move |connection| set_shown_end(connection, plan, end), |_| {});
    }
    Ok(())
}

/// The folder of a plan's results: `<project>/<plan>`.
pub(super) fn place(folder: &Path, plan: &str) -> PathBuf {
    let mut parts = plan.split('/').skip(1).step_by(2);
    let project = parts.next().unwrap_or("default");
    folder.join(project).join(parts.next().unwrap_or(plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plans_results_lie_under_its_project() {
        assert_eq!(place(Path::new("/r"), "projects/sample/plans/x"), Path::new("/r/sample/x"));
    }
}
