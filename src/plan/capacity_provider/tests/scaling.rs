//! A group grows and shrinks by the scale of an object, and never in circles.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::status::{key, node, now, provider, standing, task, world};
use crate::api::{CapacityProviderStatus, Reason};
use crate::plan::capacity_provider::{Looked, Scale, ScaleTarget, Unusable};
use crate::plan::node::DRAINING;
use crate::plan::{Moment, Plan, Rejection, Waiting, Write, plan as planned};
use crate::world::{Kind, ObjectKey, World};

const MARK: &str = "example.com/remove-first";

/// A provider of the pool `web` that is scaled by a group of that name.
fn scaled(more: &Value) -> Value {
    let mut spec = json!({
        "autoScalingGroupProvider": {"autoScalingGroupArn": "web",
            "managedScaling": {"status": "ENABLED"}},
        "kubernetes": {"scaleInAnnotation": MARK, "scaleTargetRef":
            {"apiVersion": "example.com/v1", "kind": "Group", "namespace": "infra", "name": "web"}},
    });
    for (member, value) in more.as_object().unwrap() {
        spec[member] = value.clone();
    }
    spec
}

fn target() -> ScaleTarget {
    ScaleTarget {
        api_version: "example.com/v1".to_owned(),
        kind: "Group".to_owned(),
        namespace: Some("infra".to_owned()),
        name: "web".to_owned(),
    }
}

fn looked(world: &mut World, replicas: u32) {
    let scale = Scale { uid: "g".to_owned(), version: Some("7".to_owned()), replicas };
    world.scales.insert(key("web"), Looked { target: target(), found: Ok(scale) });
    let nobody = |name: &str| (name.to_owned(), Ok(None));
    world.guests.insert(key("web"), ["a", "b", "c", "d", "e", "f"].map(nobody).into());
}

/// So many nodes of 4 cores that a task each fills, named a, b, c; and as many empty ones.
fn group(full: usize, empty: usize, waiting: usize) -> World {
    let mut all = vec![(Kind::CapacityProvider, provider("web", &scaled(&json!({}))))];
    for (at, name) in ["a", "b", "c", "d", "e", "f"].into_iter().take(full + empty).enumerate() {
        all.push((Kind::Node, node(name, "web")));
        if at < full {
            all.push((Kind::Pod, large(&format!("on-{name}"), Some(name))));
        }
    }
    all.extend((0..waiting).map(|at| (Kind::Pod, large(&format!("waits-{at}"), None))));
    let mut world = world(&all);
    world.writes_nodes = true;
    looked(&mut world, u32::try_from(full + empty).unwrap());
    world
}

/// A task that fills a node.
fn large(name: &str, node: Option<&str>) -> Value {
    let mut task = task(name, node, "web");
    task["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("4");
    task
}

fn at(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn planned_at(world: &World, seconds: i64) -> Plan {
    planned(world, &key("web"), &Moment::at(at(seconds)))
}

fn sizes(plan: &Plan) -> Vec<u32> {
    let of = |write: &Write| match write {
        Write::Resize { replicas, .. } => Some(*replicas),
        _ => None,
    };
    plan.writes.iter().filter_map(of).collect()
}

fn carry_out(world: &mut World, plan: &Plan) {
    for write in &plan.writes {
        world.carry_out(write).unwrap();
    }
}

fn status(world: &World) -> CapacityProviderStatus {
    let provider = world.capacity_providers.get("", "web").unwrap();
    provider.status.clone().unwrap_or_default()
}

/// The reason and message of the condition that holds.
fn said(world: &World) -> (String, String) {
    let (_, reason, message) = standing(&status(world));
    (reason, message)
}

/// Plans for the provider and all nodes until nothing is written, with a group that makes and removes
/// nodes as it is asked; tells the sizes that were asked for.
fn run(world: &mut World, from: i64, until: i64, obeys: bool) -> Vec<u32> {
    let (mut asked, mut waiting) = (Vec::new(), None::<Waiting>);
    for second in (from..until).step_by(5) {
        let mut moment = Moment::at(at(second));
        moment.waiting = waiting.take();
        let plan_of_group = planned(world, &key("web"), &moment);
        waiting.clone_from(&plan_of_group.waiting);
        asked.extend(sizes(&plan_of_group));
        carry_out(world, &plan_of_group);
        let names: Vec<ObjectKey> = world.nodes.keys().collect();
        for name in names {
            let plan = planned(world, &name, &Moment::at(at(second)));
            carry_out(world, &plan);
        }
        if obeys {
            let size = match &world.scales[&key("web")].found {
                Ok(scale) => usize::try_from(scale.replicas).unwrap(),
                Err(_) => continue,
            };
            follow(world, size, second);
        }
    }
    asked
}

/// Does what a group does that takes away nodes that are marked before others.
fn follow(world: &mut World, size: usize, second: i64) {
    while world.nodes.len() < size {
        let name = format!("new-{second}-{}", world.nodes.len());
        let mut made = node(&name, "web");
        made["metadata"]["creationTimestamp"] = json!(at(second).to_string());
        world.put(Kind::Node, made).unwrap();
        world.guests.entry(key("web")).or_default().insert(name, Ok(None));
    }
    while world.nodes.len() > size {
        let marked = |name: &ObjectKey| {
            let node = world.nodes.get("", &name.name).unwrap();
            node.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(MARK))
        };
        let mut names: Vec<ObjectKey> = world.nodes.keys().collect();
        names.sort_by_key(|name| (marked(name), name.clone()));
        let last = names.last().unwrap();
        assert!(world.tasks_on(&last.name).is_empty(), "{last} runs a task");
        world.remove(last);
    }
}

#[test]
fn tasks_that_wait_make_the_group_grow() {
    let world = group(2, 0, 3);
    let plan = planned_at(&world, 0);
    let Write::Resize { key: of, target: asked, uid, version, replicas } = &plan.writes[0] else {
        panic!("{plan:?}")
    };
    assert_eq!((of, asked, uid.as_str(), *replicas), (&key("web"), &target(), "g", 5));
    assert_eq!(version.as_deref(), Some("7"));
    let told = &plan.notes[0];
    assert_eq!((told.reason, told.warning), (Reason::ScaledOut, false));
    let expected = "Group.example.com infra/web goes from 2 to 5 nodes: 5 of 2 instances needed";
    assert_eq!(told.message, expected);
    let Write::Status { status, urgent, .. } = &plan.writes[1] else { panic!("{plan:?}") };
    assert!(*urgent);
    let activity = json!({"at": now().to_string(), "from": 2, "to": 5,
        "cause": "5 of 2 instances needed"});
    assert_eq!(status["lastActivity"], activity);
    assert_eq!((&status["desired"], &status["reservation"]), (&json!(5), &json!(250)));
}

#[test]
fn the_scale_is_asked_for_and_nothing_done_before_it_is_seen() {
    let mut world = group(2, 0, 3);
    world.scales.clear();
    let plan = planned_at(&world, 0);
    assert_eq!((plan.looks_at.as_ref(), sizes(&plan)), (Some(&target()), vec![]));
    // What was found of another target says nothing of this one.
    let other = ScaleTarget { name: "other".to_owned(), ..target() };
    let found = Ok(Scale { replicas: 2, ..Scale::default() });
    world.scales.insert(key("web"), Looked { target: other, found });
    assert_eq!(sizes(&planned_at(&world, 0)), Vec::<u32>::new());
}

#[test]
fn bounds_and_steps_and_the_target_capacity_are_kept() {
    for (scaling, bounds, expected) in [
        (json!({"maximumScalingStepSize": 2}), json!({}), 4),
        (json!({"minimumScalingStepSize": 7}), json!({}), 9),
        (json!({"targetCapacity": 50}), json!({}), 10),
        (json!({}), json!({"maxSize": 3}), 3),
        (json!({}), json!({"minSize": 8}), 8),
    ] {
        let mut world = group(2, 0, 3);
        let mut spec = scaled(&json!({}));
        for (name, value) in scaling.as_object().unwrap() {
            spec["autoScalingGroupProvider"]["managedScaling"][name] = value.clone();
        }
        for (name, value) in bounds.as_object().unwrap() {
            spec["kubernetes"][name] = value.clone();
        }
        world.put(Kind::CapacityProvider, provider("web", &spec)).unwrap();
        assert_eq!(sizes(&planned_at(&world, 0)), [expected], "{scaling} {bounds}");
    }
}

#[test]
fn a_node_that_has_just_come_up_is_waited_for() {
    let mut world = group(2, 0, 3);
    let mut young = node("b", "web");
    young["metadata"]["creationTimestamp"] = json!(at(-100).to_string());
    world.put(Kind::Node, young).unwrap();
    let plan = planned_at(&world, 0);
    assert_eq!(sizes(&plan), Vec::<u32>::new());
    // Looked at again in a minute, as ever, and once it is warm.
    assert_eq!(plan.wake_at, Some(at(60)));
    assert_eq!(sizes(&planned_at(&world, 199)), Vec::<u32>::new());
    assert_eq!(sizes(&planned_at(&world, 200)), [5]);
}

#[test]
fn a_target_without_a_scale_is_a_condition_and_nothing_else() {
    for (unusable, reason, part) in [
        (
            Unusable::NotServed,
            "ScaleTargetNotFound",
            "the cluster serves no Group of example.com/v1",
        ),
        (Unusable::Missing, "ScaleTargetNotFound", "there is no Group.example.com infra/web"),
        (Unusable::Forbidden("no".to_owned()), "ScaleTargetForbidden", "grant it get and patch"),
        (Unusable::NoScale, "ScaleTargetNotScalable", "has no scale subresource"),
        (
            Unusable::Unreachable("gone".to_owned()),
            "ScaleTargetUnreachable",
            "cannot be read: gone",
        ),
    ] {
        let mut world = group(2, 0, 3);
        world.scales.get_mut(&key("web")).unwrap().found = Err(unusable);
        assert_eq!(run(&mut world, 0, 1200, false), Vec::<u32>::new());
        let (told, message) = said(&world);
        assert_eq!(told, reason);
        assert!(message.contains(part), "{message}");
        let again = planned_at(&world, 1200);
        assert_eq!(again.writes, [], "said once");
        assert_eq!(again.wake_at, Some(at(1210)), "looked for soon");
    }
}

#[test]
fn a_write_that_is_refused_is_told_and_has_not_happened() {
    let mut world = group(2, 0, 3);
    let rejected = Rejection { key: key("web"), message: "quota".to_owned() };
    let moment = Moment { rejected: Some(rejected), ..Moment::at(now()) };
    let plan = planned(&world, &key("web"), &moment);
    let (last, notes) = (plan.writes.last().unwrap().clone(), &plan.notes);
    world.carry_out(&last).unwrap();
    assert_eq!(
        said(&world),
        (
            "RejectedByCluster".to_owned(),
            "Group.example.com infra/web cannot be scaled: quota".to_owned()
        )
    );
    assert_eq!(status(&world).last_activity, None);
    assert!(notes.iter().all(|note| note.warning), "{notes:?}");
}

#[test]
fn somebody_who_sets_it_back_is_named_and_not_fought() {
    let mut world = group(2, 0, 3);
    assert_eq!(run(&mut world, 0, 5, false), [5]);
    // Somebody has it at 2 again, each time.
    let mut asked = 0;
    for minute in 0..20 {
        looked(&mut world, 2);
        asked += run(&mut world, minute * 60 + 5, minute * 60 + 60, false).len();
        looked(&mut world, 2);
        let told = run(&mut world, minute * 60 + 60, minute * 60 + 65, false);
        asked += told.len();
        let (reason, message) = said(&world);
        assert_eq!(reason, "ScaleTargetIgnores");
        assert!(message.contains("was set to 5 at") && message.contains("has 2"), "{message}");
    }
    assert!((2..=4).contains(&asked), "once a warm-up of five minutes in twenty: {asked}");
}

#[test]
fn nodes_that_do_not_come_are_missed_and_no_more_are_asked_for() {
    let mut world = group(2, 0, 3);
    assert_eq!(run(&mut world, 0, 295, false), [5]);
    assert_eq!(said(&world).0, "InEffect");
    assert_eq!(run(&mut world, 300, 3600, false), Vec::<u32>::new());
    let (reason, message) = said(&world);
    assert_eq!(reason, "ScaleTargetIgnores");
    assert!(
        message.contains("was asked for 5 nodes at") && message.contains("2 are up"),
        "{message}"
    );
    // They come at last.
    follow(&mut world, 5, 3600);
    run(&mut world, 3600, 3605, false);
    assert_eq!(said(&world).0, "InEffect");
}

#[test]
fn an_empty_node_leaves_in_three_steps() {
    let mut world = group(1, 1, 0);
    assert_eq!(sizes(&planned_at(&world, 0)), Vec::<u32>::new());
    run(&mut world, 0, 5, true);
    assert_eq!(status(&world).below_target_since.unwrap().0, now());
    assert!(status(&world).leaving.is_empty(), "not before 15 minutes have passed");
    assert_eq!(planned_at(&world, 100).writes, [], "nothing changes in between");
    let plan = planned_at(&world, 900);
    assert_eq!(sizes(&plan), Vec::<u32>::new());
    carry_out(&mut world, &plan);
    assert_eq!(status(&world).leaving, ["b"]);
    // The node's own plan keeps tasks away and marks it.
    let b = ObjectKey::new(Kind::Node, "", "b");
    let marked = planned(&world, &b, &Moment::at(at(901)));
    let [Write::Apply(object)] = marked.writes.as_slice() else { panic!("{marked:?}") };
    assert_eq!(object.body["metadata"]["labels"], json!({DRAINING: "scale-in"}));
    assert_eq!(object.body["metadata"]["annotations"], json!({MARK: "true"}));
    assert_eq!(object.body["spec"], json!({"unschedulable": true}));
    carry_out(&mut world, &marked);
    // For two seconds it has to stay empty.
    let plan = planned_at(&world, 902);
    assert_eq!((sizes(&plan), plan.wake_at), (vec![], Some(at(904))));
    let moment = Moment { waiting: plan.waiting.clone(), ..Moment::at(at(904)) };
    let plan = planned(&world, &key("web"), &moment);
    assert_eq!(sizes(&plan), [1]);
    assert_eq!(plan.notes[0].reason, Reason::ScaledIn);
    carry_out(&mut world, &plan);
    assert_eq!(status(&world).leaving, ["b"], "until it is gone");
    assert_eq!(
        status(&world).last_activity.unwrap().cause,
        "1 of 2 instances needed for 15 minutes"
    );
    run(&mut world, 905, 915, true);
    assert_eq!((world.nodes.len(), status(&world).leaving.len()), (1, 0));
}

#[test]
fn a_node_on_which_others_run_is_not_empty() {
    let mut world = group(1, 2, 0);
    let guests = world.guests.get_mut(&key("web")).unwrap();
    guests.insert("b".to_owned(), Ok(Some("kube-system/coredns-1".to_owned())));
    guests.insert("c".to_owned(), Err("pods is forbidden".to_owned()));
    assert_eq!(run(&mut world, 0, 3600, true), [] as [u32; 0]);
    let told = said(&world).1;
    assert!(told.contains("stay: pod kube-system/coredns-1 runs on b"), "{told}");
    world.guests.get_mut(&key("web")).unwrap().insert("b".to_owned(), Ok(None));
    assert_eq!(run(&mut world, 3600, 7200, true), [2]);
    assert!(world.nodes.get("", "b").is_none(), "the other may have guests");
}

#[test]
fn who_runs_on_a_node_is_asked_before_it_is_to_leave() {
    let mut world = group(1, 1, 0);
    world.guests.clear();
    let written = run(&mut world, 0, 3600, true);
    let plan = planned_at(&world, 3600);
    assert_eq!((written, plan.looks_at_nodes), (vec![], vec!["b".to_owned()]));
    assert_eq!(status(&world).leaving, [] as [String; 0]);
}

#[test]
fn what_is_another_operators_is_neither_told_of_nor_sized() {
    let mut world = group(2, 0, 3);
    assert_eq!(sizes(&planned_at(&world, 0)), [5]);
    world.leaves_capacity = true;
    assert_eq!(planned_at(&world, 0), Plan::default());
}

#[test]
fn a_task_that_comes_in_between_keeps_the_node() {
    let mut world = group(1, 1, 0);
    run(&mut world, 0, 5, true);
    let plan = planned_at(&world, 900);
    carry_out(&mut world, &plan);
    let b = ObjectKey::new(Kind::Node, "", "b");
    let marked = planned(&world, &b, &Moment::at(at(901)));
    carry_out(&mut world, &marked);
    world.put(Kind::Pod, large("late", Some("b"))).unwrap();
    assert_eq!(run(&mut world, 905, 1800, true), Vec::<u32>::new());
    let b = world.nodes.get("", "b").unwrap();
    assert_eq!(b.metadata.labels.as_ref().unwrap().get(DRAINING), None);
    assert_eq!(b.spec.as_ref().unwrap().unschedulable, None);
    assert!(status(&world).leaving.is_empty());
}

#[test]
fn without_a_name_for_the_node_it_stays_and_the_status_says_why() {
    let mut world = group(1, 2, 0);
    let mut spec = scaled(&json!({}));
    spec["kubernetes"].as_object_mut().unwrap().remove("scaleInAnnotation");
    world.put(Kind::CapacityProvider, provider("web", &spec)).unwrap();
    assert_eq!(run(&mut world, 0, 2000, true), Vec::<u32>::new());
    let (reason, message) = said(&world);
    assert_eq!(reason, "InEffect");
    let expected = "2 of its 3 nodes are empty and stay: nothing says which node Group.example.com \
                    infra/web would end; give kubernetes.scaleInAnnotation";
    assert!(message.contains(expected), "{message}");
    let told = status(&world).conditions;
    let told = told.iter().find(|condition| condition.type_ == "FullySupported").unwrap();
    assert!(told.message.contains("nodes are added and none is taken away"), "{}", told.message);

    let mut world = group(1, 2, 0);
    world.writes_nodes = false;
    assert_eq!(run(&mut world, 0, 2000, true), Vec::<u32>::new());
    assert!(said(&world).1.contains("was not granted the right to write nodes"));
}

#[test]
fn machines_of_cluster_api_are_marked_before_and_the_mark_is_taken_back() {
    let machine = |name: &str| {
        let mut node = node(name, "web");
        node["metadata"]["annotations"] = json!({"cluster.x-k8s.io/machine": format!("m-{name}"),
            "cluster.x-k8s.io/cluster-namespace": "capi"});
        node
    };
    let mut spec = scaled(&json!({}));
    spec["kubernetes"] = json!({"scaleTargetRef": {"apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachineDeployment", "namespace": "capi", "name": "md"}});
    let mut world = world(&[
        (Kind::CapacityProvider, provider("web", &spec)),
        (Kind::Node, machine("a")),
        (Kind::Node, machine("b")),
        (Kind::Pod, large("on-a", Some("a"))),
    ]);
    world.writes_nodes = true;
    let target = ScaleTarget {
        api_version: "cluster.x-k8s.io/v1beta2".to_owned(),
        kind: "MachineDeployment".to_owned(),
        namespace: Some("capi".to_owned()),
        name: "md".to_owned(),
    };
    looked(&mut world, 2);
    let scale = Scale { uid: "g".to_owned(), version: None, replicas: 2 };
    world.scales.insert(key("web"), Looked { target, found: Ok(scale) });
    assert_eq!(run(&mut world, 0, 905, false), Vec::<u32>::new());
    let plan = planned_at(&world, 906);
    let moment = Moment { waiting: plan.waiting.clone(), ..Moment::at(at(908)) };
    let plan = planned(&world, &key("web"), &moment);
    let [Write::Mark { machine, annotation, value, .. }, Write::Resize { replicas: 1, .. }, _] =
        plan.writes.as_slice()
    else {
        panic!("{plan:?}")
    };
    assert_eq!((machine.namespace.as_str(), machine.name.as_str()), ("capi", "m-b"));
    assert_eq!(*annotation, "cluster.x-k8s.io/delete-machine");
    assert_eq!(value.as_deref(), Some("yes"));
    // The scale could not be written, and a task comes: the mark must not outlive that.
    world.put(Kind::Pod, large("late", Some("b"))).unwrap();
    let plan = planned_at(&world, 910);
    let [Write::Mark { value: None, machine, .. }, Write::Status { .. }] = plan.writes.as_slice()
    else {
        panic!("{plan:?}")
    };
    assert_eq!(machine.name, "m-b");
}

#[test]
fn a_group_follows_its_tasks_from_none_to_five_and_back() {
    let mut world = group(0, 0, 5);
    // Two to begin with, as ECS has it; then what the tasks need, once those are warm.
    let asked = run(&mut world, 0, 10, true);
    assert_eq!(asked, [2]);
    let place = |world: &mut World| {
        let free: Vec<String> = world
            .nodes
            .keys()
            .map(|node| node.name)
            .filter(|node| world.tasks_on(node).is_empty())
            .collect();
        let waiting: Vec<ObjectKey> = world
            .pods
            .iter()
            .filter(|pod| pod.spec.as_ref().unwrap().node_name.is_none())
            .map(|pod| ObjectKey::new(Kind::Pod, "shop", pod.metadata.name.as_deref().unwrap()))
            .collect();
        for (pod, node) in waiting.into_iter().zip(free) {
            world.put(Kind::Pod, large(&pod.name, Some(&node))).unwrap();
        }
    };
    place(&mut world);
    assert_eq!(run(&mut world, 10, 400, true), [5]);
    place(&mut world);
    assert_eq!(run(&mut world, 400, 3000, true), Vec::<u32>::new());
    assert_eq!(said(&world).0, "InEffect");
    // All tasks end. Half of the instances at most leave in a step, and the last one too.
    let all: Vec<ObjectKey> = world.pods.keys().collect();
    for pod in &all {
        world.remove(pod);
    }
    let asked = run(&mut world, 3000, 6000, true);
    assert_eq!(asked, [3, 2, 1, 0]);
    assert_eq!(world.nodes.len(), 0);
    assert_eq!(said(&world).0, "ScaledToZero");
    assert_eq!(planned_at(&world, 9000).writes, []);
}

#[test]
fn what_the_last_nodes_offered_is_remembered() {
    let mut world = group(0, 2, 0);
    run(&mut world, 0, 3000, true);
    assert_eq!(world.nodes.len(), 0);
    // A task that no node of the group would hold makes none.
    let mut huge = large("huge", None);
    huge["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("64");
    world.put(Kind::Pod, huge).unwrap();
    assert_eq!(run(&mut world, 3000, 6000, true), Vec::<u32>::new());
    world.put(Kind::Pod, large("fits", None)).unwrap();
    assert_eq!(run(&mut world, 6000, 6005, true), [2]);
}

#[test]
fn a_managed_node_group_goes_from_none_to_one_and_back() {
    let mut spec = scaled(&json!({}));
    spec.as_object_mut().unwrap().remove("autoScalingGroupProvider");
    spec["managedNodeGroup"] = json!({"nodegroupName": "web",
        "scalingConfig": {"minSize": 0, "desiredSize": 0, "maxSize": 5}});
    let mut world = group(0, 0, 1);
    world.put(Kind::CapacityProvider, provider("web", &spec)).unwrap();
    assert_eq!(run(&mut world, 0, 10, true), [1]);
    let first = world.nodes.keys().next().unwrap().name;
    world.put(Kind::Pod, large("waits-0", Some(&first))).unwrap();
    assert_eq!(run(&mut world, 10, 2000, true), Vec::<u32>::new());
    world.remove(&ObjectKey::new(Kind::Pod, "shop", "waits-0"));
    assert_eq!(run(&mut world, 2000, 3000, true), [0]);
    assert_eq!(world.nodes.len(), 0);
    for at in 0..9 {
        world.put(Kind::Pod, large(&format!("more-{at}"), None)).unwrap();
    }
    assert_eq!(run(&mut world, 3000, 3005, true), [5], "and not above maxSize");
}

#[test]
fn nodes_of_daemons_only_are_empty() {
    let mut world = group(1, 1, 0);
    let mut daemon = task("daemon", Some("b"), "web");
    daemon["metadata"]["ownerReferences"] = json!([
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "o", "uid": "u", "controller": true}]);
    world.put(Kind::Pod, daemon).unwrap();
    run(&mut world, 0, 905, false);
    assert_eq!(status(&world).leaving, ["b"]);
}

#[test]
fn two_providers_with_one_node_or_one_target_are_told_and_not_scaled() {
    let mut world = group(2, 0, 3);
    let other = json!({"managedNodeGroup": {"nodegroupName": "web"}});
    world.put(Kind::CapacityProvider, provider("other", &other)).unwrap();
    assert_eq!(run(&mut world, 0, 1200, false), Vec::<u32>::new());
    let (reason, message) = said(&world);
    assert_eq!(reason, "NodesShared");
    assert!(message.starts_with("node a and 1 more would also be of capacity provider `other`"));
    let plan = planned(&world, &key("other"), &Moment::at(now()));
    let [Write::Status { status, .. }] = plan.writes.as_slice() else { panic!("{plan:?}") };
    let status: CapacityProviderStatus = serde_json::from_value(status.clone()).unwrap();
    assert_eq!(standing(&status).1, "NodesShared");

    let mut world = group(2, 0, 3);
    let mut same = scaled(&json!({}));
    same["autoScalingGroupProvider"]["autoScalingGroupArn"] = json!("elsewhere");
    same["kubernetes"]["scaleTargetRef"]["apiVersion"] = json!("example.com/v2");
    world.put(Kind::CapacityProvider, provider("same", &same)).unwrap();
    assert_eq!(run(&mut world, 0, 1200, false), Vec::<u32>::new());
    let (reason, message) = said(&world);
    assert_eq!(reason, "NodesShared");
    assert!(message.contains("is also sized by capacity provider `same`"), "{message}");
}

#[test]
fn what_cannot_be_scaled_says_so() {
    let told = |spec: &Value| {
        let (_, findings) = crate::plan::capacity_provider::findings(spec, Some("web"));
        findings.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let mut without = scaled(&json!({}));
    without.as_object_mut().unwrap().remove("kubernetes");
    assert!(told(&without).contains("nothing says what is to be scaled"), "{}", told(&without));
    let target = scaled(&json!({}))["kubernetes"].clone();
    let group = json!({"managedNodeGroup": {"nodegroupName": "web"}, "kubernetes": target});
    assert!(told(&group).contains("has no effect without scalingConfig"), "{}", told(&group));
    let mut bounds = scaled(&json!({}));
    bounds["kubernetes"]["minSize"] = json!(4);
    bounds["kubernetes"]["maxSize"] = json!(3);
    assert!(told(&bounds).contains("minSize: must not be above maxSize"), "{}", told(&bounds));
    let mut key = scaled(&json!({}));
    key["kubernetes"]["scaleInAnnotation"] = json!("not a key");
    assert!(
        told(&key).contains("scaleInAnnotation is \"not a key\": must be the key"),
        "{}",
        told(&key)
    );
}
