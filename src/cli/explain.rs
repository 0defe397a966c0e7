//! `linkspan explain`: why does a task wait, what may run on a node, and which capacity is there?
//!
//! It fetches and lays out; why a task cannot be placed is decided in
//! [`crate::plan::placement::shortage`].

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use k8s_openapi::api::core::v1 as corev1;

use super::cluster::{Scope, Where};
use super::shell::block_on;
use crate::api::{ConditionType, Service};
use crate::ecs::reference::last_part;
use crate::layout::table;
use crate::names;
use crate::plan::capacity_provider::{Condition, condition};
use crate::plan::placement::attributes::attributes;
use crate::plan::placement::explain::explain;
use crate::plan::placement::inventory::{Class, inventory, units};
use crate::plan::placement::resources::offered;
use crate::plan::placement::shortage::{Shortage, candidates, needs, shortages, waits};
use crate::plan::placement::{groups, meant};
use crate::world::{Index, Kind, World};

/// `linkspan explain`
#[derive(Debug, clap::Args)]
pub struct Explain {
    #[command(subcommand)]
    of: Of,
    #[command(flatten)]
    scope: Scope,
}

/// What is explained.
#[derive(Debug, Subcommand)]
enum Of {
    /// Why a service's tasks wait: each thing that is asked of nodes, and how many it leaves.
    Service {
        /// Its name.
        name: String,
    },
    /// Why a task waits.
    Task {
        /// Its pod, or its ECS identifier.
        name: String,
    },
    /// What a node is and has left, and why it does not take what waits.
    Node {
        /// Its name.
        name: String,
    },
    /// Which kinds of capacity there are, what of them is free, and when to use which.
    Capacity,
}

pub(super) fn run(arguments: Explain) -> io::Result<ExitCode> {
    let text = block_on(async move {
        let place = arguments.scope.open().await?;
        let here = Where::In(&place.namespace);
        // Everything that takes room on a node counts.
        let of_nodes = [(Kind::Node, Where::Everywhere), (Kind::Pod, Where::Everywhere)];
        let providers = [(Kind::CapacityProvider, Where::Everywhere)];
        let at = if matches!(arguments.of, Of::Node { .. }) { Where::Everywhere } else { here };
        let services = [
            (Kind::Service, at),
            (Kind::ServiceDeployment, at),
            (Kind::TaskDefinitionRevision, at),
        ];
        let kinds = [&of_nodes[..], &providers, &services].concat();
        let world = place.world(&kinds).await?;
        let namespace = &place.namespace;
        match &arguments.of {
            // Also as kubectl writes them: esvc/web, pod/web-1, node/a.
            Of::Service { name } => service(&world, namespace, last_part(name)),
            Of::Task { name } => task(&world, namespace, last_part(name)),
            Of::Node { name } => node(&world, last_part(name)),
            Of::Capacity => Ok(capacity(&world)),
        }
        .map_err(anyhow::Error::msg)
    })?;
    super::print_out(&text)
}

/// Why the tasks of a service wait.
fn service(world: &World, namespace: &str, name: &str) -> Result<String, String> {
    let service = world.services.get(namespace, name).ok_or_else(|| {
        let all = world.services.iter();
        let all: Vec<String> = all.filter_map(|one| one.metadata.name.clone()).collect();
        absent(&format!("Service {name} is in namespace {namespace}"), name, &all)
    })?;
    let status = service.status.clone().unwrap_or_default();
    let mut text = format!(
        "Service {namespace}/{name}: {} desired, {} running, {} pending\n",
        status.desired_count, status.running_count, status.pending_count
    );
    let uid = service.metadata.uid.clone().unwrap_or_default();
    let pods = world.pods.find(&Index::service(namespace, &uid));
    let waiting: Vec<Arc<corev1::Pod>> = pods.into_iter().filter(|pod| waits(pod)).collect();
    for shortage in shortages(world, &waiting) {
        text.push('\n');
        text.push_str(&told(&shortage));
    }
    if waiting.is_empty() {
        text.push_str("No task waits for a node.\n");
    }
    text.push_str(&standing(&service));
    Ok(text)
}

/// What the operator says of a service that is not as it should be.
fn standing(service: &Service) -> String {
    let conditions = service.status.clone().unwrap_or_default().conditions;
    let ready = ConditionType::Ready.as_str();
    match conditions.iter().find(|condition| condition.type_ == ready) {
        Some(ready) if ready.status == "True" => String::new(),
        Some(ready) => format!("\nNot ready: {}: {}\n", ready.reason, ready.message),
        None => "\nIt has no status yet; does the operator run?\n".to_owned(),
    }
}

fn told(shortage: &Shortage) -> String {
    let tasks = &shortage.tasks;
    let (count, verb) = match tasks.len() {
        1 => ("1 task".to_owned(), "waits"),
        several => (format!("{several} tasks"), "wait"),
    };
    let mut text = format!("{count} {verb} for a node: {}\n", tasks.join(", "));
    let explanation = &shortage.explanation;
    let nodes = match explanation.nodes {
        0 => "there are no nodes".to_owned(),
        1 => "1 node".to_owned(),
        several => format!("{several} nodes"),
    };
    let mut lines = vec![nodes];
    lines.extend(
        explanation
            .causes
            .iter()
            .map(|cause| format!("- {} {}: {} left", cause.nodes, cause.reason, cause.left)),
    );
    if let Some((node, failures)) = &explanation.closest {
        lines.push(format!("closest is {node}: it {}", failures.join(", ")));
    }
    if !explanation.fitting.is_empty() {
        lines.push(format!(
            "{} will do: {}; the scheduler has not looked since, or waits for something else, as for \
             a volume",
            explanation.fitting.len(),
            explanation.fitting.join(", ")
        ));
    }
    lines.extend(shortage.hints.iter().cloned());
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Why a task waits, or that it does not.
fn task(world: &World, namespace: &str, name: &str) -> Result<String, String> {
    let is_it = |pod: &corev1::Pod| {
        pod.metadata.name.as_deref() == Some(name)
            || names::task_id(pod.metadata.uid.as_deref().unwrap_or_default()) == name
    };
    let tasks = world.pods.iter().filter(|pod| {
        pod.metadata.namespace.as_deref() == Some(namespace) && groups::of(pod).is_some()
    });
    let tasks: Vec<Arc<corev1::Pod>> = tasks.collect();
    let Some(pod) = tasks.iter().find(|pod| is_it(pod)) else {
        let all: Vec<String> = tasks.iter().filter_map(|one| one.metadata.name.clone()).collect();
        return Err(absent(&format!("task {name} is in namespace {namespace}"), name, &all));
    };
    if waits(pod) {
        return Ok(shortages(world, std::slice::from_ref(pod)).iter().map(told).collect());
    }
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
    Ok(format!("Task {name} waits for no node: it is on {node}, {}\n", phase.to_uppercase()))
}

/// What a node is, and why it does not take what waits.
fn node(world: &World, name: &str) -> Result<String, String> {
    let node = world.nodes.get("", name).ok_or_else(|| {
        let all: Vec<String> =
            world.nodes.iter().filter_map(|one| one.metadata.name.clone()).collect();
        absent(&format!("node {name} is there"), name, &all)
    })?;
    let all = candidates(world);
    let own: Vec<_> = all.into_iter().filter(|one| one.name == name).collect();
    let does = match condition(&node) {
        Condition::Ready => "takes tasks",
        Condition::NotReady => "is not ready",
        Condition::Cordoned => "is cordoned: it keeps its tasks and takes no new ones",
        Condition::Draining => "is draining: it is about to end",
    };
    let mut text = format!("Node {name} {does}\n");
    let mut line = |title: &str, value: &str| {
        let _ = writeln!(text, "{title:<12}{value}");
    };
    line("Offers:", &format!("{}, {} pods", units(offered(&node)), offered(&node).pods));
    for one in &own {
        line("Left:", &format!("{}, {} pods", units(one.left), one.left.pods));
        let ports = one.ports.iter();
        let ports: Vec<String> = ports
            .map(|(number, protocol)| format!("{number}/{}", protocol.to_lowercase()))
            .collect();
        line("Ports:", &or_none(&ports));
        let taints = one.taints.iter().map(|taint| format!("{}:{}", taint.key, taint.effect));
        let taints: Vec<String> = taints.collect();
        line("Taints:", &or_none(&taints));
        line("Tasks:", &one.instance.running_tasks_count.to_string());
    }
    let telling = attributes(&node);
    let telling =
        telling.iter().filter(|(name, _)| name.starts_with("ecs.") && !name.contains("capability"));
    let telling: Vec<String> = telling
        .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or_default()))
        .collect();
    line("Attributes:", &telling.join(", "));
    let waiting = world.pods.iter().filter(|pod| waits(pod) && groups::of(pod).is_some());
    for pod in waiting {
        let explanation = explain(&needs(world, &pod), &own);
        let why = match &explanation.closest {
            Some((_, failures)) => format!("does not take it: it {}", failures.join(", ")),
            None => "would take it".to_owned(),
        };
        let namespace = pod.metadata.namespace.clone().unwrap_or_default();
        let name = pod.metadata.name.clone().unwrap_or_default();
        let _ = write!(text, "\nTask {namespace}/{name} waits, and this node {why}\n");
    }
    Ok(text)
}

/// Which capacity there is, and when to use which.
fn capacity(world: &World) -> String {
    let (rows, outside) = inventory(world);
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let spot = if row.is_spot { ", spot" } else { "" };
            vec![
                row.name.clone(),
                format!("{}{spot}", row.class.as_str()),
                format!("{}/{}", row.ready, row.nodes),
                units(row.free),
                units(row.largest),
                row.tasks.to_string(),
                row.size.clone(),
            ]
        })
        .collect();
    let heads = ["PROVIDER", "KIND", "READY", "FREE", "FREE ON ONE NODE", "TASKS", "SIZED BY"];
    let mut text = table(&heads, &lines);
    if outside > 0 {
        let nodes = if outside == 1 { "1 node is" } else { &format!("{outside} nodes are") };
        let _ = writeln!(
            text,
            "\n{nodes} of no provider: tasks that ask for none run there too. To make one of them: \
             kubectl label node NODE {}=NAME",
            names::label::CAPACITY_PROVIDER
        );
    }
    text.push('\n');
    let has = |class: Class| rows.iter().any(|row| row.class == class && row.nodes > 0);
    let kinds: Vec<Vec<String>> = Class::ALL
        .into_iter()
        .map(|class| {
            vec![
                class.as_str().to_owned(),
                if has(class) { "yes" } else { "no" }.to_owned(),
                class.good_for().to_owned(),
                class.not_for().to_owned(),
            ]
        })
        .collect();
    text.push_str(&table(&["KIND", "HERE", "FOR", "NOT FOR"], &kinds));
    text.push_str(
        "\nSpot nodes may go with two minutes' notice: for workers and stateless tasks of several \
         copies.\n",
    );
    text
}

fn or_none(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// What is not there, and what was probably meant.
fn absent(what: &str, name: &str, known: &[String]) -> String {
    match meant::nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("no {what}; did you mean {meant}?"),
        None => format!("no {what}"),
    }
}
