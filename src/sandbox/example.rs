//! What does a sandbox show? A folder of `examples/`, applied by kubectl as a new user would.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::control_plane::ControlPlane;
use crate::ecs::scaling::target_tracking::Timing;

/// The namespace in which it is shown.
pub(super) const NAMESPACE: &str = "default";

const TASK_DEFINITION: &str = include_str!("../../examples/hello/task-definition.yaml");
const SERVICE: &str = include_str!("../../examples/hello/service.yaml");

/// A folder of `examples/`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Example {
    /// A service that starts, scales, rolls and goes back.
    #[default]
    Hello,
    /// Load comes and goes: tasks follow it, and nodes follow the tasks.
    Autoscaling,
    /// Tasks on machines that stay and on machines that may be taken away.
    Spot,
    /// A service that a Fargate profile picks by its namespace and label.
    FargateProfile,
    /// Tasks that run only where constraints let them.
    Constrained,
    /// One task on each node.
    Daemon,
}

impl Example {
    /// The name of its folder.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Autoscaling => "autoscaling",
            Self::Spot => "spot",
            Self::FargateProfile => "fargate-profile",
            Self::Constrained => "constrained",
            Self::Daemon => "daemon",
        }
    }

    /// The name of its service, and of its task definition.
    pub(super) const fn service(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Autoscaling => "web",
            Self::Spot => "shop",
            Self::FargateProfile => "orders",
            Self::Constrained => "search",
            Self::Daemon => "agent",
        }
    }

    /// All of its objects.
    pub(super) fn manifests(self) -> String {
        let files: &[&str] = match self {
            Self::Hello => &[TASK_DEFINITION, SERVICE],
            Self::Autoscaling => &[
                include_str!("../../examples/autoscaling/node-group.yaml"),
                include_str!("../../examples/autoscaling/capacity-provider.yaml"),
                include_str!("../../examples/autoscaling/task-definition.yaml"),
                include_str!("../../examples/autoscaling/service.yaml"),
            ],
            Self::Spot => &[
                include_str!("../../examples/spot/capacity-providers.yaml"),
                include_str!("../../examples/spot/task-definition.yaml"),
                include_str!("../../examples/spot/service.yaml"),
            ],
            Self::FargateProfile => &[
                include_str!("../../examples/fargate-profile/capacity-provider.yaml"),
                include_str!("../../examples/fargate-profile/task-definition.yaml"),
                include_str!("../../examples/fargate-profile/service.yaml"),
            ],
            Self::Constrained => &[
                include_str!("../../examples/constrained/task-definition.yaml"),
                include_str!("../../examples/constrained/service.yaml"),
            ],
            Self::Daemon => &[
                include_str!("../../examples/daemon/task-definition.yaml"),
                include_str!("../../examples/daemon/service.yaml"),
            ],
        };
        files.join("---\n")
    }

    /// How long a deviation must last before tasks are added or removed: for the one that is to be
    /// watched, a second stands for a minute.
    pub(super) fn timing(self) -> Timing {
        match self {
            Self::Autoscaling => Timing { period: 1, ..Timing::default() },
            _ => Timing::default(),
        }
    }
}

/// The task definition of the first, as the file has it.
pub(super) fn task_definition() -> String {
    TASK_DEFINITION.to_owned()
}

/// The same with another image.
pub(super) fn changed_task_definition() -> String {
    TASK_DEFINITION.replace("nginxdemos/hello", "nginxdemos/hello:plain-text")
}

/// The control plane's own kubectl.
pub(super) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

impl Kubectl {
    pub(super) fn of(control_plane: &ControlPlane) -> Self {
        Self {
            program: control_plane.kubectl().to_owned(),
            kubeconfig: control_plane.kubeconfig_path(),
            cache: control_plane.dir().join("kubectl-cache"),
        }
    }

    /// Runs it, with something to read.
    pub(super) async fn run(&self, arguments: &[&str], input: &str) -> anyhow::Result<()> {
        let mut child = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(["--namespace", NAMESPACE])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("running {}", self.program.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("kubectl {}: {}", arguments.join(" "), said.trim());
        }
        Ok(())
    }
}
