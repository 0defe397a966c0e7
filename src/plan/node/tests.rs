//! What is written on nodes: as nodes, expressions and cordons come and go, and nothing else.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::names::{self, label};
use crate::plan::placement::node_labels::MOST_LABELS;
use crate::plan::{Moment, plan, roots_of};
use crate::world::{Shelved, Unreadable};

fn node(name: &str, kind: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": format!("uid-{name}"),
        "labels": {"node.kubernetes.io/instance-type": kind}}, "spec": {}, "status": {
        "conditions": [{"type": "Ready", "status": "True"}]}})
}

/// A record of a deployment whose pods go only where these expressions hold.
fn record(name: &str, expressions: &[&str]) -> Value {
    let constraints: Vec<Value> =
        expressions.iter().map(|text| json!({"type": "memberOf", "expression": text})).collect();
    let requested = json!({"taskDefinition": "shop", "placementConstraints": constraints});
    let keys = said_by_label(&requested).into_iter();
    let terms: Vec<Value> =
        keys.map(|(key, _)| json!({"key": key, "operator": "In", "values": ["true"]})).collect();
    json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "ServiceDeployment",
        "metadata": {"name": name, "namespace": "shop", "uid": name},
        "spec": {"service": {"name": "web", "uid": "u"}, "sequence": 1, "cause": "ServiceCreated",
            "deploymentId": "ecs-svc/1", "taskDefinition": "shop:1", "requested": requested,
            "features": {"kubernetesMinor": 36},
            "template": {"spec": {"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution":
                    {"nodeSelectorTerms": [{"matchExpressions": terms}]}}}}}}})
}

fn world(objects: &[(Kind, Value)]) -> World {
    let mut world = World { writes_nodes: true, ..World::default() };
    for (kind, body) in objects {
        world.put(*kind, body.clone()).unwrap();
    }
    world
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::Node, "", name)
}

fn planned(world: &World, name: &str) -> Plan {
    plan(world, &key(name), &Moment::at(Timestamp::UNIX_EPOCH))
}

/// The labels that a node is to have of ours, where anything is written.
fn labelled(world: &World, name: &str) -> Option<BTreeMap<String, String>> {
    match planned(world, name).writes.as_slice() {
        [] => None,
        [Write::Apply(object)] => {
            let labels = object.body["metadata"].get("labels").cloned().unwrap_or(json!({}));
            Some(serde_json::from_value(labels).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

/// Plans for all nodes and carries it out; how many writes that took.
fn settle(world: &mut World) -> usize {
    let names: Vec<ObjectKey> = world.nodes.keys().collect();
    let mut writes = 0;
    for name in names {
        for write in plan(world, &name, &Moment::at(Timestamp::UNIX_EPOCH)).writes {
            world.carry_out(&write).unwrap();
            writes += 1;
        }
    }
    writes
}

/// The nodes that carry the label of an expression.
fn carriers(world: &World) -> Vec<String> {
    let carries = |node: &corev1::Node| {
        node.metadata.labels.iter().flatten().any(|(key, value)| is_label(key) && value == "true")
    };
    let nodes = world.nodes.iter().filter(|node| carries(node));
    nodes.map(|node| node.metadata.name.clone().unwrap()).collect()
}

const MATCHES: &str = "attribute:ecs.instance-type =~ m5.*";

#[test]
fn the_nodes_that_an_expression_chooses_carry_its_label() {
    let mut world = world(&[
        (Kind::Node, node("a", "m5.large")),
        (Kind::Node, node("b", "t3.large")),
        (Kind::ServiceDeployment, record("web-1", &[MATCHES])),
    ]);
    let labels = labelled(&world, "a").unwrap();
    assert_eq!(labels.values().collect::<Vec<_>>(), ["true"]);
    assert!(labels.keys().all(|key| is_label(key)));
    assert_eq!(labelled(&world, "b"), None);
    assert_eq!(settle(&mut world), 1);
    assert_eq!((carriers(&world), settle(&mut world)), (vec!["a".to_owned()], 0));
    // A node that comes, one that becomes another, and the last deployment that goes.
    world.put(Kind::Node, node("c", "m5.xlarge")).unwrap();
    let mut other = world.body(&key("a")).unwrap();
    other["metadata"]["labels"]["node.kubernetes.io/instance-type"] = json!("c5.large");
    world.put(Kind::Node, other).unwrap();
    assert_eq!(settle(&mut world), 2);
    assert_eq!(carriers(&world), ["c"]);
    world.remove(&ObjectKey::new(Kind::ServiceDeployment, "shop", "web-1"));
    assert_eq!(settle(&mut world), 1);
    assert_eq!((carriers(&world), settle(&mut world)), (vec![], 0));
}

#[test]
fn expressions_that_a_pod_template_can_say_need_no_label() {
    let world = world(&[
        (Kind::Node, node("a", "m5.large")),
        (Kind::ServiceDeployment, {
            let mut record = record("web-1", &["attribute:ecs.instance-type == m5.large"]);
            record["spec"]["template"] = json!({"spec": {}});
            record
        }),
    ]);
    assert_eq!(labelled(&world, "a"), None);
}

#[test]
fn an_expression_of_the_task_definition_is_found_by_its_revision() {
    let mut record = record("web-1", &[MATCHES]);
    record["spec"]["requested"] = json!({"taskDefinition": "shop"});
    let revision = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "TaskDefinitionRevision",
        "metadata": {"name": "shop-1", "namespace": "shop"}, "spec": {"family": "shop",
            "placementConstraints": [{"type": "memberOf", "expression": MATCHES}]}});
    let mut world = world(&[
        (Kind::Node, node("a", "m5.large")),
        (Kind::ServiceDeployment, record),
        (Kind::TaskDefinitionRevision, revision),
    ]);
    settle(&mut world);
    assert_eq!(carriers(&world), ["a"]);
}

#[test]
fn what_others_have_set_is_neither_taken_nor_missed() {
    let mut body = node("a", "m5.large");
    body["metadata"]["labels"]["placement.ecs.linkspan.dev/mine"] = json!("yes");
    body["metadata"]["annotations"] = json!({"example.com/a": "b"});
    body["spec"]["taints"] = json!([{"key": "x", "effect": "NoSchedule"}]);
    let mut world = world(&[
        (Kind::Node, body.clone()),
        (Kind::ServiceDeployment, record("web-1", &[MATCHES])),
    ]);
    let before = world.body(&key("a")).unwrap();
    let plan = planned(&world, "a");
    let [Write::Apply(object)] = plan.writes.as_slice() else { panic!("{plan:?}") };
    assert_eq!(object.body["metadata"]["uid"], "uid-a", "one that is gone is not made anew");
    assert_eq!((object.body.get("spec"), object.body.get("status")), (None, None));
    settle(&mut world);
    world.remove(&ObjectKey::new(Kind::ServiceDeployment, "shop", "web-1"));
    settle(&mut world);
    assert_eq!(world.body(&key("a")).unwrap(), before);
}

#[test]
fn nothing_is_written_where_it_is_not_granted_or_the_node_goes_or_cannot_be_read() {
    let mut world = world(&[
        (Kind::Node, node("a", "m5.large")),
        (Kind::ServiceDeployment, record("web-1", &[MATCHES])),
    ]);
    world.writes_nodes = false;
    assert_eq!(labelled(&world, "a"), None);
    world.writes_nodes = true;
    let mut going = node("a", "m5.large");
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    world.put(Kind::Node, going).unwrap();
    assert_eq!(labelled(&world, "a"), None);
    let unreadable = Unreadable {
        uid: "u".to_owned(),
        generation: None,
        created: None,
        labels: BTreeMap::new(),
        message: "no".to_owned(),
    };
    world.unreadable.insert(key("a"), unreadable);
    assert_eq!(planned(&world, "a"), Plan::default(), "its status is its kubelet's");
}

#[test]
fn one_expression_too_many_takes_nothing_from_those_that_work() {
    let expressions: Vec<String> =
        (0..=MOST_LABELS).map(|n| format!("attribute:ecs.instance-type =~ m5.*|x{n}")).collect();
    let texts: Vec<&str> = expressions.iter().map(String::as_str).collect();
    let (kept, more) = texts.split_at(MOST_LABELS);
    let mut world = world(&[
        (Kind::Node, node("a", "m5.large")),
        (Kind::ServiceDeployment, record("web-1", kept)),
    ]);
    settle(&mut world);
    let before = world.body(&key("a")).unwrap();
    world.put(Kind::ServiceDeployment, record("other-1", more)).unwrap();
    assert_eq!(settle(&mut world), 0);
    assert_eq!(world.body(&key("a")).unwrap(), before);
    world.put(Kind::Node, node("b", "m5.large")).unwrap();
    settle(&mut world);
    let count = |name: &str| {
        let node = world.nodes.get("", name).unwrap();
        node.metadata.labels.iter().flatten().filter(|(key, _)| is_label(key)).count()
    };
    assert_eq!((count("a"), count("b")), (MOST_LABELS, MOST_LABELS));
}

#[test]
fn a_task_group_is_found_by_a_name_that_no_label_can_hold() {
    let name = "a-service-of-".repeat(9) + "payments";
    let expression = format!("task:group == service:{name} or attribute:ecs.instance-type =~ x.*");
    let mut world = world(&[
        (Kind::Node, node("a", "m5.large")),
        (Kind::Node, node("b", "m5.large")),
        (Kind::ServiceDeployment, record("web-1", &[expression.as_str()])),
    ]);
    for (at, service) in [("a", name.as_str()), ("b", "a-service-of-others")] {
        let labels = json!({label::SERVICE: names::label_value(service), label::SERVICE_UID: at});
        let task: corev1::Pod = serde_json::from_value(json!({
            "metadata": {"name": at, "namespace": "shop", "labels": labels},
            "spec": {"nodeName": at, "containers": [{"name": "a"}]}}))
        .unwrap();
        corev1::Pod::shelf_mut(&mut world).put(task).unwrap();
    }
    settle(&mut world);
    assert_eq!(carriers(&world), ["a"]);
}

#[test]
fn task_groups_beside_other_questions_follow_the_tasks() {
    let expression = "task:group == service:db or attribute:ecs.instance-type =~ x.*";
    let mut world = world(&[
        (Kind::Node, node("a", "m5.large")),
        (Kind::ServiceDeployment, record("web-1", &[expression])),
    ]);
    assert_eq!(labelled(&world, "a"), None);
    let task: corev1::Pod =
        serde_json::from_value(json!({"metadata": {"name": "db", "namespace": "shop",
            "labels": {"ecs.linkspan.dev/service": "db", "ecs.linkspan.dev/service-uid": "v"}},
        "spec": {"nodeName": "a", "containers": [{"name": "a"}]}}))
        .unwrap();
    let change = corev1::Pod::shelf_mut(&mut world).put(task).unwrap();
    assert!(roots_of(&world, &change).contains(&key("a")));
    settle(&mut world);
    assert_eq!(carriers(&world), ["a"]);
}

#[test]
fn a_cordon_and_every_word_of_an_end_are_said_by_a_label() {
    let mut world = world(&[(Kind::Node, node("a", "m5.large"))]);
    assert_eq!(labelled(&world, "a"), None);
    let mut cordoned = node("a", "m5.large");
    cordoned["spec"]["unschedulable"] = json!(true);
    world.put(Kind::Node, cordoned).unwrap();
    let said = |why: &str| Some(BTreeMap::from([(DRAINING.to_owned(), why.to_owned())]));
    assert_eq!(labelled(&world, "a"), said("cordoned"));
    settle(&mut world);
    assert_eq!(
        capacity_provider::condition(&world.nodes.get("", "a").unwrap()),
        capacity_provider::Condition::Cordoned
    );
    let mut open = world.body(&key("a")).unwrap();
    open["spec"] = json!({});
    world.put(Kind::Node, open).unwrap();
    assert_eq!(labelled(&world, "a"), Some(BTreeMap::new()), "uncordoned");
    for (taint, who) in ENDING {
        let mut ending = node("a", "m5.large");
        ending["spec"]["taints"] = json!([{"key": taint, "effect": "NoSchedule"}]);
        world.put(Kind::Node, ending).unwrap();
        assert_eq!(labelled(&world, "a"), said("ending"), "{taint}: {who}");
        let node = world.nodes.get("", "a").unwrap();
        assert_eq!(capacity_provider::condition(&node), capacity_provider::Condition::Draining);
    }
}

/// Takes an object in; tells who is planned for.
fn put<K: Shelved>(world: &mut World, body: Value) -> BTreeSet<ObjectKey> {
    let object: K = serde_json::from_value(body).unwrap();
    let change = K::shelf_mut(world).put(object).unwrap();
    roots_of(world, &change)
}

#[test]
fn a_node_is_looked_at_again_when_something_changes_that_matters() {
    let mut world =
        world(&[(Kind::Node, node("a", "m5.large")), (Kind::Node, node("b", "m5.large"))]);
    let mut heartbeat = node("a", "m5.large");
    heartbeat["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(put::<corev1::Node>(&mut world, heartbeat), BTreeSet::new());
    let mut cordoned = node("a", "m5.large");
    cordoned["spec"]["unschedulable"] = json!(true);
    assert_eq!(put::<corev1::Node>(&mut world, cordoned), BTreeSet::from([key("a")]));
    let both = BTreeSet::from([key("a"), key("b")]);
    assert!(
        put::<crate::api::ServiceDeployment>(&mut world, record("web-1", &[MATCHES]))
            .is_superset(&both),
        "the first that needs it"
    );
    assert!(
        put::<crate::api::ServiceDeployment>(&mut world, record("web-2", &[MATCHES]))
            .is_disjoint(&both),
        "the second"
    );
}
