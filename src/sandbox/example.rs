//! Which service does a sandbox show? `examples/hello`, applied by kubectl as a new user would.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::control_plane::ControlPlane;

/// The namespace in which it is shown.
pub(super) const NAMESPACE: &str = "default";
/// The name of both of its objects.
pub(super) const NAME: &str = "hello";

const TASK_DEFINITION: &str = include_str!("../../examples/hello/task-definition.yaml");
const SERVICE: &str = include_str!("../../examples/hello/service.yaml");

/// The task definition, as the file has it.
pub(super) fn task_definition() -> String {
    TASK_DEFINITION.to_owned()
}

/// The task definition with another image.
pub(super) fn changed_task_definition() -> String {
    TASK_DEFINITION.replace("nginxdemos/hello", "nginxdemos/hello:plain-text")
}

/// Both objects.
pub(super) fn all() -> String {
    format!("{TASK_DEFINITION}---\n{SERVICE}")
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
