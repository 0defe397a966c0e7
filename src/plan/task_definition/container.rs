//! What does a container definition mean, and what is wrong with it?

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::resolve::NetworkMode;
use crate::ecs::reference::{is_name, text};
use crate::names::dns_label;
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};

/// The most containers that a task definition may have.
const MOST_CONTAINERS: usize = 10;
/// Beyond any machine: keeps sums of sizes within range.
const MOST: i64 = 1 << 40;
/// The least memory that a container may be given, in MiB.
const LEAST_MEMORY: i64 = 6;

/// A container whose every rule is checked and every default filled in.
#[allow(clippy::struct_excessive_bools, reason = "they are ECS's, one each")]
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Its ECS name.
    pub name: String,
    /// Its Kubernetes name: a DNS label.
    pub dns_name: String,
    /// Its image.
    pub image: String,
    /// CPU units reserved; 0 reserves none.
    pub cpu: i64,
    /// Hard limit in MiB.
    pub memory: Option<i64>,
    /// Soft limit in MiB.
    pub memory_reservation: Option<i64>,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Whether its end is the task's end.
    pub essential: bool,
    /// `entryPoint`; none means the image's.
    pub entry_point: Option<Vec<String>>,
    /// `command`; none means the image's.
    pub command: Option<Vec<String>>,
    /// Environment variables, in order, each name once.
    pub environment: Vec<(String, String)>,
    /// The working directory; none means the image's.
    pub working_directory: Option<String>,
    /// Whether its root file system is read-only.
    pub readonly_root_filesystem: bool,
    /// Whether its standard input stays open.
    pub interactive: bool,
    /// Whether it has a terminal.
    pub pseudo_terminal: bool,
    /// Its health check.
    pub health_check: Option<HealthCheck>,
}

/// One port of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The container's port.
    pub container_port: i32,
    /// Whether it is UDP, else TCP.
    pub udp: bool,
    /// The port mapping's name.
    pub name: Option<String>,
    /// `http`, `http2` or `grpc`.
    pub app_protocol: Option<String>,
}

/// A container's health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What to run: already the arguments of an exec.
    pub command: Vec<String>,
    /// Seconds between checks (5–300, default 30).
    pub interval: i32,
    /// Seconds that a check may take (2–60, default 5).
    pub timeout: i32,
    /// Failures in a row that make the container unhealthy (1–10, default 3).
    pub retries: i32,
    /// Seconds at the start in which failures do not count (0–300, default 0).
    pub start_period: i32,
}

/// Reads `containerDefinitions`.
pub(super) fn containers(
    spec: &Value,
    mode: NetworkMode,
    findings: &mut Findings,
) -> Vec<Container> {
    let Some(list) = spec.get("containerDefinitions").and_then(Value::as_array) else {
        findings.refuse("containerDefinitions", "is required: a list with at least one container");
        return Vec::new();
    };
    if list.is_empty() || list.len() > MOST_CONTAINERS {
        findings.refuse_value(
            "containerDefinitions",
            format!("a list of {}", list.len()),
            format!("must have 1 to {MOST_CONTAINERS} containers"),
        );
    }
    let containers: Vec<Container> = list
        .iter()
        .enumerate()
        .map(|(at, raw)| container(raw, &format!("containerDefinitions[{at}]"), mode, findings))
        .collect();
    if !containers.is_empty() && !containers.iter().any(|container| container.essential) {
        findings.refuse("containerDefinitions", "needs at least one container that is essential");
    }
    distinct_names(&containers, findings);
    distinct_ports(&containers, findings);
    containers
}

fn distinct_names(containers: &[Container], findings: &mut Findings) {
    let mut seen = BTreeMap::new();
    for (at, container) in containers.iter().enumerate() {
        if let Some(earlier) = seen.insert(container.dns_name.clone(), at) {
            findings.refuse_value(
                format!("containerDefinitions[{at}].name"),
                &container.name,
                format!("is also the name of containerDefinitions[{earlier}]; each needs its own"),
            );
        }
    }
}

/// A pod's containers share one network, so that a port can be listened on once.
fn distinct_ports(containers: &[Container], findings: &mut Findings) {
    let mut seen = BTreeMap::new();
    for (at, container) in containers.iter().enumerate() {
        for (number, port) in container.ports.iter().enumerate() {
            let earlier = seen.insert((port.container_port, port.udp), container.name.clone());
            if let Some(other) = earlier.filter(|other| *other != container.name) {
                findings.refuse_value(
                    format!("containerDefinitions[{at}].portMappings[{number}].containerPort"),
                    port.container_port,
                    format!(
                        "is also a port of container {other}; the containers of a task share one \
                         network here, so give one of them another port"
                    ),
                );
            }
        }
    }
}

fn container(raw: &Value, path: &str, mode: NetworkMode, findings: &mut Findings) -> Container {
    let at = |member: &str| format!("{path}.{member}");
    let name = text(raw, "name").unwrap_or_default();
    if !is_name(&name) {
        findings.refuse_value(
            at("name"),
            brief(raw.get("name").unwrap_or(&Value::Null)),
            "is required: 1 to 255 letters, digits, - and _",
        );
    }
    let image = text(raw, "image").unwrap_or_default();
    if image.is_empty() {
        findings.refuse(at("image"), "is required");
    } else if let Some(foreign) =
        image.chars().find(|c| !c.is_ascii_alphanumeric() && !"._-/:@".contains(*c))
    {
        findings.refuse_value(
            at("image"),
            &image,
            format!("cannot hold `{foreign}`; if this is a placeholder, fill it in first"),
        );
    }
    let memory = whole(raw, "memory", path, LEAST_MEMORY..=MOST, findings);
    let memory_reservation = whole(raw, "memoryReservation", path, LEAST_MEMORY..=MOST, findings);
    if let (Some(hard), Some(soft)) = (memory, memory_reservation)
        // The documentation says "greater", but the API registers equal ones.
        && hard < soft
    {
        findings.refuse_value(
            at("memory"),
            hard,
            format!("must not be less than memoryReservation, which is {soft}"),
        );
    }
    let ports = ports(raw, path, mode, findings);
    Container {
        dns_name: dns_label(&name, 63),
        name,
        image,
        cpu: whole(raw, "cpu", path, 0..=MOST, findings).unwrap_or_default(),
        memory,
        memory_reservation,
        ports,
        essential: flag(raw, "essential").unwrap_or(true),
        entry_point: texts(raw, "entryPoint"),
        command: texts(raw, "command"),
        environment: environment(raw, path, findings),
        working_directory: text(raw, "workingDirectory"),
        readonly_root_filesystem: flag(raw, "readonlyRootFilesystem").unwrap_or_default(),
        interactive: flag(raw, "interactive").unwrap_or_default(),
        pseudo_terminal: flag(raw, "pseudoTerminal").unwrap_or_default(),
        health_check: health_check(raw, path, findings),
    }
}

fn ports(raw: &Value, path: &str, mode: NetworkMode, findings: &mut Findings) -> Vec<Port> {
    let mut ports = Vec::new();
    let mut seen = BTreeMap::new();
    let listed = raw.get("portMappings").and_then(Value::as_array);
    for (number, mapping) in listed.into_iter().flatten().enumerate() {
        let path = format!("{path}.portMappings[{number}]");
        if mode == NetworkMode::None {
            findings.refuse(&path, "cannot be given with networkMode none");
        }
        let container_port = whole(mapping, "containerPort", &path, 1..=65535, findings);
        let host_port = whole(mapping, "hostPort", &path, 0..=65535, findings);
        if matches!(mode, NetworkMode::Awsvpc | NetworkMode::Host)
            && let (Some(host), Some(container)) = (host_port, container_port)
            && host != container
            && host != 0
        {
            findings.refuse_value(
                format!("{path}.hostPort"),
                host,
                format!("must be absent or {container}, the containerPort, in this networkMode"),
            );
        }
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
        let Some(port) = container_port else {
            // One that is out of range is refused already.
            let given = |member: &str| mapping.get(member).is_some_and(|value| !is_empty(value));
            if !given("containerPort") && !given("containerPortRange") {
                findings.refuse(format!("{path}.containerPort"), "is required: 1 to 65535");
            }
            continue;
        };
        if let Some(earlier) = seen.insert(port, (host_port, udp)) {
            // On a bridge, one port may be published under several of the host.
            if mode != NetworkMode::Bridge || earlier.1 != udp || earlier.0 == host_port {
                findings.refuse_value(
                    format!("{path}.containerPort"),
                    port,
                    "stands in an earlier port mapping of the same container",
                );
            }
            continue;
        }
        ports.push(Port {
            container_port: i32::try_from(port).unwrap_or_default(),
            udp,
            name: text(mapping, "name"),
            app_protocol,
        });
    }
    ports
}

fn environment(raw: &Value, path: &str, findings: &mut Findings) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let listed = raw.get("environment").and_then(Value::as_array);
    for (number, pair) in listed.into_iter().flatten().enumerate() {
        let name = text(pair, "name").unwrap_or_default();
        if name.is_empty() || name.contains('=') || !name.chars().all(|c| (' '..='~').contains(&c))
        {
            findings.refuse_value(
                format!("{path}.environment[{number}].name"),
                brief(pair.get("name").unwrap_or(&Value::Null)),
                "must be printable ASCII without `=`",
            );
            continue;
        }
        let value = match pair.get("value") {
            Some(Value::String(value)) => value.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        // The last of a name wins.
        variables.retain(|(earlier, _)| *earlier != name);
        variables.push((name, value));
    }
    variables
}

fn health_check(raw: &Value, path: &str, findings: &mut Findings) -> Option<HealthCheck> {
    let check = raw.get("healthCheck").filter(|check| check.is_object())?;
    let path = format!("{path}.healthCheck");
    let written = texts(check, "command").unwrap_or_default();
    let command = match written.split_first() {
        Some((first, rest)) if first == "CMD" && !rest.is_empty() => rest.to_vec(),
        Some((first, rest)) if first == "CMD-SHELL" && !rest.is_empty() => {
            vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.join(" ")]
        }
        _ => {
            findings.refuse_value(
                format!("{path}.command"),
                brief(check.get("command").unwrap_or(&Value::Null)),
                "must start with CMD or CMD-SHELL, and go on with what to run",
            );
            Vec::new()
        }
    };
    let mut number = |member, range, default| {
        let value = whole(check, member, &path, range, findings).unwrap_or(default);
        i32::try_from(value).unwrap_or_default()
    };
    let interval = number("interval", 5..=300, 30);
    let timeout = number("timeout", 2..=60, 5);
    let retries = number("retries", 1..=10, 3);
    let start_period = number("startPeriod", 0..=300, 0);
    Some(HealthCheck { command, interval, timeout, retries, start_period })
}

/// A whole number, also when written as digits; outside its range it is refused.
pub(in crate::plan) fn whole(
    raw: &Value,
    member: &str,
    path: &str,
    range: RangeInclusive<i64>,
    findings: &mut Findings,
) -> Option<i64> {
    let number = match raw.get(member)? {
        Value::Number(number) => number.as_i64().or_else(|| whole_float(number.as_f64()?))?,
        Value::String(digits) => digits.trim().parse().ok()?,
        _ => return None,
    };
    if range.contains(&number) {
        return Some(number);
    }
    let path = if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") };
    let rule = if *range.end() == MOST {
        format!("must be at least {}", range.start())
    } else {
        format!("must be {} to {}", range.start(), range.end())
    };
    findings.refuse_value(path, number, rule);
    None
}

#[allow(clippy::cast_possible_truncation, reason = "checked to be whole and within range")]
fn whole_float(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

/// `true` or `false`, also when written as a text.
pub(in crate::plan) fn flag(raw: &Value, member: &str) -> Option<bool> {
    match raw.get(member)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(word) => word.parse().ok(),
        _ => None,
    }
}

/// A list of texts; an empty one counts as absent.
fn texts(raw: &Value, member: &str) -> Option<Vec<String>> {
    let list = raw.get(member)?.as_array().filter(|list| !list.is_empty())?;
    Some(
        list.iter()
            .map(|element| match element {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect(),
    )
}
