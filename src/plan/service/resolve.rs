//! What does a Service ask for, and what is wrong with it?
//!
//! CreateService's rules, judged on the raw JSON: first those that need nothing else
//! ([`settings`]), then, for a new deployment, those that need its task definition ([`demands`]).

use std::collections::BTreeMap;

use serde_json::Value;

use super::daemon::{self, is_daemon};
use crate::ecs::members::Input;
use crate::ecs::percent::Percents;
use crate::ecs::reference::{is_name, task_definition, text};
use crate::plan::finding::Findings;
use crate::plan::judge::{is_empty, judge};
use crate::plan::mapping::Launch;
use crate::plan::tags::tags;
use crate::plan::task_definition::{TaskDefinition, flag, whole};

/// What applies at once, without a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// How many tasks should run.
    pub(super) desired: i32,
    /// The bounds of a roll.
    pub(super) percents: Percents,
    /// `forceNewDeployment`
    pub(super) force_new_deployment: bool,
}

/// The most tasks that a service may have.
const MOST_TASKS: i64 = 5000;

/// Reads a Service's spec.
pub(super) fn settings(spec: &Value, name: &str, findings: &mut Findings) -> Settings {
    judge(Input::Service, spec, findings);
    if !is_name(name) {
        findings.refuse_value("serviceName", name, "must be 1 to 255 letters, digits, - and _");
    }
    match text(spec, "taskDefinition") {
        None => {
            findings.refuse("taskDefinition", "is required: a family, `family:revision` or an ARN");
        }
        Some(written) => {
            if let Err(why) = task_definition(&written) {
                findings.refuse("taskDefinition", why);
            }
        }
    }
    one_of(spec, "launchType", &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"], findings);
    let strategy = spec.get("capacityProviderStrategy").filter(|strategy| !is_empty(strategy));
    if strategy.is_some() && text(spec, "launchType").is_some() {
        let message = "is given beside a capacityProviderStrategy; ECS takes one of the two: leave \
                       this out to use the strategy";
        findings.refuse("launchType", message);
    }
    one_of(spec, "schedulingStrategy", &["REPLICA", "DAEMON"], findings);
    one_of(spec, "propagateTags", &["TASK_DEFINITION", "SERVICE", "NONE"], findings);
    not_yet(spec, "/deploymentController/type", "deploymentController.type", "ECS", findings);
    not_yet(
        spec,
        "/deploymentConfiguration/strategy",
        "deploymentConfiguration.strategy",
        "ROLLING",
        findings,
    );
    Launch::read(spec, findings);
    daemon::judge(spec, findings);
    let desired = whole(spec, "desiredCount", "", 0..=MOST_TASKS, findings).unwrap_or(1);
    Settings {
        desired: i32::try_from(desired).unwrap_or_default(),
        percents: percents(spec, findings),
        force_new_deployment: flag(spec, "forceNewDeployment").unwrap_or_default(),
    }
}

fn percents(spec: &Value, findings: &mut Findings) -> Percents {
    let path = "deploymentConfiguration";
    let raw = spec.get(path).unwrap_or(&Value::Null);
    if is_daemon(spec) {
        let minimum = whole(raw, "minimumHealthyPercent", path, 0..=100, findings);
        let minimum_healthy = minimum.unwrap_or(Percents::DAEMON.minimum_healthy);
        return Percents { minimum_healthy, ..Percents::DAEMON };
    }
    let default = Percents::REPLICA;
    Percents {
        minimum_healthy: whole(raw, "minimumHealthyPercent", path, 0..=100, findings)
            .unwrap_or(default.minimum_healthy),
        maximum: whole(raw, "maximumPercent", path, 100..=i64::from(i32::MAX), findings)
            .unwrap_or(default.maximum),
    }
}

fn one_of(spec: &Value, member: &str, values: &[&str], findings: &mut Findings) {
    if let Some(written) = text(spec, member)
        && !values.contains(&written.as_str())
    {
        findings.refuse_value(member, written, format!("must be one of {}", values.join(", ")));
    }
}

/// Refuses what ECS knows and this version does not do, rather than doing something else instead.
fn not_yet(spec: &Value, pointer: &str, path: &str, done: &str, findings: &mut Findings) {
    if let Some(written) = spec.pointer(pointer).and_then(Value::as_str)
        && !written.is_empty()
        && written != done
    {
        let message = format!("is not there in this version of Linkspan; {done} is");
        findings.refuse_value(path, written, message);
    }
}

/// The tags that a service's tasks get: those of one of the two, as `propagateTags` says.
pub(super) fn propagated_tags(spec: &Value, task: &TaskDefinition) -> BTreeMap<String, String> {
    match text(spec, "propagateTags").as_deref() {
        Some("SERVICE") => tags(spec),
        Some("TASK_DEFINITION") => task.tags.clone(),
        _ => BTreeMap::new(),
    }
}

/// Judges what a Service demands of its task definition.
pub(super) fn demands(spec: &Value, task: &TaskDefinition, findings: &mut Findings) {
    if text(spec, "launchType").as_deref() == Some("FARGATE") && !task.fargate {
        findings.refuse_value(
            "launchType",
            "FARGATE",
            format!("needs FARGATE in requiresCompatibilities of task definition {}", task.family),
        );
    }
    launch_volumes(spec, task, findings);
    for (at, balancer) in load_balancers(spec).enumerate() {
        let path = format!("loadBalancers[{at}]");
        let name = text(balancer, "containerName").unwrap_or_default();
        let Some(container) = task.containers.iter().find(|container| container.name == name)
        else {
            let names: Vec<&str> = task.containers.iter().map(|c| c.name.as_str()).collect();
            findings.refuse_value(
                format!("{path}.containerName"),
                format!("`{name}`"),
                format!("is no container of {}; it has {}", task.family, names.join(", ")),
            );
            continue;
        };
        let port = whole(balancer, "containerPort", &path, 1..=65535, findings);
        if !container.ports.iter().any(|known| Some(i64::from(known.container_port)) == port) {
            findings.refuse_value(
                format!("{path}.containerPort"),
                port.map_or_else(|| "absent".to_owned(), |port| port.to_string()),
                format!("is in no port mapping of container {name}"),
            );
        }
    }
}

/// A service can fill a volume that its task definition leaves to it, and no other.
fn launch_volumes(spec: &Value, task: &TaskDefinition, findings: &mut Findings) {
    let mut ignored = Findings::default();
    for given in Launch::read(spec, &mut ignored).volumes {
        let mut volumes = task.identifiers.volumes.iter().filter(|volume| volume.stored.is_none());
        if !volumes.any(|volume| volume.name == given.name) {
            findings.refuse_value(
                format!("volumeConfigurations[{}].name", given.at),
                format!("`{}`", given.name),
                format!("is no volume of {} that is configuredAtLaunch", task.family),
            );
        }
    }
}

fn load_balancers(spec: &Value) -> impl Iterator<Item = &Value> {
    spec.get("loadBalancers").and_then(Value::as_array).into_iter().flatten()
}

/// The container ports that load balancers send traffic to, by ECS container name.
pub(super) fn balanced_ports(spec: &Value) -> Vec<(String, i32)> {
    load_balancers(spec)
        .filter_map(|balancer| {
            let port = balancer.get("containerPort")?;
            let port = port.as_i64().or_else(|| port.as_str()?.trim().parse().ok())?;
            Some((text(balancer, "containerName")?, i32::try_from(port).ok()?))
        })
        .collect()
}

/// Seconds that a task must be ready before it counts as healthy.
///
/// ECS: without a load balancer and without a health check of an essential container, a task is
/// healthy 40 seconds after it runs; with either, when that says so. (A balanced container without a
/// check of its own gets one here: that its port can be connected to.)
pub(super) fn min_ready_seconds(spec: &Value, task: &TaskDefinition) -> i32 {
    let checked = task.containers.iter().any(|c| c.essential && c.health_check.is_some());
    if checked || load_balancers(spec).next().is_some() { 0 } else { 40 }
}
