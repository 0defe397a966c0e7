//! What the tables of a Cluster do to deployments.

use super::*;

fn image(scene: &Scene) -> String {
    let image = &scene.deployment()["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().unwrap().to_owned()
}

fn mirror(to: &str) -> Value {
    json!({"clusterName": "default", "kubernetes": {"images": [{"prefix": "example", "replacement": to}]}})
}

#[test]
fn a_row_that_is_added_mends_a_deployment_that_is_not_completed() {
    let mut scene = Scene::usual();
    scene.apply(Kind::Cluster, "c", &mirror("mirror.example/a"));
    scene.be_still();
    assert_eq!(scene.records(), [(2, Cause::HeldInputsChanged)]);
    assert_eq!(image(&scene), "mirror.example/a:1");
    scene.be_still();
    assert_eq!(scene.newest(), 2, "and that is all");
}

#[test]
fn a_deployment_that_is_completed_keeps_its_names_until_the_next() {
    let mut scene = Scene::usual();
    scene.finish();
    scene.apply(Kind::Cluster, "c", &mirror("mirror.example/a"));
    scene.be_still();
    assert_eq!((scene.newest(), image(&scene).as_str()), (1, "example:1"));
    scene.change("launchType", json!("EC2"));
    scene.be_still();
    assert_eq!((scene.newest(), image(&scene).as_str()), (2, "mirror.example/a:1"));
}

#[test]
fn a_cluster_of_another_name_or_namespace_maps_nothing() {
    let mut scene = Scene::usual();
    let mut other = mirror("mirror.example/a");
    other["clusterName"] = json!("Prod");
    scene.apply(Kind::Cluster, "default", &other);
    scene.be_still();
    assert_eq!(scene.newest(), 1);
    let followers = scene.world.services.find(&Index::cluster(NAMESPACE, "default")).len();
    assert_eq!(
        (followers, scene.world.services.find(&Index::cluster(NAMESPACE, "Prod")).len()),
        (1, 0)
    );
}

#[test]
fn no_deployment_starts_by_tables_that_are_refused() {
    let mut scene = Scene::usual();
    scene.finish();
    let broken = json!({"clusterName": "default", "kubernetes": {"roles": [{"role": "web"}]}});
    scene.apply(Kind::Cluster, "c", &broken);
    scene.change("launchType", json!("EC2"));
    scene.change("desiredCount", json!(6));
    scene.be_still();
    assert_eq!(
        (scene.newest(), &scene.deployment()["spec"]["replicas"]),
        (1, &json!(6)),
        "it scales"
    );
    let (reason, message, stalled) = scene.ready(OBJECT);
    assert_eq!((reason.as_str(), stalled), ("ClusterRefused", true), "{message}");
    let cluster = scene.body(Kind::Cluster, "c");
    let said = cluster["status"]["conditions"][0]["message"].as_str().unwrap();
    assert!(said.starts_with("kubernetes.roles[0].serviceAccount: is required"), "{said}");
}

#[test]
fn encryption_that_no_row_gives_keeps_a_deployment_from_starting_and_nothing_else() {
    let mut scene = Scene::usual();
    scene.finish();
    let mut encrypted = task_definition();
    encrypted["volumes"] = json!([{
        "name": "data",
        "efsVolumeConfiguration": {"fileSystemId": "fs-1", "transitEncryption": "ENABLED"},
    }]);
    scene.apply(Kind::TaskDefinition, "web", &encrypted);
    scene.change("desiredCount", json!(6));
    scene.be_still();
    assert_eq!(
        (scene.newest(), &scene.deployment()["spec"]["replicas"]),
        (1, &json!(6)),
        "what runs goes on, and scales"
    );
    let (reason, message, stalled) = scene.ready(OBJECT);
    assert_eq!((reason.as_str(), stalled), ("TaskDefinitionRefused", true), "{message}");
    assert!(message.contains("transitEncryption: ENABLED}"), "the row that answers it: {message}");
    let row = json!({"fileSystem": "fs-1", "claimName": "data", "transitEncryption": "ENABLED"});
    let tables = json!({"clusterName": "default", "kubernetes": {"fileSystems": [row]}});
    scene.apply(Kind::Cluster, "c", &tables);
    scene.be_still();
    assert_eq!(scene.records().last(), Some(&(2, Cause::TaskDefinitionChanged)));
    let volume = &scene.deployment()["spec"]["template"]["spec"]["volumes"][0];
    assert_eq!(volume["persistentVolumeClaim"], json!({"claimName": "data"}));
}

#[test]
fn a_row_of_another_zone_waits_for_the_next_deployment() {
    let subnets = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
    let mut asked = service();
    asked["networkConfiguration"] = subnets;
    let mut scene = Scene::of(&task_definition(), &asked);
    scene.finish();
    let rows = json!([{"subnet": "subnet-1", "zone": "a"}]);
    let tables = json!({"clusterName": "default", "kubernetes": {"subnets": rows}});
    scene.apply(Kind::Cluster, "c", &tables);
    scene.be_still();
    assert_eq!(scene.newest(), 1);
    scene.change("platformVersion", json!("1.4.0"));
    scene.be_still();
    let affinity = &scene.deployment()["spec"]["template"]["spec"]["affinity"]["nodeAffinity"];
    let terms = &affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    assert_eq!(terms[0]["matchExpressions"][0]["values"], json!(["a"]));
}
