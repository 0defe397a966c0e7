//! Which volumes does a task have, and where do its containers see them?

use std::collections::BTreeSet;

use serde_json::Value;

use super::container::Container;
use super::read::{flag, is_mount_path, objects, text_map};
use super::resolve::Around;
use crate::ecs::reference::{is_name, text};
use crate::names::dns_label;
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};

/// The members of a volume that say what it is.
const SOURCES: &[&str] = &[
    "host",
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "s3filesVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "configuredAtLaunch",
];

/// A volume of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its ECS name.
    pub name: String,
    /// Its Kubernetes name: a DNS label.
    pub dns_name: String,
    /// What it is.
    pub source: Source,
}

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A fresh directory that goes with the task.
    Empty,
    /// A path of the node.
    Node(String),
    /// What is kept outside the task, or comes with a service or a run: a mapping says what it is.
    Stored,
}

/// Where a container sees a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The volume's Kubernetes name.
    pub volume: String,
    /// The path in the container.
    pub path: String,
    /// Whether writing is forbidden.
    pub read_only: bool,
}

/// Reads `volumes`.
pub(super) fn volumes(spec: &Value, around: &Around<'_>, findings: &mut Findings) -> Vec<Volume> {
    let mut volumes: Vec<Volume> = Vec::new();
    for (path, raw) in objects(spec, "volumes", "") {
        let name = text(raw, "name").unwrap_or_default();
        let dns_name = dns_label(&name, 63);
        if !is_name(&name) {
            let rule = "is required: 1 to 255 letters, digits, - and _";
            let written = brief(raw.get("name").unwrap_or(&Value::Null));
            findings.refuse_value(format!("{path}.name"), written, rule);
        } else if volumes.iter().any(|earlier| earlier.dns_name == dns_name) {
            let rule = "is also the name of an earlier volume; each needs its own";
            findings.refuse_value(format!("{path}.name"), &name, rule);
        }
        let source = source(raw, &path, around, findings);
        volumes.push(Volume { name, dns_name, source });
    }
    volumes
}

fn source(raw: &Value, path: &str, around: &Around<'_>, findings: &mut Findings) -> Source {
    let given = |member: &str| {
        raw.get(member).is_some_and(|value| !is_empty(value) && !says_nothing(value))
    };
    let sources: Vec<&str> = SOURCES.iter().copied().filter(|member| given(member)).collect();
    if let [first, second, ..] = sources.as_slice() {
        let rule = format!("cannot stand beside {first}; a volume has one source");
        findings.refuse(format!("{path}.{second}"), rule);
    }
    match sources.first() {
        None => {
            if raw.get("name").is_some() {
                findings.differs(path, FRESH);
            }
            Source::Empty
        }
        Some(&"host") => {
            let at = format!("{path}.host.sourcePath");
            let written = raw.get("host").and_then(|host| text(host, "sourcePath"));
            let Some(source_path) = written else { return Source::Empty };
            if !is_mount_path(&source_path) || source_path.split('/').any(|part| part == "..") {
                let rule = "must start with `/`, and be without `..` and `:`";
                findings.refuse_value(at, &source_path, rule);
            } else {
                around.allows(&at, &source_path, findings);
            }
            Source::Node(source_path)
        }
        Some(&"dockerVolumeConfiguration") => {
            let at = format!("{path}.dockerVolumeConfiguration");
            let docker = raw.get("dockerVolumeConfiguration").unwrap_or(&Value::Null);
            docker_volume(docker, &at, around, findings)
        }
        Some(_) => Source::Stored,
    }
}

/// What Docker does at the first mount of a fresh volume, and Kubernetes does not.
const FRESH: &str = "starts empty: what an image has at the path is not copied into it, as Docker \
                     does, and is hidden";

/// Whether every member below says nothing, as in the skeletons that ECS's tools write.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Object(object) => {
            object.values().all(|member| is_empty(member) || says_nothing(member))
        }
        Value::Bool(flag) => !flag,
        _ => false,
    }
}

fn docker_volume(
    docker: &Value,
    path: &str,
    around: &Around<'_>,
    findings: &mut Findings,
) -> Source {
    around.allows(path, "an object", findings);
    let is_local = text(docker, "driver").is_none_or(|driver| driver == "local");
    let scope = text(docker, "scope");
    match scope.as_deref() {
        None | Some("task") => {
            if flag(docker, "autoprovision") == Some(true) {
                let message =
                    "has no effect on a volume of scope task, which is made for each task";
                findings.differs(format!("{path}.autoprovision"), message);
            }
            if !is_local {
                return Source::Stored;
            }
            if !text_map(docker, "driverOpts").is_empty() {
                let rule = "is a mount by Docker's own means, and a pod has none; name a file system, \
                            as in efsVolumeConfiguration, or another driver";
                findings.refuse(format!("{path}.driverOpts"), rule);
            }
            findings.differs(path, FRESH);
            Source::Empty
        }
        Some("shared") => {
            findings.refuse_value(
                format!("{path}.scope"),
                "shared",
                "a pod has no volume that its node keeps for the tasks after it; use a volume with \
                 host.sourcePath, which is a directory of the node, or a file system",
            );
            Source::Empty
        }
        Some(other) => {
            findings.refuse_value(format!("{path}.scope"), other, "must be task or shared");
            Source::Empty
        }
    }
}

/// Reads `mountPoints` of the container at `path`.
pub(super) fn mounts(
    raw: &Value,
    path: &str,
    volumes: &[Volume],
    findings: &mut Findings,
) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for (path, point) in objects(raw, "mountPoints", path) {
        let (name, inside) = (text(point, "sourceVolume"), text(point, "containerPath"));
        if name.is_none() && inside.is_none() {
            continue;
        }
        let name = name.unwrap_or_default();
        let inside = inside.unwrap_or_default();
        if !is_mount_path(&inside) {
            let rule = "must be a path that starts with `/` and is without `:`";
            findings.refuse_value(format!("{path}.containerPath"), format!("`{inside}`"), rule);
            continue;
        }
        let Some(volume) = volumes.iter().find(|volume| volume.name == name) else {
            let known: Vec<&str> = volumes.iter().map(|volume| volume.name.as_str()).collect();
            let rule = if known.is_empty() {
                "is no volume of the task definition, which has none".to_owned()
            } else {
                format!("is no volume of the task definition; it has {}", known.join(", "))
            };
            findings.refuse_value(format!("{path}.sourceVolume"), format!("`{name}`"), rule);
            continue;
        };
        if mounts.iter().any(|earlier| is_same_path(&earlier.path, &inside)) {
            let rule = "is also the path of an earlier mount point; each needs its own";
            findings.refuse_value(format!("{path}.containerPath"), &inside, rule);
            continue;
        }
        mounts.push(Mount {
            volume: volume.dns_name.clone(),
            path: inside,
            read_only: flag(point, "readOnly").unwrap_or_default(),
        });
    }
    mounts
}

/// Whether two paths are one, but for a `/` at their end.
fn is_same_path(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// Reads `volumesFrom` of all containers, and gives each the mounts of the other. What a container
/// mounts itself comes before what it takes over, as in Docker.
pub(super) fn volumes_from(spec: &Value, containers: &mut [Container], findings: &mut Findings) {
    let mut taken: Vec<(usize, usize, bool)> = Vec::new();
    let listed = spec.get("containerDefinitions").and_then(Value::as_array);
    for (at, raw) in listed.into_iter().flatten().enumerate() {
        for (path, from) in objects(raw, "volumesFrom", &format!("containerDefinitions[{at}]")) {
            let Some(name) = text(from, "sourceContainer") else { continue };
            let found = containers.iter().position(|other| other.name == name);
            if let Some(other) = found.filter(|other| *other != at) {
                taken.push((at, other, flag(from, "readOnly").unwrap_or_default()));
            } else {
                let rule = "is no other container of the task";
                findings.refuse_value(format!("{path}.sourceContainer"), &name, rule);
            }
        }
    }
    // A mount may come by way of several containers, but of no more than there are.
    for _ in 0..containers.len() {
        for (at, other, read_only) in &taken {
            let mounts = containers.get(*other).map(|other| other.mounts.clone());
            let Some(container) = containers.get_mut(*at) else { continue };
            for mount in mounts.into_iter().flatten() {
                let mut paths = container.mounts.iter().map(|own| own.path.as_str());
                if !paths.any(|own| is_same_path(own, &mount.path)) {
                    let read_only = mount.read_only || *read_only;
                    container.mounts.push(Mount { read_only, ..mount });
                }
            }
        }
    }
}

/// Refuses two things at one path of a container.
pub(super) fn distinct_paths(containers: &[Container], findings: &mut Findings) {
    for (at, container) in containers.iter().enumerate() {
        let mut seen = BTreeSet::new();
        let mounts = container.mounts.iter().map(|mount| &mount.path);
        let paths = mounts.chain(container.memory_file_systems.iter().map(|found| &found.path));
        for path in paths {
            if !seen.insert(path.trim_end_matches('/')) {
                findings.refuse_value(
                    format!("containerDefinitions[{at}].linuxParameters"),
                    path,
                    "is the path of another mount of the same container; each needs its own",
                );
            }
        }
    }
}
