//! Who writes a service's count, and when.

use jiff::SignedDuration;

use super::*;
use crate::ecs::scaling::alarm::Datapoint;
use crate::plan::scaling::metrics::Absence;

/// A service that is scaled from 2 to 8, from 4 on from eight o'clock to ten in the evening.
fn scaled() -> Value {
    let action = |name: &str, hour: u32, min: i32| {
        json!({"scheduledActionName": name, "schedule": format!("cron(0 {hour} * * ? *)"),
            "scalableTargetAction": {"minCapacity": min}})
    };
    let mut spec = service();
    set(
        &mut spec,
        &["autoscaling"],
        json!({
            "scalableTarget": {"minCapacity": 2, "maxCapacity": 8},
            "scalingPolicies": [{"policyName": "cpu", "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 60, "predefinedMetricSpecification": {
                    "predefinedMetricType": "ECSServiceAverageCPUUtilization"}}}],
            "scheduledActions": [action("morning", 8, 6), action("night", 22, 0)],
        }),
    );
    spec
}

impl Scene {
    fn autoscaler(&self) -> Option<Value> {
        let name = crate::names::autoscaler("frontend", "uid-front");
        self.world.body(&ObjectKey::new(Kind::HorizontalPodAutoscaler, NAMESPACE, &name))
    }

    fn bounds(&self) -> Option<(Value, Value)> {
        let spec = &self.autoscaler()?["spec"];
        Some((spec["minReplicas"].clone(), spec["maxReplicas"].clone()))
    }

    fn count(&self) -> Value {
        self.body(Kind::Service, OBJECT)["spec"]["desiredCount"].clone()
    }

    fn at(&mut self, time: &str) {
        self.now = time.parse().unwrap();
        self.settle();
    }

    fn supported(&self) -> String {
        let conditions = self.body(Kind::Service, OBJECT)["status"]["conditions"].clone();
        let found = conditions.as_array().into_iter().flatten();
        let found = found.filter(|one| one["type"] == "FullySupported").map(|one| &one["message"]);
        found.map(Value::to_string).collect()
    }

    /// As the API server shows who wrote what.
    fn written_by(&mut self, writers: Value) {
        let mut body = self.body(Kind::Service, OBJECT);
        set(&mut body, &["metadata", "managedFields"], writers);
        self.world.put(Kind::Service, body).unwrap();
    }
}

#[test]
fn an_autoscaler_removes_nothing_while_a_deployment_is_under_way() {
    let mut scene = Scene::of(&task_definition(), &scaled());
    let written = scene.autoscaler();
    let down = |scene: &Scene| {
        scene.autoscaler().unwrap()["spec"]["behavior"]["scaleDown"]["selectPolicy"].clone()
    };
    assert_eq!(down(&scene), "Max");
    scene.finish();
    assert_eq!(scene.autoscaler(), written, "written once for a new service");
    scene.change("forceNewDeployment", json!(true));
    scene.be_still();
    assert_eq!((scene.newest(), down(&scene)), (2, json!("Disabled")));
    scene.finish();
    assert_eq!(down(&scene), "Max");
}

#[test]
fn an_autoscaler_is_told_before_the_workload_changes_and_goes_with_the_block() {
    let mut scene = Scene::usual();
    scene.finish();
    assert_eq!(scene.autoscaler(), None);
    scene.apply(Kind::Service, OBJECT, &scaled());
    scene.change("desiredCount", json!(5));
    let writes = scene.plan(&Moment::at(scene.now)).writes;
    let kinds: Vec<Kind> = writes.iter().map(|write| write.key().kind).collect();
    let place = |kind| kinds.iter().position(|of| *of == kind).unwrap();
    assert!(place(Kind::HorizontalPodAutoscaler) < place(Kind::Deployment), "{kinds:?}");
    assert!(place(Kind::Deployment) < place(Kind::Service), "{kinds:?}");
    scene.settle();
    assert_eq!(scene.bounds(), Some((json!(2), json!(8))));
    scene.apply(Kind::Service, OBJECT, &service());
    scene.settle();
    assert_eq!(scene.autoscaler(), None);
    assert_eq!(scene.body(Kind::Service, OBJECT)["status"].get("scaling"), None);
}

#[test]
fn a_schedule_moves_the_bounds_and_the_count_and_wakes_for_the_next() {
    let mut scene = Scene::of(&task_definition(), &scaled());
    scene.at("2030-03-17T20:00:00Z");
    scene.finish();
    let wake = scene.plan(&Moment::at(scene.now)).wake_at;
    assert_eq!(wake, Some("2030-03-17T22:00:00Z".parse().unwrap()));
    assert_eq!((scene.bounds(), scene.count()), (Some((json!(2), json!(8))), json!(4)));
    scene.at("2030-03-17T22:00:00Z");
    assert_eq!(scene.autoscaler(), None, "an autoscaler keeps at least one task");
    let measured = scene.plan(&Moment::at(scene.now)).measures;
    let policies: Vec<&str> = measured.iter().map(|measure| measure.policy.as_str()).collect();
    assert_eq!(policies, ["cpu"], "so that Linkspan evaluates its policy");
    assert_eq!(scene.count(), 4, "and nothing asks for fewer");
    scene.at("2030-03-18T08:00:00Z");
    assert_eq!((scene.bounds(), scene.count()), (Some((json!(6), json!(8))), json!(6)));
    assert_eq!(scene.deployment()["spec"]["replicas"], 6);
    let activities = scene.body(Kind::Service, OBJECT)["status"]["scaling"]["activities"].clone();
    assert_eq!(activities[0]["description"], "Setting desired count to 6.");
    assert_eq!(activities[0]["cause"], "minimum capacity was set to 6");
    scene.now += SignedDuration::from_hours(1);
    assert_eq!(settle(&mut scene.world, scene.now), Ok(0), "quiet until the next");
}

/// Samples of the use of CPU, one a minute, up to now.
fn measured(scene: &mut Scene, minutes: i64, percent: f64) {
    let key = ObjectKey::new(Kind::Service, NAMESPACE, OBJECT);
    let samples = scene.world.measured.entry(key).or_default().samples.entry("cpu".to_owned());
    let samples = samples.or_default();
    for minute in (0..minutes).rev() {
        let at = scene.now - SignedDuration::from_secs(minute * 60 + 30);
        samples.push(Datapoint { at, value: percent });
    }
}

#[test]
fn what_an_autoscaler_cannot_say_is_evaluated_by_what_was_measured() {
    let mut spec = scaled();
    spec["autoscaling"]["scalableTarget"]["minCapacity"] = json!(0);
    let mut scene = Scene::of(&task_definition(), &spec);
    scene.finish();
    assert_eq!(scene.autoscaler(), None);
    scene.now = "2030-03-17T20:00:00Z".parse().unwrap();
    measured(&mut scene, 2, 90.0);
    scene.settle();
    assert_eq!(scene.count(), 4, "two of three minutes");
    scene.now += SignedDuration::from_mins(1);
    measured(&mut scene, 1, 90.0);
    scene.settle();
    assert_eq!((scene.count(), &scene.deployment()["spec"]["replicas"]), (json!(6), &json!(6)));
    let state = scene.body(Kind::Service, OBJECT)["status"]["scaling"].clone();
    assert_eq!(state["scaleOut"]["policy"], "cpu", "{state}");
    scene.world.measured.clear();
    assert_eq!(settle(&mut scene.world, scene.now), Ok(0), "a restart makes no change");
}

#[test]
fn a_count_is_not_written_while_what_was_decided_cannot_be_remembered() {
    let mut spec = scaled();
    spec["autoscaling"]["scalableTarget"]["minCapacity"] = json!(0);
    let mut scene = Scene::of(&task_definition(), &spec);
    scene.finish();
    scene.now = "2030-03-17T20:00:00Z".parse().unwrap();
    measured(&mut scene, 3, 90.0);
    // The tasks are too few just as a new image is applied: what is decided now is not in the status.
    let mut other = task_definition();
    other["containerDefinitions"][0]["image"] = json!("example:2");
    scene.apply(Kind::TaskDefinition, "web", &other);
    let before = scene.body(Kind::Service, OBJECT)["status"].clone();
    scene.settle();
    assert_eq!((scene.count(), &scene.deployment()["spec"]["replicas"]), (json!(4), &json!(4)));
    assert_eq!(scene.body(Kind::Service, OBJECT)["status"], before);
    assert!(scene.plan(&Moment::at(scene.now)).waiting.is_some());
    scene.be_still();
    assert_eq!((scene.newest(), scene.count()), (2, json!(6)), "4 × 90 / 60, once");
    assert_eq!(scene.deployment()["spec"]["replicas"], 6);
    let state = scene.body(Kind::Service, OBJECT)["status"]["scaling"].clone();
    assert_eq!(state["activities"].as_array().unwrap().len(), 1, "{state}");
    assert_eq!(state["scaleOut"]["from"], 4, "{state}");
}

#[test]
fn a_count_that_fell_holds_while_a_deployment_is_about_to_start() {
    let mut scene = Scene::of(&task_definition(), &scaled());
    scene.finish();
    let count = json!({"f:spec": {"f:desiredCount": {}}});
    scene.written_by(json!([{"manager": "gitops", "operation": "Apply", "fieldsV1": count}]));
    scene.settle();
    let mut other = task_definition();
    other["containerDefinitions"][0]["image"] = json!("example:2");
    scene.apply(Kind::TaskDefinition, "web", &other);
    scene.change("desiredCount", json!(1));
    scene.written_by(json!([{"manager": "gitops", "operation": "Apply", "fieldsV1": {}}]));
    scene.settle();
    assert_eq!(scene.deployment()["spec"]["replicas"], 4, "not even for a second");
    scene.be_still();
    assert_eq!((scene.newest(), scene.count()), (2, json!(4)));
    assert_eq!(scene.deployment()["spec"]["replicas"], 4);
    let state = scene.body(Kind::Service, OBJECT)["status"]["scaling"].clone();
    assert_eq!(state["activities"].as_array().unwrap().len(), 1, "{state}");
}

#[test]
fn a_metric_that_never_reports_is_told_of_after_a_while() {
    let mut spec = scaled();
    spec["autoscaling"]["scalableTarget"]["minCapacity"] = json!(0);
    let mut scene = Scene::of(&task_definition(), &spec);
    scene.finish();
    let key = ObjectKey::new(Kind::Service, NAMESPACE, OBJECT);
    let wanted = scene.plan(&Moment::at(scene.now)).measures;
    let answer = Err(Absence::refused(404, "404 page not found"));
    scene.world.measured.entry(key).or_default().take(&wanted[0], &answer, scene.now);
    assert_eq!(settle(&mut scene.world, scene.now), Ok(0));
    scene.now += SignedDuration::from_mins(3);
    scene.settle();
    assert!(scene.supported().contains("install metrics-server"), "{}", scene.supported());
    assert_eq!(scene.count(), 4);
}

#[test]
fn a_scheduled_action_is_told_once() {
    let mut scene = Scene::of(&task_definition(), &scaled());
    scene.finish();
    scene.at("2030-03-18T07:00:00Z");
    scene.now = "2030-03-18T08:00:00Z".parse().unwrap();
    let plan = scene.plan(&Moment::at(scene.now));
    let told: Vec<&str> = plan.notes.iter().map(|note| note.message.as_str()).collect();
    assert!(told.iter().any(|note| note.starts_with("Setting desired count to 6.")), "{told:?}");
    let scales = plan.writes.iter().any(|write| matches!(write, Write::Scale { replicas: 6, .. }));
    assert!(scales, "{:?}", plan.writes);
    scene.settle();
    let plan = scene.plan(&Moment::at(scene.now));
    assert_eq!((plan.writes, plan.notes), (vec![], vec![]));
}

#[test]
fn a_count_that_nobody_sets_any_more_is_put_back_and_one_that_somebody_sets_is_not() {
    let mut scene = Scene::of(&task_definition(), &scaled());
    scene.finish();
    let entry = |manager: &str, operation: &str, subresource: Value, fields: Value| {
        json!({"manager": manager, "operation": operation, "subresource": subresource,
            "fieldsV1": fields})
    };
    let count = json!({"f:spec": {"f:desiredCount": {}}});
    let sets = json!([entry("gitops", "Apply", Value::Null, count.clone())]);
    scene.written_by(sets.clone());
    scene.settle();
    scene.change("desiredCount", json!(1));
    scene.written_by(json!([entry("gitops", "Apply", Value::Null, json!({}))]));
    scene.settle();
    assert_eq!((scene.count(), &scene.deployment()["spec"]["replicas"]), (json!(4), &json!(4)));
    let activities = scene.body(Kind::Service, OBJECT)["status"]["scaling"]["activities"].clone();
    assert!(
        activities[0]["cause"].as_str().unwrap().starts_with("gitops no longer"),
        "{activities}"
    );
    assert_eq!(activities.as_array().unwrap().len(), 1, "{activities}");
    // Of a count that belongs to nobody, the API server does not note who scales it.
    scene.change("desiredCount", json!(1));
    scene.settle();
    assert_eq!((scene.count(), &scene.deployment()["spec"]["replicas"]), (json!(1), &json!(1)));
    scene.finish();
    scene.change("desiredCount", json!(4));
    scene.written_by(sets);
    scene.settle();
    scene.finish();
    scene.change("desiredCount", json!(1));
    scene.written_by(json!([entry("kubectl", "Update", json!("scale"), count.clone())]));
    scene.settle();
    assert_eq!((scene.count(), &scene.deployment()["spec"]["replicas"]), (json!(1), &json!(1)));
    scene.change("desiredCount", json!(3));
    scene.written_by(json!([entry("gitops", "Apply", Value::Null, count)]));
    scene.settle();
    assert_eq!(scene.count(), 3);
    assert!(scene.supported().contains("`gitops` applies"), "{}", scene.supported());
}

#[test]
fn without_autoscaling_nobody_puts_a_count_back() {
    let mut scene = Scene::usual();
    scene.finish();
    scene.change("desiredCount", json!(1));
    scene.written_by(json!([{"manager": "gitops", "operation": "Apply", "fieldsV1": {}}]));
    scene.settle();
    assert_eq!((scene.count(), &scene.deployment()["spec"]["replicas"]), (json!(1), &json!(1)));
}

#[test]
fn bounds_that_contradict_each_other_change_nothing() {
    let mut scene = Scene::of(&task_definition(), &scaled());
    scene.finish();
    let mut spec = scaled();
    spec["autoscaling"]["scalableTarget"]["minCapacity"] = json!(9);
    scene.apply(Kind::Service, OBJECT, &spec);
    scene.at("2030-03-18T08:00:00Z");
    assert_eq!((scene.bounds(), scene.count()), (Some((json!(2), json!(8))), json!(4)));
    let ready = scene.body(Kind::Service, OBJECT)["status"]["conditions"][0].clone();
    assert_eq!(ready["reason"], "InvalidSpec", "{ready}");
}

#[test]
fn metrics_that_cannot_be_read_are_told_of_after_a_while() {
    let mut scene = Scene::of(&task_definition(), &scaled());
    scene.finish();
    let mut autoscaler = scene.autoscaler().unwrap();
    let since = scene.now.to_string();
    autoscaler["status"] = json!({"conditions": [{"type": "ScalingActive", "status": "False",
        "reason": "FailedGetResourceMetric", "message": "no metrics", "lastTransitionTime": since}]});
    scene.world.put(Kind::HorizontalPodAutoscaler, autoscaler).unwrap();
    let due = scene.now + SignedDuration::from_mins(3);
    assert_eq!(scene.plan(&Moment::at(scene.now)).wake_at, Some(due));
    assert_eq!(settle(&mut scene.world, scene.now), Ok(0));
    scene.now = due;
    scene.settle();
    assert!(scene.supported().contains("no metrics; the cluster needs metrics-server"));
}
