//! Where do the tasks of a service land? The real scheduler places them on simulated nodes.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as corev1;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use linkspan::api::{CapacityProvider, Service, TaskDefinition};
use linkspan::sandbox::control_plane::nodes::NodeGroup;
use linkspan::sandbox::node_groups;
use serde_json::{Value, json};

use crate::support::{Place, status_of, task_definition};

const ZONE: &str = "topology.kubernetes.io/zone";

/// The nodes of a steady service's tasks.
async fn nodes(place: &Place, service: &Service) -> Vec<corev1::Node> {
    let all: Api<corev1::Node> = Api::all(place.client.clone());
    let mut nodes = Vec::new();
    for pod in place.children::<corev1::Pod>(service).await {
        let name = pod.spec.unwrap().node_name.unwrap();
        nodes.push(all.get(&name).await.unwrap());
    }
    nodes
}

async fn placed(place: &Place, name: &str, count: i32, more: Value) -> Vec<corev1::Node> {
    let mut spec = json!({"taskDefinition": "shop", "desiredCount": count});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    place.service(name, spec).await;
    let service = place.steady(name, count, "shop:1").await;
    nodes(place, &service).await
}

fn counts(nodes: &[corev1::Node], label: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for node in nodes {
        *counts.entry(node.labels()[label].clone()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn tasks_land_where_constraints_and_strategies_say() {
    let place = Place::new("placing").await;
    place.task_definition("shop", "example/shop:1").await;
    let zones: BTreeSet<String> = {
        let all: Api<corev1::Node> = Api::all(place.client.clone());
        let nodes = all.list(&kube::api::ListParams::default()).await.unwrap();
        nodes.items.iter().filter_map(|node| node.labels().get(ZONE).cloned()).collect()
    };
    let zone = zones.first().unwrap();
    assert_eq!(zones.len(), 3, "{zones:?}");

    let of_zone = json!({"placementConstraints": [
        {"type": "memberOf", "expression": format!("attribute:ecs.availability-zone == {zone}")}]});
    let distinct = json!({"placementConstraints": [{"type": "distinctInstance"}]});
    let spread = json!({"placementStrategy":
        [{"type": "spread", "field": "attribute:ecs.availability-zone"}]});
    let (in_zone, apart, even) = tokio::join!(
        placed(&place, "in-zone", 4, of_zone),
        placed(&place, "apart", 4, distinct),
        placed(&place, "even", 6, spread)
    );
    assert_eq!(counts(&in_zone, ZONE), BTreeMap::from([(zone.clone(), 4)]));
    let hosts: BTreeSet<String> = apart.iter().map(ResourceExt::name_any).collect();
    assert_eq!(hosts.len(), 4, "each on a node of its own");
    let even = counts(&even, ZONE);
    assert!(even.len() == 3 && even.values().all(|count| *count == 2), "{even:?}");
}

#[tokio::test]
async fn tasks_run_on_the_nodes_of_their_capacity_provider() {
    let place = Place::new("capacity").await;
    place.task_definition("shop", "example/shop:1").await;
    let pools: Vec<String> = node_groups().iter().map(|group| group.name.clone()).collect();
    let pool = &pools[0];
    let strategy = json!([{"capacityProvider": pool, "weight": 1}]);
    let landed = placed(&place, "pooled", 3, json!({"capacityProviderStrategy": strategy})).await;
    assert!(landed.iter().all(|node| node.name_any().starts_with(pool.as_str())), "{landed:?}");

    // No node is of this pool: the task waits, and the service says where it would run.
    let strategy = json!([{"capacityProvider": "nobody", "weight": 1}]);
    let asked = json!({"taskDefinition": "shop", "capacityProviderStrategy": strategy});
    place.service("waiting", asked).await;
    let message = place.reason("waiting", "UnableToPlaceTask").await;
    assert!(message.contains("didn't match Pod's node affinity/selector"), "{message}");
    let service = place.api::<Service>().get("waiting").await.unwrap();
    let conditions = status_of(&service).conditions;
    let told = conditions.iter().find(|condition| condition.type_ == "FullySupported").unwrap();
    assert!(told.message.contains("no CapacityProvider `nobody` is there"), "{}", told.message);
}

/// Three groups of ten nodes over three zones, of 4 cores each, that only tasks of provider `fleet`
/// come to: `fleeta` of m5.xlarge, `fleetb` of c5.xlarge and `fleetc` of m5d.xlarge.
async fn fleet(place: &Place) -> [NodeGroup; 3] {
    let types = [("fleeta", "m5.xlarge"), ("fleetb", "c5.xlarge"), ("fleetc", "m5d.xlarge")];
    let groups = types.map(|(name, instance_type)| NodeGroup {
        name: name.to_owned(),
        count: 10,
        instance_type: instance_type.to_owned(),
        labels: [("fleet".to_owned(), "yes".to_owned())].into(),
        taints: vec![corev1::Taint {
            key: "only-fleet".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..corev1::Taint::default()
        }],
        ..NodeGroup::default()
    });
    for group in &groups {
        group.create(&place.client).await.unwrap();
    }
    let object = json!({"apiVersion": CapacityProvider::api_version(&()),
        "kind": "CapacityProvider", "metadata": {"name": "fleet"},
        "spec": {"managedNodeGroup": {"taints": [{"key": "only-fleet", "effect": "NO_SCHEDULE"}]},
            "kubernetes": {"nodeSelector": {"fleet": "yes"}}}});
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.patch("fleet", &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
    groups
}

/// A number of tasks, the asked-for placement, and what their nodes must be like.
type Case = (&'static str, i32, Value, fn(&[corev1::Node]) -> Result<(), String>);

fn is_so(so: bool, found: impl std::fmt::Debug) -> Result<(), String> {
    if so { Ok(()) } else { Err(format!("{found:?}")) }
}

/// How many tasks each of the nodes has, the fullest first.
fn per_node(nodes: &[corev1::Node]) -> Vec<usize> {
    let mut counts: Vec<usize> = counts(nodes, "kubernetes.io/hostname").into_values().collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    counts
}

fn only_of(nodes: &[corev1::Node], types: &[&str]) -> Result<(), String> {
    let found = counts(nodes, "node.kubernetes.io/instance-type");
    is_so(found.keys().all(|kind| types.contains(&kind.as_str())), found)
}

/// Every strategy and every kind of constraint. A task takes one of a node's four cores.
fn cases() -> Vec<Case> {
    let strategy = |all: Value| json!({"placementStrategy": all});
    let member =
        |text: &str| json!({"placementConstraints": [{"type": "memberOf", "expression": text}]});
    let zones = json!({"type": "spread", "field": "attribute:ecs.availability-zone"});
    let hosts = json!({"type": "spread", "field": "instanceId"});
    let packed: fn(&[corev1::Node]) -> _ = |nodes| {
        let found = per_node(nodes);
        is_so(found == [4, 4], found)
    };
    let even: fn(&[corev1::Node]) -> _ = |nodes| {
        let zones = counts(nodes, ZONE);
        is_so(zones.len() == 3 && zones.values().all(|count| *count == 3), zones)
    };
    vec![
        ("binpack-cpu", 8, strategy(json!([{"type": "binpack", "field": "cpu"}])), packed),
        ("binpack-memory", 8, strategy(json!([{"type": "binpack", "field": "memory"}])), packed),
        ("zones", 9, strategy(json!([zones])), even),
        ("hosts", 12, strategy(json!([hosts])), |nodes| {
            let found = per_node(nodes);
            is_so(found == [1; 12], found)
        }),
        ("zones-hosts", 9, strategy(json!([zones, hosts])), |nodes| {
            let (zones, each) = (counts(nodes, ZONE), per_node(nodes));
            is_so(zones.values().all(|count| *count == 3) && each == [1; 9], (zones, each))
        }),
        ("random", 6, strategy(json!([{"type": "random"}])), |nodes| {
            is_so(nodes.len() == 6, nodes.len())
        }),
        (
            "distinct",
            30,
            json!({"placementConstraints": [{"type": "distinctInstance"}]}),
            |nodes| {
                let found = per_node(nodes);
                is_so(found == [1; 30], found)
            },
        ),
        ("equal", 6, member("attribute:ecs.instance-type == c5.xlarge"), |nodes| {
            only_of(nodes, &["c5.xlarge"])
        }),
        ("not", 6, member("not(attribute:ecs.instance-type == m5.xlarge)"), |nodes| {
            only_of(nodes, &["c5.xlarge", "m5d.xlarge"])
        }),
        ("pattern", 6, member("attribute:ecs.instance-type =~ m5.*"), |nodes| {
            only_of(nodes, &["m5.xlarge", "m5d.xlarge"])
        }),
        (
            "both",
            3,
            member(
                "attribute:ecs.availability-zone in [sandbox-1a, sandbox-1b] and \
                 attribute:ecs.instance-type != c5.xlarge",
            ),
            |nodes| {
                let zones = counts(nodes, ZONE);
                only_of(nodes, &["m5.xlarge", "m5d.xlarge"])?;
                is_so(!zones.contains_key("sandbox-1c"), zones)
            },
        ),
    ]
}

#[tokio::test]
async fn every_strategy_and_constraint_holds_on_thirty_nodes_of_three_groups_in_three_zones() {
    let place = Place::new("fleet").await;
    let groups = fleet(&place).await;
    let mut packer = task_definition("example/shop:1");
    (packer["cpu"], packer["memory"]) = (json!("1024"), json!("2048"));
    place.apply::<TaskDefinition>("shop", packer).await;
    // One after the other: what fills a node up goes by all that runs there.
    for (name, count, mut more, is_right) in cases() {
        more["capacityProviderStrategy"] = json!([{"capacityProvider": "fleet"}]);
        let landed = placed(&place, name, count, more).await;
        assert!(landed.iter().all(|node| node.labels().contains_key("fleet")), "{name}");
        if let Err(found) = is_right(&landed) {
            panic!("{name}: {found}");
        }
        let service = place.api::<Service>().get(name).await.unwrap();
        place.delete::<Service>(name).await;
        place.gone(&service).await;
    }
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.delete("fleet", &DeleteParams::default()).await.unwrap();
    for group in groups {
        group.delete(&place.client).await.unwrap();
    }
}
