//! What does a task that waits need, what do the nodes have, and which word was probably meant?
//!
//! From the objects of a cluster to what [`explain`] is asked. All pods of all namespaces
//! count, since all of them take room. It explains what a scheduler decided and decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as corev1;
use serde_json::Value;

use super::explain::{Candidate, Explanation, Needs, explain};
use super::meant::nearest;
use super::requirement::Required;
use super::resources::{host_ports, left, taken, takes_room};
use super::strategies::read_constraints;
use super::{attributes, groups};
use crate::api::ServiceDeployment;
use crate::ecs::query::{Expression, Query, Subject, Test, Value as Written, evaluate};
use crate::names::{self, label};
use crate::plan::capacity_provider::{Chosen, POOL_LABELS, Selection, owner_of, read};
use crate::plan::finding::Findings;
use crate::world::{Index, World};

/// The most values of an attribute that are told.
const VALUES_SHOWN: usize = 5;

/// Why tasks of one kind wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Shortage {
    /// The names of their pods.
    pub tasks: Vec<String>,
    /// The answer of the nodes.
    pub explanation: Explanation,
    /// What to change, where a word looks like another.
    pub hints: Vec<String>,
}

/// Whether a pod is a task that has no node yet.
pub fn waits(pod: &corev1::Pod) -> bool {
    let placed = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    pod.metadata.deletion_timestamp.is_none() && !placed && takes_room(pod)
}

/// Why these pods wait: those that get the same answer together.
pub fn shortages(world: &World, pods: &[Arc<corev1::Pod>]) -> Vec<Shortage> {
    let candidates = candidates(world);
    let mut shortages: Vec<Shortage> = Vec::new();
    for pod in pods {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let needs = needs(world, pod);
        let explanation = explain(&needs, &candidates);
        let hints = hints(world, &needs, &candidates);
        let same =
            shortages.iter_mut().find(|one| one.explanation == explanation && one.hints == hints);
        match same {
            Some(same) => same.tasks.push(name),
            None => shortages.push(Shortage { tasks: vec![name], explanation, hints }),
        }
    }
    shortages
}

/// What a pod needs of a node: what its service asks for in ECS's words, and what the pod says.
pub fn needs(world: &World, pod: &corev1::Pod) -> Needs {
    let spec = pod.spec.clone().unwrap_or_default();
    let mut needs = Needs {
        required: Required::of(&spec),
        tolerations: spec.tolerations.clone().unwrap_or_default(),
        amounts: taken(&spec),
        ports: host_ports(&spec),
        ..Needs::default()
    };
    let Some(record) = record_of(world, pod) else { return needs };
    let revision = revision_of(world, &record);
    let constraints = read_constraints(
        (revision.as_ref().and_then(|spec| spec.get("placementConstraints")), ""),
        (record.spec.requested.get("placementConstraints"), ""),
        &mut Findings::default(),
    );
    let written = constraints.expressions.into_iter();
    needs.expressions = written.map(|(_, query)| (query.to_string(), query)).collect();
    if constraints.distinct_instance {
        let uid = pod.metadata.labels.iter().flatten().find(|(key, _)| *key == label::SERVICE_UID);
        needs.taken_by_others = uid.map(|(_, uid)| nodes_of(world, &record, uid));
    }
    needs.provider = provider_of(world, pod, &record);
    needs
}

/// The record from which a pod came.
fn record_of(world: &World, pod: &corev1::Pod) -> Option<Arc<ServiceDeployment>> {
    let labels = pod.metadata.labels.as_ref()?;
    let namespace = pod.metadata.namespace.as_deref()?;
    let records = world.records.find(&Index::service(namespace, labels.get(label::SERVICE_UID)?));
    let sequence: i64 = labels.get(label::DEPLOYMENT)?.parse().ok()?;
    records.into_iter().find(|record| record.spec.sequence == sequence)
}

fn revision_of(world: &World, record: &ServiceDeployment) -> Option<Value> {
    let (family, revision) = record.spec.task_definition.rsplit_once(':')?;
    let name = names::revision(family, revision.parse().ok()?);
    let namespace = record.metadata.namespace.as_deref()?;
    world.revisions.get(namespace, &name).map(|revision| revision.spec.0.clone())
}

/// The nodes on which tasks of a service run.
fn nodes_of(world: &World, record: &ServiceDeployment, uid: &str) -> BTreeSet<String> {
    let namespace = record.metadata.namespace.as_deref().unwrap_or_default();
    let pods = world.pods.find(&Index::service(namespace, uid)).into_iter();
    let running = pods.filter(|pod| takes_room(pod));
    running.filter_map(|pod| pod.spec.as_ref()?.node_name.clone()).collect()
}

/// The capacity providers that a pod is for, and the names of their nodes; none where any node will do.
fn provider_of(
    world: &World,
    pod: &corev1::Pod,
    record: &ServiceDeployment,
) -> Option<(String, BTreeSet<String>)> {
    let chosen: Chosen = serde_json::from_value(record.spec.capacity.clone()?).ok()?;
    let labels = pod.metadata.labels.as_ref();
    let own = labels.and_then(|labels| labels.get(label::CAPACITY_PROVIDER));
    let own = own.filter(|own| !own.is_empty());
    let items = chosen.strategy.as_array().into_iter().flatten();
    let asked = items.filter_map(|item| item.get("capacityProvider")?.as_str());
    let asked: Vec<&str> =
        asked.filter(|name| own.is_none_or(|own| *own == names::label_value(name))).collect();
    let mut nodes = BTreeSet::new();
    for name in &asked {
        let object = chosen.providers.get(*name);
        let known = object.and_then(|spec| read(spec, Some(name), &mut Findings::default()));
        let selection = match known {
            Some(provider) => provider.nodes,
            // The two that exist without an object are any node.
            None if matches!(*name, "FARGATE" | "FARGATE_SPOT") => return None,
            None => Selection::of_pool(name, name),
        };
        nodes.extend(selected(world, &selection));
    }
    (!asked.is_empty()).then(|| (asked.join("` or `"), nodes))
}

/// Names of the nodes that are selected.
pub fn selected(world: &World, selection: &Selection) -> BTreeSet<String> {
    let none = BTreeMap::new();
    let nodes = world.nodes.iter();
    let ours =
        nodes.filter(|node| selection.selects(node.metadata.labels.as_ref().unwrap_or(&none)));
    ours.filter_map(|node| node.metadata.name.clone()).collect()
}

/// Every node, with what it has left.
pub fn candidates(world: &World) -> Vec<Candidate> {
    let mut pods: BTreeMap<String, Vec<Arc<corev1::Pod>>> = BTreeMap::new();
    for pod in world.pods.iter() {
        if let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) {
            pods.entry(node).or_default().push(pod.clone());
        }
    }
    let none = Vec::new();
    let of = |node: &corev1::Node| {
        let name = node.metadata.name.clone().unwrap_or_default();
        let on_it = pods.get(&name).unwrap_or(&none);
        let tasks = on_it.iter().map(|pod| &**pod).filter(|pod| groups::of(pod).is_some());
        let spec = node.spec.clone().unwrap_or_default();
        let specs = on_it.iter().filter(|pod| takes_room(pod)).filter_map(|pod| pod.spec.as_ref());
        Candidate {
            labels: node.metadata.labels.clone().unwrap_or_default(),
            instance: attributes::instance(node, tasks),
            cordoned: spec.unschedulable == Some(true),
            taints: spec.taints.unwrap_or_default(),
            left: left(node, on_it.iter().map(|pod| &**pod)),
            ports: specs.flat_map(host_ports).collect(),
            name,
        }
    };
    let mut all: Vec<Candidate> = world.nodes.iter().map(|node| of(&node)).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// What was probably meant, where what is asked for is nowhere.
pub fn hints(world: &World, needs: &Needs, nodes: &[Candidate]) -> Vec<String> {
    let mut hints = Vec::new();
    if let Some((name, own)) = &needs.provider
        && own.is_empty()
    {
        hints.extend(provider_hint(world, name));
    }
    for (_, query) in &needs.expressions {
        if !nodes.iter().any(|node| evaluate(query, &node.instance)) {
            hints.extend(expression_hints(query, nodes));
        }
    }
    hints.dedup();
    hints
}

fn provider_hint(world: &World, name: &str) -> Option<String> {
    let mut known: BTreeSet<String> = world
        .capacity_providers
        .iter()
        .map(|one| {
            crate::plan::capacity_provider::name_of(&one.spec.0, one.metadata.name.as_deref())
        })
        .collect();
    for node in world.nodes.iter() {
        let labels = node.metadata.labels.iter().flatten();
        let pools = labels.filter(|(key, _)| {
            POOL_LABELS.contains(&key.as_str()) || *key == label::CAPACITY_PROVIDER
        });
        known.extend(pools.map(|(_, value)| value.clone()));
    }
    let object = owner_of(world, name).is_some();
    let there = if object { "its CapacityProvider selects no node" } else { "no node is of it" };
    let meant = nearest(name, known.iter().map(String::as_str));
    let names: Vec<&str> = known.iter().map(String::as_str).filter(|one| *one != name).collect();
    match meant {
        Some(meant) => {
            Some(format!("capacity provider `{name}`: {there}; did you mean `{meant}`?"))
        }
        None if names.is_empty() => None,
        None => {
            Some(format!("capacity provider `{name}`: {there}; there are {}", names.join(", ")))
        }
    }
}

fn expression_hints(query: &Query, nodes: &[Candidate]) -> Vec<String> {
    let mut hints = Vec::new();
    for name in query.attributes() {
        if nodes.iter().any(|node| node.instance.attributes.contains_key(name)) {
            continue;
        }
        let misses = query.near_misses();
        let own = misses.iter().find(|(written, _)| *written == name).map(|(_, meant)| *meant);
        let known: BTreeSet<&str> = nodes
            .iter()
            .flat_map(|node| node.instance.attributes.keys().map(String::as_str))
            .collect();
        let meant = own.or_else(|| nearest(name, known.iter().copied()));
        let ask = match meant {
            Some(meant) => format!("did you mean `attribute:{meant}`?"),
            None => "`linkspan attributes` lists those there are".to_owned(),
        };
        hints.push(format!("no node has attribute `{name}`; {ask}"));
    }
    // Of several questions at once it is not known which one is wrong.
    let only = match query.expression() {
        Expression::Term(term) => vec![term],
        Expression::All(all) => all
            .iter()
            .filter_map(|one| match one {
                Expression::Term(term) => Some(term),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    for term in only {
        let Subject::Attribute(name) = &term.subject else { continue };
        let there = values(name, nodes);
        let wanted: Vec<&str> = match &term.test {
            Test::Equals(Written::Text(text)) => vec![text],
            Test::In(list) => list
                .iter()
                .filter_map(|one| if let Written::Text(text) = one { Some(&**text) } else { None })
                .collect(),
            Test::Matches(pattern) if !there.keys().any(|value| pattern.matches(value)) => {
                vec![pattern.written()]
            }
            _ => continue,
        };
        if there.is_empty() || wanted.iter().any(|wanted| there.contains_key(*wanted)) {
            continue;
        }
        let known = || there.keys().map(String::as_str);
        let meant = wanted.iter().find_map(|wanted| nearest(wanted, known()));
        let counted: Vec<String> = there
            .iter()
            .take(VALUES_SHOWN)
            .map(|(value, nodes)| format!("`{value}` ({nodes})"))
            .collect();
        let more = there.len().saturating_sub(VALUES_SHOWN);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let ask = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        hints.push(format!(
            "`{name}` of the nodes is {}{more}, never `{}`{ask}",
            counted.join(", "),
            wanted.join("` or `")
        ));
    }
    hints
}

/// The values of an attribute, each with the number of nodes that have it.
fn values(name: &str, nodes: &[Candidate]) -> BTreeMap<String, usize> {
    let mut values = BTreeMap::new();
    for value in nodes.iter().filter_map(|node| node.instance.attributes.get(name)?.clone()) {
        *values.entry(value).or_default() += 1;
    }
    values
}

#[cfg(test)]
mod tests;
