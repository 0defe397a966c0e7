//! Is everything told that somebody asks of a scaled service?

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;
use crate::ecs::scaling::state::{Activity, Bounds, whole};
use crate::plan::finding::Findings;
use crate::plan::scaling::read::read;
use crate::plan::scaling::schedule::scheduled;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn understood(block: &Value, kubernetes: &Value) -> Autoscaling {
    let mut findings = Findings::default();
    let spec = json!({"autoscaling": block, "kubernetes": {"scaling": kubernetes}});
    let read = read(&spec, &mut findings).unwrap();
    assert!(!findings.any_refused(), "{findings:?}");
    read
}

fn tracking(name: &str, metric: &str, target: f64, out_only: bool) -> Value {
    json!({"policyName": name, "targetTrackingScalingPolicyConfiguration": {
        "targetValue": target, "disableScaleIn": out_only,
        "predefinedMetricSpecification": {"predefinedMetricType": metric}}})
}

#[test]
fn a_service_that_kubernetes_scales() {
    let now = time("2026-01-05T10:00:00Z");
    let autoscaling = understood(
        &json!({
            "scalableTarget": {"minCapacity": 2, "maxCapacity": 10},
            "scalingPolicies": [
                tracking("cpu", "ECSServiceAverageCPUUtilization", 75.0, false),
                tracking("memory", "ECSServiceAverageMemoryUtilization", 62.5, false),
            ],
        }),
        &Value::Null,
    );
    let readings = [("cpu".to_owned(), 82.04), ("memory".to_owned(), 41.0)].into();
    let scaled = Scaled {
        cluster: "default",
        service: "web",
        desired: 5,
        running: 4,
        deploying: false,
        autoscaling: &autoscaling,
        state: &ScalingState::default(),
        by: By::Horizontal("web-0a1b2c3d"),
        readings: &readings,
        absent: &[],
    };
    assert_eq!(
        describe(&scaled, now),
        "\
Service:    default/web
Tasks:      5 desired, 4 running
Bounds:     2 to 10
Scaled by:  HorizontalPodAutoscaler web-0a1b2c3d

POLICY   METRIC   CURRENT   TARGET   STATE
cpu      CPU      82 %      75 %     above target
memory   memory   41 %      62.5 %   below target

No scaling activities yet.
"
    );
}

#[test]
fn a_service_that_the_operator_scales() {
    let now = time("2026-01-05T10:00:00Z");
    let autoscaling = understood(
        &json!({
            "scalableTarget": {"minCapacity": 0, "maxCapacity": 10,
                "suspendedState": {"dynamicScalingInSuspended": true}},
            "scalingPolicies": [
                {"policyName": "up", "stepScalingPolicyConfiguration": {
                    "adjustmentType": "PercentChangeInCapacity", "stepAdjustments": [
                        {"metricIntervalLowerBound": 0, "metricIntervalUpperBound": 100,
                            "scalingAdjustment": 10},
                        {"metricIntervalLowerBound": 100, "scalingAdjustment": 30}]}},
                tracking("cpu", "ECSServiceAverageCPUUtilization", 75.0, true),
            ],
            "scheduledActions": [{
                "scheduledActionName": "morning", "schedule": "cron(0 8 * * ? *)",
                "timezone": "Europe/Berlin",
                "scalableTargetAction": {"minCapacity": 5, "maxCapacity": 20}}],
        }),
        &json!({"alarms": [{
            "alarmName": "deep", "namespace": "Shop", "metricName": "Depth", "threshold": 100,
            "comparisonOperator": "GreaterThanOrEqualToThreshold", "evaluationPeriods": 1,
            "alarmActions": ["up"]}]}),
    );
    let mut state = ScalingState {
        registered: Some(autoscaling.bounds),
        bounds: Some(Bounds { min_capacity: 5, max_capacity: 20 }),
        scale_out: Some(Cooldown {
            policy: "up".to_owned(),
            until: whole(time("2026-01-05T10:03:20Z")),
            from: 5,
        }),
        scale_in: Some(Cooldown {
            policy: "cpu".to_owned(),
            until: whole(time("2026-01-05T09:03:20Z")),
            from: 5,
        }),
        alarms: [("up".to_owned(), AlarmState::Alarm)].into(),
        ..ScalingState::default()
    };
    let early = time("2026-01-03T06:30:00Z");
    state.remember(Activity {
        status_code: "Failed".to_owned(),
        status_message: "Minimum capacity 5 cannot be greater than maximum capacity 4".to_owned(),
        ..Activity::sets_count(4, "scheduled action name late was triggered".to_owned(), early)
    });
    let cause = "monitor alarm deep in state ALARM triggered policy up".to_owned();
    state.remember(Activity::sets_count(6, cause, time("2026-01-05T09:58:20Z")));
    let readings = [("up".to_owned(), 250.0)].into();
    let reasons = ["policy `up` takes steps".to_owned()];
    let absent = ["policy `cpu` does not act, since nobody serves metrics".to_owned()];
    let mut scaled = Scaled {
        cluster: "shop",
        service: "web",
        desired: 6,
        running: 6,
        deploying: true,
        autoscaling: &autoscaling,
        state: &state,
        by: By::Native(&reasons),
        readings: &readings,
        absent: &absent,
    };
    assert_eq!(
        describe(&scaled, now),
        "\
Service:    shop/web
Tasks:      6 desired, 6 running
Bounds:     5 to 20, as the last scheduled action set them
Scaled by:  the operator, since policy `up` takes steps
Suspended:  scale-in by policies
Held back:  scale-in, while a deployment is in progress

POLICY   METRIC       CURRENT   TARGET   STATE
up       Shop Depth   250       ≥ 100    ALARM: +30 %
cpu      CPU          -         75 %     no data: the count stays

No data:    policy `cpu` does not act, since nobody serves metrics

Cooldown:   further scale-out for 3m20s, after policy up

Scheduled:  morning in 21h, at 2026-01-06T07:00:00Z: minCapacity 5, maxCapacity 20

AGE    STATUS       ACTIVITY                      CAUSE
100s   Successful   Setting desired count to 6.   monitor alarm deep in state ALARM triggered policy up
2d3h   Failed       Setting desired count to 4.   scheduled action name late was triggered: Minimum capacity 5 cannot be greater than maximum capacity 4
"
    );
    let after = scheduled(&autoscaling, &state, 6, now, time("2199-12-31T23:00:00Z")).state;
    scaled.state = &after;
    let text = describe(&scaled, time("2199-12-31T23:00:00Z"));
    assert!(text.contains("Scheduled:  none is due any more\n"), "{text}");
}
