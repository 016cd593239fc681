//! What tasks wait for while no daemon runs, as the scheduler would see it if one started now. Nothing is recorded.

use super::engine::now;
use super::schedule::{Schedule, StoredPlan};
use crate::config::Config;
use crate::report::WaitingReport;
use crate::store::{Error, Reader, plans_not_ended};
use std::collections::HashMap;

/// What the tasks of a plan wait for, by task: those that a daemon would run wait for one, the others for what they would
/// wait for anyway.
///
/// # Errors
/// Where the state cannot be read.
pub fn waiting_without_daemon(
    config: &Config,
    reader: &mut Reader,
    plan: i64,
) -> Result<HashMap<i64, WaitingReport>, Error> {
    let stored = reader.read(|connection| {
        let plans = plans_not_ended(connection)?.into_iter();
        plans.map(|plan| StoredPlan::read(connection, plan.id)).collect::<Result<Vec<_>, _>>()
    })?;
    if !stored.iter().flatten().any(|stored| stored.plan.id == plan) {
        return Ok(HashMap::new());
    }
    let mut schedule = Schedule::new(config, now());
    for stored in stored.iter().flatten() {
        let _ = schedule.accept(stored, now());
    }
    // What it decides to start is not started: there is no daemon.
    let _ = schedule.begin(now());
    Ok(schedule.waiting_for_a_daemon(plan))
}
