//! `linkspan scaling SERVICE`: how is a service scaled, and why does it have so many tasks?
//!
//! What is told is decided in [`crate::plan::service::asked`].

use std::io;
use std::process::ExitCode;

use kube::ResourceExt;

use super::cluster::{Scope, Where, now};
use super::shell::block_on;
use crate::controller::{self, Asked};
use crate::plan::scaling::measured::Measured;
use crate::plan::service::asked;
use crate::world::Kind;

/// `linkspan scaling`
#[derive(Debug, clap::Args)]
pub struct Scaling {
    /// The service.
    #[arg(value_name = "SERVICE")]
    service: String,
    #[command(flatten)]
    scope: Scope,
}

/// What a service's scaling depends on.
const KINDS: [Kind; 9] = [
    Kind::Cluster,
    Kind::TaskDefinition,
    Kind::TaskDefinitionRevision,
    Kind::Service,
    Kind::ServiceDeployment,
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::Pod,
    Kind::HorizontalPodAutoscaler,
];

pub(super) fn run(arguments: Scaling) -> io::Result<ExitCode> {
    let text = block_on(async move {
        let place = arguments.scope.open().await?;
        let service = place.service(&arguments.service).await?;
        let here = KINDS.map(|kind| (kind, Where::In(&place.namespace)));
        let world = place.world(&here).await?;
        let key = place.key(Kind::Service, &service.name_any());
        let mut measured = Measured::default();
        // The operator's Prometheus is not one's own to ask.
        let asked_here = Asked::new(place.client.clone(), None)?;
        for measure in asked::measured_for(&world, &key, now()) {
            let answer = controller::ask(&asked_here, &place.namespace, &measure).await;
            measured.take(&measure, &answer, now());
        }
        asked::scaling(&world, &key, &measured, now()).map_err(anyhow::Error::msg)
    })?;
    super::print_out(&text)
}
