//! What is said of a task that does not start because something is not there.

use super::*;

fn scene() -> Scene {
    let mut definition = task_definition();
    let container = &mut definition["containerDefinitions"][0];
    container["image"] = json!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1");
    container["secrets"] = json!([{"name": "PASSWORD",
        "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdE1:password::"}]);
    container["environmentFiles"] = json!([{"type": "s3", "value": "arn:aws:s3:::acme/web.env"}]);
    definition["taskRoleArn"] = json!("web-role");
    let mut scene = Scene::of(&definition, &service());
    let tables = json!({"kubernetes": {"roles": [{"role": "web-role", "serviceAccount": "web"}]}});
    scene.apply(Kind::Cluster, "default", &tables);
    scene.be_still();
    scene
}

/// What is said when a task's container waits for this reason.
fn told(waits: &str, message: &str) -> String {
    let mut scene = scene();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "task", "namespace": NAMESPACE, "uid": "task",
            "labels": {label::SERVICE_UID: "uid-front", label::DEPLOYMENT: "1"}},
        "status": {"phase": "Pending", "containerStatuses": [{
            "name": "main", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": waits, "message": message}},
        }]},
    });
    scene.world.put(Kind::Pod, pod).unwrap();
    scene.settle();
    let (reason, message, _) = scene.ready(OBJECT);
    assert_eq!(reason, "TasksFailToStart");
    message
}

#[test]
fn a_secret_that_is_not_there_is_named_with_its_key_and_the_row_that_would_name_another() {
    for message in ["secret \"db\" not found", "couldn't find key password in Secret shop/db"] {
        let told = told("CreateContainerConfigError", message);
        assert!(
            told.contains(
                "; make Secret db with key password, which stands for db, or name another: \
                           add to spec.kubernetes.secrets of Cluster default: - {valueFrom: "
            ),
            "{told}"
        );
    }
}

#[test]
fn an_environment_file_that_is_not_there_is_named() {
    let told = told("CreateContainerConfigError", "configmap \"acme-web-env-f00\" not found");
    assert!(!told.contains("make ConfigMap"), "of another name: {told}");
    let template = scene().deployment()["spec"]["template"]["spec"].clone();
    let name = template["containers"][0]["envFrom"][0]["configMapRef"]["name"].as_str().unwrap();
    let message = format!("configmap \"{name}\" not found");
    let told = self::told("CreateContainerConfigError", &message);
    assert!(
        told.contains(&format!("make ConfigMap {name} with a key for each variable")),
        "{told}"
    );
    assert!(told.contains("spec.kubernetes.environmentFiles of Cluster default"), "{told}");
}

#[test]
fn an_image_of_a_registry_that_no_row_maps_is_named_with_the_row() {
    let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1";
    let told = told("ImagePullBackOff", &format!("Back-off pulling image \"{image}\""));
    assert!(
        told.contains(
            "; map its registry: add to spec.kubernetes.images of Cluster default: - {prefix: "
        ),
        "{told}"
    );
}

#[test]
fn tasks_that_the_cluster_does_not_let_be_made_are_told_of() {
    let mut scene = scene();
    let mut body = scene.deployment();
    let message = "pods \"frontend-1\" is forbidden: error looking up service account shop/web: \
                   serviceaccount \"web\" not found";
    body["status"] = json!({"conditions": [{"type": "ReplicaFailure", "status": "True",
        "reason": "FailedCreate", "message": message}]});
    scene.world.put(Kind::Deployment, body).unwrap();
    scene.settle();
    let (reason, told, _) = scene.ready(OBJECT);
    assert_eq!(reason, "TasksFailToStart");
    assert!(told.starts_with("tasks cannot be made: pods "), "{told}");
    assert!(told.contains("; make ServiceAccount web, or change the row"), "{told}");
}
