//! How many tasks of a deployment have failed, and for how long that is said.

use jiff::SignedDuration;

use super::*;

/// Puts in a task of the first deployment: since when it is ready or not, and how its container does.
fn task(scene: &mut Scene, name: &str, ready: (bool, Timestamp), container: &Value) {
    let mut status = json!({"name": "main", "image": "", "imageID": "", "ready": ready.0});
    let members = status.as_object_mut().unwrap();
    members.extend(container.as_object().unwrap().clone());
    let condition = json!({"type": "Ready", "status": if ready.0 { "True" } else { "False" },
        "lastTransitionTime": ready.1.to_string()});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": name,
            "creationTimestamp": (scene.now - SignedDuration::from_hours(2)).to_string(),
            "labels": {label::SERVICE_UID: "uid-front", label::DEPLOYMENT: "1"}},
        "status": {"phase": "Running", "conditions": [condition], "containerStatuses": [status]},
    });
    scene.world.put(Kind::Pod, pod).unwrap();
}

fn waits(reason: &str, restarts: i32) -> Value {
    json!({"restartCount": restarts, "state": {"waiting": {"reason": reason}}})
}

fn runs(since: Timestamp, restarts: i32) -> Value {
    json!({"restartCount": restarts, "state": {"running": {"startedAt": since.to_string()}}})
}

/// How many tasks of the newest deployment have failed, as its status says it.
fn failed(scene: &mut Scene) -> Value {
    scene.settle();
    scene.body(Kind::Service, OBJECT)["status"]["deployments"][0]["failedTasks"].clone()
}

#[test]
fn a_task_that_crashes_or_cannot_start_has_failed_until_it_is_healthy() {
    let mut scene = Scene::usual();
    let now = scene.now;
    let long_ago = now - SignedDuration::from_hours(1);
    assert_eq!(failed(&mut scene), 0);
    task(&mut scene, "starts", (false, long_ago), &json!({"restartCount": 0}));
    task(&mut scene, "healthy", (true, long_ago), &runs(long_ago, 3));
    // It has been started again once, long ago; now it only fails its readiness probe.
    let lately = now - SignedDuration::from_secs(5);
    task(&mut scene, "unready", (false, lately), &runs(long_ago, 1));
    assert_eq!(failed(&mut scene), 0);
    task(&mut scene, "pulls", (false, long_ago), &waits("ImagePullBackOff", 0));
    task(&mut scene, "crashes", (false, now), &waits("CrashLoopBackOff", 1));
    assert_eq!(failed(&mut scene), 2);

    // It runs for the moment, and without a health check it is ready at once.
    task(&mut scene, "crashes", (true, now), &runs(now, 2));
    assert_eq!(settle(&mut scene.world, scene.now), Ok(1), "it counts as running");
    assert_eq!(failed(&mut scene), 2);
    let seconds = scene.world.records.iter().next().unwrap().spec.min_ready_seconds;
    assert!(seconds > 0);
    let healthy = now + SignedDuration::from_secs(seconds.into());
    assert_eq!(scene.plan(&Moment::at(scene.now)).wake_at, Some(healthy));
    assert_eq!(settle(&mut scene.world, scene.now), Ok(0));
    scene.now = healthy;
    assert_eq!(failed(&mut scene), 1);
    assert_eq!(scene.plan(&Moment::at(scene.now)).wake_at, None);
}

#[test]
fn a_task_that_was_given_up_has_failed_until_a_younger_one_is_healthy() {
    let mut scene = Scene::usual();
    let long_ago = scene.now - SignedDuration::from_hours(1);
    task(&mut scene, "healthy", (true, long_ago), &runs(long_ago, 0));
    let mut evicted = scene.body(Kind::Pod, "healthy");
    let of = |body: &mut Value, name: &str, created: Timestamp, phase: &str| {
        set(body, &["metadata", "name"], name);
        set(body, &["metadata", "uid"], name);
        set(body, &["metadata", "creationTimestamp"], created.to_string());
        set(body, &["status", "phase"], phase);
    };
    of(&mut evicted, "evicted", long_ago, "Failed");
    scene.world.put(Kind::Pod, evicted.clone()).unwrap();
    assert_eq!(failed(&mut scene), 1);
    let mut other = evicted.clone();
    of(&mut other, "other", scene.now, "Running");
    scene.world.put(Kind::Pod, other).unwrap();
    assert_eq!(failed(&mut scene), 0);
    let mut stops = evicted;
    of(&mut stops, "stops", scene.now + SignedDuration::from_secs(1), "Failed");
    scene.world.put(Kind::Pod, stops.clone()).unwrap();
    assert_eq!(failed(&mut scene), 1);
    set(&mut stops, &["metadata", "deletionTimestamp"], scene.now.to_string());
    scene.world.put(Kind::Pod, stops).unwrap();
    assert_eq!(failed(&mut scene), 0);
}
