//! The operator as a process of its own, which can be killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use linkspan::defect::Defect;
use linkspan::sandbox::control_plane::ControlPlane;
use tokio::process::{Child, Command};

/// The operator's process. It ends when this is dropped, and with the control plane, and so with
/// the test, however that ends.
pub(crate) struct Operator {
    kubeconfig: PathBuf,
    log: PathBuf,
    group: i32,
    child: Option<Child>,
    defects: Vec<&'static str>,
}

impl Operator {
    /// One that is not started yet.
    pub(crate) fn new(control_plane: &ControlPlane, kubeconfig: &Path) -> Self {
        let mut log = control_plane.dir().join(kubeconfig.file_name().unwrap());
        log.set_extension("operator.log");
        let group = control_plane.process_group();
        Self { kubeconfig: kubeconfig.to_owned(), log, group, child: None, defects: Vec::new() }
    }

    /// Lets it make a mistake, or be another version, from its next start.
    #[allow(dead_code, reason = "not every program that has this has another version")]
    pub(crate) fn with_defect(&mut self, defect: Defect) {
        self.defects.push(defect.name());
    }

    /// Where it says what it does, all of its lives together.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    pub(crate) fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut defects = self.defects.clone();
        let made = std::env::var("LINKSPAN_DEFECT").unwrap_or_default();
        defects.push(&made);
        let child = Command::new(env!("CARGO_BIN_EXE_linkspan"))
            .args(["controller", "--listen", "127.0.0.1:0", "--log", "info"])
            .env_clear()
            .env("KUBECONFIG", &self.kubeconfig)
            .env("LINKSPAN_DEFECT", defects.join(","))
            .stdin(Stdio::null())
            .stderr(log)
            .process_group(self.group)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// SIGKILL; returns when the process is gone.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.unwrap();
        }
    }
}
