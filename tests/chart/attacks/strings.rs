//! Strings that name what is another's, that lead elsewhere, or that are nobody's business.

use std::net::TcpListener;

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use linkspan::api::{Service, TaskDefinition};
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::json;

use super::Row;
use crate::operator::{Operator, place_of};
use crate::support::{ready, task_definition};
use crate::usage::requests;

/// n5, n6, n7, n13: names of others, and addresses, in every place that takes a string.
pub(super) async fn strings(control_plane: &ControlPlane) -> Row {
    let mut row = Row::new("n5 n6 n7 n13  names of others and addresses in strings");
    let dev = place_of(control_plane, "strings", "dev").await;
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let address = format!("http://{}/", canary.local_addr().unwrap());
    let hostile = [
        "kube-system/admin",
        "../kube-system/secrets/x",
        "a%2fb",
        "a?watch=true",
        "x\ny: z",
        "{{ .Values }}",
        "$(VAR)",
        "\"}],\"hostPID\":true",
        "arn:aws:iam::1:role/../admin",
        "eks.amazonaws.com/role-arn",
        &address,
    ];
    for (number, text) in hostile.iter().enumerate() {
        let name = format!("s{number}");
        let spec = json!({
            "taskRoleArn": text, "executionRoleArn": text, "cpu": "256", "memory": "512",
            "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": text}}],
            "containerDefinitions": [{
                "name": "app", "image": text, "hostname": text, "workingDirectory": text,
                "secrets": [{"name": "S", "valueFrom": text}],
                "environment": [{"name": "E", "value": text}],
                "environmentFiles": [{"type": "s3", "value": text}],
                "repositoryCredentials": {"credentialsParameter": text},
                "logConfiguration": {"logDriver": "splunk", "options": {"splunk-url": text}},
                "dockerLabels": {"eks.amazonaws.com/role-arn": text},
                "healthCheck": {"command": ["CMD-SHELL", text]},
            }],
        });
        dev.apply::<TaskDefinition>(&name, spec).await;
        let spec = json!({"taskDefinition": name, "cluster": format!("c{number}"), "serviceName": name,
            "role": text, "networkConfiguration": {"awsvpcConfiguration": {"subnets": [text], "securityGroups": [text]}},
            "loadBalancers": [{"targetGroupArn": text, "containerName": "app", "containerPort": 80}],
            "tags": [{"key": "pod-security.kubernetes.io/enforce", "value": text}]});
        dev.service(&name, spec).await;
    }
    for number in 0..hostile.len() {
        dev.service_when(&format!("s{number}"), "it is judged", |service| ready(service).is_some())
            .await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    row.held("a connection to the canary", canary.accept().is_err());
    for line in requests(control_plane) {
        let of = &line["objectRef"];
        let elsewhere = of["namespace"]
            .as_str()
            .is_some_and(|namespace| namespace.contains("kube-system") || namespace.contains('/'));
        row.held(
            &format!("a request elsewhere: {line}"),
            !elsewhere && of["resource"] != "secrets",
        );
    }
    // The table counts strings, not requests.
    row.tried = hostile.len() * 17;
    let admin = Client::try_from(control_plane.config()).unwrap();
    let accounts: Api<corev1::ServiceAccount> = Api::namespaced(admin.clone(), &dev.namespace);
    let made = accounts.list(&ListParams::default()).await.unwrap().items.len();
    row.held("a ServiceAccount made", made == 1);
    let namespace = Api::<corev1::Namespace>::all(admin).get(&dev.namespace).await.unwrap();
    let label = "pod-security.kubernetes.io/enforce";
    row.held("a tag becomes the Namespace's label", !namespace.labels().contains_key(label));
    for deployment in dev.api::<appsv1::Deployment>().list(&ListParams::default()).await.unwrap() {
        let pod = deployment.spec.unwrap().template.spec.unwrap();
        row.held("the node's processes", pod.host_pid.is_none());
    }
    row
}

/// n15: what containers are told stays with them.
pub(super) async fn canaries(operator: &Operator, control_plane: &ControlPlane) -> Row {
    const CANARY: &str = "canary-7f3e51d2";
    let mut row = Row::new("n15 values of the environment in logs, Events, statuses, metrics");
    let dev = place_of(control_plane, "canaries", "dev").await;
    for (name, memory) in [("good", 128), ("bad", -1)] {
        let mut spec = task_definition("example/web:1");
        spec["memory"] = json!(memory);
        spec["containerDefinitions"][0]["environment"] =
            json!([{"name": "PASSWORD", "value": CANARY}]);
        spec["containerDefinitions"][0]["logConfiguration"] =
            json!({"logDriver": "splunk", "options": {"splunk-token": CANARY}});
        dev.apply::<TaskDefinition>(name, spec).await;
        dev.service(name, json!({"taskDefinition": name})).await;
    }
    for name in ["good", "bad"] {
        dev.service_when(name, "it is judged", |service| ready(service).is_some()).await;
    }
    dev.steady("good", 1, "good:1").await;
    row.held("the log", !operator.said().contains(CANARY));
    row.held("the metrics", !operator.get("/metrics").await.contains(CANARY));
    for event in dev.api::<corev1::Event>().list(&ListParams::default()).await.unwrap() {
        row.held("an Event", !json!(event).to_string().contains(CANARY));
    }
    for service in dev.api::<Service>().list(&ListParams::default()).await.unwrap() {
        row.held("a status", !json!(service.status).to_string().contains(CANARY));
    }
    for family in dev.api::<TaskDefinition>().list(&ListParams::default()).await.unwrap() {
        row.held("a status", !json!(family.status).to_string().contains(CANARY));
    }
    row
}
