//! Does a control plane start, fail and end as it says?

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1 as corev1;
use kube::Client;
use kube::api::{Api, PostParams};
use linkspan::sandbox::control_plane::{
    ControlPlane, Error, Options, Program, Programs, Silent, Sources,
};
use serde_json::{Value, json};

use crate::{eventually, options};

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
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
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
    let myself = "life::everything_ends_with_a_killed_process";
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
    let cache = std::env::temp_dir().join("linkspan-no-such-cache");
    let sources = Sources { cache: Some(cache.clone()), ..Sources::default() };
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
    assert!(!cache.exists(), "nothing was tried");
}
