//! The release's second scheduler: its configuration and its account's rights, given to the real
//! kube-scheduler, which then fills nodes as `binpack` asks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::PostParams;
use kube::{Api, Client};
use linkspan::api::{CapacityProvider, Service};
use linkspan::sandbox::control_plane::nodes::NodeGroup;
use linkspan::sandbox::control_plane::{ControlPlane, Lines, Program, Programs, Sources};
use serde_json::{Value, json};

use crate::manifests::documents;
use crate::operator::{NAMESPACE, Operator, apply, bare_with, install, kubeconfig, place_of};
use crate::replicas::free_port;
use crate::support::{Place, audited, until, version};

/// The scheduler's account.
const ACCOUNT: &str = "linkspan-scheduler";

/// The control plane's own scheduler without the profiles that the sandbox adds, as clusters have it.
const USUAL: &str = "apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: scheduler.kubeconfig}
";

/// The scheduler's process. It ends when this is dropped, or with the control plane.
struct Scheduler(Child);

impl Drop for Scheduler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Scheduler {
    /// Starts it as the installed Deployment says, and waits for what its readiness probe asks. A pod
    /// finds the API server and its token by itself; here it is told where they are.
    async fn start(control_plane: &ControlPlane) -> Self {
        let client = Client::try_from(control_plane.config()).unwrap();
        let dir = control_plane.dir();
        let deployments: Api<appsv1::Deployment> = Api::namespaced(client.clone(), NAMESPACE);
        let deployment = deployments.get(ACCOUNT).await.unwrap();
        let pod = deployment.spec.unwrap().template.spec.unwrap();
        let kubeconfig = kubeconfig(control_plane, &pod.service_account_name.unwrap()).await;

        let mounted = pod.volumes.unwrap()[0].config_map.as_ref().unwrap().name.clone();
        let maps: Api<corev1::ConfigMap> = Api::namespaced(client, NAMESPACE);
        for (name, text) in maps.get(&mounted).await.unwrap().data.unwrap() {
            let mut config = documents(&text).remove(0);
            config["clientConnection"] = json!({"kubeconfig": kubeconfig});
            std::fs::write(dir.join(name), config.to_string()).unwrap();
        }
        let port = free_port();
        let command = pod.containers[0].command.clone().unwrap();
        let folder = dir.display().to_string();
        let arguments = command[1..].iter().map(|one| one.replace("/etc/scheduler", &folder));
        let log = dir.join("second-scheduler.log");
        let kubeconfig = kubeconfig.display();
        let child = Command::new(program())
            .args(arguments)
            .args([format!("--secure-port={port}"), "--bind-address=127.0.0.1".to_owned()])
            .arg(format!("--authentication-kubeconfig={kubeconfig}"))
            .arg(format!("--authorization-kubeconfig={kubeconfig}"))
            .env_clear()
            .current_dir(dir)
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .process_group(control_plane.process_group())
            .spawn()
            .unwrap();
        let scheduler = Self(child);
        let mut config = kube::Config::new(format!("https://127.0.0.1:{port}").parse().unwrap());
        config.accept_invalid_certs = true;
        let probe = Client::try_from(config).unwrap();
        until("the second scheduler is ready", || async {
            let request = axum::http::Request::get("/readyz").body(Vec::new()).unwrap();
            match probe.request_text(request).await {
                Ok(said) if said == "ok" => Ok(()),
                other => Err(format!("{other:?}: {}", tail(&log))),
            }
        })
        .await;
        scheduler
    }
}

fn tail(log: &Path) -> String {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    let mut lines: Vec<&str> = said.lines().rev().take(20).collect();
    lines.reverse();
    lines.join("\n")
}

fn program() -> std::path::PathBuf {
    let progress = Arc::new(Lines::new(std::io::stderr()));
    let sources = Sources::from_environment();
    Programs::provide_one(Program::KubeScheduler, version(), &sources, &*progress).unwrap()
}

/// Three nodes of 4 cores and 16 GiB that only tasks of provider `packed` come to. Of `packed-1` a core
/// is taken, of `packed-2` half of the memory.
async fn nodes(admin: &Client, namespace: &str) {
    let group = NodeGroup {
        name: "packed".to_owned(),
        labels: [("only-for".to_owned(), "packed".to_owned())].into(),
        taints: vec![corev1::Taint {
            key: "only-packed".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..corev1::Taint::default()
        }],
        ..NodeGroup::default()
    };
    group.create(admin).await.unwrap();
    let pods: Api<corev1::Pod> = Api::namespaced(admin.clone(), namespace);
    for (node, requests) in
        [(1, json!({"cpu": "1", "memory": "64Mi"})), (2, json!({"cpu": "64m", "memory": "8Gi"}))]
    {
        let pod = json!({"metadata": {"name": format!("fills-{node}")}, "spec": {
            "nodeName": group.node_name(node),
            "containers": [{"name": "app", "image": "example/app:1",
                "resources": {"requests": requests}}]}});
        let pod = serde_json::from_value(pod).unwrap();
        pods.create(&PostParams::default(), &pod).await.unwrap();
    }
    let provider = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "CapacityProvider",
        "metadata": {"name": "packed"},
        "spec": {"managedNodeGroup": {"taints": [{"key": "only-packed", "effect": "NO_SCHEDULE"}]},
            "kubernetes": {"nodeSelector": {"only-for": "packed"}}}});
    apply::<CapacityProvider>(&Api::all(admin.clone()), "packed", &provider).await;
}

/// How many tasks of a service are on which node.
async fn landed(place: &Place, service: &Service) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for pod in place.children::<corev1::Pod>(service).await {
        let node = pod.spec.unwrap().node_name.unwrap();
        *counts.entry(node).or_default() += 1;
    }
    counts
}

fn counts(of: &[(&str, usize)]) -> BTreeMap<String, usize> {
    of.iter().map(|(node, count)| ((*node).to_owned(), *count)).collect()
}

#[tokio::test]
async fn the_second_scheduler_of_the_release_fills_the_fullest_node_first() {
    let usual = std::env::temp_dir().join(format!("linkspan-usual-{}.yaml", std::process::id()));
    std::fs::write(&usual, USUAL).unwrap();
    let config = format!("--config={}", usual.display());
    let control_plane = bare_with(vec![(Program::KubeScheduler, config)]).await;
    std::fs::remove_file(&usual).unwrap();
    install(&control_plane, &["scheduler.enabled=true"]);
    let admin = Client::try_from(control_plane.config()).unwrap();
    let _scheduler = Scheduler::start(&control_plane).await;
    let _operator = Operator::start(&control_plane, &[]).await;
    let place = place_of(&control_plane, "packed", "dev").await;
    nodes(&admin, &place.namespace).await;

    place.task_definition("shop", "example/shop:1").await;
    let by = |field: &str, count: i32| {
        json!({"taskDefinition": "shop", "desiredCount": count,
            "capacityProviderStrategy": [{"capacityProvider": "packed", "weight": 1}],
            "placementStrategy": [{"type": "binpack", "field": field}]})
    };
    // A task has a quarter of a core and half a GiB.
    place.service("by-cpu", by("cpu", 4)).await;
    let service = place.steady("by-cpu", 4, "shop:1").await;
    assert_eq!(landed(&place, &service).await, counts(&[("packed-1", 4)]), "the least cpu left");
    place.service("by-memory", by("memory", 4)).await;
    let service = place.steady("by-memory", 4, "shop:1").await;
    assert_eq!(landed(&place, &service).await, counts(&[("packed-2", 4)]), "the least memory left");
    place.scale("by-cpu", 14).await;
    let service = place.steady("by-cpu", 14, "shop:1").await;
    let found = landed(&place, &service).await;
    // One has room for 12; the next has a core taken by now, and nobody begins the empty one.
    assert_eq!(found, counts(&[("packed-1", 12), ("packed-2", 2)]));

    let lines = audited(&control_plane.audit_log());
    let account = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
    let bindings = |line: &&Value| {
        line["objectRef"]["subresource"] == "binding"
            && line["objectRef"]["namespace"] == place.namespace.as_str()
    };
    let by: BTreeSet<&str> = lines
        .iter()
        .filter(bindings)
        .filter_map(|line| line["user"]["username"].as_str())
        .collect();
    assert_eq!(by, BTreeSet::from([account.as_str()]), "who has placed the tasks");
    let refused: Vec<&Value> = lines
        .iter()
        .filter(|line| line["user"]["username"] == account.as_str())
        .filter(|line| line["responseStatus"]["code"] == 403)
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    control_plane.stop().await;
}
