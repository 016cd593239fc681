//! Which plans' results are to be written, and when: soon for a small plan, later for one with many tasks, whose file takes longer
//! to write than a task takes to run. Pure: the time comes in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a plan that has changed waits for more changes.
const WAIT: Duration = Duration::from_millis(300);
/// How much longer for each of its tasks: a plan of 20,000 is written every five seconds.
const WAIT_OF_TASK: Duration = Duration::from_micros(240);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(15);

/// Plans whose results are old.
#[derive(Debug, Default)]
pub(super) struct Due {
    plans: HashMap<i64, Instant>,
    next: Option<Instant>,
}

impl Due {
    /// A plan of so many tasks has changed; none for a plan that has ended, so that its end is written soon.
    pub fn add(&mut self, plan: i64, tasks: usize, now: Instant) {
        let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
        let due = now + (WAIT + WAIT_OF_TASK.saturating_mul(tasks)).min(WAIT_MAX);
        let due = *self.plans.entry(plan).and_modify(|before| *before = due.min(*before)).or_insert(due);
        self.next = Some(self.next.map_or(due, |next| next.min(due)));
    }

    /// When the next is to be written.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.plans.len()
    }

    /// Takes those that are to be written now.
    pub fn take(&mut self, now: Instant) -> Vec<i64> {
        if self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let taken = self.plans.extract_if(|_, due| *due <= now).map(|(plan, _)| plan).collect();
        self.next = self.plans.values().min().copied();
        taken
    }

    /// Takes all: nothing comes after.
    pub fn take_all(&mut self) -> Vec<i64> {
        self.next = None;
        self.plans.drain().map(|(plan, _)| plan).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_plan_waits_longer_and_its_end_does_not() {
        let (mut due, start) = (Due::default(), Instant::now());
        let at = |millis: u64| start + Duration::from_millis(millis);
        due.add(1, 20_000, start);
        due.add(2, 1, start);
        assert!(due.take(at(299)).is_empty());
        assert_eq!(due.take(at(301)), [2]);
        due.add(1, 20_000, at(1_000));
        assert_eq!(due.take(at(5_100)), [1], "a later change does not put it off");
        due.add(1, 20_000, at(6_000));
        due.add(1, 0, at(6_100));
        assert_eq!((due.next(), due.len()), (Some(at(6_400)), 1));
        assert_eq!(due.take_all(), [1]);
        assert_eq!(due.next(), None);
    }
}
