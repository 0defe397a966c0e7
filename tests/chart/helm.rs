//! The real `helm`, built from its pinned module, with folders of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use linkspan::sandbox::control_plane::{Lines, Program, Programs, Sources};
use serde_json::Value;

use crate::manifests::{documents, root};
use crate::support::version;

/// The chart of the operator.
pub(crate) const CHART: &str = "charts/linkspan";

fn program() -> &'static PathBuf {
    static HELM: OnceLock<PathBuf> = OnceLock::new();
    HELM.get_or_init(|| {
        let progress = Arc::new(Lines::new(std::io::stderr()));
        let sources = Sources::from_environment();
        Programs::provide_one(Program::Helm, version(), &sources, &*progress).expect("helm")
    })
}

/// Runs `helm` from the root of the source; with a kubeconfig where it needs a cluster.
pub(crate) fn helm(kubeconfig: Option<&Path>, arguments: &[&str]) -> Output {
    let home = std::env::temp_dir().join(format!("linkspan-helm-{}", std::process::id()));
    let mut command = Command::new(program());
    command.args(arguments).current_dir(root(""));
    for folder in ["CACHE", "CONFIG", "DATA"] {
        command.env(format!("HELM_{folder}_HOME"), home.join(folder));
    }
    match kubeconfig {
        Some(path) => command.env("KUBECONFIG", path),
        None => command.env_remove("KUBECONFIG"),
    };
    command.output().expect("helm runs")
}

/// What helm printed, where it did what it was asked.
pub(crate) fn done(output: &Output) -> String {
    let (said, failed) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "helm: {said}\n{failed}");
    said.into_owned()
}

/// The manifests that the chart comes to under these settings.
pub(crate) fn template(settings: &[&str]) -> Vec<Value> {
    documents(&done(&try_template(settings)))
}

/// The same, which may be refused.
pub(crate) fn try_template(settings: &[&str]) -> Output {
    let release = version().release();
    let mut arguments =
        vec!["template", "linkspan", CHART, "--namespace", "linkspan", "--kube-version", release];
    for setting in settings {
        // JSON where it is more than a scalar.
        let value = setting.split_once('=').map_or("", |(_, value)| value);
        arguments.push(if value.starts_with(['[', '{']) { "--set-json" } else { "--set" });
        arguments.push(setting);
    }
    helm(None, &arguments)
}

/// The one manifest of a kind and a name.
pub(crate) fn one<'a>(manifests: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found: Vec<&Value> = of_kind(manifests, kind)
        .into_iter()
        .filter(|manifest| manifest["metadata"]["name"] == name)
        .collect();
    assert_eq!(found.len(), 1, "{kind} {name}");
    found[0]
}

/// The manifests of a kind.
pub(crate) fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> Vec<&'a Value> {
    manifests.iter().filter(|manifest| manifest["kind"] == kind).collect()
}
