//! Which `autoscaling` block is what Application Auto Scaling takes and prints?
//!
//! Inputs of RegisterScalableTarget, PutScalingPolicy and PutScheduledAction, and what the Describe
//! calls answer, all with members in PascalCase, become the block of a Service in camelCase; CloudWatch's
//! alarms become that of `kubernetes.scaling.alarms`. Only names change here: what the members mean, and
//! whether they are known at all, is judged where the block is read.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Members that say of which service something is, or that AWS alone reports.
const LEFT_OUT: [&str; 11] = [
    "Alarms",
    "CreationTime",
    "NextToken",
    "PolicyARN",
    "PredictedCapacity",
    "ResourceId",
    "ScalableDimension",
    "ScalableTargetARN",
    "ScheduledActionARN",
    "ServiceNamespace",
    "Tags",
];

/// The members of an alarm that say what it looks at and what it does.
const ALARM: [&str; 15] = [
    "AlarmName",
    "AlarmActions",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Metrics",
    "Statistic",
    "ExtendedStatistic",
    "Unit",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
];

/// The block of the one service that the value is about; none if it is about none or several, or no
/// such input at all.
pub fn from_application_auto_scaling(value: &Value) -> Option<Value> {
    let mut blocks = by_resource(value).into_values();
    blocks.next().filter(|_| blocks.next().is_none())
}

/// The blocks by `ResourceId`, as in `service/default/web`; empty where an input names none.
///
/// The value may be one input, one answer, a list of them, or an object that holds several answers.
pub fn by_resource(value: &Value) -> BTreeMap<String, Value> {
    let mut blocks = BTreeMap::new();
    collect(value, &mut blocks);
    blocks.into_iter().map(|(resource, block)| (resource, Value::Object(block))).collect()
}

/// The cluster and the service of a `ResourceId`.
///
/// ```
/// use linkspan::plan::scaling::paste::service_of;
/// assert_eq!(service_of("service/default/web"), Some(("default", "web")));
/// assert_eq!(service_of("table/orders"), None);
/// ```
pub fn service_of(resource: &str) -> Option<(&str, &str)> {
    resource.strip_prefix("service/")?.split_once('/').filter(|(_, name)| !name.contains('/'))
}

fn collect(value: &Value, blocks: &mut BTreeMap<String, Map<String, Value>>) {
    let object = match value {
        Value::Array(list) => return list.iter().for_each(|one| collect(one, blocks)),
        Value::Object(object) => object,
        _ => return,
    };
    for answer in ["ScalableTargets", "ScalingPolicies", "ScheduledActions"] {
        if let Some(list @ Value::Array(_)) = object.get(answer) {
            collect(list, blocks);
        }
    }
    let is = |member: &str, value: &str| {
        object.get(member).and_then(Value::as_str).is_none_or(|written| written == value)
    };
    if !is("ServiceNamespace", "ecs") || !is("ScalableDimension", "ecs:service:DesiredCount") {
        return;
    }
    let list = if object.contains_key("PolicyName") {
        Some("scalingPolicies")
    } else if object.contains_key("ScheduledActionName") {
        Some("scheduledActions")
    } else if object.contains_key("MinCapacity") || object.contains_key("MaxCapacity") {
        None
    } else {
        return;
    };
    let resource = object.get("ResourceId").and_then(Value::as_str).unwrap_or_default();
    let block = blocks.entry(resource.to_owned()).or_default();
    let kept = object.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
    let members: Map<String, Value> =
        kept.map(|(name, value)| (camel(name), renamed(value))).collect();
    if let Some(list) = list {
        let list = block.entry(list).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(Value::Object(members));
        }
    } else {
        // Registering again with one bound leaves the other as it was.
        let target = block.entry("scalableTarget").or_insert_with(|| Map::new().into());
        if let Value::Object(target) = target {
            target.extend(members);
        }
    }
}

/// The alarms that trigger scaling policies, for `kubernetes.scaling.alarms`: from the answer of
/// DescribeAlarms, an input of PutMetricAlarm, or a list of either; none if there are none.
///
/// Those that target tracking makes for itself are left out.
pub fn alarms_from_cloudwatch(value: &Value) -> Option<Value> {
    let mut alarms = Vec::new();
    collect_alarms(value, &mut alarms);
    (!alarms.is_empty()).then_some(Value::Array(alarms))
}

fn collect_alarms(value: &Value, alarms: &mut Vec<Value>) {
    let object = match value {
        Value::Array(list) => return list.iter().for_each(|one| collect_alarms(one, alarms)),
        Value::Object(object) => object,
        _ => return,
    };
    if let Some(list @ Value::Array(_)) = object.get("MetricAlarms") {
        return collect_alarms(list, alarms);
    }
    let Some(name) = object.get("AlarmName").and_then(Value::as_str) else { return };
    let actions = object.get("AlarmActions").and_then(Value::as_array);
    let scales = actions
        .into_iter()
        .flatten()
        .any(|action| action.as_str().is_some_and(|action| action.contains(":scalingPolicy:")));
    if !scales || name.starts_with("TargetTracking-") {
        return;
    }
    let kept = object.iter().filter(|(name, _)| ALARM.contains(&name.as_str()));
    alarms.push(kept.map(|(name, value)| (camel(name), renamed(value))).collect());
}

/// A value with the names of all its members in camelCase.
fn renamed(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(renamed).collect(),
        Value::Object(object) => {
            object.iter().map(|(name, value)| (camel(name), renamed(value))).collect()
        }
        scalar => scalar.clone(),
    }
}

/// `MinCapacity` as `minCapacity`, `RoleARN` as `roleARN`.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests;
