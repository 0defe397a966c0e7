//! What a deployment's tags meant when its first task ran.

use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use linkspan::api::ServiceDeployment;
use serde_json::{Value, json};

use crate::support::{Place, until};

/// Says of every container of a pod which image it runs, as a kubelet does.
async fn tell(place: &Place, pod: &corev1::Pod, image_id: &str) {
    let mut status = json!(pod.status);
    for container in status["containerStatuses"].as_array_mut().unwrap() {
        container["imageID"] = json!(image_id);
    }
    let patch = json!({"status": {"containerStatuses": status["containerStatuses"]}});
    let api = place.api::<corev1::Pod>();
    let patch = Patch::Merge(&patch);
    api.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await.unwrap();
}

fn images(record: &ServiceDeployment) -> Value {
    json!(record.status.clone().unwrap_or_default().container_images)
}

#[tokio::test]
async fn the_images_of_a_deployments_first_task_stand_in_its_record() {
    let place = Place::new("images").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 2})).await;
    let service = place.steady("web", 2, "shop:1").await;
    let pods = place.children::<corev1::Pod>(&service).await;
    assert_eq!(images(&place.records(&service).await[0]), json!([]), "no kubelet has told");
    let [one, other] = ["1", "2"].map(|digit| digit.repeat(64));
    tell(&place, &pods[0], &format!("docker.io/example/shop@sha256:{one}")).await;
    let expected = json!([{"containerName": "app", "image": "example/shop:1",
        "imageDigest": format!("sha256:{one}")}]);
    let recorded = until("the record has them", || async {
        let record = place.records(&service).await.remove(0);
        if images(&record) == expected { Ok(record) } else { Err(images(&record).to_string()) }
    })
    .await;
    for pod in &pods {
        tell(&place, pod, &format!("docker.io/example/shop@sha256:{other}")).await;
    }
    // Whatever else is done for the service is done after it has seen that.
    place.scale("web", 3).await;
    place.steady("web", 3, "shop:1").await;
    let later = place.records(&service).await;
    assert_eq!(later.len(), 1, "no deployment starts by it");
    assert_eq!(later[0].metadata.resource_version, recorded.metadata.resource_version);
}
