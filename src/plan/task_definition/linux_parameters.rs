//! Which file systems in memory, devices and settings of Linux does a container have?
//!
//! `linuxParameters`, but for its capabilities, which are in `security`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::container::Container;
use super::read::{MOST, flag, is_mount_path, listed, objects, whole};
use super::resolve::Around;
use crate::ecs::reference::text;
use crate::plan::finding::Findings;

/// 512 TiB in MiB: more memory than any node has.
const MOST_MEMORY: i64 = 1 << 29;

/// A file system in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryFileSystem {
    /// Where it is mounted.
    pub path: String,
    /// Its largest size in MiB.
    pub size: i64,
    /// Whether writing is forbidden.
    pub read_only: bool,
}

/// Reads `tmpfs` and `sharedMemorySize` of the container at `path`.
pub(super) fn memory_file_systems(
    raw: &Value,
    path: &str,
    around: &Around<'_>,
    findings: &mut Findings,
) -> Vec<MemoryFileSystem> {
    let Some(parameters) = raw.get("linuxParameters") else { return Vec::new() };
    let path = format!("{path}.linuxParameters");
    let mut found = Vec::new();
    if let Some(size) = whole(parameters, "sharedMemorySize", &path, 0..=MOST_MEMORY, findings)
        // 0 is what a form left empty says.
        && size > 0
        && around.allows(&format!("{path}.sharedMemorySize"), &size.to_string(), findings)
    {
        found.push(MemoryFileSystem { path: "/dev/shm".to_owned(), size, read_only: false });
    }
    for (path, tmpfs) in objects(parameters, "tmpfs", &path) {
        let at = format!("{path}.containerPath");
        let Some(mount_path) = text(tmpfs, "containerPath") else {
            findings.refuse(at, "is required: the path at which it is mounted");
            continue;
        };
        if !is_mount_path(&mount_path) {
            findings.refuse_value(at, &mount_path, "must start with `/` and be without `:`");
        }
        let read = whole(tmpfs, "size", &path, 1..=MOST_MEMORY, findings);
        if read.is_none() && tmpfs.get("size").is_none_or(Value::is_null) {
            findings.refuse(format!("{path}.size"), "is required: a size in MiB");
        }
        let mut read_only = false;
        for (at, option) in listed(tmpfs, "mountOptions") {
            match option.as_str() {
                "ro" => read_only = true,
                "rw" => read_only = false,
                "defaults" => {}
                _ => findings.differs(
                    format!("{path}.mountOptions[{at}]"),
                    format!("`{option}` has no effect: of mount options, a pod can have ro and rw"),
                ),
            }
        }
        found.push(MemoryFileSystem { path: mount_path, size: read.unwrap_or(1), read_only });
    }
    found
}

/// Reads `devices`: the resources of device plugins that stand for them, from
/// `kubernetes.devices`.
///
/// Only a device plugin can hand a device to a container that is not privileged; one that is
/// privileged sees all devices of its node anyway.
pub(super) fn devices(
    raw: &Value,
    path: &str,
    around: &Around<'_>,
    findings: &mut Findings,
) -> BTreeMap<String, i64> {
    let mut resources = BTreeMap::new();
    let Some(parameters) = raw.get("linuxParameters") else { return resources };
    let privileged = flag(raw, "privileged") == Some(true);
    for (path, device) in objects(parameters, "devices", &format!("{path}.linuxParameters")) {
        let Some(host_path) = text(device, "hostPath") else {
            findings
                .refuse(format!("{path}.hostPath"), "is required: the device's path on the node");
            continue;
        };
        if !around.allows(&format!("{path}.hostPath"), &host_path, findings) {
            continue;
        }
        let named = around.kubernetes.get("devices").and_then(|devices| text(devices, &host_path));
        let elsewhere = text(device, "containerPath").filter(|inside| *inside != host_path);
        if let Some(resource) = named {
            let domain = resource.split_once('/').map_or("", |(domain, _)| domain);
            if domain.is_empty() {
                let path = "kubernetes.devices";
                let rule = "must be a device plugin's resource, as in example.com/device";
                findings.refuse_value(path, &resource, rule);
            }
            resources.insert(resource, 1);
        } else if !privileged {
            findings.differs(
                &path,
                format!(
                    "`{host_path}` is not handed to the container: name the device plugin's resource \
                     for it, as in `kubernetes: {{devices: {{{host_path}: example.com/device}}}}`, or \
                     make the container privileged"
                ),
            );
        } else if let Some(inside) = elsewhere {
            let message =
                format!("a privileged container sees it at `{host_path}`, not at `{inside}`");
            findings.differs(format!("{path}.containerPath"), message);
        }
    }
    resources
}

/// Judges the settings of swap, which are a node's here: what differs stands in the member table.
pub(super) fn swap(raw: &Value, path: &str, around: &Around<'_>, findings: &mut Findings) {
    let Some(parameters) = raw.get("linuxParameters") else { return };
    let path = format!("{path}.linuxParameters");
    for (member, range) in [("maxSwap", 0..=MOST), ("swappiness", 0..=100)] {
        if let Some(number) = whole(parameters, member, &path, range, findings) {
            around.allows(&format!("{path}.{member}"), &number.to_string(), findings);
        }
    }
}

/// Whether the pod's processes get a first process of their own that reaps those left behind.
///
/// ECS puts one in for each container that asks. A pod has one, if its containers share their
/// processes: with one container that is the same, with several they would see each other's.
pub(super) fn init_process(
    spec: &Value,
    containers: &[Container],
    shared: bool,
    findings: &mut Findings,
) -> bool {
    let mut wanted = false;
    for (path, raw) in objects(spec, "containerDefinitions", "") {
        let parameters = raw.get("linuxParameters").unwrap_or(&Value::Null);
        if flag(parameters, "initProcessEnabled") != Some(true) {
            continue;
        }
        if shared || containers.len() == 1 {
            wanted = true;
        } else {
            findings.differs(
                format!("{path}.linuxParameters.initProcessEnabled"),
                "no init is put into one container of several: start the image's program by an init \
                 such as tini, or set pidMode to task",
            );
        }
    }
    wanted
}
