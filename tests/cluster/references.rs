//! Specs that are wrong, and references to what is not there: said in one condition, no running
//! child changed, recovered from by itself.

use kube::ResourceExt;
use kube::api::ListParams;
use linkspan::api::{ConditionType, Service, TaskDefinition, TaskDefinitionRevision};
use linkspan::plan::conditions::holds;
use serde_json::json;

use crate::support::{Place, status_of, task_definition, until};

#[tokio::test]
async fn a_missing_task_definition_is_waited_for() {
    let place = Place::new("missing").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let message = place.reason("web", "TaskDefinitionNotFound").await;
    assert!(message.contains("taskDefinition") && message.contains("`shop`"), "{message}");
    let service = place.api::<Service>().get("web").await.unwrap();
    assert!(holds(&status_of(&service).conditions, ConditionType::Stalled));
    place.task_definition("shop", "example/shop:1").await;
    place.steady("web", 1, "shop:1").await;
}

#[tokio::test]
async fn a_revision_that_is_not_there_names_those_that_are() {
    let place = Place::new("no-revision").await;
    place.task_definition("shop", "example/shop:1").await;
    place.registered("shop-1").await;
    place.service("web", json!({"taskDefinition": "shop:7"})).await;
    let message = place.reason("web", "TaskDefinitionNotFound").await;
    assert!(message.contains("shop:7") && message.contains("shop:1"), "{message}");
    place.service("web", json!({"taskDefinition": "shop:1"})).await;
    place.steady("web", 1, "shop:1").await;
}

#[tokio::test]
async fn a_wrong_service_says_which_field_and_rule_and_changes_no_child() {
    let place = Place::new("wrong-service").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 2})).await;
    let service = place.steady("web", 2, "shop:1").await;
    let before = place.deployment(&service).await;
    for (wrong, words) in [
        (
            json!({"taskDefinition": "shop", "desiredCount": 5, "deploymentConfiguration": {"minimumHealthyPercent": 150}}),
            ["deploymentConfiguration.minimumHealthyPercent is 150", "0 to 100"],
        ),
        (
            json!({"taskDefinition": "shop", "desiredCount": 5, "loadBalancers": [{"containerName": "web", "containerPort": 80}]}),
            ["loadBalancers[0].containerName is `web`", "it has app"],
        ),
        (
            json!({"taskDefinition": "shop", "desiredCount": 5, "launchType": "Fargate"}),
            ["launchType is Fargate", "FARGATE"],
        ),
        (
            json!({"taskDefinition": "shop:latest", "desiredCount": 5}),
            ["taskDefinition", "`latest` is not a revision"],
        ),
    ] {
        place.service("web", wrong.clone()).await;
        let message = place
            .service_when("web", "InvalidSpec", |service| {
                let status = status_of(service);
                status.observed_generation == service.metadata.generation
                    && holds(&status.conditions, ConditionType::Stalled)
            })
            .await;
        let (reason, message) = crate::support::ready(&message).unwrap();
        assert_eq!(reason, "InvalidSpec");
        assert!(words.iter().all(|word| message.contains(word)), "{wrong}: {message}");
    }
    let after = place.deployment(&service).await;
    assert_eq!(before.metadata.generation, after.metadata.generation, "no child was touched");
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 3})).await;
    place.steady("web", 3, "shop:1").await;
}

#[tokio::test]
async fn a_wrong_task_definition_registers_nothing_and_rolls_nothing() {
    let place = Place::new("wrong-task").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    place.steady("web", 1, "shop:1").await;
    let mut wrong = task_definition("example/shop:2");
    wrong["requiresCompatibilities"] = json!(["FARGATE"]);
    wrong["networkMode"] = json!("awsvpc");
    wrong["memory"] = json!("5120");
    place.apply::<TaskDefinition>("shop", wrong).await;
    let message = until("the task definition is refused", || async {
        let status =
            place.api::<TaskDefinition>().get("shop").await.unwrap().status.unwrap_or_default();
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        match ready {
            Some(ready) if ready.reason == "InvalidSpec" => Ok(ready.message.clone()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(message.contains("memory is 5120") && message.contains("256"), "{message}");
    place.scale("web", 2).await;
    place.steady("web", 2, "shop:1").await;
    let revisions =
        place.api::<TaskDefinitionRevision>().list(&ListParams::default()).await.unwrap();
    assert_eq!(revisions.items.len(), 1);
    place.task_definition("shop", "example/shop:2").await;
    place.steady("web", 2, "shop:2").await;
}

#[tokio::test]
async fn of_two_objects_with_one_name_the_older_has_it() {
    let place = Place::new("twice").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("first", json!({"serviceName": "Shop", "taskDefinition": "shop"})).await;
    let first = place.steady("first", 1, "shop:1").await;
    // Creation times are whole seconds; of the same second, the name decides.
    place.service("second", json!({"serviceName": "Shop", "taskDefinition": "shop"})).await;
    let message = place.reason("second", "NameTaken").await;
    assert!(message.contains("`Shop`") && message.contains("first"), "{message}");
    let second = place.api::<Service>().get("second").await.unwrap();
    assert!(place.everything(&second).await.is_empty());
    place.delete::<Service>("first").await;
    place.gone(&first).await;
    let second = place.steady("second", 1, "shop:1").await;
    assert_eq!(place.deployment(&second).await.labels()["ecs.linkspan.dev/service"], "Shop");
}
