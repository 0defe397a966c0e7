//! Where the commands of pages run: a sandbox as people start it, and a cluster as kind makes it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1 as corev1;
use kube::api::PostParams;
use kube::{Api, Client};
use linkspan::sandbox::control_plane::nodes::NodeGroup;
use linkspan::sandbox::control_plane::{
    ControlPlane, Lines, Options, Program, Programs, Sources, Version,
};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::pages::root;

/// The program.
pub(crate) const LINKSPAN: &str = env!("CARGO_BIN_EXE_linkspan");
/// How long a sandbox may take to be up, its programs being there.
const PATIENCE: Duration = Duration::from_secs(240);

/// A cluster that commands are sent to.
pub(crate) enum Stage {
    /// `linkspan sandbox --keep`, and what it printed.
    Sandbox { kubeconfig: PathBuf, said: String, _child: Child },
    /// As `kind create cluster` leaves it, and the operator, once there is one.
    Kind { control_plane: Box<ControlPlane>, operator: Option<Child> },
}

impl Stage {
    /// Starts a sandbox; returns when it says that it stays.
    pub(crate) async fn sandbox() -> Self {
        // It ends when its input does: with this process, however that ends.
        let script = r#""$0" sandbox --keep & kept=$!; read -r _; kill -INT $kept; wait $kept"#;
        let mut child = Command::new("sh")
            .args(["-c", script, LINKSPAN])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = String::new();
        let up = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                said = format!("{said}{line}\n");
                if line.starts_with("It stays up") {
                    return;
                }
            }
        });
        up.await.unwrap_or_else(|_| panic!("no sandbox within {PATIENCE:?}: {said}"));
        let kubeconfig = said.lines().find_map(|line| line.strip_prefix("export KUBECONFIG="));
        let kubeconfig = kubeconfig.unwrap_or_else(|| panic!("no KUBECONFIG: {said}")).into();
        // Nobody reads on, and nobody is stopped by that.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self::Sandbox { kubeconfig, said, _child: child }
    }

    /// Starts a control plane without Linkspan, whose nodes are those of `examples/kind/cluster.yaml`.
    pub(crate) async fn kind() -> Self {
        let options =
            Options { progress: Arc::new(Lines::new(std::io::stderr())), ..Options::default() };
        let control_plane = ControlPlane::start(options).await.expect("a control plane");
        let nodes: Api<corev1::Node> = Api::all(Client::try_from(control_plane.config()).unwrap());
        for node in workers() {
            nodes.create(&PostParams::default(), &node).await.unwrap();
        }
        Self::Kind { control_plane: Box::new(control_plane), operator: None }
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        match self {
            Self::Sandbox { kubeconfig, .. } => kubeconfig.clone(),
            Self::Kind { control_plane, .. } => control_plane.kubeconfig_path(),
        }
    }

    /// Starts the operator or ends it: what a simulated node does not do with the chart's pod.
    pub(crate) async fn operate(&mut self, runs: bool) {
        let Self::Kind { control_plane, operator } = self else { return };
        if !runs {
            if let Some(mut child) = operator.take() {
                child.kill().await.unwrap();
            }
            return;
        }
        if operator.is_some() {
            return;
        }
        let log = control_plane.dir().join("operator.log");
        let child = Command::new(LINKSPAN)
            // Any free port: other tests may have 8080.
            .args(["controller", "--listen", "127.0.0.1:0"])
            .env("KUBECONFIG", control_plane.kubeconfig_path())
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(log).unwrap())
            .process_group(control_plane.process_group())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        *operator = Some(child);
    }
}

/// The workers of `examples/kind/cluster.yaml`, as kind names and labels them.
fn workers() -> Vec<corev1::Node> {
    let text = std::fs::read_to_string(root().join("examples/kind/cluster.yaml")).unwrap();
    let cluster: Value = serde_saphyr::from_str(&text).unwrap();
    let workers = cluster["nodes"].as_array().unwrap().iter();
    let workers = workers.filter(|node| node["role"] == "worker");
    let group = NodeGroup { zones: Vec::new(), ..NodeGroup::default() };
    workers
        .enumerate()
        .map(|(at, worker)| {
            let mut node = group.node(0);
            let number = if at == 0 { String::new() } else { (at + 1).to_string() };
            let name = format!("kind-worker{number}");
            let labels = node.metadata.labels.get_or_insert_default();
            labels.retain(|key, _| key.starts_with("kubernetes.io/"));
            labels.insert("kubernetes.io/hostname".to_owned(), name.clone());
            for (key, value) in worker["labels"].as_object().unwrap() {
                labels.insert(key.clone(), value.as_str().unwrap().to_owned());
            }
            node.metadata.name = Some(name);
            node
        })
        .collect()
}

/// Where the control plane's programs are, for a command whose home is elsewhere.
pub(crate) fn built() -> Vec<(&'static str, PathBuf)> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = variable("LINKSPAN_CACHE").or_else(|| {
        let caches = variable("XDG_CACHE_HOME");
        Some(caches.or_else(|| Some(variable("HOME")?.join(".cache")))?.join("linkspan"))
    });
    let found = [("LINKSPAN_CACHE", cache), ("KUBEBUILDER_ASSETS", variable("KUBEBUILDER_ASSETS"))];
    found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Puts the programs that pages name into a folder, for the PATH.
pub(crate) fn programs(folder: &Path) {
    let progress = Lines::new(std::io::stderr());
    let sources = Sources::from_environment();
    let provide = |program| {
        Programs::provide_one(program, Version::default(), &sources, &progress).expect("a program")
    };
    for (name, path) in [
        ("kubectl", provide(Program::Kubectl)),
        ("helm", provide(Program::Helm)),
        ("linkspan", LINKSPAN.into()),
        ("kubectl-linkspan", LINKSPAN.into()),
    ] {
        std::os::unix::fs::symlink(path, folder.join(name)).unwrap();
    }
}
