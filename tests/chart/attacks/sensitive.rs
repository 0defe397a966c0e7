//! What reaches beyond a task's own containers: what its namespace has given leave for, and no more.

use k8s_openapi::api::core::v1 as corev1;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use linkspan::api::{ServiceDeployment, TaskDefinition, TaskDefinitionRevision};
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::{Value, json};

use super::{Row, create};
use crate::operator::{client_of, place_of};
use crate::support::{ready, task_definition, until};

/// The names of the annotation, and a task definition that asks for each.
fn sensitive() -> Vec<(&'static str, Value)> {
    let of_container = |member: &str, value: Value| {
        let mut spec = task_definition("example/web:1");
        spec["containerDefinitions"][0][member] = value;
        spec
    };
    let of_task = |member: &str, value: Value| {
        let mut spec = task_definition("example/web:1");
        spec[member] = value;
        spec
    };
    vec![
        ("privileged", of_container("privileged", json!(true))),
        (
            "added-capabilities",
            of_container("linuxParameters", json!({"capabilities": {"add": ["SYS_ADMIN"]}})),
        ),
        (
            "host-paths",
            of_task(
                "volumes",
                json!([null, {"name": "v", "host": {"sourcePath": "/var/run/docker.sock"}}]),
            ),
        ),
        ("host-network", of_task("networkMode", json!("host"))),
        ("host-pid", of_task("pidMode", json!("host"))),
        ("host-ipc", of_task("ipcMode", json!("HOST"))),
        (
            "devices",
            of_container("linuxParameters", json!({"devices": [{"hostPath": "/dev/sda"}]})),
        ),
        (
            "sysctls",
            of_container(
                "systemControls",
                json!([{"namespace": "net.core.somaxconn", "value": "1"}]),
            ),
        ),
        ("security-options", of_container("dockerSecurityOptions", json!(["seccomp:unconfined"]))),
    ]
}

/// A record as the operator would make it, of a pod that reaches for each.
fn sensitive_pods() -> Vec<(&'static str, Value)> {
    let container =
        |context: Value| json!({"containers": [{"name": "a", "securityContext": context}]});
    let first = |context: Value| json!({"containers": [{"name": "a"}], "initContainers": [{"name": "b", "securityContext": context}]});
    vec![
        ("privileged", first(json!({"privileged": true}))),
        ("added-capabilities", container(json!({"capabilities": {"add": ["NET_ADMIN"]}}))),
        (
            "host-paths",
            json!({"containers": [], "volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
        ),
        ("host-network", json!({"containers": [], "hostNetwork": true})),
        ("host-pid", json!({"containers": [], "hostPID": true})),
        ("host-ipc", json!({"containers": [], "hostIPC": true})),
        (
            "sysctls",
            json!({"containers": [], "securityContext": {"sysctls": [{"name": "a", "value": "1"}]}}),
        ),
        ("security-options", container(json!({"seccompProfile": {"type": "Unconfined"}}))),
        (
            "security-options",
            json!({"containers": [], "securityContext": {"seLinuxOptions": {"type": "spc_t"}}}),
        ),
    ]
}

async fn allow(control_plane: &ControlPlane, namespace: &str, names: &str) {
    let namespaces: Api<corev1::Namespace> =
        Api::all(Client::try_from(control_plane.config()).unwrap());
    let body = json!({"metadata": {"annotations": {"ecs.linkspan.dev/allow": names}}});
    namespaces.patch(namespace, &PatchParams::default(), &Patch::Merge(&body)).await.unwrap();
}

/// n3: what reaches beyond a task's containers, with and without the namespace's leave.
pub(super) async fn sensitive_fields(control_plane: &ControlPlane) -> Row {
    let mut row = Row::new("n3  sensitive fields without leave, or with leave for others");
    let dev = place_of(control_plane, "sensitive", "dev").await;
    let at = &dev.namespace;
    let operator = client_of(control_plane, crate::operator::ACCOUNT);
    let names: Vec<&str> = sensitive().iter().map(|(name, _)| *name).collect();
    let record = |template: &Value, placements: Value| {
        json!({"metadata": {"ownerReferences": [{"apiVersion": "ecs.linkspan.dev/v1alpha1",
                "kind": "Service", "name": "web", "uid": "u", "controller": true}]},
            "spec": {"service": {"name": "web", "uid": "u"}, "sequence": 1, "cause": "ServiceCreated",
                "requested": {}, "taskDefinition": "web:1", "features": {"kubernetesMinor": 36},
                "template": {"spec": template}, "placements": placements}})
    };
    // In the template, or in place of its members for the tasks of a capacity provider: the second of
    // two, so that one look at the first would not do.
    let records = |pod: &Value| {
        let bare = json!({"containers": [{"name": "a"}]});
        let placements = json!([{"capacityProvider": "FARGATE", "podSpec": {}},
            {"capacityProvider": "FARGATE_SPOT", "podSpec": pod}]);
        [record(pod, json!([])), record(&bare, placements)]
    };
    for (name, _) in sensitive() {
        let others: Vec<&str> = names.iter().filter(|other| **other != name).copied().collect();
        for (leave, denied) in
            [(String::new(), true), (others.join(","), true), (format!(" {name} ,x"), false)]
        {
            allow(control_plane, at, &leave).await;
            let says = format!("ecs.linkspan.dev/allow: {name}");
            // The policy hears of the annotation a moment later.
            let settled = || async {
                let (_, probe) = sensitive().into_iter().find(|(one, _)| *one == name).unwrap();
                let made =
                    create::<TaskDefinition>(&dev.client, at, "x", json!({"spec": probe}), true)
                        .await;
                if made.is_err() == denied {
                    Ok(())
                } else {
                    Err(format!("{name} with leave {leave:?}: {made:?}"))
                }
            };
            until("the annotation holds", settled).await;
            for (_, spec) in sensitive().into_iter().filter(|(one, _)| *one == name) {
                let made =
                    create::<TaskDefinition>(&dev.client, at, "x", json!({"spec": spec}), true)
                        .await;
                let labels = json!({"labels": {"ecs.linkspan.dev/family": "x"}});
                let revision = json!({"metadata": labels, "spec": spec});
                let frozen =
                    create::<TaskDefinitionRevision>(&operator, at, "x-1", revision, true).await;
                if denied {
                    row.tried(name, made, &says);
                    row.tried(name, frozen, &says);
                } else {
                    made.expect(name);
                    frozen.expect(name);
                }
            }
            for (_, pod) in sensitive_pods().into_iter().filter(|(one, _)| *one == name) {
                for record in records(&pod) {
                    let made = create::<ServiceDeployment>(&operator, at, "x", record, true).await;
                    if denied {
                        row.tried(name, made, &says);
                    } else {
                        made.expect(name);
                    }
                }
            }
        }
    }
    // Who may edit the namespace's objects may not give the leave.
    let namespaces: Api<corev1::Namespace> = Api::all(dev.client.clone());
    let body = json!({"metadata": {"annotations": {"ecs.linkspan.dev/allow": "privileged"}}});
    let given = namespaces.patch(at, &PatchParams::default(), &Patch::Merge(&body)).await;
    row.tried("dev gives leave", given, "cannot patch resource \"namespaces\"");
    row
}

/// n3, n4: a pod is there exactly where Pod Security and the annotation both let it.
pub(super) async fn pod_security(control_plane: &ControlPlane) -> Row {
    let mut row = Row::new("n4  what Pod Security refuses is refused to Linkspan too");
    let (_, privileged) = sensitive().remove(0);
    for (profile, runs) in [("restricted", false), ("baseline", false), ("privileged", true)] {
        let dev = place_of(control_plane, profile, "dev").await;
        let namespaces: Api<corev1::Namespace> =
            Api::all(Client::try_from(control_plane.config()).unwrap());
        let body = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": profile},
            "annotations": {"ecs.linkspan.dev/allow": "privileged"}}});
        namespaces
            .patch(&dev.namespace, &PatchParams::default(), &Patch::Merge(&body))
            .await
            .unwrap();
        until("the leave holds", || async {
            let made = dev.try_apply::<TaskDefinition>("web", privileged.clone()).await;
            made.map(drop).map_err(|error| error.to_string())
        })
        .await;
        dev.service("web", json!({"taskDefinition": "web"})).await;
        if runs {
            dev.steady("web", 1, "web:1").await;
            continue;
        }
        let service = dev
            .service_when("web", "the refusal is told", |service| {
                ready(service).is_some_and(|(_, message)| message.contains("violates PodSecurity"))
            })
            .await;
        let pods = dev.children::<corev1::Pod>(&service).await.len();
        row.held(&format!("{profile}: {pods} pods"), pods == 0);
    }
    row
}
