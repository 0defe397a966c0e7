//! Pod templates as a real API server takes them.

use kube::ResourceExt;
use linkspan::api::{Service, TaskDefinition};
use linkspan::world;
use serde_json::{Value, json};

use crate::support::{Place, until, version};

/// A task definition that uses every field that this version honours.
fn everything() -> Value {
    json!({
        "family": "Every_Thing", "cpu": "1 vCPU", "memory": "2GB",
        "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "containerDefinitions": [
            {
                "name": "App_1", "image": "example/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "cpu": 100, "memory": 512, "memoryReservation": 256,
                "portMappings": [
                    {"containerPort": 8080, "name": "a_very_long_name_of_a_port", "appProtocol": "http"},
                    {"containerPort": 53, "protocol": "udp"},
                ],
                "entryPoint": ["/bin/app", "$(HOME)"], "command": ["--price", "$$5"],
                "environment": [{"name": "A", "value": "$(HOME)/a"}, {"name": "EMPTY", "value": ""}],
                "workingDirectory": "/srv", "readonlyRootFilesystem": true,
                "interactive": true, "pseudoTerminal": true,
                "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 10, "startPeriod": 30},
            },
            {"name": "proxy", "image": "example/proxy", "cpu": 156},
            {"name": "logs", "image": "example/logs:1", "essential": false},
        ],
    })
}

/// Whether the tests run on Kubernetes 1.`minor` or newer.
fn newer(minor: u32) -> bool {
    world::minor_version(&format!("v{}", version().minor())).unwrap() >= minor
}

#[tokio::test]
async fn what_is_honoured_is_taken_as_it_is_and_then_left_alone() {
    let place = Place::new("everything").await;
    place.apply::<TaskDefinition>("everything", everything()).await;
    place.service("web", json!({"taskDefinition": "Every_Thing", "launchType": "FARGATE"})).await;
    let service = place.steady("web", 1, "Every_Thing:1").await;
    let deployment = place.deployment(&service).await;
    assert_eq!(deployment.metadata.generation, Some(1), "written once");

    let pod = deployment.spec.clone().unwrap().template.spec.unwrap();
    let app = &pod.containers[0];
    assert_eq!(app.command.as_deref(), Some(&["/bin/app".to_owned(), "$$(HOME)".to_owned()][..]));
    assert_eq!(app.startup_probe.as_ref().and_then(|probe| probe.failure_threshold), Some(5));
    assert_eq!(pod.resources.is_some(), newer(34), "pod-level resources");
    let rules = pod.containers[1].restart_policy_rules.as_ref();
    assert_eq!(rules.is_some(), newer(36), "restart of all containers");

    // A nudge makes the operator compare everything once more.
    place.meddle::<Service>("web", json!({"metadata": {"annotations": {"nudge": "1"}}})).await;
    place.scale("web", 2).await;
    place.steady("web", 2, "Every_Thing:1").await;
    let later = place.deployment(&service).await;
    assert_eq!(later.metadata.generation, Some(2), "written once more, for the count");
    assert_eq!(later.uid(), deployment.uid());
}

#[tokio::test]
async fn a_task_that_fails_to_start_says_why_and_heals_with_the_next_revision() {
    let place = Place::new("failing").await;
    place.task_definition("shop", "sandbox.linkspan.dev/pull-fails:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let message = place.reason("web", "TasksFailToStart").await;
    assert!(message.starts_with("CannotPullContainerError: container app"), "{message}");
    place.task_definition("shop", "example/shop:2").await;
    let service = place.steady("web", 1, "shop:2").await;
    until("the failed deployment has gone", || async {
        let records = place.records(&service).await;
        if records.len() == 1 { Ok(()) } else { Err(format!("{} records", records.len())) }
    })
    .await;
}
