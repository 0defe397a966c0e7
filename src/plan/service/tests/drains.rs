//! Tasks that have to leave their nodes: others start first, and what was remembered is forgotten.

use super::*;

fn node(scene: &mut Scene, name: &str, spec: &Value) {
    let body = json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    scene.world.put(Kind::Node, body).unwrap();
}

/// A task on a node that has been ready for an hour.
fn task(scene: &mut Scene, name: &str, node: &str) -> Value {
    let an_hour_ago = scene.now - SignedDuration::from_hours(1);
    ready_since(scene, name, node, an_hour_ago)
}

fn ready_since(scene: &mut Scene, name: &str, node: &str, since: Timestamp) -> Value {
    let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": since.to_string()});
    let body = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": format!("uid-{name}"),
            "labels": {label::SERVICE_UID: "uid-front", label::CAPACITY_PROVIDER: "",
                label::DEPLOYMENT: "1", label::SERVICE: "frontend", label::CLUSTER: "default"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "frontend-rs",
                "uid": "uid-rs", "controller": true}]},
        "spec": {"nodeName": node, "containers": []},
        "status": {"phase": "Running", "conditions": [ready]}});
    scene.world.put(Kind::Pod, body.clone()).unwrap();
    body
}

/// Four tasks, the first of them on node `a`, the others on `b`.
fn four() -> Scene {
    let mut scene = Scene::usual();
    for name in ["a", "b"] {
        node(&mut scene, name, &json!({}));
    }
    for (name, at) in [("one", "a"), ("two", "b"), ("three", "b"), ("four", "b")] {
        task(&mut scene, name, at);
    }
    done(&mut scene);
    assert_eq!(scene.ready(OBJECT).0, "SteadyState");
    scene
}

/// Lets the Deployment's controller finish, with a ReplicaSet that has a UID.
fn done(scene: &mut Scene) {
    scene.finish();
    let mut set_of_it = scene.body(Kind::ReplicaSet, "frontend-rs");
    set(&mut set_of_it, &["metadata", "uid"], "uid-rs");
    scene.world.put(Kind::ReplicaSet, set_of_it).unwrap();
    scene.settle();
}

fn count(scene: &Scene) -> i64 {
    scene.deployment()["spec"]["replicas"].as_i64().unwrap()
}

fn least(scene: &Scene) -> i64 {
    let key = scene.world.disruption_budgets.keys().next().unwrap();
    scene.world.body(&key).unwrap()["spec"]["minAvailable"].as_i64().unwrap()
}

fn is_there(scene: &Scene, pod: &str) -> bool {
    scene.world.pods.get(NAMESPACE, pod).is_some()
}

fn notice() -> Value {
    json!({"taints": [{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}]})
}

#[test]
fn a_task_on_a_node_that_ends_goes_when_another_is_healthy() {
    let mut scene = four();
    assert_eq!((count(&scene), least(&scene)), (4, 3));
    node(&mut scene, "a", &notice());
    scene.settle();
    assert_eq!((count(&scene), least(&scene), is_there(&scene, "one")), (5, 4, true));
    assert!(
        scene.ready(OBJECT).1.contains("others are started first"),
        "{:?}",
        scene.ready(OBJECT)
    );
    task(&mut scene, "five", "b");
    done(&mut scene);
    // It was evicted, and with it went what made another wanted.
    assert_eq!((count(&scene), least(&scene), is_there(&scene, "one")), (4, 3, false));
    done(&mut scene);
    assert_eq!(scene.ready(OBJECT).0, "SteadyState");
}

#[test]
fn without_a_health_check_another_is_healthy_after_forty_seconds() {
    let mut scene = four();
    node(&mut scene, "a", &notice());
    scene.settle();
    let now = scene.now;
    ready_since(&mut scene, "five", "b", now);
    done(&mut scene);
    let at = scene.now + SignedDuration::from_secs(40);
    let plan = scene.plan(&Moment::at(scene.now));
    assert_eq!(
        (plan.wake_at, is_there(&scene, "one")),
        (Some(at), true),
        "it is ready, and too young"
    );
    scene.now = at - SignedDuration::from_secs(1);
    scene.settle();
    assert!(is_there(&scene, "one"));
    scene.now = at;
    scene.settle();
    assert!(!is_there(&scene, "one"));
}

#[test]
fn where_nothing_can_start_first_the_floor_is_kept() {
    let mut scene = four();
    let percents = json!({"minimumHealthyPercent": 50, "maximumPercent": 100});
    scene.change("deploymentConfiguration", percents);
    scene.settle();
    node(&mut scene, "b", &notice());
    scene.settle();
    assert_eq!((count(&scene), least(&scene)), (4, 2));
    let left = ["one", "two", "three", "four"].iter().filter(|name| is_there(&scene, name));
    assert_eq!(left.count(), 2, "two of four must stay");
}

#[test]
fn a_cordon_moves_tasks_only_once_one_is_evicted_and_until_it_ends() {
    let mut scene = four();
    let cordoned = json!({"unschedulable": true});
    node(&mut scene, "b", &cordoned);
    scene.settle();
    assert_eq!(count(&scene), 4, "they may stay");
    let mut evicted = task(&mut scene, "two", "b");
    set(&mut evicted, &["metadata", "deletionTimestamp"], "2030-01-01T00:00:00Z");
    let asked =
        json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"});
    evicted["status"]["conditions"].as_array_mut().unwrap().push(asked);
    scene.world.put(Kind::Pod, evicted).unwrap();
    scene.settle();
    assert_eq!(count(&scene), 6, "for the two that are left there");
    // That it was asked for is remembered when the task has gone.
    scene.world.remove(&ObjectKey::new(Kind::Pod, NAMESPACE, "two"));
    scene.settle();
    assert_eq!(count(&scene), 6);
    assert!(is_there(&scene, "three"), "who drains it evicts");
    done(&mut scene);
    node(&mut scene, "b", &json!({}));
    scene.settle();
    assert_eq!(count(&scene), 4);
    done(&mut scene);
    node(&mut scene, "b", &cordoned);
    scene.settle();
    assert_eq!(count(&scene), 4, "another cordon is another");
}

/// Carries out what is planned, write by write: after each the operator may have ended for good.
fn write_by_write(scene: &mut Scene) {
    for _ in 0..100 {
        let plan = scene.plan(&Moment::at(scene.now));
        let Some(write) = plan.writes.first() else { return };
        scene.world.carry_out(write).unwrap();
        let (count, least) = (count(scene), least(scene));
        assert!(least < count, "{least} of {count} must stay after {write:?}");
    }
    panic!("it does not settle");
}

#[test]
fn wherever_the_operator_ends_the_budget_lets_one_go() {
    let mut scene = four();
    for desired in [7, 3, 2, 5] {
        scene.change("desiredCount", json!(desired));
        write_by_write(&mut scene);
        assert_eq!((count(&scene), least(&scene)), (desired, desired - 1));
        done(&mut scene);
    }
    node(&mut scene, "a", &notice());
    write_by_write(&mut scene);
    assert_eq!((count(&scene), least(&scene)), (6, 5), "all that are asked for, and one beside");
}
