//! Did somebody, led by our numbers, break the floor or the cap?
//!
//! Healthy is a task that has been ready for as long as asked and does not stop; total are the tasks
//! that do not stop. ECS's floor is `ceil(desired * minimumHealthyPercent / 100)`, its cap
//! `floor(desired * maximumPercent / 100)`; both are computed here, not taken from the code on trial.
//!
//! # The rule
//! Tasks start and stop because the Deployment controller writes sizes into ReplicaSets, led by the
//! numbers that the operator wrote into the Deployment. So it is a size that is judged, when written:
//! 1. **Floor.** A sync must not lower the tasks that are sure to stay healthy to fewer than the
//!    floor. Those of a ReplicaSet are its healthy pods, less those that must go beyond its unhealthy
//!    ones; where the count was changed, only beyond those that its controller is sure to stop first.
//! 2. **Cap.** A sync must not raise the sum of the sizes above the cap. A pod that its ReplicaSet
//!    has been told to stop counts as stopping.
//! 3. **Stop.** A ReplicaSet's controller must not stop a healthy pod so that fewer than the floor
//!    are healthy (judged in `interleavings`, where no task is lost by nobody's decision).
//!
//! The floor is the lowest, the cap the highest, among the asks in force: from the one that the
//! Deployment's numbers fit, to the newest. Numbers fit an ask when `replicas - maxUnavailable` is
//! not below its floor and `replicas + maxSurge` not above its cap, or when it leaves no room and
//! they are its count with the placeholder, under the template that was there (a roll over a roll
//! goes on under the bounds that it has). A change that is held back fits nothing, so that what was
//! asked before stays in force. For rule 3 the asks count from when the size was last judged.
//!
//! **Example.** 4 tasks at 100/200 % roll: floor 4, cap 8. The user asks for 2 (floor 2, cap 4). Until
//! the operator has written numbers that fit that, floor 2 and cap 8 are in force: a ninth pod, or
//! the third-last healthy task, would be a violation. Then the cap is 4, and the four tasks that are
//! there beyond it are none: nobody started them since.
//!
//! # What Kubernetes does alone
//! Controllers go by the statuses of ReplicaSets, which are late: pods that must go still count as
//! available, and pods that became healthy do not yet. In a roll, the Deployment controller may stop
//! healthy tasks on account of either. No number in a Deployment can keep it from that. So a sync is
//! a violation only if it breaks the floor by the statuses too; in a roll, only if none of them counts
//! pods that must go. What else breaks it is counted, and shown.
//!
//! # Several capacity providers
//! All of it is asked of the sum over all Deployments. The numbers of several fit an ask when the sum of
//! the counts, less the `maxUnavailable` of those that replace tasks, is not below its floor, nor with
//! their `maxSurge` above its cap, and when they keep the tasks that are healthy: the count that one is
//! to grow to keeps no task of another. What a controller does is judged by the asks from the one by
//! which its own Deployment's numbers were written, or one that all were seen to keep since, with the
//! sizes that they had: numbers that others have, and have not come to, are not of its making. Tasks
//! that a roll has started beyond its Deployment's count make up for none of another, since its
//! controller stops as many at any time. A task for which there is no node is in neither: it is not healthy,
//! does not count for the cap, and the floor does not ask for it.
//!
//! A task that dies by itself, or is deleted by a person, is nobody's violation; neither is what
//! happens under numbers that a person wrote into the Deployment.

use std::sync::Arc;

use crate::cluster::{Cluster, Deployment, Pod, ReplicaSet, count};
use crate::deployment::Sync;
use crate::replica_set::magnitude;

/// The lowest floor and the highest cap in force.
pub(crate) fn in_force(cluster: &Cluster) -> (i32, i32) {
    since(cluster, cluster.acted)
}

fn since(cluster: &Cluster, from: usize) -> (i32, i32) {
    let asks = &cluster.asks[from.min(cluster.asks.len() - 1)..];
    // A task for which there is no node cannot be asked for.
    let of_one = |deployment: &Arc<Deployment>| {
        let healthy: i32 =
            cluster.sets_of(deployment.id).map(|set| cluster.healthy_of(set.id)).sum();
        let unplaced = |pod: &&Pod| pod.provider == deployment.provider && pod.unplaced;
        let unplaced = count(cluster.pods.iter().filter(unplaced));
        unplaced.min((deployment.replicas - healthy).max(0))
    };
    let lacking: i32 = cluster.deployments.iter().map(of_one).sum();
    let floors = asks.iter().map(|ask| ask.floor().min(ask.desired - lacking));
    let floor = floors.min().unwrap_or_default();
    let cap = asks.iter().map(|ask| ask.cap()).max().unwrap_or_default();
    (floor, cap)
}

/// How far from its bounds a service ever was: healthy over the floor, and cap over total.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Margins {
    pub(crate) healthy: i32,
    pub(crate) total: i32,
    /// How far the tasks that do not stop were ever above the cap, because ReplicaSets lag.
    pub(crate) lag: i32,
    /// How often the Deployment controller, misled by a late status, went below the floor.
    pub(crate) misled: u32,
}

impl Default for Margins {
    fn default() -> Self {
        Self { healthy: i32::MAX, total: i32::MAX, lag: 0, misled: 0 }
    }
}

impl Margins {
    /// The worse of both.
    pub(crate) fn with(self, other: &Self) -> Self {
        Self {
            healthy: self.healthy.min(other.healthy),
            total: self.total.min(other.total),
            lag: self.lag.max(other.lag),
            misled: self.misled + other.misled,
        }
    }
}

/// Judges a sync of the Deployment controller.
pub(crate) fn judge_sync(
    before: &Cluster,
    after: &mut Cluster,
    (id, sync): (u32, Sync),
    losses: bool,
    margins: &mut Margins,
) -> Result<(), String> {
    let (floor, cap) = since(before, before.led_by(id));
    let (size_before, size_after) = (sizes(before), sizes(after));
    let several = before.deployments.len() > 1;
    // Sizes that a person led to stay until the controller of their Deployment has acted.
    let led_astray = several && before.sets.iter().any(|set| set.misled && set.size > 0);
    if led_astray || before.deployments.iter().any(|deployment| deployment.meddled) {
        return Ok(());
    }
    if size_after > size_before {
        margins.total = margins.total.min(cap - size_after);
        if size_after > cap {
            return Err(format!("sizes raised from {size_before} to {size_after}, cap {cap}"));
        }
    }
    // What was lost since the operator looked may have led it astray.
    if sync == Sync::Scaled && losses {
        return Ok(());
    }
    let counts: Vec<(u32, i32)> =
        before.deployments.iter().map(|found| (found.id, led_to(before, found))).collect();
    let (sure_before, sure_after) =
        (sure(before, before, &counts, sync), sure(before, after, &counts, sync));
    if sure_after >= sure_before {
        return Ok(());
    }
    if sure_after < floor {
        let (told_before, told_after) = (told(before, before), told(before, after));
        let early = before.sets.iter().any(|set| set.status.available > set.size);
        let by_status = told_after < told_before && told_after < floor;
        if !by_status || (sync == Sync::Rolled && early) {
            margins.misled += 1;
            for at in 0..after.sets.len() {
                let set = &mut after.sets[at];
                set.misled |= before.set(set.id).is_some_and(|before| set.size < before.size);
            }
            return Ok(());
        }
        return Err(format!(
            "healthy tasks lowered from {sure_before} to {sure_after}, floor {floor}"
        ));
    }
    margins.healthy = margins.healthy.min(sure_after - floor);
    Ok(())
}

/// The tasks that stay healthy by the statuses of the ReplicaSets in `by` under the sizes in `sized`.
fn told(by: &Cluster, sized: &Cluster) -> i32 {
    let of_set = |set: &ReplicaSet| {
        let size = sized.set(set.id).map_or(0, |set| set.size);
        let unavailable = set.status.total - set.status.available;
        set.status.available - (set.status.total - size - unavailable).max(0)
    };
    by.sets.iter().map(|set| of_set(set).max(0)).sum()
}

/// Judges a sync of a ReplicaSet's controller; `from` is the oldest ask in force when its sizes
/// were written.
pub(crate) fn judge_stop(before: &Cluster, after: &Cluster, from: usize) -> Result<(), String> {
    let misled = before.sets.iter().any(|set| set.misled);
    if misled || before.deployments.iter().all(|deployment| deployment.meddled) {
        return Ok(());
    }
    let (floor, _) = since(before, from);
    let (healthy_before, healthy_after) = (before.healthy(), after.healthy());
    if healthy_after < healthy_before && healthy_after < floor {
        return Err(format!(
            "healthy tasks stopped from {healthy_before} to {healthy_after}, floor {floor}"
        ));
    }
    Ok(())
}

/// The sum of the sizes, without the tasks for which there is no node.
fn sizes(cluster: &Cluster) -> i32 {
    cluster.sets.iter().map(|set| set.size).sum::<i32>() - cluster.unplaced()
}

/// The count that a Deployment's sizes were led by, or the one that is written, if that is higher.
fn led_to(cluster: &Cluster, deployment: &Deployment) -> i32 {
    let scaled = cluster.sets_of(deployment.id).filter(|set| set.size > 0);
    scaled.map(|set| set.desired_replicas).fold(deployment.replicas, i32::max)
}

/// The tasks that are sure to stay healthy, of the pods in `pods` under the sizes in `sized`; of
/// several Deployments, of each no more than its count.
fn sure(pods: &Cluster, sized: &Cluster, counts: &[(u32, i32)], sync: Sync) -> i32 {
    let of_set = |id: u32| {
        let active = count(pods.active(id));
        let set = pods.set(id);
        let healthy = count(pods.active(id).filter(|pod| pods.is_healthy(pod)))
            + set.map_or(0, |set| set.lost);
        let unready = count(pods.active(id).filter(|pod| match sync {
            Sync::Rolled => !pods.is_healthy(pod),
            Sync::Scaled => pod.ready_since.is_none_or(|since| {
                let enough = set.map_or(0, |set| set.min_ready);
                magnitude(pods.now - since) < magnitude(enough)
            }),
        }));
        let size = sized.set(id).map_or(0, |set| set.size);
        (healthy - (active - size - unready).max(0)).max(0)
    };
    if counts.len() < 2 {
        return pods.sets.iter().map(|set| of_set(set.id)).sum();
    }
    let of_one = |(id, most): &(u32, i32)| {
        let sure: i32 = pods.sets_of(*id).map(|set| of_set(set.id)).sum();
        sure.min(*most)
    };
    counts.iter().map(of_one).sum()
}
