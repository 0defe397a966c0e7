//! Do simulated pods live as the stages say?

use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1 as batchv1;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::{annotations, container, eventually, is_ready, phase, pod, sandbox, waits_for};

#[tokio::test]
async fn a_placed_pod_is_ready_soon() {
    let (client, namespace) = sandbox("ready").await;
    let pods = Api::<corev1::Pod>::namespaced(client, &namespace);
    let started = Instant::now();
    pods.create(&PostParams::default(), &pod("quick", "web:1", &[])).await.unwrap();
    eventually("the pod is ready", async || is_ready(&pods.get("quick").await.unwrap())).await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let quick = pods.get("quick").await.unwrap();
    let status = quick.status.clone().unwrap();
    assert!(status.pod_ip.unwrap().starts_with("10."));
    assert_eq!(container(&quick).started, Some(true));
    assert!(container(&quick).state.unwrap().running.is_some());
}

#[tokio::test]
async fn init_containers_are_done_and_sidecars_run() {
    let (client, namespace) = sandbox("sidecar").await;
    let pods = Api::<corev1::Pod>::namespaced(client, &namespace);
    let mut with_both = pod("both", "web:1", &[]);
    with_both.spec.as_mut().unwrap().init_containers = serde_json::from_value(json!([
        {"name": "init", "image": "init:1"},
        {"name": "sidecar", "image": "sidecar:1", "restartPolicy": "Always"},
    ]))
    .unwrap();
    pods.create(&PostParams::default(), &with_both).await.unwrap();
    eventually("the pod is ready", async || is_ready(&pods.get("both").await.unwrap())).await;
    let status = pods.get("both").await.unwrap().status.unwrap();
    let containers: Vec<_> = status
        .init_container_statuses
        .unwrap()
        .into_iter()
        .map(|status| {
            let state = status.state.unwrap();
            (status.name, state.running.is_some(), state.terminated.map(|end| end.exit_code))
        })
        .collect();
    let expected = [("init".to_owned(), false, Some(0)), ("sidecar".to_owned(), true, None)];
    assert_eq!(containers, expected);
}

#[tokio::test]
async fn annotations_and_images_make_pods_slow_or_sick() {
    let (client, namespace) = sandbox("sick").await;
    let pods = Api::<corev1::Pod>::namespaced(client, &namespace);
    let create = async |name: &str, image: &str, notes: &[(&str, &str)]| {
        pods.create(&PostParams::default(), &pod(name, image, notes)).await.unwrap();
    };
    create("slow", "web:1", &[("ready-after", "2s")]).await;
    create("late", "web:1", &[("start-after", "2s")]).await;
    create("slow-by-image", "sandbox.linkspan.dev/ready-after:2s", &[]).await;
    create("unready", "example.com/sandbox.linkspan.dev/never-ready:2", &[]).await;
    create("unpulled", "sandbox.linkspan.dev/pull-fails:2", &[]).await;
    create("unpulled-by-note", "web:1", &[("fails", "pull")]).await;
    create("crashing", "sandbox.linkspan.dev/crashes:2", &[]).await;
    create("flapping", "web:1", &[]).await;
    let get = async |name: &str| pods.get(name).await.unwrap();

    eventually("a pod runs and is not ready yet", async || {
        let slow = [get("slow").await, get("slow-by-image").await];
        slow.iter().all(|slow| {
            phase(slow) == "Running" && !is_ready(slow) && container(slow).started == Some(true)
        })
    })
    .await;
    eventually("images cannot be pulled", async || {
        waits_for(&get("unpulled").await) == "ErrImagePull"
            && waits_for(&get("unpulled-by-note").await) == "ErrImagePull"
    })
    .await;
    assert_eq!(phase(&get("unpulled").await), "Pending");
    eventually("a container crashes", async || {
        let crashing = get("crashing").await;
        waits_for(&crashing) == "CrashLoopBackOff" && container(&crashing).restart_count == 1
    })
    .await;
    eventually("a pod is ready", async || is_ready(&get("flapping").await)).await;
    let fails = |value: Option<&str>| {
        Patch::Merge(json!({"metadata": {"annotations": {"sandbox.linkspan.dev/fails": value}}}))
    };
    let params = PatchParams::default();
    for (what, expected) in [("readiness", 0), ("crash", 1)] {
        pods.patch("flapping", &params, &fails(Some(what))).await.unwrap();
        eventually("the pod is made unready", async || {
            let flapping = get("flapping").await;
            !is_ready(&flapping)
                && !container(&flapping).ready
                && container(&flapping).restart_count == expected
        })
        .await;
        pods.patch("flapping", &params, &fails(None)).await.unwrap();
        eventually("it is ready again", async || is_ready(&get("flapping").await)).await;
    }

    eventually("the slow are ready", async || {
        is_ready(&get("slow").await)
            && is_ready(&get("late").await)
            && is_ready(&get("slow-by-image").await)
    })
    .await;
    for sick in ["unready", "unpulled", "crashing"] {
        assert!(!is_ready(&get(sick).await), "{sick}");
    }
    assert_eq!(phase(&get("unready").await), "Running");
    eventually("it crashes again", async || container(&get("crashing").await).restart_count >= 2)
        .await;

    pods.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    eventually("every pod is gone", async || {
        pods.list(&ListParams::default()).await.unwrap().items.is_empty()
    })
    .await;
}

fn job(name: &str, image: &str, notes: &[(&str, &str)]) -> batchv1::Job {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"annotations": annotations(notes)},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "app", "image": image}],
                },
            },
        },
    }))
    .unwrap()
}

#[tokio::test]
async fn jobs_complete_or_fail_as_told() {
    let (client, namespace) = sandbox("job").await;
    let jobs = Api::<batchv1::Job>::namespaced(client.clone(), &namespace);
    let pods = Api::<corev1::Pod>::namespaced(client, &namespace);
    for job in [
        job("succeeds", "task:1", &[]),
        job("fails", "task:1", &[("exit-code", "4")]),
        job("exits", "sandbox.linkspan.dev/exits:3", &[]),
        job("crashes", "sandbox.linkspan.dev/crashes", &[]),
        job("stays", "task:1", &[("exits-after", "never")]),
        job("runs", "sandbox.linkspan.dev/runs:1", &[]),
    ] {
        jobs.create(&PostParams::default(), &job).await.unwrap();
    }
    let status = async |name: &str| jobs.get(name).await.unwrap().status.unwrap_or_default();
    eventually("a job has succeeded", async || status("succeeds").await.succeeded == Some(1)).await;
    for failing in ["fails", "exits", "crashes"] {
        eventually("a job has failed", async || status(failing).await.failed == Some(1)).await;
    }
    let exit_code = async |job: &str| {
        let of_job = ListParams::default().labels(&format!("job-name={job}"));
        let pods = pods.list(&of_job).await.unwrap();
        let state = pods.iter().next().and_then(|pod| container(pod).state);
        state.and_then(|state| state.terminated).map(|end| end.exit_code)
    };
    assert_eq!(exit_code("succeeds").await, Some(0));
    assert_eq!(exit_code("fails").await, Some(4));
    assert_eq!(exit_code("exits").await, Some(3));
    assert_eq!(exit_code("crashes").await, Some(1));

    for job in ["stays", "runs"] {
        assert_eq!(status(job).await.active, Some(1), "{job}");
        jobs.delete(job, &DeleteParams::background()).await.unwrap();
    }
    eventually("deleted jobs leave no pods", async || {
        pods.list(&ListParams::default().labels("job-name in (stays,runs)"))
            .await
            .unwrap()
            .items
            .is_empty()
    })
    .await;
}
