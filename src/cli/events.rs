//! `linkspan events`: what happened, in ECS's words and in Kubernetes'?
//!
//! A service's own events stand in its status; what Kubernetes says of what was made for it, in Events.

use std::collections::BTreeSet;
use std::io;
use std::process::ExitCode;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use kube::api::ListParams;

use super::cluster::{Place, Scope, now};
use super::rollout::records;
use super::shell::block_on;
use crate::api::{Service, ServiceDeployment};
use crate::ecs::reference::service_of;
use crate::layout::{age, table};
use crate::names::{self, GROUP, label_value};
use crate::plan::service::exposures;
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
            let made = Made::of(&service, &records(&place, &service).await?);
            // The Events about the service itself say what its status says.
            let events = of_kubernetes(&place).await?.into_iter();
            let events = events.filter(|(kind, name, _)| made.has(kind, name));
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

/// What is made for a service, by names: Events are kept for longer than the tasks that they are about.
struct Made {
    /// What has no children, as its kind and name.
    alone: BTreeSet<(&'static str, String)>,
    /// Its Deployments, or its DaemonSet; what they make has names that begin with theirs.
    workloads: BTreeSet<String>,
}

impl Made {
    fn of(service: &Service, records: &[ServiceDeployment]) -> Self {
        let uid = service.uid().unwrap_or_default();
        let (_, name) = service_of(&service.spec.0, service.metadata.name.as_deref());
        // One that names no provider has its tasks at the provider without a name.
        let placements = records.iter().flat_map(|record| &record.spec.placements);
        let providers = placements.map(|placement| label_value(&placement.capacity_provider));
        let workloads = providers.chain([String::new()]);
        let workloads =
            workloads.map(|provider| names::workload(&name, &uid, &provider, names::FIRST_SLOT));
        let budget = names::disruption_budget(&name, &uid, names::FIRST_SLOT);
        let exposures = exposures(&service.spec.0, &name, &uid).into_iter();
        let alone = [
            ("Service", names::endpoints(&name)),
            ("PodDisruptionBudget", budget),
            ("HorizontalPodAutoscaler", names::autoscaler(&name, &uid)),
            ("NetworkPolicy", names::network_policy(&name, &uid)),
        ];
        let exposures = exposures.flat_map(|name| [("Ingress", name.clone()), ("Service", name)]);
        let alone = alone.into_iter().chain(exposures);
        Self { alone: alone.collect(), workloads: workloads.collect() }
    }

    fn has(&self, kind: &str, name: &str) -> bool {
        let is_of = |workload: &String| {
            name.strip_prefix(workload.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        match kind {
            "Deployment" | "DaemonSet" | "ReplicaSet" | "Pod" => self.workloads.iter().any(is_of),
            _ => self.alone.iter().any(|(of, one)| (*of, one.as_str()) == (kind, name)),
        }
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::{Value, json};

    use super::*;

    fn service(name: &str, spec: &Value) -> Service {
        serde_json::from_value(json!({
            "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
            "metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": spec,
        }))
        .unwrap()
    }

    fn record(providers: &[&str]) -> ServiceDeployment {
        let placements: Vec<Value> =
            providers.iter().map(|name| json!({"capacityProvider": name, "podSpec": {}})).collect();
        serde_json::from_value(json!({
            "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "ServiceDeployment",
            "metadata": {"name": "record"},
            "spec": {"service": {"name": "front", "uid": "uid-front"}, "sequence": 1,
                "cause": "ServiceCreated", "requested": {}, "taskDefinition": "web:1",
                "features": {"kubernetesMinor": 36}, "template": {}, "placements": placements},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_made_for_a_service_is_known_by_its_ecs_name() {
        let front = service("front", &json!({"serviceName": "Front_End"}));
        let made = Made::of(&front, &[record(&[]), record(&["spot"])]);
        let of = |provider: &str| names::workload("Front_End", "uid-front", provider, "blue");
        for workload in [of(""), of("spot")] {
            assert!(made.has("Deployment", &workload));
            assert!(made.has("DaemonSet", &workload));
            assert!(made.has("ReplicaSet", &format!("{workload}-7d9f")));
            assert!(made.has("Pod", &format!("{workload}-7d9f-x2x4z")));
            assert!(!made.has("Pod", &format!("{workload}x")));
        }
        assert!(!made.has("Pod", &format!("{}-7d9f-x2x4z", of("on-demand"))));
        assert!(made.has("Service", &names::endpoints("Front_End")));
        let autoscaler = names::autoscaler("Front_End", "uid-front");
        assert!(made.has("HorizontalPodAutoscaler", &autoscaler));
        assert!(!made.has("Pod", &autoscaler));
    }

    #[test]
    fn what_is_made_for_another_whose_name_begins_so_is_not_of_it() {
        let made = Made::of(&service("web", &json!({})), &[]);
        let other = names::workload("web-api", "uid-web-api", "", "blue");
        for pod in [format!("{other}-7d9f-x2x4z"), "web-0".to_owned(), "web-7d9f-x2x4z".to_owned()]
        {
            assert!(!made.has("Pod", &pod), "{pod}");
        }
        assert!(!made.has("Service", "web-api"));
    }
}
