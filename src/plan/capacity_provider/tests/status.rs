//! What a capacity provider says of its nodes, and who is looked at again when they change.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::{CapacityProviderStatus, NodeCounts, Room};
use crate::plan::{Moment, Plan, Write, plan, roots_of};
use crate::world::{Kind, ObjectKey, Placed, Shelved, World};

pub(super) const POOL: &str = "eks.amazonaws.com/nodegroup";

pub(super) fn key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::CapacityProvider, "", name)
}

pub(super) fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(super) fn provider(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "CapacityProvider", "spec": spec,
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": 1,
            "creationTimestamp": "2025-01-01T00:00:00Z"}})
}

/// A ready node of 4 cores and 16 GiB in a pool.
pub(super) fn node(name: &str, pool: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {POOL: pool}}, "spec": {}, "status": {
        "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "10"},
        "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2025-12-31T23:59:00Z"}]}})
}

/// A task of half a core and 1 GiB on a node, or on none.
pub(super) fn task(name: &str, node: Option<&str>, provider: &str) -> Value {
    let unschedulable =
        json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]);
    json!({"metadata": {"name": name, "namespace": "shop", "labels": {
            "ecs.linkspan.dev/service": "web", "ecs.linkspan.dev/service-uid": "u",
            "ecs.linkspan.dev/capacity-provider": provider}},
        "spec": {"nodeName": node, "containers": [{"name": "a",
            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}]},
        "status": {"phase": "Pending", "conditions": if node.is_none() { unschedulable } else { json!([]) }}})
}

pub(super) fn world(objects: &[(Kind, Value)]) -> World {
    let mut world = World::default();
    for (kind, body) in objects {
        world.put(*kind, body.clone()).unwrap();
    }
    world
}

pub(super) fn planned(world: &World, name: &str) -> Plan {
    plan(world, &key(name), &Moment::at(now()))
}

/// The status that is planned.
fn told(world: &World, name: &str) -> CapacityProviderStatus {
    let plan = planned(world, name);
    let [Write::Status { status, .. }] = plan.writes.as_slice() else { panic!("{plan:?}") };
    serde_json::from_value(status.clone()).unwrap()
}

/// The condition that holds of Ready, Reconciling and Stalled, its reason and message.
pub(super) fn standing(status: &CapacityProviderStatus) -> (String, String, String) {
    let main = ["Ready", "Reconciling", "Stalled"];
    let mut holding = status
        .conditions
        .iter()
        .filter(|one| main.contains(&one.type_.as_str()) && one.status == "True");
    let one = holding.next().unwrap();
    assert_eq!(holding.next(), None, "one at a time");
    (one.type_.clone(), one.reason.clone(), one.message.clone())
}

#[test]
fn a_provider_tells_its_nodes_its_room_and_its_tasks() {
    let mut cordoned = node("c", "web");
    cordoned["spec"]["unschedulable"] = json!(true);
    let mut daemon = task("daemon", Some("b"), "");
    daemon["metadata"]["ownerReferences"] = json!([
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "o", "uid": "u", "controller": true}]);
    let mut stranger = task("stranger", Some("a"), "");
    stranger["metadata"]["labels"] = json!({});
    let world = world(&[
        (Kind::CapacityProvider, provider("web", &json!({"managedNodeGroup": {}}))),
        (Kind::Node, node("a", "web")),
        (Kind::Node, node("b", "web")),
        (Kind::Node, cordoned),
        (Kind::Node, node("d", "other")),
        (Kind::Pod, task("one", Some("a"), "")),
        (Kind::Pod, task("two", Some("a"), "")),
        (Kind::Pod, task("elsewhere", Some("d"), "")),
        (Kind::Pod, daemon),
        (Kind::Pod, stranger),
    ]);
    let status = told(&world, "web");
    assert_eq!(status.name.as_deref(), Some("web"));
    assert_eq!(status.status.as_deref(), Some("ACTIVE"));
    assert_eq!(status.kind.as_deref(), Some("EC2_AUTOSCALING"));
    let nodes = NodeCounts { total: 3, ready: 2, cordoned: 1, ..NodeCounts::default() };
    assert_eq!(status.nodes, Some(nodes));
    assert_eq!(status.registered, Some(Room { cpu: 3 * 4096, memory: 3 * 16_384 }));
    // Two tasks and one of a daemon, of 512 CPU units and 1024 MiB each, on the two ready nodes.
    assert_eq!(
        status.remaining,
        Some(Room { cpu: 2 * 4096 - 3 * 512, memory: 2 * 16_384 - 3 * 1024 })
    );
    assert_eq!((status.tasks, status.provisioning_tasks), (Some(2), Some(0)));
    // Three are up, and only `a` runs tasks of services that are no daemons.
    assert_eq!(status.reservation, Some(33));
    assert_eq!(
        standing(&status),
        ("Ready".to_owned(), "InEffect".to_owned(), "its nodes take tasks".to_owned())
    );
}

#[test]
fn tasks_that_wait_raise_the_reservation() {
    let mut passing = task("passing", None, "web");
    passing["status"] = json!({"phase": "Pending"});
    let world = world(&[
        (Kind::CapacityProvider, provider("web", &json!({"managedNodeGroup": {}}))),
        (Kind::Node, node("a", "web")),
        (Kind::Pod, task("runs", Some("a"), "web")),
        (Kind::Pod, task("waits", None, "web")),
        (Kind::Pod, task("waits-elsewhere", None, "other")),
        (Kind::Pod, passing),
    ]);
    let status = told(&world, "web");
    // The task for which no scheduler has looked yet waits for nothing.
    assert_eq!((status.tasks, status.provisioning_tasks), (Some(1), Some(1)));
    assert_eq!(status.reservation, Some(200));
}

#[test]
fn fargate_has_a_type_and_no_reservation() {
    for (name, kind) in [("FARGATE", "FARGATE"), ("FARGATE_SPOT", "FARGATE_SPOT")] {
        let spec = json!({"name": name, "fargateProfile": {"selectors": [{"namespace": "shop"}]}});
        let world = world(&[
            (Kind::CapacityProvider, provider("f", &spec)),
            (Kind::Node, node("a", "web")),
        ]);
        let status = told(&world, "f");
        assert_eq!((status.kind.as_deref(), status.reservation), (Some(kind), None));
        assert_eq!(standing(&status).0, "Ready", "it needs no nodes of its own");
    }
}

#[test]
fn why_there_is_no_capacity() {
    let unready = |name: &str| {
        let mut node = node(name, "web");
        node["status"]["conditions"][0]["status"] = json!("False");
        node
    };
    let cordoned = |name: &str| {
        let mut node = node(name, "web");
        node["spec"]["unschedulable"] = json!(true);
        node
    };
    let group = json!({"managedNodeGroup": {}});
    let selected =
        |selector: Value| json!({"managedNodeGroup": {}, "kubernetes": {"nodeSelector": selector}});
    let any = "eks.amazonaws.com/nodegroup=web, karpenter.sh/nodepool=web, \
        cloud.google.com/gke-nodepool=web, kubernetes.azure.com/agentpool=web or \
        ecs.linkspan.dev/capacity-provider=web";
    let sized = json!({"managedNodeGroup": {"scalingConfig": {"minSize": 0, "maxSize": 3}}});
    for (spec, nodes, waits, kind, reason, message) in [
        (&group, vec![], false, "Reconciling", "NoCapacity", "the cluster has no nodes".to_owned()),
        (
            &group,
            vec![node("a", "spot"), node("b", "ondemand")],
            false,
            "Stalled",
            "NoCapacity",
            format!(
                "no node has label {any}; the labels of nodes are \
                 eks.amazonaws.com/nodegroup=ondemand, eks.amazonaws.com/nodegroup=spot"
            ),
        ),
        (
            &selected(json!({"disk": "fast"})),
            vec![node("a", "web")],
            false,
            "Stalled",
            "NoCapacity",
            "no node has label disk=fast; no node has a label of such a key".to_owned(),
        ),
        (
            &selected(json!({"disk": "fast", POOL: "web"})),
            vec![node("a", "web")],
            true,
            "Stalled",
            "NoCapacity",
            "a task waits for one of its nodes, and no node has label disk=fast and \
             eks.amazonaws.com/nodegroup=web; the labels of nodes are eks.amazonaws.com/nodegroup=web"
                .to_owned(),
        ),
        (
            &sized,
            vec![node("a", "spot")],
            false,
            "Ready",
            "ScaledToZero",
            "it has no nodes, and no task waits for one".to_owned(),
        ),
        (
            &sized,
            vec![node("a", "spot")],
            true,
            "Reconciling",
            "NoCapacity",
            format!(
                "a task waits for one of its nodes, and no node has label {any}; the labels of nodes \
                 are eks.amazonaws.com/nodegroup=spot"
            ),
        ),
        (
            &group,
            vec![unready("a"), cordoned("b"), cordoned("c")],
            false,
            "Reconciling",
            "NoCapacity",
            "none of its nodes takes tasks: 1 not ready, 2 cordoned".to_owned(),
        ),
        (
            &group,
            vec![cordoned("b")],
            false,
            "Stalled",
            "NoCapacity",
            "none of its nodes takes tasks: 1 cordoned".to_owned(),
        ),
    ] {
        let mut objects = vec![(Kind::CapacityProvider, provider("web", spec))];
        objects.extend(nodes.into_iter().map(|node| (Kind::Node, node)));
        if waits {
            objects.push((Kind::Pod, task("waits", None, "web")));
        }
        let status = told(&world(&objects), "web");
        assert_eq!(standing(&status), (kind.to_owned(), reason.to_owned(), message), "{spec}");
    }
}

#[test]
fn labels_of_many_nodes_are_cut_short() {
    let mut objects =
        vec![(Kind::CapacityProvider, provider("web", &json!({"managedNodeGroup": {}})))];
    for number in 0..13 {
        objects.push((Kind::Node, node(&format!("n{number}"), &format!("pool-{number:02}"))));
    }
    let (_, _, message) = standing(&told(&world(&objects), "web"));
    assert!(message.ends_with("eks.amazonaws.com/nodegroup=pool-09 and 3 more"), "{message}");
}

#[test]
fn a_bad_spec_tells_every_problem_at_once() {
    let spec = json!({"name": "aws-x", "autoScalingGroupProvider": {
        "managedScaling": {"targetCapacity": 0}, "managedDraining": "MAYBE"}, "odd": 1});
    let status = told(&world(&[(Kind::CapacityProvider, provider("web", &spec))]), "web");
    assert_eq!(status.status.as_deref(), Some("INACTIVE"));
    let (kind, reason, message) = standing(&status);
    assert_eq!((kind.as_str(), reason.as_str()), ("Stalled", "InvalidSpec"));
    for part in ["must not begin with `aws`", "autoScalingGroupArn", "targetCapacity", "MAYBE"] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let formless = told(&world(&[(Kind::CapacityProvider, provider("web", &json!({})))]), "web");
    assert!(standing(&formless).2.contains("give exactly one of"));
    assert_eq!((formless.nodes, formless.kind), (None, None));
}

#[test]
fn a_wrong_shape_is_told_once() {
    let spec = json!({"managedNodeGroup": {"scalingConfig": {"minSize": "few"}}});
    let (_, findings) = super::super::findings(&spec, Some("web"));
    let refusals: Vec<_> = findings.refusals().map(|one| one.path.as_str()).collect();
    assert_eq!(refusals, ["managedNodeGroup.scalingConfig.minSize"]);
}

#[test]
fn of_two_with_one_name_the_older_has_it() {
    let spec = json!({"name": "pool", "managedNodeGroup": {}});
    let mut younger = provider("b", &spec);
    younger["metadata"]["creationTimestamp"] = json!("2025-06-01T00:00:00Z");
    let objects = [
        (Kind::CapacityProvider, provider("z", &spec)),
        (Kind::CapacityProvider, younger),
        (Kind::Node, node("a", "pool")),
    ];
    let mut world = world(&objects);
    assert_eq!(standing(&told(&world, "z")).0, "Ready");
    let (kind, reason, message) = standing(&told(&world, "b"));
    assert_eq!((kind.as_str(), reason.as_str()), ("Stalled", "NameTaken"));
    assert!(message.contains("is the older CapacityProvider z"), "{message}");
    // With the older gone, the younger is looked at and has the name.
    let change = world.capacity_providers.remove("", "z").unwrap();
    assert!(roots_of(&world, &change).contains(&key("b")));
    assert_eq!(standing(&told(&world, "b")).0, "Ready");
}

#[test]
fn what_is_told_is_not_told_again() {
    let mut world = world(&[
        (Kind::CapacityProvider, provider("web", &json!({"managedNodeGroup": {}}))),
        (Kind::Node, node("a", "web")),
        (Kind::Pod, task("one", Some("a"), "")),
    ]);
    let first = planned(&world, "web");
    assert!(matches!(first.writes.as_slice(), [Write::Status { urgent: true, .. }]));
    world.carry_out(&first.writes[0]).unwrap();
    assert_eq!(planned(&world, "web"), Plan::default());
    // A heartbeat, a task that runs, and one that takes the place of another change no figure.
    let mut beats = node("a", "web");
    beats["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2026-01-01T00:04:00Z");
    world.put(Kind::Node, beats).unwrap();
    let mut runs = task("one", Some("a"), "");
    runs["status"] =
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    world.put(Kind::Pod, runs).unwrap();
    assert_eq!(planned(&world, "web"), Plan::default());
    world.remove(&ObjectKey::new(Kind::Pod, "shop", "one"));
    world.put(Kind::Pod, task("two", Some("a"), "")).unwrap();
    assert_eq!(planned(&world, "web"), Plan::default());
    // What changes a figure waits to be written with others.
    world.put(Kind::Pod, task("three", Some("a"), "")).unwrap();
    let more = planned(&world, "web");
    assert!(matches!(more.writes.as_slice(), [Write::Status { urgent: false, .. }]), "{more:?}");
}

/// Who is looked at when an object becomes this one.
fn roots<K: Shelved>(world: &mut World, body: Value) -> BTreeSet<ObjectKey> {
    let object: K = serde_json::from_value(body).unwrap();
    let change = K::shelf_mut(world).put(object).unwrap();
    roots_of(world, &change)
}

#[test]
fn a_node_wakes_whose_it_is_or_was() {
    use k8s_openapi::api::core::v1 as corev1;
    let selected =
        json!({"managedNodeGroup": {}, "kubernetes": {"nodeSelector": {"disk": "fast"}}});
    let mut world = world(&[
        (Kind::CapacityProvider, provider("web", &json!({"managedNodeGroup": {}}))),
        (Kind::CapacityProvider, provider("other", &json!({"managedNodeGroup": {}}))),
        (Kind::CapacityProvider, provider("fast", &selected)),
    ]);
    let woken = |names: &[&str]| names.iter().map(|name| key(name)).collect::<BTreeSet<_>>();
    // Whoever tells nodes by the same key may have said which values there are.
    assert_eq!(roots::<corev1::Node>(&mut world, node("a", "web")), woken(&["other", "web"]));
    let mut beats = node("a", "web");
    beats["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2026-01-01T00:04:00Z");
    beats["status"]["images"] = json!([]);
    assert_eq!(roots::<corev1::Node>(&mut world, beats), woken(&[]), "a heartbeat");
    let mut cordoned = node("a", "web");
    cordoned["spec"]["unschedulable"] = json!(true);
    assert_eq!(roots::<corev1::Node>(&mut world, cordoned), woken(&["web"]), "a cordon");
    let mut smaller = node("a", "web");
    smaller["status"]["allocatable"]["cpu"] = json!("3");
    assert_eq!(roots::<corev1::Node>(&mut world, smaller), woken(&["web"]), "its room");
    let mut relabelled = node("a", "web");
    relabelled["metadata"]["labels"] = json!({"disk": "fast"});
    let all = woken(&["fast", "other", "web"]);
    assert_eq!(roots::<corev1::Node>(&mut world, relabelled), all, "whose it was, and is");
    let change = world.nodes.remove("", "a").unwrap();
    assert_eq!(roots_of(&world, &change), woken(&["fast"]), "it went");
}

#[test]
fn a_task_wakes_its_node_s_provider_as_it_comes_and_goes() {
    use k8s_openapi::api::core::v1 as corev1;
    let mut world = world(&[
        (Kind::CapacityProvider, provider("web", &json!({"managedNodeGroup": {}}))),
        (Kind::CapacityProvider, provider("other", &json!({"managedNodeGroup": {}}))),
        (Kind::Node, node("a", "web")),
    ]);
    let woken = |names: &[&str]| names.iter().map(|name| key(name)).collect::<BTreeSet<_>>();
    let waits = task("one", None, "other");
    assert_eq!(roots::<corev1::Pod>(&mut world, waits), woken(&["other"]), "no node will do");
    let bound = task("one", Some("a"), "other");
    assert_eq!(roots::<corev1::Pod>(&mut world, bound.clone()), woken(&["other", "web"]), "bound");
    let mut runs = bound.clone();
    runs["status"] =
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    assert_eq!(roots::<corev1::Pod>(&mut world, runs.clone()), woken(&[]), "ready");
    runs["status"]["phase"] = json!("Failed");
    assert_eq!(roots::<corev1::Pod>(&mut world, runs), woken(&["web"]), "ended");
    roots::<corev1::Pod>(&mut world, bound);
    let change = world.pods.remove("shop", "one").unwrap();
    assert_eq!(roots_of(&world, &change), woken(&["web"]), "gone");
}

#[test]
fn tasks_are_found_by_their_node() {
    let world = world(&[
        (Kind::Pod, task("one", Some("a"), "")),
        (Kind::Pod, task("two", Some("a"), "web")),
        (Kind::Pod, task("three", Some("ab"), "")),
        (Kind::Pod, task("four", None, "web")),
        (Kind::Pod, task("five", None, "webs")),
    ]);
    let names = |found: Vec<&Placed>| {
        found.iter().map(|one| format!("{}/{}", one.node, one.provider)).collect::<Vec<_>>()
    };
    assert_eq!(names(world.tasks_on("a")), ["a/", "a/web"]);
    assert_eq!(names(world.tasks_on("b")), [""; 0]);
    assert_eq!(names(world.tasks_waiting_for("web")), ["/web"]);
    // Two of one kind on one node are two.
    let mut world = world;
    world.put(Kind::Pod, task("six", Some("a"), "")).unwrap();
    assert_eq!(names(world.tasks_on("a")), ["a/", "a/", "a/web"]);
}

#[test]
fn services_look_at_a_new_spec_and_at_no_status() {
    use crate::api::CapacityProvider;
    let service = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u"}, "spec": {}});
    let mut world = world(&[(Kind::Service, service)]);
    let both = BTreeSet::from([key("web"), ObjectKey::new(Kind::Service, "shop", "web")]);
    let mut object = provider("web", &json!({"managedNodeGroup": {}}));
    assert_eq!(roots::<CapacityProvider>(&mut world, object.clone()), both);
    object["status"] = json!({"tasks": 3});
    let itself = BTreeSet::from([key("web")]);
    assert_eq!(roots::<CapacityProvider>(&mut world, object.clone()), itself);
    object["metadata"]["generation"] = json!(2);
    assert_eq!(roots::<CapacityProvider>(&mut world, object), both);
    let change = world.capacity_providers.remove("", "web").unwrap();
    assert_eq!(roots_of(&world, &change), both);
}
