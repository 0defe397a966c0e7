//! Rolling from one revision to the next.

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use linkspan::api::{Cause, Service, TaskDefinitionRevision};
use linkspan::names::annotation;
use serde_json::json;

use crate::bounds::Recording;
use crate::support::{Place, ready, status_of, until};

async fn images(place: &Place, service: &Service) -> Vec<String> {
    let pods = place.children::<corev1::Pod>(service).await;
    let running = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    running.filter_map(|pod| pod.spec.clone()?.containers[0].image.clone()).collect()
}

#[tokio::test]
async fn a_new_revision_rolls_and_going_back_is_a_third() {
    let place = Place::new("roll").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 3})).await;
    let recording = Recording::start(&place, "web").await;
    place.steady("web", 3, "shop:1").await;
    place.task_definition("shop", "example/shop:2").await;
    let service = place.steady("web", 3, "shop:2").await;
    assert_eq!(images(&place, &service).await, ["example/shop:2"; 3]);
    place.task_definition("shop", "example/shop:1").await;
    let service = place.steady("web", 3, "shop:3").await;
    assert_eq!(images(&place, &service).await, ["example/shop:1"; 3]);
    recording.end("create, roll, and roll back").await;

    let status = status_of(&service);
    let shown: Vec<_> = status
        .deployments
        .iter()
        .map(|deployment| (deployment.task_definition.as_str(), deployment.status.as_str()))
        .collect();
    assert_eq!(shown[0], ("shop:3", "PRIMARY"));
    assert_eq!(shown.len(), 3, "{shown:?}");
    let records = place.records(&service).await;
    assert_eq!(records.last().unwrap().spec.cause, Cause::TaskDefinitionChanged);
    let revisions =
        place.api::<TaskDefinitionRevision>().list(&ListParams::default()).await.unwrap();
    assert_eq!(revisions.items.len(), 3);
}

#[tokio::test]
async fn a_roll_during_a_roll_ends_at_the_newest() {
    let place = Place::new("reroll").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 4})).await;
    let service = place.steady("web", 4, "shop:1").await;
    let recording = Recording::start(&place, "web").await;
    for (image, sequence) in [("example/shop:2", 2), ("example/shop:3", 3)] {
        place.task_definition("shop", image).await;
        until("the record is there", || async {
            let records = place.records(&service).await;
            if records.iter().any(|record| record.spec.sequence == sequence) {
                Ok(())
            } else {
                Err(format!("{} records", records.len()))
            }
        })
        .await;
    }
    let service = place.steady("web", 4, "shop:3").await;
    assert_eq!(images(&place, &service).await, ["example/shop:3"; 4]);
    recording.end("a roll over a roll").await;
}

#[tokio::test]
async fn a_pinned_revision_stays_while_the_family_moves_on() {
    let place = Place::new("pinned").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("pinned", json!({"taskDefinition": "shop:1"})).await;
    place
        .service(
            "follows",
            json!({"taskDefinition": "arn:aws:ecs:eu-west-1:1:task-definition/shop"}),
        )
        .await;
    place.steady("pinned", 1, "shop:1").await;
    place.steady("follows", 1, "shop:1").await;
    place.task_definition("shop", "example/shop:2").await;
    place.steady("follows", 1, "shop:2").await;
    let pinned = place.steady("pinned", 1, "shop:1").await;
    assert_eq!(place.records(&pinned).await.len(), 1);
}

#[tokio::test]
async fn two_files_applied_together_make_one_deployment() {
    let place = Place::new("together").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    place.steady("web", 1, "shop:1").await;
    place.task_definition("shop", "example/shop:2").await;
    place.service("web", json!({"taskDefinition": "shop", "platformVersion": "1.4.0"})).await;
    let service = place.steady("web", 1, "shop:2").await;
    let records = place.records(&service).await;
    let newest = &records.last().unwrap().spec;
    assert_eq!((newest.sequence, &newest.requested["platformVersion"]), (2, &json!("1.4.0")));
}

#[tokio::test]
async fn counts_and_percents_change_at_once_and_roll_nothing() {
    let place = Place::new("percents").await;
    let percents = |minimum: i32, maximum: i32, count: i32| {
        json!({"taskDefinition": "shop", "desiredCount": count, "deploymentConfiguration": {
            "minimumHealthyPercent": minimum, "maximumPercent": maximum}})
    };
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", percents(50, 150, 3)).await;
    let recording = Recording::start(&place, "web").await;
    let service = place.steady("web", 3, "shop:1").await;
    let bounds = |deployment: &appsv1::Deployment| {
        let rolling = deployment.spec.clone()?.strategy?.rolling_update?;
        Some((rolling.max_unavailable?, rolling.max_surge?))
    };
    let of = |unavailable, surge| Some((IntOrString::Int(unavailable), IntOrString::Int(surge)));
    assert_eq!(bounds(&place.deployment(&service).await), of(1, 1));
    place.service("web", percents(50, 150, 10)).await;
    place.steady("web", 10, "shop:1").await;
    assert_eq!(bounds(&place.deployment(&service).await), of(5, 5));
    place.service("web", percents(100, 200, 10)).await;
    until("the new bounds", || async {
        let now = bounds(&place.deployment(&service).await);
        if now == of(0, 10) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    assert_eq!(place.children::<appsv1::ReplicaSet>(&service).await.len(), 1, "nothing rolled");
    recording.end("counts and percents change").await;
}

#[tokio::test]
async fn without_room_a_deployment_is_blocked_and_says_so_until_there_is_room() {
    let place = Place::new("blocked").await;
    let at = |maximum: i32, count: i32| {
        json!({"taskDefinition": "shop", "desiredCount": count, "deploymentConfiguration": {
            "minimumHealthyPercent": 100, "maximumPercent": maximum}})
    };
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", at(100, 1)).await;
    let recording = Recording::start(&place, "web").await;
    place.steady("web", 1, "shop:1").await;
    place.task_definition("shop", "example/shop:2").await;
    let message = place.reason("web", "DeploymentBlocked").await;
    assert!(message.contains("maximumPercent 100"), "{message}");
    let service = place.api::<Service>().get("web").await.unwrap();
    assert_eq!(images(&place, &service).await, ["example/shop:1"]);
    assert!(status_of(&service).events[0].message.contains("was unable to stop or start tasks"));
    place.service("web", at(125, 4)).await;
    let service = place.steady("web", 4, "shop:2").await;
    assert_eq!(images(&place, &service).await, ["example/shop:2"; 4]);
    recording.end("blocked at 100/100 %, then 4 at 100/125 %").await;
}

#[tokio::test]
async fn from_no_tasks_only_the_new_revision_starts() {
    let place = Place::new("from-zero").await;
    let count = |count: i32| {
        json!({"taskDefinition": "shop", "desiredCount": count, "deploymentConfiguration": {
            "minimumHealthyPercent": 100, "maximumPercent": 100}})
    };
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", count(0)).await;
    let recording = Recording::start(&place, "web").await;
    place.steady("web", 0, "shop:1").await;
    place.task_definition("shop", "example/shop:2").await;
    place.registered("shop-2").await;
    place.service("web", count(3)).await;
    let service = place.steady("web", 3, "shop:2").await;
    let sets = place.children::<appsv1::ReplicaSet>(&service).await;
    let started = sets.iter().filter(|set| set.status.clone().unwrap_or_default().replicas > 0);
    assert_eq!(started.count(), 1);
    let verdict = recording.end("from nothing at 100/100 %, with a new revision").await;
    assert_eq!(verdict.most, 3);
}

#[tokio::test]
async fn a_new_deployment_can_be_forced_by_field_and_by_annotation() {
    let place = Place::new("force").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let service = place.steady("web", 1, "shop:1").await;
    let sequence = async |expected: i64| {
        until(&format!("deployment {expected} completes"), || async {
            let records = place.records(&service).await;
            let newest = records.last().unwrap();
            let done = newest.status.clone().unwrap_or_default().completed_at.is_some();
            if (newest.spec.sequence, done) == (expected, true) {
                Ok(newest.spec.cause)
            } else {
                Err(format!("{} {done}", newest.spec.sequence))
            }
        })
        .await
    };
    place.service("web", json!({"taskDefinition": "shop", "forceNewDeployment": true})).await;
    assert_eq!(sequence(2).await, Cause::ForceNewDeployment);
    let patch = json!({"metadata": {"annotations": {annotation::FORCE_NEW_DEPLOYMENT: "tuesday"}}});
    place.meddle::<Service>("web", patch).await;
    assert_eq!(sequence(3).await, Cause::ForceNewDeployment);
    // False again, and then true again.
    place.service("web", json!({"taskDefinition": "shop", "forceNewDeployment": false})).await;
    until("the record remembers", || async {
        let records = place.records(&service).await;
        let status = records.last().unwrap().status.clone().unwrap_or_default();
        if status.force_released { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
    place.service("web", json!({"taskDefinition": "shop", "forceNewDeployment": true})).await;
    assert_eq!(sequence(4).await, Cause::ForceNewDeployment);
}

#[tokio::test]
async fn a_task_that_cannot_be_placed_is_said_in_ecs_words() {
    let place = Place::new("unplaced").await;
    let mut big = crate::support::task_definition("example/shop:1");
    big["cpu"] = json!("131072");
    place.apply::<linkspan::api::TaskDefinition>("big", big).await;
    place.service("web", json!({"taskDefinition": "big"})).await;
    let message = place.reason("web", "UnableToPlaceTask").await;
    assert!(message.contains("Insufficient cpu"), "{message}");
    let service = place.api::<Service>().get("web").await.unwrap();
    let said = &status_of(&service).events[0].message;
    assert!(
        said.starts_with("(service web) was unable to place a task because no container instance")
    );
    assert_eq!(ready(&service).unwrap().0, "UnableToPlaceTask");
}
