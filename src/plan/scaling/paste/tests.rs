//! Does what the AWS CLI takes and prints become the block that is read?

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;
use crate::ecs::members::Input;
use crate::plan::finding::{Finding, Findings, Level};
use crate::plan::judge::judge;
use crate::plan::scaling::read::read;

fn answers() -> Value {
    json!({
        "ScalableTargets": [{
            "ServiceNamespace": "ecs", "ResourceId": "service/shop/web",
            "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 2, "MaxCapacity": 10,
            "RoleARN": "arn:aws:iam::1:role/x", "CreationTime": 1_700_000_000.5,
            "SuspendedState": {"DynamicScalingInSuspended": false,
                "DynamicScalingOutSuspended": true, "ScheduledScalingSuspended": false},
            "ScalableTargetARN": "arn:aws:application-autoscaling:eu-west-1:1:scalable-target/1",
        }],
        "ScalingPolicies": [{
            "PolicyARN": "arn:aws:autoscaling:…", "PolicyName": "cpu", "ServiceNamespace": "ecs",
            "ResourceId": "service/shop/web", "ScalableDimension": "ecs:service:DesiredCount",
            "PolicyType": "TargetTrackingScaling", "CreationTime": 1_700_000_000,
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": 75.0, "ScaleOutCooldown": 60, "ScaleInCooldown": 120,
                "CustomizedMetricSpecification": {
                    "MetricName": "Depth", "Namespace": "Shop", "Statistic": "Average",
                    "Dimensions": [{"Name": "Queue", "Value": "Jobs"}],
                },
            },
            "Alarms": [{"AlarmName": "TargetTracking-…", "AlarmARN": "arn:…"}],
        }, {
            "PolicyName": "up", "ServiceNamespace": "ecs", "ResourceId": "service/shop/web",
            "ScalableDimension": "ecs:service:DesiredCount", "PolicyType": "StepScaling",
            "StepScalingPolicyConfiguration": {
                "AdjustmentType": "PercentChangeInCapacity", "MinAdjustmentMagnitude": 1,
                "Cooldown": 60, "MetricAggregationType": "Maximum",
                "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 20}],
            },
        }],
        "ScheduledActions": [{
            "ScheduledActionName": "morning", "ServiceNamespace": "ecs",
            "ScheduledActionARN": "arn:…", "ResourceId": "service/shop/web",
            "ScalableDimension": "ecs:service:DesiredCount", "Schedule": "cron(0 8 ? * MON-FRI *)",
            "Timezone": "Europe/Berlin", "StartTime": 1_800_000_000.0,
            "ScalableTargetAction": {"MinCapacity": 5},
        }],
    })
}

fn alarms() -> Value {
    json!({"MetricAlarms": [
        {
            "AlarmName": "deep", "StateValue": "OK", "Namespace": "AWS/SQS",
            "AlarmActions": ["arn:aws:autoscaling:eu-west-1:1:scalingPolicy:1:resource/ecs/service/shop/web:policyName/up"],
            "MetricName": "ApproximateNumberOfMessagesVisible", "Statistic": "Average",
            "Dimensions": [{"Name": "QueueName", "Value": "Jobs"}], "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 100.0,
            "ComparisonOperator": "GreaterThanThreshold", "InsufficientDataActions": [],
        },
        {"AlarmName": "mail", "AlarmActions": ["arn:aws:sns:eu-west-1:1:ops"], "Threshold": 1.0},
        {
            "AlarmName": "TargetTracking-service/shop/web-AlarmHigh-1",
            "AlarmActions": ["arn:aws:autoscaling:eu-west-1:1:scalingPolicy:1:resource/ecs/service/shop/web:policyName/cpu"],
        },
    ]})
}

#[test]
fn answers_of_the_cli_become_a_block_that_is_understood() {
    let block = from_application_auto_scaling(&answers()).unwrap();
    let alarms = alarms_from_cloudwatch(&alarms()).unwrap();
    assert_eq!(alarms.as_array().unwrap().len(), 1);
    let spec = json!({"autoscaling": block, "kubernetes": {"scaling": {"alarms": alarms}}});
    let mut findings = Findings::default();
    let read = read(&spec, &mut findings).unwrap();
    assert_eq!(findings.0, []);
    assert_eq!((read.bounds.min_capacity, read.bounds.max_capacity), (2, 10));
    assert!(read.suspended.dynamic_scaling_out);
    assert_eq!(read.policies.len(), 2);
    assert_eq!(read.actions.len(), 1);
    judge(Input::Service, &spec, &mut findings);
    let unknown = |finding: &&Finding| {
        finding.level == Level::Refused || finding.message.contains("not a member")
    };
    assert_eq!(findings.0.iter().find(unknown), None, "every member is in the table");
}

#[test]
fn values_and_the_keys_of_dimensions_keep_their_case() {
    let block = from_application_auto_scaling(&answers()).unwrap();
    let metric =
        "/scalingPolicies/0/targetTrackingScalingPolicyConfiguration/customizedMetricSpecification";
    let dimension = block.pointer(&format!("{metric}/dimensions/0")).unwrap();
    assert_eq!(*dimension, json!({"name": "Queue", "value": "Jobs"}));
    assert_eq!(block.pointer("/scalableTarget/roleARN").unwrap(), "arn:aws:iam::1:role/x");
    let policy = block.pointer("/scalingPolicies/0").unwrap().as_object().unwrap();
    let names: Vec<&str> = policy.keys().map(String::as_str).collect();
    assert_eq!(names, ["policyName", "policyType", "targetTrackingScalingPolicyConfiguration"]);
}

#[test]
fn inputs_of_the_cli_are_put_together() {
    let inputs = json!([
        {"ServiceNamespace": "ecs", "ResourceId": "service/a/b", "MinCapacity": 1, "MaxCapacity": 3,
            "ScalableDimension": "ecs:service:DesiredCount"},
        {"ServiceNamespace": "ecs", "ResourceId": "service/a/b", "MaxCapacity": 4},
        {"ServiceNamespace": "ecs", "ResourceId": "service/a/b", "ScheduledActionName": "x",
            "Schedule": "rate(1 day)", "ScalableTargetAction": {"MinCapacity": 2}},
    ]);
    assert_eq!(
        from_application_auto_scaling(&inputs).unwrap(),
        json!({
            "scalableTarget": {"minCapacity": 1, "maxCapacity": 4},
            "scheduledActions": [{"scheduledActionName": "x", "schedule": "rate(1 day)",
                "scalableTargetAction": {"minCapacity": 2}}],
        })
    );
}

#[test]
fn other_things_and_several_services_are_no_block() {
    let of = |resource: &str| json!({"ResourceId": resource, "MinCapacity": 1, "MaxCapacity": 2});
    for value in [
        json!(null),
        json!({"minCapacity": 1}),
        json!({"ServiceNamespace": "dynamodb", "MinCapacity": 1, "MaxCapacity": 2}),
        json!({"ScalableDimension": "ecs:other", "PolicyName": "x"}),
        json!({"ScalingPolicies": []}),
        json!([of("service/a/b"), of("service/a/c")]),
    ] {
        assert_eq!(from_application_auto_scaling(&value), None, "{value}");
    }
    assert_eq!(by_resource(&json!([of("service/a/b"), of("service/a/c")])).len(), 2);
    assert_eq!(alarms_from_cloudwatch(&json!({"AlarmName": "x"})), None);
}
