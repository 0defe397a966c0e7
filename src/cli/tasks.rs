//! `linkspan tasks`: which tasks are there, where do they run, and how do they do?

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::cluster::{Scope, now};
use super::output::{Listing, Output};
use super::shell::block_on;
use crate::layout::age;
use crate::names::{self, label};

/// `linkspan tasks`
#[derive(Debug, clap::Args)]
pub struct Tasks {
    /// Only those of this service.
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    #[command(flatten)]
    listing: Listing,
    #[command(flatten)]
    scope: Scope,
}

pub(super) fn run(arguments: Tasks) -> io::Result<ExitCode> {
    let text = block_on(async move {
        let place = arguments.scope.open().await?;
        let listing = &arguments.listing;
        let mut labels = match &arguments.service {
            Some(name) => {
                let uid = place.service(name).await?.uid().unwrap_or_default();
                format!("{}={uid}", label::SERVICE_UID)
            }
            None => label::SERVICE_UID.to_owned(),
        };
        if let Some(asked) = &listing.selector {
            labels = format!("{labels},{asked}");
        }
        let api: Api<corev1::Pod> =
            if listing.all_namespaces { Api::all(place.client.clone()) } else { place.api() };
        let pods = api.list(&ListParams::default().labels(&labels)).await?.items;
        if pods.is_empty() && matches!(listing.output, Output::Table | Output::Wide) {
            return Ok("No tasks.\n".to_owned());
        }
        match listing.output {
            Output::Table | Output::Wide => Ok(in_table(&pods, listing, now())),
            _ => listing.text("pods", &pods, &[]),
        }
    })?;
    super::print_out(&text)
}

/// Tasks in a table.
pub(super) fn in_table(pods: &[corev1::Pod], listing: &Listing, now: Timestamp) -> String {
    let labelled =
        |pod: &corev1::Pod, key: &str| pod.labels().get(key).cloned().unwrap_or_default();
    let text = listing.text(
        "pods",
        pods,
        &[
            ("TASK", false, &ResourceExt::name_any),
            ("SERVICE", false, &|pod| labelled(pod, label::SERVICE)),
            ("TASK-DEFINITION", false, &|pod| {
                format!("{}:{}", labelled(pod, label::FAMILY), labelled(pod, label::REVISION))
            }),
            ("STATUS", false, &last_status),
            ("HEALTH", false, &health),
            ("NODE", false, &|pod| {
                pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default()
            }),
            ("RESTARTS", false, &|pod| restarts(pod).to_string()),
            ("AGE", false, &|pod| age(pod.metadata.creation_timestamp.as_ref(), now)),
            ("ID", true, &|pod| names::task_id(&pod.uid().unwrap_or_default())),
            ("PROVIDER", true, &|pod| labelled(pod, label::CAPACITY_PROVIDER)),
            ("ADDRESS", true, &|pod| {
                pod.status.as_ref().and_then(|status| status.pod_ip.clone()).unwrap_or_default()
            }),
            ("IMAGES", true, &images),
        ],
    );
    // A table of cells cannot fail.
    text.unwrap_or_default()
}

/// `lastStatus`, as DescribeTasks has it; for a task that does not start, why.
fn last_status(pod: &corev1::Pod) -> String {
    if pod.metadata.deletion_timestamp.is_some() {
        return "STOPPING".to_owned();
    }
    let status = pod.status.clone().unwrap_or_default();
    match status.phase.as_deref() {
        Some("Running") => return "RUNNING".to_owned(),
        Some("Succeeded" | "Failed") => return "STOPPED".to_owned(),
        _ => {}
    }
    let waiting = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let waiting = waiting.filter_map(|one| one.state.as_ref()?.waiting.as_ref()?.reason.clone());
    let telling =
        waiting.into_iter().find(|why| !matches!(&**why, "ContainerCreating" | "PodInitializing"));
    let placed = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    match telling {
        Some(why) => format!("PENDING ({why})"),
        None if placed => "PENDING".to_owned(),
        None => "PROVISIONING".to_owned(),
    }
}

/// `healthStatus`: of a running task, whether it is ready.
fn health(pod: &corev1::Pod) -> String {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.into_iter().find(|one| one.type_ == "Ready");
    match ready.map(|ready| ready.status.as_str()) {
        Some("True") => "HEALTHY",
        Some("False") if last_status(pod) == "RUNNING" => "UNHEALTHY",
        _ => "UNKNOWN",
    }
    .to_owned()
}

fn restarts(pod: &corev1::Pod) -> i32 {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    statuses.map(|one| one.restart_count).sum()
}

fn images(pod: &corev1::Pod) -> String {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let images: BTreeMap<&str, &str> = containers
        .map(|one| (one.name.as_str(), one.image.as_deref().unwrap_or_default()))
        .collect();
    images.into_values().collect::<Vec<_>>().join(",")
}
