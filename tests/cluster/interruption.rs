//! The operator is stopped and started between steps.

use k8s_openapi::api::core::v1 as corev1;
use linkspan::api::{Service, TaskDefinition};
use serde_json::json;

use crate::support::{Operator, Place, own_control_plane};

#[tokio::test]
async fn every_step_is_taken_up_by_the_next_operator() {
    let control_plane = own_control_plane().await;
    let place = Place::of(&control_plane, "interrupted").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;

    let operator = Operator::start(&control_plane);
    place.steady("web", 1, "shop:1").await;
    operator.stop();

    place.scale("web", 3).await;
    let operator = Operator::start(&control_plane);
    place.steady("web", 3, "shop:1").await;
    operator.stop();

    place.task_definition("shop", "example/shop:2").await;
    let operator = Operator::start(&control_plane);
    let service = place.steady("web", 3, "shop:2").await;
    operator.stop();
    let records = place.records(&service).await;
    assert_eq!(records.last().unwrap().spec.sequence, 2);

    // With the operator away, a deletion still leaves nothing.
    place.delete::<Service>("web").await;
    place.gone(&service).await;
    assert!(place.api::<corev1::Service>().get_opt("web").await.unwrap().is_none());

    // The same name again, while nobody looked.
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let operator = Operator::start(&control_plane);
    let again = place.steady("web", 1, "shop:2").await;
    assert_ne!(again.metadata.uid, service.metadata.uid);
    place.delete::<TaskDefinition>("shop").await;
    operator.stop();
    control_plane.stop().await;
}
