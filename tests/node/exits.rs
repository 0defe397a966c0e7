//! What happens when a container ends?

use kube::ResourceExt;
use serde_json::json;

use crate::node::place;
use crate::pods::{container, ended, pod_when, restarts, run, running_since, script, task};
use crate::support::Place;

pub(crate) async fn an_essential_exit_restarts_the_task_whatever_its_code() {
    let place = place("essential").await;
    tokio::join!(restarts_all(&place, 0), restarts_all(&place, 3));
}

async fn restarts_all(place: &Place, code: u8) {
    let ends = script("ends", &format!("sleep 8; exit {code}"), json!({}));
    let stays = script("stays", "sleep 3600", json!({"stopTimeout": 2}));
    let service = run(place, &format!("code-{code}"), task(json!([ends, stays]))).await;
    let both = |pod: &_| {
        let since = ["ends", "stays"].map(|name| running_since(pod, name));
        since.iter().all(Option::is_some)
    };
    let before = pod_when(place, &service, "both run", both).await;
    let more = |pod: &_, name| restarts(pod, name) > restarts(&before, name);
    let again = pod_when(place, &service, "both were started again", |pod| {
        more(pod, "ends") && more(pod, "stays") && both(pod)
    })
    .await;
    assert_eq!(before.uid(), again.uid(), "in its pod");
    assert!(running_since(&again, "stays") > running_since(&before, "stays"));
    for name in ["ends", "stays"] {
        // So the kubelet writes it, in place of the code.
        let exit = ended(&again, name).unwrap();
        let reason = exit.reason.as_deref();
        assert_eq!(reason, Some("RestartingAllContainers"), "{name} after {code}: {exit:?}");
    }
}

pub(crate) async fn any_other_exit_leaves_the_task_alone() {
    let place = place("other").await;
    let restarted = json!({"essential": false, "restartPolicy": {"enabled": true}});
    let containers = json!([
        script("main", "sleep 3600", json!({})),
        script("once", "sleep 3", json!({"essential": false})),
        script("fails", "sleep 3; exit 4", json!({"essential": false})),
        script("again", "sleep 3", restarted),
    ]);
    let service = run(&place, "web", task(containers)).await;
    let all_ended = |pod: &_| {
        ["once", "fails"].iter().all(|name| ended(pod, name).is_some())
            && restarts(pod, "again") >= 2
    };
    let pod = pod_when(&place, &service, "two ended, one started again", all_ended).await;
    let codes = ["once", "fails"].map(|name| ended(&pod, name).unwrap().exit_code);
    assert_eq!(codes, [0, 4]);
    for (name, runs) in [("main", true), ("once", false), ("fails", false)] {
        assert_eq!(restarts(&pod, name), 0, "{name}");
        let state = container(&pod, name).unwrap().state.unwrap();
        assert_eq!(state.running.is_some(), runs, "{name}: {state:?}");
    }
}
