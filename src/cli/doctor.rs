//! `linkspan doctor`: what does the cluster have, what can Linkspan therefore do, and what is wrong?
//!
//! Each line is a fact with its consequence. Exits with 1 where something is wrong that somebody should
//! change; what is merely not there is no fault.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use k8s_openapi::api::storage::v1 as storagev1;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};

use super::cluster::{Place, Scope, Where, now};
use super::shell::block_on;
use crate::api::ConditionType;
use crate::plan::capacity_provider::{self, condition};
use crate::world::{Kind, World};
use crate::{NEWEST_KUBERNETES_MINOR, OLDEST_KUBERNETES_MINOR, api};

/// `linkspan doctor`
#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    scope: Scope,
}

/// How a fact is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Good,
    Absent,
    Wrong,
}

/// A fact, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    level: Level,
    text: String,
}

fn good(text: impl Into<String>) -> Fact {
    Fact { level: Level::Good, text: text.into() }
}

fn absent(text: impl Into<String>) -> Fact {
    Fact { level: Level::Absent, text: text.into() }
}

fn wrong(text: impl Into<String>) -> Fact {
    Fact { level: Level::Wrong, text: text.into() }
}

pub(super) fn run(arguments: Doctor) -> io::Result<ExitCode> {
    block_on(async move {
        let place = arguments.scope.open().await?;
        let facts = facts(&place).await?;
        super::say(&told(&facts))?;
        let is_well = facts.iter().all(|fact| fact.level != Level::Wrong);
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn told(facts: &[Fact]) -> String {
    let mut text = String::new();
    for (level, word) in [(Level::Wrong, "wrong"), (Level::Absent, "none"), (Level::Good, "good")] {
        for fact in facts.iter().filter(|fact| fact.level == level) {
            let _ = writeln!(text, "{word:<7}{}", fact.text);
        }
    }
    text
}

async fn facts(place: &Place) -> anyhow::Result<Vec<Fact>> {
    let minor = place.minor().await;
    let mut facts = vec![version(minor)];
    let crds: Api<CustomResourceDefinition> = Api::all(place.client.clone());
    let crds = crds.list(&ListParams::default()).await?.items;
    let installed = of_crds(&crds);
    let has_crds = installed.level != Level::Wrong || installed.text.contains("another version");
    facts.push(installed);
    let groups = place.client.list_api_groups().await?.groups;
    let groups: BTreeSet<String> = groups.into_iter().map(|group| group.name).collect();
    facts.extend(of_groups(&groups));
    let classes: Api<storagev1::StorageClass> = Api::all(place.client.clone());
    let classes = classes.list(&ListParams::default()).await?.items;
    facts.push(of_classes(&classes));
    let mut kinds = vec![(Kind::Node, Where::Everywhere)];
    if has_crds {
        let ours = [Kind::Service, Kind::TaskDefinition, Kind::Cluster, Kind::CapacityProvider];
        kinds.extend(ours.map(|kind| (kind, Where::Everywhere)));
    }
    let world = place.world(&kinds).await?;
    facts.extend(of_nodes(&world));
    if has_crds {
        facts.extend(of_objects(&world));
    }
    Ok(facts)
}

fn version(minor: Option<u32>) -> Fact {
    match minor {
        Some(minor) if minor < OLDEST_KUBERNETES_MINOR => wrong(format!(
            "Kubernetes 1.{minor} is older than 1.{OLDEST_KUBERNETES_MINOR}, the oldest that Linkspan supports"
        )),
        Some(minor) if minor > NEWEST_KUBERNETES_MINOR => good(format!(
            "Kubernetes 1.{minor}; what is newer in it than 1.{NEWEST_KUBERNETES_MINOR} is not used"
        )),
        Some(minor) => good(format!("Kubernetes 1.{minor}")),
        None => wrong("the API server does not say which Kubernetes it is"),
    }
}

/// Whether Linkspan's kinds are there, as this program has them.
fn of_crds(found: &[CustomResourceDefinition]) -> Fact {
    let install = "`linkspan crd | kubectl apply --server-side -f -`";
    let mut missing = Vec::new();
    let mut other = Vec::new();
    for wanted in api::crds() {
        let name = wanted.name_any();
        let kind = wanted.spec.names.kind.clone();
        match found.iter().find(|one| one.name_any() == name) {
            None => missing.push(kind),
            Some(found) => {
                let schema = |one: &CustomResourceDefinition| {
                    one.spec.versions.first().map(|version| version.schema.clone())
                };
                if schema(found) != schema(&wanted) {
                    other.push(kind);
                }
            }
        }
    }
    if !missing.is_empty() {
        return wrong(format!("the kinds {} are not installed: {install}", missing.join(", ")));
    }
    if !other.is_empty() {
        return wrong(format!(
            "the kinds {} are those of another version of Linkspan than this program: {install}",
            other.join(", ")
        ));
    }
    good("Linkspan's kinds are installed, as this program has them")
}

fn of_groups(groups: &BTreeSet<String>) -> Vec<Fact> {
    [
        (
            "metrics.k8s.io",
            "metrics of CPU and memory: target tracking works",
            "metrics of CPU and memory: services are not scaled by them; install metrics-server",
        ),
        (
            "external.metrics.k8s.io",
            "external metrics: services can be scaled by queues and the like",
            "external metrics: no scaling by queues; an adapter, as KEDA or that of Prometheus, serves \
             them",
        ),
        (
            "custom.metrics.k8s.io",
            "custom metrics of pods",
            "custom metrics of pods: no scaling by them",
        ),
        (
            "karpenter.sh",
            "Karpenter: managed instances become NodePools",
            "Karpenter: a managedInstancesProvider has nothing that makes its nodes",
        ),
    ]
    .into_iter()
    .map(|(group, there, missing)| if groups.contains(group) { good(there) } else { absent(missing) })
    .collect()
}

fn of_classes(classes: &[storagev1::StorageClass]) -> Fact {
    const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
    let is_default = |class: &&storagev1::StorageClass| {
        class.annotations().get(DEFAULT).is_some_and(|value| value == "true")
    };
    match classes.iter().find(is_default) {
        Some(class) => good(format!("volumes come from StorageClass {}", class.name_any())),
        None => absent("default StorageClass: volumes need a row in the Cluster's volumeDrivers"),
    }
}

fn of_nodes(world: &World) -> Vec<Fact> {
    let nodes: Vec<_> = world.nodes.iter().collect();
    let ready =
        nodes.iter().filter(|node| condition(node) == capacity_provider::Condition::Ready).count();
    if nodes.is_empty() || ready == 0 {
        return vec![wrong(format!("{} nodes, none of which takes tasks", nodes.len()))];
    }
    let zone = |node: &k8s_openapi::api::core::v1::Node| {
        node.metadata.labels.as_ref()?.get("topology.kubernetes.io/zone").cloned()
    };
    let zones: BTreeSet<String> = nodes.iter().filter_map(|node| zone(node)).collect();
    let mut facts = vec![good(format!("{ready} of {} nodes take tasks", nodes.len()))];
    facts.push(match zones.len() {
        0 => absent(
            "zones: no node has the label topology.kubernetes.io/zone, and nothing is spread",
        ),
        1 => absent("second zone: a spread over zones has no effect"),
        several => good(format!("{several} zones")),
    });
    if ready == 1 {
        facts.push(absent("second node: distinctInstance allows one task, and a drain stops all"));
    }
    if !world.features().restart_all_containers {
        facts.push(absent(
            "restart of all containers of a task at one's exit on every node (Kubernetes 1.36): an \
             essential container that exits is started again by itself",
        ));
    }
    facts
}

/// Whether the operator works, by what it has seen to; and what it says is wrong.
fn of_objects(world: &World) -> Vec<Fact> {
    let mut facts = Vec::new();
    let (mut seen, mut unseen) = (0, Vec::new());
    for service in world.services.iter() {
        let name = format!(
            "{}/{}",
            service.metadata.namespace.clone().unwrap_or_default(),
            service.metadata.name.clone().unwrap_or_default()
        );
        let status = service.status.clone().unwrap_or_default();
        if status.observed_generation == service.metadata.generation {
            seen += 1;
        } else {
            let made = service.metadata.creation_timestamp.as_ref().map(|time| time.0);
            // A new one may be a moment old.
            if made.is_none_or(|made| now().as_second() - made.as_second() > 60) {
                unseen.push(name.clone());
            }
        }
        facts.extend(stalled("Service", service.meta(), &status.conditions));
    }
    if world.services.iter().next().is_none() {
        facts.push(absent(
            "service yet: whether an operator runs is told by those that it has seen",
        ));
    } else if unseen.is_empty() {
        facts.push(good(format!("the operator has seen all {seen} services")));
    } else {
        facts.push(wrong(format!(
            "the operator has not seen {}; does it run? `linkspan controller`, or Linkspan's chart",
            unseen.join(", ")
        )));
    }
    for cluster in world.clusters.iter() {
        let status = cluster.status.clone().unwrap_or_default();
        facts.extend(stalled("Cluster", cluster.meta(), &status.conditions));
    }
    for definition in world.task_definitions.iter() {
        let status = definition.status.clone().unwrap_or_default();
        facts.extend(stalled("TaskDefinition", definition.meta(), &status.conditions));
    }
    for provider in world.capacity_providers.iter() {
        let status = provider.status.clone().unwrap_or_default();
        facts.extend(stalled("CapacityProvider", provider.meta(), &status.conditions));
    }
    facts
}

/// What an object of ours says that will not go by itself.
fn stalled(kind: &str, meta: &ObjectMeta, conditions: &[Condition]) -> Option<Fact> {
    let stalled = ConditionType::Stalled.as_str();
    let found = conditions.iter().find(|one| one.type_ == stalled && one.status == "True")?;
    let name = meta.name.as_deref().unwrap_or_default();
    let name = match &meta.namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    };
    Some(wrong(format!("{kind} {name} is stalled: {}: {}", found.reason, found.message)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_told_first() {
        let facts = [good("a"), absent("b"), wrong("c")];
        assert_eq!(told(&facts), "wrong  c\nnone   b\ngood   a\n");
    }

    #[test]
    fn kinds_are_compared_with_those_of_this_program() {
        assert_eq!(of_crds(&api::crds()).level, Level::Good);
        let fact = of_crds(&[]);
        assert_eq!(fact.level, Level::Wrong);
        assert!(fact.text.contains("TaskDefinition, "), "{}", fact.text);
        let mut other = api::crds();
        if let Some(version) = other.first_mut().and_then(|one| one.spec.versions.first_mut()) {
            version.schema = None;
        }
        let fact = of_crds(&other);
        assert!(
            fact.text.starts_with("the kinds TaskDefinition are those of another"),
            "{}",
            fact.text
        );
    }

    #[test]
    fn whatever_of_ours_is_stalled_is_wrong() {
        let kinds = [
            (Kind::Service, "Service", "shop/it"),
            (Kind::Cluster, "Cluster", "shop/it"),
            (Kind::TaskDefinition, "TaskDefinition", "shop/it"),
            (Kind::CapacityProvider, "CapacityProvider", "it"),
        ];
        for (kind, word, name) in kinds {
            let mut world = World::default();
            let of = |status: &str| {
                let namespace = kind.is_namespaced().then_some("shop");
                let (api_version, kind) = kind.type_meta();
                json!({"apiVersion": api_version, "kind": kind,
                    "metadata": {"name": "it", "namespace": namespace, "uid": "u"}, "spec": {},
                    "status": {"desiredCount": 0, "runningCount": 0, "pendingCount": 0,
                        "conditions": [{"type": "Stalled", "status": status,
                            "reason": "InvalidSpec", "message": "why",
                            "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
            };
            let mut faults = |status: &str| -> Vec<String> {
                assert!(world.put(kind, of(status)).is_ok(), "{word} decodes");
                let facts = of_objects(&world).into_iter();
                let faults = facts.filter(|fact| fact.level == Level::Wrong);
                faults.map(|fact| fact.text).collect()
            };
            assert_eq!(faults("True"), [format!("{word} {name} is stalled: InvalidSpec: why")]);
            assert!(faults("False").is_empty());
        }
    }

    #[test]
    fn old_servers_are_refused() {
        assert_eq!(version(Some(32)).level, Level::Wrong);
        assert_eq!(version(Some(33)).level, Level::Good);
        assert_eq!(version(None).level, Level::Wrong);
    }
}
