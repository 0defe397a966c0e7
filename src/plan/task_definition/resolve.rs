//! What does a task definition mean, and what is wrong with it?
//!
//! RegisterTaskDefinition's rules, judged on the raw JSON. After this nobody reads the raw spec.

use std::collections::BTreeMap;

use serde_json::Value;

use super::container::{Container, containers};
use super::identifiers::{Identifiers, identifiers};
use crate::ecs::cpu_memory::{cpu_units, fargate_cpus, fargate_memory, is_fargate_size, mebibytes};
use crate::ecs::members::Input;
use crate::ecs::reference::{family_of, is_name, text};
use crate::plan::finding::{Findings, Level};
use crate::plan::judge::judge;

/// How the containers of a task share the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    /// An address for the task.
    Awsvpc,
    /// Docker's bridge on the instance.
    Bridge,
    /// The instance's own network.
    Host,
    /// No network.
    None,
}

/// A task definition whose every rule is checked and every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDefinition {
    /// The family, in ECS's spelling.
    pub family: String,
    /// The task's CPU in units.
    pub cpu: Option<i64>,
    /// The task's memory in MiB.
    pub memory: Option<i64>,
    /// Whether it may run on Fargate.
    pub fargate: bool,
    /// Its network mode.
    pub network_mode: NetworkMode,
    /// `kubernetes.io/os`, where the task definition asks for one.
    pub operating_system: Option<&'static str>,
    /// `kubernetes.io/arch`, where the task definition asks for one.
    pub architecture: Option<&'static str>,
    /// Its containers, in order.
    pub containers: Vec<Container>,
    /// What a cluster's mapping table gives names to.
    pub identifiers: Identifiers,
    /// `kubernetes.imagePullPolicy`, where it overrules ECS's way.
    pub image_pull_policy: Option<String>,
}

/// Reads a task definition. What it returns is only to be deployed when nothing was refused.
pub fn resolve(spec: &Value, object_name: Option<&str>, findings: &mut Findings) -> TaskDefinition {
    judge(Input::TaskDefinition, spec, findings);
    let family = family_of(spec, object_name);
    if !is_name(&family) {
        findings.refuse_value("family", &family, "must be 1 to 255 letters, digits, - and _");
    }
    let launch_types = launch_types(spec, findings);
    let fargate = launch_types.iter().any(|launch_type| launch_type == "FARGATE");
    let network_mode = network_mode(spec, fargate, findings);
    if text(spec, "networkMode").as_deref() == Some("awsvpc") {
        as_in_ecs(findings);
    }
    let size = |member: &str, read: fn(&str) -> Result<i64, String>, findings: &mut Findings| {
        let written = text(spec, member)?;
        read(&written).map_err(|why| findings.refuse(member, why)).ok()
    };
    let cpu = size("cpu", cpu_units, findings);
    let memory = size("memory", mebibytes, findings);
    let containers = containers(spec, network_mode, findings);
    if fargate {
        fargate_size(spec, cpu, memory, findings);
    } else if memory.is_none() && !findings.any_refused() {
        for (at, container) in containers.iter().enumerate() {
            if container.memory.or(container.memory_reservation).is_none() {
                findings.refuse(
                    format!("containerDefinitions[{at}]"),
                    "needs memory or memoryReservation (MiB), since the task definition gives no memory",
                );
            }
        }
    }
    sums(cpu, memory, &containers, findings);
    let (operating_system, architecture) = platform(spec, findings);
    let image_pull_policy = text(spec.get("kubernetes").unwrap_or(&Value::Null), "imagePullPolicy");
    if let Some(policy) = &image_pull_policy
        && !["Always", "IfNotPresent", "Never"].contains(&policy.as_str())
    {
        let path = "kubernetes.imagePullPolicy";
        findings.refuse_value(path, policy, "must be Always, IfNotPresent or Never");
    }
    TaskDefinition {
        family,
        cpu,
        memory,
        fargate,
        network_mode,
        operating_system,
        architecture,
        containers,
        identifiers: identifiers(spec, findings),
        image_pull_policy,
    }
}

fn launch_types(spec: &Value, findings: &mut Findings) -> Vec<String> {
    let listed = spec.get("requiresCompatibilities").and_then(Value::as_array);
    let mut launch_types = Vec::new();
    for (at, value) in listed.into_iter().flatten().enumerate() {
        match value.as_str() {
            Some(known @ ("EC2" | "FARGATE" | "EXTERNAL" | "MANAGED_INSTANCES")) => {
                launch_types.push(known.to_owned());
            }
            _ => findings.refuse_value(
                format!("requiresCompatibilities[{at}]"),
                value,
                "must be EC2, FARGATE, EXTERNAL or MANAGED_INSTANCES",
            ),
        }
    }
    launch_types
}

fn network_mode(spec: &Value, fargate: bool, findings: &mut Findings) -> NetworkMode {
    let written = text(spec, "networkMode");
    let mode = match written.as_deref() {
        Some("awsvpc") => NetworkMode::Awsvpc,
        Some("bridge") | None => NetworkMode::Bridge,
        Some("host") => NetworkMode::Host,
        Some("none") => NetworkMode::None,
        Some(other) => {
            findings.refuse_value("networkMode", other, "must be awsvpc, bridge, host or none");
            return NetworkMode::Awsvpc;
        }
    };
    if fargate && mode != NetworkMode::Awsvpc {
        findings.refuse_value(
            "networkMode",
            written.as_deref().unwrap_or("absent, which means bridge"),
            "must be awsvpc where requiresCompatibilities lists FARGATE",
        );
    }
    mode
}

/// Takes back what the table says of members that mean with awsvpc exactly what they mean here: a
/// task has an address of its own, and a host port is its container's port.
fn as_in_ecs(findings: &mut Findings) {
    findings.0.retain(|finding| {
        let is_exact = finding.path == "networkMode" || finding.path.ends_with(".hostPort");
        finding.level != Level::Differs || !is_exact
    });
}

fn fargate_size(spec: &Value, cpu: Option<i64>, memory: Option<i64>, findings: &mut Findings) {
    for (member, read) in [("cpu", cpu), ("memory", memory)] {
        if read.is_none() && text(spec, member).is_none() {
            findings.refuse(member, "is required where requiresCompatibilities lists FARGATE");
        }
    }
    let (Some(cpu), Some(memory)) = (cpu, memory) else { return };
    if is_fargate_size(cpu, memory) {
        return;
    }
    match fargate_memory(cpu) {
        Some(sizes) => findings.refuse_value(
            "memory",
            memory,
            format!("is no size that Fargate has with cpu {cpu}; {sizes} are"),
        ),
        None => findings.refuse_value(
            "cpu",
            cpu,
            format!("is no CPU size that Fargate has; {} are", fargate_cpus()),
        ),
    }
}

fn sums(cpu: Option<i64>, memory: Option<i64>, containers: &[Container], findings: &mut Findings) {
    let reserved: i64 = containers.iter().map(|c| c.cpu).fold(0, i64::saturating_add);
    if let Some(task) = cpu
        && reserved > task
    {
        findings.refuse_value(
            "cpu",
            task,
            format!("is less than its containers reserve together, {reserved} CPU units"),
        );
    }
    let reserved: i64 = containers
        .iter()
        .filter_map(|container| container.memory_reservation.or(container.memory))
        .fold(0, i64::saturating_add);
    if let Some(task) = memory
        && reserved > task
    {
        findings.refuse_value(
            "memory",
            task,
            format!("is less than its containers reserve together, {reserved} MiB"),
        );
    }
}

fn platform(spec: &Value, findings: &mut Findings) -> (Option<&'static str>, Option<&'static str>) {
    let platform = spec.get("runtimePlatform").unwrap_or(&Value::Null);
    let architecture = match text(platform, "cpuArchitecture").as_deref() {
        None => None,
        Some("X86_64") => Some("amd64"),
        Some("ARM64") => Some("arm64"),
        Some(other) => {
            let path = "runtimePlatform.cpuArchitecture";
            findings.refuse_value(path, other, "must be X86_64 or ARM64");
            None
        }
    };
    let system = match text(platform, "operatingSystemFamily").as_deref() {
        None => None,
        Some("LINUX") => Some("linux"),
        Some(windows) if windows.starts_with("WINDOWS_SERVER_") => Some("windows"),
        Some(other) => {
            let path = "runtimePlatform.operatingSystemFamily";
            findings.refuse_value(path, other, "must be LINUX or one of WINDOWS_SERVER_…");
            None
        }
    };
    (system, architecture)
}

/// The canonical form of a spec: without what says nothing, and without what registers nothing.
///
/// A revision is registered when this differs from the newest revision's. It is computed from raw
/// JSON, never from a typed form, so that a release that knows more members registers none.
pub fn canonical(spec: &Value, object_name: Option<&str>) -> Value {
    let mut spec = without_nulls(spec);
    if let Some(object) = spec.as_object_mut() {
        object
            .insert("family".into(), family_of(&Value::Object(object.clone()), object_name).into());
        if let Some(kubernetes) = object.get_mut("kubernetes").and_then(Value::as_object_mut) {
            kubernetes.remove("revisionHistoryLimit");
            if kubernetes.is_empty() {
                object.remove("kubernetes");
            }
        }
    }
    spec
}

/// A copy without nulls at any depth.
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name.clone(), without_nulls(member)))
                // Sorted, whatever order the map keeps.
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(without_nulls).collect()),
        scalar => scalar.clone(),
    }
}
