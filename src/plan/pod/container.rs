//! Which container is a container definition?

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{security, volumes};
use crate::api::Features;
use crate::names::{dns_label, hash8};
use crate::plan::task_definition::{Container, HealthCheck, Port, Role, TaskDefinition, shell};

pub(super) fn build(
    task: &TaskDefinition,
    container: &Container,
    resources: Option<corev1::ResourceRequirements>,
    features: Features,
    balanced: &[(String, i32)],
) -> corev1::Container {
    let ends = matches!(container.role, Role::Ends { .. });
    // What ends before others start has no health to look at.
    let check = container.health_check.as_ref().filter(|_| !ends);
    let target = balanced.iter().find(|(name, _)| *name == container.name && !ends);
    let target = target.map(|(_, port)| *port);
    let (restart_policy, restart_policy_rules) = restart(task, container, features);
    corev1::Container {
        name: container.dns_name.clone(),
        image: Some(container.image.clone()),
        image_pull_policy: Some(pull_policy(&container.image, task.image_pull_policy.as_deref())),
        command: command(container),
        args: container.command.as_deref().map(literal),
        working_dir: container.working_directory.clone(),
        env: environment(container),
        ports: ports(container),
        resources,
        restart_policy,
        restart_policy_rules,
        startup_probe: check.and_then(|check| startup_probe(container.role, check)),
        readiness_probe: check.map(probe).or_else(|| target.map(connects)),
        // Only an essential container's health is the task's.
        liveness_probe: check.filter(|_| container.essential).map(|check| corev1::Probe {
            initial_delay_seconds: Some(liveness_delay(container.role, check)),
            ..probe(check)
        }),
        volume_mounts: volumes::mounts(container),
        security_context: security::container(container),
        stdin: container.interactive.then_some(true),
        tty: container.pseudo_terminal.then_some(true),
        ..corev1::Container::default()
    }
}

/// The program and its first arguments. Where others wait until it has ended, however that was, its
/// own shell runs it and forgets its exit code.
fn command(container: &Container) -> Option<Vec<String>> {
    let entry_point = container.entry_point.as_deref().map(literal)?;
    match (container.role, shell(container)) {
        (Role::Ends { any_exit: true }, Some(shell)) => {
            let runs = [shell, "-c", "\"$@\"; exit 0", "sh"].map(ToOwned::to_owned);
            Some(runs.into_iter().chain(entry_point).collect())
        }
        _ => Some(entry_point),
    }
}

/// Checks that were due in the start period, and so do not count.
fn ignored(check: &HealthCheck) -> i32 {
    if check.start_period > 0 { (check.start_period - 1) / check.interval } else { 0 }
}

/// The start period as a probe: ECS grants it once, until the first success.
///
/// A sidecar counts as started when this probe succeeds: so it has one where others wait for its
/// health, and none where they wait for its start only.
fn startup_probe(role: Role, check: &HealthCheck) -> Option<corev1::Probe> {
    let wanted = match role {
        Role::Main => check.start_period > 0,
        Role::Sidecar { awaited } => awaited,
        Role::Ends { .. } => false,
    };
    wanted.then(|| corev1::Probe {
        failure_threshold: Some(ignored(check) + check.retries),
        initial_delay_seconds: Some(check.interval),
        ..probe(check)
    })
}

/// When the first failure may count: one interval after the start, and where no startup probe
/// grants the start period, not within that.
fn liveness_delay(role: Role, check: &HealthCheck) -> i32 {
    match role {
        Role::Sidecar { awaited: false } => check.interval * (1 + ignored(check)),
        Role::Main | Role::Sidecar { .. } | Role::Ends { .. } => check.interval,
    }
}

/// Kubernetes replaces `$(NAME)` and `$$` in arguments and values; ECS hands them on as they are.
///
/// A doubled `$` always comes out as one. Only where a single one would not come out as itself is
/// it doubled: before `(`, before another `$`, and before what is not ASCII, of which Kubernetes
/// takes the first byte for a character.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        escaped.push(letter);
        let next = letters.peek();
        if letter == '$' && next.is_some_and(|next| matches!(next, '(' | '$') || !next.is_ascii()) {
            escaped.push('$');
        }
    }
    escaped
}

fn literal(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| escaped(text)).collect()
}

fn environment(container: &Container) -> Option<Vec<corev1::EnvVar>> {
    let variables: Vec<corev1::EnvVar> = container
        .environment
        .iter()
        .map(|(name, value)| corev1::EnvVar {
            name: name.clone(),
            value: Some(escaped(value)),
            ..corev1::EnvVar::default()
        })
        .collect();
    (!variables.is_empty()).then_some(variables)
}

fn ports(container: &Container) -> Option<Vec<corev1::ContainerPort>> {
    let ports: Vec<corev1::ContainerPort> = container
        .ports
        .iter()
        .map(|port| corev1::ContainerPort {
            container_port: port.container_port,
            protocol: Some(protocol(port).to_owned()),
            name: port.name.as_deref().map(port_name),
            host_port: port.host_port,
            ..corev1::ContainerPort::default()
        })
        .collect();
    (!ports.is_empty()).then_some(ports)
}

/// The protocol as Kubernetes spells it.
pub(in crate::plan) fn protocol(port: &Port) -> &'static str {
    if port.udp { "UDP" } else { "TCP" }
}

/// A port mapping's name as a container port's: at most 15 characters, among them a letter.
pub(in crate::plan) fn port_name(name: &str) -> String {
    let label = dns_label(name, 63);
    if label.len() <= 15 && label == name && !label.contains("--") {
        return label;
    }
    let start: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .take(6)
        .collect();
    format!("{start}-{}", hash8(&[name])).trim_start_matches('-').to_owned()
}

fn probe(check: &HealthCheck) -> corev1::Probe {
    corev1::Probe {
        // The kubelet replaces in a probe's command too.
        exec: Some(corev1::ExecAction { command: Some(literal(&check.command)) }),
        period_seconds: Some(check.interval),
        timeout_seconds: Some(check.timeout),
        failure_threshold: Some(check.retries),
        ..corev1::Probe::default()
    }
}

/// When an image is pulled, unless the task definition overrules that: ECS looks for a newer one
/// behind a tag at each start of a task; what a digest names never changes.
pub(super) fn pull_policy(image: &str, overrule: Option<&str>) -> String {
    let usual = if image.contains('@') { "IfNotPresent" } else { "Always" };
    overrule.unwrap_or(usual).to_owned()
}

/// A balanced container that has no check of its own is ready when its port can be connected to, as
/// a load balancer would find out.
fn connects(port: i32) -> corev1::Probe {
    corev1::Probe {
        tcp_socket: Some(corev1::TCPSocketAction {
            port: IntOrString::Int(port),
            ..corev1::TCPSocketAction::default()
        }),
        ..corev1::Probe::default()
    }
}

/// What happens when the container exits.
///
/// ECS: when an essential container stops, the task stops, whatever the exit code; one that is not
/// essential stays stopped. With a `restartPolicy` it starts again alone, but after exit codes that
/// are ignored. A pod's containers restart in place, so that an essential exit restarts them all
/// where the cluster can do that (1.36), and itself alone elsewhere.
fn restart(
    task: &TaskDefinition,
    container: &Container,
    features: Features,
) -> (Option<String>, Option<Vec<corev1::ContainerRestartRule>>) {
    let always = matches!(container.role, Role::Sidecar { .. }).then(|| "Always".to_owned());
    if task.containers.len() == 1 || matches!(container.role, Role::Ends { .. }) {
        return (None, None);
    }
    let rule = |action: &str, operator: &str, codes: &[i32]| corev1::ContainerRestartRule {
        action: action.to_owned(),
        exit_codes: Some(corev1::ContainerRestartRuleOnExitCodes {
            operator: operator.to_owned(),
            values: Some(codes.to_vec()),
        }),
    };
    let ignored = container.restart.as_ref().map(|restart| &restart.ignored_exit_codes);
    let ignored: Option<Vec<i32>> = ignored.map(|codes| codes.iter().copied().collect());
    if !container.essential {
        // A pod whose main containers have all ended is over, whatever its sidecars do.
        let mut others = task.containers.iter();
        let may_end = others.any(|other| other.role == Role::Main && other.essential);
        let may_stay = features.container_restart_policy() && may_end && always.is_none();
        return match ignored {
            None if may_stay => (Some("Never".to_owned()), None),
            Some(codes) if may_stay && !codes.is_empty() => {
                (Some("Never".to_owned()), Some(vec![rule("Restart", "NotIn", &codes)]))
            }
            None | Some(_) => (always, None),
        };
    }
    if !features.restart_all_containers {
        return (always, None);
    }
    let rules = match ignored {
        // Exit code 0, and every other: together, any.
        None => vec![rule(ALL, "In", &[0]), rule(ALL, "NotIn", &[0])],
        Some(codes) if codes.is_empty() => return (always, None),
        Some(codes) => vec![rule(ALL, "In", &codes)],
    };
    (Some("Always".to_owned()), Some(rules))
}

/// The action that ends the task, as far as its pod does.
const ALL: &str = "RestartAllContainers";
