//! n18: what the release's own pods may do, and what it is built of.

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::networking::v1 as networkingv1;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, ResourceExt};
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::{Value, json};

use super::Row;
use crate::manifests::read;
use crate::operator::NAMESPACE;

/// Ways to make a pod reach further, each a merge into its spec and into each container's security.
fn weakened() -> Vec<(&'static str, Value, Value)> {
    let none = || json!({});
    vec![
        ("root", json!({"securityContext": {"runAsNonRoot": false, "runAsUser": 0}}), none()),
        ("privileged", none(), json!({"privileged": true, "allowPrivilegeEscalation": true})),
        ("escalation", none(), json!({"allowPrivilegeEscalation": true})),
        ("capabilities", none(), json!({"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}})),
        ("all capabilities kept", none(), json!({"capabilities": null})),
        (
            "no seccomp",
            json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
            none(),
        ),
        ("the node's network", json!({"hostNetwork": true}), none()),
        ("the node's processes", json!({"hostPID": true}), none()),
        ("the node's memory", json!({"hostIPC": true}), none()),
        (
            "the node's files",
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
            none(),
        ),
    ]
}

/// Merges as a JSON merge patch does, but for lists, which become longer.
fn merge(into: &mut Value, from: &Value) {
    let Some(members) = from.as_object() else {
        match (into, from) {
            (Value::Array(into), Value::Array(from)) => into.extend(from.iter().cloned()),
            (into, from) => into.clone_from(from),
        }
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, value) in members {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut into[name], value);
        }
    }
}

/// The release's pods are let in by the restricted profile, and no weaker ones would be.
async fn profile(row: &mut Row, admin: &Client) {
    let deployments: Api<appsv1::Deployment> = Api::namespaced(admin.clone(), NAMESPACE);
    let pods: Api<corev1::Pod> = Api::namespaced(admin.clone(), NAMESPACE);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let all = deployments.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(all.len(), 2, "operator and scheduler");
    for deployment in all {
        let name = deployment.name_any();
        let template = json!(deployment.spec.unwrap().template);
        let pod = |spec: Value| -> corev1::Pod {
            serde_json::from_value(json!({"metadata": {"name": "x"}, "spec": spec})).unwrap()
        };
        let spec = template["spec"].clone();
        pods.create(&dry, &pod(spec.clone())).await.expect("as it is, it is let in");
        for (attack, of_pod, of_container) in weakened() {
            let mut spec = spec.clone();
            merge(&mut spec, &of_pod);
            merge(&mut spec["containers"][0]["securityContext"], &of_container);
            let made = pods.create(&dry, &pod(spec)).await;
            row.tried(&format!("{name}: {attack}"), made, "violates PodSecurity \"restricted");
        }
        // Beyond the profile.
        let container = &spec["containers"][0];
        let security = &container["securityContext"];
        row.held(
            &format!("{name}: a root that can be written"),
            security["readOnlyRootFilesystem"] == true,
        );
        let memory = &container["resources"]["limits"]["memory"];
        row.held(&format!("{name}: memory without end"), memory.is_string());
        let image = container["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').map(|(_, tag)| tag);
        row.held(&format!("{name}: any version"), tag.is_some_and(|tag| tag != "latest"));
        let environment = container["env"].as_array().cloned().unwrap_or_default();
        let of_secret = |one: &Value| !one["valueFrom"]["secretKeyRef"].is_null();
        row.held(&format!("{name}: a Secret"), !environment.iter().any(of_secret));
        for probe in ["livenessProbe", "readinessProbe"] {
            row.held(&format!("{name}: {probe}"), container[probe]["httpGet"].is_object());
        }
    }
}

/// The operator reaches names and the API server.
async fn egress(row: &mut Row, admin: &Client) {
    let policies: Api<networkingv1::NetworkPolicy> = Api::namespaced(admin.clone(), NAMESPACE);
    let spec = policies.get("linkspan").await.unwrap().spec.unwrap();
    let types = spec.policy_types.unwrap_or_default();
    row.held("egress is not looked at", types.contains(&"Egress".to_owned()));
    for port in spec.egress.unwrap_or_default().into_iter().filter_map(|rule| rule.ports) {
        for port in port {
            let number = json!(port.port);
            let expected = [json!(53), json!(443), json!(6443)].contains(&number);
            row.held(&format!("a way out by {number}"), expected && port.end_port.is_none());
        }
    }
}

/// Every crate is one of a registry, and which, its checksum says.
fn crates(row: &mut Row) {
    let lock = read("Cargo.lock");
    let text = |package: &str, name: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.map(|value| value.trim_matches('"').to_owned()).unwrap_or_default()
    };
    let loose = lock.split("[[package]]").skip(1).filter(|package| {
        !text(package, "source").starts_with("registry+") || text(package, "checksum").len() != 64
    });
    let loose: Vec<String> = loose.map(|package| text(package, "name")).collect();
    row.held(&format!("crates that are not pinned: {loose:?}"), loose == ["linkspan"]);
}

/// n18: the release, installed with its second scheduler and its network policy.
pub(super) async fn release(control_plane: &ControlPlane) -> Row {
    let mut row = Row::new("n18 the release's own pods, weakened; its ways out; its crates");
    let admin = Client::try_from(control_plane.config()).unwrap();
    profile(&mut row, &admin).await;
    egress(&mut row, &admin).await;
    crates(&mut row);
    row
}
