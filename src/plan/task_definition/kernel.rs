//! Which kernel parameters and limits are asked for? `systemControls` and `ulimits`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::network::NetworkMode;
use super::read::{objects, whole};
use super::resolve::Around;
use crate::ecs::reference::text;
use crate::plan::finding::Findings;

/// The parameters of System V and POSIX IPC that ECS knows.
const IPC: &[&str] = &[
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// The parameters that every kubelet sets: those that Kubernetes calls safe. A pod with another one
/// fails on a node whose kubelet does not allow it by name, again and again.
const SAFE: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// The names of limits that ECS knows.
const LIMITS: &[&str] = &[
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// A limit per process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// ECS's name for it.
    pub name: String,
    /// The limit in force; -1 is none.
    pub soft: i64,
    /// How far the process may raise it; -1 is without end.
    pub hard: i64,
}

/// Reads `systemControls` of all containers, which hold for the pod.
pub(super) fn kernel_parameters(
    spec: &Value,
    around: &Around<'_>,
    ipc_host: bool,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    if around.windows {
        return parameters;
    }
    for (path, raw) in objects(spec, "containerDefinitions", "") {
        for (path, control) in objects(raw, "systemControls", &path) {
            let (name, value) = (text(control, "namespace"), text(control, "value"));
            let Some(name) = name else {
                if value.is_some() {
                    findings.refuse(format!("{path}.namespace"), "is required: a parameter's name");
                }
                continue;
            };
            let at = format!("{path}.namespace");
            let is_net = name.starts_with("net.");
            let is_ipc = IPC.contains(&name.as_str()) || name.starts_with("fs.mqueue.");
            if (!is_net && !is_ipc) || !is_parameter(&name) {
                let rule = format!("must be net.*, fs.mqueue.* or one of {}", IPC.join(", "));
                findings.refuse_value(at, name, rule);
            } else if is_net && around.mode == NetworkMode::Host {
                let rule = "cannot be set with networkMode host, where it is the node's own";
                findings.refuse_value(at, name, rule);
            } else if is_ipc && ipc_host {
                let rule = "cannot be set with ipcMode host, where it is the node's own";
                findings.refuse_value(at, name, rule);
            } else if !SAFE.contains(&name.as_str()) && !around.unsafe_sysctls() {
                findings.differs(
                    at,
                    format!(
                        "`{name}` is not set: a pod with it fails on nodes whose kubelet does not \
                         allow it (--allowed-unsafe-sysctls). Where all do, say `kubernetes: \
                         {{allowUnsafeSysctls: true}}`"
                    ),
                );
            } else {
                let value = value.unwrap_or_default();
                let earlier = parameters.insert(name, value.clone());
                if let Some(earlier) = earlier.filter(|earlier| *earlier != value) {
                    findings.refuse_value(
                        format!("{path}.value"),
                        value,
                        format!(
                            "is `{earlier}` in an earlier container; the containers of a task share \
                             it here, so give both one value"
                        ),
                    );
                }
            }
        }
    }
    parameters
}

/// Whether a text is a parameter's name: words of a-z, 0-9, `-` and `_` with dots between.
fn is_parameter(name: &str) -> bool {
    let word = |word: &str| {
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        word.starts_with(edge)
            && word.ends_with(edge)
            && word.chars().all(|c| edge(c) || matches!(c, '-' | '_'))
    };
    name.len() <= 253 && name.split(['.', '/']).all(word)
}

/// Reads `ulimits` of the container at `path`. That nothing but a plugin of the runtime sets them
/// stands in the member table.
pub(super) fn limits(raw: &Value, path: &str, findings: &mut Findings) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (path, limit) in objects(raw, "ulimits", path) {
        let name = text(limit, "name").unwrap_or_default();
        if !LIMITS.contains(&name.as_str()) {
            let rule = format!("must be one of {}", LIMITS.join(", "));
            findings.refuse_value(format!("{path}.name"), format!("`{name}`"), rule);
            continue;
        }
        let mut bound = |member| {
            let read = whole(limit, member, &path, -1..=i64::MAX, findings);
            if read.is_none() {
                findings.refuse(format!("{path}.{member}"), "is required: a whole number");
            }
            read
        };
        let (Some(soft), Some(hard)) = (bound("softLimit"), bound("hardLimit")) else { continue };
        let height = |bound: i64| if bound < 0 { i64::MAX } else { bound };
        if height(soft) > height(hard) {
            let rule = format!("must not be above hardLimit, which is {hard}");
            findings.refuse_value(format!("{path}.softLimit"), soft, rule);
        }
        limits.push(Limit { name, soft, hard });
    }
    limits
}
