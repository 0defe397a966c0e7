//! Which of a service's tasks have to leave their nodes, and do others start first?
//!
//! A node that is about to end, by whoever's word, loses its tasks. One that is cordoned keeps them, until
//! somebody evicts one: then it is being drained, which is remembered in the record's status until the
//! node takes tasks again or has none left. As long as tasks have to leave, as many more are wanted as
//! `maximumPercent` leaves room for. Those on nodes that are about to end are evicted once others are
//! healthy in their place, which without a health check takes 40 seconds; those on cordoned nodes whoever
//! drains the node evicts.
//!
//! While such a surge makes progress, the disruption budget keeps the floor; else it is at most one less
//! than the desired count, so that no drain ever waits for tasks that cannot start.
//!
//! **Example.** 3 tasks at 100/200 %, one of them on a node that gets a spot notice: a fourth starts, and
//! when it is healthy the one is evicted; its ReplicaSet is lowered to 3 again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as corev1;

use super::course::Course;
use super::observed::{Observed, provider_of};
use super::resolve::Settings;
use crate::api::ServiceDeployment;
use crate::plan::capacity_provider::{Condition, condition};
use crate::plan::{Plan, Write};
use crate::world::{Kind, ObjectKey, World};

/// After how long an eviction that the disruption budget did not allow is tried again.
const AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// The tasks that have to leave their nodes.
#[derive(Debug, Default)]
pub(super) struct Drains {
    /// How many, by the label of their capacity provider.
    leaving: BTreeMap<String, i32>,
    /// The cordoned nodes from which tasks are being evicted.
    pub(super) cordoned: BTreeSet<String>,
    /// The names and UIDs of those on nodes that are about to end.
    ending: BTreeMap<String, String>,
}

impl Drains {
    /// Looks at the node of each task. `newest` is the newest record, which remembers the cordoned
    /// nodes that are being drained.
    pub(super) fn of(
        world: &World,
        pods: &[Arc<corev1::Pod>],
        newest: Option<&ServiceDeployment>,
    ) -> Self {
        let mut conditions: BTreeMap<&str, Option<Condition>> = BTreeMap::new();
        for name in pods.iter().filter_map(|pod| node_of(pod)) {
            conditions
                .entry(name)
                .or_insert_with(|| world.nodes.get("", name).map(|node| condition(&node)));
        }
        let is = |name: &str, wanted| conditions.get(name).copied().flatten() == Some(wanted);
        let known = newest.and_then(|newest| newest.status.as_ref()).map(|status| &status.draining);
        let known = known.into_iter().flatten().map(String::as_str);
        let evicted = pods.iter().filter(|pod| is_evicted(pod)).filter_map(|pod| node_of(pod));
        let drained: BTreeSet<&str> =
            known.chain(evicted).filter(|name| is(name, Condition::Cordoned)).collect();
        let mut drains = Self::default();
        for pod in pods.iter().filter(|pod| stays(pod)) {
            let Some(node) = node_of(pod) else { continue };
            let ends = is(node, Condition::Draining);
            if ends {
                let uid = pod.metadata.uid.clone().unwrap_or_default();
                drains.ending.insert(pod.metadata.name.clone().unwrap_or_default(), uid);
            } else if drained.contains(node) {
                drains.cordoned.insert(node.to_owned());
            } else {
                continue;
            }
            *drains.leaving.entry(provider_of(&pod.metadata).to_owned()).or_default() += 1;
        }
        drains
    }

    /// How many tasks have to leave.
    pub(super) fn total(&self) -> i32 {
        self.leaving.values().sum()
    }

    /// How many of a capacity provider, by its label.
    pub(super) fn of_provider(&self, provider: &str) -> i32 {
        self.leaving.get(provider).copied().unwrap_or_default()
    }
}

/// The evictions of tasks on nodes that are about to end: as many as leaves what is wanted healthy, or
/// where no other can start in their place, what must be.
pub(super) fn evictions(
    observed: &Observed,
    newest: &ServiceDeployment,
    settings: &Settings,
    course: &Course,
    now: jiff::Timestamp,
    plan: &mut Plan,
) {
    let drains = &observed.drains;
    if drains.ending.is_empty() || !course.rests() {
        return;
    }
    let lasting = newest.spec.min_ready_seconds;
    let since = observed.pods.iter().filter(|pod| stays(pod));
    let since = since.filter_map(|pod| healthy_from(pod, lasting));
    let (lasted, rest): (Vec<_>, Vec<_>) = since.partition(|from| *from <= now);
    let healthy = lasted.len();
    // Looked at again when the next one counts.
    rest.into_iter().min().into_iter().for_each(|at| plan.wake(at));
    let least = if course.surge_goes_on() {
        settings.desired
    } else if course.surges() && !course.surge_is_stuck() {
        // Not written yet.
        return;
    } else {
        settings.percents.floor(settings.desired)
    };
    let spare = usize::try_from(least).map_or(healthy, |least| healthy.saturating_sub(least));
    let ours: BTreeSet<&str> = observed.sets().collect();
    let is_ours = |pod: &corev1::Pod| {
        let mut owners = pod.metadata.owner_references.iter().flatten();
        owners.any(|owner| owner.controller == Some(true) && ours.contains(owner.uid.as_str()))
    };
    let leaving = observed.pods.iter().filter(|pod| {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        drains.ending.contains_key(name) && is_ours(pod)
    });
    // Those that are not ready may go in any case.
    let (ready, unready): (Vec<_>, Vec<_>) = leaving.partition(|pod| is_ready(pod));
    for pod in unready.into_iter().chain(ready.into_iter().take(spare)) {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        plan.writes.push(Write::Evict {
            key: ObjectKey::new(Kind::Pod, &observed.key.namespace, name),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
        });
        plan.wake(now + AGAIN);
    }
}

fn node_of(pod: &corev1::Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn stays(pod: &corev1::Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// From when on a task that is ready counts as healthy: at once, or when it has been ready for so many
/// seconds, as its Deployment counts it.
fn healthy_from(pod: &corev1::Pod, lasting: i32) -> Option<jiff::Timestamp> {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.find(|one| one.type_ == "Ready" && one.status == "True")?;
    if lasting == 0 {
        return Some(jiff::Timestamp::MIN);
    }
    let since = ready.last_transition_time.as_ref()?.0;
    since.checked_add(jiff::SignedDuration::from_secs(lasting.into())).ok()
}

fn is_ready(pod: &corev1::Pod) -> bool {
    has(pod, |one| one.type_ == "Ready" && one.status == "True")
}

/// Whether somebody has asked for its eviction, which was granted.
fn is_evicted(pod: &corev1::Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
        && has(pod, |one| {
            one.type_ == "DisruptionTarget"
                && one.reason.as_deref() == Some("EvictionByEvictionAPI")
        })
}

fn has(pod: &corev1::Pod, is_it: impl Fn(&corev1::PodCondition) -> bool) -> bool {
    pod.status.iter().flat_map(|status| status.conditions.iter().flatten()).any(is_it)
}
