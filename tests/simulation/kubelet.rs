//! What becomes of a pod? Without a node nothing; else running, then ready; some take longer, some never are, some lose it again.

use crate::cluster::{Cluster, Seen};

/// How a pod fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// Ready at the second step.
    #[default]
    Good,
    /// So many steps more.
    Slow(u8),
    /// Runs, and is never ready.
    NeverReady,
    /// Loses its readiness so many times.
    Flaps(u8),
}

/// The next step of the pod with this identity. Tells whether anything changed.
pub(crate) fn step(cluster: &mut Cluster, id: u32) -> bool {
    let Some(at) = cluster.pods.iter().position(|pod| pod.id == id) else { return false };
    let now = cluster.now;
    let pod = &mut cluster.pods[at];
    if pod.terminating {
        let pod = cluster.pods.remove(at);
        cluster.next_version();
        cluster.tell(pod.key(), Seen::Gone);
        return true;
    }
    let no_node = cluster.fates.no_nodes.contains(&pod.provider);
    match (pod.running, pod.ready_since, pod.fate) {
        (false, _, _) if no_node && pod.unplaced => return false,
        (false, _, _) => (pod.unplaced, pod.running) = (no_node, !no_node),
        (true, None, Fate::Slow(left)) if left > 0 => {
            pod.fate = Fate::Slow(left - 1);
            return true;
        }
        (true, None, Fate::NeverReady) => return false,
        (true, None, _) => pod.ready_since = Some(now),
        (true, Some(_), Fate::Flaps(left)) if left > 0 => {
            pod.fate = Fate::Flaps(left - 1);
            lose(cluster, at);
            cluster.pods[at].ready_since = None;
        }
        (true, Some(_), _) => return false,
    }
    cluster.touch_pod(at);
    true
}

/// Notes that a task goes by nobody's decision.
pub(crate) fn lose(cluster: &mut Cluster, at: usize) {
    let pod = cluster.pods[at];
    if cluster.is_healthy(&pod)
        && let Some(set) = cluster.sets.iter_mut().find(|set| set.id == pod.set)
    {
        set.lost += 1;
    }
}
