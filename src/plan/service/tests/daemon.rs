//! One task on each node: what the DaemonSet says, and what a change of it starts.

use super::*;

fn daemon() -> Value {
    json!({"serviceName": "frontend", "taskDefinition": "Web", "schedulingStrategy": "DAEMON",
        "desiredCount": 4})
}

fn key() -> ObjectKey {
    let name = crate::names::workload("frontend", "uid-front", "", "blue");
    ObjectKey::new(Kind::DaemonSet, NAMESPACE, &name)
}

fn provider(scene: &mut Scene, name: &str) {
    let body = json!({
        "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "CapacityProvider",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": 1},
        "spec": {"managedNodeGroup": {}, "kubernetes": {"nodeSelector": {"pool": name}}},
    });
    scene.world.put(Kind::CapacityProvider, body).unwrap();
}

/// Lets the DaemonSet's controller come to these numbers: nodes, placed, updated, available.
fn become_so(scene: &mut Scene, [nodes, placed, updated, available]: [i32; 4]) {
    let mut body = scene.world.body(&key()).unwrap();
    let generation = body["metadata"]["generation"].clone();
    body["status"] = json!({"desiredNumberScheduled": nodes, "currentNumberScheduled": placed,
        "numberMisscheduled": 0, "updatedNumberScheduled": updated, "numberReady": available,
        "numberAvailable": available, "observedGeneration": generation});
    scene.world.put(Kind::DaemonSet, body).unwrap();
    scene.settle();
}

fn terms(scene: &Scene) -> Vec<Value> {
    let body = scene.world.body(&key()).unwrap();
    let affinity = &body["spec"]["template"]["spec"]["affinity"]["nodeAffinity"];
    let terms = &affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    terms.as_array().unwrap().clone()
}

#[test]
fn there_is_one_daemon_set_and_nothing_else() {
    let mut scene = Scene::of(&task_definition(), &daemon());
    assert_eq!(scene.world.deployments.keys().count(), 0);
    assert_eq!(scene.world.disruption_budgets.keys().count(), 0);
    assert_eq!(
        terms(&scene),
        [json!({"matchExpressions":
        [{"key": "placement.ecs.linkspan.dev/draining", "operator": "DoesNotExist"}]})]
    );
    assert_eq!(scene.ready(OBJECT).0, "DeploymentInProgress");
    become_so(&mut scene, [3, 3, 3, 3]);
    assert_eq!(scene.ready(OBJECT).0, "SteadyState");
    let status = scene.body(Kind::Service, OBJECT)["status"].clone();
    assert_eq!(status["desiredCount"], 3);
    assert_eq!(status["deployments"][0]["rolloutState"], "COMPLETED");
    // A count of one's own changes nothing.
    scene.change("desiredCount", json!(9));
    scene.be_still();
    assert_eq!((scene.newest(), scene.ready(OBJECT).0.as_str()), (1, "SteadyState"));
}

#[test]
fn tasks_run_on_the_nodes_of_all_its_providers() {
    let mut scene = Scene::of(&task_definition(), &daemon());
    provider(&mut scene, "big");
    provider(&mut scene, "small");
    become_so(&mut scene, [3, 3, 3, 3]);
    let both = json!([{"capacityProvider": "big"}, {"capacityProvider": "small", "weight": 1}]);
    scene.change("capacityProviderStrategy", both);
    scene.be_still();
    // The nodes stand in the template: it is another one.
    assert_eq!(scene.records().last(), Some(&(2, Cause::ServiceUpdated)));
    let pools = terms(&scene).into_iter().map(|term| {
        let all = term["matchExpressions"].as_array().unwrap().clone();
        assert_eq!(all[1]["key"], "placement.ecs.linkspan.dev/draining");
        all[0]["values"][0].clone()
    });
    assert_eq!(pools.collect::<Vec<_>>(), ["big", "small"]);
}

#[test]
fn where_none_may_be_away_none_is_replaced_and_that_is_said() {
    let mut scene = Scene::of(&task_definition(), &daemon());
    scene.change("deploymentConfiguration", json!({"minimumHealthyPercent": 100}));
    scene.be_still();
    become_so(&mut scene, [2, 2, 2, 2]);
    let strategy =
        |scene: &Scene| scene.world.body(&key()).unwrap()["spec"]["updateStrategy"].clone();
    assert_eq!(strategy(&scene), json!({"type": "OnDelete"}));
    assert_eq!(scene.ready(OBJECT).0, "SteadyState");
    let mut changed = task_definition();
    changed["containerDefinitions"][0]["image"] = json!("example:2");
    scene.apply(Kind::TaskDefinition, "web", &changed);
    scene.be_still();
    become_so(&mut scene, [2, 2, 0, 2]);
    let (reason, message, stalled) = scene.ready(OBJECT);
    assert_eq!((reason.as_str(), stalled), ("DeploymentBlocked", true));
    assert!(message.contains("none of 2 tasks may be away"), "{message}");
    scene.change("deploymentConfiguration", json!({}));
    scene.be_still();
    assert_eq!(
        strategy(&scene),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%", "maxSurge": 0}})
    );
}
