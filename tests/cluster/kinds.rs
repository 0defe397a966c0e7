//! The CRDs as the API server and kubectl see them.

use std::io::Write;
use std::process::{Command, Stdio};

use linkspan::api::{Rule, Service, Task, TaskDefinition};
use serde_json::{Value, json};

use crate::support::{Place, shared, until};

async fn kubectl(arguments: &[&str], input: &str) -> (bool, String) {
    let control_plane = shared().await;
    let mut child = Command::new(control_plane.kubectl())
        .env("KUBECONFIG", control_plane.kubeconfig_path())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn the_api_server_takes_all_kinds_without_a_warning() {
    shared().await;
    let crds: Vec<Value> = linkspan::api::crds().iter().map(|crd| json!(crd)).collect();
    assert_eq!(crds.len(), 8);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": crds}).to_string();
    let arguments = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--field-manager=test",
        "--warnings-as-errors",
        "-f",
        "-",
    ];
    let (taken, text) = kubectl(&arguments, &list).await;
    assert!(taken, "{text}");
    assert!(!text.contains("Warning"), "{text}");
}

#[tokio::test]
async fn kubectl_lists_all_kinds_by_category_and_by_short_name() {
    let place = Place::new("columns").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    place.steady("web", 1, "shop:1").await;
    let (listed, text) = kubectl(&["get", "ecs", "-n", &place.namespace], "").await;
    assert!(listed, "{text}");
    for word in
        ["service.ecs.linkspan.dev/web", "taskdefinition.ecs.linkspan.dev/shop", "SteadyState"]
    {
        assert!(text.contains(word), "{word} in {text}");
    }
    for short in ["etd", "etdr", "esvc", "esd", "etask", "erule", "ecp", "ecl"] {
        let (known, text) = kubectl(&["get", short, "-n", &place.namespace], "").await;
        assert!(known, "{short}: {text}");
    }
    let (explained, text) = kubectl(&["explain", "etd.spec.containerDefinitions.cpu"], "").await;
    assert!(explained && text.contains("CPU units"), "{text}");
}

#[tokio::test]
async fn identity_cannot_be_changed() {
    let place = Place::new("identity").await;
    place.apply::<TaskDefinition>("a", json!({"family": "shop"})).await;
    let refused = place.try_apply::<TaskDefinition>("a", json!({"family": "other"})).await;
    assert!(refused.unwrap_err().to_string().contains("family cannot be changed"));
    place.apply::<Service>("b", json!({"serviceName": "web", "taskDefinition": "x"})).await;
    for (changed, message) in [
        (json!({"serviceName": "other", "taskDefinition": "x"}), "serviceName cannot be changed"),
        (json!({"taskDefinition": "x"}), "serviceName cannot be changed"),
        (
            json!({"serviceName": "web", "taskDefinition": "x", "cluster": "elsewhere"}),
            "cluster cannot be changed",
        ),
        (
            json!({"serviceName": "web", "launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "a"}]}),
            "not both",
        ),
    ] {
        let refused = place.try_apply::<Service>("b", changed).await.unwrap_err().to_string();
        assert!(refused.contains(message), "{refused}");
    }
    place.apply::<Task>("t", json!({"taskDefinition": "x"})).await;
    let refused = place.try_apply::<Task>("t", json!({"taskDefinition": "y"})).await;
    assert!(refused.unwrap_err().to_string().contains("one run"));
}

#[tokio::test]
async fn whatever_a_person_pastes_is_kept_as_it_is() {
    let place = Place::new("open").await;
    let spec = json!({
        "family": "shop", "cpu": 256, "memory": "0.5 GB", "pidMode": "", "tags": null,
        "ipcMode": null, "runtimePlatform": null, "futureMember": {"a": [1, {"b": null}]},
        "containerDefinitions": [{"name": "app", "image": "a", "memory": "128", "essential": null,
            "environment": [{"name": "A", "value": 1}], "portMappings": null, "other": true}],
        "kubernetes": {"revisionHistoryLimit": 3},
    });
    let stored = place.apply::<TaskDefinition>("shop", spec.clone()).await;
    assert_eq!(stored.spec.0, spec);
    let with_nulls = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "TaskDefinition",
        "metadata": {"name": "nulls", "namespace": place.namespace}, "spec": spec});
    let (created, text) = kubectl(&["create", "-f", "-"], &with_nulls.to_string()).await;
    assert!(created, "{text}");
    let service =
        place.service("web", json!({"taskDefinition": "x", "platformVersion": 1.4})).await;
    assert_eq!(service.spec.0["desiredCount"], 1, "the one default");
}

#[tokio::test]
async fn kinds_without_behaviour_say_so() {
    let place = Place::new("not-yet").await;
    place.apply::<Task>("t", json!({"taskDefinition": "x"})).await;
    place.apply::<Rule>("r", json!({"scheduleExpression": "rate(5 minutes)"})).await;
    for short in ["etask/t", "erule/r"] {
        until(&format!("{short} says NotImplemented"), || async {
            let path = "jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}";
            let (_, text) = kubectl(&["get", short, "-n", &place.namespace, "-o", path], "").await;
            if text == "NotImplemented" { Ok(()) } else { Err(text) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_fresh_status_is_waited_for_by_kubectl() {
    let place = Place::new("wait").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let (waited, text) = kubectl(
        &["wait", "--for=condition=Ready", "esvc/web", "-n", &place.namespace, "--timeout=60s"],
        "",
    )
    .await;
    assert!(waited, "{text}");
    let (scaled, text) =
        kubectl(&["scale", "esvc/web", "--replicas", "3", "-n", &place.namespace], "").await;
    assert!(scaled, "{text}");
    place.steady("web", 3, "shop:1").await;
}
