//! What does `linkspan scaling SERVICE` print?
//!
//! The metrics against their targets, what holds a change back, the next scheduled action, and the
//! last activities with their causes; from the spec, from what is remembered in the status, and from
//! the readings of whoever evaluates the policies. It decides nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::read::{Autoscaling, ScheduledAction};
use super::schedule::next;
use crate::ecs::scaling::alarm::AlarmState;
use crate::ecs::scaling::evaluate::{Policy, Rule};
use crate::ecs::scaling::state::{Cooldown, ScalingState};
use crate::ecs::scaling::step::{AdjustmentType, StepAdjustment, StepScaling};
use crate::layout::{age, span, table};

/// What is told about.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaled<'a> {
    /// The ECS cluster's name.
    pub cluster: &'a str,
    /// The ECS service's name.
    pub service: &'a str,
    /// `desiredCount`.
    pub desired: i32,
    /// Tasks that run.
    pub running: i32,
    /// Whether a deployment is under way.
    pub deploying: bool,
    /// The block, understood.
    pub autoscaling: &'a Autoscaling,
    /// What is remembered.
    pub state: &'a ScalingState,
    /// Who evaluates the policies.
    pub by: By<'a>,
    /// By policy: the newest value of its metric, where there is one.
    pub readings: &'a BTreeMap<String, f64>,
    /// What cannot be read, and what is to be done about it.
    pub absent: &'a [String],
}

/// Who evaluates the policies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum By<'a> {
    /// Nobody: there are none.
    Nobody,
    /// The HorizontalPodAutoscaler of this name.
    Horizontal(&'a str),
    /// The operator, for these reasons.
    Native(&'a [String]),
}

/// The whole text.
pub fn describe(scaled: &Scaled<'_>, now: Timestamp) -> String {
    let mut text = head(scaled);
    if !scaled.autoscaling.policies.is_empty() {
        text.push('\n');
        text.push_str(&policies(scaled));
    }
    if !scaled.absent.is_empty() {
        text.push('\n');
        for why in scaled.absent {
            let _ = writeln!(text, "{:<12}{why}", "No data:");
        }
    }
    let cooldowns = cooldowns(scaled, now);
    if !cooldowns.is_empty() {
        text.push('\n');
        text.push_str(&cooldowns);
    }
    if !scaled.autoscaling.actions.is_empty() {
        text.push('\n');
        text.push_str(&actions(scaled, now));
    }
    text.push('\n');
    text.push_str(&activities(scaled.state, now));
    text
}

fn head(scaled: &Scaled<'_>) -> String {
    let spec = scaled.autoscaling.bounds;
    let bounds = scaled.state.bounds.unwrap_or(spec);
    let by_action = if bounds == spec { "" } else { ", as the last scheduled action set them" };
    let mut lines = vec![
        ("Service:", format!("{}/{}", scaled.cluster, scaled.service)),
        ("Tasks:", format!("{} desired, {} running", scaled.desired, scaled.running)),
        ("Bounds:", format!("{} to {}{by_action}", bounds.min_capacity, bounds.max_capacity)),
        (
            "Scaled by:",
            match scaled.by {
                By::Nobody => "no policies".to_owned(),
                By::Horizontal(name) => format!("HorizontalPodAutoscaler {name}"),
                By::Native(reasons) => format!("the operator, since {}", reasons.join("; ")),
            },
        ),
    ];
    let state = scaled.autoscaling.suspended;
    let suspended: Vec<&str> = [
        (state.dynamic_scaling_out, "scale-out by policies"),
        (state.dynamic_scaling_in, "scale-in by policies"),
        (state.scheduled_scaling, "scheduled actions"),
    ]
    .into_iter()
    .filter_map(|(is, what)| is.then_some(what))
    .collect();
    if !suspended.is_empty() {
        lines.push(("Suspended:", suspended.join(", ")));
    }
    if scaled.deploying {
        lines.push(("Held back:", "scale-in, while a deployment is in progress".to_owned()));
    }
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<12}{value}");
        text
    })
}

fn policies(scaled: &Scaled<'_>) -> String {
    let rows: Vec<Vec<String>> =
        scaled.autoscaling.policies.iter().map(|policy| policy_row(policy, scaled)).collect();
    table(&["POLICY", "METRIC", "CURRENT", "TARGET", "STATE"], &rows)
}

fn policy_row(policy: &Policy, scaled: &Scaled<'_>) -> Vec<String> {
    let reading = scaled.readings.get(&policy.name).copied();
    let (metric, target, state) = match &policy.rule {
        Rule::TargetTracking(tracking) => {
            let unit = tracking.metric.unit();
            let state = match reading {
                None => "no data: the count stays",
                Some(value) if value > tracking.target => "above target",
                Some(value) if value < tracking.target * 0.9 && tracking.disable_scale_in => {
                    "below target; never scales in"
                }
                Some(value) if value < tracking.target * 0.9 => "below target",
                Some(_) => "on target",
            };
            (&tracking.metric, format!("{}{unit}", short(tracking.target)), state.to_owned())
        }
        Rule::Step(step, metric, alarm) => {
            let unit = metric.unit();
            let threshold = format!("{} {}{unit}", alarm.comparison, short(alarm.threshold));
            let is = scaled.state.alarms.get(&policy.name).copied().unwrap_or_default();
            let state = match (is, reading) {
                (AlarmState::Ok, _) => "OK".to_owned(),
                (AlarmState::InsufficientData, _) => "INSUFFICIENT_DATA".to_owned(),
                (AlarmState::Alarm, None) => "ALARM".to_owned(),
                (AlarmState::Alarm, Some(value)) => {
                    let below = alarm.comparison.looks_below();
                    let step_taken = step.step_for(value - alarm.threshold, below);
                    step_taken.map_or_else(
                        || "ALARM".to_owned(),
                        |taken| format!("ALARM: {}", said(step, taken)),
                    )
                }
            };
            (metric, threshold, state)
        }
    };
    let current = reading
        .map_or_else(|| "-".to_owned(), |value| format!("{}{}", short(value), metric.unit()));
    vec![policy.name.clone(), metric.called(), current, target, state]
}

/// A step in words.
fn said(policy: &StepScaling, step: &StepAdjustment) -> String {
    match policy.adjustment_type {
        AdjustmentType::ExactCapacity => format!("to {} tasks", step.adjustment),
        AdjustmentType::ChangeInCapacity => format!("{:+} tasks", step.adjustment),
        AdjustmentType::PercentChangeInCapacity => format!("{:+} %", step.adjustment),
    }
}

fn cooldowns(scaled: &Scaled<'_>, now: Timestamp) -> String {
    let line = |what: &str, cooldown: &Option<Cooldown>| {
        let running = cooldown.as_ref().filter(|cooldown| cooldown.runs(now))?;
        let left = span(running.until.0.as_second() - now.as_second());
        Some(format!("{:<12}{what} for {left}, after policy {}\n", "Cooldown:", running.policy))
    };
    let state = scaled.state;
    let out = line("further scale-out", &state.scale_out);
    let inward = line("further scale-in", &state.scale_in);
    out.into_iter().chain(inward).collect()
}

fn actions(scaled: &Scaled<'_>, now: Timestamp) -> String {
    let actions = &scaled.autoscaling.actions;
    let Some((at, name)) = next(actions, scaled.state, now) else {
        return format!("{:<12}none is due any more\n", "Scheduled:");
    };
    let sets = actions.iter().find(|action| action.name == name).map_or_else(String::new, bounds);
    let left = span(at.as_second() - now.as_second());
    format!("{:<12}{name} in {left}, at {at:.0}: {sets}\n", "Scheduled:")
}

fn bounds(action: &ScheduledAction) -> String {
    let min = action.min_capacity.map(|min| format!("minCapacity {min}"));
    let max = action.max_capacity.map(|max| format!("maxCapacity {max}"));
    min.into_iter().chain(max).collect::<Vec<_>>().join(", ")
}

fn activities(state: &ScalingState, now: Timestamp) -> String {
    if state.activities.is_empty() {
        return "No scaling activities yet.\n".to_owned();
    }
    let rows: Vec<Vec<String>> = state
        .activities
        .iter()
        .map(|activity| {
            let cause = if activity.has_failed() {
                format!("{}: {}", activity.cause, activity.status_message)
            } else {
                activity.cause.clone()
            };
            vec![
                age(Some(&activity.start_time), now),
                activity.status_code.clone(),
                activity.description.clone(),
                cause,
            ]
        })
        .collect();
    table(&["AGE", "STATUS", "ACTIVITY", "CAUSE"], &rows)
}

/// A number with at most one digit after the point.
fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests;
