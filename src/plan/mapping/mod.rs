//! Which Kubernetes names do the AWS identifiers of a task definition get, and of who launches it?
//!
//! In this order: by the tables of the service's Cluster; by a default name that is derived from the
//! identifier (`derived`); else it differs from ECS, and the finding prints the row that would map
//! it. All names are of objects in the Cluster's own namespace. Whether such an object is there is no
//! question here: nothing looks at Secrets.

mod alarms;
mod derived;
mod exposures;
mod groups;
mod launch;
mod logs;
mod resolve;
mod row;
mod rows;
mod tables;
#[cfg(test)]
mod tests;
mod volumes;

pub use derived::Need;
pub use exposures::{Exposure, IngressSettings, ServiceSettings};
pub use groups::{Peer, Ports, Rule, Rules};
pub use launch::{Balanced, Launch, LaunchVolume, security_groups};
pub use resolve::{ContainerNames, Names, resolve};
pub(in crate::plan) use row::line;
pub use tables::{TABLES, Tables};
pub use volumes::Claim;

use std::sync::Arc;

use crate::api;
use crate::ecs::reference::cluster_of;
use crate::plan::age;
use crate::plan::finding::{Findings, in_one_line};
use crate::plan::size;
use crate::world::{Index, World};

/// The mapping of one ECS cluster of a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// The ECS name of the cluster.
    pub cluster: String,
    /// Whether there is an object; without one, the tables are empty.
    pub exists: bool,
    /// Its tables.
    pub tables: Tables,
    /// What is wrong with them: then no deployment starts by them.
    pub refused: Option<String>,
}

impl Mapping {
    /// The mapping of a cluster in a namespace, by its ECS name.
    pub fn of(world: &World, namespace: &str, cluster: &str) -> Self {
        let Some(object) = owner_of_cluster(world, namespace, cluster) else {
            return Self { cluster: cluster.to_owned(), ..Self::default() };
        };
        let mut findings = Findings::default();
        let tables = match size::reduced(&object.spec.0, size::MOST_OF_CLUSTER, &mut findings) {
            None => Tables::read(&object.spec.0, &mut findings),
            Some(_) => Tables::default(),
        };
        let refused = findings.any_refused().then(|| {
            format!(
                "Cluster {}: {}",
                object.metadata.name.as_deref().unwrap_or_default(),
                in_one_line(findings.refusals())
            )
        });
        Self { cluster: cluster.to_owned(), exists: true, tables, refused }
    }
}

/// The Cluster object that has an ECS name: of several that claim it, the oldest.
pub(in crate::plan) fn owner_of_cluster(
    world: &World,
    namespace: &str,
    cluster: &str,
) -> Option<Arc<api::Cluster>> {
    let claims = world.clusters.find(&Index::cluster(namespace, cluster));
    claims.into_iter().min_by_key(|claim| age(&claim.metadata))
}

/// The ECS name of a Cluster object.
pub(in crate::plan) fn name_of(cluster: &api::Cluster) -> String {
    cluster_of(&cluster.spec.0, cluster.metadata.name.as_deref())
}
