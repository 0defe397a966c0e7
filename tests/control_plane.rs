//! Does the control plane on demand keep its promises?
//!
//! Runs a real one. The first run on a machine builds its programs, which takes minutes and is
//! shown on stderr.
#![cfg(feature = "sandbox")]

use std::collections::BTreeSet;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::batch::v1 as batchv1;
use k8s_openapi::api::core::v1 as corev1;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use linkspan::sandbox::control_plane::nodes::{CapacityType, NodeGroup};
use linkspan::sandbox::control_plane::{
    BINPACK_SCHEDULER, ControlPlane, Error, Lines, Options, Program, Programs, Silent, Sources,
};
use serde_json::{Value, json};

fn options() -> Options {
    #[allow(clippy::disallowed_methods, reason = "a test has no command line to be told by")]
    let version = std::env::var("LINKSPAN_KUBERNETES").unwrap_or_default();
    Options {
        version: version.parse().unwrap_or_default(),
        progress: Arc::new(Lines::new(std::io::stderr())),
        ..Options::default()
    }
}

/// The shared control plane, a client of this test's runtime, and a namespace of its own.
async fn sandbox(test: &str) -> (Client, String) {
    let plane = ControlPlane::shared(options()).await.unwrap();
    let client = Client::try_from(plane.config()).unwrap();
    NodeGroup::default().create(&client).await.unwrap();
    let namespace = plane.namespace(&client, test).await.unwrap();
    (client, namespace)
}

/// Waits for at most 20 s; how long it took.
async fn eventually<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) -> Duration {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eprintln!("{what}: after {} ms", started.elapsed().as_millis());
    started.elapsed()
}

fn deployment(name: &str, replicas: i32) -> appsv1::Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }))
    .unwrap()
}

#[tokio::test]
async fn a_deployment_becomes_available_and_scales_to_nothing() {
    let (client, namespace) = sandbox("deployment").await;
    let deployments = Api::<appsv1::Deployment>::namespaced(client.clone(), &namespace);
    deployments.create(&PostParams::default(), &deployment("web", 3)).await.unwrap();
    eventually("three replicas are available", async || {
        let status = deployments.get("web").await.unwrap().status.unwrap_or_default();
        status.available_replicas == Some(3)
    })
    .await;

    let pods = Api::<corev1::Pod>::namespaced(client, &namespace);
    assert_eq!(nodes_of(&pods).await.len(), 3, "three pods spread over three nodes");

    let none = json!({"spec": {"replicas": 0}});
    deployments.patch("web", &PatchParams::default(), &Patch::Merge(none)).await.unwrap();
    eventually("no pod is left", async || {
        pods.list(&ListParams::default()).await.unwrap().items.is_empty()
    })
    .await;
}

async fn nodes_of(pods: &Api<corev1::Pod>) -> BTreeSet<String> {
    let pods = pods.list(&ListParams::default()).await.unwrap();
    pods.into_iter().filter_map(|pod| pod.spec.unwrap().node_name).collect()
}

/// A pod with one container of this image and these annotations.
fn pod(name: &str, image: &str, annotations: Value) -> corev1::Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "containers": [{"name": "app", "image": image}],
            "terminationGracePeriodSeconds": 30,
        },
    }))
    .unwrap()
}

fn is_ready(pod: &corev1::Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}

fn phase(pod: &corev1::Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// The status of the first container.
fn container(pod: &corev1::Pod) -> corev1::ContainerStatus {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.clone());
    statuses.unwrap_or_default().into_iter().next().unwrap_or_default()
}

fn waits_for(pod: &corev1::Pod) -> String {
    let state = container(pod).state.unwrap_or_default();
    state.waiting.and_then(|waiting| waiting.reason).unwrap_or_default()
}

#[tokio::test]
async fn a_placed_pod_is_ready_within_a_second() {
    let (client, namespace) = sandbox("ready").await;
    let pods = Api::<corev1::Pod>::namespaced(client, &namespace);
    let started = Instant::now();
    pods.create(&PostParams::default(), &pod("quick", "web:1", json!({}))).await.unwrap();
    eventually("the pod is ready", async || is_ready(&pods.get("quick").await.unwrap())).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
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
    let mut with_both = pod("both", "web:1", json!({}));
    with_both.spec.as_mut().unwrap().init_containers = serde_json::from_value(json!([
        {"name": "init", "image": "init:1"},
        {"name": "sidecar", "image": "sidecar:1", "restartPolicy": "Always"},
    ]))
    .unwrap();
    pods.create(&PostParams::default(), &with_both).await.unwrap();
    eventually("the pod is ready", async || is_ready(&pods.get("both").await.unwrap())).await;
    let status = pods.get("both").await.unwrap().status.unwrap();
    let states: Vec<_> = status
        .init_container_statuses
        .unwrap()
        .into_iter()
        .map(|status| {
            let state = status.state.unwrap();
            (status.name, state.running.is_some(), state.terminated.map(|end| end.exit_code))
        })
        .collect();
    let expected = [("init".to_owned(), false, Some(0)), ("sidecar".to_owned(), true, None)];
    assert_eq!(states, expected);
}

#[tokio::test]
async fn annotations_and_images_make_pods_slow_or_sick() {
    let (client, namespace) = sandbox("sick").await;
    let pods = Api::<corev1::Pod>::namespaced(client, &namespace);
    let note = |name: &str, value: &str| json!({format!("sandbox.linkspan.dev/{name}"): value});
    for sick in [
        pod("slow", "web:1", note("ready-after", "2s")),
        pod("late", "web:1", note("start-after", "2s")),
        pod("unready", "example.com/sandbox.linkspan.dev/never-ready:2", json!({})),
        pod("unpulled", "sandbox.linkspan.dev/pull-fails:2", json!({})),
        pod("unpulled-by-note", "web:1", note("fails", "pull")),
        pod("crashing", "sandbox.linkspan.dev/crashes:2", json!({})),
        pod("flapping", "web:1", json!({})),
    ] {
        pods.create(&PostParams::default(), &sick).await.unwrap();
    }
    let get = async |name: &str| pods.get(name).await.unwrap();

    eventually("a pod runs and is not ready yet", async || {
        let slow = get("slow").await;
        phase(&slow) == "Running" && !is_ready(&slow) && container(&slow).started == Some(true)
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
        is_ready(&get("slow").await) && is_ready(&get("late").await)
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

fn job(name: &str, image: &str, annotations: Value) -> batchv1::Job {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"annotations": annotations},
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
    let stays = json!({"sandbox.linkspan.dev/exits-after": "never"});
    let fails = json!({"sandbox.linkspan.dev/exit-code": "4"});
    for job in [
        job("succeeds", "task:1", json!({})),
        job("fails", "task:1", fails),
        job("exits", "sandbox.linkspan.dev/exits:3", json!({})),
        job("crashes", "sandbox.linkspan.dev/crashes", json!({})),
        job("stays", "task:1", stays),
        job("runs", "sandbox.linkspan.dev/runs:1", json!({})),
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

/// Keeps the pods of other tests away from a group of nodes.
fn own_taint() -> Vec<corev1::Taint> {
    serde_json::from_value(json!([{"key": "own-test", "effect": "NoSchedule"}])).unwrap()
}

#[tokio::test]
async fn the_binpack_scheduler_fills_a_node_before_it_begins_another() {
    let (client, namespace) = sandbox("binpack").await;
    let group = NodeGroup {
        name: "binpack".to_owned(),
        capacity_type: CapacityType::Spot,
        labels: [("only-for".to_owned(), "binpack".to_owned())].into(),
        taints: own_taint(),
        ..NodeGroup::default()
    };
    group.create(&client).await.unwrap();
    let pods = Api::<corev1::Pod>::namespaced(client.clone(), &namespace);
    for number in 0..4 {
        let mut pod = pod(&format!("pod-{number}"), "web:1", json!({}));
        let spec = pod.spec.as_mut().unwrap();
        spec.scheduler_name = Some(BINPACK_SCHEDULER.to_owned());
        spec.node_selector = Some(group.labels.clone());
        spec.tolerations =
            serde_json::from_value(json!([{"key": "own-test", "operator": "Exists"}])).unwrap();
        let requests = json!({"requests": {"cpu": "500m", "memory": "1Gi"}});
        spec.containers[0].resources = serde_json::from_value(requests).unwrap();
        pods.create(&PostParams::default(), &pod).await.unwrap();
    }
    eventually("every pod is placed", async || {
        let pods = pods.list(&ListParams::default()).await.unwrap();
        pods.iter().all(is_ready)
    })
    .await;
    assert_eq!(nodes_of(&pods).await.len(), 1);
    group.delete(&client).await.unwrap();
}

#[tokio::test]
async fn a_node_can_be_made_to_fail() {
    let (client, _) = sandbox("node").await;
    let group = NodeGroup { name: "failing".to_owned(), count: 1, ..NodeGroup::default() };
    group.create(&client).await.unwrap();
    let nodes = Api::<corev1::Node>::all(client.clone());
    let fails = json!({"metadata": {"annotations": {"sandbox.linkspan.dev/fails": "yes"}}});
    let name = group.node_name(0);
    nodes.patch(&name, &PatchParams::default(), &Patch::Merge(fails)).await.unwrap();
    eventually("the node controller keeps pods away", async || {
        let taints = nodes.get(&name).await.unwrap().spec.unwrap().taints.unwrap_or_default();
        taints.iter().any(|taint| taint.key == "node.kubernetes.io/not-ready")
    })
    .await;
    let recovers = json!({"metadata": {"annotations": {"sandbox.linkspan.dev/fails": null}}});
    nodes.patch(&name, &PatchParams::default(), &Patch::Merge(recovers)).await.unwrap();
    eventually("pods are let in again", async || {
        nodes.get(&name).await.unwrap().spec.unwrap().taints.unwrap_or_default().is_empty()
    })
    .await;
    group.delete(&client).await.unwrap();
}

#[tokio::test]
async fn an_audited_control_plane_tells_who_wrote_what_and_stops_without_a_trace() {
    let options = Options { audit: true, ..options() };
    let plane = ControlPlane::start(options).await.unwrap();
    let client = Client::try_from(plane.config()).unwrap();
    let maps = Api::<corev1::ConfigMap>::default_namespaced(client.clone());
    let map = json!({"metadata": {"name": "audited"}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    let log = std::fs::read_to_string(plane.audit_log()).unwrap();
    let ours: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &Value| event["objectRef"]["name"] == "audited")
        .collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert_eq!(ours[0]["verb"], "create");
    assert_eq!(ours[0]["user"]["username"], "linkspan-sandbox");

    let version = client.apiserver_version().await.unwrap();
    assert_eq!(version.git_version, format!("v{}", plane.version().release()));
    let kubectl = Command::new(plane.kubectl())
        .args(["get", "namespace", "default", "--output=name", "--kubeconfig"])
        .arg(plane.kubeconfig_path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&kubectl.stdout).trim(), "namespace/default");

    let (dir, group) = (plane.dir().to_owned(), plane.process_group());
    assert!(plane.failed().is_none());
    let started = Instant::now();
    plane.stop().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(!is_left(&dir, group));
}

#[tokio::test]
async fn a_program_that_ends_by_itself_is_named_with_its_last_words() {
    let argument = "--no-such-flag".to_owned();
    let arguments = vec![(Program::KubeControllerManager, argument)];
    let failure = ControlPlane::start(Options { arguments, ..options() }).await.err().unwrap();
    let message = failure.to_string();
    assert!(matches!(failure, Error::Ended { program: Program::KubeControllerManager, .. }));
    assert!(message.contains("unknown flag: --no-such-flag"), "{message}");
}

#[tokio::test]
async fn a_program_that_ends_later_is_noticed() {
    let plane = ControlPlane::start(options()).await.unwrap();
    assert!(plane.failed().is_none());
    let group = rustix::process::Pid::from_raw(plane.process_group()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    eventually("the end is noticed", async || {
        matches!(plane.failed(), Some(Error::Ended { program: Program::Etcd, .. }))
    })
    .await;
    plane.stop().await;
}

/// Whether a folder or any process of a group is there.
fn is_left(dir: &Path, group: i32) -> bool {
    let group = rustix::process::Pid::from_raw(group).unwrap();
    dir.exists() || rustix::process::test_kill_process_group(group).is_ok()
}

/// Set for a child of the test below, which is this very test run once more.
const CHILD: &str = "LINKSPAN_TEST_TO_BE_KILLED";

#[tokio::test]
async fn everything_ends_with_a_killed_process() {
    let myself = "everything_ends_with_a_killed_process";
    if std::env::var_os(CHILD).is_some() {
        let plane = ControlPlane::start(options()).await.unwrap();
        println!("\nrunning {} {}", plane.process_group(), plane.dir().display());
        // Longer than the parent waits.
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", myself, "--nocapture"])
        .env(CHILD, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines
        .map(Result::unwrap)
        .find(|line| line.starts_with("running ") && line.contains('/'))
        .expect("the child starts a control plane");
    let mut words = line.split_whitespace().skip(1);
    let group: i32 = words.next().unwrap().parse().unwrap();
    let dir = Path::new(words.next().unwrap());
    assert!(dir.join("admin.kubeconfig").exists());
    assert!(is_left(dir, group));

    // SIGKILL: the child can do nothing about it.
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("no process and no folder is left", async || !is_left(dir, group)).await;
}

#[test]
fn a_machine_with_nothing_is_told_once_what_would_help() {
    let cache = Some(std::env::temp_dir().join("linkspan-no-such-cache"));
    let sources = Sources { cache: cache.clone(), ..Sources::default() };
    let error = Programs::provide(options().version, &sources, &Silent).unwrap_err();
    let message = error.to_string();
    for expected in [
        "this machine has no etcd, kube-apiserver, kube-controller-manager, kube-scheduler, \
         kubectl, kwok for Kubernetes 1.3",
        "and no Go to build them with",
        "- install Go 1.26 or newer",
        "- set KUBEBUILDER_ASSETS",
        "linkspan-no-such-cache/control-plane from a machine of the same kind",
    ] {
        assert!(message.contains(expected), "{expected:?} is not in: {message}");
    }
    assert!(!cache.unwrap().exists(), "nothing was tried");
}
