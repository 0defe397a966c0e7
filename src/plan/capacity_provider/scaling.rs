//! How large should a provider's group be, and what is to be written for that?
//!
//! The sum is [`crate::ecs::managed_scaling`]'s; here it meets the cluster: the scale of an object is
//! the size, and a node is taken away only when it is empty and can be named. Empty is a node without any
//! pod but those of DaemonSets and of the kubelet itself: ECS looks at its tasks alone, since on its
//! instances nothing else runs.
//!
//! A group shrinks in three steps, each of which is seen before the next. The status names the nodes
//! that are to leave; the plans of those nodes keep tasks away from them and mark them
//! ([`crate::plan::node`]); and when they have stayed empty for a moment, the scale is lowered. Where
//! a task comes in between, or more is needed again, the names go and the nodes take tasks again.
//!
//! Nothing here goes in circles: who sets the scale otherwise, or makes no nodes, is asked again
//! after the warm-up at the earliest, and the status says so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::seen::Seen;
use super::target::{Looked, Scale};
use super::{CapacityProvider, Form, ScaleTarget, Size};
use crate::api::{CapacityProviderStatus, Reason};
use crate::ecs::managed_scaling::{
    Activity, Decision, Group, Needs, Settings, State, Step, decide, grouped,
};
use crate::plan::conditions::{Outcome, time};
use crate::plan::finding::Findings;
use crate::plan::{Machine, Moment, Note, Waiting, Write};
use crate::world::{ObjectKey, World};

/// How often the scale is looked at, even when nothing happens.
pub(super) const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// How often it is looked for while there is none: somebody may be about to make it.
pub(super) const LOOK_FOR_IT: SignedDuration = SignedDuration::from_secs(10);
/// How long nodes that are to leave have to stay empty after tasks are kept away: a scheduler may
/// just have chosen one.
const STAYS_EMPTY: SignedDuration = SignedDuration::from_secs(2);
/// The group of Cluster API's kinds.
const CLUSTER_API: &str = "cluster.x-k8s.io";
/// The annotation of a Machine that its set ends before others.
const DELETE_MACHINE: &str = "cluster.x-k8s.io/delete-machine";
/// The annotations by which a node says which Machine it is.
const MACHINE: &str = "cluster.x-k8s.io/machine";
const MACHINE_NAMESPACE: &str = "cluster.x-k8s.io/cluster-namespace";

/// What there is to do and to say about a group's size.
#[derive(Debug, Default)]
pub(super) struct Sizing {
    /// What is written before the status.
    pub(super) writes: Vec<Write>,
    /// What is told of it.
    pub(super) note: Option<Note>,
    /// Why the group cannot be sized.
    pub(super) in_the_way: Option<(Outcome, Reason, String)>,
    /// What is said beside its being ready.
    pub(super) remark: Option<String>,
    /// When to look again.
    pub(super) wake_at: Option<Timestamp>,
    /// What has to stay as it is for a moment.
    pub(super) waiting: Option<Waiting>,
    /// The object whose scale the next plan wants to see.
    pub(super) looks_at: Option<ScaleTarget>,
    /// The nodes on which the next plan wants to know of others' pods.
    pub(super) looks_at_nodes: Vec<String>,
}

/// Everything that a group's size depends on.
pub(super) struct Around<'a> {
    pub(super) world: &'a World,
    pub(super) key: &'a ObjectKey,
    pub(super) provider: &'a CapacityProvider,
    pub(super) seen: &'a Seen,
    pub(super) waiting: &'a [Needs],
    pub(super) before: &'a CapacityProviderStatus,
    pub(super) moment: &'a Moment,
}

/// What a spec says that cannot be done, or only by half.
pub(super) fn tell(provider: &CapacityProvider, findings: &mut Findings) {
    let path = "kubernetes.scaleTargetRef";
    match (provider.managed(), &provider.scale_target) {
        (Some((_, target)), _) => {
            if let Err(why) = naming(provider, target) {
                findings.differs(path, format!("nodes are added and none is taken away: {why}"));
            }
        }
        (None, None) if provider.scaling.is_some() => findings.differs(
            "autoScalingGroupProvider.managedScaling",
            "nothing says what is to be scaled, so that the reservation is told and nothing done; \
             name an object with a scale in kubernetes.scaleTargetRef, or leave it to an autoscaler \
             that goes by the tasks that wait",
        ),
        (None, Some(_)) => {
            let rule = match provider.form {
                Form::AutoScalingGroup => "has no effect without managedScaling, status ENABLED",
                Form::ManagedNodeGroup => "has no effect without scalingConfig",
                _ => "has no effect; it is for autoScalingGroupProvider and managedNodeGroup",
            };
            findings.differs(path, rule);
        }
        (None, None) => {}
    }
}

/// Whether it can be said which node is to leave.
fn naming(provider: &CapacityProvider, target: &ScaleTarget) -> Result<(), String> {
    if target.group() == CLUSTER_API || provider.scale_in_annotation.is_some() {
        return Ok(());
    }
    Err(format!(
        "nothing says which node {target} would end; give kubernetes.scaleInAnnotation, the \
         annotation of a node by which it is ended first"
    ))
}

/// Decides about the size of a provider's group, and writes into the status what has to be kept.
pub(super) fn size(around: &Around<'_>, after: &mut CapacityProviderStatus) -> Sizing {
    let mut sizing = Sizing::default();
    let Some((settings, target)) = around.provider.managed() else { return sizing };
    sizing.looks_at = Some(target.clone());
    let Around { before, moment, .. } = around;
    after.last_activity.clone_from(&before.last_activity);
    after.below_target_since.clone_from(&before.below_target_since);
    after.leaving.clone_from(&before.leaving);
    after.desired = before.desired;
    let seen = &around.seen.shapes;
    after.shapes.clone_from(if seen.is_empty() { &before.shapes } else { seen });
    if let Some(rejected) = moment.rejected.as_ref().filter(|one| one.key == *around.key) {
        let message = format!("{target} cannot be scaled: {}", rejected.message);
        sizing.in_the_way = Some((Outcome::Stalled, Reason::RejectedByCluster, message));
    }
    let Some(looked) = around.world.scales.get(around.key).filter(|l| l.target == *target) else {
        return sizing;
    };
    sizing.wake(moment.now.checked_add(LOOK_AGAIN).ok());
    match &looked.found {
        Ok(scale) => {
            after.desired = Some(scale.replicas);
            Sizer { around, settings: with_timing(settings, around.world), scale, looked }
                .act(&mut sizing, after);
        }
        Err(unusable) => {
            sizing.wake(moment.now.checked_add(LOOK_FOR_IT).ok());
            let message = unusable.message(target);
            // One that does not answer may yet.
            let outcome = match unusable.reason() {
                Reason::ScaleTargetUnreachable => Outcome::Reconciling,
                _ => Outcome::Stalled,
            };
            sizing.in_the_way = Some((outcome, unusable.reason(), message));
        }
    }
    sizing
}

/// Leaves a group as it is, for a reason that others give: what was begun is taken back.
pub(super) fn pause(around: &Around<'_>, after: &mut CapacityProviderStatus) -> Sizing {
    let mut sizing = Sizing::default();
    let Some((_, target)) = around.provider.managed() else { return sizing };
    after.last_activity.clone_from(&around.before.last_activity);
    after.shapes.clone_from(&around.before.shapes);
    take_back(around, target, after, &mut sizing);
    sizing
}

/// Takes the marks back from nodes that were to leave and are no longer.
fn take_back(
    around: &Around<'_>,
    target: &ScaleTarget,
    after: &CapacityProviderStatus,
    sizing: &mut Sizing,
) {
    let stay: BTreeSet<&String> = after.leaving.iter().collect();
    let back = around.before.leaving.iter().filter(|name| !stay.contains(name));
    sizing.writes.extend(back.filter_map(|name| mark(around, target, name, None)));
}

/// Marks the Machine of a node, or takes the mark away; none where it is no Machine.
fn mark(
    around: &Around<'_>,
    target: &ScaleTarget,
    node: &str,
    value: Option<&str>,
) -> Option<Write> {
    if target.group() != CLUSTER_API {
        return None;
    }
    let node = around.world.nodes.get("", node)?;
    let annotation = |key: &str| node.metadata.annotations.as_ref()?.get(key).cloned();
    Some(Write::Mark {
        key: around.key.clone(),
        machine: Machine {
            api_version: target.api_version.clone(),
            namespace: annotation(MACHINE_NAMESPACE)?,
            name: annotation(MACHINE)?,
        },
        annotation: DELETE_MACHINE,
        value: value.map(ToOwned::to_owned),
    })
}

fn with_timing(settings: Settings, world: &World) -> Settings {
    let timing = world.scaling_timing;
    let periods = i64::try_from(timing.in_periods).unwrap_or(i64::MAX);
    let below_target = SignedDuration::from_secs(timing.period.saturating_mul(periods));
    Settings { below_target, ..settings }
}

impl Sizing {
    fn wake(&mut self, at: Option<Timestamp>) {
        self.wake_at = [self.wake_at, at].into_iter().flatten().min();
    }
}

/// The nodes that may leave.
struct Picked {
    nodes: Vec<String>,
    /// Whether it is not known of one of them who runs on it.
    unknown: bool,
    /// Why another is kept.
    guests: Option<String>,
}

/// A group that can be sized.
struct Sizer<'a> {
    around: &'a Around<'a>,
    settings: Settings,
    scale: &'a Scale,
    looked: &'a Looked,
}

impl Sizer<'_> {
    fn act(&self, sizing: &mut Sizing, after: &mut CapacityProviderStatus) {
        let Around { before, moment, .. } = self.around;
        let state = State {
            below_target_since: before.below_target_since.clone(),
            last_activity: before.last_activity.clone(),
        };
        let decision = decide(&self.settings, &self.group(after), &state, moment.now);
        let since = decision.state.below_target_since.as_ref();
        after.below_target_since = since.map(|since| time(since.0));
        sizing.wake(decision.wake_at);
        match decision.step {
            Step::Grow(to) => {
                after.leaving = self.still_leaving(to);
                if let Some(until) = self.was_undone(to) {
                    sizing.in_the_way = Some(self.ignored());
                    if moment.now < until {
                        sizing.wake(Some(until));
                        self.take_back(after, sizing);
                        return;
                    }
                }
                self.take_back(after, sizing);
                self.resize(&decision, to, sizing, after);
            }
            Step::Shrink(to) => self.shrink(&decision, to, sizing, after),
            Step::Stay(_) => {
                after.leaving = self.still_leaving(self.scale.replicas);
                self.take_back(after, sizing);
                self.look_for_nodes(sizing);
            }
        }
    }

    fn group(&self, after: &CapacityProviderStatus) -> Group {
        let Around { provider, seen, waiting, .. } = self.around;
        let Size { least, most, .. } = provider.size;
        Group {
            size: self.scale.replicas,
            least,
            most,
            instances: seen.up(),
            empty: u32::try_from(seen.empty.len()).unwrap_or(u32::MAX),
            youngest: seen.youngest,
            shapes: after.shapes.clone(),
            provisioning: grouped(waiting.iter().copied()),
        }
    }

    /// How long is waited for what was asked for: the warm-up, and a period at least.
    fn patience(&self) -> SignedDuration {
        let period = self.around.world.scaling_timing.period;
        SignedDuration::from_secs(i64::from(self.settings.warmup_seconds).max(period))
    }

    /// The last change, and when it should have shown at the latest.
    fn last(&self) -> Option<(&Activity, Timestamp)> {
        let last = self.around.before.last_activity.as_ref()?;
        Some((last, last.at.0.checked_add(self.patience()).unwrap_or(Timestamp::MAX)))
    }

    /// Until when somebody else's word holds, who has undone our last change in this direction.
    fn was_undone(&self, to: u32) -> Option<Timestamp> {
        let now = self.scale.replicas;
        let (last, until) = self.last()?;
        let grows = last.to > last.from && to > now && now < last.to;
        let shrinks = last.to < last.from && to < now && now > last.to;
        (grows || shrinks).then_some(until)
    }

    fn ignored(&self) -> (Outcome, Reason, String) {
        let target = &self.looked.target;
        let (asked, at) =
            self.last().map_or((0, String::new()), |(last, _)| (last.to, last.at.0.to_string()));
        let message = format!(
            "{target} was set to {asked} at {at} and has {}: something else sets it too; let one of \
             the two do it. It is set again after {} s at the earliest",
            self.scale.replicas,
            self.patience().as_secs()
        );
        (Outcome::Stalled, Reason::ScaleTargetIgnores, message)
    }

    /// Asks for another size.
    fn resize(
        &self,
        decision: &Decision,
        to: u32,
        sizing: &mut Sizing,
        after: &mut CapacityProviderStatus,
    ) {
        let Looked { target, .. } = self.looked;
        let Scale { uid, version, replicas } = self.scale;
        sizing.writes.push(Write::Resize {
            key: self.around.key.clone(),
            target: target.clone(),
            uid: uid.clone(),
            version: version.clone(),
            replicas: to,
        });
        // What was refused has not happened.
        if self.around.moment.rejected.is_some() {
            return;
        }
        let cause = decision.state.last_activity.as_ref().map(|last| last.cause.clone());
        let cause = cause.unwrap_or_default();
        let reason = if to > *replicas { Reason::ScaledOut } else { Reason::ScaledIn };
        let message = format!("{target} goes from {replicas} to {to} nodes: {cause}");
        sizing.note = Some(Note { warning: false, reason, message });
        after.desired = Some(to);
        after.last_activity =
            Some(Activity { at: time(self.around.moment.now), from: *replicas, to, cause });
    }

    fn shrink(
        &self,
        decision: &Decision,
        to: u32,
        sizing: &mut Sizing,
        after: &mut CapacityProviderStatus,
    ) {
        let Around { provider, seen, world, moment, .. } = self.around;
        let up = seen.up();
        let stay = |why: &str| {
            let empty = seen.empty.len();
            Some(format!("{empty} of its {up} nodes are empty and stay: {why}"))
        };
        let may = naming(provider, &self.looked.target).and_then(|()| {
            let why = "Linkspan was not granted the right to write nodes, by which tasks are kept away \
                       from a node that is to leave";
            if world.writes_nodes { Ok(()) } else { Err(why.to_owned()) }
        });
        let Picked { nodes: picked, unknown, guests } = self.pick(up.saturating_sub(to));
        if let Err(why) = may {
            sizing.remark = stay(&why);
            after.leaving.clear();
            return self.take_back(after, sizing);
        }
        sizing.looks_at_nodes.clone_from(&picked);
        if unknown {
            return;
        }
        if picked.is_empty() {
            let unnamed = format!("none has the annotations {MACHINE} and {MACHINE_NAMESPACE}");
            sizing.remark = stay(&guests.unwrap_or(unnamed));
            after.leaving.clear();
            return self.take_back(after, sizing);
        }
        if let Some(until) = self.was_undone(to) {
            sizing.in_the_way = Some(self.ignored());
            if moment.now < until {
                sizing.wake(Some(until));
                after.leaving.clear();
                return self.take_back(after, sizing);
            }
        }
        after.leaving.clone_from(&picked);
        self.take_back(after, sizing);
        sizing.remark = Some(format!("about to end the empty {}", picked.join(", ")));
        // The plans of these nodes go by the status.
        if !picked.iter().all(|name| seen.leaving.contains(name)) {
            return;
        }
        let inputs = picked.join(",");
        let waits = moment.waiting.as_ref().filter(|waits| waits.inputs == inputs);
        let since = waits.map_or(moment.now, |waits| waits.since);
        sizing.waiting = Some(Waiting { inputs, since });
        let due = since.checked_add(STAYS_EMPTY).unwrap_or(Timestamp::MAX);
        if moment.now < due {
            return sizing.wake(Some(due));
        }
        let leaving = u32::try_from(picked.len()).unwrap_or(u32::MAX);
        sizing.writes.extend(picked.iter().filter_map(|name| self.mark(name, Some("yes"))));
        self.resize(decision, to.max(up.saturating_sub(leaving)), sizing, after);
    }

    /// The empty nodes that are to leave: those that were chosen before, then those that take no
    /// tasks, then by name. A node on which pods of others run is none: who ends it might not move them.
    fn pick(&self, count: u32) -> Picked {
        let Around { seen, before, world, key, .. } = self.around;
        let nothing = BTreeMap::new();
        let found = world.guests.get(*key).unwrap_or(&nothing);
        let mut guests = None;
        let mut is_kept = |name: &str| {
            let why = match found.get(name) {
                None | Some(Ok(None)) => return false,
                Some(Ok(Some(pod))) => format!("pod {pod} runs on {name}"),
                Some(Err(why)) => format!("whose pods run on {name} cannot be seen: {why}"),
            };
            guests.get_or_insert(why);
            true
        };
        let mut empty: Vec<&String> =
            seen.empty.iter().filter(|name| self.is_named(name)).collect();
        empty.sort_by_key(|name| {
            let takes_tasks = seen.nodes.get(*name) == Some(&super::Condition::Ready);
            (!before.leaving.contains(name), takes_tasks, *name)
        });
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let free = empty.into_iter().filter(|name| !is_kept(name));
        let mut nodes: Vec<String> = free.take(count).cloned().collect();
        nodes.sort();
        let unknown = nodes.iter().any(|name| !found.contains_key(name));
        Picked { nodes, unknown, guests }
    }

    /// Whether it can be said of this node that it is to leave.
    fn is_named(&self, node: &str) -> bool {
        self.around.provider.scale_in_annotation.is_some() || self.mark(node, None).is_some()
    }

    /// The nodes that go on leaving, since the group was lowered for them.
    fn still_leaving(&self, size: u32) -> Vec<String> {
        let Around { seen, before, .. } = self.around;
        let was_lowered = before
            .last_activity
            .as_ref()
            .is_some_and(|last| last.to < last.from && self.scale.replicas <= last.to);
        let there = u32::try_from(seen.nodes.len()).unwrap_or(u32::MAX);
        let count = if was_lowered { there.saturating_sub(size) } else { 0 };
        let leaving = before.leaving.iter().filter(|name| seen.nodes.contains_key(*name));
        leaving.take(usize::try_from(count).unwrap_or(usize::MAX)).cloned().collect()
    }

    fn take_back(&self, after: &CapacityProviderStatus, sizing: &mut Sizing) {
        take_back(self.around, &self.looked.target, after, sizing);
    }

    fn mark(&self, node: &str, value: Option<&str>) -> Option<Write> {
        mark(self.around, &self.looked.target, node, value)
    }

    /// Says so where the group has not as many nodes as it was asked for, in time.
    fn look_for_nodes(&self, sizing: &mut Sizing) {
        let Around { seen, moment, .. } = self.around;
        let Some((last, until)) = self.last().filter(|(last, _)| last.to == self.scale.replicas)
        else {
            return;
        };
        let (up, there) = (seen.up(), u32::try_from(seen.nodes.len()).unwrap_or(u32::MAX));
        let target = &self.looked.target;
        let message = if last.to > last.from && up < last.to {
            format!(
                "{target} was asked for {} nodes at {}, and {up} are up: its own events and \
                 conditions may say why, or its nodes lack the labels of this capacity provider",
                last.to, last.at.0
            )
        } else if last.to < last.from && there > last.to {
            format!(
                "{target} was asked for {} nodes at {}, and {there} are still there: its own events \
                 and conditions may say why",
                last.to, last.at.0
            )
        } else {
            return;
        };
        if moment.now < until {
            return sizing.wake(Some(until));
        }
        sizing.in_the_way = Some((Outcome::Stalled, Reason::ScaleTargetIgnores, message));
    }
}
