//! What starts a deployment, what stands in its way, and what becomes of its records.

mod daemon;
mod drains;
mod failed;
mod mapping;
mod missing;
mod outward;
mod placing;
mod scaling;
mod spread;

use serde_json::{Value, json};

use super::*;
use crate::api::{Cause, RolloutState};
use crate::names::{annotation, label};
use crate::plan::plan as plan_for;
use crate::render::settle;
use crate::world::{Index, Kind, set};

const NAMESPACE: &str = "shop";
/// The name of the Service object; its ECS name and its family are others.
const OBJECT: &str = "front";

/// A world without a cluster in it, at a time.
struct Scene {
    world: World,
    now: Timestamp,
}

fn task_definition() -> Value {
    json!({
        "family": "Web", "memory": "256",
        "containerDefinitions":
            [{"name": "main", "image": "example:1", "portMappings": [{"containerPort": 80}]}],
        "volumes": [{"name": "data", "configuredAtLaunch": true}],
    })
}

fn service() -> Value {
    json!({"serviceName": "frontend", "taskDefinition": "Web", "desiredCount": 4})
}

impl Scene {
    /// A world in which a service was applied, and everything that comes of it.
    fn of(task_definition: &Value, service: &Value) -> Self {
        let now = Timestamp::from_second(1_900_000_000).unwrap();
        let world = World { server_minor: Some(36), ..World::default() };
        let mut scene = Self { world, now };
        scene.apply(Kind::TaskDefinition, "web", task_definition);
        scene.apply(Kind::Service, OBJECT, service);
        scene.settle();
        scene
    }

    fn usual() -> Self {
        Self::of(&task_definition(), &service())
    }

    /// What a user's `kubectl apply` does.
    fn apply(&mut self, kind: Kind, name: &str, spec: &Value) {
        let key = ObjectKey::new(kind, NAMESPACE, name);
        let (api_version, word) = kind.type_meta();
        let mut body = self.world.body(&key).unwrap_or_else(|| {
            let created = self.now.to_string();
            json!({
                "apiVersion": api_version, "kind": word,
                "metadata": {
                    "name": name, "namespace": NAMESPACE, "uid": format!("uid-{name}"),
                    "creationTimestamp": created,
                },
            })
        });
        let generation = body["metadata"]["generation"].as_i64().unwrap_or_default();
        set(&mut body, &["metadata", "generation"], generation + 1);
        set(&mut body, &["spec"], spec.clone());
        self.world.put(kind, body).unwrap();
    }

    fn change(&mut self, member: &str, value: Value) {
        let mut spec = self.body(Kind::Service, OBJECT)["spec"].clone();
        set(&mut spec, &[member], value);
        self.apply(Kind::Service, OBJECT, &spec);
    }

    fn settle(&mut self) {
        settle(&mut self.world, self.now).unwrap();
    }

    fn plan(&self, moment: &Moment) -> Plan {
        plan_for(&self.world, &ObjectKey::new(Kind::Service, NAMESPACE, OBJECT), moment)
    }

    /// Lets changed inputs stay as they are, and everything happen that follows.
    fn be_still(&mut self) {
        self.settle();
        let waiting = self.plan(&Moment::at(self.now)).waiting;
        self.now += STILLNESS;
        let plan = self.plan(&Moment { waiting, ..Moment::at(self.now) });
        for write in plan.writes {
            self.world.carry_out(&write).unwrap();
        }
        self.settle();
    }

    /// Lets the Deployment's controller finish its roll.
    fn finish(&mut self) {
        let key = self.deployment_key();
        let mut body = self.world.body(&key).unwrap();
        let replicas = body["spec"]["replicas"].clone();
        for count in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
            set(&mut body, &["status", count], replicas.clone());
        }
        let generation = body["metadata"]["generation"].clone();
        set(&mut body, &["status", "observedGeneration"], generation);
        let set_of_it = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "frontend-rs", "namespace": NAMESPACE,
                "labels": {label::SERVICE_UID: "uid-front"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "controller": true,
                    "name": key.name, "uid": body["metadata"]["uid"]}]},
            "spec": {"replicas": replicas, "selector": {}},
            "status": {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas},
        });
        self.world.put(Kind::Deployment, body).unwrap();
        self.world.put(Kind::ReplicaSet, set_of_it).unwrap();
        self.settle();
    }

    /// The sequence of the newest record.
    fn newest(&self) -> i64 {
        self.records().last().map_or(0, |(sequence, _)| *sequence)
    }

    fn body(&self, kind: Kind, name: &str) -> Value {
        self.world.body(&ObjectKey::new(kind, NAMESPACE, name)).unwrap_or_default()
    }

    /// The key of its one Deployment; where it has none or several, that of no provider.
    fn deployment_key(&self) -> ObjectKey {
        let found: Vec<ObjectKey> = self.world.deployments.keys().collect();
        if let [only] = found.as_slice() {
            return only.clone();
        }
        let name = crate::names::workload("frontend", "uid-front", "", "blue");
        ObjectKey::new(Kind::Deployment, NAMESPACE, &name)
    }

    fn deployment(&self) -> Value {
        self.world.body(&self.deployment_key()).unwrap_or_default()
    }

    fn records(&self) -> Vec<(i64, Cause)> {
        let mut records: Vec<_> = self
            .world
            .records
            .find(&Index::service("shop", "uid-front"))
            .iter()
            .map(|record| (record.spec.sequence, record.spec.cause))
            .collect();
        records.sort_by_key(|(sequence, _)| *sequence);
        records
    }

    /// The reason and message of the Service's `Ready`, and whether it is stalled.
    fn ready(&self, name: &str) -> (String, String, bool) {
        let status = self.body(Kind::Service, name)["status"].clone();
        let condition = |kind: &str| {
            let all = status["conditions"].as_array().unwrap();
            all.iter().find(|condition| condition["type"] == kind).unwrap().clone()
        };
        let text = |member: &str| condition("Ready")[member].as_str().unwrap().to_owned();
        (text("reason"), text("message"), condition("Stalled")["status"] == "True")
    }
}

#[test]
fn the_first_deployment_starts_at_once() {
    let scene = Scene::usual();
    assert_eq!(scene.records(), [(1, Cause::ServiceCreated)]);
    assert_eq!(scene.deployment()["spec"]["replicas"], 4);
    assert_eq!(scene.body(Kind::Endpoints, "frontend")["spec"]["ports"][0]["port"], 80);
    assert_eq!(scene.ready(OBJECT).0, "DeploymentInProgress");
}

#[test]
fn only_what_starts_a_deployment_in_ecs_starts_one() {
    let balancer = json!([{"targetGroupArn": "arn", "containerName": "main", "containerPort": 80}]);
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
    let volumes = json!([{"name": "data", "managedEBSVolume": {"roleArn": "arn", "sizeInGiB": 1}}]);
    for (member, value, starts) in [
        ("placementConstraints", json!([{"type": "distinctInstance"}]), false),
        ("placementStrategy", json!([{"type": "random"}]), false),
        ("deploymentConfiguration", json!({"minimumHealthyPercent": 50}), false),
        ("desiredCount", json!(7), false),
        ("tags", json!([{"key": "a", "value": "b"}]), false),
        ("propagateTags", json!("SERVICE"), false),
        ("enableECSManagedTags", json!(true), false),
        ("healthCheckGracePeriodSeconds", json!(60), false),
        ("unheardOf", json!(1), false),
        ("platformVersion", json!(null), false),
        ("loadBalancers", json!([]), false),
        ("networkConfiguration", json!({}), false),
        ("launchType", json!(""), false),
        ("taskDefinition", json!("arn:aws:ecs:eu-west-1:123456789012:task-definition/Web"), false),
        ("taskDefinition", json!("Web:1"), false),
        ("launchType", json!("EC2"), true),
        ("loadBalancers", balancer, true),
        ("networkConfiguration", network, true),
        ("platformVersion", json!("1.4.0"), true),
        ("volumeConfigurations", volumes, true),
        ("capacityProviderStrategy", json!([{"capacityProvider": "spot"}]), true),
    ] {
        let mut scene = Scene::usual();
        // Before it is completed, more goes in.
        scene.finish();
        scene.change(member, value.clone());
        scene.be_still();
        let expected: &[_] = if starts { &[(2, Cause::ServiceUpdated)] } else { &[] };
        let mut records = scene.records();
        records.retain(|(sequence, _)| *sequence > 1);
        assert_eq!(records, expected, "{member}: {value}");
    }
}

#[test]
fn a_new_revision_starts_a_deployment_where_the_family_is_followed() {
    let mut changed = task_definition();
    changed["containerDefinitions"][0]["image"] = json!("example:2");
    for (reference, records) in [("Web", 2), ("Web:1", 1)] {
        let mut scene = Scene::usual();
        scene.change("taskDefinition", json!(reference));
        scene.apply(Kind::TaskDefinition, "web", &changed);
        scene.be_still();
        assert_eq!(scene.newest(), records, "{reference}");
        let image = &scene.deployment()["spec"]["template"]["spec"]["containers"][0]["image"];
        assert_eq!(image, &format!("example:{records}"), "{reference}");
    }
}

#[test]
fn a_running_task_never_changes_without_a_deployment() {
    let mut scene = Scene::usual();
    let template = scene.deployment()["spec"]["template"].clone();
    scene.world.server_minor = Some(33);
    scene.change("desiredCount", json!(2));
    scene.be_still();
    assert_eq!(scene.deployment()["spec"]["template"], template, "of another Kubernetes");
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn changed_inputs_wait_until_they_have_been_still_for_a_second() {
    let mut scene = Scene::usual();
    let at = |scene: &Scene, millis: i64, waiting: Option<Waiting>| {
        let now = scene.now + SignedDuration::from_millis(millis);
        scene.plan(&Moment { waiting, ..Moment::at(now) })
    };
    let starts = |plan: &Plan| plan.writes.iter().any(|write| matches!(write, Write::Create(_)));
    scene.change("platformVersion", json!("1.4.0"));
    let first = at(&scene, 0, None);
    assert!(!starts(&first));
    assert_eq!(first.wake_at, Some(scene.now + STILLNESS));
    let waiting = first.waiting.clone().unwrap();
    assert_eq!(waiting.since, scene.now);

    let early = at(&scene, 999, Some(waiting.clone()));
    assert!(!starts(&early));
    assert_eq!(early.waiting, Some(waiting.clone()), "the second is counted from the first sight");

    scene.change("platformVersion", json!("1.3.0"));
    let other = at(&scene, 1000, Some(waiting.clone()));
    assert!(!starts(&other), "they are other inputs now");
    assert_ne!(other.waiting.unwrap().inputs, waiting.inputs);

    scene.change("platformVersion", json!("1.4.0"));
    assert!(starts(&at(&scene, 1000, Some(waiting.clone()))));

    scene.change("platformVersion", json!(null));
    let back = at(&scene, 500, Some(waiting));
    assert!(!starts(&back) && back.waiting.is_none(), "back to what is there: nothing to wait for");
}

#[test]
fn to_force_a_deployment_again_the_flag_must_have_been_false() {
    let mut spec = service();
    spec["forceNewDeployment"] = json!(true);
    let mut scene = Scene::of(&task_definition(), &spec);
    scene.be_still();
    assert_eq!(scene.records().len(), 1, "the first deployment has it in it");
    for (flag, records) in [(true, 1), (false, 1), (true, 2), (true, 2), (false, 2), (true, 3)] {
        scene.change("forceNewDeployment", json!(flag));
        scene.be_still();
        assert_eq!(scene.newest(), records, "{flag}");
    }
    assert_eq!(*scene.records().last().unwrap(), (3, Cause::ForceNewDeployment));
}

#[test]
fn a_new_value_of_the_annotation_forces_a_deployment() {
    let mut scene = Scene::usual();
    for (nonce, records) in [("1", 2), ("1", 2), ("2", 3)] {
        let mut body = scene.body(Kind::Service, OBJECT);
        set(&mut body, &["metadata", "annotations", annotation::FORCE_NEW_DEPLOYMENT], nonce);
        scene.world.put(Kind::Service, body).unwrap();
        scene.be_still();
        assert_eq!(scene.newest(), records, "{nonce}");
    }
}

#[test]
fn counts_and_percents_apply_at_once() {
    let mut scene = Scene::usual();
    let bounds = |scene: &Scene| {
        let rolling = scene.deployment()["spec"]["strategy"]["rollingUpdate"].clone();
        let numbers = |name: &str| rolling[name].as_i64().unwrap();
        (numbers("maxUnavailable"), numbers("maxSurge"))
    };
    scene.finish();
    assert_eq!(bounds(&scene), (0, 4));
    scene.change(
        "deploymentConfiguration",
        json!({"minimumHealthyPercent": 50, "maximumPercent": 150}),
    );
    for (desired, expected) in [(3, (1, 1)), (10, (5, 5))] {
        scene.change("desiredCount", json!(desired));
        scene.settle();
        assert_eq!(bounds(&scene), expected, "{desired}");
        assert_eq!(scene.deployment()["spec"]["replicas"], desired);
        scene.finish();
    }
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn a_drain_always_finds_a_task_that_may_go() {
    for (desired, minimum, floor) in
        [(0, 100, 0), (1, 100, 0), (2, 100, 1), (4, 50, 2), (3, 50, 2), (5, 0, 0)]
    {
        let mut spec = service();
        spec["desiredCount"] = json!(desired);
        spec["deploymentConfiguration"] = json!({"minimumHealthyPercent": minimum});
        let scene = Scene::of(&task_definition(), &spec);
        let budgets: Vec<_> = scene.world.disruption_budgets.iter().collect();
        let budget = json!(budgets[0].spec);
        assert_eq!(budget["minAvailable"], floor, "{minimum} % of {desired}");
    }
}

#[test]
fn example_8_forty_seconds_count_only_where_nothing_else_tells_health() {
    let check = json!({"command": ["CMD", "check"]});
    let ready_after = |essential: Option<bool>, balanced: bool| {
        let mut task = task_definition();
        match essential {
            Some(true) => task["containerDefinitions"][0]["healthCheck"] = check.clone(),
            Some(false) => task["containerDefinitions"].as_array_mut().unwrap().push(json!({
                "name": "side", "image": "example", "essential": false, "healthCheck": check,
            })),
            None => {}
        }
        let mut spec = service();
        if balanced {
            spec["loadBalancers"] = json!([{"containerName": "main", "containerPort": 80}]);
        }
        Scene::of(&task, &spec).deployment()["spec"]["minReadySeconds"].clone()
    };
    assert_eq!(ready_after(None, false), 40);
    assert_eq!(ready_after(Some(true), false), 0);
    assert_eq!(ready_after(Some(false), false), 40, "a sidecar's check is not the task's");
    assert_eq!(ready_after(None, true), 0);
}

#[test]
fn of_two_services_of_one_name_the_older_has_it() {
    let mut scene = Scene::usual();
    let before = scene.deployment();
    scene.now += SignedDuration::from_secs(5);
    scene.apply(Kind::Service, "a-later-one", &service());
    scene.settle();
    let (reason, message, stalled) = scene.ready("a-later-one");
    assert!(reason == "NameTaken" && stalled && message.contains(OBJECT), "{message}");
    assert_eq!(scene.world.deployments.len(), 1);
    assert_eq!(scene.deployment(), before);
    assert_eq!(scene.ready(OBJECT).0, "DeploymentInProgress");

    // In another cluster it is another service; only the corev1 Service cannot be had twice.
    let mut elsewhere = service();
    elsewhere["cluster"] = json!("other");
    scene.apply(Kind::Service, "a-later-one", &elsewhere);
    scene.settle();
    assert_eq!(scene.ready("a-later-one").0, "ChildConflict");
    assert_eq!(scene.world.deployments.len(), 2);
}

#[test]
fn a_task_definition_that_is_not_there_is_waited_for() {
    let mut scene = Scene::usual();
    for (reference, told) in [
        ("Other", "no TaskDefinition of family `Other`"),
        ("Web:9", "the newest is Web:1"),
        ("web", "no TaskDefinition of family `web`"),
    ] {
        scene.change("taskDefinition", json!(reference));
        scene.be_still();
        let (reason, message, stalled) = scene.ready(OBJECT);
        assert!(reason == "TaskDefinitionNotFound" && stalled, "{reason}");
        assert!(message.starts_with("taskDefinition: ") && message.contains(told), "{message}");
        assert_eq!(scene.records().len(), 1, "{reference}");
        assert_eq!(scene.deployment()["spec"]["replicas"], 4);
    }
    let mut other = task_definition();
    other["family"] = json!("Other");
    scene.apply(Kind::TaskDefinition, "other", &other);
    scene.change("taskDefinition", json!("Other"));
    scene.be_still();
    assert_eq!(scene.records().last(), Some(&(2, Cause::TaskDefinitionChanged)));
}

#[test]
fn what_is_refused_changes_no_running_child() {
    let mut scene = Scene::usual();
    let before = scene.deployment();
    scene.apply(Kind::TaskDefinition, "web", &json!({"family": "Web", "containerDefinitions": []}));
    scene.be_still();
    assert_eq!((scene.records().len(), scene.deployment()), (1, before.clone()));
    assert_eq!(scene.ready(OBJECT).0, "DeploymentInProgress", "the last good revision stays");

    scene.change("desiredCount", json!(-1));
    scene.be_still();
    assert_eq!((scene.records().len(), scene.deployment()), (1, before.clone()));
    let (reason, message, stalled) = scene.ready(OBJECT);
    assert!(reason == "InvalidSpec" && stalled, "{reason}");
    assert!(message.contains("desiredCount is -1"), "{message}");

    scene.change("desiredCount", json!(4));
    let strategy = json!([{"capacityProvider": "FARGATE", "weight": 1}]);
    scene.change("launchType", json!("FARGATE"));
    scene.change("capacityProviderStrategy", strategy);
    scene.be_still();
    assert!(
        scene.ready(OBJECT).1.contains("launchType: is given beside a capacityProviderStrategy")
    );
    scene.change("capacityProviderStrategy", json!([]));
    scene.change("launchType", json!(null));

    scene.change("loadBalancers", json!([{"containerName": "nobody", "containerPort": 80}]));
    scene.be_still();
    assert_eq!((scene.records().len(), scene.deployment()), (1, before));
    assert!(scene.ready(OBJECT).1.contains("is no container of Web; it has main"));

    let first = Scene::of(&json!({"family": "Web"}), &service());
    assert_eq!(first.ready(OBJECT).0, "TaskDefinitionRefused");
    assert!(first.records().is_empty());
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let mut scene = Scene::usual();
    let foreign = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "frontend", "namespace": NAMESPACE, "uid": "by-hand"},
        "spec": {"selector": {"app": "other"}},
    });
    scene.world.put(Kind::Endpoints, foreign).unwrap();
    let before = scene.body(Kind::Endpoints, "frontend");
    scene.change("desiredCount", json!(6));
    scene.be_still();
    assert_eq!(scene.body(Kind::Endpoints, "frontend"), before);
    let (reason, message, stalled) = scene.ready(OBJECT);
    assert!(reason == "ChildConflict" && stalled, "{reason}");
    assert!(message.contains("Service shop/frontend is in the way: it was not made by Linkspan"));
    assert_eq!(scene.deployment()["spec"]["replicas"], 6, "the others go on");

    scene.world.remove(&ObjectKey::new(Kind::Endpoints, NAMESPACE, "frontend"));
    scene.settle();
    assert_eq!(scene.body(Kind::Endpoints, "frontend")["spec"]["ports"][0]["port"], 80);
    assert_eq!(scene.ready(OBJECT).0, "DeploymentInProgress");
}

#[test]
fn a_child_of_a_deleted_service_is_waited_for() {
    let mut scene = Scene::usual();
    let mut child = scene.body(Kind::Endpoints, "frontend");
    set(&mut child, &["metadata", "uid"], "the-old-one");
    child["metadata"]["ownerReferences"][0]["uid"] = json!("a-dead-one");
    scene.world.put(Kind::Endpoints, child.clone()).unwrap();
    scene.settle();
    assert_eq!(scene.body(Kind::Endpoints, "frontend"), child);
    let (reason, _, stalled) = scene.ready(OBJECT);
    assert!(reason == "WaitingForDeletion" && !stalled, "{reason}");
    assert!(scene.plan(&Moment::at(scene.now)).wake_at.is_some());
}

#[test]
fn a_drifted_child_is_repaired_and_fields_of_others_stay() {
    let mut scene = Scene::usual();
    let key = scene.deployment_key();
    let before = scene.deployment();
    let mut drifted = before.clone();
    drifted["spec"]["template"]["spec"]["containers"][0]["image"] = json!("evil");
    scene.world.put(Kind::Deployment, drifted).unwrap();
    let writes = scene.plan(&Moment::at(scene.now)).writes;
    assert!(matches!(&writes[..], [Write::Apply(intent)] if intent.key == key), "{writes:?}");
    scene.settle();
    let mut others = scene.deployment();
    assert_eq!(others["spec"], before["spec"]);

    set(&mut others, &["spec", "paused"], false);
    set(&mut others, &["metadata", "annotations", "other/manager"], "x");
    others["spec"]["template"]["spec"]["dnsPolicy"] = json!("ClusterFirst");
    scene.world.put(Kind::Deployment, others).unwrap();
    assert_eq!(scene.plan(&Moment::at(scene.now)).writes, []);
}

#[test]
fn a_lost_record_is_rebuilt_from_its_workload() {
    let mut scene = Scene::usual();
    scene.change("platformVersion", json!("1.4.0"));
    scene.be_still();
    let before = scene.deployment();
    let template = scene.world.records.iter().last().unwrap().spec.template.clone();
    for (sequence, _) in scene.records() {
        let name = crate::names::record("frontend", "uid-front", sequence);
        scene.world.remove(&ObjectKey::new(Kind::ServiceDeployment, NAMESPACE, &name));
    }
    scene.be_still();
    assert_eq!(scene.records(), [(2, Cause::Restored)]);
    assert_eq!(scene.world.records.iter().last().unwrap().spec.template, template);
    // The annotation now says what was restored; nothing of the tasks has changed.
    assert_eq!(scene.deployment()["spec"], before["spec"]);
}

#[test]
fn a_spoilt_annotation_costs_the_record_and_nothing_else() {
    for spoilt in ["[1]", "\"text\"", "{", "{\"sequence\": 1}", "null"] {
        let mut scene = Scene::usual();
        let mut body = scene.deployment();
        set(&mut body, &["metadata", "annotations", annotation::RECORD], spoilt);
        scene.world.put(Kind::Deployment, body).unwrap();
        let name = crate::names::record("frontend", "uid-front", 1);
        scene.world.remove(&ObjectKey::new(Kind::ServiceDeployment, NAMESPACE, &name));
        scene.be_still();
        assert_eq!(scene.records(), [(2, Cause::ServiceCreated)], "{spoilt}: 1 is handed out");
    }
}

#[test]
fn a_record_of_another_service_is_not_restored() {
    let mut scene = Scene::usual();
    let mut body = scene.deployment();
    let kept = body["metadata"]["annotations"][annotation::RECORD].as_str().unwrap();
    let other = kept.replace("uid-front", "uid-other").replace("\"sequence\":1", "\"sequence\":9");
    set(&mut body, &["metadata", "annotations", annotation::RECORD], other);
    scene.world.put(Kind::Deployment, body).unwrap();
    scene.be_still();
    assert_eq!(scene.records(), [(1, Cause::ServiceCreated)]);
}

#[test]
fn records_that_nothing_needs_any_more_go_when_the_roll_is_over() {
    let mut scene = Scene::usual();
    scene.finish();
    for platform in ["1.3.0", "1.4.0"] {
        scene.change("platformVersion", json!(platform));
        scene.be_still();
    }
    let sequences = |scene: &Scene| {
        scene.records().into_iter().map(|(sequence, _)| sequence).collect::<Vec<_>>()
    };
    assert_eq!(sequences(&scene), [1, 3], "the last completed one, and the newest");
    scene.finish();
    assert_eq!(sequences(&scene), [3]);
    let newest = scene.world.records.iter().last().unwrap().status.clone().unwrap();
    assert_eq!(newest.rollout_state, Some(RolloutState::Completed));
    assert_eq!(scene.ready(OBJECT).0, "SteadyState");
    let status = scene.body(Kind::Service, OBJECT)["status"].clone();
    assert_eq!(
        status["deployments"].as_array().unwrap().len(),
        3,
        "the status still tells of them"
    );
    assert_eq!(status["deployments"][0]["rolloutState"], "COMPLETED");
}

#[test]
fn a_record_with_a_running_task_stays() {
    let mut scene = Scene::usual();
    scene.finish();
    scene.change("platformVersion", json!("1.4.0"));
    scene.be_still();
    let mut pod = scene.deployment()["spec"]["template"].clone();
    set(&mut pod, &["metadata", "name"], "straggler");
    set(&mut pod, &["metadata", "namespace"], NAMESPACE);
    set(&mut pod, &["metadata", "labels", crate::names::label::DEPLOYMENT], "1");
    scene.world.put(Kind::Pod, pod).unwrap();
    scene.finish();
    assert_eq!(scene.records().len(), 2);
    scene.world.remove(&ObjectKey::new(Kind::Pod, NAMESPACE, "straggler"));
    scene.settle();
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn a_record_that_cannot_be_read_holds_everything() {
    let mut scene = Scene::usual();
    let before = scene.deployment();
    let labels = [(crate::names::label::SERVICE_UID.to_owned(), "uid-front".to_owned())].into();
    let key = ObjectKey::new(Kind::ServiceDeployment, NAMESPACE, "of-a-newer-version");
    let unreadable = crate::world::Unreadable {
        uid: "r".to_owned(),
        generation: Some(1),
        created: None,
        labels,
        message: "missing field".to_owned(),
    };
    scene.world.unreadable.insert(key, unreadable);
    scene.change("platformVersion", json!("1.4.0"));
    let writes = scene.plan(&Moment::at(scene.now + STILLNESS)).writes;
    assert!(matches!(writes[..], [Write::Status { .. }]), "{writes:?}");
    assert_eq!(scene.deployment(), before);
}

#[test]
fn a_service_that_is_being_deleted_drains() {
    let mut scene = Scene::usual();
    let mut body = scene.body(Kind::Service, OBJECT);
    set(&mut body, &["metadata", "deletionTimestamp"], scene.now.to_string());
    scene.world.put(Kind::Service, body).unwrap();
    let writes = scene.plan(&Moment::at(scene.now)).writes;
    assert!(matches!(writes[..], [Write::Status { .. }]), "{writes:?}");
    scene.settle();
    let status = scene.body(Kind::Service, OBJECT)["status"].clone();
    assert_eq!((&status["status"], &status["desiredCount"]), (&json!("DRAINING"), &json!(0)));
}

#[test]
fn without_ports_there_is_no_corev1_service() {
    let mut scene = Scene::usual();
    let mut silent = task_definition();
    silent["containerDefinitions"][0]["portMappings"] = json!([]);
    scene.apply(Kind::TaskDefinition, "web", &silent);
    scene.be_still();
    assert!(scene.world.endpoints.is_empty(), "the one of before is gone");
}

#[test]
fn findings_are_what_the_plan_acts_on() {
    let mut scene = Scene::usual();
    scene.change("desiredCount", json!("many"));
    scene.change("loadBalancers", json!([{"containerName": "nobody", "containerPort": 80}]));
    let key = ObjectKey::new(Kind::Service, NAMESPACE, OBJECT);
    let found = findings(&scene.world, &key);
    let paths: Vec<_> = found.refusals().map(|finding| finding.path.as_str()).collect();
    assert_eq!(paths, ["desiredCount", "loadBalancers[0].containerName"]);
    let nobody = ObjectKey::new(Kind::Service, NAMESPACE, "nobody");
    assert!(findings(&scene.world, &nobody).0.is_empty());
}
