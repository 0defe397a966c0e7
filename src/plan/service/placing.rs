//! Where may and would a service's tasks run?
//!
//! From its capacity, its placement constraints with those of its task definition, and its placement
//! strategies, to what its pod template says of that. None of it depends on the nodes that there are.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use super::daemon::{is_daemon, not_draining};
use super::observed::Observed;
use crate::ecs::reference::text;
use crate::names::label;
use crate::plan::capacity_provider::{self, Asked, Chosen, Known, choose, runs_on_fargate};
use crate::plan::cluster::DEFAULT_STRATEGY;
use crate::plan::finding::Findings;
use crate::plan::judge::is_empty;
use crate::plan::mapping::owner_of_cluster;
use crate::plan::node;
use crate::plan::placement::affinity::{Affinity, NodeLabels, affinity};
use crate::plan::placement::node_labels::{MOST_LABELS, may_bring};
use crate::plan::placement::strategies::{
    Preferences, distinct_instance, preferences, read, read_constraints,
};
use crate::world::World;

const CONSTRAINTS: &str = "placementConstraints";
const STRATEGY: &str = "placementStrategy";
/// Where the constraints of the task definition stand, seen from the service.
const OF_TASK_DEFINITION: &str = "taskDefinition.placementConstraints";

/// What a pod template says of where its pods run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Placement {
    /// What binds.
    affinity: Affinity,
    /// What is preferred.
    preferences: Preferences,
    /// Nodes that are taken rather than others.
    preferred: Vec<corev1::PreferredSchedulingTerm>,
    /// What the pods tolerate.
    tolerations: Vec<corev1::Toleration>,
    /// Their runtime class.
    runtime_class: Option<String>,
    /// Their annotations.
    annotations: BTreeMap<String, String>,
}

/// The capacity that a Service gets now.
pub(super) fn chosen(
    world: &World,
    observed: &Observed,
    findings: &mut Findings,
) -> Option<Chosen> {
    let cluster = owner_of_cluster(world, &observed.key.namespace, &observed.cluster);
    let none = BTreeMap::new();
    let asked = Asked {
        spec: &observed.service.spec.0,
        namespace: &observed.key.namespace,
        labels: observed.service.metadata.labels.as_ref().unwrap_or(&none),
        default_strategy: cluster.as_ref().and_then(|cluster| cluster.spec.0.get(DEFAULT_STRATEGY)),
    };
    let mut all: Vec<_> = world.capacity_providers.iter().collect();
    // Of several that claim one name, the oldest has it.
    all.sort_by_key(|object| std::cmp::Reverse(crate::plan::age(&object.metadata)));
    let named = all.iter().map(|object| {
        let name = capacity_provider::name_of(&object.spec.0, object.metadata.name.as_deref());
        (name, &object.spec.0)
    });
    choose(asked, &named.collect::<Known<'_>>(), findings)
}

/// Judges where a Service's tasks are to run.
pub(super) fn judge(
    world: &World,
    observed: &Observed,
    chosen: Option<&Chosen>,
    findings: &mut Findings,
) {
    let revision = observed.revision().unwrap_or(&Value::Null);
    let can = Can { labels: NodeLabels::by(world.writes_nodes), packs: world.packs };
    let spec = &observed.service.spec.0;
    let wanted = placement(spec, (revision, can), chosen, &observed.uid, findings);
    let labels = wanted.affinity.node_labels;
    if labels.is_empty() {
        return;
    }
    let in_use = node::in_use(world);
    let more = labels.keys().filter(|label| !in_use.contains_key(*label)).count();
    if more == 0 {
        return;
    }
    let namespace = &observed.key.namespace;
    let own = node::needed_in(world, namespace, &in_use);
    if !may_bring(more, own, in_use.len()) {
        findings.refuse(
            CONSTRAINTS,
            format!(
                "needs a label on each node that it chooses; {MOST_LABELS} expressions can have one, \
                 {} have one, {own} of them in namespace {namespace}, and a namespace leaves as many \
                 free as it has; write it as another service does, or use only ==, !=, in, not_in and \
                 exists on attributes",
                in_use.len()
            ),
        );
    }
}

/// What of placement depends on how Linkspan is installed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Can {
    /// Whether nodes can be labelled.
    pub(super) labels: NodeLabels,
    /// Whether there is a scheduler that fills nodes up.
    pub(super) packs: bool,
}

/// The placement of a service's tasks. `revision` is the spec of its task definition, `can` what there
/// is for it, `uid` the UID of the Service object.
pub(super) fn placement(
    spec: &Value,
    (revision, can): (&Value, Can),
    chosen: Option<&Chosen>,
    uid: &str,
    findings: &mut Findings,
) -> Placement {
    let selector = LabelSelector {
        match_labels: Some([(label::SERVICE_UID.to_owned(), uid.to_owned())].into()),
        ..LabelSelector::default()
    };
    if runs_on_fargate(chosen) {
        judge_fargate(spec, revision, findings);
        for member in [CONSTRAINTS, STRATEGY] {
            if spec.get(member).is_some_and(|value| !is_empty(value)) {
                let rule = "is not for Fargate, where there are no nodes to choose among; leave it \
                            out, or use another launch type";
                findings.refuse(member, rule);
            }
        }
    }
    let daemon = is_daemon(spec);
    if daemon {
        judge_daemon(spec, findings);
    }
    let mut found = Findings::default();
    let constraints = read_constraints(
        (revision.get(CONSTRAINTS), OF_TASK_DEFINITION),
        (spec.get(CONSTRAINTS), CONSTRAINTS),
        &mut found,
    );
    let capacity = chosen.map(Chosen::capacity).unwrap_or_default();
    let mut affinity = affinity(&capacity.terms, &constraints.expressions, can.labels, &mut found);
    // What is to be said of the task definition's own is said of that one.
    found.0.retain(|finding| !finding.path.starts_with(OF_TASK_DEFINITION));
    findings.0.extend(found.0);
    affinity.apart.extend(capacity.apart);
    if daemon {
        affinity.node_terms = both(affinity.node_terms, vec![not_draining()]);
    }
    // A DAEMON service never has two tasks on one node.
    if constraints.distinct_instance && !daemon {
        affinity.apart.push(distinct_instance(&selector));
    }
    // Without a word from ECS, the scheduler spreads over zones and hosts by itself.
    let strategy = spec.get(STRATEGY).filter(|strategy| !is_empty(strategy) && !daemon);
    let preferences = strategy.map_or_else(Preferences::default, |strategy| {
        let strategies = read(Some(strategy), STRATEGY, findings);
        preferences(&strategies, &selector, can.packs, STRATEGY, findings)
    });
    Placement {
        affinity,
        preferences,
        preferred: capacity.preferred,
        tolerations: capacity.tolerations,
        runtime_class: capacity.runtime_class,
        annotations: capacity.annotations,
    }
}

/// What a service may not ask for that runs one task on each node.
fn judge_daemon(spec: &Value, findings: &mut Findings) {
    if spec.get(STRATEGY).is_some_and(|value| !is_empty(value)) {
        let rule = "is not for DAEMON, which has one task on each node that meets the constraints; \
                    leave it out, or use schedulingStrategy REPLICA";
        findings.refuse(STRATEGY, rule);
    }
}

/// What a service has to be to run on Fargate, by whichever word: its task definition has to be one
/// for Fargate, by which all of Fargate's rules were judged.
fn judge_fargate(spec: &Value, revision: &Value, findings: &mut Findings) {
    if is_daemon(spec) {
        findings.refuse_value(
            "schedulingStrategy",
            "DAEMON",
            "tasks using the Fargate launch type don't support the DAEMON scheduling strategy, since \
             there are no nodes to run one on each; use REPLICA, or another launch type, as EC2",
        );
    }
    let listed = revision.get("requiresCompatibilities").and_then(Value::as_array);
    let is_for_fargate = listed.is_some_and(|all| all.iter().any(|one| one == "FARGATE"));
    // Of launchType it is said elsewhere; of a revision that is not there, nothing.
    if is_for_fargate || revision.is_null() || text(spec, "launchType").is_some() {
        return;
    }
    let asks = spec.get("capacityProviderStrategy").is_some_and(|value| !is_empty(value));
    let (path, by) = if asks {
        ("capacityProviderStrategy", "its strategy")
    } else {
        ("taskDefinition", "a Fargate profile that selects it, or its Cluster's strategy")
    };
    findings.refuse(
        path,
        format!(
            "the service runs on Fargate by {by}, and its task definition lacks FARGATE in \
             requiresCompatibilities; add it there, or set launchType EC2"
        ),
    );
}

impl Placement {
    /// Lays itself on the pods of a template, beside what that says already of nodes.
    pub(super) fn lay(self, template: &mut corev1::PodTemplateSpec) {
        if !self.annotations.is_empty() {
            let meta = template.metadata.get_or_insert_default();
            meta.annotations.get_or_insert_default().extend(self.annotations);
        }
        let Some(pod) = template.spec.as_mut() else { return };
        if self.runtime_class.is_some() {
            pod.runtime_class_name = self.runtime_class;
        }
        let Affinity { node_terms, together, apart, .. } = self.affinity;
        let Preferences { spread, near, scheduler } = self.preferences;
        let some = |any: bool| any.then_some(());
        let mut affinity = pod.affinity.take().unwrap_or_default();
        let mut nodes = affinity.node_affinity.take().unwrap_or_default();
        let required = nodes.required_during_scheduling_ignored_during_execution.take();
        let given = required.map(|selector| selector.node_selector_terms).unwrap_or_default();
        let terms = both(given, node_terms);
        nodes.required_during_scheduling_ignored_during_execution =
            some(!terms.is_empty()).map(|()| corev1::NodeSelector { node_selector_terms: terms });
        nodes.preferred_during_scheduling_ignored_during_execution =
            some(!self.preferred.is_empty()).map(|()| self.preferred);
        affinity.node_affinity = some(nodes != corev1::NodeAffinity::default()).map(|()| nodes);
        let near = corev1::PodAffinity {
            required_during_scheduling_ignored_during_execution: some(!together.is_empty())
                .map(|()| together),
            preferred_during_scheduling_ignored_during_execution: some(!near.is_empty())
                .map(|()| near),
        };
        affinity.pod_affinity = some(near != corev1::PodAffinity::default()).map(|()| near);
        affinity.pod_anti_affinity = some(!apart.is_empty()).map(|()| corev1::PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(apart),
            ..corev1::PodAntiAffinity::default()
        });
        pod.affinity = some(affinity != corev1::Affinity::default()).map(|()| affinity);
        if !spread.is_empty() {
            pod.topology_spread_constraints = Some(spread);
        }
        if scheduler.is_some() {
            pod.scheduler_name = scheduler;
        }
        if !self.tolerations.is_empty() {
            pod.tolerations.get_or_insert_default().extend(self.tolerations);
        }
    }
}

/// Terms that hold where one of each list does; an empty list always does.
fn both(
    one: Vec<corev1::NodeSelectorTerm>,
    other: Vec<corev1::NodeSelectorTerm>,
) -> Vec<corev1::NodeSelectorTerm> {
    if one.is_empty() || other.is_empty() {
        return if one.is_empty() { other } else { one };
    }
    let join = |a: &corev1::NodeSelectorTerm, b: &corev1::NodeSelectorTerm| {
        let expressions = [a, b].into_iter().filter_map(|term| term.match_expressions.clone());
        corev1::NodeSelectorTerm {
            match_expressions: Some(expressions.flatten().collect()),
            ..corev1::NodeSelectorTerm::default()
        }
    };
    one.iter().flat_map(|a| other.iter().map(move |b| join(a, b))).collect()
}
