//! `linkspan delete`: a cluster or a service, in the safe order.
//!
//! A Cluster's tables give names to what its services' task definitions name: deleted before its
//! services, it takes the names from under them. So the services go first, with all of their tasks, and
//! then the Cluster. ECS refuses to delete a cluster that has services; so does this, unless it is told
//! to delete them too.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Subcommand;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Resource, ResourceExt};

use super::TIMED_OUT;
use super::cluster::{Place, Scope};
use super::shell::block_on;
use crate::api::{Cluster, Service};
use crate::ecs::reference::{cluster_of, service_of};
use crate::names::label;

const LOOK: Duration = Duration::from_millis(300);

/// `linkspan delete`
#[derive(Debug, clap::Args)]
pub struct Delete {
    #[command(subcommand)]
    what: What,
    /// Wait until nothing of it is left.
    #[arg(long, global = true)]
    wait: bool,
    /// Seconds to wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, global = true)]
    timeout: u64,
    #[command(flatten)]
    scope: Scope,
}

/// What is deleted.
#[derive(Debug, Subcommand)]
enum What {
    /// A service with all of its tasks.
    Service {
        /// Its name.
        name: String,
    },
    /// A cluster.
    Cluster {
        /// Its ECS name.
        name: String,
        /// Delete its services first, with all of their tasks.
        #[arg(long)]
        services: bool,
    },
}

pub(super) fn run(arguments: Delete) -> io::Result<ExitCode> {
    block_on(async move {
        let place = arguments.scope.open().await?;
        let end = Instant::now() + Duration::from_secs(arguments.timeout);
        let done = match &arguments.what {
            What::Service { name } => {
                let service = place.service(name).await?;
                let services = [service];
                delete_services(&place, &services).await?;
                !arguments.wait || gone(&place, &services, end).await?
            }
            What::Cluster { name, services } => {
                delete_cluster(&place, name, *services, arguments.wait, end).await?
            }
        };
        if done {
            return Ok(ExitCode::SUCCESS);
        }
        let _ = writeln!(io::stderr(), "error: the time is over; the deletion goes on by itself");
        Ok(ExitCode::from(TIMED_OUT))
    })
}

/// Whether all was done in time.
async fn delete_cluster(
    place: &Place,
    name: &str,
    with_services: bool,
    wait: bool,
    end: Instant,
) -> anyhow::Result<bool> {
    let of_cluster =
        |service: &Service| service_of(&service.spec.0, service.metadata.name.as_deref()).0 == name;
    let services = place.api::<Service>().list(&ListParams::default()).await?.items;
    let services: Vec<Service> = services.into_iter().filter(of_cluster).collect();
    let names: Vec<String> = services.iter().map(ResourceExt::name_any).collect();
    ensure!(
        services.is_empty() || with_services,
        "cluster {name} has services: {}; --services deletes them first, with all of their tasks",
        names.join(", ")
    );
    let api = place.api::<Cluster>();
    let clusters = api.list(&ListParams::default()).await?.items;
    let is_it =
        |cluster: &&Cluster| cluster_of(&cluster.spec.0, cluster.metadata.name.as_deref()) == name;
    let objects: Vec<&Cluster> = clusters.iter().filter(is_it).collect();
    ensure!(
        !objects.is_empty() || !services.is_empty(),
        "no Cluster {name} is in namespace {}, nor a service of it",
        place.namespace
    );
    delete_services(place, &services).await?;
    // The tables are needed until the last task is gone, waited for or not.
    if !services.is_empty() && !gone(place, &services, end).await? {
        return Ok(false);
    }
    for &cluster in &objects {
        delete_one(&api, cluster, "cluster").await?;
    }
    if !wait {
        return Ok(true);
    }
    let deleted: BTreeSet<Option<String>> = objects.iter().map(|one| one.uid()).collect();
    loop {
        let left = api.list(&ListParams::default()).await?.items;
        if !left.iter().any(|one| deleted.contains(&one.uid())) {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn delete_services(place: &Place, services: &[Service]) -> anyhow::Result<()> {
    let api = place.api::<Service>();
    for service in services {
        delete_one(&api, service, "service").await?;
    }
    Ok(())
}

/// Deletes an object, if it still is the one that was seen.
async fn delete_one<K>(api: &Api<K>, object: &K, called: &str) -> anyhow::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let parameters = DeleteParams {
        preconditions: Some(Preconditions { uid: object.uid(), ..Preconditions::default() }),
        ..DeleteParams::background()
    };
    match api.delete(&object.name_any(), &parameters).await {
        Ok(_) => super::say(&format!("{called} {} deleted\n", object.name_any()))?,
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Waits until no object and no task of services is left; whether that came in time.
async fn gone(place: &Place, services: &[Service], end: Instant) -> anyhow::Result<bool> {
    for service in services {
        let uid = service.uid().unwrap_or_default();
        let ours = ListParams::default().labels(&format!("{}={uid}", label::SERVICE_UID));
        loop {
            let object = place.api::<Service>().get_opt(&service.name_any()).await?;
            let is_there = object.is_some_and(|object| object.uid() == service.uid());
            let tasks = place.api::<corev1::Pod>().list(&ours).await?.items;
            if !is_there && tasks.is_empty() {
                break;
            }
            if Instant::now() >= end {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
        super::say(&format!("nothing of service {} is left\n", service.name_any()))?;
    }
    Ok(true)
}
