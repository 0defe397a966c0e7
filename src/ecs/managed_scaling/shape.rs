//! How many instances do waiting tasks need?

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an instance offers to tasks.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
pub struct Shape {
    /// In thousandths of a CPU.
    pub millicores: u64,
    /// In MiB.
    pub mebibytes: u64,
    /// Whole ones.
    pub gpus: u64,
    /// How many tasks it can run at all.
    pub tasks: u64,
}

/// What a task needs of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs {
    /// In thousandths of a CPU.
    pub millicores: u64,
    /// In MiB.
    pub mebibytes: u64,
    /// Whole ones.
    pub gpus: u64,
    /// Whether it takes ports of the instance, so that two of one kind never share one.
    pub host_ports: bool,
}

/// Waiting tasks that need the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskGroup {
    /// What each of them needs.
    pub needs: Needs,
    /// How many there are.
    pub tasks: u32,
}

/// Puts tasks together that need the same.
pub fn grouped(tasks: impl IntoIterator<Item = Needs>) -> Vec<TaskGroup> {
    let mut groups: BTreeMap<Needs, u32> = BTreeMap::new();
    for needs in tasks {
        let tasks = groups.entry(needs).or_default();
        *tasks = tasks.saturating_add(1);
    }
    groups.into_iter().map(|(needs, tasks)| TaskGroup { needs, tasks }).collect()
}

/// Whether any task waits.
pub(super) fn any_waiting(groups: &[TaskGroup]) -> bool {
    groups.iter().any(|group| group.tasks > 0)
}

/// k: of each kind of tasks, how many of the largest instances they fill; the greatest of these
/// numbers, not their sum. Kinds that do not fit the smallest instance do not count.
///
/// Of a group that never had an instance nothing is known but that tasks wait: it needs one.
pub(super) fn more_instances(groups: &[TaskGroup], shapes: &[Shape]) -> u32 {
    let (Some(smallest), Some(largest)) = (shapes.iter().min(), shapes.iter().max()) else {
        return u32::from(any_waiting(groups));
    };
    let counts = groups.iter().filter_map(|group| {
        let fits = smallest.holds(group.needs) > 0;
        let at_once = if fits { largest.holds(group.needs) } else { 0 };
        let more = u64::from(group.tasks).checked_div(at_once)?;
        let rest = u64::from(group.tasks) % at_once;
        u32::try_from(more + u64::from(rest > 0)).ok()
    });
    counts.max().unwrap_or(0)
}

impl Shape {
    /// How many tasks of one kind an empty instance holds.
    pub fn holds(&self, needs: Needs) -> u64 {
        let times = |offered: u64, needed: u64| offered.checked_div(needed).unwrap_or(u64::MAX);
        let ports = if needs.host_ports { 1 } else { u64::MAX };
        times(self.millicores, needs.millicores)
            .min(times(self.mebibytes, needs.mebibytes))
            .min(times(self.gpus, needs.gpus))
            .min(self.tasks)
            .min(ports)
    }
}
