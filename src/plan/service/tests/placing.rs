//! Where tasks run, and what of that waits for the next deployment.

use super::*;

fn pods(scene: &Scene) -> Value {
    scene.deployment()["spec"]["template"]["spec"].clone()
}

/// A CapacityProvider of nodes with this label.
fn provider(scene: &mut Scene, name: &str, pool: &str) {
    let body = json!({
        "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "CapacityProvider",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": 1},
        "spec": {"managedNodeGroup": {}, "kubernetes": {"nodeSelector": {"pool": pool}}},
    });
    scene.world.put(Kind::CapacityProvider, body).unwrap();
}

fn of_group() -> Value {
    let mut service = service();
    service["capacityProviderStrategy"] = json!([{"capacityProvider": "group", "weight": 1}]);
    service
}

/// The values of a label of which nodes must have one.
fn node_terms(pods: &Value) -> &Value {
    &pods["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
}

fn pending(scene: &Scene) -> Vec<String> {
    let status = scene.body(Kind::Service, OBJECT)["status"].clone();
    let lines = status["pendingTemplateChanges"].as_array().cloned().unwrap_or_default();
    lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

fn force(scene: &mut Scene, nonce: &str) {
    let mut body = scene.body(Kind::Service, OBJECT);
    set(&mut body, &["metadata", "annotations", annotation::FORCE_NEW_DEPLOYMENT], nonce);
    scene.world.put(Kind::Service, body).unwrap();
    scene.be_still();
}

#[test]
fn tasks_run_on_the_nodes_of_their_provider_that_meet_all_constraints() {
    let mut definition = task_definition();
    definition["placementConstraints"] =
        json!([{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}]);
    let mut asked = of_group();
    asked["placementConstraints"] = json!([{"type": "distinctInstance"},
        {"type": "memberOf", "expression": "attribute:ecs.availability-zone in [a, b]"}]);
    asked["placementStrategy"] = json!([{"type": "spread", "field": "instanceId"}]);
    let mut scene = Scene::of(&definition, &asked);
    provider(&mut scene, "group", "big");
    scene.be_still();
    let pods = pods(&scene);
    let expressions = node_terms(&pods)[0]["matchExpressions"].as_array().unwrap();
    let keys: Vec<&str> = expressions.iter().map(|one| one["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["pool", "kubernetes.io/os", "topology.kubernetes.io/zone"]);
    let apart =
        &pods["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    assert_eq!(apart[0]["topologyKey"], "kubernetes.io/hostname");
    assert_eq!(
        apart[0]["labelSelector"]["matchLabels"],
        json!({label::SERVICE_UID: "uid-front"}),
        "whatever their revision"
    );
    assert_eq!(pods["topologySpreadConstraints"][0]["whenUnsatisfiable"], "ScheduleAnyway");
}

#[test]
fn a_provider_that_comes_later_mends_a_deployment_that_is_not_completed() {
    let mut scene = Scene::of(&task_definition(), &of_group());
    assert_eq!(node_terms(&pods(&scene)).as_array().unwrap().len(), 5, "the pool of that name");
    provider(&mut scene, "group", "big");
    scene.be_still();
    assert_eq!(scene.records(), [(2, Cause::HeldInputsChanged)]);
    assert_eq!(node_terms(&pods(&scene))[0]["matchExpressions"][0]["values"], json!(["big"]));
    assert_eq!(pending(&scene), [""; 0]);
}

#[test]
fn what_needs_the_template_waits_for_the_next_deployment_and_says_how_to_start_one() {
    let mut scene = Scene::of(&task_definition(), &of_group());
    provider(&mut scene, "group", "big");
    scene.be_still();
    scene.finish();
    assert_eq!((scene.newest(), scene.ready(OBJECT).0.as_str()), (2, "SteadyState"));
    let before = pods(&scene);

    provider(&mut scene, "group", "small");
    scene.change("placementConstraints", json!([{"type": "distinctInstance"}]));
    scene.be_still();
    assert_eq!((scene.newest(), pods(&scene)), (2, before.clone()));
    let lines = pending(&scene);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("matchExpressions[0].values[0]: \"big\" becomes \"small\""),
        "{lines:?}"
    );
    assert!(lines[1].contains("podAntiAffinity: nothing becomes an object"), "{lines:?}");
    let (reason, message, _) = scene.ready(OBJECT);
    assert_eq!(reason, "SteadyState");
    assert!(message.contains("2 changes of their pods wait for the next deployment"), "{message}");
    assert!(message.contains("esvc/front ecs.linkspan.dev/force-new-deployment="), "{message}");

    // Counts are no change of pods, and what goes back is none.
    scene.change("desiredCount", json!(5));
    scene.change("placementConstraints", json!([]));
    provider(&mut scene, "group", "big");
    scene.be_still();
    assert_eq!(pending(&scene), [""; 0]);

    provider(&mut scene, "group", "small");
    force(&mut scene, "now");
    assert_eq!(scene.records().last(), Some(&(3, Cause::ForceNewDeployment)));
    assert_eq!(node_terms(&pods(&scene))[0]["matchExpressions"][0]["values"], json!(["small"]));
    assert_eq!(pending(&scene), [""; 0]);
}

#[test]
fn where_there_are_no_nodes_none_can_be_chosen() {
    let mut definition = task_definition();
    definition["requiresCompatibilities"] = json!(["FARGATE"]);
    definition["networkMode"] = json!("awsvpc");
    definition["cpu"] = json!("256");
    definition["memory"] = json!("512");
    let mut asked = service();
    asked["launchType"] = json!("FARGATE");
    asked["placementStrategy"] = json!([{"type": "random"}]);
    let scene = Scene::of(&definition, &asked);
    let (reason, message, stalled) = scene.ready(OBJECT);
    assert!(reason == "InvalidSpec" && stalled, "{reason}");
    assert!(message.starts_with("placementStrategy: is not for Fargate"), "{message}");

    definition["placementConstraints"] =
        json!([{"type": "memberOf", "expression": "agentConnected == true"}]);
    let scene = Scene::of(&definition, &service());
    assert!(scene.ready(OBJECT).1.contains("TaskDefinition Web has no revision"));
}

#[test]
fn an_expression_that_cannot_be_asked_for_is_refused_where_it_stands() {
    let pattern = json!([{"type": "memberOf", "expression": "runningTasksCount < 3"}]);
    let mut asked = service();
    asked["placementConstraints"] = pattern.clone();
    let scene = Scene::of(&task_definition(), &asked);
    let (reason, message, _) = scene.ready(OBJECT);
    assert_eq!(reason, "InvalidSpec");
    assert!(
        message.starts_with("placementConstraints[0].expression is `runningTasksCount < 3`"),
        "{message}"
    );

    let mut definition = task_definition();
    definition["placementConstraints"] = pattern;
    let scene = Scene::of(&definition, &service());
    assert_eq!(scene.ready(OBJECT).0, "TaskDefinitionRefused");
    let refused =
        scene.body(Kind::TaskDefinition, "web")["status"]["conditions"][0]["message"].clone();
    assert!(
        refused.as_str().unwrap().starts_with("placementConstraints[0].expression is"),
        "{refused}"
    );
}

/// Puts in a record of another service, in this namespace, whose tasks go only where so many
/// expressions hold that need a label.
fn asks(scene: &mut Scene, namespace: &str, patterns: std::ops::Range<usize>) {
    let constraints: Vec<Value> = patterns
        .map(|n| {
            let expression = format!("attribute:ecs.instance-type =~ m5.*|{namespace}{n}");
            json!({"type": "memberOf", "expression": expression})
        })
        .collect();
    let requested = json!({"taskDefinition": "other", "placementConstraints": constraints});
    let keys = crate::plan::node::said_by_label(&requested).into_iter();
    let terms: Vec<Value> =
        keys.map(|(key, _)| json!({"key": key, "operator": "In", "values": ["true"]})).collect();
    let record = json!({
        "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "ServiceDeployment",
        "metadata": {"name": "other-1", "namespace": namespace, "uid": namespace},
        "spec": {"service": {"name": "other", "uid": "u"}, "sequence": 1, "cause": "ServiceCreated",
            "taskDefinition": "other:1", "requested": requested, "features": {"kubernetesMinor": 36},
            "template": {"spec": {"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution":
                    {"nodeSelectorTerms": [{"matchExpressions": terms}]}}}}}},
    });
    scene.world.put(Kind::ServiceDeployment, record).unwrap();
}

/// How a service stands that asks for this pattern, where others have so many expressions, by
/// namespace.
fn beside(others: &[(&str, usize)], pattern: &str) -> (String, String) {
    let mut scene = Scene::usual();
    scene.world.writes_nodes = true;
    for (namespace, count) in others {
        asks(&mut scene, namespace, 0..*count);
    }
    let expression = format!("attribute:ecs.instance-type =~ {pattern}");
    let constraint = json!([{"type": "memberOf", "expression": expression}]);
    scene.change("placementConstraints", constraint);
    scene.be_still();
    let (reason, message, _) = scene.ready(OBJECT);
    (reason, message)
}

#[test]
fn no_namespace_takes_the_labels_of_all_expressions() {
    let is_taken = |others: &[(&str, usize)], pattern| {
        let (reason, message) = beside(others, pattern);
        assert!(reason == "InvalidSpec" || reason == "DeploymentInProgress", "{reason}: {message}");
        reason != "InvalidSpec"
    };
    assert!(is_taken(&[(NAMESPACE, 31)], "c5.*"));
    assert!(!is_taken(&[(NAMESPACE, 32)], "c5.*"), "half of all");
    assert!(is_taken(&[(NAMESPACE, 32)], "m5.*|shop7"), "one that is in use");
    assert!(is_taken(&[("else", 32)], "c5.*"), "by another");
    assert!(is_taken(&[("else", 32), (NAMESPACE, 15)], "c5.*"));
    assert!(!is_taken(&[("else", 32), (NAMESPACE, 16)], "c5.*"), "half of what was left");
    assert!(is_taken(&[("else", 63)], "c5.*"), "the last is for who has none");
    assert!(!is_taken(&[("else", 64)], "c5.*"));
    let (_, message) = beside(&[("else", 8), (NAMESPACE, 40)], "c5.*");
    assert!(
        message.contains(
            "64 expressions can have one, 48 have one, 40 of them in namespace shop, and a namespace \
             leaves as many free as it has"
        ),
        "{message}"
    );
}
