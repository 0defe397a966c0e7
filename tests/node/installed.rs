//! Does the operator run as a pod of its own image, as the chart installs it?
//!
//! The image is what `scripts/image` writes; it is built while the other tests wait. The chart is
//! installed by the real `helm`, with its own settings, in a namespace that enforces the restricted
//! profile. The operator of the other tests has stopped by then: this one takes over what it left.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use linkspan::names::label;
use serde_json::json;

use crate::hello;
use crate::helm::{CHART, done, helm};
use crate::manifests::root;
use crate::node::{node, place};
use crate::support::until;

/// Where the release is installed, and its name.
const NAMESPACE: &str = "linkspan";
/// The user of the image.
const USER: &str = "65532";
/// The API server by its Service, as `/proc/net/tcp` writes 10.0.0.1:443.
const SERVER: &str = "0100000A:01BB";

static BUILD: Mutex<Option<(Child, PathBuf)>> = Mutex::new(None);

/// Begins to build the image.
pub(crate) fn build_image() {
    let (archive, log) = (node().state.join("operator.tar"), node().state.join("image.log"));
    let log = fs::File::create(log).unwrap();
    // What `cargo test` says to its tests would let cargo build anew what it has built by itself.
    let said = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|start| name.starts_with(start))
    });
    // The tests that wait come first.
    let mut command = Command::new("nice");
    for name in said {
        command.env_remove(name);
    }
    let child = command
        .arg("python3")
        .arg(root("scripts/image"))
        .arg("--output")
        .arg(&archive)
        // What this program was built from is there, and there is no network.
        .env("CARGO_NET_OFFLINE", "true")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    *BUILD.lock().unwrap() = Some((child, archive));
}

/// Waits until the image is built; where it is.
async fn image() -> PathBuf {
    let (mut child, archive) = BUILD.lock().unwrap().take().expect("a build that was begun");
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    let said = fs::read_to_string(node().state.join("image.log")).unwrap();
    assert!(status.success(), "scripts/image: {said}");
    for line in said.lines().filter(|line| line.contains(" MB")) {
        tell!("  {line}");
    }
    archive
}

pub(crate) async fn the_image_of_the_operator_runs_as_the_chart_installs_it() {
    let client = Client::try_from(node().control_plane.config()).unwrap();
    node().import(&image().await);
    let restricted = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let admin = PatchParams::apply("admin").force();
    let namespaces: Api<corev1::Namespace> = Api::all(client.clone());
    namespaces.patch(NAMESPACE, &admin, &Patch::Apply(&restricted)).await.unwrap();
    let left = tasks(&client).await;
    tokio::task::spawn_blocking(|| {
        let kubeconfig = node().control_plane.kubeconfig_path();
        // The CRDs are there since the control plane started.
        let arguments = [
            "upgrade",
            "--install",
            "linkspan",
            CHART,
            "--namespace",
            NAMESPACE,
            "--wait",
            "--timeout=3m",
            "--take-ownership",
        ];
        done(&helm(Some(&kubeconfig), &arguments));
    })
    .await
    .unwrap();

    let pods: Api<corev1::Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let all = pods.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(all.len(), 1, "one operator");
    let spec = all[0].spec.as_ref().unwrap();
    assert_eq!(spec.service_account_name.as_deref(), Some("linkspan"));
    let process = processes();
    assert_eq!(process.len(), 1, "{process:?}");
    let process = &process[0];
    let status = fs::read_to_string(process.join("status")).unwrap();
    let is = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((is("Uid:"), is("Gid:")), (vec![USER.to_owned(); 4], vec![USER.to_owned(); 4]));
    assert_eq!(is("CapEff:"), ["0000000000000000"]);
    assert_eq!((is("NoNewPrivs:"), is("Seccomp:")), (vec!["1".to_owned()], vec!["2".to_owned()]));
    let connections = fs::read_to_string(process.join("net/tcp")).unwrap();
    assert!(connections.contains(SERVER), "not by the Service's address:\n{connections}");

    let place = place("installed").await;
    hello::apply(&place).await;
    hello::answers(&place).await;
    until("what was there is taken over", || async {
        let deployments: Api<appsv1::Deployment> = Api::all(client.clone());
        let ours = ListParams::default().labels(label::SERVICE_UID);
        let all = deployments.list(&ours).await.unwrap().items;
        let behind = all.iter().find(|deployment| {
            let observed = deployment.status.as_ref().and_then(|status| status.observed_generation);
            observed != deployment.metadata.generation
        });
        behind.map_or(Ok(()), |deployment| Err(deployment.name_any()))
    })
    .await;
    let now = tasks(&client).await;
    for (uid, name) in &left {
        assert!(now.contains_key(uid), "{name} was replaced");
    }
    tell!("  {} tasks of before go on", left.len());
    let operator = pods.list(&ListParams::default()).await.unwrap().items.remove(0);
    assert_eq!(crate::pods::restarts(&operator, "controller"), 0);
}

/// The tasks of all services, by UID, but for those that are about to go.
async fn tasks(client: &Client) -> BTreeMap<String, String> {
    let pods: Api<corev1::Pod> = Api::all(client.clone());
    let ours = ListParams::default().labels(label::SERVICE_UID);
    let mut all = pods.list(&ours).await.unwrap().items;
    all.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    all.iter().map(|pod| (pod.uid().unwrap(), pod.name_any())).collect()
}

/// The folders of the operator's processes that run in containers, among all of this namespace.
fn processes() -> Vec<PathBuf> {
    let all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        line.starts_with(b"/linkspan\0controller\0")
    })
    .collect()
}
