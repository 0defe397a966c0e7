//! Over which capacity providers are a deployment's tasks spread, and how many on each?
//!
//! ECS's rule: each task that is added goes to the provider that is furthest below its share, each
//! that ends is taken from the one that is furthest above; so that a change of weights alone moves no
//! task. How many each should have is therefore remembered, in the record's status; a new deployment
//! begins with the split by base and weight. It decides nothing about when tasks may move.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::observed::NO_PROVIDER;
use crate::api::{Cause, ServiceDeployment};
use crate::ecs::strategy::{Item, Strategy};
use crate::names::label_value;

/// The strategy of a Service.
const STRATEGY: &str = "capacityProviderStrategy";

/// The providers of a deployment by their labels, in the order of its strategy; that of no provider,
/// if it names none.
pub(super) fn providers(record: &ServiceDeployment) -> Vec<String> {
    let placements = &record.spec.placements;
    if placements.is_empty() {
        return vec![NO_PROVIDER.to_owned()];
    }
    placements.iter().map(|placement| label_value(&placement.capacity_provider)).collect()
}

/// How many tasks each provider should have, by their ECS names, where there are several. `running`
/// tells how many are there of a provider, by its label.
pub(super) fn desired_counts(
    record: &ServiceDeployment,
    spec: &Value,
    desired: i32,
    running: impl Fn(&str) -> i32,
) -> BTreeMap<String, i32> {
    let Some(strategy) = in_force(record, spec).filter(|strategy| strategy.items().len() > 1)
    else {
        return BTreeMap::new();
    };
    let wanted = u32::try_from(desired).unwrap_or_default();
    let known = record.status.as_ref().map(|status| &status.desired_counts);
    let of_item = |item: &Item| {
        let name = &item.capacity_provider;
        match known.filter(|known| !known.is_empty()) {
            Some(known) => known.get(name).copied().unwrap_or_default(),
            // What was known of a lost record is seen by what it made.
            None if record.spec.cause == Cause::Restored => running(&label_value(name)),
            None => 0,
        }
    };
    let now: Vec<u32> = strategy
        .items()
        .iter()
        .map(|item| u32::try_from(of_item(item)).unwrap_or_default())
        .collect();
    // From nothing, what is added one by one is the split.
    let counts = if now.iter().sum::<u32>() <= wanted {
        strategy.grow(&now, wanted)
    } else {
        strategy.shrink(&now, wanted)
    };
    let names = strategy.items().iter().map(|item| item.capacity_provider.clone());
    names.zip(counts.into_iter().map(|count| i32::try_from(count).unwrap_or(i32::MAX))).collect()
}

/// The strategy by which tasks are added and taken: the Service's own as it is now, as long as it
/// names the providers of the deployment; else that of the deployment.
fn in_force(record: &ServiceDeployment, spec: &Value) -> Option<Strategy> {
    let strategy = |value: &Value| Strategy::read(value, |_| false).ok();
    let recorded = strategy(record.spec.capacity.as_ref()?.get("strategy")?)?;
    let own = spec.get(STRATEGY).and_then(strategy);
    let names = |strategy: &Strategy| -> BTreeSet<String> {
        strategy.items().iter().map(|item| item.capacity_provider.clone()).collect()
    };
    match own {
        Some(own) if names(&own) == names(&recorded) => Some(own),
        _ => Some(recorded),
    }
}

/// The names of a strategy, in the order of the alphabet: what of it starts a deployment.
pub(super) fn names(strategy: &Value) -> Value {
    let items = strategy.as_array().into_iter().flatten();
    let names: BTreeSet<&str> =
        items.filter_map(|item| item.get("capacityProvider")?.as_str()).collect();
    names.into_iter().collect()
}
