//! Is any block of scaling read and acted on without panic?

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::plan::scaling::paste::{alarms_from_cloudwatch, from_application_auto_scaling};
use crate::plan::scaling::read::read;

/// Values that are right somewhere, and some that are right nowhere.
const WORDS: &[&str] = &[
    "StepScaling",
    "TargetTrackingScaling",
    "ChangeInCapacity",
    "PercentChangeInCapacity",
    "ExactCapacity",
    "ECSServiceAverageCPUUtilization",
    "GreaterThanThreshold",
    "breaching",
    "ignore",
    "Average",
    "up",
    "rate(1 minute)",
    "cron(* * * * ? *)",
    "at(2026-01-05T00:00:30)",
    "Europe/Berlin",
    "2026-01-05T00:00:00Z",
    "",
    "x",
    "5",
    "-1",
];

const MEMBERS: &[&str] = &[
    "minCapacity",
    "maxCapacity",
    "policyName",
    "policyType",
    "stepScalingPolicyConfiguration",
    "targetTrackingScalingPolicyConfiguration",
    "adjustmentType",
    "stepAdjustments",
    "targetValue",
    "metricIntervalLowerBound",
    "metricIntervalUpperBound",
    "scalingAdjustment",
    "cooldown",
    "predefinedMetricSpecification",
    "predefinedMetricType",
    "customizedMetricSpecification",
    "scheduledActionName",
    "schedule",
    "timezone",
    "startTime",
    "endTime",
    "scalableTargetAction",
    "alarmName",
    "alarmActions",
    "threshold",
    "period",
    "evaluationPeriods",
    "metricName",
    "comparisonOperator",
    "dimensions",
    "name",
    "value",
    "external",
    "up",
];

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => select(WORDS).prop_map(Value::from),
        3 => (-3..200_i64).prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..3).prop_map(Value::from),
            3 => btree_map(select(MEMBERS).prop_map(str::to_owned), inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A block that has at least the right outline.
fn block() -> impl Strategy<Value = Value> {
    let list = || vec(anything(), 0..4);
    (0..4_i64, 0..9_i64, list(), list(), list(), anything()).prop_map(
        |(min, max, policies, actions, alarms, metrics)| {
            json!({
                "autoscaling": {
                    "scalableTarget": {"minCapacity": min, "maxCapacity": max},
                    "scalingPolicies": policies, "scheduledActions": actions,
                },
                "kubernetes": {"scaling": {"alarms": alarms, "metrics": metrics}},
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_block_is_read_and_acted_on_without_panic(
        spec in prop_oneof![block(), anything()],
        count in any::<i32>(),
        sample in any::<f64>(),
    ) {
        let mut findings = Findings::default();
        let Some(autoscaling) = read(&spec, &mut findings) else { return Ok(()) };
        prop_assert!(autoscaling.bounds.are_in_order());
        let now = Timestamp::UNIX_EPOCH;
        let names = autoscaling.policies.iter().map(|policy| policy.name.clone());
        let samples = names.map(|name| (name, vec![Datapoint { at: now, value: sample }])).collect();
        let situation = Situation {
            object: "web",
            resource: "service/default/web",
            count,
            deploying: false,
            kubernetes_minor: 33,
            unseen_since: now,
            samples: &samples,
            timing: Timing { out_periods: 1, in_periods: 1, ..Timing::default() },
        };
        let later = Timestamp::from_second(60).unwrap_or(now);
        let outcome = decide(&autoscaling, &situation, &ScalingState::default(), &mut findings, later);
        prop_assert!(outcome.bounds.are_in_order());
        prop_assert!(outcome.wake_at.is_none_or(|wake| wake > later));
        if let Some(count) = outcome.count {
            prop_assert_eq!(outcome.bounds.clamp(count), count);
        }
    }

    #[test]
    fn any_value_is_pasted_without_panic(value in anything()) {
        let _ = from_application_auto_scaling(&value);
        let _ = alarms_from_cloudwatch(&value);
    }
}
