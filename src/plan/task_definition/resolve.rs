//! What does a task definition mean, and what is wrong with it?
//!
//! RegisterTaskDefinition's rules, judged on the raw JSON. After this nobody reads the raw spec.

use std::collections::BTreeMap;

use serde_json::Value;

use super::constraints::judge_constraints;
use super::container::{Container, containers};
use super::dependencies::{grace_period, longer_stops, start_order};
use super::firelens::{judge_routers, router};
use super::identifiers::{Identifiers, identifiers};
use super::kernel::kernel_parameters;
use super::linux_parameters::init_process;
use super::network::{Names, NetworkMode, names, network_mode};
use super::read::{flag, whole};
use super::volumes::{Volume, distinct_paths, volumes, volumes_from};
use crate::ecs::cpu_memory::{cpu_units, fargate_cpus, fargate_memory, is_fargate_size, mebibytes};
use crate::ecs::members::Input;
use crate::ecs::reference::{family_of, is_name, text};
use crate::plan::finding::Findings;
use crate::plan::judge::judge;
use crate::plan::size;
use crate::plan::tags::tags;

/// Disk space for all that a task's containers write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EphemeralStorage {
    /// The most it may be, in GiB.
    pub size: i64,
    /// Whether it was asked for, so that it is set aside.
    pub reserved: bool,
}

/// What a task says that all its containers must heed.
pub(super) struct Around<'a> {
    /// Its network mode.
    pub(super) mode: NetworkMode,
    /// Whether it may run on Fargate, so that Fargate's rules hold.
    pub(super) fargate: bool,
    /// Whether its images are for Windows.
    pub(super) windows: bool,
    /// Whether one of its containers routes the logs of others.
    pub(super) routed: bool,
    /// What stands under `kubernetes`.
    pub(super) kubernetes: &'a Value,
}

impl Around<'_> {
    /// Refuses what Fargate does not have, where the task may run there. Whether it is allowed.
    pub(super) fn allows(&self, path: &str, value: &str, findings: &mut Findings) -> bool {
        if self.fargate {
            let rule = "is not possible where requiresCompatibilities lists FARGATE; leave out one or \
                        the other";
            findings.refuse_value(path, value, rule);
        }
        !self.fargate
    }

    /// Whether kernel parameters are set that a kubelet has to allow by name.
    pub(super) fn unsafe_sysctls(&self) -> bool {
        flag(self.kubernetes, "allowUnsafeSysctls").unwrap_or_default()
    }
}

/// Which processes or which shared memory a task's containers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Each its own; for shared memory, in a pod, those of the task.
    Own,
    /// Those of the task.
    Task,
    /// Those of the node.
    Host,
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
    /// `node.kubernetes.io/windows-build`, where it asks for an edition of Windows.
    pub windows_build: Option<&'static str>,
    /// `kubernetes.io/arch`, where the task definition asks for one.
    pub architecture: Option<&'static str>,
    /// Its containers, in order.
    pub containers: Vec<Container>,
    /// The places of its containers in the order in which they start.
    pub start_order: Vec<usize>,
    /// Seconds that it is given to stop, all containers together.
    pub grace_period: i64,
    /// Its volumes.
    pub volumes: Vec<Volume>,
    /// Disk space in GiB.
    pub ephemeral_storage: Option<EphemeralStorage>,
    /// The names it knows.
    pub names: Names,
    /// Whose processes its containers see.
    pub processes: Namespace,
    /// Whose shared memory and semaphores its containers see.
    pub ipc: Namespace,
    /// Kernel parameters of its own.
    pub kernel_parameters: BTreeMap<String, String>,
    /// What a cluster's mapping table gives names to.
    pub identifiers: Identifiers,
    /// `tags`, by key.
    pub tags: BTreeMap<String, String>,
    /// `kubernetes.imagePullPolicy`, where it overrules ECS's way.
    pub image_pull_policy: Option<String>,
}

/// Reads a task definition. What it returns is only to be deployed when nothing was refused.
pub fn resolve(spec: &Value, object_name: Option<&str>, findings: &mut Findings) -> TaskDefinition {
    match size::reduced(spec, size::MOST, findings) {
        None => resolve_all(spec, object_name, findings),
        Some(reduced) => resolve_all(&reduced, object_name, &mut Findings::default()),
    }
}

fn resolve_all(spec: &Value, object_name: Option<&str>, findings: &mut Findings) -> TaskDefinition {
    judge(Input::TaskDefinition, spec, findings);
    let family = family_of(spec, object_name);
    if !is_name(&family) {
        findings.refuse_value("family", &family, "must be 1 to 255 letters, digits, - and _");
    }
    let launch_types = launch_types(spec, findings);
    let fargate = launch_types.iter().any(|launch_type| launch_type == "FARGATE");
    let network_mode = network_mode(spec, fargate, findings);
    let size = |member: &str, read: fn(&str) -> Result<i64, String>, findings: &mut Findings| {
        let written = text(spec, member)?;
        read(&written).map_err(|why| findings.refuse(member, why)).ok()
    };
    let cpu = size("cpu", cpu_units, findings);
    let memory = size("memory", mebibytes, findings);
    let (operating_system, architecture) = platform(spec, findings);
    let around = Around {
        mode: network_mode,
        fargate,
        windows: operating_system == Some("windows"),
        routed: router(spec).is_some(),
        kubernetes: spec.get("kubernetes").unwrap_or(&Value::Null),
    };
    judge_routers(spec, findings);
    judge_constraints(spec, fargate, findings);
    let volumes = volumes(spec, &around, findings);
    let mut containers = containers(spec, &around, &volumes, findings);
    volumes_from(spec, &mut containers, findings);
    distinct_paths(&containers, findings);
    let start_order = start_order(spec, &mut containers, findings);
    let grace_period = grace_period(&containers);
    longer_stops(spec, &containers, grace_period, findings);
    let ephemeral_storage = ephemeral_storage(spec, fargate, findings);
    let names = names(spec, &containers, &around, findings);
    let (mut processes, ipc) = namespaces(spec, &around, containers.len(), findings);
    let shared = processes != Namespace::Own;
    if init_process(spec, &containers, shared, findings) && !shared {
        processes = Namespace::Task;
    }
    let kernel_parameters = kernel_parameters(spec, &around, ipc == Namespace::Host, findings);
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
        windows_build: spec
            .get("runtimePlatform")
            .and_then(|platform| text(platform, "operatingSystemFamily"))
            .and_then(|edition| windows_build(&edition)),
        architecture,
        containers,
        start_order,
        grace_period,
        volumes,
        ephemeral_storage,
        names,
        processes,
        ipc,
        kernel_parameters,
        identifiers: identifiers(spec, findings),
        tags: tags(spec),
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

/// Reads `pidMode` and `ipcMode`.
fn namespaces(
    spec: &Value,
    around: &Around<'_>,
    containers: usize,
    findings: &mut Findings,
) -> (Namespace, Namespace) {
    let processes = match text(spec, "pidMode").as_deref() {
        None => Namespace::Own,
        Some("task") => Namespace::Task,
        Some("host") => {
            around.allows("pidMode", "host", findings);
            Namespace::Host
        }
        Some(other) => {
            findings.refuse_value("pidMode", other, "must be host or task");
            Namespace::Own
        }
    };
    let ipc = text(spec, "ipcMode");
    if let Some(mode) = &ipc {
        around.allows("ipcMode", mode, findings);
    }
    let ipc = match ipc.as_deref() {
        None => Namespace::Own,
        Some("task") => Namespace::Task,
        Some("host") => Namespace::Host,
        Some("none") => {
            if containers > 1 {
                let message = "with none, the containers of a pod still share memory and semaphores \
                               with each other, though with no other pod";
                findings.differs("ipcMode", message);
            }
            Namespace::Own
        }
        Some(other) => {
            findings.refuse_value("ipcMode", other, "must be host, task or none");
            Namespace::Own
        }
    };
    if around.windows && (processes != Namespace::Own || ipc != Namespace::Own) {
        let path = if processes == Namespace::Own { "ipcMode" } else { "pidMode" };
        findings.differs(path, "is for Linux containers only, and has no effect on Windows");
        return (Namespace::Own, Namespace::Own);
    }
    (processes, ipc)
}

/// The GiB of disk that a task on Fargate has where nothing is said.
const FARGATE_DISK: i64 = 20;

/// Reads `ephemeralStorage`. What Fargate gives anyway bounds a task here too, but is not set aside:
/// few nodes have 20 GiB to set aside for each task.
fn ephemeral_storage(
    spec: &Value,
    fargate: bool,
    findings: &mut Findings,
) -> Option<EphemeralStorage> {
    let usual = fargate.then_some(EphemeralStorage { size: FARGATE_DISK, reserved: false });
    let Some(storage) = spec.get("ephemeralStorage").filter(|storage| storage.is_object()) else {
        return usual;
    };
    let path = "ephemeralStorage";
    if storage.get("sizeInGiB").is_none_or(Value::is_null) {
        if storage.as_object().is_some_and(|members| !members.is_empty()) {
            findings.refuse("ephemeralStorage.sizeInGiB", "is required: 21 to 200");
        }
        return usual;
    }
    let size = whole(storage, "sizeInGiB", path, 21..=200, findings)?;
    Some(EphemeralStorage { size, reserved: true })
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
        Some(windows) if windows.starts_with("WINDOWS_SERVER_") => {
            if windows_build(windows).is_none() {
                let path = "runtimePlatform.operatingSystemFamily";
                let rule =
                    "is no edition that Kubernetes runs on; those of 2019, 2022 and 2025 are";
                findings.refuse_value(path, windows, rule);
            } else if architecture == Some("arm64") {
                let path = "runtimePlatform.cpuArchitecture";
                findings.refuse_value(path, "ARM64", "must be X86_64 for Windows");
            }
            Some("windows")
        }
        Some(other) => {
            let path = "runtimePlatform.operatingSystemFamily";
            findings.refuse_value(path, other, "must be LINUX or one of WINDOWS_SERVER_…");
            None
        }
    };
    (system, architecture)
}

/// The build that a node of a Windows Server edition names in its label.
fn windows_build(edition: &str) -> Option<&'static str> {
    match edition {
        "WINDOWS_SERVER_2019_FULL" | "WINDOWS_SERVER_2019_CORE" => Some("10.0.17763"),
        "WINDOWS_SERVER_2022_FULL" | "WINDOWS_SERVER_2022_CORE" => Some("10.0.20348"),
        "WINDOWS_SERVER_2025_FULL" | "WINDOWS_SERVER_2025_CORE" => Some("10.0.26100"),
        _ => None,
    }
}
