//! Which count, bounds and template may the Deployment have now?
//!
//! ECS's two percents become integers of the desired count; passed on as percentages, Kubernetes
//! would round the surge up. The Deployment's own controller does the roll within them; here is
//! decided what it may be told, so that neither bound is broken on the way:
//!
//! * No earlier tasks, or none wanted: the new template and the count at once.
//! * Room for one task at least: the integers of the desired count.
//! * No room (both integers 0, which the API refuses): placeholders 0/1, and no new template while
//!   a task of the old one may be healthy. A count that comes to this in the middle of a roll waits
//!   until the roll has ended, under the bounds that it has.
//! * A lower count: only as low as leaves the healthy tasks at the floor, since in the middle of a
//!   roll the controller lowers its ReplicaSets in proportion, healthy ones too, and later takes
//!   tasks of the new one that must go for available; and since of tasks that are ready, but not yet
//!   for long enough, it may keep those. So it is with a higher count under a lower cap.
//!
//! With several capacity providers there are several Deployments: [`steps`] has the rules for those.

mod several;
mod shares;

use crate::defect::{self, Defect};
use crate::ecs::percent::Percents;

pub use self::several::{Member, Steps, steps};
pub use self::shares::ReplicaSet;
use self::shares::{healthy_after, shares};

/// The roll as its controller has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether there is a Deployment at all.
    pub exists: bool,
    /// `spec.replicas`
    pub replicas: i32,
    /// The record from which its template came.
    pub sequence: Option<i64>,
    /// Whether its controller has seen its newest spec.
    pub settled: bool,
    /// Pods that are not terminating.
    pub total: i32,
    /// Those of them with the newest template.
    pub updated: i32,
    /// Pods that have been ready for long enough.
    pub available: i32,
    /// The bound as written.
    pub max_unavailable: Option<i32>,
    /// The bound as written.
    pub max_surge: Option<i32>,
    /// Its ReplicaSets.
    pub replica_sets: Vec<ReplicaSet>,
    /// Whether no task runs or can come to run as things are.
    pub stuck: bool,
    /// Pods with the newest template for which there is no node.
    pub unplaced: i32,
    /// Pods for which there is no node, and pods that fail to start over and over.
    pub hopeless: i32,
}

/// What to tell the Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// `spec.replicas`
    pub replicas: i32,
    /// The record whose template to write.
    pub sequence: i64,
    /// `maxUnavailable`, an integer.
    pub max_unavailable: i32,
    /// `maxSurge`, an integer.
    pub max_surge: i32,
    /// What had to be held back, if anything.
    pub held: Option<Held>,
}

/// Why a step falls short of what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The percents leave no room to stop or start a task: `DeploymentBlocked`.
    NoRoom,
    /// A change that leaves no room waits for the end of the roll.
    UntilRolled,
    /// The count goes down as healthy tasks allow.
    ForHealthyTasks,
}

/// The placeholder where both bounds would be 0.
const PLACEHOLDER: (i32, i32) = (0, 1);

fn placeholder() -> (i32, i32) {
    if defect::is(Defect::ClosedBoundsAsTheyAre) { (0, 0) } else { PLACEHOLDER }
}

/// How many tasks must stay healthy, and how many there may be at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    floor: i32,
    cap: i32,
}

impl Limits {
    /// The two percents of a count.
    fn of(percents: Percents, desired: i32) -> Self {
        Self { floor: percents.floor(desired), cap: percents.cap(desired) }
    }

    /// Whether there is no room to stop a task first, nor to start one first.
    fn are_closed(self, desired: i32) -> bool {
        self.floor >= desired && self.cap <= desired
    }

    /// `maxUnavailable` and `maxSurge` of a Deployment with `replicas`.
    ///
    /// At 50 % and 150 % of 3: `(1, 1)`, since the floor is 2 and the cap 4.
    fn bounds(self, replicas: i32) -> (i32, i32) {
        ((replicas - self.floor).max(0), (self.cap - replicas).max(0))
    }
}

/// The next step towards `desired` tasks of the record `target`, where there is one Deployment.
pub fn step(desired: i32, percents: Percents, seen: &Seen, target: i64) -> Step {
    surging(desired, 0, percents, seen, target)
}

/// The same, where `extra` tasks are wanted beside, as long as as many have to leave their nodes. Floor
/// and cap stay those of `desired`.
pub fn surging(desired: i32, extra: i32, percents: Percents, seen: &Seen, target: i64) -> Step {
    step_within(Limits::of(percents, desired), desired.saturating_add(extra), seen, target)
}

/// The next step of one Deployment towards `desired` tasks of the record `target`.
fn step_within(limits: Limits, desired: i32, seen: &Seen, target: i64) -> Step {
    let to = |replicas, sequence, (max_unavailable, max_surge), held| Step {
        replicas,
        sequence,
        max_unavailable,
        max_surge,
        held,
    };
    let closed = limits.are_closed(desired);
    let open_bounds = if closed { placeholder() } else { limits.bounds(desired) };
    // Nothing of the past to protect, or nothing wanted.
    let idle = seen.settled && seen.total == 0 && seen.replicas == 0;
    if !seen.exists || idle || (desired == 0 && limits.floor == 0) {
        let bounds = if desired == 0 { placeholder() } else { open_bounds };
        return to(desired, target, bounds, None);
    }
    let written = seen.sequence.unwrap_or(target);
    // A lower cap leaves less to share among the ReplicaSets, too.
    let less = limits.cap < seen.most_before();
    if !seen.settled {
        // What was written last is not under way yet. Its numbers stay, unless they may grow.
        let grows = !closed && desired >= seen.replicas && !(less && desired > seen.replicas);
        return if grows {
            to(desired, target, open_bounds, None)
        } else {
            as_written(seen, written, (written != target).then_some(Held::UntilRolled))
        };
    }
    let rolling = seen.is_rolling();
    if closed {
        if seen.stuck && seen.available == 0 && written != target {
            // Nothing to protect: those tasks stop first, so that there are never too many.
            return to(desired, target, (desired, 0), None);
        }
        if rolling {
            // A roll over a roll keeps within the bounds that it has.
            let held = (seen.replicas != desired).then_some(Held::UntilRolled);
            return as_written(seen, target, held);
        }
    }
    let sequence = if closed { written } else { target };
    if desired < seen.replicas || (rolling && less && desired > seen.replicas) {
        let replicas = nearest_safe_count(desired, limits, seen, target);
        if replicas != desired {
            let bounds = if closed { placeholder() } else { limits.bounds(replicas) };
            return to(replicas, sequence, bounds, Some(Held::ForHealthyTasks));
        }
    }
    to(desired, sequence, open_bounds, (sequence != target).then_some(Held::NoRoom))
}

/// Whether a step changes the count in the middle of a roll so that its controller may lower
/// ReplicaSets by it: what it comes to depends on sizes that may be older than they look.
pub fn lowers_in_mid_roll(step: &Step, seen: &Seen) -> bool {
    let less = step.replicas.saturating_add(step.max_surge) < seen.most_before();
    let changed = step.replicas != seen.replicas;
    seen.exists && seen.is_rolling() && step.replicas > 0 && changed && less
}

/// The same step, with the count and bounds that were written last.
pub fn postponed(step: &Step, seen: &Seen) -> Step {
    as_written(seen, step.sequence, Some(Held::ForHealthyTasks))
}

/// The template of a record, with the count and bounds that were written last.
fn as_written(seen: &Seen, sequence: i64, held: Option<Held>) -> Step {
    let (max_unavailable, max_surge) = seen.bounds();
    Step { replicas: seen.replicas, sequence, max_unavailable, max_surge, held }
}

impl Seen {
    /// Whether its controller replaces tasks, or is about to.
    pub fn is_rolling(&self) -> bool {
        // The status counts pods, which come and go after the sizes; the sizes are the intent.
        let earlier = |set: &ReplicaSet| {
            set.size > 0 && set.sequence.is_some() && set.sequence != self.sequence
        };
        self.total > self.updated || self.replica_sets.iter().any(earlier)
    }

    /// Stands for the sizes that its controller goes by. Whose tasks are ready is no part of it: a
    /// task that is now ready and now not keeps no count from coming down.
    pub fn sizes(&self) -> String {
        let sets = self.replica_sets.iter();
        let sizes: Vec<_> = sets.map(|set| (&set.name, set.size, set.max_replicas)).collect();
        format!("{} {} {} {sizes:?}", self.replicas, self.total, self.updated)
    }

    /// The count and surge that its ReplicaSets share now.
    fn most_before(&self) -> i32 {
        let written = self.replicas.saturating_add(self.bounds().1);
        let scaled = self.replica_sets.iter().filter(|set| set.size > 0);
        scaled.filter_map(|set| set.max_replicas).fold(written, i32::max)
    }

    /// Whether there is no task, nor will there be one as it is.
    pub fn is_empty(&self) -> bool {
        self.settled && self.replicas == 0 && self.total == 0 && self.size() == 0
    }

    /// The sum of its ReplicaSets' sizes.
    fn size(&self) -> i32 {
        self.replica_sets.iter().map(|set| set.size).sum()
    }

    /// Those of them whose tasks are ready.
    fn ready(&self) -> i32 {
        self.replica_sets.iter().map(|set| set.ready.min(set.size)).sum()
    }

    fn bounds(&self) -> (i32, i32) {
        (self.max_unavailable.unwrap_or(PLACEHOLDER.0), self.max_surge.unwrap_or(PLACEHOLDER.1))
    }
}

/// The count nearest to `desired`, from the present one, at which enough tasks stay healthy when the
/// Deployment's controller changes its ReplicaSets to it in proportion: the floor, or as many as are
/// ready now, where that is fewer.
///
/// In a roll to `target`, none of its available tasks may go: until their ReplicaSet's status says
/// that they have gone, the controller takes them for available, and stops earlier ones on their
/// account, below the floor. What was asked for then waits for the end of the roll.
fn nearest_safe_count(desired: i32, limits: Limits, seen: &Seen, target: i64) -> i32 {
    let sizes: i64 = seen.replica_sets.iter().map(|set| i64::from(set.size)).sum();
    let has_newest = seen.replica_sets.iter().any(|set| set.sequence == seen.sequence);
    let rolling = seen.is_rolling();
    if defect::is(Defect::LowersAtOnce) {
        return desired;
    }
    if sizes < i64::from(seen.total) || (rolling && !has_newest) {
        // Some of the ReplicaSets are not seen yet: wait for them.
        return seen.replicas;
    }
    // Those that are ready are healthy before long, if they are not yet; nobody waits for the others.
    let enough = limits.floor.min(seen.ready());
    let is_safe = |count: i32| {
        let (_, surge) = limits.bounds(count);
        let shares = shares(count, surge, &seen.replica_sets);
        let misleads = |(set, size): &(&ReplicaSet, i32)| {
            rolling && set.sequence == Some(target) && *size < set.available
        };
        healthy_after(&shares) >= enough && !shares.iter().any(misleads)
    };
    // A higher count under the same cap lowers the sizes as a lower one does, where a lower
    // maximumPercent came with it; what lies between would be no better.
    (desired..seen.replicas.max(desired.saturating_add(1)))
        .take(MOST_COUNTS)
        .find(|count| is_safe(*count))
        .unwrap_or(seen.replicas)
}

/// More counts than a service can have tasks: only somebody else's edit asks for more.
const MOST_COUNTS: usize = 10_000;

#[cfg(test)]
mod tests;
