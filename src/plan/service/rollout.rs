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

use jiff::Timestamp;

use crate::ecs::percent::Percents;

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
}

/// One of a Deployment's ReplicaSets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaSet {
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Its name.
    pub name: String,
    /// The record from which its template came.
    pub sequence: Option<i64>,
    /// `spec.replicas`
    pub size: i32,
    /// Its ready pods.
    pub ready: i32,
    /// Its pods that have been ready for long enough.
    pub available: i32,
    /// The Deployment's count and surge when it was last scaled.
    pub max_replicas: Option<i32>,
}

impl ReplicaSet {
    /// Its healthy pods, without those that it has been told to stop and still counts.
    fn healthy(&self) -> i32 {
        self.available.min(self.size)
    }
}

/// What to tell the Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The next step towards `desired` tasks of the record `target`.
pub fn step(desired: i32, percents: Percents, seen: &Seen, target: i64) -> Step {
    let to = |replicas, sequence, (max_unavailable, max_surge), held| Step {
        replicas,
        sequence,
        max_unavailable,
        max_surge,
        held,
    };
    let closed = percents.are_closed(desired);
    let open_bounds = if closed { PLACEHOLDER } else { bounds(desired, desired, percents) };
    // Nothing of the past to protect, or nothing wanted.
    let idle = seen.settled && seen.total == 0 && seen.replicas == 0;
    if !seen.exists || idle || desired == 0 {
        let bounds = if desired == 0 { PLACEHOLDER } else { open_bounds };
        return to(desired, target, bounds, None);
    }
    let written = seen.sequence.unwrap_or(target);
    // A lower cap leaves less to share among the ReplicaSets, too.
    let less = percents.cap(desired) < seen.most_before();
    if !seen.settled {
        // What was written last is not under way yet. Its numbers stay, unless they may grow.
        let grows = !closed && desired >= seen.replicas && !(less && desired > seen.replicas);
        return if grows {
            to(desired, target, open_bounds, None)
        } else {
            keep(seen, written, target)
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
            return to(seen.replicas, target, seen.bounds(), held);
        }
    }
    let sequence = if closed { written } else { target };
    if desired < seen.replicas || (rolling && less && desired > seen.replicas) {
        let replicas = nearest_safe_count(desired, percents, seen, target);
        if replicas != desired {
            let bounds = if closed { PLACEHOLDER } else { bounds(replicas, desired, percents) };
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
    let (max_unavailable, max_surge) = seen.bounds();
    let held = Some(Held::ForHealthyTasks);
    Step { replicas: seen.replicas, sequence: step.sequence, max_unavailable, max_surge, held }
}

/// Everything as it was written last.
fn keep(seen: &Seen, written: i64, target: i64) -> Step {
    let (max_unavailable, max_surge) = seen.bounds();
    Step {
        replicas: seen.replicas,
        sequence: written,
        max_unavailable,
        max_surge,
        held: (written != target).then_some(Held::UntilRolled),
    }
}

impl Seen {
    /// Whether its controller replaces tasks, or is about to.
    fn is_rolling(&self) -> bool {
        // The status counts pods, which come and go after the sizes; the sizes are the intent.
        let earlier = |set: &ReplicaSet| {
            set.size > 0 && set.sequence.is_some() && set.sequence != self.sequence
        };
        self.total > self.updated || self.replica_sets.iter().any(earlier)
    }

    /// The count and surge that its ReplicaSets share now.
    fn most_before(&self) -> i32 {
        let written = self.replicas.saturating_add(self.bounds().1);
        let scaled = self.replica_sets.iter().filter(|set| set.size > 0);
        scaled.filter_map(|set| set.max_replicas).fold(written, i32::max)
    }

    fn bounds(&self) -> (i32, i32) {
        (self.max_unavailable.unwrap_or(PLACEHOLDER.0), self.max_surge.unwrap_or(PLACEHOLDER.1))
    }
}

/// `maxUnavailable` and `maxSurge` of a Deployment with `replicas`, under the bounds of `desired`.
///
/// At 50 % and 150 % of 3: `(1, 1)`, since the floor is 2 and the cap 4.
fn bounds(replicas: i32, desired: i32, percents: Percents) -> (i32, i32) {
    ((replicas - percents.floor(desired)).max(0), (percents.cap(desired) - replicas).max(0))
}

/// The count nearest to `desired`, from the present one, at which enough tasks stay healthy when the
/// Deployment's controller changes its ReplicaSets to it in proportion: the floor, or as many as are
/// ready now, where that is fewer.
///
/// In a roll to `target`, none of its available tasks may go: until their ReplicaSet's status says
/// that they have gone, the controller takes them for available, and stops earlier ones on their
/// account, below the floor. What was asked for then waits for the end of the roll.
fn nearest_safe_count(desired: i32, percents: Percents, seen: &Seen, target: i64) -> i32 {
    let sizes: i64 = seen.replica_sets.iter().map(|set| i64::from(set.size)).sum();
    let has_newest = seen.replica_sets.iter().any(|set| set.sequence == seen.sequence);
    let rolling = seen.is_rolling();
    if sizes < i64::from(seen.total) || (rolling && !has_newest) {
        // Some of the ReplicaSets are not seen yet: wait for them.
        return seen.replicas;
    }
    // Those that are ready are healthy before long, if they are not yet; nobody waits for the others.
    let ready = seen.replica_sets.iter().map(|set| set.ready.min(set.size)).sum();
    let enough = percents.floor(desired).min(ready);
    let is_safe = |count: i32| {
        let (_, surge) = bounds(count, desired, percents);
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

/// The tasks that are sure to stay healthy when ReplicaSets take these sizes.
///
/// A ReplicaSet stops pods that are not ready before ready ones; of the ready ones, those that are
/// not yet healthy are taken to be the last, which is the worst case.
fn healthy_after(shares: &[(&ReplicaSet, i32)]) -> i32 {
    let of = |(set, size): &(&ReplicaSet, i32)| {
        let stopped = (set.size - size).max(0);
        let unready = (set.size - set.ready).max(0);
        (set.healthy() - (stopped - unready).max(0)).max(0)
    };
    shares.iter().map(of).sum()
}

/// The sizes that ReplicaSets take when the Deployment's count becomes `count`.
///
/// The rule is that of the Deployment controller (`scale` in its sync.go): a single ReplicaSet takes
/// the count; several share count + surge in proportion to their sizes, largest first and of equal
/// ones the older first (the newer, where there are more to share), and the largest takes what
/// rounding leaves.
fn shares(count: i32, surge: i32, sets: &[ReplicaSet]) -> Vec<(&ReplicaSet, i32)> {
    let mut sets: Vec<&ReplicaSet> = sets.iter().filter(|set| set.size > 0).collect();
    let allowed = if count > 0 { count.saturating_add(surge) } else { 0 };
    let to_add = allowed - sets.iter().map(|set| set.size).fold(0, i32::saturating_add);
    sets.sort_by(|a, b| {
        let older = a.created.cmp(&b.created).then_with(|| a.name.cmp(&b.name));
        b.size.cmp(&a.size).then(if to_add > 0 { older.reverse() } else { older })
    });
    let mut sizes: Vec<i32> = Vec::new();
    if let [_] = sets.as_slice() {
        sizes.push(count);
    } else {
        let mut added = 0;
        for set in &sets {
            let share = proportion(set, count, surge, to_add, added);
            added += share;
            sizes.push(set.size.saturating_add(share));
        }
        if let Some(largest) = sizes.first_mut() {
            *largest = (*largest + to_add - added).max(0);
        }
    }
    sets.into_iter().zip(sizes).collect()
}

fn proportion(set: &ReplicaSet, count: i32, surge: i32, to_add: i32, added: i32) -> i32 {
    if set.size == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let before = set.max_replicas.filter(|max| *max > 0).unwrap_or(set.size);
    let fraction = if count == 0 {
        -set.size
    } else {
        rounded(i64::from(set.size) * i64::from(count.saturating_add(surge)), i64::from(before))
            - set.size
    };
    let left = to_add - added;
    if to_add > 0 { fraction.min(left) } else { fraction.max(left) }
}

/// A quotient rounded half up, as the controller rounds its sizes.
fn rounded(dividend: i64, divisor: i64) -> i32 {
    i32::try_from((2 * dividend + divisor).div_euclid(2 * divisor.max(1))).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percents(minimum_healthy: i64, maximum: i64) -> Percents {
        Percents { minimum_healthy, maximum }
    }

    /// `count` tasks of record 1, all healthy.
    fn steady(count: i32) -> Seen {
        Seen {
            exists: true,
            replicas: count,
            sequence: Some(1),
            settled: true,
            total: count,
            updated: count,
            available: count,
            max_unavailable: Some(0),
            max_surge: Some(1),
            replica_sets: vec![set("a", 1, count, count, count)],
            stuck: false,
        }
    }

    fn set(name: &str, sequence: i64, size: i32, available: i32, max: i32) -> ReplicaSet {
        ReplicaSet {
            name: name.to_owned(),
            sequence: Some(sequence),
            size,
            ready: available,
            available,
            max_replicas: Some(max),
            ..ReplicaSet::default()
        }
    }

    /// Record 2 rolls over record 1.
    fn rolling(replicas: i32, old: ReplicaSet, new: ReplicaSet) -> Seen {
        Seen {
            sequence: Some(2),
            total: old.size + new.size,
            updated: new.size,
            available: old.available + new.available,
            replicas,
            replica_sets: vec![old, new],
            ..steady(replicas)
        }
    }

    #[test]
    fn bounds_are_integers_of_the_desired_count() {
        for (desired, minimum, maximum, unavailable, surge) in [
            (3, 50, 150, 1, 1),
            (2, 75, 200, 0, 2),
            (3, 50, 125, 1, 0),
            (4, 100, 125, 0, 1),
            (10, 50, 150, 5, 5),
            (1, 0, 100, 1, 0),
        ] {
            let step = step(desired, percents(minimum, maximum), &steady(desired), 2);
            assert_eq!(
                (step.max_unavailable, step.max_surge, step.sequence, step.held),
                (unavailable, surge, 2, None),
                "{minimum}/{maximum} % of {desired}"
            );
        }
    }

    #[test]
    fn without_room_the_template_is_held_but_the_count_is_not() {
        let held = step(1, percents(100, 100), &steady(1), 2);
        assert_eq!((held.sequence, held.held), (1, Some(Held::NoRoom)));
        assert_eq!((held.max_unavailable, held.max_surge), PLACEHOLDER);
        let scaled = step(4, percents(100, 100), &steady(1), 1);
        assert_eq!((scaled.replicas, scaled.held), (4, None));
        // 125 % of 4 is 5: room for one.
        let roomy = step(4, percents(100, 125), &steady(1), 2);
        assert_eq!((roomy.sequence, roomy.max_surge, roomy.held), (2, 1, None));
    }

    #[test]
    fn from_nothing_the_new_template_goes_in_with_the_count() {
        for seen in [Seen::default(), steady(0)] {
            let step = step(3, percents(100, 100), &seen, 2);
            assert_eq!((step.replicas, step.sequence, step.held), (3, 2, None));
            assert_eq!((step.max_unavailable, step.max_surge), PLACEHOLDER);
        }
    }

    #[test]
    fn to_nothing_both_go_in_at_once() {
        let step = step(0, percents(100, 200), &steady(3), 2);
        assert_eq!((step.replicas, step.sequence, step.max_surge), (0, 2, 1));
    }

    #[test]
    fn a_count_that_leaves_no_room_waits_for_the_end_of_the_roll() {
        // 100/125 % of 4 leaves room for one; of 3, for none.
        let seen = rolling(4, set("a", 1, 4, 4, 5), set("b", 2, 1, 0, 5));
        let step = step(3, percents(100, 125), &seen, 2);
        assert_eq!((step.replicas, step.held), (4, Some(Held::UntilRolled)));
    }

    #[test]
    fn a_lower_count_in_a_roll_goes_only_as_low_as_the_floor_allows() {
        // 10 tasks at 100/200 %: 10 old and healthy, 10 new of which none is healthy. To 4 at once,
        // 8 are shared in proportion, 4 old stay: the floor of 4 holds.
        let even = rolling(10, set("a", 1, 10, 10, 20), set("b", 2, 10, 0, 20));
        assert_eq!(step(4, percents(100, 200), &even, 2).replicas, 4);
        // At 100/150 % with 10 old and 5 new of which none is healthy, 6 are shared: 4 old and 2 new.
        let thirds = rolling(10, set("a", 1, 10, 10, 15), set("b", 2, 5, 0, 15));
        assert_eq!(step(4, percents(100, 150), &thirds, 2).replicas, 4);
        // Half of the old are gone, the new are not healthy yet: 5 healthy, and a floor of 4. In
        // proportion, 4 would leave 2 healthy. The count stays higher.
        let halfway = rolling(10, set("a", 1, 5, 5, 10), set("b", 2, 5, 0, 10));
        let held = step(4, percents(100, 125), &halfway, 2);
        assert!(held.replicas > 4, "{held:?}");
        assert_eq!(held.held, Some(Held::ForHealthyTasks));
    }

    #[test]
    fn more_tasks_under_a_lower_cap_wait_while_healthy_ones_would_stop() {
        // 4 tasks at 100/200 %: 4 old, 4 new that are not healthy. 5 at 125 % share 6: only 3 old
        // would stay.
        let of = |new| Seen { max_surge: Some(4), ..rolling(4, set("a", 1, 4, 4, 8), new) };
        let seen = of(set("b", 2, 4, 0, 8));
        let held = step(5, percents(100, 125), &seen, 2);
        assert_eq!((held.replicas, held.held), (4, Some(Held::ForHealthyTasks)));
        let healthy = of(set("b", 2, 4, 3, 8));
        assert_eq!(step(5, percents(100, 125), &healthy, 2).replicas, 5);
    }

    #[test]
    fn sizes_tell_of_a_roll_before_pods_do() {
        // No pod is counted yet; closing the bounds now would leave the surge of a placeholder.
        let mut seen = rolling(4, set("a", 1, 3, 0, 4), set("b", 2, 1, 0, 4));
        (seen.total, seen.updated) = (0, 0);
        (seen.max_unavailable, seen.max_surge) = (Some(1), Some(0));
        let held = step(4, percents(100, 100), &seen, 2);
        assert_eq!((held.max_unavailable, held.max_surge), (1, 0));
        // A roll over it keeps within the same.
        let over = step(4, percents(100, 100), &seen, 3);
        assert_eq!((over.sequence, over.max_unavailable, over.max_surge), (3, 1, 0));
    }

    #[test]
    fn a_lower_count_waits_for_a_replica_set_that_is_not_seen_yet() {
        let mut seen = rolling(4, set("a", 1, 4, 4, 6), set("b", 2, 2, 0, 6));
        seen.replica_sets.pop();
        (seen.total, seen.updated) = (4, 0);
        assert_eq!(step(3, percents(75, 150), &seen, 2).replicas, 4);
    }

    #[test]
    fn tasks_that_must_go_already_are_not_counted_on() {
        // 3 of the 5 that are available have been told to stop.
        let seen = rolling(6, set("a", 1, 2, 5, 9), set("b", 2, 6, 1, 9));
        assert_eq!(healthy_after(&shares(6, 2, &seen.replica_sets)), 3);
    }

    #[test]
    fn no_available_task_of_the_new_record_goes_in_mid_roll() {
        // 6 at 100/150 % to 3, with 6 old and 3 new that are all healthy. In proportion, 3 old and 1
        // new would stay, and while the others still count, the controller would stop the old ones.
        let seen = rolling(6, set("a", 1, 6, 6, 9), set("b", 2, 3, 3, 9));
        let held = step(3, percents(100, 150), &seen, 2);
        assert_eq!((held.replicas, held.held), (6, Some(Held::ForHealthyTasks)));
        // Those that are not available may.
        let seen = rolling(6, set("a", 1, 6, 6, 9), set("b", 2, 3, 0, 9));
        assert_eq!(step(3, percents(100, 150), &seen, 2).replicas, 3);
    }

    #[test]
    fn outside_of_a_roll_too_healthy_tasks_stay_where_ready_ones_could_go_instead() {
        // 9 ready, 3 of them for long enough: which 3 of them would stay is not known.
        for (minimum, maximum) in [(50, 200), (100, 100)] {
            let mut seen = steady(9);
            (seen.available, seen.replica_sets[0].available) = (3, 3);
            let held = step(3, percents(minimum, maximum), &seen, 1);
            assert_eq!(held.held, Some(Held::ForHealthyTasks), "{held:?}");
            // Those that are not even ready go first.
            seen.replica_sets[0].ready = 3;
            assert_eq!(step(3, percents(minimum, maximum), &seen, 1).replicas, 3);
        }
    }

    #[test]
    fn no_scale_in_of_any_roll_breaks_the_floor_by_the_controllers_rule() {
        for old in 0..6 {
            for new in 0..6 {
                for healthy in 0..=new {
                    for desired in 1..6 {
                        for (minimum, maximum) in [(100, 200), (50, 100), (100, 150), (0, 200)] {
                            let replicas = 6;
                            let seen = rolling(
                                replicas,
                                set("a", 1, old, old, 9),
                                set("b", 2, new, healthy, 9),
                            );
                            let percents = percents(minimum, maximum);
                            let step = step(desired, percents, &seen, 2);
                            if step.replicas == replicas || !seen.is_rolling() {
                                continue;
                            }
                            let left = healthy_after(&shares(
                                step.replicas,
                                step.max_surge,
                                &seen.replica_sets,
                            ));
                            let floor = percents.floor(desired).min(old + healthy);
                            assert!(left >= floor, "{seen:?} {step:?} {left}");
                        }
                    }
                }
            }
        }
    }
}
