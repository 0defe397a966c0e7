//! When everything is as it should be, the operator writes nothing, however often it is started.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1 as corev1;
use kube::api::PostParams;
use linkspan::api::{Cluster, Service, TaskDefinition};
use serde_json::json;

use crate::operator::Operator;
use crate::outward;
use crate::support::{
    Place, audited, control_plane_with, options, patience, status_of, task_definition, until,
};

/// How long nothing may be written: `LINKSPAN_QUIET_SECONDS`.
fn quiet_for() -> Duration {
    let seconds = std::env::var("LINKSPAN_QUIET_SECONDS").ok();
    Duration::from_secs(seconds.map_or(20, |digits| digits.parse().unwrap()))
}

/// What the operator wrote, Leases aside: `verb resource name`, by the audit log.
fn written(audit_log: &Path) -> Vec<String> {
    audited(audit_log)
        .into_iter()
        .filter(|line| line["userAgent"].as_str().is_some_and(|by| by.starts_with("linkspan/")))
        .filter(|line| !matches!(line["verb"].as_str(), Some("get" | "list" | "watch")))
        .filter(|line| line["objectRef"]["resource"] != "leases")
        .map(|line| {
            let of = &line["objectRef"];
            format!("{} {} {} {}", line["verb"], of["resource"], of["subresource"], of["name"])
        })
        .collect()
}

/// Services of every shape, those that cannot go on among them; returns when each stands still.
async fn twenty_services(place: &Place) {
    place.task_definition("shop", "example/shop:1").await;
    let mut plain = task_definition("example/plain:1");
    plain["containerDefinitions"][0]["portMappings"] = json!([]);
    place.apply::<TaskDefinition>("plain", plain).await;
    let mut sidecar = task_definition("example/main:1");
    let beside = json!({"name": "beside", "image": "example/beside:1", "essential": false,
        "portMappings": [{"containerPort": 9000}, {"containerPort": 9001, "protocol": "udp"}],
        "environment": [{"name": "B", "value": "2"}, {"name": "A", "value": ""}]});
    sidecar["containerDefinitions"].as_array_mut().unwrap().push(beside);
    place.apply::<TaskDefinition>("sidecar", sidecar).await;
    let mut big = task_definition("example/big:1");
    big["cpu"] = json!("131072");
    place.apply::<TaskDefinition>("big", big).await;

    place.apply::<Cluster>("default", json!({"kubernetes": outward::tables()})).await;
    place.service("outward", outward::asked()).await;

    let families = ["shop", "plain", "sidecar"];
    for (number, family) in families.iter().cycle().take(12).enumerate() {
        let count = number % 4;
        let name = format!("{family}-{number}");
        place.service(&name, json!({"taskDefinition": family, "desiredCount": count})).await;
    }
    let percents = json!({"minimumHealthyPercent": 0, "maximumPercent": 100});
    let other = [
        ("pinned", json!({"taskDefinition": "shop:1", "desiredCount": 2})),
        ("forced", json!({"taskDefinition": "shop", "forceNewDeployment": true})),
        ("percents", json!({"taskDefinition": "shop", "deploymentConfiguration": percents})),
        (
            "daemon",
            json!({"taskDefinition": "shop", "schedulingStrategy": "DAEMON",
                "capacityProviderStrategy": [{"capacityProvider": "on-demand"}]}),
        ),
        ("Odd_Name", json!({"taskDefinition": "shop", "serviceName": "Odd_Name"})),
    ];
    for (name, spec) in &other {
        place.service(&name.to_lowercase().replace('_', "-"), spec.clone()).await;
    }
    let theirs: corev1::Service = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "foreign"},
        "spec": {"ports": [{"port": 1}], "selector": {"app": "theirs"}},
    }))
    .unwrap();
    place.api::<corev1::Service>().create(&PostParams::default(), &theirs).await.unwrap();
    let stuck = [
        ("missing", json!({"taskDefinition": "nothing"}), "TaskDefinitionNotFound"),
        ("unplaced", json!({"taskDefinition": "big"}), "UnableToPlaceTask"),
        (
            "refused",
            json!({"taskDefinition": "shop", "deploymentController": {"type": "EXTERNAL"}}),
            "InvalidSpec",
        ),
        ("foreign", json!({"taskDefinition": "shop"}), "ChildConflict"),
    ];
    for (name, spec, _) in &stuck {
        place.service(name, spec.clone()).await;
    }

    for (number, family) in families.iter().cycle().take(12).enumerate() {
        let count = i32::try_from(number % 4).unwrap();
        place.steady(&format!("{family}-{number}"), count, &format!("{family}:1")).await;
    }
    place.steady("outward", 2, "shop:1").await;
    place.steady("daemon", 3, "shop:1").await;
    for (name, tasks) in [("pinned", 2), ("forced", 1), ("percents", 1), ("odd-name", 1)] {
        place.steady(name, tasks, "shop:1").await;
    }
    for (name, _, reason) in stuck {
        place.reason(name, reason).await;
    }
    // What is in its way keeps it from no task.
    let runs = |service: &Service| status_of(service).running_count == 1;
    place.service_when("foreign", "a task", runs).await;
}

#[tokio::test]
async fn what_is_steady_is_left_alone_also_by_an_operator_that_starts() {
    let control_plane =
        control_plane_with(linkspan::sandbox::control_plane::Options { audit: true, ..options() })
            .await;
    let place = Place::of(&control_plane, "quiet").await;
    let mut operator = Operator::new(&control_plane, &control_plane.kubeconfig_path());
    operator.start();
    twenty_services(&place).await;
    let audit_log = control_plane.audit_log();

    // What was under way is written: then for five seconds nothing is.
    let mut before = written(&audit_log);
    assert!(before.len() > 100, "the audit log knows the operator: {before:?}");
    let settled = tokio::time::timeout(patience(), async {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let now = written(&audit_log);
            if now.len() == before.len() {
                return;
            }
            before = now;
        }
    });
    settled.await.expect("it comes to rest");

    tokio::time::sleep(quiet_for() / 2).await;
    operator.kill().await;
    operator.start();
    until("the second operator is at work", || async {
        let said = std::fs::read_to_string(operator.log()).unwrap();
        let ready = said.matches("all watches are current").count();
        if ready == 2 { Ok(()) } else { Err(said) }
    })
    .await;
    tokio::time::sleep(quiet_for() / 2).await;
    let after = written(&audit_log);
    assert_eq!(after[before.len()..], [] as [String; 0], "nothing was written");
    drop(operator);
    control_plane.stop().await;
}
