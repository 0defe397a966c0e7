//! What can be told of a service to somebody who asks?
//!
//! From the same sight of it that its plan has, so that what is told is what is acted on: who
//! evaluates its scaling policies, which metrics they look at, what a metric said. It decides and
//! writes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::observed::{Observed, Standing};
use super::scaling::{is_deploying, tasks};
use crate::ecs::scaling::evaluate::Rule;
use crate::ecs::scaling::metric::Metric;
use crate::names;
use crate::plan::finding::Findings;
use crate::plan::scaling::describe::{By, Scaled, describe};
use crate::plan::scaling::horizontal::{Around, Evaluator, evaluator};
use crate::plan::scaling::measured::{Measure, Measured, measures};
use crate::plan::scaling::read::{Autoscaling, read};
use crate::world::{ObjectKey, World};

/// The metrics that the operator reads for a service, where it is the one who evaluates its policies.
pub fn measured_for(world: &World, key: &ObjectKey, now: Timestamp) -> Vec<Measure> {
    let Some(observed) = Observed::of(world, key) else { return Vec::new() };
    let Some(autoscaling) = read(&observed.service.spec.0, &mut Findings::default()) else {
        return Vec::new();
    };
    if !matches!(evaluated(world, &observed, &autoscaling, now), Evaluator::Native(_)) {
        return Vec::new();
    }
    let selector = super::assess::selector(&observed);
    let tasks = |source: &_| tasks(&observed, source);
    measures(&autoscaling, &selector, tasks, &world.scaling_timing)
}

/// How a service is scaled, as text. `measured` holds the metrics that the operator would read.
///
/// # Errors
/// Why there is nothing to tell: no such service, none that is scaled, or what is wrong with its
/// `autoscaling`.
pub fn scaling(
    world: &World,
    key: &ObjectKey,
    measured: &Measured,
    now: Timestamp,
) -> Result<String, String> {
    let none = || format!("no Service {} is in namespace {}", key.name, key.namespace);
    let observed = Observed::of(world, key).ok_or_else(none)?;
    let mut findings = Findings::default();
    let autoscaling = read(&observed.service.spec.0, &mut findings);
    if findings.any_refused() {
        return Err(crate::plan::finding::in_one_line(findings.refusals()));
    }
    let autoscaling = autoscaling.ok_or_else(|| {
        format!(
            "service {} is not scaled; give it autoscaling, with scalableTarget and scalingPolicies",
            key.name
        )
    })?;
    let status = observed.service.status.clone().unwrap_or_default();
    let state = status.scaling.clone().unwrap_or_default();
    let autoscaler = names::autoscaler(&observed.name, &observed.uid);
    let evaluator = evaluated(world, &observed, &autoscaling, now);
    let (by, readings, absent) = match &evaluator {
        Evaluator::Nobody => (By::Nobody, BTreeMap::new(), Vec::new()),
        Evaluator::Horizontal(_) => {
            let (readings, absent) = of_autoscaler(&observed, &autoscaling);
            (By::Horizontal(&autoscaler), readings, absent)
        }
        Evaluator::Native(reasons) => {
            let newest = measured
                .samples
                .iter()
                .filter_map(|(policy, samples)| Some((policy.clone(), samples.last()?.value)));
            let absent = measured.absent.values().map(|(_, why)| why.clone());
            (By::Native(reasons), newest.collect(), absent.collect())
        }
    };
    let desired = observed.service.spec.0.get("desiredCount").and_then(Value::as_i64);
    let scaled = Scaled {
        cluster: &observed.cluster,
        service: &observed.name,
        desired: desired.and_then(|count| i32::try_from(count).ok()).unwrap_or(1),
        running: status.running_count,
        deploying: is_deploying(&observed),
        autoscaling: &autoscaling,
        state: &state,
        by,
        readings: &readings,
        absent: &absent,
    };
    Ok(describe(&scaled, now))
}

fn evaluated(
    world: &World,
    observed: &Observed,
    autoscaling: &Autoscaling,
    now: Timestamp,
) -> Evaluator {
    let state = observed.service.status.as_ref().and_then(|status| status.scaling.clone());
    let state = state.unwrap_or_default();
    let scheduled = crate::plan::scaling::schedule::scheduled(autoscaling, &state, 0, now, now);
    let around = Around {
        service: &observed.key.name,
        bounds: scheduled.bounds,
        deploying: is_deploying(observed),
        kubernetes_minor: world.server_minor.unwrap_or(crate::OLDEST_KUBERNETES_MINOR),
        timing: world.scaling_timing,
    };
    evaluator(autoscaling, &around, &mut Findings::default())
}

/// What a HorizontalPodAutoscaler has read last, by policy, and what it cannot read.
fn of_autoscaler(
    observed: &Observed,
    autoscaling: &Autoscaling,
) -> (BTreeMap<String, f64>, Vec<String>) {
    let Standing::Ours(found) = &observed.autoscaler else {
        return (BTreeMap::new(), vec!["its HorizontalPodAutoscaler is not there yet".to_owned()]);
    };
    let list = |path: &str| found.pointer(path).and_then(Value::as_array).into_iter().flatten();
    let current: BTreeMap<&str, f64> = list("/status/currentMetrics")
        .filter_map(|metric| {
            let resource = metric.get("resource")?;
            let name = resource.get("name")?.as_str()?;
            Some((name, resource.pointer("/current/averageUtilization")?.as_f64()?))
        })
        .collect();
    let readings = autoscaling.policies.iter().filter_map(|policy| {
        let Rule::TargetTracking(tracking) = &policy.rule else { return None };
        let resource = match tracking.metric {
            Metric::Cpu => "cpu",
            Metric::Memory => "memory",
            _ => return None,
        };
        Some((policy.name.clone(), *current.get(resource)?))
    });
    let text = |condition: &Value, member: &str| {
        condition.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let cannot = list("/status/conditions")
        .filter(|one| text(one, "type") == "ScalingActive" && text(one, "status") == "False")
        .map(|one| text(one, "message"));
    (readings.collect(), cannot.collect())
}
