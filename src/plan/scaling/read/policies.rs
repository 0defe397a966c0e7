//! Which scaling policies does a service have?

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::alarms::Alarmed;
use super::fields::{cooldown, dimensions, is_absent, name, number, word};
use crate::ecs::reference::text;
use crate::ecs::scaling::evaluate::{Policy, Rule};
use crate::ecs::scaling::metric::Metric;
use crate::ecs::scaling::step::{self, AdjustmentType, Aggregation, StepAdjustment, StepScaling};
use crate::ecs::scaling::target_tracking::TargetTracking;
use crate::plan::finding::Findings;
use crate::plan::task_definition::read::{flag, objects, whole};

/// Policies that one service can have.
const MOST_POLICIES: usize = 50;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    TargetTracking,
    Step,
    Predictive,
}

impl Kind {
    const ALL: [(&'static str, Self); 3] = [
        ("TargetTrackingScaling", Self::TargetTracking),
        ("StepScaling", Self::Step),
        ("PredictiveScaling", Self::Predictive),
    ];

    /// The member that holds its configuration.
    fn configuration(self) -> &'static str {
        match self {
            Self::TargetTracking => "targetTrackingScalingPolicyConfiguration",
            Self::Step => "stepScalingPolicyConfiguration",
            Self::Predictive => "predictiveScalingPolicyConfiguration",
        }
    }
}

/// The policies that can act.
pub(super) fn read(
    raw: &Value,
    alarms: &BTreeMap<String, Option<Alarmed>>,
    findings: &mut Findings,
) -> Vec<Policy> {
    let mut taken = BTreeSet::new();
    let mut policies: Vec<Policy> = Vec::new();
    for (at, (path, policy)) in objects(raw, "scalingPolicies", "autoscaling").enumerate() {
        if at == MOST_POLICIES {
            let rule = format!("a service can have {MOST_POLICIES} scaling policies");
            findings.refuse("autoscaling.scalingPolicies", rule);
        }
        let name = name(policy, "policyName", &path, &mut taken, findings);
        let Some(kind) = kind(policy, &path, findings) else { continue };
        let inside = policy.get(kind.configuration()).unwrap_or(&Value::Null);
        let inside_path = format!("{path}.{}", kind.configuration());
        let rule = match kind {
            Kind::TargetTracking => {
                tracking(inside, &inside_path, findings).map(Rule::TargetTracking)
            }
            Kind::Step => stepped(inside, &inside_path, name.as_deref(), alarms, findings),
            Kind::Predictive => {
                predictive(inside, &inside_path, findings);
                None
            }
        };
        let (Some(name), Some(rule)) = (name, rule) else { continue };
        if let Rule::TargetTracking(tracking) = &rule
            && let Some(other) = policies.iter().find(|other| match &other.rule {
                Rule::TargetTracking(other) => {
                    other.metric == tracking.metric && tracking.metric != Metric::Math
                }
                Rule::Step(..) => false,
            })
        {
            let rule = format!(
                "policy `{}` tracks the same metric; only one target can hold, so remove one of the \
                 two",
                other.name
            );
            findings.refuse(path, rule);
            continue;
        }
        policies.push(Policy { name, rule });
    }
    policies
}

/// Which kind of policy it is, with exactly the configuration of that kind.
fn kind(policy: &Value, path: &str, findings: &mut Findings) -> Option<Kind> {
    let given: Vec<Kind> = Kind::ALL
        .into_iter()
        .map(|(_, kind)| kind)
        .filter(|kind| !is_absent(policy, kind.configuration()))
        .collect();
    let said = if is_absent(policy, "policyType") {
        None
    } else {
        Some(word(policy, "policyType", path, &Kind::ALL, findings)?)
    };
    match (said, given.as_slice()) {
        (None, [kind]) => Some(*kind),
        (Some(said), [kind]) if said == *kind => Some(said),
        (Some(said), []) => {
            let rule = format!("is required by the policy's type: {}", said.configuration());
            findings.refuse(path, rule);
            None
        }
        (Some(said), _) => {
            let rule = format!("a policy of this type has {} and no other", said.configuration());
            findings.refuse(path, rule);
            None
        }
        (None, _) => {
            let rule = "needs exactly one of targetTrackingScalingPolicyConfiguration and \
                        stepScalingPolicyConfiguration";
            findings.refuse(path, rule);
            None
        }
    }
}

fn tracking(raw: &Value, path: &str, findings: &mut Findings) -> Option<TargetTracking> {
    let at = format!("{path}.targetValue");
    let target = match number(raw, "targetValue") {
        Some(target) if target > 0.0 => Some(target),
        Some(target) => {
            findings.refuse_value(at, target, "must be greater than 0");
            None
        }
        None => {
            findings.refuse(at, "is required: the value to keep, as in 75 for 75 percent");
            None
        }
    };
    let metric = metric(raw, path, findings);
    let scale_out_cooldown = cooldown(raw, "scaleOutCooldown", path, findings);
    let scale_in_cooldown = cooldown(raw, "scaleInCooldown", path, findings);
    Some(TargetTracking {
        metric: metric?,
        target: target?,
        scale_out_cooldown,
        scale_in_cooldown,
        disable_scale_in: flag(raw, "disableScaleIn") == Some(true),
    })
}

fn metric(raw: &Value, path: &str, findings: &mut Findings) -> Option<Metric> {
    let (predefined, customized) =
        ("predefinedMetricSpecification", "customizedMetricSpecification");
    match (is_absent(raw, predefined), is_absent(raw, customized)) {
        (false, true) => {
            predefined_metric(raw.get(predefined)?, &format!("{path}.{predefined}"), findings)
        }
        (true, false) => {
            customized_metric(raw.get(customized)?, &format!("{path}.{customized}"), findings)
        }
        _ => {
            let rule = format!("needs exactly one of {predefined} and {customized}");
            findings.refuse(path, rule);
            None
        }
    }
}

fn predefined_metric(raw: &Value, path: &str, findings: &mut Findings) -> Option<Metric> {
    let requests = "ALBRequestCountPerTarget";
    let types = [
        ("ECSServiceAverageCPUUtilization", Some(Metric::Cpu)),
        ("ECSServiceAverageMemoryUtilization", Some(Metric::Memory)),
        (requests, None),
    ];
    let words: Vec<(&str, usize)> =
        types.iter().enumerate().map(|(at, (word, _))| (*word, at)).collect();
    if is_absent(raw, "predefinedMetricType") {
        let names = words.iter().map(|(word, _)| *word).collect::<Vec<_>>();
        let rule = format!("is required: {}", super::fields::either(&names));
        findings.refuse(format!("{path}.predefinedMetricType"), rule);
        return None;
    }
    let chosen = word(raw, "predefinedMetricType", path, &words, findings)?;
    let label = text(raw, "resourceLabel");
    let at = format!("{path}.resourceLabel");
    match (types.into_iter().nth(chosen)?.1, label) {
        (Some(metric), None) => Some(metric),
        (Some(_), Some(label)) => {
            let rule = format!("is for {requests} only; remove it");
            findings.refuse_value(at, format!("`{label}`"), rule);
            None
        }
        (None, Some(label)) if is_resource_label(&label) => {
            Some(Metric::RequestCountPerTarget { label })
        }
        (None, label) => {
            let rule = "must name the load balancer and the target group, as in \
                        app/web/50dc6c495c0c9188/targetgroup/web/943f017f100becff";
            match label {
                Some(label) => findings.refuse_value(at, format!("`{label}`"), rule),
                None => findings.refuse(at, rule),
            }
            None
        }
    }
}

/// `app/<load balancer>/<id>/targetgroup/<target group>/<id>`.
fn is_resource_label(label: &str) -> bool {
    let parts: Vec<&str> = label.split('/').collect();
    let [kind, _, _, group, _, _] = parts.as_slice() else { return false };
    *kind == "app" && *group == "targetgroup" && parts.iter().all(|part| !part.is_empty())
}

fn customized_metric(raw: &Value, path: &str, findings: &mut Findings) -> Option<Metric> {
    if !is_absent(raw, "metrics") {
        return Some(Metric::Math);
    }
    let dimensions = dimensions(raw, path, findings);
    let mut required = |member: &str, about: &str| {
        let found = text(raw, member);
        if found.is_none() {
            findings.refuse(format!("{path}.{member}"), format!("is required: {about}"));
        }
        found
    };
    let name = required("metricName", "the metric's name");
    let namespace = required("namespace", "the metric's namespace, as in AWS/SQS");
    required("statistic", "Average, Minimum, Maximum, SampleCount or Sum");
    word(raw, "statistic", path, &super::alarms::STATISTICS, findings);
    Some(super::alarms::named(namespace?, name?, dimensions))
}

fn stepped(
    raw: &Value,
    path: &str,
    name: Option<&str>,
    alarms: &BTreeMap<String, Option<Alarmed>>,
    findings: &mut Findings,
) -> Option<Rule> {
    let refused = findings.refusals().count();
    let types = [
        ("ChangeInCapacity", AdjustmentType::ChangeInCapacity),
        ("PercentChangeInCapacity", AdjustmentType::PercentChangeInCapacity),
        ("ExactCapacity", AdjustmentType::ExactCapacity),
    ];
    if is_absent(raw, "adjustmentType") {
        let rule = "is required: ChangeInCapacity, PercentChangeInCapacity or ExactCapacity";
        findings.refuse(format!("{path}.adjustmentType"), rule);
    }
    let adjustment_type = word(raw, "adjustmentType", path, &types, findings);
    let aggregations = [
        ("Average", Aggregation::Average),
        ("Minimum", Aggregation::Minimum),
        ("Maximum", Aggregation::Maximum),
    ];
    let aggregation = word(raw, "metricAggregationType", path, &aggregations, findings);
    let magnitude = whole(raw, "minAdjustmentMagnitude", path, 1..=super::MOST_TASKS, findings);
    if magnitude.is_some()
        && adjustment_type.is_some_and(|of| of != AdjustmentType::PercentChangeInCapacity)
    {
        let rule = "is for PercentChangeInCapacity only; remove it";
        findings.refuse(format!("{path}.minAdjustmentMagnitude"), rule);
    }
    let cooldown = cooldown(raw, "cooldown", path, findings);
    let steps = steps(raw, path, adjustment_type, findings);
    if findings.refusals().count() > refused {
        return None;
    }
    let policy = StepScaling {
        adjustment_type: adjustment_type?,
        steps,
        min_adjustment_magnitude: magnitude.and_then(|tasks| i32::try_from(tasks).ok()),
        cooldown,
        aggregation: aggregation.unwrap_or_default(),
    };
    let Some(alarmed) = alarms.get(name?) else {
        findings.differs(
            path.rsplit_once('.').map_or(path, |(policy, _)| policy),
            format!(
                "nothing triggers this policy: give the alarm that does, with CloudWatch's members, \
                 under `kubernetes.scaling.alarms`, or in a row of its Cluster's `kubernetes.alarms`, \
                 and `{}` among its alarmActions",
                name?
            ),
        );
        return None;
    };
    let alarmed = alarmed.as_ref()?;
    Some(Rule::Step(policy, alarmed.metric.clone(), alarmed.alarm.clone()))
}

fn steps(
    raw: &Value,
    path: &str,
    of: Option<AdjustmentType>,
    findings: &mut Findings,
) -> Vec<StepAdjustment> {
    let mut steps = Vec::new();
    let mut complete = true;
    for (path, step) in objects(raw, "stepAdjustments", path) {
        let range = i64::from(i32::MIN)..=super::MOST_TASKS;
        let adjustment = whole(step, "scalingAdjustment", &path, range, findings)
            .and_then(|number| i32::try_from(number).ok());
        if is_absent(step, "scalingAdjustment") {
            let rule = "is required: tasks or percent to add, or the new count";
            findings.refuse(format!("{path}.scalingAdjustment"), rule);
        }
        complete &= adjustment.is_some();
        steps.push(StepAdjustment {
            lower: number(step, "metricIntervalLowerBound"),
            upper: number(step, "metricIntervalUpperBound"),
            adjustment: adjustment.unwrap_or(0),
        });
    }
    // Without knowing the type, the sign of an exact count cannot be judged; the ends can.
    for problem in step::problems(of.unwrap_or(AdjustmentType::ChangeInCapacity), &steps) {
        let path = match (problem.step, problem.member) {
            (Some(step), Some(member)) => format!("{path}.stepAdjustments[{step}].{member}"),
            (Some(step), None) => format!("{path}.stepAdjustments[{step}]"),
            (None, _) => format!("{path}.stepAdjustments"),
        };
        findings.refuse(path, problem.message);
    }
    if complete { steps } else { Vec::new() }
}

fn predictive(raw: &Value, path: &str, findings: &mut Findings) {
    let modes = [("ForecastOnly", false), ("ForecastAndScale", true)];
    match word(raw, "mode", path, &modes, findings) {
        Some(true) => findings.refuse_value(
            format!("{path}.mode"),
            "ForecastAndScale",
            "no forecasts are made here; use ForecastOnly, and scheduledActions for a load that \
             comes by the clock",
        ),
        _ => findings.recorded(path, "a forecast without effect on the count is not made"),
    }
}
