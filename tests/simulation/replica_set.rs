//! What does the controller of one ReplicaSet do next? It makes what is missing or stops what is
//! surplus, then writes a status that counts the pods as they were before that.
//!
//! Of surplus pods go first: those that do not run, then those that are not ready, then those ready
//! for the shorter time on a logarithmic scale; among equals, chance decides (the UID).

use crate::cluster::{Cluster, Counts, Pod, ReplicaSet, count};
use crate::kubelet::Fate;

/// One sync of the ReplicaSet with this identity. Tells whether it changed anything.
pub(crate) fn sync(cluster: &mut Cluster, id: u32) -> bool {
    let Some(at) = cluster.sets.iter().position(|set| set.id == id) else { return false };
    let before = cluster.version;
    let set = cluster.sets[at];
    let active: Vec<Pod> = cluster.active(id).copied().collect();
    let status = Counts {
        total: count(active.iter()),
        ready: count(active.iter().filter(|pod| pod.ready_since.is_some())),
        available: count(active.iter().filter(|pod| cluster.is_healthy(pod))),
        updated: 0,
    };
    for _ in status.total..set.size {
        make(cluster, &set);
    }
    let mut surplus = active;
    surplus.sort_by_key(|pod| rank(pod, cluster.now));
    let beyond = usize::try_from(status.total - set.size).unwrap_or_default();
    let stopped: Vec<u32> = surplus.iter().take(beyond).map(|pod| pod.id).collect();
    for at in 0..cluster.pods.len() {
        if stopped.contains(&cluster.pods[at].id) {
            cluster.stop(at);
        }
    }
    let set = &mut cluster.sets[at];
    set.lost = 0;
    if set.status != status || set.observed != set.generation {
        set.status = status;
        set.observed = set.generation;
        cluster.touch_set(at);
    }
    cluster.version != before
}

fn make(cluster: &mut Cluster, set: &ReplicaSet) {
    let id = cluster.next_id();
    let fates = &cluster.fates;
    let fate = if fates.good.is_some_and(|good| good != set.template) {
        Fate::NeverReady
    } else if fates.turns.is_empty() {
        Fate::Good
    } else {
        fates.turns[id as usize % fates.turns.len()]
    };
    cluster.pods.push(Pod {
        id,
        set: set.id,
        provider: set.provider,
        sequence: set.sequence,
        unplaced: false,
        running: false,
        ready_since: None,
        terminating: false,
        fate,
        version: 0,
    });
    cluster.touch_pod(cluster.pods.len() - 1);
}

/// The order in which pods are given up.
fn rank(pod: &Pod, now: i64) -> (bool, bool, u32, u32) {
    let ready_for = pod.ready_since.map(|since| magnitude(now - since)).unwrap_or_default();
    // Stands for the UID: it has nothing to do with the age.
    let uid = pod.id.wrapping_mul(2_654_435_761);
    (pod.running, pod.ready_since.is_some(), ready_for, uid)
}

/// A time as ranks know it: the power of two of its nanoseconds. 35 seconds are as long as 68.
pub(crate) fn magnitude(seconds: i64) -> u32 {
    (seconds.unsigned_abs() * 1_000_000_000).checked_ilog2().unwrap_or_default()
}
