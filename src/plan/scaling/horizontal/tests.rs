//! Is an autoscaler told ECS's timing, and left alone where it has no word for it?

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;
use crate::plan::scaling::read::read;

fn policy(name: &str, metric: &str, members: &Value) -> Value {
    let mut inside = json!({
        "targetValue": 75, "predefinedMetricSpecification": {"predefinedMetricType": metric},
    });
    for (name, value) in members.as_object().unwrap() {
        inside.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    json!({"policyName": name, "targetTrackingScalingPolicyConfiguration": inside})
}

fn cpu(members: &Value) -> Value {
    policy("cpu", "ECSServiceAverageCPUUtilization", members)
}

fn memory(members: &Value) -> Value {
    policy("memory", "ECSServiceAverageMemoryUtilization", members)
}

fn understood(policies: &[Value]) -> Autoscaling {
    let step_alarm = json!({
        "alarmName": "deep", "metricName": "m", "namespace": "n", "threshold": 1,
        "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1, "alarmActions": ["up"],
    });
    let spec = json!({
        "autoscaling": {
            "scalableTarget": {"minCapacity": 2, "maxCapacity": 10}, "scalingPolicies": policies,
        },
        "kubernetes": {"scaling": {"alarms": [step_alarm]}},
    });
    let mut findings = Findings::default();
    let read = read(&spec, &mut findings).unwrap();
    assert!(!findings.any_refused(), "{findings:?}");
    read
}

fn around() -> Around<'static> {
    Around {
        service: "web",
        bounds: Bounds { min_capacity: 2, max_capacity: 10 },
        deploying: false,
        kubernetes_minor: 36,
        timing: Timing::default(),
    }
}

fn told(policies: &[Value], around: &Around<'_>) -> (Evaluator, Vec<String>) {
    chosen(&understood(policies), around)
}

fn chosen(autoscaling: &Autoscaling, around: &Around<'_>) -> (Evaluator, Vec<String>) {
    let mut findings = Findings::default();
    let evaluator = evaluator(autoscaling, around, &mut findings);
    (evaluator, findings.0.into_iter().map(|finding| finding.message).collect())
}

fn as_json(evaluator: &Evaluator) -> Value {
    let Evaluator::Horizontal(spec) = evaluator else { panic!("{evaluator:?}") };
    serde_json::to_value(spec).unwrap()
}

#[test]
fn the_default_timing_is_that_of_ecs() {
    let (evaluator, findings) = told(&[cpu(&json!({}))], &around());
    assert_eq!(findings, Vec::<String>::new());
    assert_eq!(
        as_json(&evaluator),
        json!({
            "scaleTargetRef": {
                "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service", "name": "web",
            },
            "minReplicas": 2,
            "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 75},
            }}],
            "behavior": {
                "scaleUp": {
                    "stabilizationWindowSeconds": 180, "selectPolicy": "Max", "tolerance": "0",
                    "policies": [{"type": "Percent", "value": 900, "periodSeconds": 300}],
                },
                "scaleDown": {
                    "stabilizationWindowSeconds": 900, "selectPolicy": "Max", "tolerance": "100m",
                    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 300}],
                },
            },
        })
    );
}

#[test]
fn no_tolerance_is_said_to_a_cluster_that_does_not_know_it() {
    let old = Around { kubernetes_minor: 33, ..around() };
    let (evaluator, findings) = told(&[cpu(&json!({}))], &old);
    let spec = as_json(&evaluator);
    for direction in ["scaleUp", "scaleDown"] {
        let rules = spec.pointer(&format!("/behavior/{direction}")).unwrap();
        assert_eq!(rules.get("tolerance"), None);
        assert!(rules.get("stabilizationWindowSeconds").is_some());
    }
    assert_eq!(
        findings,
        [
            "on Kubernetes 1.33 tasks are added only from 10 percent above the target on; from 1.35 on \
          any excess counts, as in ECS"
        ]
    );
    let first = Around { kubernetes_minor: 35, ..around() };
    assert_eq!(told(&[cpu(&json!({}))], &first).1.len(), 0);
}

#[test]
fn what_holds_a_direction_disables_it() {
    let select = |evaluator: &Evaluator| {
        let spec = as_json(evaluator);
        ["scaleUp", "scaleDown"].map(|direction| {
            let rule = spec.pointer(&format!("/behavior/{direction}/selectPolicy")).unwrap();
            rule.as_str().unwrap().to_owned()
        })
    };
    let out_only = json!({"disableScaleIn": true});
    let (evaluator, _) = told(&[cpu(&out_only), memory(&out_only)], &around());
    assert_eq!(select(&evaluator), ["Max", "Disabled"], "DisableScaleIn");
    let deploying = Around { deploying: true, ..around() };
    let (evaluator, _) = told(&[cpu(&json!({}))], &deploying);
    assert_eq!(select(&evaluator), ["Max", "Disabled"], "a deployment");
    let mut autoscaling = understood(&[cpu(&json!({}))]);
    autoscaling.suspended.dynamic_scaling_in = true;
    assert_eq!(select(&chosen(&autoscaling, &around()).0), ["Max", "Disabled"]);
    autoscaling.suspended.dynamic_scaling_in = false;
    autoscaling.suspended.dynamic_scaling_out = true;
    assert_eq!(select(&chosen(&autoscaling, &around()).0), ["Disabled", "Max"]);
}

#[test]
fn several_policies_are_several_metrics_with_the_longest_cooldown() {
    let policies = [
        cpu(&json!({"scaleOutCooldown": 0, "scaleInCooldown": 7200, "targetValue": 62.5})),
        memory(&json!({"scaleOutCooldown": 0, "scaleInCooldown": 60, "targetValue": 80})),
    ];
    let (evaluator, findings) = told(&policies, &around());
    let spec = as_json(&evaluator);
    let targets: Vec<&Value> = (0..2)
        .map(|at| {
            let path = format!("/metrics/{at}/resource/target/averageUtilization");
            spec.pointer(&path).unwrap()
        })
        .collect();
    assert_eq!(targets, [&json!(63), &json!(80)]);
    let period = |direction: &str| {
        spec.pointer(&format!("/behavior/{direction}/policies/0/periodSeconds")).unwrap().clone()
    };
    assert_eq!((period("scaleUp"), period("scaleDown")), (json!(1), json!(1800)));
    assert_eq!(
        findings,
        [
            "policy `cpu`: the target 62.5 is kept as 63 percent, since a HorizontalPodAutoscaler \
             takes whole percent",
            "scaleInCooldown differs between policies; the longest, 7200 s, is for all",
            "scaleInCooldown 7200 s is kept as 1800 s, the longest that a HorizontalPodAutoscaler \
             knows",
        ]
    );
}

#[test]
fn the_bounds_that_hold_now_are_told() {
    let bounds = Bounds { min_capacity: 5, max_capacity: 7 };
    let spec = as_json(&told(&[cpu(&json!({}))], &Around { bounds, ..around() }).0);
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(5), &json!(7)));
}

#[test]
fn timing_can_be_compressed_for_tests() {
    let timing = Timing { period: 5, ..Timing::default() };
    let spec = as_json(&told(&[cpu(&json!({}))], &Around { timing, ..around() }).0);
    let window = |direction: &str| {
        spec.pointer(&format!("/behavior/{direction}/stabilizationWindowSeconds")).unwrap().clone()
    };
    assert_eq!((window("scaleUp"), window("scaleDown")), (json!(15), json!(75)));
}

#[test]
fn what_an_autoscaler_cannot_say_is_evaluated_by_the_operator() {
    let step = json!({"policyName": "up", "stepScalingPolicyConfiguration": {
        "adjustmentType": "ChangeInCapacity",
        "stepAdjustments": [{"metricIntervalLowerBound": 0, "scalingAdjustment": 1}]}});
    let requests = policy(
        "requests",
        "ALBRequestCountPerTarget",
        &json!({"predefinedMetricSpecification": {
            "predefinedMetricType": "ALBRequestCountPerTarget",
            "resourceLabel": "app/lb/1/targetgroup/web/2"}}),
    );
    let zero = Around { bounds: Bounds { min_capacity: 0, max_capacity: 3 }, ..around() };
    for (policies, around, expected) in [
        (
            vec![cpu(&json!({}))],
            zero,
            vec!["minCapacity is 0, and a HorizontalPodAutoscaler keeps at least 1"],
        ),
        (vec![cpu(&json!({})), step], around(), vec!["policy `up` takes steps"]),
        (
            vec![requests],
            around(),
            vec!["policy `requests` tracks requests per target, not CPU or memory"],
        ),
        (
            vec![cpu(&json!({"disableScaleIn": true})), memory(&json!({}))],
            around(),
            vec![
                "disableScaleIn is set for some policies and not for all; a HorizontalPodAutoscaler \
                 knows one setting for all",
            ],
        ),
        (
            vec![cpu(&json!({"targetValue": 0.4}))],
            around(),
            vec!["policy `cpu` has a target below 1 percent: 0.4"],
        ),
    ] {
        let (evaluator, findings) = told(&policies, &around);
        let reasons = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(evaluator, Evaluator::Native(reasons));
        assert_eq!(findings, Vec::<String>::new(), "the operator leaves nothing out");
    }
    assert_eq!(told(&[], &around()).0, Evaluator::Nobody);
}
