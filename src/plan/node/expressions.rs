//! Which placement expressions have to be said by a label of a node?
//!
//! Those of the deployments that are recorded: a pod template asks for the label, and the expression
//! stands in the constraints of the service or of its task definition. Both are indexed as records
//! and revisions come, so that a node that changes costs no look at ten thousand of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as corev1;
use serde_json::Value;

use crate::ecs::query::Query;
use crate::plan::placement::affinity::by_label;
use crate::plan::placement::attributes::instance;
use crate::plan::placement::node_labels::{self, MOST_LABELS, is_label};
use crate::world::{Index, World};

/// The member of services and task definitions that holds constraints.
const CONSTRAINTS: &str = "placementConstraints";

/// The expressions of a spec, by the label that would stand for each, as they are printed.
pub(crate) fn said_by_label(spec: &Value) -> Vec<(String, String)> {
    let constraints = spec.get(CONSTRAINTS).and_then(Value::as_array).into_iter().flatten();
    let expressions = constraints.filter_map(|one| one.get("expression")?.as_str());
    let queries = expressions.filter_map(|text| Query::parse(text).ok());
    queries.filter_map(|query| by_label(&query)).map(|(label, q)| (label, q.to_string())).collect()
}

/// The labels of expressions that a pod template asks for.
pub(crate) fn needed_labels(template: &Value) -> BTreeSet<String> {
    let terms = template.pointer(
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms",
    );
    let terms = terms.and_then(Value::as_array).into_iter().flatten();
    let all = |term: &Value| term.get("matchExpressions").and_then(Value::as_array).cloned();
    let requirements = terms.filter_map(all).flatten();
    let keys = requirements.filter_map(|one| one.get("key")?.as_str().map(ToOwned::to_owned));
    keys.filter(|key| is_label(key)).collect()
}

/// The expressions that are in use, by the label that stands for each.
pub(crate) fn in_use(world: &World) -> BTreeMap<String, Query> {
    let mut found = BTreeMap::new();
    let mut from = String::new();
    // From one label to the next, whoever else needs the same.
    while let Some(Index::NeedsNodeLabel(label)) =
        world.records.indexed_from(&Index::NeedsNodeLabel(from)).next()
    {
        if let Some(query) = text(world, label).and_then(|text| Query::parse(text).ok()) {
            found.insert(label.clone(), query);
        }
        from = format!("{label}\u{0}");
    }
    found
}

/// How many of these labels the records of a namespace ask for, also where others ask for the same.
pub(crate) fn needed_in(world: &World, namespace: &str, in_use: &BTreeMap<String, Query>) -> usize {
    let asks = |label: &&String| {
        let records = world.records.find_keys(&Index::NeedsNodeLabel((*label).clone()));
        records.iter().any(|record| record.namespace == namespace)
    };
    in_use.keys().filter(asks).count()
}

/// The expression that a label stands for.
fn text<'a>(world: &'a World, label: &str) -> Option<&'a str> {
    let first = Index::SaidByLabel(label.to_owned(), String::new());
    let of_records = world.records.indexed_from(&first).next();
    let of_revisions = world.revisions.indexed_from(&first).next();
    [of_records, of_revisions].into_iter().flatten().find_map(|index| match index {
        Index::SaidByLabel(found, text) if found == label => Some(text.as_str()),
        _ => None,
    })
}

/// Whether the tasks on a node can matter to an expression that is in use.
pub(crate) fn tasks_matter(world: &World) -> bool {
    in_use(world).values().any(Query::asks_for_task_groups)
}

/// The labels that a node is to carry.
pub(super) fn labels(world: &World, node: &corev1::Node) -> BTreeSet<String> {
    let mut in_use = in_use(world);
    if in_use.is_empty() {
        return BTreeSet::new();
    }
    if in_use.len() > MOST_LABELS {
        let carried = world.nodes.iter().flat_map(|node| {
            let labels = node.metadata.labels.iter().flatten();
            labels.map(|(key, _)| key.clone()).filter(|key| is_label(key)).collect::<Vec<_>>()
        });
        let kept = node_labels::kept(&in_use, &carried.collect());
        in_use.retain(|label, _| kept.contains(label));
    }
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let asks = in_use.values().any(Query::asks_for_task_groups);
    let tasks = if asks { world.pods_on(name) } else { Vec::new() };
    let instance = instance(node, tasks.iter().map(Arc::as_ref));
    node_labels::chosen_by(&in_use, &instance)
}
