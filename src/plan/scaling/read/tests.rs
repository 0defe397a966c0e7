//! Is every rule about scaling found, each with one message?

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;
use crate::ecs::scaling::alarm::{Comparison, MissingData};
use crate::ecs::scaling::evaluate::Rule;
use crate::ecs::scaling::metric::{From, Metric};
use crate::plan::finding::Level;

fn found(spec: &Value) -> (Option<Autoscaling>, Vec<String>) {
    let mut findings = Findings::default();
    let read = read(spec, &mut findings);
    let lines = findings.0.iter().map(|finding| {
        let level = match finding.level {
            Level::Refused => "",
            Level::Differs => "differs: ",
            Level::Recorded => "recorded: ",
        };
        format!("{level}{finding}")
    });
    (read, lines.collect())
}

fn target() -> Value {
    json!({"minCapacity": 2, "maxCapacity": 10})
}

/// A service with this one policy.
fn with_policy(policy: &Value) -> Value {
    json!({"autoscaling": {"scalableTarget": target(), "scalingPolicies": [policy]}})
}

fn cpu(target: impl Into<Value>) -> Value {
    json!({
        "policyName": "cpu", "policyType": "TargetTrackingScaling",
        "targetTrackingScalingPolicyConfiguration": {
            "targetValue": target.into(),
            "predefinedMetricSpecification":
                {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    })
}

/// A policy of target tracking with these members in place of the usual ones.
fn tracking(members: &Value) -> Value {
    let mut policy = cpu(50);
    let inside = &mut policy["targetTrackingScalingPolicyConfiguration"];
    for (name, value) in members.as_object().unwrap() {
        inside[name] = value.clone();
    }
    policy
}

fn stepped(members: &Value) -> Value {
    let mut inside = json!({
        "adjustmentType": "ChangeInCapacity",
        "stepAdjustments": [{"metricIntervalLowerBound": 0, "scalingAdjustment": 1}],
    });
    for (name, value) in members.as_object().unwrap() {
        inside[name] = value.clone();
    }
    json!({"policyName": "up", "policyType": "StepScaling", "stepScalingPolicyConfiguration": inside})
}

fn alarm(members: &Value) -> Value {
    let mut alarm = json!({
        "alarmName": "deep", "namespace": "AWS/SQS",
        "metricName": "ApproximateNumberOfMessagesVisible",
        "dimensions": [{"name": "QueueName", "value": "jobs"}],
        "threshold": 100, "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 2,
        "alarmActions": [
            "arn:aws:autoscaling:eu-west-1:1:scalingPolicy:6d8972f3:resource/ecs/service/default/web:policyName/up"
        ],
    });
    for (name, value) in members.as_object().unwrap() {
        alarm[name] = value.clone();
    }
    alarm
}

fn with_alarm(alarm: &Value) -> Value {
    let mut spec = with_policy(&stepped(&json!({})));
    spec["kubernetes"] = json!({"scaling": {"alarms": [alarm]}});
    spec
}

fn with_action(action: &Value) -> Value {
    json!({"autoscaling": {"scalableTarget": target(), "scheduledActions": [action]}})
}

fn morning(members: &Value) -> Value {
    let mut action = json!({
        "scheduledActionName": "morning", "schedule": "cron(0 8 * * ? *)",
        "timezone": "Europe/Berlin", "scalableTargetAction": {"minCapacity": 5},
    });
    for (name, value) in members.as_object().unwrap() {
        action[name] = value.clone();
    }
    action
}

#[test]
fn a_service_without_autoscaling_is_not_scaled() {
    for spec in [json!({}), json!({"autoscaling": null}), json!({"autoscaling": {}})] {
        assert_eq!(found(&spec), (None, vec![]));
    }
}

#[test]
fn everything_that_can_be_said_is_read() {
    let mut spec = with_alarm(&alarm(&json!({
        "period": "120", "datapointsToAlarm": 1, "treatMissingData": "notBreaching",
        "statistic": "Maximum",
    })));
    let block = &mut spec["autoscaling"];
    block["scalableTarget"]["suspendedState"] = json!({"dynamicScalingInSuspended": true});
    let policies = block["scalingPolicies"].as_array_mut().unwrap();
    policies.push(tracking(&json!({"targetValue": "62.5", "scaleInCooldown": 60})));
    policies.push(json!({
        "policyName": "requests",
        "targetTrackingScalingPolicyConfiguration": {
            "targetValue": 900, "disableScaleIn": true,
            "predefinedMetricSpecification": {
                "predefinedMetricType": "ALBRequestCountPerTarget",
                "resourceLabel": "app/lb/1/targetgroup/web/2",
            },
        },
    }));
    block["scheduledActions"] =
        json!([morning(&json!({"startTime": 1_767_225_600, "endTime": "2027-01-01T00:00:00"})),]);
    spec["kubernetes"]["scaling"]["metrics"] = json!({"requests": {"prometheus": "sum(rate(http_requests_total[1m]))*60", "perTask": true}});
    let (read, findings) = found(&spec);
    let read = read.unwrap();
    assert_eq!(findings, Vec::<String>::new());
    assert_eq!(read.bounds, Bounds { min_capacity: 2, max_capacity: 10 });
    assert!(read.suspended.dynamic_scaling_in && !read.suspended.dynamic_scaling_out);
    let [up, cpu, requests] = read.policies.as_slice() else { panic!("{read:?}") };
    let Rule::Step(step, metric, alarm) = &up.rule else { panic!("{up:?}") };
    assert_eq!((step.cooldown, step.steps.len()), (300, 1));
    assert_eq!(metric.called(), "AWS/SQS ApproximateNumberOfMessagesVisible");
    assert_eq!((alarm.name.as_str(), alarm.period, alarm.evaluation_periods), ("deep", 120, 2));
    assert_eq!((alarm.datapoints_to_alarm, alarm.missing), (1, MissingData::NotBreaching));
    assert_eq!(alarm.comparison, Comparison::GreaterThan);
    let Rule::TargetTracking(tracking) = &cpu.rule else { panic!("{cpu:?}") };
    assert_eq!(tracking.metric, Metric::Cpu);
    assert!((tracking.target - 62.5).abs() < 1e-9 && !tracking.disable_scale_in);
    assert_eq!((tracking.scale_out_cooldown, tracking.scale_in_cooldown), (300, 60));
    let Rule::TargetTracking(tracking) = &requests.rule else { panic!("{requests:?}") };
    assert!(tracking.disable_scale_in);
    assert!(matches!(&read.sources["requests"].from, From::Prometheus { .. }));
    assert!(read.sources["requests"].per_task);
    assert_eq!(read.sources["cpu"].from, From::Resource { resource: "cpu" });
    assert!(matches!(&read.sources["up"].from, From::External { name, .. }
        if name == "aws_sqs_approximate_number_of_messages_visible"));
    let [action] = read.actions.as_slice() else { panic!("{read:?}") };
    assert_eq!(action.identity, "cron(0 8 * * ? *) Europe/Berlin");
    assert_eq!((action.min_capacity, action.max_capacity), (Some(5), None));
    assert_eq!(action.start.unwrap().to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(action.end.unwrap().to_string(), "2027-01-01T00:00:00Z");
}

#[test]
fn an_alarm_on_ecs_own_metrics_needs_no_source() {
    let alarm = alarm(&json!({"namespace": "AWS/ECS", "metricName": "CPUUtilization"}));
    let read = found(&with_alarm(&alarm)).0.unwrap();
    assert_eq!(read.sources["up"].from, From::Resource { resource: "cpu" });
    let Rule::Step(_, _, alarm) = &read.policies[0].rule else { panic!("{read:?}") };
    assert_eq!((alarm.period, alarm.evaluation_periods, alarm.datapoints_to_alarm), (60, 2, 2));
}

#[test]
fn each_rule_has_one_message() {
    let policy = |policy: Value| with_policy(&policy);
    let tracks = |members: Value| with_policy(&tracking(&members));
    let steps = |members: Value| {
        let mut spec = with_alarm(&alarm(&json!({})));
        spec["autoscaling"]["scalingPolicies"] = json!([stepped(&members)]);
        spec
    };
    let alarmed = |members: Value| with_alarm(&alarm(&members));
    let acts = |members: Value| with_action(&morning(&members));
    let tt = "autoscaling.scalingPolicies[0].targetTrackingScalingPolicyConfiguration";
    let step = "autoscaling.scalingPolicies[0].stepScalingPolicyConfiguration";
    let action = "autoscaling.scheduledActions[0]";
    for (spec, expected) in [
        (
            json!({"schedulingStrategy": "DAEMON", "autoscaling": {"scalableTarget": target()}}),
            "autoscaling: a DAEMON service has one task on each node and no count".to_owned(),
        ),
        (
            json!({"autoscaling": {"scalableTarget": {"minCapacity": 8, "maxCapacity": 4}}}),
            "autoscaling.scalableTarget.minCapacity is 8: must not be above maxCapacity, 4;".into(),
        ),
        (
            json!({"autoscaling": {"scalableTarget": {"minCapacity": 8}}}),
            "autoscaling.scalableTarget.maxCapacity: is required".into(),
        ),
        (
            json!({"autoscaling": {"scalableTarget": {"minCapacity": -1, "maxCapacity": 4}}}),
            "autoscaling.scalableTarget.minCapacity is -1: must be 0 to 2147483647".into(),
        ),
        (policy(json!({"policyName": "x"})), "autoscaling.scalingPolicies[0]: needs exactly one of".into()),
        (
            policy(json!({"policyName": "x", "policyType": "Stepscaling"})),
            "policyType is `Stepscaling`: is not known; did you mean `StepScaling`?".into(),
        ),
        (
            policy(json!({"policyName": "x", "policyType": "Simple"})),
            "policyType is `Simple`: must be TargetTrackingScaling, StepScaling or PredictiveScaling".into(),
        ),
        (
            policy(json!({"policyName": "x", "policyType": "StepScaling"})),
            "is required by the policy's type: stepScalingPolicyConfiguration".into(),
        ),
        (
            policy({
                let mut policy = cpu(50);
                policy["policyType"] = "StepScaling".into();
                policy
            }),
            "a policy of this type has stepScalingPolicyConfiguration and no other".into(),
        ),
        (
            policy({
                let mut policy = cpu(50);
                policy["policyName"] = "x".repeat(257).into();
                policy
            }),
            "policyName: must be 1 to 256 characters".into(),
        ),
        (
            policy({
                let mut policy = cpu(50);
                policy["policyName"] = Value::Null;
                policy
            }),
            "policyName: is required".into(),
        ),
        (tracks(json!({"targetValue": 0})), format!("{tt}.targetValue is 0: must be greater than 0")),
        (tracks(json!({"targetValue": null})), format!("{tt}.targetValue: is required")),
        (tracks(json!({"scaleInCooldown": -1})), format!("{tt}.scaleInCooldown is -1: must be 0 to")),
        (
            tracks(json!({"customizedMetricSpecification": {"metricName": "m"}})),
            format!("{tt}: needs exactly one of predefinedMetricSpecification and customized"),
        ),
        (
            tracks(json!({"predefinedMetricSpecification": {"predefinedMetricType": "RDSReaderAverageCPUUtilization"}})),
            "must be ECSServiceAverageCPUUtilization, ECSServiceAverageMemoryUtilization or ALB".into(),
        ),
        (
            tracks(json!({"predefinedMetricSpecification": {"predefinedMetricType": "ALBRequestCountPerTarget"}})),
            "resourceLabel: must name the load balancer and the target group".into(),
        ),
        (
            tracks(json!({"predefinedMetricSpecification": {
                "predefinedMetricType": "ALBRequestCountPerTarget", "resourceLabel": "app/lb/1"}})),
            "resourceLabel is `app/lb/1`: must name the load balancer".into(),
        ),
        (
            tracks(json!({"predefinedMetricSpecification": {
                "predefinedMetricType": "ECSServiceAverageCPUUtilization", "resourceLabel": "x"}})),
            "resourceLabel is `x`: is for ALBRequestCountPerTarget only; remove it".into(),
        ),
        (
            tracks(json!({
                "predefinedMetricSpecification": null,
                "customizedMetricSpecification": {"metricName": "m", "namespace": "n"}})),
            "customizedMetricSpecification.statistic: is required".into(),
        ),
        (
            tracks(json!({
                "predefinedMetricSpecification": null,
                "customizedMetricSpecification": {"metrics": [{"id": "m1"}]}})),
            "kubernetes.scaling.metrics.cpu: metric math is not worked out here".into(),
        ),
        (
            json!({"autoscaling": {"scalableTarget": target(), "scalingPolicies": [cpu(50), cpu(60)]}}),
            "autoscaling.scalingPolicies[1].policyName is `cpu`: is taken".into(),
        ),
        (
            {
                let mut other = cpu(60);
                other["policyName"] = "also".into();
                json!({"autoscaling": {"scalableTarget": target(), "scalingPolicies": [cpu(50), other]}})
            },
            "autoscaling.scalingPolicies[1]: policy `cpu` tracks the same metric".into(),
        ),
        (steps(json!({"adjustmentType": null})), format!("{step}.adjustmentType: is required")),
        (
            steps(json!({"minAdjustmentMagnitude": 2})),
            format!("{step}.minAdjustmentMagnitude: is for PercentChangeInCapacity only"),
        ),
        (
            steps(json!({"metricAggregationType": "Sum"})),
            format!("{step}.metricAggregationType is `Sum`: must be Average, Minimum or Maximum"),
        ),
        (steps(json!({"stepAdjustments": []})), format!("{step}.stepAdjustments: must hold 1 to 20")),
        (
            steps(json!({"stepAdjustments": [{"metricIntervalLowerBound": 0}]})),
            format!("{step}.stepAdjustments[0].scalingAdjustment: is required"),
        ),
        (
            steps(json!({"stepAdjustments": [
                {"metricIntervalLowerBound": 0, "metricIntervalUpperBound": 10, "scalingAdjustment": 1},
                {"metricIntervalLowerBound": 11, "scalingAdjustment": 2}]})),
            format!("{step}.stepAdjustments[1].metricIntervalLowerBound: leaves a gap from 10"),
        ),
        (alarmed(json!({"period": 61})), "kubernetes.scaling.alarms[0].period is 61: must be 10, 20".into()),
        (alarmed(json!({"threshold": null})), "alarms[0].threshold: is required".into()),
        (alarmed(json!({"metricName": null})), "alarms[0].metricName: is required".into()),
        (
            alarmed(json!({"datapointsToAlarm": 3})),
            "alarms[0].datapointsToAlarm is 3: must be 1 to 2".into(),
        ),
        (
            alarmed(json!({"treatMissingData": "notbreaching"})),
            "treatMissingData is `notbreaching`: is not known; did you mean `notBreaching`?".into(),
        ),
        (
            {
                let mut spec = alarmed(json!({}));
                let again = alarm(&json!({"alarmName": "again", "alarmActions": ["up"]}));
                spec["kubernetes"]["scaling"]["alarms"].as_array_mut().unwrap().push(again);
                spec
            },
            "alarms[1].alarmActions: `up` is triggered by another alarm already".into(),
        ),
        (acts(json!({"scheduledActionName": "a:b"})), format!("{action}.scheduledActionName is `a:b`: must be")),
        (acts(json!({"scheduledActionName": " a"})), format!("{action}.scheduledActionName is ` a`: must be")),
        (acts(json!({"schedule": null})), format!("{action}.schedule: is required")),
        (
            acts(json!({"schedule": "rate(1 minutes)"})),
            format!("{action}.schedule is `rate(1 minutes)`: at character 8: expected `minute` after 1"),
        ),
        (
            acts(json!({"timezone": "Europe/Berlim"})),
            format!("{action}.timezone is `Europe/Berlim`: must be the name of an IANA time zone"),
        ),
        (acts(json!({"startTime": "soon"})), format!("{action}.startTime is \"soon\": must be a time in UTC")),
        (
            acts(json!({"startTime": "2026-01-02T00:00:00Z", "endTime": "2026-01-01T00:00:00Z"})),
            format!("{action}.endTime is 2026-01-01T00:00:00Z: must be after startTime"),
        ),
        (
            acts(json!({"scalableTargetAction": {}})),
            format!("{action}.scalableTargetAction: needs minCapacity, maxCapacity or both"),
        ),
        (
            acts(json!({"scalableTargetAction": {"minCapacity": 6, "maxCapacity": 5}})),
            format!("{action}.scalableTargetAction.minCapacity is 6: must not be above maxCapacity, 5"),
        ),
        (
            json!({"autoscaling": {"scalableTarget": target(), "scheduledActions": [
                morning(&json!({})), morning(&json!({}))]}}),
            "autoscaling.scheduledActions[1].scheduledActionName is `morning`: is taken".into(),
        ),
        (
            policy(json!({"policyName": "f", "predictiveScalingPolicyConfiguration": {"mode": "ForecastAndScale"}})),
            "predictiveScalingPolicyConfiguration.mode is ForecastAndScale: no forecasts".into(),
        ),
    ] {
        let (_, findings) = found(&spec);
        assert_eq!(findings.len(), 1, "{spec}: {findings:#?}");
        assert!(findings[0].contains(&expected), "{expected}\n{}", findings[0]);
        assert!(!findings[0].starts_with("differs"), "{}", findings[0]);
    }
}

#[test]
fn what_works_with_a_difference_is_noted() {
    let acts = |members: Value| with_action(&morning(&members));
    for (spec, expected) in [
        (
            with_policy(&stepped(&json!({}))),
            "differs: autoscaling.scalingPolicies[0]: nothing triggers this policy",
        ),
        (
            acts(json!({"schedule": "cron(0 8 ? * 2 *)"})),
            "differs: autoscaling.scheduledActions[0].schedule: numbers of weekdays count from 1 = SUN",
        ),
        (
            acts(json!({"scalableTargetAction": {"maxCapacity": 1}})),
            "differs: autoscaling.scheduledActions[0].scalableTargetAction: maxCapacity 1 is below",
        ),
        (
            acts(json!({"scalableTargetAction": {"minCapacity": 11}})),
            "differs: autoscaling.scheduledActions[0].scalableTargetAction: minCapacity 11 is above",
        ),
        (
            with_policy(
                &json!({"policyName": "f", "predictiveScalingPolicyConfiguration": {"mode": "ForecastOnly"}}),
            ),
            "recorded: autoscaling.scalingPolicies[0].predictiveScalingPolicyConfiguration: a forecast",
        ),
        (
            json!({"autoscaling": {"scalableTarget": target()},
                "kubernetes": {"scaling": {"metrics": {"cpv": {"prometheus": "x"}}}}}),
            "differs: kubernetes.scaling.metrics.cpv: no scaling policy that can act has this name",
        ),
    ] {
        let (read, findings) = found(&spec);
        assert!(read.is_some());
        assert_eq!(findings.len(), 1, "{spec}: {findings:#?}");
        assert!(findings[0].starts_with(expected), "{expected}\n{}", findings[0]);
    }
}

#[test]
fn all_that_is_wrong_is_found_at_once() {
    let spec = json!({"autoscaling": {
        "scalableTarget": {"minCapacity": 9, "maxCapacity": 3},
        "scalingPolicies": [tracking(&json!({"targetValue": -4, "scaleOutCooldown": -5})), {"policyName": "x"}],
        "scheduledActions": [morning(&json!({"schedule": "cron(61 8 * * ? *)", "timezone": "Mars"}))],
    }});
    let (read, findings) = found(&spec);
    assert_eq!(read, None);
    assert_eq!(findings.len(), 6, "{findings:#?}");
}

#[test]
fn any_shape_is_read_without_panic() {
    let odd = [
        json!(null),
        json!(1),
        json!("x"),
        json!([]),
        json!([1, {}]),
        json!({}),
        json!({"name": []}),
    ];
    for member in ["scalableTarget", "scalingPolicies", "scheduledActions"] {
        for value in &odd {
            let _ = found(&json!({"autoscaling": {member: value}, "kubernetes": value}));
        }
    }
    for value in &odd {
        let _ = found(&with_policy(value));
        let _ = found(&with_action(value));
        let _ = found(&with_alarm(value));
        for member in
            ["predefinedMetricSpecification", "customizedMetricSpecification", "targetValue"]
        {
            let _ = found(&with_policy(&tracking(&json!({member: value}))));
        }
        let _ = found(&with_policy(&stepped(&json!({"stepAdjustments": value}))));
    }
}

#[test]
fn what_is_said_of_alarms_that_stand_elsewhere_is_one_sentence_without_gaps() {
    let by_name = with_alarm(&json!({"alarmName": "nowhere"}));
    let without = with_policy(&stepped(&json!({})));
    let rows = ["one", "two"].map(|name| alarm(&json!({"alarmName": name})));
    let said = |spec: &Value, rows: &[Value]| {
        let mut findings = Findings::default();
        read_among(spec, rows, &mut findings);
        let lines: Vec<String> = findings.0.iter().map(ToString::to_string).collect();
        lines.join("; ")
    };
    let (nowhere, twice) = (said(&by_name, &[]), said(&without, &rows));
    assert!(
        nowhere.contains("alarm here (metricName, threshold")
            && nowhere.contains("give the Cluster a row with them in `kubernetes.alarms`"),
        "{nowhere}"
    );
    assert!(twice.contains("both trigger policy `up`; the first does"), "{twice}");
}
