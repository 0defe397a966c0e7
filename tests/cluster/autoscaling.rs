//! Services whose count follows their load, by the clock and by the real HorizontalPodAutoscaler.
//!
//! The operator of these tests takes a second for a minute of scaling: three seconds above the target
//! add tasks, five below it remove some.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::autoscaling::v2 as autoscalingv2;
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Resource, ResourceExt};
use linkspan::api::Service;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::metrics_api::{load, serve};
use crate::support::{Place, ready, shared, status_of, until};

type Autoscaler = autoscalingv2::HorizontalPodAutoscaler;

async fn place(prefix: &str) -> Place {
    serve(shared().await).await;
    let place = Place::new(prefix).await;
    place.task_definition("shop", "example/shop:1").await;
    place
}

/// Bounds, and a policy that keeps CPU at 60 percent of the 250 thousandths that a task asks for.
fn scaled(min: i32, max: i32) -> Value {
    json!({
        "taskDefinition": "shop",
        "autoscaling": {
            "scalableTarget": {"minCapacity": min, "maxCapacity": max},
            "scalingPolicies": [{
                "policyName": "cpu",
                "targetTrackingScalingPolicyConfiguration": {
                    "targetValue": 60, "scaleOutCooldown": 1, "scaleInCooldown": 1,
                    "predefinedMetricSpecification":
                        {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
                },
            }],
        },
    })
}

fn bounded(min: i32, max: i32) -> Value {
    let mut spec = scaled(min, max);
    spec["autoscaling"]["scalingPolicies"] = json!([]);
    spec
}

/// Every count that a service or its workload has, in order, each once.
struct Counts {
    seen: Arc<Mutex<Vec<i32>>>,
    watch: JoinHandle<()>,
}

impl Counts {
    async fn of<K>(place: &Place, name: &str, path: &'static str) -> Self
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned
            + serde::Serialize
            + Send
            + 'static,
    {
        let seen: Arc<Mutex<Vec<i32>>> = Arc::default();
        let told = seen.clone();
        let take = move |object: &K| {
            let count = json!(object).pointer(path).and_then(Value::as_i64).unwrap_or(1);
            let mut seen = told.lock().unwrap();
            if seen.last() != Some(&i32::try_from(count).unwrap()) {
                seen.push(i32::try_from(count).unwrap());
            }
        };
        let api = place.api::<K>();
        let now = api.get(name).await.unwrap();
        take(&now);
        let only = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(280);
        let from = now.resource_version().unwrap();
        let watch = tokio::spawn(async move {
            let mut events = std::pin::pin!(api.watch(&only, &from).await.unwrap());
            while let Some(Ok(event)) = events.next().await {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event {
                    take(&object);
                }
            }
        });
        Self { seen, watch }
    }

    /// What was seen until now.
    fn end(self) -> Vec<i32> {
        self.watch.abort();
        self.seen.lock().unwrap().clone()
    }
}

async fn autoscaler(place: &Place, service: &Service) -> Autoscaler {
    let mut found = place.children::<Autoscaler>(service).await;
    assert_eq!(found.len(), 1, "one autoscaler");
    found.remove(0)
}

async fn count_is(place: &Place, count: i32) -> Service {
    place
        .service_when("web", &format!("{count} tasks desired"), |service| {
            service.spec.0["desiredCount"] == json!(count)
        })
        .await
}

#[tokio::test]
async fn load_adds_tasks_and_keeps_and_removes_them() {
    let place = place("load").await;
    load(&place, 250.0);
    place.service("web", scaled(2, 6)).await;
    place.steady("web", 2, "shop:1").await;
    let counts = Counts::of::<Service>(&place, "web", "/spec/desiredCount").await;
    load(&place, 480.0);
    let service = place.steady("web", 4, "shop:1").await;
    let [named] = &autoscaler(&place, &service).await.metadata.owner_references.unwrap()[..] else {
        panic!("one owner")
    };
    assert_eq!((&*named.kind, &*named.name), ("Service", "web"));
    // 48 percent each: below the target, and not by enough to do with three.
    tokio::time::sleep(Duration::from_secs(8)).await;
    load(&place, 100.0);
    place.steady("web", 2, "shop:1").await;
    assert_eq!(counts.end(), [2, 4, 2]);
}

#[tokio::test]
async fn other_bounds_hold_at_once_for_an_autoscaler_that_runs() {
    let place = place("bounds").await;
    load(&place, 120.0);
    place.service("web", scaled(1, 6)).await;
    place.steady("web", 1, "shop:1").await;
    place.service("web", scaled(3, 6)).await;
    let service = place.steady("web", 3, "shop:1").await;
    load(&place, 5000.0);
    place.steady("web", 6, "shop:1").await;
    place.service("web", scaled(1, 2)).await;
    place.steady("web", 2, "shop:1").await;
    until("the autoscaler has the bounds, and may remove tasks", || async {
        let spec = autoscaler(&place, &service).await.spec;
        let down = spec.behavior.and_then(|b| b.scale_down?.select_policy);
        let seen = (spec.min_replicas, spec.max_replicas, down.as_deref());
        if seen == (Some(1), 2, Some("Max")) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

#[tokio::test]
async fn an_autoscaler_is_mended_and_goes_with_what_asked_for_it() {
    let place = place("mended").await;
    load(&place, 100.0);
    place.service("web", scaled(1, 6)).await;
    let service = place.steady("web", 1, "shop:1").await;
    let name = autoscaler(&place, &service).await.name_any();
    place.meddle::<Autoscaler>(&name, json!({"spec": {"maxReplicas": 9}})).await;
    until("the edit is undone", || async {
        let max = autoscaler(&place, &service).await.spec.max_replicas;
        if max == 6 { Ok(()) } else { Err(max.to_string()) }
    })
    .await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    until("the autoscaler is gone", || async {
        let left = place.children::<Autoscaler>(&service).await.len();
        if left == 0 { Ok(()) } else { Err(left.to_string()) }
    })
    .await;
    let theirs: Autoscaler = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"maxReplicas": 1, "scaleTargetRef":
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs"}},
    }))
    .unwrap();
    let autoscalers = place.api::<Autoscaler>();
    autoscalers.create(&PostParams::default(), &theirs).await.unwrap();
    place.service("web", scaled(1, 6)).await;
    let message = place.reason("web", "ChildConflict").await;
    assert!(message.contains(&name) && message.contains("not made by Linkspan"), "{message}");
    place.delete::<Autoscaler>(&name).await;
    place.steady("web", 1, "shop:1").await;
    assert_eq!(autoscaler(&place, &service).await.spec.max_replicas, 6);
}

#[tokio::test]
async fn manifests_that_never_set_the_count_never_reset_it() {
    let place = place("gitops").await;
    load(&place, 250.0);
    let spec = scaled(2, 6);
    place.service("web", spec.clone()).await;
    place.steady("web", 2, "shop:1").await;
    let counts = Counts::of::<Service>(&place, "web", "/spec/desiredCount").await;
    load(&place, 700.0);
    let client_side =
        PatchParams { field_manager: Some("gitops".into()), ..PatchParams::default() };
    for round in 0..50 {
        place.service("web", spec.clone()).await;
        let noted =
            json!({"metadata": {"annotations": {"round": round.to_string()}}, "spec": spec});
        place.api::<Service>().patch("web", &client_side, &Patch::Merge(&noted)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    place.steady("web", 5, "shop:1").await;
    let counts = counts.end();
    assert!(counts.is_sorted() && counts[0] == 2, "{counts:?}");
}

#[tokio::test]
async fn a_manifest_that_stops_setting_the_count_leaves_it_as_it_is() {
    let place = place("stops").await;
    let mut spec = bounded(1, 6);
    spec["desiredCount"] = json!(3);
    place.service("web", spec).await;
    let service = place.steady("web", 3, "shop:1").await;
    let fully = |service: &Service| {
        let found = status_of(service).conditions.into_iter().find(|c| c.type_ == "FullySupported");
        found.unwrap().message
    };
    assert!(fully(&service).contains("manifest that `a-user` applies"), "{}", fully(&service));
    let workload = place.deployment(&service).await.name_any();
    let tasks = Counts::of::<appsv1::Deployment>(&place, &workload, "/spec/replicas").await;
    let counts = Counts::of::<Service>(&place, "web", "/spec/desiredCount").await;
    place.service("web", bounded(1, 6)).await;
    let put_back = place
        .service_when("web", "the count is put back, and it is said who left it", |service| {
            let status = status_of(service);
            let activities = status.scaling.map(|state| state.activities).unwrap_or_default();
            service.spec.0["desiredCount"] == json!(3)
                && activities.iter().any(|one| one.cause.starts_with("a-user no longer sets"))
        })
        .await;
    assert!(put_back.spec.0.get("autoscaling").is_some());
    place.steady("web", 3, "shop:1").await;
    assert!(!fully(&count_is(&place, 3).await).contains("a-user"));
    // As a person, or another autoscaler, does it: meant as it is.
    place.scale("web", 1).await;
    place.steady("web", 1, "shop:1").await;
    assert_eq!(counts.end(), [3, 1, 3, 1]);
    assert_eq!(tasks.end(), [3, 1], "no task went for the fall");
}

/// What `kubectl apply` does without `--server-side`: it keeps the manifest in an annotation, and sets
/// to null what is no longer in it.
async fn apply_on_the_clients_side(place: &Place, spec: &Value, gone: &[&str]) {
    let kept = "kubectl.kubernetes.io/last-applied-configuration";
    let manifest = json!({"spec": spec}).to_string();
    let mut spec = spec.clone();
    for name in gone {
        spec[name] = Value::Null;
    }
    let manager = Some("kubectl-client-side-apply".to_owned());
    let mut body = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
        "metadata": {"annotations": {kept: manifest}}, "spec": spec});
    let services = place.api::<Service>();
    if services.get_opt("web").await.unwrap().is_some() {
        let parameters = PatchParams { field_manager: manager, ..PatchParams::default() };
        services.patch("web", &parameters, &Patch::Merge(&body)).await.unwrap();
    } else {
        body["metadata"]["name"] = json!("web");
        let parameters = PostParams { field_manager: manager, ..PostParams::default() };
        services.create(&parameters, &serde_json::from_value(body).unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_manifest_applied_on_the_clients_side_may_stop_setting_the_count_too() {
    let place = place("clients").await;
    load(&place, 250.0);
    let mut sets = scaled(2, 6);
    sets["desiredCount"] = json!(2);
    apply_on_the_clients_side(&place, &sets, &[]).await;
    place.steady("web", 2, "shop:1").await;
    load(&place, 600.0);
    place.steady("web", 4, "shop:1").await;
    let counts = Counts::of::<Service>(&place, "web", "/spec/desiredCount").await;
    apply_on_the_clients_side(&place, &scaled(2, 6), &["desiredCount"]).await;
    let service = place
        .service_when("web", "the count is put back", |service| {
            let state = status_of(service).scaling.unwrap_or_default();
            let cause = state.activities.first().map(|one| one.cause.clone()).unwrap_or_default();
            cause.starts_with("kubectl-client-side-apply no longer sets desiredCount")
                && service.spec.0["desiredCount"] == json!(4)
        })
        .await;
    place.steady("web", 4, "shop:1").await;
    assert_eq!(place.deployment(&service).await.spec.unwrap().replicas, Some(4));
    assert_eq!(counts.end(), [4, 1, 4]);
}

#[tokio::test]
async fn a_worker_follows_its_queue_from_nothing_and_back() {
    let place = place("queue").await;
    load(&place, 0.0);
    let spec = json!({
        "taskDefinition": "shop", "desiredCount": 0,
        "autoscaling": {
            "scalableTarget": {"minCapacity": 0, "maxCapacity": 8},
            "scalingPolicies": [{
                "policyName": "backlog",
                "targetTrackingScalingPolicyConfiguration": {
                    "targetValue": 100, "scaleOutCooldown": 1, "scaleInCooldown": 1,
                    "customizedMetricSpecification": {
                        "namespace": "AWS/SQS", "metricName": "ApproximateNumberOfMessagesVisible",
                        "statistic": "Average", "dimensions": [{"name": "QueueName", "value": "jobs"}],
                    },
                },
            }],
        },
        "kubernetes": {"scaling": {"metrics": {"backlog":
            {"external": {"name": "jobs_waiting"}, "perTask": true}}}},
    });
    place.service("web", spec).await;
    let service = place.steady("web", 0, "shop:1").await;
    assert_eq!(place.children::<Autoscaler>(&service).await.len(), 0, "which keeps at least one");
    load(&place, 450.0);
    place.steady("web", 5, "shop:1").await;
    load(&place, 0.0);
    let service = place.steady("web", 0, "shop:1").await;
    let activities = status_of(&service).scaling.unwrap().activities;
    assert_eq!(activities[0].description, "Setting desired count to 0.");
    assert!(activities[0].cause.contains("AlarmLow-backlog"), "{}", activities[0].cause);
}

/// A worker whose count a policy sets, evaluated by the operator: 100 of the load for each task.
fn worker(policy: &Value) -> Value {
    let mut worker = json!({
        "taskDefinition": "shop",
        "autoscaling": {"scalableTarget": {"minCapacity": 1, "maxCapacity": 8}},
        "kubernetes": {"scaling": {"metrics": {"jobs":
            {"external": {"name": "jobs_waiting"}, "perTask": true}}}},
    });
    worker["autoscaling"]["scalingPolicies"] = json!([policy]);
    worker
}

/// Keeps the jobs for each task at 100.
fn jobs() -> Value {
    json!({
        "policyName": "jobs",
        "targetTrackingScalingPolicyConfiguration": {
            "targetValue": 100, "scaleOutCooldown": 1, "scaleInCooldown": 1,
            "customizedMetricSpecification":
                {"namespace": "Shop", "metricName": "Jobs", "statistic": "Average"},
        },
    })
}

#[tokio::test]
async fn a_query_of_prometheus_scales_a_service() {
    let place = place("prometheus").await;
    load(&place, 100.0);
    let mut spec = worker(&jobs());
    let query = format!("load(\"{}\")", place.namespace);
    spec["kubernetes"]["scaling"]["metrics"]["jobs"] =
        json!({"prometheus": query, "perTask": true});
    place.service("web", spec).await;
    place.steady("web", 1, "shop:1").await;
    load(&place, 390.0);
    place.steady("web", 4, "shop:1").await;
    load(&place, 150.0);
    place.steady("web", 2, "shop:1").await;
}

#[tokio::test]
async fn steps_are_taken_by_how_far_the_alarm_is_breached() {
    let place = place("steps").await;
    load(&place, 0.0);
    let mut spec = worker(&json!({
        "policyName": "jobs", "policyType": "StepScaling",
        "stepScalingPolicyConfiguration": {
            "adjustmentType": "ChangeInCapacity", "cooldown": 2, "metricAggregationType": "Average",
            "stepAdjustments": [
                {"metricIntervalLowerBound": 0, "metricIntervalUpperBound": 200, "scalingAdjustment": 1},
                {"metricIntervalLowerBound": 200, "scalingAdjustment": 3},
            ],
        },
    }));
    let scaling = &mut spec["kubernetes"]["scaling"];
    scaling["metrics"]["jobs"] = json!({"external": {"name": "jobs_waiting"}});
    scaling["alarms"] = json!([{
        "alarmName": "waiting", "metricName": "Jobs", "threshold": 100, "evaluationPeriods": 1,
        "comparisonOperator": "GreaterThanOrEqualToThreshold", "period": 10,
        "alarmActions": ["jobs"],
    }]);
    spec["autoscaling"]["scalableTarget"]["maxCapacity"] = json!(40);
    place.service("web", spec).await;
    let service = place.steady("web", 1, "shop:1").await;
    assert_eq!(place.children::<Autoscaler>(&service).await.len(), 0, "it knows no steps");
    let counts = Counts::of::<Service>(&place, "web", "/spec/desiredCount").await;
    // 50 above the threshold: the first step. 300 above it: the second one.
    for (load_is, step) in [(150.0, 1), (400.0, 3)] {
        load(&place, load_is);
        until(&format!("{step} tasks are added at once"), || async {
            let seen = counts.seen.lock().unwrap().clone();
            let found = seen.windows(2).any(|pair| pair[1] - pair[0] == step);
            if found { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }
    let counts = counts.end();
    assert!(counts.windows(2).all(|pair| [1, 3].contains(&(pair[1] - pair[0]))), "{counts:?}");
}

#[tokio::test]
async fn tasks_are_only_added_where_scale_in_is_disabled_or_suspended() {
    let place = place("onlyout").await;
    load(&place, 100.0);
    let mut disabled = jobs();
    disabled["targetTrackingScalingPolicyConfiguration"]["disableScaleIn"] = json!(true);
    place.service("web", worker(&disabled)).await;
    place.steady("web", 1, "shop:1").await;
    let mut suspended = worker(&jobs());
    suspended["autoscaling"]["scalableTarget"]["suspendedState"] =
        json!({"dynamicScalingInSuspended": true});
    place.service("two", suspended.clone()).await;
    // The autoscaler says it in its own words.
    let mut tracked = scaled(1, 6);
    tracked["autoscaling"]["scalableTarget"]["suspendedState"] =
        json!({"dynamicScalingInSuspended": true});
    place.service("three", tracked).await;
    let counts = Counts::of::<Service>(&place, "web", "/spec/desiredCount").await;
    load(&place, 500.0);
    // While the added tasks start, a second of load is still that of fewer: more may come.
    for name in ["web", "two"] {
        place
            .service_when(name, "at least 5 tasks", |service| {
                service.spec.0["desiredCount"].as_i64() >= Some(5)
            })
            .await;
    }
    let service = place.service_when("three", "tasks more", |service| {
        service.spec.0["desiredCount"].as_i64() > Some(1)
    });
    let down = autoscaler(&place, &service.await).await.spec.behavior.unwrap().scale_down.unwrap();
    assert_eq!(down.select_policy.as_deref(), Some("Disabled"));
    load(&place, 100.0);
    // What is not held back falls: that is how long the others would have had.
    suspended["autoscaling"]["scalableTarget"]["suspendedState"] =
        json!({"dynamicScalingInSuspended": false});
    place.service("two", suspended).await;
    place.steady("two", 1, "shop:1").await;
    let counts = counts.end();
    assert!(counts.is_sorted() && counts.last() >= Some(&5), "{counts:?}");
}

#[tokio::test]
async fn no_task_is_removed_while_a_deployment_is_under_way() {
    let place = place("deploying").await;
    place.task_definition("calm", "example/calm:1").await;
    load(&place, 480.0);
    place.service("web", scaled(2, 6)).await;
    let mut calm = scaled(2, 6);
    calm["taskDefinition"] = json!("calm");
    place.service("calm", calm).await;
    place.steady("web", 4, "shop:1").await;
    place.steady("calm", 4, "calm:1").await;
    let counts = Counts::of::<Service>(&place, "web", "/spec/desiredCount").await;
    place.task_definition("shop", "sandbox.linkspan.dev/never-ready:1").await;
    let service = place.service_when("web", "a deployment under way", |service| {
        let status = status_of(service);
        status.deployments.iter().any(|one| one.rollout_state.as_deref() == Some("IN_PROGRESS"))
    });
    let service = service.await;
    until("removing is disabled", || async {
        let behavior = autoscaler(&place, &service).await.spec.behavior.unwrap();
        let down = behavior.scale_down.unwrap().select_policy;
        if down.as_deref() == Some("Disabled") { Ok(()) } else { Err(format!("{down:?}")) }
    })
    .await;
    load(&place, 100.0);
    // The other comes down: that is how long this one would have had.
    place.steady("calm", 2, "calm:1").await;
    assert_eq!(counts.end(), [4]);
    // With the deployment done it comes down, too.
    place.task_definition("shop", "example/shop:3").await;
    place.steady("web", 2, "shop:3").await;
}

#[tokio::test]
async fn of_two_policies_any_adds_and_only_both_together_remove() {
    let place = place("two").await;
    load(&place, 100.0);
    let mut spec = worker(&jobs());
    let mut calm = jobs();
    calm["policyName"] = json!("calm");
    let tracking = &mut calm["targetTrackingScalingPolicyConfiguration"];
    // Never above, and only with next to nothing far enough below.
    tracking["targetValue"] = json!(60);
    tracking["customizedMetricSpecification"]["metricName"] = json!("Calm");
    spec["autoscaling"]["scalingPolicies"].as_array_mut().unwrap().push(calm);
    let query = format!("load(\"{}\")", place.namespace);
    spec["kubernetes"]["scaling"]["metrics"]["calm"] = json!({"prometheus": query});
    spec["kubernetes"]["scaling"]["metrics"]["jobs"] =
        json!({"external": {"name": "jobs_waiting"}, "perTask": true});
    load(&place, 58.0);
    place.service("web", spec.clone()).await;
    place.steady("web", 1, "shop:1").await;
    // 240 for one task: `jobs` wants 3, `calm` 4.
    load(&place, 240.0);
    place
        .service_when("web", "what the more demanding policy wants", |service| {
            service.spec.0["desiredCount"].as_i64() >= Some(4)
        })
        .await;
    let counts = Counts::of::<Service>(&place, "web", "/spec/desiredCount").await;
    // `jobs` would have one task; `calm` is at its target and holds what there is.
    load(&place, 59.0);
    let worker = worker(&jobs());
    place.service("other", worker).await;
    place.steady("other", 1, "shop:1").await;
    load(&place, 3.0);
    place.steady("web", 1, "shop:1").await;
    assert!(counts.end().is_sorted_by(|one, next| one >= next));
}

#[tokio::test]
async fn a_scheduled_action_moves_the_bounds_and_the_count() {
    let place = place("clock").await;
    load(&place, 100.0);
    let mut spec = scaled(1, 6);
    let soon = (Timestamp::now() + SignedDuration::from_secs(12)).to_string();
    let at = format!("at({})", &soon[..19]);
    spec["autoscaling"]["scheduledActions"] = json!([{
        "scheduledActionName": "rush", "schedule": at, "scalableTargetAction": {"minCapacity": 3},
    }]);
    place.service("web", spec.clone()).await;
    place.steady("web", 1, "shop:1").await;
    let service = place.steady("web", 3, "shop:1").await;
    let state = status_of(&service).scaling.unwrap();
    let done: Vec<&str> = state.activities.iter().map(|one| one.description.as_str()).collect();
    assert_eq!(done, ["Setting desired count to 3.", "Setting min capacity to 3"]);
    assert_eq!(autoscaler(&place, &service).await.spec.min_replicas, Some(3));
    // The bounds stay when the manifest is applied again; other bounds in it are registered anew.
    place.service("web", spec.clone()).await;
    spec["autoscaling"]["scalableTarget"]["maxCapacity"] = json!(5);
    place.service("web", spec).await;
    let service = place
        .service_when("web", "the bounds of the spec", |service| {
            let bounds = status_of(service).scaling.and_then(|state| state.bounds);
            bounds.is_some_and(|bounds| (bounds.min_capacity, bounds.max_capacity) == (1, 5))
        })
        .await;
    assert!(ready(&service).is_some());
}

#[tokio::test]
async fn bounds_that_contradict_each_other_change_nothing() {
    let place = place("contradict").await;
    load(&place, 150.0);
    place.service("web", scaled(1, 6)).await;
    let service = place.steady("web", 1, "shop:1").await;
    place.service("web", scaled(6, 1)).await;
    let message = place.reason("web", "InvalidSpec").await;
    assert!(message.contains("autoscaling.scalableTarget.minCapacity"), "{message}");
    assert_eq!(autoscaler(&place, &service).await.spec.max_replicas, 6);
}
