//! How does a service run one task on each node? Its DaemonSet, where `schedulingStrategy` is DAEMON.
//!
//! Which nodes are meant, its pod template says: those that its constraints and its capacity choose,
//! but none that is draining. Kubernetes' own controller starts a task on each and stops it where a node
//! is not meant any more. Here is decided how many may be away in a roll, so that healthy tasks are
//! never fewer than `minimumHealthyPercent` of the nodes, rounded up. A node has at most one task, so
//! that each stops before its successor starts, whatever `maximumPercent` says.

use std::sync::Arc;

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::observed::{NO_PROVIDER, Observed, Standing, sequence_of, standing};
use super::record::{annotation_of, labels_of_workload, owner, selector_of_workload};
use crate::api::ServiceDeployment;
use crate::ecs::percent::Percents;
use crate::ecs::reference::text;
use crate::names::{self, annotation};
use crate::plan::finding::Findings;
use crate::plan::judge::is_empty;
use crate::plan::node::DRAINING;
use crate::plan::scaling::writers;
use crate::world::{Kind, Object, ObjectKey, World};

/// Whether a Service runs one task on each node.
pub(crate) fn is_daemon(spec: &Value) -> bool {
    text(spec, "schedulingStrategy").as_deref() == Some("DAEMON")
}

/// A service's DaemonSet, or the place where it belongs.
pub(super) struct Daemon {
    pub(super) key: ObjectKey,
    pub(super) standing: Standing,
    found: Option<Arc<appsv1::DaemonSet>>,
}

/// The roll as its controller has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether there is a DaemonSet at all.
    exists: bool,
    /// The record from which its template came.
    sequence: Option<i64>,
    /// Whether its controller has seen its newest spec.
    settled: bool,
    /// Nodes that should run a task.
    pub(super) desired: i32,
    /// Those of them that have one.
    placed: i32,
    /// Nodes that have one and should not.
    misplaced: i32,
    /// Those that have one of the newest template.
    pub(super) updated: i32,
    /// Those whose task has been ready for long enough.
    pub(super) available: i32,
}

/// How tasks of an earlier template are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Replacing {
    /// As long as no more than so many are away.
    Within(IntOrString),
    /// Not at all: none may be away.
    None,
}

impl Daemon {
    /// What is at the place where a service's DaemonSet belongs, if it has one.
    pub(super) fn of(
        world: &World,
        key: &ObjectKey,
        (name, uid): (&str, &str),
        spec: &Value,
    ) -> Option<Self> {
        if !is_daemon(spec) {
            return None;
        }
        let workload = names::workload(name, uid, NO_PROVIDER, names::FIRST_SLOT);
        let found = world.daemon_sets.get(&key.namespace, &workload);
        Some(Self {
            key: ObjectKey::new(Kind::DaemonSet, &key.namespace, &workload),
            standing: standing(world, uid, found.as_deref()),
            found,
        })
    }

    /// The DaemonSet, if it is ours.
    fn ours(&self) -> Option<&appsv1::DaemonSet> {
        match self.standing {
            Standing::Ours(_) => self.found.as_deref(),
            _ => None,
        }
    }

    /// Its metadata and its pod template, if it is ours.
    pub(super) fn template(&self) -> Option<(&ObjectMeta, &corev1::PodTemplateSpec)> {
        let found = self.ours()?;
        Some((&found.metadata, &found.spec.as_ref()?.template))
    }

    /// How it stands.
    pub(super) fn seen(&self) -> Seen {
        let Some(found) = self.ours() else { return Seen::default() };
        let status = found.status.clone().unwrap_or_default();
        let labelled =
            found.spec.as_ref().and_then(|spec| sequence_of(spec.template.metadata.as_ref()?));
        Seen {
            exists: true,
            sequence: labelled,
            settled: status.observed_generation.is_some()
                && status.observed_generation == found.metadata.generation,
            desired: status.desired_number_scheduled,
            placed: status.current_number_scheduled,
            misplaced: status.number_misscheduled,
            updated: status.updated_number_scheduled.unwrap_or_default(),
            available: status.number_available.unwrap_or_default(),
        }
    }

    /// The DaemonSet of a record.
    pub(super) fn build(
        &self,
        observed: &Observed,
        record: &ServiceDeployment,
        percents: Percents,
    ) -> Object {
        let (kind, rolling_update) = match replacing(self.seen().desired, percents) {
            Replacing::Within(away) => {
                let rolling = appsv1::RollingUpdateDaemonSet {
                    max_unavailable: Some(away),
                    max_surge: Some(IntOrString::Int(0)),
                };
                ("RollingUpdate", Some(rolling))
            }
            Replacing::None => ("OnDelete", None),
        };
        let found = appsv1::DaemonSet {
            metadata: ObjectMeta {
                name: Some(self.key.name.clone()),
                namespace: Some(observed.key.namespace.clone()),
                labels: Some(labels_of_workload(observed, NO_PROVIDER)),
                annotations: Some([(annotation::RECORD.to_owned(), annotation_of(record))].into()),
                owner_references: Some(vec![owner(observed)]),
                ..ObjectMeta::default()
            },
            spec: Some(appsv1::DaemonSetSpec {
                selector: LabelSelector {
                    match_labels: Some(selector_of_workload(observed, NO_PROVIDER)),
                    ..LabelSelector::default()
                },
                update_strategy: Some(appsv1::DaemonSetUpdateStrategy {
                    type_: Some(kind.to_owned()),
                    rolling_update,
                }),
                min_ready_seconds: Some(record.spec.min_ready_seconds),
                // Going back is a deployment of its own, with a template of its own.
                revision_history_limit: Some(0),
                ..appsv1::DaemonSetSpec::default()
            }),
            status: None,
        };
        let mut object = Object::of(&found);
        if let Some(spec) = object.body.get_mut("spec").and_then(Value::as_object_mut) {
            // As stored: not through a type, which might not know all of it.
            spec.insert("template".to_owned(), record.spec.template.clone());
        }
        object
    }
}

impl Seen {
    /// Whether each node that should run a task has a healthy one of this record, and no other has.
    pub(super) fn is_steady(&self, target: i64) -> bool {
        self.exists
            && self.settled
            && self.sequence == Some(target)
            && self.misplaced == 0
            && [self.placed, self.updated, self.available].iter().all(|n| *n == self.desired)
    }

    /// Whether tasks of an earlier record stay, since none may be away.
    pub(super) fn is_blocked(&self, percents: Percents) -> bool {
        self.settled
            && self.updated < self.placed
            && replacing(self.desired, percents) == Replacing::None
    }
}

/// How many tasks may be away, of so many nodes.
///
/// The number, and not its share of the nodes, which Kubernetes rounds up: `50%`, written for 4 nodes,
/// lets 3 go of the 5 that there are when another has come, until that is seen here, and 3 must stay.
/// The number leaves the floor however many nodes come. Where it is none, none is replaced: neither of
/// a single node at 50 %. All are `100%`, so that nodes that come and go change nothing; and of nodes
/// that are not known yet, on which nothing is replaced, it is the share.
fn replacing(nodes: i32, percents: Percents) -> Replacing {
    let room = nodes - percents.floor(nodes);
    let share = 100 - percents.minimum_healthy;
    if share == 100 || (nodes == 0 && share > 0) {
        Replacing::Within(IntOrString::String(format!("{share}%")))
    } else if room > 0 {
        Replacing::Within(IntOrString::Int(room))
    } else {
        Replacing::None
    }
}

/// Judges what a Service asks for that runs one task on each node.
pub(super) fn judge(spec: &Value, findings: &mut Findings) {
    if !is_daemon(spec) {
        return;
    }
    let given = |member: &str| spec.get(member).is_some_and(|value| !is_empty(value));
    if given("volumeConfigurations") {
        let rule =
            "is for REPLICA services: those of DAEMON have no volumes of their own; leave it out";
        findings.refuse("volumeConfigurations", rule);
    }
    if text(spec, "availabilityZoneRebalancing").as_deref() == Some("ENABLED") {
        findings.refuse_value(
            "availabilityZoneRebalancing",
            "ENABLED",
            "goes with REPLICA only: DAEMON has one task on each node, whatever its zone; leave it out",
        );
    }
    let maximum = spec.pointer("/deploymentConfiguration/maximumPercent");
    if maximum.is_some_and(|value| !is_empty(value) && value.as_i64() != Some(100)) {
        findings.differs(
            "deploymentConfiguration.maximumPercent",
            "is taken for 100: a DAEMON service never has two tasks on one node",
        );
    }
    if spec.get("desiredCount").and_then(Value::as_i64).is_some_and(|count| count != 1) {
        let message = "has no effect: a DAEMON service has one task on each node";
        findings.recorded("desiredCount", message);
    }
}

/// Says who scales a service that cannot be scaled.
pub(super) fn say_who_scales(observed: &Observed, findings: &mut Findings) {
    if let Some(who) = writers::scaler(&observed.service.metadata)
        && observed.daemon.is_some()
    {
        findings.differs(
            "desiredCount",
            format!(
                "`{who}` sets it through the scale subresource, without effect: a DAEMON service has \
                 one task on each node; remove what scales it, as a HorizontalPodAutoscaler"
            ),
        );
    }
}

/// What the pods of a DAEMON service ask of a node beside the rest: that it is not draining. They
/// tolerate a cordon, as all pods of a DaemonSet do, so that the label says it.
pub(super) fn not_draining() -> corev1::NodeSelectorTerm {
    corev1::NodeSelectorTerm {
        match_expressions: Some(vec![corev1::NodeSelectorRequirement {
            key: DRAINING.to_owned(),
            operator: "DoesNotExist".to_owned(),
            values: None,
        }]),
        ..corev1::NodeSelectorTerm::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Kubernetes takes it, which rounds up.
    fn away(replacing: &Replacing, nodes: i32) -> i32 {
        match replacing {
            Replacing::None => 0,
            Replacing::Within(IntOrString::Int(number)) => *number,
            Replacing::Within(IntOrString::String(share)) => {
                let share: i32 = share.trim_end_matches('%').parse().unwrap_or(i32::MAX);
                (nodes * share + 99) / 100
            }
        }
    }

    #[test]
    fn what_may_be_away_leaves_the_floor_also_of_nodes_that_came_since() {
        for nodes in 1..120 {
            for minimum_healthy in 0..=100 {
                let percents = Percents { minimum_healthy, maximum: 100 };
                let replacing = replacing(nodes, percents);
                let left = nodes - away(&replacing, nodes);
                assert_eq!(left, percents.floor(nodes), "{minimum_healthy} % of {nodes} nodes");
                for now in nodes..=nodes + 10 {
                    let (left, floor) = (now - away(&replacing, now), percents.floor(now));
                    assert!(left >= floor, "{minimum_healthy} % of {nodes} nodes, now {now}");
                }
            }
        }
    }

    #[test]
    fn a_share_is_written_of_all_and_of_none() {
        let of = |nodes, minimum_healthy| {
            replacing(nodes, Percents { minimum_healthy, ..Percents::DAEMON })
        };
        let share = |text: &str| Replacing::Within(IntOrString::String(text.to_owned()));
        let number = |number| Replacing::Within(IntOrString::Int(number));
        assert_eq!((of(7, 0), of(0, 0), of(0, 50)), (share("100%"), share("100%"), share("50%")));
        assert_eq!((of(4, 50), of(3, 50)), (number(2), number(1)));
        assert_eq!(
            (of(1, 50), of(7, 100), of(0, 100)),
            (Replacing::None, Replacing::None, Replacing::None)
        );
    }
}
