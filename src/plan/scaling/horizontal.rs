//! Can a HorizontalPodAutoscaler do what the policies say, and what must it say then?
//!
//! Target tracking of CPU and memory becomes an `autoscaling/v2` object on the Service's own scale
//! subresource. What it cannot say is evaluated by the operator instead, all policies together, with
//! reasons.
//!
//! # How the timing is said
//! * Three of three minutes above the target: `scaleUp.stabilizationWindowSeconds: 180`. The least
//!   recommendation of the window counts, so one minute below holds back the addition.
//! * Fifteen of fifteen minutes well below: `scaleDown` with 900. The greatest recommendation counts.
//! * Well below is a tenth: `scaleDown.tolerance: 0.1`; above is any bit: `scaleUp.tolerance: 0`.
//! * A cooldown: `policies` with that period. There a count can grow tenfold, or fall freely: an
//!   autoscaler knows no pause between two changes, and its windows stand in for it.
//!
//! What still differs from Application Auto Scaling: a count outside the bounds is moved at once, and
//! a policy's own cooldown is not told from another's.

use k8s_openapi::api::autoscaling::v2 as autoscalingv2;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::read::Autoscaling;
use crate::ecs::scaling::evaluate::Rule;
use crate::ecs::scaling::metric::Metric;
use crate::ecs::scaling::state::Bounds;
use crate::ecs::scaling::target_tracking::{TargetTracking, Timing};
use crate::plan::finding::Findings;

/// The first Kubernetes 1.x that has a tolerance for each direction without a feature gate.
const TOLERANCE_SINCE: u32 = 35;
/// The longest period of an autoscaler's policy, in seconds.
const LONGEST_PERIOD: i64 = 1800;
/// The longest window of an autoscaler, in seconds.
const LONGEST_WINDOW: i64 = 3600;

/// Who evaluates the policies.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluator {
    /// Nobody: there are no policies that can act.
    Nobody,
    /// Kubernetes' autoscaler, told so.
    Horizontal(Box<autoscalingv2::HorizontalPodAutoscalerSpec>),
    /// The operator, for these reasons.
    Native(Vec<String>),
}

/// What the choice depends on beside the service's own block.
#[derive(Clone, Debug, PartialEq)]
pub struct Around<'a> {
    /// The Service object's name.
    pub service: &'a str,
    /// The bounds that hold now.
    pub bounds: Bounds,
    /// Whether a deployment is under way: no tasks are removed then.
    pub deploying: bool,
    /// The cluster's version: 33 for Kubernetes 1.33.
    pub kubernetes_minor: u32,
    /// When a deviation has lasted long enough.
    pub timing: Timing,
}

/// Chooses who evaluates the policies, and says what differs with an autoscaler.
pub fn evaluator(
    autoscaling: &Autoscaling,
    around: &Around<'_>,
    findings: &mut Findings,
) -> Evaluator {
    if autoscaling.policies.is_empty() {
        return Evaluator::Nobody;
    }
    let reasons = reasons(autoscaling, around.bounds);
    if !reasons.is_empty() {
        return Evaluator::Native(reasons);
    }
    let tracked: Vec<(&str, &TargetTracking)> = autoscaling
        .policies
        .iter()
        .filter_map(|policy| match &policy.rule {
            Rule::TargetTracking(tracking) => Some((policy.name.as_str(), tracking)),
            Rule::Step(..) => None,
        })
        .collect();
    say_what_differs(&tracked, around, findings);
    Evaluator::Horizontal(Box::new(spec(autoscaling, &tracked, around)))
}

/// What an autoscaler will make of a count, whatever it measures: the nearest within these bounds. None
/// where the count stays: it is within them, or 0, at which an autoscaler rests, or no autoscaler has the
/// policies, and then a count outside the bounds stays until there is a change.
pub fn brings_to(autoscaling: &Autoscaling, bounds: Bounds, count: i32) -> Option<i32> {
    let has_one = !autoscaling.policies.is_empty() && reasons(autoscaling, bounds).is_empty();
    (has_one && count > 0).then(|| bounds.clamp(count)).filter(|nearest| *nearest != count)
}

/// Why an autoscaler cannot say it; empty if it can.
fn reasons(autoscaling: &Autoscaling, bounds: Bounds) -> Vec<String> {
    let mut reasons = Vec::new();
    if bounds.min_capacity == 0 {
        reasons.push("minCapacity is 0, and a HorizontalPodAutoscaler keeps at least 1".to_owned());
    }
    let mut disabled = 0;
    for policy in &autoscaling.policies {
        let name = &policy.name;
        match &policy.rule {
            Rule::Step(..) => reasons.push(format!("policy `{name}` takes steps")),
            Rule::TargetTracking(tracking) => {
                disabled += usize::from(tracking.disable_scale_in);
                if resource(&tracking.metric).is_none() {
                    let metric = tracking.metric.called();
                    reasons.push(format!("policy `{name}` tracks {metric}, not CPU or memory"));
                } else if rounded(tracking.target) < 1 {
                    let target = tracking.target;
                    reasons.push(format!("policy `{name}` has a target below 1 percent: {target}"));
                }
            }
        }
    }
    if reasons.is_empty() && disabled > 0 && disabled < autoscaling.policies.len() {
        reasons.push(
            "disableScaleIn is set for some policies and not for all; a HorizontalPodAutoscaler \
             knows one setting for all"
                .to_owned(),
        );
    }
    reasons
}

fn resource(metric: &Metric) -> Option<&'static str> {
    match metric {
        Metric::Cpu => Some("cpu"),
        Metric::Memory => Some("memory"),
        Metric::RequestCountPerTarget { .. } | Metric::Named { .. } | Metric::Math => None,
    }
}

/// A target in whole percent.
fn rounded(target: f64) -> i32 {
    // A float that is out of range becomes the nearest integer.
    #[allow(clippy::cast_possible_truncation, reason = "it saturates, as is meant")]
    let whole = target.round() as i32;
    whole
}

fn say_what_differs(
    tracked: &[(&str, &TargetTracking)],
    around: &Around<'_>,
    findings: &mut Findings,
) {
    let path = "autoscaling.scalingPolicies";
    for (name, tracking) in tracked {
        if (tracking.target - f64::from(rounded(tracking.target))).abs() > 1e-9 {
            findings.differs(
                path,
                format!(
                    "policy `{name}`: the target {} is kept as {} percent, since a \
                     HorizontalPodAutoscaler takes whole percent",
                    tracking.target,
                    rounded(tracking.target)
                ),
            );
        }
    }
    for (member, cooldowns) in [
        ("scaleOutCooldown", seconds(tracked, |tracking| tracking.scale_out_cooldown)),
        ("scaleInCooldown", seconds(tracked, |tracking| tracking.scale_in_cooldown)),
    ] {
        let most = cooldowns.iter().copied().max().unwrap_or(0);
        if cooldowns.iter().any(|cooldown| *cooldown != most) {
            findings.differs(
                path,
                format!("{member} differs between policies; the longest, {most} s, is for all"),
            );
        }
        if most > LONGEST_PERIOD {
            findings.differs(
                path,
                format!("{member} {most} s is kept as {LONGEST_PERIOD} s, the longest that a HorizontalPodAutoscaler knows"),
            );
        }
    }
    if around.kubernetes_minor < TOLERANCE_SINCE {
        findings.differs(
            path,
            format!(
                "on Kubernetes 1.{} tasks are added only from 10 percent above the target on; from \
                 1.{TOLERANCE_SINCE} on any excess counts, as in ECS",
                around.kubernetes_minor
            ),
        );
    }
}

fn seconds(tracked: &[(&str, &TargetTracking)], of: impl Fn(&TargetTracking) -> i64) -> Vec<i64> {
    tracked.iter().map(|(_, tracking)| of(tracking)).collect()
}

fn spec(
    autoscaling: &Autoscaling,
    tracked: &[(&str, &TargetTracking)],
    around: &Around<'_>,
) -> autoscalingv2::HorizontalPodAutoscalerSpec {
    let (suspended, timing) = (autoscaling.suspended, &around.timing);
    let holds_in = suspended.dynamic_scaling_in
        || around.deploying
        || tracked.iter().all(|(_, tracking)| tracking.disable_scale_in);
    let up = Direction {
        window: timing.period.saturating_mul(i64::try_from(timing.out_periods).unwrap_or(i64::MAX)),
        // Up to tenfold: an autoscaler has no word for "any number".
        percent: 900,
        cooldown: seconds(tracked, |tracking| tracking.scale_out_cooldown),
        tolerance: 0.0,
        is_held: suspended.dynamic_scaling_out,
    };
    let down = Direction {
        window: timing.period.saturating_mul(i64::try_from(timing.in_periods).unwrap_or(i64::MAX)),
        percent: 100,
        cooldown: seconds(tracked, |tracking| tracking.scale_in_cooldown),
        tolerance: 1.0 - timing.in_ratio,
        is_held: holds_in,
    };
    let metrics = tracked.iter().filter_map(|(_, tracking)| {
        Some(autoscalingv2::MetricSpec {
            type_: "Resource".to_owned(),
            resource: Some(autoscalingv2::ResourceMetricSource {
                name: resource(&tracking.metric)?.to_owned(),
                target: autoscalingv2::MetricTarget {
                    type_: "Utilization".to_owned(),
                    average_utilization: Some(rounded(tracking.target)),
                    ..autoscalingv2::MetricTarget::default()
                },
            }),
            ..autoscalingv2::MetricSpec::default()
        })
    });
    autoscalingv2::HorizontalPodAutoscalerSpec {
        scale_target_ref: autoscalingv2::CrossVersionObjectReference {
            api_version: Some("ecs.linkspan.dev/v1alpha1".to_owned()),
            kind: "Service".to_owned(),
            name: around.service.to_owned(),
        },
        min_replicas: Some(around.bounds.min_capacity),
        max_replicas: around.bounds.max_capacity,
        metrics: Some(metrics.collect()),
        behavior: Some(autoscalingv2::HorizontalPodAutoscalerBehavior {
            scale_up: Some(up.rules(around)),
            scale_down: Some(down.rules(around)),
        }),
    }
}

/// What an autoscaler is told of one direction.
struct Direction {
    window: i64,
    percent: i32,
    cooldown: Vec<i64>,
    tolerance: f64,
    is_held: bool,
}

impl Direction {
    fn rules(&self, around: &Around<'_>) -> autoscalingv2::HPAScalingRules {
        let period = self.cooldown.iter().copied().max().unwrap_or(0).clamp(1, LONGEST_PERIOD);
        let narrow = |seconds: i64| i32::try_from(seconds).unwrap_or(i32::MAX);
        let has_tolerance = around.kubernetes_minor >= TOLERANCE_SINCE;
        // Thousandths, as the API server writes such a quantity back: 100m for a tenth.
        let thousandths = (self.tolerance * 1000.0).round();
        let tolerance = if thousandths == 0.0 { "0".to_owned() } else { format!("{thousandths}m") };
        autoscalingv2::HPAScalingRules {
            policies: Some(vec![autoscalingv2::HPAScalingPolicy {
                type_: "Percent".to_owned(),
                value: self.percent,
                period_seconds: narrow(period),
            }]),
            select_policy: Some(if self.is_held { "Disabled" } else { "Max" }.to_owned()),
            stabilization_window_seconds: Some(narrow(self.window.clamp(0, LONGEST_WINDOW))),
            tolerance: has_tolerance.then_some(Quantity(tolerance)),
        }
    }
}

#[cfg(test)]
mod tests;
