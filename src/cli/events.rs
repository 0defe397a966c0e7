//! `linkspan events`: what happened, in ECS's words and in Kubernetes'?
//!
//! A service's own events stand in its status; what Kubernetes says of what was made for it, in Events.

use std::io;
use std::process::ExitCode;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use kube::api::ListParams;

use super::cluster::{Place, Scope, now};
use super::shell::block_on;
use super::table::{age, table};
use crate::api::Service;
use crate::names::{GROUP, dns_label};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// `linkspan events`
#[derive(Debug, clap::Args)]
pub struct Events {
    /// Only those of this service, with what Kubernetes says of its tasks.
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Only warnings.
    #[arg(long)]
    warnings: bool,
    #[command(flatten)]
    scope: Scope,
}

/// One thing that happened.
struct Happened {
    at: Option<Timestamp>,
    warning: bool,
    of: String,
    message: String,
}

pub(super) fn run(arguments: Events) -> io::Result<ExitCode> {
    let text = block_on(async move {
        let place = arguments.scope.open().await?;
        let mut all = Vec::new();
        if let Some(name) = &arguments.service {
            let service = place.service(name).await?;
            all.extend(of_status(&service));
            let prefix = format!("{}-", dns_label(name, 40));
            // The Events about the service itself say what its status says.
            let is_of_tasks = |(kind, name, _): &(String, String, Happened)| {
                kind != "Service" && name.starts_with(&prefix)
            };
            let events = of_kubernetes(&place).await?.into_iter().filter(is_of_tasks);
            all.extend(events.map(|(.., event)| event));
        } else {
            let services = place.api::<Service>().list(&ListParams::default()).await?.items;
            all.extend(services.iter().flat_map(of_status));
        }
        all.retain(|one| one.warning || !arguments.warnings);
        all.sort_by_key(|one| one.at);
        Ok(in_table(&all, now()))
    })?;
    super::print_out(&text)
}

fn of_status(service: &Service) -> Vec<Happened> {
    let events = service.status.clone().unwrap_or_default().events;
    let of = format!("service/{}", service.name_any());
    // Oldest first; of one second, in the order in which they were told.
    events
        .into_iter()
        .rev()
        .map(|event| Happened {
            at: Some(event.created_at.0),
            warning: event.message.contains("unable"),
            of: of.clone(),
            message: event.message,
        })
        .collect()
}

async fn of_kubernetes(place: &Place) -> anyhow::Result<Vec<(String, String, Happened)>> {
    let events = place.api::<corev1::Event>().list(&ListParams::default()).await?.items;
    let ours = |event: &corev1::Event| {
        event
            .involved_object
            .api_version
            .as_deref()
            .is_some_and(|version| version.starts_with(GROUP))
    };
    Ok(events
        .into_iter()
        .filter(|event| !ours(event))
        .map(|event| {
            let object = event.involved_object;
            let (kind, name) = (object.kind.unwrap_or_default(), object.name.unwrap_or_default());
            let at = event.last_timestamp.map(|time| time.0);
            let at = at.or(event.event_time.map(|time| time.0));
            let happened = Happened {
                at: at.or(event.metadata.creation_timestamp.map(|time| time.0)),
                warning: event.type_.as_deref() == Some("Warning"),
                of: format!("{}/{name}", kind.to_lowercase()),
                message: format!(
                    "{}: {}",
                    event.reason.unwrap_or_default(),
                    event.message.unwrap_or_default()
                ),
            };
            (kind, name, happened)
        })
        .collect())
}

fn in_table(all: &[Happened], now: Timestamp) -> String {
    if all.is_empty() {
        return "No events.\n".to_owned();
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|one| {
            vec![
                age(one.at.map(Time).as_ref(), now),
                if one.warning { "Warning" } else { "Normal" }.to_owned(),
                one.of.clone(),
                one.message.clone(),
            ]
        })
        .collect();
    table(&["AGE", "TYPE", "OF", "MESSAGE"], &rows)
}
