//! The program, asked as a person asks it.

use std::process::{Command, Output, Stdio};

use crate::support::{Place, shared};

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The lines, each as its words.
    pub(crate) fn words(&self) -> Vec<Vec<&str>> {
        self.out.lines().map(|line| line.split_whitespace().collect()).collect()
    }
}

/// Asks in a place; returns when the answer is there.
pub(crate) async fn ask(place: &Place, arguments: &[&str]) -> Said {
    let kubeconfig = shared().await.kubeconfig_path();
    let mut command = Command::new(env!("CARGO_BIN_EXE_linkspan"));
    command
        .env("KUBECONFIG", kubeconfig)
        .args(arguments)
        .args(["--namespace", &place.namespace])
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Said::of(output)
}

/// The same, where it must succeed: what was printed.
pub(crate) async fn told(place: &Place, arguments: &[&str]) -> Said {
    let said = ask(place, arguments).await;
    assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
    said
}
