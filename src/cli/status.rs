//! `linkspan status`: how do services do? All of them in a table, or one in full.
//!
//! What is told stands in the services' own statuses.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use k8s_openapi::api::core::v1 as corev1;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::cluster::{Place, Scope, now};
use super::output::{Listing, Output, Screen};
use super::shell::block_on;
use super::tasks;
use crate::api::{ConditionType, Service, ServiceStatus};
use crate::ecs::reference::service_of;
use crate::layout::{age, table};
use crate::names::label;

/// How often `--watch` looks.
const LOOK: Duration = Duration::from_secs(1);
/// The events that are shown of one service.
const EVENTS_SHOWN: usize = 5;

/// `linkspan status`
#[derive(Debug, clap::Args)]
pub struct Status {
    /// One service, in full.
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Go on showing it, until Ctrl-C.
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    listing: Listing,
    #[command(flatten)]
    scope: Scope,
}

pub(super) fn run(arguments: Status) -> io::Result<ExitCode> {
    block_on(async move {
        let place = arguments.scope.open().await?;
        let mut screen = Screen::new();
        let mut told = std::pin::pin!(crate::controller::until_told_to_stop());
        loop {
            screen.show(&text(&place, &arguments).await?)?;
            if !arguments.watch {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = &mut told => return Ok(ExitCode::SUCCESS),
            }
        }
    })
}

async fn text(place: &Place, arguments: &Status) -> anyhow::Result<String> {
    let listing = &arguments.listing;
    let is_table = matches!(listing.output, Output::Table | Output::Wide);
    if let Some(name) = &arguments.service {
        let service = place.service(name).await?;
        if !is_table {
            return listing.text(NAMES, &[service], &[]);
        }
        let uid = service.uid().unwrap_or_default();
        let ours = ListParams::default().labels(&format!("{}={uid}", label::SERVICE_UID));
        let pods = place.api::<corev1::Pod>().list(&ours).await?.items;
        return Ok(in_full(&service, &pods));
    }
    let api: Api<Service> =
        if listing.all_namespaces { Api::all(place.client.clone()) } else { place.api() };
    let asked = listing.selector.as_deref().unwrap_or_default();
    let services = api.list(&ListParams::default().labels(asked)).await?.items;
    if services.is_empty() && is_table {
        let at = if listing.all_namespaces { "any namespace" } else { &place.namespace };
        return Ok(format!("No services in {at}.\n"));
    }
    in_table(&services, listing)
}

/// What kubectl calls them.
const NAMES: &str = "services.ecs.linkspan.dev";

fn in_table(services: &[Service], listing: &Listing) -> anyhow::Result<String> {
    let now = now();
    let of = |service: &Service| service.status.clone().unwrap_or_default();
    listing.text(
        NAMES,
        services,
        &[
            ("NAME", false, &ResourceExt::name_any),
            ("TASK-DEFINITION", false, &|one| of(one).task_definition.unwrap_or_default()),
            ("DESIRED", false, &|one| of(one).desired_count.to_string()),
            ("RUNNING", false, &|one| of(one).running_count.to_string()),
            ("PENDING", false, &|one| of(one).pending_count.to_string()),
            ("ROLLOUT", false, &|one| rollout(&of(one))),
            ("READY", false, &|one| ready(&of(one)).0),
            ("REASON", false, &|one| ready(&of(one)).1),
            ("AGE", false, &|one| age(one.metadata.creation_timestamp.as_ref(), now)),
            ("CLUSTER", true, &|one| service_of(&one.spec.0, one.metadata.name.as_deref()).0),
            ("MESSAGE", true, &|one| ready(&of(one)).2),
        ],
    )
}

fn rollout(status: &ServiceStatus) -> String {
    let newest = status.deployments.first();
    newest.and_then(|newest| newest.rollout_state.clone()).unwrap_or_default()
}

/// Status, reason and message of the condition Ready.
fn ready(status: &ServiceStatus) -> (String, String, String) {
    let ready = ConditionType::Ready.as_str();
    let ready = status.conditions.iter().find(|condition| condition.type_ == ready);
    ready.map_or_else(
        || ("Unknown".to_owned(), String::new(), String::new()),
        |ready| (ready.status.clone(), ready.reason.clone(), ready.message.clone()),
    )
}

/// One service with its deployments, tasks and last events.
fn in_full(service: &Service, pods: &[corev1::Pod]) -> String {
    let now = now();
    let status = service.status.clone().unwrap_or_default();
    let (is, reason, message) = ready(&status);
    let (cluster, name) = service_of(&service.spec.0, service.metadata.name.as_deref());
    let mut text = String::new();
    let mut line = |title: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{title:<18}{value}");
        }
    };
    line("Service:", &format!("{cluster}/{name}"));
    line("Namespace:", &service.namespace().unwrap_or_default());
    line("Task definition:", status.task_definition.as_deref().unwrap_or_default());
    let counts = format!(
        "{} desired, {} running, {} pending",
        status.desired_count, status.running_count, status.pending_count
    );
    line("Tasks:", &counts);
    line("Ready:", &[is, reason, message].map(|part| part.trim().to_owned()).join("  "));
    let supported = ConditionType::FullySupported.as_str();
    let differs =
        status.conditions.iter().find(|one| one.type_ == supported && one.status == "False");
    line("Differs from ECS:", &differs.map(|one| one.message.clone()).unwrap_or_default());
    for change in &status.pending_template_changes {
        line("Waits:", change);
    }
    let deployments: Vec<Vec<String>> = status
        .deployments
        .iter()
        .map(|one| {
            vec![
                one.id.clone(),
                one.status.clone(),
                one.task_definition.clone(),
                one.desired_count.to_string(),
                one.running_count.to_string(),
                one.pending_count.to_string(),
                one.failed_tasks.to_string(),
                one.rollout_state.clone().unwrap_or_default(),
                age(one.created_at.as_ref(), now),
            ]
        })
        .collect();
    let heads = [
        "DEPLOYMENT",
        "STATUS",
        "TASK-DEFINITION",
        "DESIRED",
        "RUNNING",
        "PENDING",
        "FAILED",
        "ROLLOUT",
        "AGE",
    ];
    if !deployments.is_empty() {
        let _ = write!(text, "\n{}", table(&heads, &deployments));
    }
    if !pods.is_empty() {
        let _ = write!(text, "\n{}", tasks::in_table(pods, &Listing::default(), now));
    }
    let events: Vec<Vec<String>> = status
        .events
        .iter()
        .take(EVENTS_SHOWN)
        .map(|event| vec![age(Some(&event.created_at), now), event.message.clone()])
        .collect();
    if !events.is_empty() {
        let _ = write!(text, "\n{}", table(&["AGE", "EVENT"], &events));
    }
    text
}
