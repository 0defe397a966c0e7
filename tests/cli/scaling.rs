//! `linkspan scaling`

use serde_json::{Value, json};

use crate::metrics_api::{load, serve};
use crate::said::{ask, told};
use crate::support::{Place, shared, until};

fn tracking(min: i32) -> Value {
    json!({
        "taskDefinition": "shop",
        "autoscaling": {
            "scalableTarget": {"minCapacity": min, "maxCapacity": 6},
            "scalingPolicies": [{
                "policyName": "cpu",
                "targetTrackingScalingPolicyConfiguration": {
                    "targetValue": 60, "scaleOutCooldown": 60, "scaleInCooldown": 60,
                    "predefinedMetricSpecification":
                        {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
                },
            }],
            "scheduledActions": [{"scheduledActionName": "night", "schedule": "cron(0 3 * * ? *)",
                "scalableTargetAction": {"minCapacity": 1}}],
        },
    })
}

#[tokio::test]
async fn metrics_are_told_beside_their_targets_whoever_evaluates_them() {
    serve(shared().await).await;
    let place = Place::new("scaling").await;
    place.task_definition("shop", "example/shop:1").await;
    // 48 percent of the 250 thousandths that each of two tasks asks for.
    load(&place, 240.0);
    place.service("web", tracking(2)).await;
    place.steady("web", 2, "shop:1").await;
    let said = until("the autoscaler's reading", || async {
        let said = told(&place, &["scaling", "web"]).await;
        let read = said.words().iter().any(|words| words.starts_with(&["cpu", "CPU", "48", "%"]));
        if read { Ok(said) } else { Err(said.out) }
    })
    .await;
    let words = said.words();
    assert_eq!(words[0], ["Service:", "default/web"]);
    assert_eq!(words[1], ["Tasks:", "2", "desired,", "2", "running"]);
    assert_eq!(words[2], ["Bounds:", "2", "to", "6"]);
    assert_eq!(words[3][..3], ["Scaled", "by:", "HorizontalPodAutoscaler"]);
    let row = ["cpu", "CPU", "48", "%", "60", "%", "below", "target"];
    assert!(words.iter().any(|line| *line == row), "{}", said.out);
    assert!(said.out.contains("\nScheduled:  night in "), "{}", said.out);
    assert!(said.out.contains(": minCapacity 1\n"), "{}", said.out);

    // From 0 the operator evaluates: what it did, and why, is told.
    place.service("jobs", tracking(0)).await;
    let said = until("the activity", || async {
        let said = told(&place, &["scaling", "jobs"]).await;
        if said.out.contains("Scaled by:  the operator, since minCapacity is 0") {
            Ok(said)
        } else {
            Err(said.out)
        }
    })
    .await;
    assert!(said.out.contains("POLICY"), "{}", said.out);
}

#[tokio::test]
async fn what_was_just_applied_is_waited_for_until_its_bounds_hold() {
    serve(shared().await).await;
    let place = Place::new("bounds").await;
    place.task_definition("shop", "example/shop:1").await;
    // Without a count there is one task, until the autoscaler looks.
    place.service("web", tracking(2)).await;
    let said = told(&place, &["wait", "web"]).await;
    assert!(said.out.ends_with("service web: shop:1 is deployed, 2 tasks run\n"), "{}", said.out);
    // Nothing is deployed here, so that the autoscaler comes last for certain.
    place.service("later", json!({"taskDefinition": "shop"})).await;
    place.steady("later", 1, "shop:1").await;
    place.service("later", tracking(2)).await;
    let said = told(&place, &["wait", "later"]).await;
    assert!(said.out.contains("; its autoscaler brings it to 2\n"), "{}", said.out);
    assert!(said.out.ends_with("service later: shop:1 is deployed, 2 tasks run\n"), "{}", said.out);
    let said = told(&place, &["rollout", "status", "web", "--no-wait"]).await;
    assert_eq!(said.out, "service web: shop:1 is deployed, 2 tasks run\n");
}

#[tokio::test]
async fn what_keeps_a_service_from_scaling_is_told() {
    let place = Place::new("unscaled").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("plain", json!({"taskDefinition": "shop"})).await;
    let said = ask(&place, &["scaling", "plain"]).await;
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "error: service plain is not scaled; give it autoscaling, with scalableTarget and \
         scalingPolicies\n"
    );
    let said = ask(&place, &["scaling", "plan"]).await;
    assert!(said.err.contains("no Service plan is in namespace"), "{}", said.err);
}
