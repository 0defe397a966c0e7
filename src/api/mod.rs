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

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON,
};
use kube::CustomResourceExt;

/// The version that is served and stored.
pub const VERSION: &str = "v1alpha1";

/// All CRDs, in the order of the documentation.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        unseen_at_first(TaskDefinition::crd()),
        TaskDefinitionRevision::crd(),
        unseen_at_first(Service::crd()),
        ServiceDeployment::crd(),
        unseen_at_first(Task::crd()),
        unseen_at_first(Rule::crd()),
        unseen_at_first(CapacityProvider::crd()),
        unseen_at_first(Cluster::crd()),
    ]
}

/// Gives what users make a status that says nobody has looked at it: kstatus (Flux, `helm --wait`) takes
/// an object without any for one that is ready. No generation is below 1.
fn unseen_at_first(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let members = schema.and_then(|schema| schema.properties.as_mut());
        if let Some(status) = members.and_then(|members| members.get_mut("status")) {
            status.default = Some(JSON(serde_json::json!({"observedGeneration": -1})));
        }
    }
    crd
}
