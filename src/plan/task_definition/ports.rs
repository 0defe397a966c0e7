//! On which ports does a container listen, and which of the node's lead to them?
//!
//! A task is a pod with one network for all its containers. A port of the node is taken where ECS
//! takes one that is known beforehand: a static `hostPort` on a bridge, every port in mode host. A
//! dynamic one (`hostPort` 0) is not needed, since a pod has an address of its own.

use std::collections::BTreeMap;

use serde_json::Value;

use super::container::Container;
use super::network::NetworkMode;
use super::read::{objects, whole};
use crate::ecs::reference::text;
use crate::plan::finding::Findings;
use crate::plan::judge::is_empty;

/// The most ports of one range that are published; each is a line of the corev1 Service.
const MOST_OF_A_RANGE: i64 = 100;

/// One port of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The container's port.
    pub container_port: i32,
    /// The port of the node that leads to it.
    pub host_port: Option<i32>,
    /// Whether it is UDP, else TCP.
    pub udp: bool,
    /// The port mapping's name.
    pub name: Option<String>,
    /// `http`, `http2` or `grpc`.
    pub app_protocol: Option<String>,
}

/// Reads `portMappings` of the container at `path`.
pub(super) fn ports(
    raw: &Value,
    path: &str,
    mode: NetworkMode,
    findings: &mut Findings,
) -> Vec<Port> {
    let mut ports = Vec::new();
    let mut seen = BTreeMap::new();
    for (path, mapping) in objects(raw, "portMappings", path) {
        if mode == NetworkMode::None {
            findings.refuse(&path, "cannot be given with networkMode none");
        }
        let host_port = whole(mapping, "hostPort", &path, 0..=65535, findings);
        let udp = match text(mapping, "protocol").as_deref() {
            None | Some("tcp") => false,
            Some("udp") => true,
            Some(other) => {
                findings.refuse_value(format!("{path}.protocol"), other, "must be tcp or udp");
                false
            }
        };
        let app_protocol = text(mapping, "appProtocol");
        if let Some(other) =
            app_protocol.as_deref().filter(|name| !matches!(*name, "http" | "http2" | "grpc"))
        {
            let path = format!("{path}.appProtocol");
            findings.refuse_value(path, other, "must be http, http2 or grpc");
        }
        for container_port in numbers(mapping, &path, mode, findings) {
            let port = Port {
                container_port: i32::try_from(container_port).unwrap_or_default(),
                host_port: host_port_of(container_port, host_port, &path, mode, findings),
                udp,
                // A range has no one name to be known by.
                name: text(mapping, "name")
                    .filter(|_| text(mapping, "containerPortRange").is_none()),
                app_protocol: app_protocol.clone(),
            };
            match seen.insert(container_port, (host_port, udp)) {
                None => ports.push(port),
                // On a bridge, one port may be published under several of the node.
                Some(earlier)
                    if mode == NetworkMode::Bridge
                        && earlier.1 == udp
                        && earlier.0 != host_port =>
                {
                    findings.differs(
                        format!("{path}.hostPort"),
                        "a pod's port is published under one port of the node only, that of the \
                         earlier port mapping",
                    );
                }
                Some(_) => findings.refuse_value(
                    format!("{path}.containerPort"),
                    container_port,
                    "stands in an earlier port mapping of the same container",
                ),
            }
        }
    }
    ports
}

/// The container ports of one mapping: one, or those of its range.
fn numbers(mapping: &Value, path: &str, mode: NetworkMode, findings: &mut Findings) -> Vec<i64> {
    let given = |member: &str| mapping.get(member).is_some_and(|value| !is_empty(value));
    let Some(written) = text(mapping, "containerPortRange") else {
        let port = whole(mapping, "containerPort", path, 1..=65535, findings);
        // One that is out of range is refused already.
        if port.is_none() && !given("containerPort") {
            findings.refuse(format!("{path}.containerPort"), "is required: 1 to 65535");
        }
        return port.into_iter().collect();
    };
    let path = format!("{path}.containerPortRange");
    if given("containerPort") || given("hostPort") {
        findings.refuse_value(
            &path,
            &written,
            "cannot stand beside containerPort or hostPort; give each a mapping of its own",
        );
    }
    if mode == NetworkMode::Host {
        let rule = "is possible with networkMode awsvpc or bridge only; list the ports one by one";
        findings.refuse_value(&path, &written, rule);
    }
    let bounds = written.split_once('-').and_then(|(first, last)| {
        let bound = |text: &str| text.trim().parse::<i64>().ok();
        Some((bound(first)?, bound(last)?))
    });
    match bounds {
        Some((first, last)) if first >= 1 && first < last && last <= 65535 => {
            if last - first < MOST_OF_A_RANGE {
                return (first..=last).collect();
            }
            findings.differs(
                &path,
                format!(
                    "has more than {MOST_OF_A_RANGE} ports, which is more than a corev1 Service \
                     publishes; they are reached at the pod's own address"
                ),
            );
        }
        _ => findings.refuse_value(
            &path,
            &written,
            "must be `first-last` with 1 to 65535, the first below the last",
        ),
    }
    Vec::new()
}

/// The port of the node for a container's.
fn host_port_of(
    container_port: i64,
    host_port: Option<i64>,
    path: &str,
    mode: NetworkMode,
    findings: &mut Findings,
) -> Option<i32> {
    let path = format!("{path}.hostPort");
    match (mode, host_port) {
        (NetworkMode::Awsvpc | NetworkMode::Host, Some(host))
            if host != container_port && host != 0 =>
        {
            findings.refuse_value(
                path,
                host,
                format!(
                    "must be absent or {container_port}, the containerPort, in this networkMode"
                ),
            );
            None
        }
        (NetworkMode::Host, _) => i32::try_from(container_port).ok(),
        (NetworkMode::Bridge, Some(0)) => {
            findings.differs(
                path,
                "no port of the node is opened; the task is reached through its corev1 Service, or \
                 at the pod's own address",
            );
            None
        }
        (NetworkMode::Bridge, Some(host)) => i32::try_from(host).ok(),
        (NetworkMode::Awsvpc | NetworkMode::Bridge | NetworkMode::None, _) => None,
    }
}

/// A pod's containers share one network, so that a port can be listened on once, and a port of the
/// node leads to one of them.
pub(super) fn distinct_ports(containers: &[Container], findings: &mut Findings) {
    let mut listened = BTreeMap::new();
    let mut published = BTreeMap::new();
    for (at, container) in containers.iter().enumerate() {
        for (number, port) in container.ports.iter().enumerate() {
            let path = |member: &str| {
                format!("containerDefinitions[{at}].portMappings[{number}].{member}")
            };
            let earlier = listened.insert((port.container_port, port.udp), &container.name);
            if let Some(other) = earlier.filter(|other| **other != container.name) {
                findings.refuse_value(
                    path("containerPort"),
                    port.container_port,
                    format!(
                        "is also a port of container {other}; the containers of a task share one \
                         network here, so give one of them another port"
                    ),
                );
                continue;
            }
            let Some(host_port) = port.host_port else { continue };
            if let Some(other) = published.insert((host_port, port.udp), &container.name) {
                findings.refuse_value(
                    path("hostPort"),
                    host_port,
                    format!("is also a host port of container {other}; give one of them another"),
                );
            }
        }
    }
}
