//! How does the Deployment controller share a count among ReplicaSets, and which tasks survive it?
//!
//! It is Kubernetes' rule, written down so that what a count does is known before it is written.
//! Nothing here decides which count that is.

use jiff::Timestamp;

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
    pub(super) fn healthy(&self) -> i32 {
        self.available.min(self.size)
    }
}

/// The tasks that are sure to stay healthy when ReplicaSets take these sizes.
///
/// A ReplicaSet stops pods that are not ready before ready ones; of the ready ones, those that are
/// not yet healthy are taken to be the last, which is the worst case.
pub(super) fn healthy_after(shares: &[(&ReplicaSet, i32)]) -> i32 {
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
pub(super) fn shares(count: i32, surge: i32, sets: &[ReplicaSet]) -> Vec<(&ReplicaSet, i32)> {
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
