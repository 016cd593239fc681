//! A lane: one database, on which one task runs at a time.

use super::TaskId;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    Running(TaskId),
    InDoubt(TaskId),
}

#[derive(Debug)]
pub(super) struct Lane {
    pub holder: Holder,
    /// Tasks whose run goes on: before all others.
    pub resuming: BTreeSet<TaskId>,
    /// Tasks that are free to run.
    pub free: BTreeSet<TaskId>,
    /// The one that stands in the queue for this lane.
    pub queued: Option<TaskId>,
}

impl Lane {
    pub fn new() -> Self {
        Self { holder: Holder::Nobody, resuming: BTreeSet::new(), free: BTreeSet::new(), queued: None }
    }

    /// The one that is next, whether or not the lane is held.
    pub fn first(&self) -> Option<TaskId> {
        self.resuming.first().or_else(|| self.free.first()).copied()
    }

    /// The one that may start now.
    pub fn candidate(&self) -> Option<TaskId> {
        match self.holder {
            Holder::Nobody => self.first(),
            Holder::Running(_) | Holder::InDoubt(_) => None,
        }
    }
}
