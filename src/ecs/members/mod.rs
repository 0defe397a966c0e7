//! Which members does an ECS input have, and what becomes of each here?
//!
//! One table row per member of the API inputs that Linkspan's kinds take. From these rows come the
//! CRD schemas, the diagnostics of `linkspan render`, the condition `FullySupported` and the rule
//! of what starts a deployment. The rows hold facts; they decide nothing about a cluster.

mod autoscaling;
mod capacity_provider;
mod cluster;
mod connect;
mod container;
mod deployment;
mod fargate_profile;
mod managed_instances;
mod node_group;
mod predictive;
mod row;
mod rule;
mod service;
mod support;
mod task;
mod task_definition;
#[cfg(test)]
mod tests;
mod volume;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use row::{Member, Shape, Verdict};
pub use support::page as support_page;

/// The API inputs that have rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// What `RegisterTaskDefinition` takes.
    TaskDefinition,
    /// What `CreateService` takes, with `forceNewDeployment` and `autoscaling`.
    Service,
    /// What `RunTask` takes.
    Task,
    /// What `CreateCluster` takes.
    Cluster,
    /// What `CreateCapacityProvider` takes, with `managedNodeGroup` and `fargateProfile`.
    CapacityProvider,
    /// What the `EventBridge` call `PutRule` takes, with `targets`.
    Rule,
}

/// The row of every path, by input.
static ROWS: LazyLock<BTreeMap<(Input, &'static str), &'static Member>> = LazyLock::new(|| {
    let rows = |input: Input| input.members().map(move |member| ((input, member.path), member));
    Input::ALL.into_iter().flat_map(rows).collect()
});

impl Input {
    /// Every input.
    pub const ALL: [Self; 6] = [
        Self::TaskDefinition,
        Self::Service,
        Self::Task,
        Self::Cluster,
        Self::CapacityProvider,
        Self::Rule,
    ];

    /// All its members, parents before children.
    pub fn members(self) -> impl Iterator<Item = &'static Member> {
        self.tables().iter().copied().flatten()
    }

    /// The row of one path, written as the table writes it: `containerDefinitions[].image`.
    pub fn member(self, path: &str) -> Option<&'static Member> {
        ROWS.get(&(self, path)).copied()
    }

    /// The tables whose rows are its members.
    const fn tables(self) -> &'static [&'static [Member]] {
        match self {
            Self::TaskDefinition => &[task_definition::TASK_DEFINITION, container::CONTAINER],
            Self::Service => &[
                service::SERVICE,
                deployment::DEPLOYMENT,
                connect::CONNECT,
                volume::VOLUME,
                autoscaling::AUTOSCALING,
                predictive::PREDICTIVE,
                predictive::SCALING_QUERIES,
                predictive::LOAD_QUERIES,
                predictive::CAPACITY_QUERIES,
            ],
            Self::Task => &[task::TASK],
            Self::Cluster => &[cluster::CLUSTER],
            Self::CapacityProvider => &[
                capacity_provider::CAPACITY_PROVIDER,
                managed_instances::MANAGED_INSTANCES,
                node_group::NODE_GROUP,
                fargate_profile::FARGATE_PROFILE,
            ],
            Self::Rule => &[rule::RULE],
        }
    }
}
