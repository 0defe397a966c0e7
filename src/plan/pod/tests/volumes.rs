//! What a task's volumes are, and where its containers see them.

use super::*;

/// A task definition with these volumes, whose first container has these members.
fn with(volumes: &Value, members: &Value) -> Value {
    let mut spec = one(members);
    spec["memory"] = json!("512");
    spec["volumes"] = volumes.clone();
    spec
}

#[test]
fn a_volume_is_a_directory_of_the_node_or_a_fresh_one() {
    let volumes = json!([
        {"name": "Docker_Socket", "host": {"sourcePath": "/var/run/docker.sock"}},
        {"name": "fresh", "host": {}},
        {"name": "task", "dockerVolumeConfiguration": {"scope": "task", "driver": "local"}},
    ]);
    let points = json!({"mountPoints": [
        {"sourceVolume": "Docker_Socket", "containerPath": "/var/run/docker.sock", "readOnly": true},
        {"sourceVolume": "fresh", "containerPath": "/data"},
    ]});
    let spec = with(&volumes, &points);
    let pod = pod(&spec, OLDEST);
    assert_eq!(pod["volumes"][0]["hostPath"], json!({"path": "/var/run/docker.sock"}));
    assert_eq!(pod["volumes"][1], json!({"name": "fresh", "emptyDir": {}}));
    assert_eq!(pod["volumes"][2], json!({"name": "task", "emptyDir": {}}));
    let mounts = &pod["containers"][0]["volumeMounts"];
    assert_eq!(mounts[0]["name"], pod["volumes"][0]["name"]);
    assert_eq!(mounts[0]["readOnly"], true);
    assert_eq!(mounts[1], json!({"name": "fresh", "mountPath": "/data"}));
    assert_eq!(differing(&spec), ["volumes[1]", "volumes[2].dockerVolumeConfiguration"]);
}

#[test]
fn volumes_that_cannot_be_meant_are_refused() {
    let said = |volumes: Value| refused(&with(&volumes, &json!({}))).len();
    assert_eq!(said(json!([{"name": "a"}, {"name": "a"}])), 1);
    assert_eq!(said(json!([{"name": "a/b"}])), 1);
    assert_eq!(said(json!([{"host": {}}])), 1, "a name is required");
    assert_eq!(said(json!([{"name": "a", "host": {"sourcePath": "data"}}])), 1);
    assert_eq!(said(json!([{"name": "a", "host": {"sourcePath": "/data/../etc"}}])), 1);
    let both = json!({
        "name": "a", "host": {"sourcePath": "/data"},
        "efsVolumeConfiguration": {"fileSystemId": "fs-1"},
    });
    assert_eq!(said(json!([both])), 1, "one source");
    let docker =
        |configuration: Value| json!([{"name": "a", "dockerVolumeConfiguration": configuration}]);
    assert_eq!(said(docker(json!({"scope": "shared", "autoprovision": true}))), 1);
    assert_eq!(said(docker(json!({"scope": "node"}))), 1);
}

#[test]
fn mount_points_name_a_volume_and_a_path_of_their_own() {
    let said = |points: Value| {
        refused(&with(&json!([{"name": "a"}]), &json!({"mountPoints": points}))).len()
    };
    assert_eq!(said(json!([{"sourceVolume": "b", "containerPath": "/b"}])), 1);
    assert_eq!(said(json!([{"sourceVolume": "a", "containerPath": "b"}])), 1);
    assert_eq!(said(json!([{"sourceVolume": "a"}])), 1);
    for path in ["/data", "C:/data/", "C:\\data"] {
        assert_eq!(said(json!([{"sourceVolume": "a", "containerPath": path}])), 0, "{path}");
    }
    let twice = json!([
        {"sourceVolume": "a", "containerPath": "/b"}, {"sourceVolume": "a", "containerPath": "/b/"},
    ]);
    assert_eq!(said(twice), 1);
    let shared = json!({
        "mountPoints": [{"sourceVolume": "a", "containerPath": "/dev/shm"}],
        "linuxParameters": {"sharedMemorySize": 64},
    });
    assert_eq!(refused(&with(&json!([{"name": "a"}]), &shared)).len(), 1);
}

#[test]
fn mounts_are_taken_over_from_other_containers() {
    let mut spec = with(
        &json!([{"name": "a"}, {"name": "b"}]),
        &json!({"mountPoints": [
            {"sourceVolume": "a", "containerPath": "/a"},
            {"sourceVolume": "b", "containerPath": "/b", "readOnly": true},
        ]}),
    );
    let takes = |name: &str, from: &str, read_only: bool| {
        json!({
            "name": name, "image": "example",
            "volumesFrom": [{"sourceContainer": from, "readOnly": read_only}],
        })
    };
    let containers = spec["containerDefinitions"].as_array_mut().unwrap();
    containers.insert(0, takes("third", "second", false));
    containers.push(takes("second", "main", true));
    let second = json!([{"sourceVolume": "b", "containerPath": "/a"}]);
    containers[2]["mountPoints"] = second;
    let pod = pod(&spec, NEWEST);
    let mounts = |at: usize| pod["containers"][at]["volumeMounts"].clone();
    assert_eq!(
        mounts(2),
        json!([
            {"name": "b", "mountPath": "/a"},
            {"name": "b", "mountPath": "/b", "readOnly": true},
        ]),
        "its own mount at /a stays"
    );
    assert_eq!(mounts(0), mounts(2), "by way of the second");
    spec["containerDefinitions"][0]["volumesFrom"][0]["sourceContainer"] = json!("fourth");
    assert_eq!(refused(&spec).len(), 1);
}

#[test]
fn fargate_has_no_directories_of_the_node() {
    let on_fargate = |volume: Value| {
        let mut spec = one_on_fargate(&json!({}));
        spec["volumes"] = json!([volume]);
        refused(&spec).len()
    };
    assert_eq!(on_fargate(json!({"name": "a"})), 0);
    assert_eq!(on_fargate(json!({"name": "a", "host": {"sourcePath": "/data"}})), 1);
    assert_eq!(on_fargate(json!({"name": "a", "dockerVolumeConfiguration": {"scope": "task"}})), 1);
}

/// Worked example: 20 GiB when nothing is said, 21 to 200 otherwise.
#[test]
fn example_16_fargate_has_its_disk_and_no_other() {
    let sized = |size: Value| {
        let mut spec = one_on_fargate(&json!({}));
        spec["ephemeralStorage"] = size;
        spec
    };
    let disk = |spec: &Value| {
        let resources = pod(spec, NEWEST)["containers"][0]["resources"].clone();
        let of = |which: &str| resources[which]["ephemeral-storage"].as_str().unwrap().to_owned();
        (of("requests"), of("limits"))
    };
    assert_eq!(disk(&sized(Value::Null)), ("0".to_owned(), "20Gi".to_owned()));
    for size in [21, 200] {
        let size_of = format!("{size}Gi");
        assert_eq!(disk(&sized(json!({"sizeInGiB": size}))), (size_of.clone(), size_of));
    }
    for size in [20, 201] {
        assert_eq!(refused(&sized(json!({"sizeInGiB": size}))).len(), 1, "{size}");
    }
    let elsewhere = pod(&one(&json!({"memory": 64})), NEWEST);
    assert_eq!(elsewhere["containers"][0]["resources"]["limits"], json!({"memory": "64Mi"}));
}
