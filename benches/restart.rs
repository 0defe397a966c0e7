//! A restart over many Services: how soon it is in sync, that it writes nothing, and its memory.
//!
//! `LINKSPAN_SERVICES=100 cargo bench --bench restart` tries it out.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement that cannot go on ends"
)]
#![allow(dead_code, reason = "each benchmark uses its part of the support")]

#[path = "support/report.rs"]
mod report;
mod support;

use std::time::{Duration, Instant};

use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use linkspan::api::{Service, TaskDefinition};
use report::{Report, heads, size};
use serde_json::json;
use support::{Operator, control_plane, each};

const LINKSPAN: &str = "ecs.linkspan.dev/v1alpha1";

#[tokio::main]
async fn main() {
    let services = size("LINKSPAN_SERVICES", 10_000);
    let control_plane = control_plane().await;
    let client = Client::try_from(control_plane.config()).unwrap();
    let namespace = control_plane.namespace(&client, "restart").await.unwrap();
    let as_user = PatchParams::apply("bench").force();

    let definitions: Api<TaskDefinition> = Api::namespaced(client.clone(), &namespace);
    for (family, ports) in [("shop", json!([{"containerPort": 80}])), ("worker", json!([]))] {
        let definition = json!({"apiVersion": LINKSPAN, "kind": "TaskDefinition",
            "metadata": {"name": family}, "spec": {"containerDefinitions": [
                {"name": "app", "image": "example/shop:1", "memory": 16, "portMappings": ports}]}});
        definitions.patch(family, &as_user, &Patch::Apply(&definition)).await.unwrap();
    }
    let api: Api<Service> = Api::namespaced(client.clone(), &namespace);
    let operator = Operator::start(&control_plane);
    operator.ready().await;
    let started = Instant::now();
    each(services, |at| {
        let (api, as_user) = (&api, &as_user);
        async move {
            let name = format!("svc-{at}");
            // Without tasks: the number of objects is what a restart is about. One in ten has a
            // port: to find an address for a corev1 Service, the API server looks at all that are
            // taken, so that of 8,000 each takes it over a second.
            let family = if at % 10 == 0 { "shop" } else { "worker" };
            let service = json!({"apiVersion": LINKSPAN, "kind": "Service", "metadata": {"name": name},
                "spec": {"taskDefinition": family, "desiredCount": 0}});
            api.patch(&name, as_user, &Patch::Apply(&service)).await.unwrap();
        }
    })
    .await;
    steady(&api, services).await;
    eprintln!("{services} Services are steady after {:.0} s", started.elapsed().as_secs_f64());
    drop(operator);

    let operator = Operator::start(&control_plane);
    let ready = operator.ready().await;
    settled(&operator).await;
    let synced = ready;
    let writes = operator.writes() as f64;
    let resident = operator.resident();

    let mut report = Report::default();
    heads();
    let what = format!("restart over {services} Services, to all watches current");
    report.row(&what, "≤ 10", synced.as_secs_f64(), "s", synced.as_secs_f64() <= 10.0);
    report.row("writes of a restart", "0", writes, "writes", writes == 0.0);
    report.row(
        &format!("resident with {services} Services"),
        "≤ 300",
        resident,
        "MiB",
        resident <= 300.0,
    );
    report.save("restart");
}

async fn steady(api: &Api<Service>, services: usize) {
    let mut ticks = tokio::time::interval(Duration::from_secs(10));
    loop {
        ticks.tick().await;
        let all = api.list(&ListParams::default()).await.unwrap();
        let ready = all.iter().filter(|service| {
            let conditions = service.status.clone().unwrap_or_default().conditions;
            conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
        });
        let ready = ready.count();
        if ready == services {
            return;
        }
        eprintln!("{ready} of {services} Services are steady");
    }
}

/// Waits until the operator has looked at everything once: until nothing is worked on any more.
async fn settled(operator: &Operator) {
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    let mut last = (0, 0);
    let mut still = 0;
    while still < 10 {
        ticks.tick().await;
        let now = (operator.reconciliations(), operator.writes());
        still = if now == last && now.0 > 0 { still + 1 } else { 0 };
        last = now;
    }
}
