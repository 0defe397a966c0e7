//! What does a container definition mean, and what is wrong with it?

use std::collections::BTreeMap;

use serde_json::Value;

use super::accelerators::accelerators;
use super::dependencies::Role;
use super::firelens;
use super::kernel::{Limit, limits};
use super::linux_parameters::{MemoryFileSystem, devices, memory_file_systems, swap};
use super::ports::{Port, distinct_ports, ports};
use super::read::{MOST, flag, text_map, texts, whole};
use super::resolve::Around;
use super::restart::{Restart, restart};
use super::security::{Security, security};
use super::volumes::{Mount, Volume, mounts};
use crate::ecs::reference::{is_name, text};
use crate::names::dns_label;
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};

/// The most containers that a task definition may have.
const MOST_CONTAINERS: usize = 10;
/// How long ECS waits for a container to stop where nothing is said, in seconds; so does Kubernetes.
pub(in crate::plan) const STOP_TIMEOUT: i64 = 30;
/// A day: keeps sums of timeouts within range.
const MOST_SECONDS: i64 = 86_400;
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
    /// As whom it runs, and what it may do.
    pub security: Security,
    /// Whether it is started again by itself when it ends.
    pub restart: Option<Restart>,
    /// When it starts, and whether others wait for it.
    pub role: Role,
    /// Where it sees the task's volumes, those of other containers included.
    pub mounts: Vec<Mount>,
    /// File systems in memory, each at a path of its own.
    pub memory_file_systems: Vec<MemoryFileSystem>,
    /// Resources of device plugins that it needs, and how many of each.
    pub devices: BTreeMap<String, i64>,
    /// Limits per process.
    pub limits: Vec<Limit>,
    /// `dockerLabels`, by name.
    pub labels: BTreeMap<String, String>,
    /// Seconds between the request to stop and the kill.
    pub stop_timeout: i64,
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
    around: &Around<'_>,
    volumes: &[Volume],
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
        .map(|(at, raw)| {
            container(raw, &format!("containerDefinitions[{at}]"), around, volumes, findings)
        })
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

fn container(
    raw: &Value,
    path: &str,
    around: &Around<'_>,
    volumes: &[Volume],
    findings: &mut Findings,
) -> Container {
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
    let ports = ports(raw, path, around.mode, findings);
    // What only Linux has is left out of a Windows container, and reported.
    let linux = if around.windows { &Value::Null } else { raw };
    if around.windows {
        linux_only(raw, path, findings);
    }
    swap(linux, path, around, findings);
    let mut accelerators = accelerators(raw, path, around, findings);
    accelerators.devices.extend(devices(linux, path, around, findings));
    let mut environment = environment(raw, path, findings);
    let mut given = accelerators.environment;
    given.extend(firelens::environment(raw, around));
    environment.retain(|(name, _)| given.iter().all(|(set, _)| set != name));
    environment.append(&mut given);
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
        environment,
        working_directory: text(raw, "workingDirectory"),
        readonly_root_filesystem: flag(linux, "readonlyRootFilesystem").unwrap_or_default(),
        interactive: flag(raw, "interactive").unwrap_or_default(),
        pseudo_terminal: flag(raw, "pseudoTerminal").unwrap_or_default(),
        health_check: health_check(raw, path, around, findings),
        security: security(linux, path, around, findings),
        restart: restart(raw, path, findings),
        role: Role::default(),
        mounts: mounts(raw, path, volumes, findings),
        memory_file_systems: memory_file_systems(linux, path, around, findings),
        devices: accelerators.devices,
        limits: limits(linux, path, findings),
        labels: text_map(raw, "dockerLabels").into_iter().collect(),
        stop_timeout: stop_timeout(raw, path, around, findings),
    }
}

/// The members that ECS has for Linux containers only.
const LINUX_ONLY: &[&str] = &[
    "user",
    "privileged",
    "readonlyRootFilesystem",
    "linuxParameters",
    "dockerSecurityOptions",
    "ulimits",
    "systemControls",
];

fn linux_only(raw: &Value, path: &str, findings: &mut Findings) {
    for member in LINUX_ONLY {
        let given =
            raw.get(member).filter(|value| !is_empty(value) && **value != Value::Bool(false));
        if given.is_some() {
            let message = "is for Linux containers only, and has no effect on Windows";
            findings.differs(format!("{path}.{member}"), message);
        }
    }
}

/// Seconds that a container is given to stop (default 30; on Fargate 2 to 120).
fn stop_timeout(raw: &Value, path: &str, around: &Around<'_>, findings: &mut Findings) -> i64 {
    let range = if around.fargate { 2..=120 } else { 0..=MOST_SECONDS };
    whole(raw, "startTimeout", path, range.clone(), findings);
    whole(raw, "stopTimeout", path, range, findings).unwrap_or(STOP_TIMEOUT)
}

fn environment(raw: &Value, path: &str, findings: &mut Findings) -> Vec<(String, String)> {
    let mut variables: Vec<(usize, String, String)> = Vec::new();
    // The last of a name wins.
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
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
        last.insert(name.clone(), number);
        variables.push((number, name, value));
    }
    variables.retain(|(number, name, _)| last.get(name) == Some(number));
    variables.into_iter().map(|(_, name, value)| (name, value)).collect()
}

fn health_check(
    raw: &Value,
    path: &str,
    around: &Around<'_>,
    findings: &mut Findings,
) -> Option<HealthCheck> {
    let check = raw.get("healthCheck").filter(|check| check.is_object())?;
    let path = format!("{path}.healthCheck");
    let written = texts(check, "command").unwrap_or_default();
    let command = match written.split_first() {
        Some((first, rest)) if first == "CMD" && !rest.is_empty() => rest.to_vec(),
        Some((first, rest)) if first == "CMD-SHELL" && !rest.is_empty() => {
            let shell =
                if around.windows { ["cmd", "/S", "/C"].as_slice() } else { &["/bin/sh", "-c"] };
            shell.iter().map(|word| (*word).to_owned()).chain([rest.join(" ")]).collect()
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
