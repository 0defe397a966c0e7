//! The contract: Linkspan's kinds in `ecs.linkspan.dev/v1alpha1`, their schemas and CEL rules.
//!
//! A spec is the user's JSON as it was written. Its schema comes from the member table
//! ([`crate::ecs::members`]), which types every ECS member but leaves it open: no enums, digits as
//! string or number, nulls accepted, unknown members kept. So nothing a user writes is lost, and
//! what is wrong with it is said by [`crate::plan`] with its place, not by a decode error.
//! Statuses are ours and typed. There is no behaviour here.

mod capacity_provider;
mod cluster;
mod reference;
mod rule;
pub mod schema;
mod service;
mod service_deployment;
mod status;
mod task;
mod task_definition;

pub use capacity_provider::{
    CapacityProvider, CapacityProviderSpec, CapacityProviderStatus, NodeCounts, Room,
};
pub use cluster::{Cluster, ClusterSpec};
pub use reference::reference_page;
pub use rule::{Rule, RuleSpec};
pub use service::{Deployment, Service, ServiceEvent, ServiceSpec, ServiceStatus, Told};
pub use service_deployment::{
    Cause, ContainerImage, Features, Placement, RolloutState, ServiceDeployment,
    ServiceDeploymentSpec, ServiceDeploymentStatus, ServiceReference,
};
pub use status::{ConditionType, PlainStatus, Reason};
pub use task::{Task, TaskSpec};
pub use task_definition::{
    TaskDefinition, TaskDefinitionRevision, TaskDefinitionRevisionSpec,
    TaskDefinitionRevisionStatus, TaskDefinitionSpec, TaskDefinitionStatus,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The version that is served and stored.
pub const VERSION: &str = "v1alpha1";

/// All CRDs, in the order of the documentation.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        TaskDefinition::crd(),
        TaskDefinitionRevision::crd(),
        Service::crd(),
        ServiceDeployment::crd(),
        Task::crd(),
        Rule::crd(),
        CapacityProvider::crd(),
        Cluster::crd(),
    ]
}
