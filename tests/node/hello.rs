//! The example of the README.

use std::fs;

use k8s_openapi::api::core::v1 as corev1;
use linkspan::api::{Service, TaskDefinition};
use serde_json::{Value, json};

use crate::images::PAGE;
use crate::node::place;
use crate::pods::{page, pod_of};
use crate::settings::NAME;
use crate::support::{Place, until};

/// The spec of one of the example's files, as it is.
fn example(file: &str) -> Value {
    let path = format!("{}/examples/hello/{file}", env!("CARGO_MANIFEST_DIR"));
    let read: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    read["spec"].clone()
}

/// Applies the example, whose image is there and is not to be looked for elsewhere.
pub(crate) async fn apply(place: &Place) {
    let mut definition = example("task-definition.yaml");
    definition["kubernetes"] = json!({"imagePullPolicy": "IfNotPresent"});
    place.apply::<TaskDefinition>("hello", definition).await;
    place.apply::<Service>("hello", example("service.yaml")).await;
}

/// Waits until it answers by the corev1 Service and by the pod's address; where its pod runs.
pub(crate) async fn answers(place: &Place) -> corev1::Pod {
    let service = place.steady("hello", 1, "hello:1").await;
    let pod = pod_of(place, &service).await.unwrap();
    let way = place.api::<corev1::Service>().get("hello").await.unwrap();
    let addresses =
        [way.spec.unwrap().cluster_ip.unwrap(), pod.status.clone().unwrap().pod_ip.unwrap()];
    for address in &addresses {
        let answer = until("hello answers", || page(address, 80)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(PAGE), "{answer}");
    }
    pod
}

pub(crate) async fn answers_by_its_service_and_by_its_own_address() {
    let place = place("hello").await;
    apply(&place).await;
    let pod = answers(&place).await;
    let spec = pod.spec.unwrap();
    assert_eq!(spec.node_name.as_deref(), Some(NAME));
    assert_eq!(pod.status.unwrap().host_ip.as_deref(), Some(crate::settings::ADDRESS));
}
