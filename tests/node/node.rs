//! A control plane, a node and the operator, for all tests of this program.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1 as corev1;
use kube::{Api, Client};
use linkspan::sandbox::control_plane::{ControlPlane, Options, Program, Programs, Silent, Sources};

use crate::images::{self, BOX, HELLO};
use crate::settings::{ADDRESS, CONTAINERD, NAME, PAUSE, files};
use crate::support::{Operator, Place, options, version};

/// How long the node may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(120);

static NODE: OnceLock<Node> = OnceLock::new();

/// What runs. It ends with the namespaces.
pub(crate) struct Node {
    pub(crate) control_plane: ControlPlane,
    pub(crate) state: PathBuf,
    programs: Programs,
    running: Vec<(Program, Child)>,
}

/// The one that runs.
pub(crate) fn node() -> &'static Node {
    NODE.get().expect("a node")
}

/// A namespace to work in.
pub(crate) async fn place(prefix: &str) -> Place {
    Place::of(&node().control_plane, prefix).await
}

/// Starts it, and the operator in this process.
pub(crate) fn start(state: &Path) -> Operator {
    let started = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let node = runtime.block_on(Node::start(state));
    // The control plane's own tasks go on.
    std::mem::forget(runtime);
    let operator = Operator::start(&node.control_plane);
    assert!(NODE.set(node).is_ok());
    tell!("the node is ready: {:.1} s", started.elapsed().as_secs_f64());
    operator
}

impl Node {
    async fn start(state: &Path) -> Self {
        let sources = Sources::from_environment();
        let programs =
            Programs::provide_these(&Program::NODE, version(), &sources, &Silent).unwrap();
        groups(&state.file_name().unwrap().to_string_lossy());
        let pause: &[&str] = &["/bin/busybox", "sleep", "2147483647"];
        let archive = images::archive(
            &state.join("box"),
            &[
                (PAUSE, pause, &[]),
                (BOX, &[], &["sh"]),
                (HELLO, &["httpd", "-f", "-p", "80", "-h", "/www"], &[]),
            ],
        );
        let arguments = [
            "--bind-address=0.0.0.0".to_owned(),
            format!("--advertise-address={ADDRESS}"),
            "--endpoint-reconciler-type=lease".to_owned(),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
        ];
        let control_plane = ControlPlane::start(Options {
            arguments: arguments.map(|it| (Program::KubeApiserver, it)).to_vec(),
            ..options()
        })
        .await
        .expect("a control plane");
        let kubeconfig = control_plane.kubeconfig_path();
        let plugins = programs.path(Program::Bridge).parent().unwrap();
        for (name, text) in files(state, plugins, programs.path(Program::Runc), &kubeconfig) {
            let path = state.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut node =
            Self { control_plane, state: state.to_owned(), programs, running: Vec::new() };
        node.run(Program::Containerd, &[format!("--config={}", node.file("containerd.toml"))]);
        node.import(&archive);
        node.run(
            Program::Kubelet,
            &[
                format!("--config={}", node.file("kubelet.json")),
                format!("--kubeconfig={}", kubeconfig.display()),
                format!("--hostname-override={NAME}"),
                format!("--node-ip={ADDRESS}"),
                "--node-labels=topology.kubernetes.io/zone=zone-a".to_owned(),
            ],
        );
        node.run(Program::KubeProxy, &[format!("--config={}", node.file("proxy.json"))]);
        node.until_ready().await;
        node
    }

    fn file(&self, name: &str) -> String {
        self.state.join(name).display().to_string()
    }

    /// Starts a program, with a log. In a group of its own: an interruption ends it by its namespace.
    fn run(&mut self, program: Program, arguments: &[String]) {
        let log = File::create(self.log(program)).unwrap();
        let child = Command::new(self.programs.path(program))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        self.running.push((program, child));
    }

    /// Ends the wait for the node where one of its programs has ended.
    fn all_run(&mut self) {
        for at in 0..self.running.len() {
            let (program, child) = &mut self.running[at];
            let (name, ended) = (program.name(), child.try_wait().unwrap());
            assert!(ended.is_none(), "{name} ended: {ended:?}\n{}", self.said());
        }
    }

    fn log(&self, program: Program) -> PathBuf {
        self.state.join(format!("{}.log", program.name()))
    }

    /// Brings the images of an archive in, as soon as containerd takes them.
    pub(crate) fn import(&self, archive: &Path) {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let done = Command::new(self.programs.path(Program::Ctr))
                .args(["--address", CONTAINERD, "--namespace", "k8s.io", "images", "import"])
                .args(["--local", "--snapshotter", "native"])
                .arg(archive)
                .output()
                .unwrap();
            if done.status.success() {
                return;
            }
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(Instant::now() < deadline, "{said}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    async fn until_ready(&mut self) {
        let client = Client::try_from(self.control_plane.config()).unwrap();
        let nodes: Api<corev1::Node> = Api::all(client);
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let node = nodes.get_opt(NAME).await.unwrap();
            let conditions = node.and_then(|node| node.status?.conditions).unwrap_or_default();
            let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
            if ready.is_some_and(|ready| ready.status == "True") {
                return;
            }
            assert!(Instant::now() < deadline, "not ready: {ready:?}\n{}", self.said());
            self.all_run();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The ends of the programs' logs.
    pub(crate) fn said(&self) -> String {
        [Program::Containerd, Program::Kubelet, Program::KubeProxy]
            .map(|program| {
                let log = fs::read_to_string(self.log(program)).unwrap_or_default();
                let lines: Vec<_> = log.lines().rev().take(15).collect();
                let lines: Vec<_> = lines.into_iter().rev().collect();
                format!("{}:\n  {}", program.name(), lines.join("\n  "))
            })
            .join("\n")
    }
}

/// Control groups of the node's own, below which all pods are. The guard removes them.
fn groups(name: &str) {
    let all = Path::new("/sys/fs/cgroup");
    if all.join("cgroup.controllers").exists() {
        fs::create_dir(all.join(name)).unwrap();
        return;
    }
    for entry in fs::read_dir(all).unwrap().map(Result::unwrap) {
        if !entry.file_type().unwrap().is_dir() {
            continue;
        }
        let group = entry.path().join(name);
        fs::create_dir(&group).unwrap();
        // Without them, it can hold no process.
        for setting in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(all) = fs::read(entry.path().join(setting)) {
                fs::write(group.join(setting), all).unwrap();
            }
        }
    }
}
