//! Which Deployments a service has, one for each provider, and what becomes of them.

use super::*;
use crate::names::workload;

fn over(items: &[(&str, u32, u32)]) -> Value {
    let item = |(provider, base, weight): &(&str, u32, u32)| json!({"capacityProvider": provider, "base": base, "weight": weight});
    items.iter().map(item).collect()
}

fn of(items: &[(&str, u32, u32)]) -> Value {
    let mut service = service();
    service["capacityProviderStrategy"] = over(items);
    service
}

/// The Deployment of a provider, by its label.
fn deployment(scene: &Scene, provider: &str) -> Value {
    scene.body(Kind::Deployment, &workload("frontend", "uid-front", provider, "blue"))
}

/// The providers that have a Deployment, with its count.
fn counts(scene: &Scene) -> Vec<(String, i64)> {
    let found = scene.world.deployments.iter();
    let mut counts: Vec<(String, i64)> = found
        .map(|found| {
            let spec = found.spec.clone().unwrap();
            let provider = spec.selector.match_labels.unwrap()[label::CAPACITY_PROVIDER].clone();
            (provider, spec.replicas.unwrap().into())
        })
        .collect();
    counts.sort();
    counts
}

/// Lets the controllers of all Deployments do what they are told, and all tasks become healthy.
fn act(scene: &mut Scene) {
    for _ in 0..20 {
        let before = scene.world.deployments.iter().map(|found| json!(*found)).collect::<Vec<_>>();
        for found in scene.world.deployments.iter().collect::<Vec<_>>() {
            let name = found.metadata.name.clone().unwrap();
            let mut body = scene.body(Kind::Deployment, &name);
            let replicas = body["spec"]["replicas"].clone();
            for count in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
                set(&mut body, &["status", count], replicas.clone());
            }
            let generation = body["metadata"]["generation"].clone();
            set(&mut body, &["status", "observedGeneration"], generation);
            let labels = body["spec"]["template"]["metadata"]["labels"].clone();
            let set_of_it = json!({
                "apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {"name": format!("{name}-rs"), "namespace": NAMESPACE, "labels": labels,
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment",
                        "controller": true, "name": name, "uid": body["metadata"]["uid"]}]},
                "spec": {"replicas": replicas, "selector": {}},
                "status":
                    {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas},
            });
            scene.world.put(Kind::Deployment, body).unwrap();
            scene.world.put(Kind::ReplicaSet, set_of_it).unwrap();
        }
        scene.settle();
        let after = scene.world.deployments.iter().map(|found| json!(*found)).collect::<Vec<_>>();
        if before == after {
            break;
        }
    }
}

#[test]
fn a_service_of_no_provider_keeps_its_name_and_selector() {
    let scene = Scene::usual();
    let expected = json!({label::SERVICE_UID: "uid-front", label::CAPACITY_PROVIDER: "",
        label::SLOT: "blue"});
    assert_eq!(deployment(&scene, "")["spec"]["selector"]["matchLabels"], expected);
    assert_eq!(counts(&scene), [(String::new(), 4)]);
    let record = &scene.world.records.find(&Index::service("shop", "uid-front"))[0];
    assert!(record.spec.placements.is_empty() && record.spec.template_from.is_none());
}

#[test]
fn tasks_of_a_provider_say_so_and_are_selected_by_it() {
    let mut scene = Scene::of(&task_definition(), &of(&[("Big_one", 0, 1)]));
    let found = deployment(&scene, "Big_one");
    assert_eq!(found["spec"]["selector"]["matchLabels"][label::CAPACITY_PROVIDER], "Big_one");
    let template = &found["spec"]["template"];
    assert_eq!(template["metadata"]["labels"][label::CAPACITY_PROVIDER], "Big_one");
    assert!(template["spec"]["affinity"]["nodeAffinity"].is_object(), "{template}");
    act(&mut scene);
    assert_eq!(scene.ready(OBJECT).0, "SteadyState");
    let selector = scene.body(Kind::Service, OBJECT)["status"]["selector"].clone();
    assert_eq!(selector, format!("{}=uid-front,{}=blue", label::SERVICE_UID, label::SLOT));
}

#[test]
fn tasks_are_split_as_ecs_does_and_the_record_says_how() {
    let mut asked = of(&[("a", 1, 1), ("b", 0, 3)]);
    asked["desiredCount"] = json!(9);
    let mut scene = Scene::of(&task_definition(), &asked);
    assert_eq!(counts(&scene), [("a".to_owned(), 3), ("b".to_owned(), 6)]);
    act(&mut scene);
    let record = &scene.world.records.find(&Index::service("shop", "uid-front"))[0];
    let status = record.status.clone().unwrap();
    assert_eq!(json!(status.desired_counts), json!({"a": 3, "b": 6}));
    assert_eq!(status.rollout_state, Some(RolloutState::Completed));
    scene.change("desiredCount", json!(1));
    act(&mut scene);
    assert_eq!(counts(&scene), [("a".to_owned(), 1), ("b".to_owned(), 0)]);
}

#[test]
fn other_weights_move_no_task_but_count_for_those_that_come() {
    let mut scene = Scene::of(&task_definition(), &of(&[("a", 0, 1), ("b", 0, 1)]));
    act(&mut scene);
    scene.change("capacityProviderStrategy", over(&[("a", 0, 1), ("b", 0, 3)]));
    scene.be_still();
    act(&mut scene);
    assert_eq!(scene.newest(), 1);
    assert_eq!(counts(&scene), [("a".to_owned(), 2), ("b".to_owned(), 2)]);
    scene.change("desiredCount", json!(8));
    scene.settle();
    act(&mut scene);
    assert_eq!(counts(&scene), [("a".to_owned(), 2), ("b".to_owned(), 6)]);
    // A new deployment begins with the split.
    scene.change("desiredCount", json!(4));
    act(&mut scene);
    scene.change("forceNewDeployment", json!(true));
    scene.be_still();
    act(&mut scene);
    assert_eq!(scene.newest(), 2);
    assert_eq!(counts(&scene), [("a".to_owned(), 1), ("b".to_owned(), 3)]);
}

#[test]
fn another_provider_is_a_deployment_of_the_same_template() {
    let mut scene = Scene::of(&task_definition(), &of(&[("a", 0, 1), ("b", 0, 1)]));
    act(&mut scene);
    let stays = deployment(&scene, "b")["spec"].clone();
    scene.change("capacityProviderStrategy", over(&[("b", 0, 1), ("c", 0, 1)]));
    scene.be_still();
    let records = scene.world.records.find(&Index::service("shop", "uid-front"));
    let newest = records.iter().max_by_key(|record| record.spec.sequence).unwrap();
    assert_eq!((newest.spec.sequence, newest.spec.template_from), (2, Some(1)));
    assert_eq!(newest.spec.cause, Cause::ServiceUpdated);
    act(&mut scene);
    assert_eq!(counts(&scene), [("b".to_owned(), 2), ("c".to_owned(), 2)], "a's is deleted");
    assert_eq!(deployment(&scene, "b")["spec"], stays, "not one of its tasks is restarted");
    assert_eq!(scene.ready(OBJECT).0, "SteadyState");
    let labels = deployment(&scene, "c")["spec"]["template"]["metadata"]["labels"].clone();
    assert_eq!(labels[label::DEPLOYMENT], "1", "where the template originated");
    // With anything else, all are replaced.
    let mut asked = of(&[("c", 0, 1)]);
    asked["platformVersion"] = json!("1.4.0");
    scene.apply(Kind::Service, OBJECT, &asked);
    scene.be_still();
    act(&mut scene);
    assert_eq!(counts(&scene), [("c".to_owned(), 4)]);
    let labels = deployment(&scene, "c")["spec"]["template"]["metadata"]["labels"].clone();
    assert_eq!(labels[label::DEPLOYMENT], "3");
}

#[test]
fn a_service_of_an_earlier_version_keeps_its_one_deployment_until_its_next() {
    let mut scene = Scene::of(&task_definition(), &of(&[("a", 0, 1), ("b", 0, 1)]));
    // As it was when tasks of all providers were in one.
    let name = crate::names::record("frontend", "uid-front", 1);
    let mut record = scene.body(Kind::ServiceDeployment, &name);
    record["spec"].as_object_mut().unwrap().remove("placements");
    record["status"] = json!({"rolloutState": "COMPLETED"});
    scene.world.put(Kind::ServiceDeployment, record).unwrap();
    for provider in ["a", "b"] {
        let name = workload("frontend", "uid-front", provider, "blue");
        scene.world.remove(&ObjectKey::new(Kind::Deployment, NAMESPACE, &name));
    }
    scene.settle();
    assert_eq!(counts(&scene), [(String::new(), 4)]);
    assert_eq!(scene.newest(), 1, "no deployment starts for it");
    act(&mut scene);
    scene.change("forceNewDeployment", json!(true));
    scene.be_still();
    act(&mut scene);
    assert_eq!(counts(&scene), [("a".to_owned(), 2), ("b".to_owned(), 2)]);
}

#[test]
fn a_record_that_is_lost_is_rebuilt_from_any_of_its_workloads() {
    let mut scene = Scene::of(&task_definition(), &of(&[("a", 0, 3), ("b", 0, 1)]));
    act(&mut scene);
    let before: Vec<Value> =
        scene.world.deployments.iter().map(|found| json!(found.spec)).collect();
    let name = crate::names::record("frontend", "uid-front", 1);
    scene.world.remove(&ObjectKey::new(Kind::ServiceDeployment, NAMESPACE, &name));
    act(&mut scene);
    assert_eq!(scene.records(), [(1, Cause::Restored)]);
    let after: Vec<Value> = scene.world.deployments.iter().map(|found| json!(found.spec)).collect();
    assert_eq!(after, before);
    assert_eq!(counts(&scene), [("a".to_owned(), 3), ("b".to_owned(), 1)]);
}
