//! When does a task count as healthy?

use linkspan::api::Service;
use serde_json::json;

use crate::node::place;
use crate::pods::{condition, ended, pod_when, restarts, run, running_since, script, task};
use crate::support::until;

/// The seconds that a task without a health check must stay up to count.
const WITHOUT_CHECK: i64 = 40;

/// A check of the shell, every five seconds: whether a file is there.
fn check() -> serde_json::Value {
    json!({"healthCheck": {"command": ["CMD-SHELL", "test -f /tmp/up || exit 1"], "interval": 5,
        "timeout": 2, "retries": 2}, "stopTimeout": 2})
}

pub(crate) async fn a_check_decides_when_a_task_is_healthy_and_when_it_no_longer_is() {
    let place = place("check").await;
    let life = "sleep 6; touch /tmp/up; sleep 25; rm /tmp/up; sleep 3600";
    let service = run(&place, "web", task(json!([script("web", life, check())]))).await;
    let ready = |pod: &_| condition(pod, "Ready").is_some_and(|(ready, _)| ready);
    let pod = pod_when(&place, &service, "healthy", ready).await;
    let (_, since) = condition(&pod, "Ready").unwrap();
    let waited = (since - running_since(&pod, "web").unwrap()).get_seconds();
    assert!(waited >= 5, "healthy {waited} s after its start, with 6 s until it is");
    assert_eq!(restarts(&pod, "web"), 0);
    let pod = pod_when(&place, &service, "unhealthy", |pod| !ready(pod)).await;
    tell!("  checks: healthy after {waited} s; {} restarts by then", restarts(&pod, "web"));
    // Two failures, and it is stopped; here its pod starts it again.
    let pod = pod_when(&place, &service, "restarted", |pod| restarts(pod, "web") == 1).await;
    let exit = ended(&pod, "web").unwrap();
    assert!([137, 143].contains(&exit.exit_code), "{exit:?}");
    pod_when(&place, &service, "healthy again", ready).await;
}

pub(crate) async fn without_a_check_a_task_must_stay_up_for_forty_seconds() {
    let place = place("forty").await;
    let stays = run(&place, "stays", task(json!([script("main", "sleep 3600", json!({}))]))).await;
    // It never lasts that long.
    let falls = run(&place, "falls", task(json!([script("main", "sleep 15", json!({}))]))).await;
    let pod = pod_when(&place, &stays, "running", |pod| running_since(pod, "main").is_some()).await;
    let completed_at = async |service: &Service| {
        let newest = place.records(service).await.pop()?;
        Some(newest.status?.completed_at?.0)
    };
    let done = until("the deployment is completed", || async {
        completed_at(&stays).await.ok_or_else(|| "not yet".to_owned())
    })
    .await;
    let waited = done - running_since(&pod, "main").unwrap();
    // The kubelet's times are whole seconds.
    assert!(waited.get_seconds() >= WITHOUT_CHECK - 1, "{waited}");
    tell!("  without a check: completed {} s after the start", waited.get_seconds());
    pod_when(&place, &falls, "restarted", |pod| restarts(pod, "main") >= 2).await;
    assert_eq!(completed_at(&falls).await, None);
}
