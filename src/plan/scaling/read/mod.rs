//! What does a service say about its scaling, and is it in order?
//!
//! Reads `autoscaling` of a Service's spec, and `kubernetes.scaling` for what Application Auto Scaling
//! has no word for (the alarms that trigger step policies, and where the cluster has a metric), into the
//! rules of [`crate::ecs::scaling`]. Everything that breaks a rule is found at once. What is refused is
//! left out of the result, so that a result is only to be acted on where nothing is refused.
//!
//! Shapes (a text where a number must be) are judged elsewhere, with all other members.

mod actions;
mod alarms;
mod fields;
mod policies;
mod sources;

pub use alarms::{is_by_name, judge as judge_alarm};

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::ecs::reference::text;
use crate::ecs::scaling::evaluate::{Policy, Suspended};
use crate::ecs::scaling::metric::Source;
use crate::ecs::scaling::schedule::Schedule;
use crate::ecs::scaling::state::Bounds;
use crate::plan::finding::Findings;
use crate::plan::judge::is_empty;
use crate::plan::task_definition::read::{flag, whole};

/// `autoscaling` of a service, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Autoscaling {
    /// The bounds of `scalableTarget`.
    pub bounds: Bounds,
    /// `suspendedState`.
    pub suspended: Suspended,
    /// The policies that can act.
    pub policies: Vec<Policy>,
    /// By policy: where the cluster has its metric.
    pub sources: BTreeMap<String, Source>,
    /// The scheduled actions.
    pub actions: Vec<ScheduledAction>,
}

/// One of `scheduledActions`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledAction {
    /// `scheduledActionName`.
    pub name: String,
    /// `schedule`, in its `timezone`.
    pub schedule: Schedule,
    /// The schedule and its time zone as one text; another one is another schedule.
    pub identity: String,
    /// `startTime`: a recurring action is due then, and by its schedule from there on.
    pub start: Option<Timestamp>,
    /// `endTime`: nothing is due after it, and nothing is reverted at it.
    pub end: Option<Timestamp>,
    /// The new `minCapacity`.
    pub min_capacity: Option<i32>,
    /// The new `maxCapacity`.
    pub max_capacity: Option<i32>,
}

/// Most tasks that a count can say.
const MOST_TASKS: i64 = i32::MAX as i64;

/// Reads `autoscaling` of a Service's spec; none where it is absent or its bounds are unusable.
pub fn read(spec: &Value, findings: &mut Findings) -> Option<Autoscaling> {
    read_among(spec, &[], findings)
}

/// Reads `autoscaling` of a Service whose Cluster knows these alarms.
pub fn read_among(spec: &Value, alarms: &[Value], findings: &mut Findings) -> Option<Autoscaling> {
    let raw = spec.get("autoscaling").filter(|raw| !is_empty(raw))?;
    if text(spec, "schedulingStrategy").is_some_and(|word| word.eq_ignore_ascii_case("DAEMON")) {
        findings.refuse(
            "autoscaling",
            "a DAEMON service has one task on each node and no count that could be scaled; remove \
             autoscaling, or use schedulingStrategy REPLICA",
        );
        return None;
    }
    let kubernetes = spec.pointer("/kubernetes/scaling").unwrap_or(&Value::Null);
    let bounds = bounds(raw, findings);
    let alarms = alarms::read(kubernetes, alarms, findings);
    let policies = policies::read(raw, &alarms, findings);
    let sources = sources::read(kubernetes, &policies, findings);
    let actions = actions::read(raw, bounds, findings);
    Some(Autoscaling { bounds: bounds?, suspended: suspended(raw), policies, sources, actions })
}

fn bounds(raw: &Value, findings: &mut Findings) -> Option<Bounds> {
    let path = "autoscaling.scalableTarget";
    let target = raw.get("scalableTarget").unwrap_or(&Value::Null);
    let mut capacity = |member: &str, example: &str| {
        let read = tasks(target, member, path, findings);
        if fields::is_absent(target, member) {
            let about = format!("is required, as in `{member}: {example}`");
            findings.refuse(format!("{path}.{member}"), about);
        }
        read
    };
    let (min, max) = (capacity("minCapacity", "1"), capacity("maxCapacity", "10"));
    let bounds = Bounds { min_capacity: min?, max_capacity: max? };
    if bounds.are_in_order() {
        return Some(bounds);
    }
    findings.refuse_value(
        format!("{path}.minCapacity"),
        bounds.min_capacity,
        format!(
            "must not be above maxCapacity, {}; lower it or raise maxCapacity",
            bounds.max_capacity
        ),
    );
    None
}

/// A number of tasks.
fn tasks(raw: &Value, member: &str, path: &str, findings: &mut Findings) -> Option<i32> {
    whole(raw, member, path, 0..=MOST_TASKS, findings).and_then(|tasks| i32::try_from(tasks).ok())
}

fn suspended(raw: &Value) -> Suspended {
    let state = raw.pointer("/scalableTarget/suspendedState").unwrap_or(&Value::Null);
    let is = |member| flag(state, member) == Some(true);
    Suspended {
        dynamic_scaling_in: is("dynamicScalingInSuspended"),
        dynamic_scaling_out: is("dynamicScalingOutSuspended"),
        scheduled_scaling: is("scheduledScalingSuspended"),
    }
}

#[cfg(test)]
mod tests;
