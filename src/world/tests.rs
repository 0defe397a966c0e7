use serde_json::json;

use super::*;
use crate::names::label;

fn service(name: &str, spec: &Value, version: &str) -> Value {
    json!({
        "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("u-{name}"), "generation": 3,
            "resourceVersion": version,
        },
        "spec": spec,
    })
}

fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey::new(kind, "shop", name)
}

#[test]
fn an_object_is_found_by_what_it_says_now() {
    let mut world = World::default();
    world.put(Kind::Service, service("web", &json!({"taskDefinition": "a"}), "1")).unwrap();
    world.put(Kind::Service, service("web", &json!({"taskDefinition": "b:3"}), "2")).unwrap();
    let names = |family: &str| world.services.find(&Index::family("shop", family)).len();
    assert_eq!((names("a"), names("b")), (0, 1));
    assert_eq!(world.services.find(&Index::service_name("shop", "default", "web")).len(), 1);
    assert_eq!(world.services.find(&Index::family("other", "b")).len(), 0, "of its namespace only");
    world.remove(&key(Kind::Service, "web"));
    assert!(world.services.is_empty());
    assert!(world.services.find(&Index::family("shop", "b")).is_empty());
}

#[test]
fn an_older_version_of_the_same_object_changes_nothing() {
    let mut world = World::default();
    let desired =
        |world: &World| world.services.get("shop", "web").unwrap().spec.0["desiredCount"].clone();
    world.put(Kind::Service, service("web", &json!({"desiredCount": 2}), "10")).unwrap();
    world.put(Kind::Service, service("web", &json!({"desiredCount": 1}), "9")).unwrap();
    assert_eq!(desired(&world), 2, "9 is before 10");
    let mut again = service("web", &json!({"desiredCount": 5}), "4");
    again["metadata"]["uid"] = json!("made-anew");
    world.put(Kind::Service, again.clone()).unwrap();
    assert_eq!(desired(&world), 2, "the object of that name before this one");
    again["metadata"]["resourceVersion"] = json!("11");
    world.put(Kind::Service, again).unwrap();
    assert_eq!(desired(&world), 5, "another object of the same name");
}

#[test]
fn a_deletion_is_of_one_object_and_older_words_do_not_undo_it() {
    let mut world = World::default();
    let is_there = |world: &World| world.services.get("shop", "web").is_some();
    world.put(Kind::Service, service("web", &json!({}), "10")).unwrap();
    let mut deleted = world.services.get("shop", "web").unwrap().metadata.clone();
    deleted.resource_version = Some("12".to_owned());
    let mut other = deleted.clone();
    other.uid = Some("made-before".to_owned());
    world.services.delete(&other);
    assert!(is_there(&world), "it was another that was deleted");
    world.services.delete(&deleted);
    assert!(!is_there(&world));
    world.put(Kind::Service, service("web", &json!({}), "11")).unwrap();
    assert!(!is_there(&world), "the answer to a write from before the deletion");
    world.put(Kind::Service, service("web", &json!({}), "13")).unwrap();
    assert!(is_there(&world));
}

#[test]
fn a_label_of_another_namespace_counts_for_nothing() {
    let mut world = World::default();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "forged", "namespace": "elsewhere", "labels": {label::SERVICE_UID: "u-web"}}});
    world.put(Kind::Pod, pod).unwrap();
    assert!(world.pods.find(&Index::service("shop", "u-web")).is_empty());
}

#[test]
fn what_belongs_to_a_service_is_found_by_owner_or_by_label() {
    let mut world = World::default();
    let pod = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}});
    let mut labelled = pod("labelled");
    labelled["metadata"]["labels"] = json!({label::SERVICE_UID: "u-web"});
    let mut owned = pod("owned");
    owned["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service", "name": "web", "uid": "u-web",
        "controller": true,
    }]);
    for body in [labelled, owned, pod("other")] {
        world.put(Kind::Pod, body).unwrap();
    }
    let found = world.pods.find(&Index::service("shop", "u-web"));
    let names: Vec<_> = found.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect();
    assert_eq!(names, ["labelled", "owned"]);
}

#[test]
fn what_is_carried_out_is_seen() {
    let mut world = World::default();
    let mut body = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 1, "selector": {}, "template": {}},
    });
    let key = key(Kind::Deployment, "web");
    let apply = |body: &Value| Write::Apply(Object { key: key.clone(), body: body.clone() });
    world.carry_out(&apply(&body)).unwrap();
    let (uid, generation) = world.identity(&key).unwrap();
    assert_eq!(generation, Some(1));

    let status = json!({"readyReplicas": 1});
    let other = Write::Status { key: key.clone(), uid: uid.clone(), status, urgent: false };
    world.carry_out(&other).unwrap();
    body["spec"]["replicas"] = json!(2);
    world.carry_out(&apply(&body)).unwrap();
    let seen = world.body(&key).unwrap();
    assert_eq!(seen["spec"]["replicas"], 2);
    assert_eq!(seen["status"]["readyReplicas"], 1, "a status stays over an apply");
    assert_eq!(seen["metadata"]["generation"], 2, "another spec is another generation");
    world.carry_out(&apply(&body)).unwrap();
    assert_eq!(world.identity(&key).unwrap().1, Some(2), "the same spec is not");
    assert_eq!(world.identity(&key).unwrap().0, uid, "it is the same object");

    let delete = |uid: &str| Write::Delete { key: key.clone(), uid: uid.to_owned() };
    world.carry_out(&delete("another")).unwrap();
    assert!(world.identity(&key).is_some(), "the one of another UID is not meant");
    world.carry_out(&delete(&uid)).unwrap();
    assert!(world.identity(&key).is_none());
}

#[test]
fn an_object_of_another_kind_is_refused() {
    let mut world = World::default();
    assert!(world.put(Kind::Deployment, json!({"metadata": {"name": 3}})).is_err());
    assert!(world.put(Kind::Service, json!("text")).is_err());
}

#[test]
fn the_oldest_kubelet_counts() {
    let mut world = World { server_minor: Some(36), ..World::default() };
    let node = |name: &str, version: &str| {
        json!({"metadata": {"name": name}, "status": {"nodeInfo": {
            "kubeletVersion": version, "architecture": "", "bootID": "", "containerRuntimeVersion": "",
            "kernelVersion": "", "kubeProxyVersion": "", "machineID": "", "operatingSystem": "",
            "osImage": "", "systemUUID": "",
        }}})
    };
    assert_eq!(world.features().kubernetes_minor, 36);
    world.put(Kind::Node, node("simulated", "kwok-v0.8.0")).unwrap();
    assert_eq!(world.features().kubernetes_minor, 36, "what cannot be read counts as the server's");
    world.put(Kind::Node, node("old", "v1.34.5-eks-1234")).unwrap();
    assert_eq!(world.features().kubernetes_minor, 34);
    assert_eq!(World::default().features().kubernetes_minor, crate::OLDEST_KUBERNETES_MINOR);
}

#[test]
fn a_member_is_set_through_objects_only() {
    let mut body = json!({"a": 1});
    set(&mut body, &["b", "c"], 2);
    set(&mut body, &["a", "c"], 2);
    assert_eq!(body, json!({"a": 1, "b": {"c": 2}}));
    let mut list = json!([1]);
    set(&mut list, &["a"], 2);
    assert_eq!(list, json!([1]));
}
