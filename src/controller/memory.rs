//! What must be remembered between two plans for an object? Nothing whose loss does harm.
//!
//! After a restart all of it starts anew: inputs settle once more, a backoff starts small.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::plan::{Moment, Rejection, Waiting};
use crate::world::{Kind, ObjectKey};

#[derive(Default)]
struct Entry {
    waiting: Option<Waiting>,
    rejected: Option<Rejection>,
    failures: u32,
    status_written: Option<Instant>,
}

/// The memory of all objects.
#[derive(Default)]
pub(super) struct Memory {
    entries: Mutex<BTreeMap<ObjectKey, Entry>>,
    /// When statuses were written, of the last second.
    recent: Mutex<VecDeque<Instant>>,
}

/// With more statuses in a second than this, many objects move at once, and what each of them counts
/// may wait longer: a change under 1,000 services would else write each count of each.
const CALM: usize = 10;

impl Memory {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The statuses of the last second.
    fn recent(&self) -> MutexGuard<'_, VecDeque<Instant>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.front().is_some_and(|at| at.elapsed() > Duration::from_secs(1)) {
            recent.pop_front();
        }
        recent
    }

    /// The moment for a plan.
    pub(super) fn moment(&self, key: &ObjectKey, now: Timestamp) -> Moment {
        match self.entries().get(key) {
            Some(entry) => {
                Moment { now, waiting: entry.waiting.clone(), rejected: entry.rejected.clone() }
            }
            None => Moment::at(now),
        }
    }

    /// Remembers what a plan waits for.
    pub(super) fn waits(&self, key: &ObjectKey, waiting: Option<Waiting>) {
        let mut entries = self.entries();
        if waiting.is_some() || entries.contains_key(key) {
            entries.entry(key.clone()).or_default().waiting = waiting;
        }
    }

    /// Remembers what was refused.
    pub(super) fn rejected(&self, key: &ObjectKey, rejection: Rejection) {
        self.entries().entry(key.clone()).or_default().rejected = Some(rejection);
    }

    /// Forgets failures; tells whether there was a refusal, which the status may still report.
    pub(super) fn succeeded(&self, key: &ObjectKey) -> bool {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(key) else { return false };
        entry.failures = 0;
        entry.rejected.take().is_some()
    }

    /// Counts a failure; tells how many there were in a row.
    pub(super) fn failed(&self, key: &ObjectKey) -> u32 {
        let mut entries = self.entries();
        let entry = entries.entry(key.clone()).or_default();
        entry.failures = entry.failures.saturating_add(1);
        entry.failures
    }

    /// How long a status that is not urgent must still wait, if it must: from the last one the
    /// interval, or fifteen times that while many objects move. A capacity provider's figures move
    /// with every task of many services: it waits ten times the interval.
    pub(super) fn status_due(&self, key: &ObjectKey, interval: Duration) -> Option<Duration> {
        let times = match key.kind {
            Kind::CapacityProvider => 10,
            _ if self.recent().len() > CALM => 15,
            _ => 1,
        };
        let interval = interval * times;
        let written = self.entries().get(key)?.status_written?;
        interval.checked_sub(written.elapsed()).filter(|left| !left.is_zero())
    }

    /// Remembers that a status was written just now.
    pub(super) fn status_written(&self, key: &ObjectKey) {
        self.entries().entry(key.clone()).or_default().status_written = Some(Instant::now());
        self.recent().push_back(Instant::now());
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.entries().clear();
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.entries().remove(key);
    }
}
