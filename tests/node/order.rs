//! In which order do containers start and stop?

use serde_json::{Value, json};

use crate::node::place;
use crate::pods::{
    Stopped, condition, container, ended, life, pod_when, prints, restarts, run, running_since,
    script, stopped, task,
};

fn waits(more: &[(&str, &str)]) -> Value {
    let waits: Vec<Value> = more
        .iter()
        .map(|(on, condition)| json!({"containerName": on, "condition": condition}))
        .collect();
    json!(waits)
}

pub(crate) async fn each_condition_is_waited_for() {
    let place = place("order").await;
    let check = json!({"command": ["CMD-SHELL", "test -f /tmp/up"], "interval": 5});
    let containers = json!([
        script("app", "sleep 3600", json!({"dependsOn": waits(&[
            ("migrate", "SUCCESS"), ("tidy", "COMPLETE"), ("agent", "START")])})),
        script("migrate", "sleep 4", json!({"essential": false,
            "dependsOn": waits(&[("db", "HEALTHY")])})),
        // Its own shell, so that any exit code will do.
        {"name": "tidy", "image": crate::images::BOX, "entryPoint": ["sh", "-c"],
            "command": ["sleep 3; exit 3"], "essential": false,
            "dependsOn": waits(&[("db", "START")])},
        script("agent", "sleep 3600", json!({})),
        script("db", "sleep 7; touch /tmp/up; sleep 3600", json!({"healthCheck": check})),
    ]);
    let service = run(&place, "web", task(containers)).await;
    let pod =
        pod_when(&place, &service, "app runs", |pod| running_since(pod, "app").is_some()).await;
    let since = |name: &str| running_since(&pod, name).unwrap();
    let ((migrate, migrated), (_, tidied)) = (life(&pod, "migrate"), life(&pod, "tidy"));
    let waited = (migrate - since("db")).get_seconds();
    assert!(waited >= 6, "HEALTHY: {waited} s after the start, with 7 s until it is");
    let app = since("app");
    assert!(app >= migrated, "SUCCESS: {app} {migrated}");
    assert!((migrated - migrate).get_seconds() >= 3);
    assert!(app >= tidied, "COMPLETE: {app} {tidied}");
    assert!(app >= since("agent"), "START: {app} {}", since("agent"));
    let seconds = |at: jiff::Timestamp| (at - since("db")).get_seconds();
    tell!(
        "  order, in seconds after db: agent {}, tidy ended {}, migrate {} to {}, app {}",
        seconds(since("agent")),
        seconds(tidied),
        seconds(migrate),
        seconds(migrated),
        seconds(app)
    );
}

pub(crate) async fn what_waits_for_success_does_not_start_after_a_failure() {
    let place = place("failure").await;
    let containers = json!([
        script("app", "sleep 3600", json!({"dependsOn": waits(&[("migrate", "SUCCESS")])})),
        script("migrate", "sleep 1; exit 1", json!({"essential": false})),
    ]);
    let service = run(&place, "web", task(containers)).await;
    let pod = pod_when(&place, &service, "failed twice", |pod| restarts(pod, "migrate") >= 2).await;
    assert_eq!(ended(&pod, "migrate").unwrap().exit_code, 1);
    let app = container(&pod, "app").unwrap();
    assert!(app.state.unwrap().waiting.is_some() && app.last_state.unwrap().terminated.is_none());
}

/// Ends some seconds after it was asked to, and says when it was.
fn obliging(name: &str, seconds: u8, more: Value) -> Value {
    let run = format!(
        "trap 'echo asked; sleep {seconds}; exit 0' TERM; echo up; while :; do sleep 0.2; done"
    );
    script(name, &run, more)
}

pub(crate) async fn what_started_first_stops_last() {
    let place = place("stop").await;
    let containers = json!([
        obliging("app", 4, json!({"stopTimeout": 20, "dependsOn": waits(&[("db", "START")])})),
        obliging("db", 1, json!({"stopTimeout": 10})),
    ]);
    let service = run(&place, "web", task(containers)).await;
    let up = |pod: &_| condition(pod, "Ready").is_some_and(|(ready, _)| ready);
    let pod = pod_when(&place, &service, "up", up).await;
    for name in ["app", "db"] {
        prints(&place, &pod, name, "up").await;
    }
    let Stopped { asked, grace, pod: last } = stopped(&place, &service).await;
    assert_eq!(grace, 30, "20 and 10");
    let ((_, app), (_, db)) = (life(&last, "app"), life(&last, "db"));
    assert_eq!(["app", "db"].map(|name| ended(&last, name).unwrap().exit_code), [0, 0]);
    assert!(db >= app, "db ended at {db}, app at {app}");
    let seconds = |at: jiff::Timestamp| (at - asked).get_seconds();
    // By itself it would have ended after one second: it was asked after the other had ended.
    assert!(seconds(app) >= 3 && seconds(db) >= 4, "{asked} {app} {db}");
    tell!("  stopping, in seconds after the call: app ended {}, db {}", seconds(app), seconds(db));
}

pub(crate) async fn who_does_not_stop_is_killed_when_its_time_is_over() {
    let place = place("kill").await;
    let stubborn = "trap '' TERM; echo up; while :; do sleep 0.2; done";
    let stubborn = json!([script("main", stubborn, json!({"stopTimeout": 6}))]);
    let quick = json!([obliging("main", 0, json!({"stopTimeout": 100}))]);
    let stubborn = run(&place, "stubborn", task(stubborn)).await;
    let quick = run(&place, "quick", task(quick)).await;
    for service in [&stubborn, &quick] {
        let runs = |pod: &_| running_since(pod, "main").is_some();
        let pod = pod_when(&place, service, "runs", runs).await;
        prints(&place, &pod, "main", "up").await;
    }
    let (stubborn, quick) = tokio::join!(stopped(&place, &stubborn), stopped(&place, &quick));
    assert_eq!((stubborn.grace, quick.grace), (6, 100));
    assert_eq!(ended(&stubborn.pod, "main").unwrap().exit_code, 137);
    let lasted = (life(&stubborn.pod, "main").1 - stubborn.asked).get_seconds();
    assert!(lasted >= 5, "killed after {lasted} s of 6");
    assert_eq!(ended(&quick.pod, "main").unwrap().exit_code, 0);
    let went = (life(&quick.pod, "main").1 - quick.asked).get_seconds();
    assert!(went < 100, "it need not use its time up: {went} s");
    tell!("  stopTimeout 6: killed after {lasted} s; stopTimeout 100: gone after {went} s");
}
