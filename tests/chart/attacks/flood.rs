//! n14: one tenant asks for as much as it can, while another one's service goes on being served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1 as appsv1;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use linkspan::api::{Service, TaskDefinition};
use serde_json::{Value, json};

use super::Row;
use crate::operator::{NAMESPACE, Operator, bare, install, place_of};
use crate::support::{Place, ready, status_of, task_definition, until};

/// How many services the tenant makes: `LINKSPAN_FLOOD`, else 150.
fn most() -> usize {
    std::env::var("LINKSPAN_FLOOD").ok().map_or(150, |digits| digits.parse().unwrap())
}

/// How many of them are asked for at a time.
const AT_ONCE: usize = 8;
/// How often the other tenant changes its service before the flood, and at least in it.
const CHANGES: usize = 20;

/// Expressions that take long to read, to match, or to say no to.
fn queries() -> Vec<String> {
    vec![
        "attribute:x =~ (a+)+$".to_owned(),
        "attribute:x =~ a{1000}{1000}{1000}".to_owned(),
        format!("attribute:x =~ {}", "(a|b)*".repeat(500)),
        format!("{}attribute:x exists{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("{}attribute:x exists", "not ".repeat(10_000)),
        vec!["attribute:x == y"; 2_000].join(" and "),
        format!("attribute:x in [{}]", vec!["y"; 20_000].join(", ")),
    ]
}

/// Schedules that are always or never due, and ones that take long to read.
fn schedules() -> Vec<String> {
    vec![
        "cron(0 0 31 2 ? *)".to_owned(),
        "cron(0 0 29 2 ? 2197-2199)".to_owned(),
        "cron(* * * * ? *)".to_owned(),
        "rate(1 minute)".to_owned(),
        "at(9999-12-31T23:59:59)".to_owned(),
        format!("cron({}0 * * * ? *)", "0,".repeat(5_000)),
        format!("rate({} days)", "9".repeat(1_000)),
    ]
}

/// Objects that are costly each: their names and specs.
fn bombs() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (at, expression) in queries().into_iter().enumerate() {
        let constraint = json!([{"type": "memberOf", "expression": expression}]);
        all.push((format!("query-{at}"), json!({"placementConstraints": constraint})));
    }
    for (at, schedule) in schedules().into_iter().enumerate() {
        let action = json!({"scheduledActionName": "a", "schedule": schedule,
            "scalableTargetAction": {"minCapacity": 0}});
        let autoscaling = json!({"scalableTarget": {"minCapacity": 0, "maxCapacity": 1},
            "scheduledActions": vec![action; 50]});
        all.push((format!("schedule-{at}"), json!({"autoscaling": autoscaling})));
    }
    // An object as large as the API server takes.
    let tag = json!({"key": "x", "value": "y".repeat(256)});
    all.push(("tags".to_owned(), json!({"tags": vec![tag; 4_500]})));
    for (_, spec) in &mut all {
        spec["taskDefinition"] = json!("web");
        spec["desiredCount"] = json!(0);
    }
    all
}

/// Makes the services, then changes one of them 50 times a second until it is told to end. Gives how
/// often it did.
async fn flood(place: Place, end: Arc<AtomicBool>) -> usize {
    let place = Arc::new(place);
    let mut makers = tokio::task::JoinSet::new();
    for first in 0..AT_ONCE {
        let place = place.clone();
        makers.spawn(async move {
            for number in (first..most()).step_by(AT_ONCE) {
                let name = format!("flood-{number}");
                until(&format!("{name} is made"), || async {
                    let spec = json!({"taskDefinition": "web", "desiredCount": 0});
                    let made = place.try_apply::<Service>(&name, spec).await;
                    made.map(drop).map_err(|error| error.to_string())
                })
                .await;
            }
        });
    }
    while let Some(made) = makers.join_next().await {
        made.unwrap();
    }
    let services = place.api::<Service>();
    let mut beats = tokio::time::interval(Duration::from_millis(20));
    let (mut changes, mut tries) = (0, 0);
    while !end.load(Ordering::Relaxed) {
        beats.tick().await;
        tries += 1;
        let percent = 200 + tries % 100;
        let body = json!({"spec": {"deploymentConfiguration": {"maximumPercent": percent}}});
        let merge = Patch::Merge(body);
        // An API server that has enough of it says so.
        let made = services.patch("flood-0", &PatchParams::default(), &merge).await;
        changes += usize::from(made.is_ok());
    }
    changes
}

/// How long the API server takes to note a change of a service's count, and from then on the operator to
/// bring it to the Deployment.
async fn reaction(place: &Place, service: &Service, count: i32) -> (Duration, Duration) {
    let started = Instant::now();
    place.scale(&service.name_any(), count).await;
    let noted = started.elapsed();
    until(&format!("{count} tasks are asked for"), || async {
        let deployment: appsv1::Deployment = place.deployment(service).await;
        let asked = deployment.spec.and_then(|spec| spec.replicas);
        if asked == Some(count) { Ok(()) } else { Err(format!("{asked:?}")) }
    })
    .await;
    (noted, started.elapsed().saturating_sub(noted))
}

/// Half of them within so long, and 99 of 100.
fn usual(all: impl Iterator<Item = Duration>) -> String {
    let mut all: Vec<Duration> = all.collect();
    all.sort();
    let last = all[(all.len() * 99).div_ceil(100) - 1];
    format!("{:.0?} and {last:.0?}", all[all.len() / 2])
}

/// The memory that the release's container may use, in bytes.
async fn limit(admin: &Client) -> u64 {
    let deployments: Api<appsv1::Deployment> = Api::namespaced(admin.clone(), NAMESPACE);
    let pod = deployments.get("linkspan").await.unwrap().spec.unwrap().template.spec.unwrap();
    let limits = pod.containers[0].resources.clone().unwrap().limits.unwrap();
    let mebibytes = limits["memory"].0.strip_suffix("Mi").expect("MiB");
    mebibytes.parse::<u64>().unwrap() << 20
}

/// The most memory that a process has had, in bytes, where Linux says so.
fn most_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_tenant_keeps_no_other_from_being_served() {
    let control_plane = bare().await;
    install(&control_plane, &[]);
    let admin = Client::try_from(control_plane.config()).unwrap();
    let operator = Operator::start(&control_plane, &[]).await;
    let quiet = place_of(&control_plane, "quiet", "dev").await;
    quiet.task_definition("web", "example/web:1").await;
    quiet.service("web", json!({"taskDefinition": "web"})).await;
    let service = quiet.steady("web", 1, "web:1").await;
    let mut before = Vec::new();
    for number in 0..CHANGES {
        before.push(reaction(&quiet, &service, i32::try_from(number % 2).unwrap() + 2).await);
    }

    let loud = place_of(&control_plane, "loud", "mallory").await;
    loud.task_definition("web", "example/web:1").await;
    loud.registered("web-1").await;
    let mut row = Row::new("n14 a flood: services, costly specs, 50 changes a second");
    for (name, spec) in bombs() {
        let made = loud.try_apply::<Service>(&name, spec).await;
        match made {
            Err(kube::Error::Api(status)) if (400..500).contains(&status.code) => {}
            Ok(_) => {
                let judged = |service: &Service| ready(service).is_some();
                loud.service_when(&name, "it is judged", judged).await;
            }
            Err(other) => row.held(&format!("{name}: {other}"), false),
        }
        row.tried += 1;
    }
    // As large as the API server takes, and as many parts as that has room for.
    for (name, variables, length) in [("large", 1_350, 1_000), ("many", 20_000, 1)] {
        let mut definition = task_definition("example/web:1");
        let variable = |number| json!({"name": format!("E{number}"), "value": "x".repeat(length)});
        definition["containerDefinitions"][0]["environment"] =
            (0..variables).map(variable).collect();
        let made = loud.try_apply::<TaskDefinition>(name, definition).await;
        if made.is_ok() {
            loud.service(name, json!({"taskDefinition": name, "desiredCount": 0})).await;
            loud.service_when(name, "it is judged", |service| ready(service).is_some()).await;
        }
        row.tried += 1;
    }

    let end = Arc::new(AtomicBool::new(false));
    let copy = Place { client: loud.client.clone(), namespace: loud.namespace.clone() };
    let flooding = tokio::spawn(flood(copy, end.clone()));
    let mut during = Vec::new();
    let mut last_made = None;
    // All through the making, and on into the storm of changes.
    while last_made.is_none_or(|at| during.len() < at + CHANGES) {
        let count = i32::try_from(during.len() % 2).unwrap() + 2;
        during.push(reaction(&quiet, &service, count).await);
        let there = loud.api::<Service>().get_opt(&format!("flood-{}", most() - 1)).await.unwrap();
        if there.is_some() && last_made.is_none() {
            last_made = Some(during.len());
        }
        assert!(!flooding.is_finished(), "the flood goes on");
    }
    end.store(true, Ordering::Relaxed);
    let changes = flooding.await.unwrap();
    row.tried += most() + changes;

    until("each of them is judged as it is now", || async {
        let all = loud.api::<Service>().list(&ListParams::default()).await.unwrap();
        let late = |one: &&Service| {
            ready(one).is_none() || status_of(one).observed_generation != one.metadata.generation
        };
        let late: Vec<String> = all.iter().filter(late).map(ResourceExt::name_any).collect();
        if late.is_empty() { Ok(()) } else { Err(late.join(" ")) }
    })
    .await;
    let answer = operator.get("/readyz").await;
    row.held("the operator is gone", answer.starts_with("HTTP/1.1 200"));
    if let (Some(most), limit) = (most_memory(operator.pid()), limit(&admin).await) {
        tell!("memory of the operator: at most {} MiB of {} MiB", most >> 20, limit >> 20);
        row.held("more memory than the chart gives it", most <= limit);
    }
    for (when, changes) in [("before the flood", before), ("in it", during)] {
        tell!(
            "{} changes of another tenant {when}: half, and 99 of 100, noted by the API server within {}, \
             done by the operator within {} more",
            changes.len(),
            usual(changes.iter().map(|(noted, _)| *noted)),
            usual(changes.iter().map(|(_, done)| *done)),
        );
    }
    tell!("{:<62} {:>6} {:>7}", row.name, row.tried, row.tried - row.let_in.len());
    assert!(row.let_in.is_empty(), "{:#?}", row.let_in);
    control_plane.stop().await;
}
