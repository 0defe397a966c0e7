//! What does the Deployment controller do next? One sync of it, as one action.
//!
//! The rules are those of Kubernetes 1.36 (`pkg/controller/deployment`: `sync.go`, `rolling.go`,
//! `util/deployment_util.go`):
//! * An active ReplicaSet whose `desired-replicas` annotation differs from the Deployment's count
//!   makes this a scaling event. A scaling event makes no ReplicaSet, and does not roll: one active
//!   ReplicaSet takes the count; several share count + surge in proportion to their sizes.
//! * Else the new ReplicaSet is made or grows, to count + surge of the *sizes* of all; if it did not,
//!   the old ones shrink: first by their unhealthy pods, then by what is available beyond the
//!   minimum.
//! * What shrinks and what grows is the size. Pods follow when their ReplicaSet's controller comes.
//!
//! The API calls of one sync are one action here.

use std::sync::Arc;

use linkspan::world::{Kind, ObjectKey};

use crate::cluster::{Cluster, Counts, Deployment, ReplicaSet, SHOP, Seen};

/// What a sync was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// The count had changed.
    Scaled,
    /// One step of a roll.
    Rolled,
}

/// One sync of the Deployment with this identity. Tells what it was about, if it changed anything.
pub(crate) fn sync(cluster: &mut Cluster, id: u32) -> Option<Sync> {
    let deployment = cluster.deployments.iter().find(|found| found.id == id)?.clone();
    let before = cluster.version;
    cluster.sets.sort_by_key(age);
    let is_new = |set: &ReplicaSet| set.owner == id && set.template == deployment.template;
    let mut new = cluster.sets.iter().position(is_new);
    if let Some(at) = new
        && cluster.sets[at].min_ready != deployment.min_ready
    {
        cluster.sets[at].min_ready = deployment.min_ready;
        cluster.sets[at].generation += 1;
        cluster.touch_set(at);
    }
    let scaling =
        cluster.sets_of(id).any(|s| s.size > 0 && s.desired_replicas != deployment.replicas);
    if scaling {
        scale(cluster, &deployment, new);
    } else {
        let at = *new.get_or_insert_with(|| make_new(cluster, &deployment));
        if !grow_new(cluster, &deployment, at)
            && !shrink_old(cluster, &deployment, at)
            && is_complete(&deployment)
        {
            clean_up(cluster, &deployment);
        }
    }
    report(cluster, &deployment);
    cluster.note_kept();
    let sync = if scaling { Sync::Scaled } else { Sync::Rolled };
    (cluster.version != before).then_some(sync)
}

fn age(set: &ReplicaSet) -> (i64, u64) {
    (set.created, set.template)
}

fn max_unavailable(deployment: &Deployment) -> i32 {
    // Both 0 is read as 1 and 0; the API takes it from nobody.
    let both_none = deployment.max_surge == 0 && deployment.max_unavailable == 0;
    let written = if both_none { 1 } else { deployment.max_unavailable };
    written.min(deployment.replicas)
}

fn sizes(cluster: &Cluster, deployment: &Deployment) -> i32 {
    cluster.sets_of(deployment.id).map(|set| set.size).sum()
}

/// The places of its ReplicaSets that are not empty.
fn active(cluster: &Cluster, deployment: &Deployment) -> Vec<usize> {
    let is_active = |set: &ReplicaSet| set.owner == deployment.id && set.size > 0;
    (0..cluster.sets.len()).filter(|at| is_active(&cluster.sets[*at])).collect()
}

/// Writes a size with the annotations that go with it. Without force, only another size.
fn resize(
    cluster: &mut Cluster,
    deployment: &Deployment,
    at: usize,
    size: i32,
    force: bool,
) -> bool {
    let led_by = cluster.led_by(deployment.id);
    let set = &mut cluster.sets[at];
    let max = deployment.replicas + deployment.max_surge;
    let another = set.size != size;
    let outdated = set.desired_replicas != deployment.replicas || set.max_replicas != max;
    if !(another || force && outdated) {
        return false;
    }
    set.generation += i64::from(another);
    if another {
        set.misled = deployment.meddled;
        set.judged = led_by;
    }
    set.size = size;
    set.desired_replicas = deployment.replicas;
    set.max_replicas = max;
    cluster.touch_set(at);
    another
}

fn make_new(cluster: &mut Cluster, deployment: &Deployment) -> usize {
    let room = deployment.replicas + deployment.max_surge - sizes(cluster, deployment);
    let set = ReplicaSet {
        id: cluster.next_id(),
        owner: deployment.id,
        provider: deployment.provider,
        template: deployment.template,
        sequence: deployment.sequence,
        size: room.min(deployment.replicas).max(0),
        desired_replicas: deployment.replicas,
        max_replicas: deployment.replicas + deployment.max_surge,
        min_ready: deployment.min_ready,
        generation: 1,
        observed: 0,
        created: cluster.now,
        status: Counts::default(),
        version: 0,
        lost: 0,
        judged: cluster.led_by(deployment.id),
        misled: false,
    };
    cluster.sets.push(set);
    let at = cluster.sets.len() - 1;
    cluster.touch_set(at);
    at
}

fn scale(cluster: &mut Cluster, deployment: &Deployment, new: Option<usize>) {
    let active = active(cluster, deployment);
    if let [only] = active.as_slice() {
        resize(cluster, deployment, *only, deployment.replicas, false);
        return;
    }
    let saturated = new.is_some_and(|at| {
        let set = &cluster.sets[at];
        [set.size, set.desired_replicas, set.status.available]
            .iter()
            .all(|n| *n == deployment.replicas)
    });
    if saturated {
        for at in active.into_iter().filter(|at| Some(*at) != new) {
            resize(cluster, deployment, at, 0, false);
        }
        return;
    }
    share(cluster, deployment, active);
}

/// Shares count + surge among several ReplicaSets, in proportion to their sizes.
fn share(cluster: &mut Cluster, deployment: &Deployment, mut active: Vec<usize>) {
    let max = deployment.replicas + deployment.max_surge;
    let allowed = if deployment.replicas > 0 { max } else { 0 };
    let to_add = allowed - sizes(cluster, deployment);
    let sets = &cluster.sets;
    active.sort_by(|a, b| {
        let (a, b) = (&sets[*a], &sets[*b]);
        let older = age(a).cmp(&age(b));
        b.size.cmp(&a.size).then(if to_add > 0 { older.reverse() } else { older })
    });
    let mut added = 0;
    let mut wanted = Vec::new();
    for at in &active {
        let set = &sets[*at];
        let fraction = || {
            if deployment.replicas == 0 {
                return -set.size;
            }
            let before = Some(set.max_replicas).filter(|max| *max > 0);
            let before = before.unwrap_or(deployment.status.total);
            if before == 0 { 0 } else { rounded(set.size * max, before) - set.size }
        };
        let left = to_add - added;
        let part = match to_add.signum() {
            _ if left == 0 => 0,
            1 => fraction().min(left),
            -1 => fraction().max(left),
            _ => 0,
        };
        added += part;
        wanted.push(set.size + part);
    }
    if let Some(largest) = wanted.first_mut() {
        *largest = (*largest + to_add - added).max(0);
    }
    for (at, size) in active.into_iter().zip(wanted) {
        resize(cluster, deployment, at, size, true);
    }
}

/// Half away from zero; neither number is negative.
fn rounded(dividend: i32, divisor: i32) -> i32 {
    (2 * dividend + divisor) / (2 * divisor)
}

fn grow_new(cluster: &mut Cluster, deployment: &Deployment, new: usize) -> bool {
    let size = cluster.sets[new].size;
    if size >= deployment.replicas {
        return resize(cluster, deployment, new, deployment.replicas, false);
    }
    let room = (deployment.replicas + deployment.max_surge - sizes(cluster, deployment)).max(0);
    let grown = size + room.min(deployment.replicas - size);
    resize(cluster, deployment, new, grown, false)
}

fn shrink_old(cluster: &mut Cluster, deployment: &Deployment, new: usize) -> bool {
    let mut old = active(cluster, deployment);
    old.retain(|at| *at != new);
    let least = deployment.replicas - max_unavailable(deployment);
    let unavailable_new = cluster.sets[new].size - cluster.sets[new].status.available;
    let most = sizes(cluster, deployment) - least - unavailable_new;
    if old.is_empty() || most <= 0 {
        return false;
    }
    // Unhealthy pods first.
    let mut stopped = 0;
    for at in &old {
        let set = cluster.sets[*at];
        if stopped >= most {
            break;
        }
        if set.size == set.status.available {
            continue;
        }
        let part = (most - stopped).min(set.size - set.status.available);
        if part < 0 {
            // More available than its size: its controller has not come yet. The sync ends here.
            return false;
        }
        resize(cluster, deployment, *at, set.size - part, false);
        stopped += part;
    }
    // Then healthy ones, as far as others are available.
    let available: i32 = cluster.sets_of(deployment.id).map(|set| set.status.available).sum();
    let spare = available - least;
    let mut healthy_stopped = 0;
    for at in &old {
        let size = cluster.sets[*at].size;
        if healthy_stopped >= spare {
            break;
        }
        let part = size.min(spare - healthy_stopped);
        resize(cluster, deployment, *at, size - part, false);
        healthy_stopped += part;
    }
    stopped + healthy_stopped > 0
}

fn is_complete(deployment: &Deployment) -> bool {
    let status = deployment.status;
    [status.total, status.updated, status.available].iter().all(|n| *n == deployment.replicas)
        && deployment.observed >= deployment.generation
}

/// `revisionHistoryLimit` 0: old ReplicaSets go once they are empty.
fn clean_up(cluster: &mut Cluster, deployment: &Deployment) {
    let (gone, kept): (Vec<ReplicaSet>, Vec<ReplicaSet>) = cluster.sets.iter().partition(|set| {
        set.owner == deployment.id
            && set.template != deployment.template
            && set.size == 0
            && set.status.total == 0
            && set.generation <= set.observed
    });
    cluster.sets = kept;
    for set in gone {
        cluster.next_version();
        cluster.tell(set.key(), Seen::Gone);
    }
}

fn report(cluster: &mut Cluster, deployment: &Deployment) {
    let mut status = Counts::default();
    for set in cluster.sets_of(deployment.id) {
        status.total += set.status.total;
        status.ready += set.status.ready;
        status.available += set.status.available;
        if set.template == deployment.template {
            status.updated += set.status.total;
        }
    }
    if status == deployment.status && deployment.observed == deployment.generation {
        return;
    }
    let mut reported = deployment.clone();
    reported.status = status;
    reported.observed = reported.generation;
    reported.version = cluster.next_version();
    let reported = Arc::new(reported);
    cluster.place(reported.clone());
    cluster.tell(key(&reported), Seen::Deployment(reported));
}

/// The Deployment's key.
pub(crate) fn key(deployment: &Deployment) -> ObjectKey {
    let name = deployment.body["metadata"]["name"].as_str().unwrap_or_default();
    ObjectKey::new(Kind::Deployment, SHOP, name)
}
