//! What is a capacity provider, which nodes are its own, and how full are they?
//!
//! Reads a CapacityProvider's spec in each of its four forms, says how its nodes are told from
//! others and what its tasks tolerate, sums up what is seen of the nodes, and says it in its status;
//! and has the group resized, by as much as [`crate::ecs::managed_scaling`] says.

mod chosen;
mod kubernetes;
mod node_pool;
mod nodes;
mod read;
mod scaling;
mod seen;
mod shared;
mod status;
mod target;
#[cfg(test)]
mod tests;

pub use chosen::{
    Asked, Capacity, Chosen, Known, Objects, choose, judge_strategy, runs_on_fargate,
};
pub use nodes::{POOL_LABELS, Selection};
pub use read::{findings, name_of, read, selection_of};
pub use seen::{Condition, Seen, Standing, condition, see};
pub use status::owner_of;
pub(super) use status::plan;
pub use target::{Guests, Looked, Scale, ScaleTarget, Unusable};

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;

use crate::ecs::managed_scaling::Settings;

/// A capacity provider, as its spec has it.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityProvider {
    /// Its ECS name.
    pub name: String,
    /// What it is.
    pub form: Form,
    /// How its nodes are told from others.
    pub nodes: Selection,
    /// What its tasks tolerate.
    pub tolerations: Vec<corev1::Toleration>,
    /// Whether its nodes may be taken away at any time.
    pub is_spot: bool,
    /// How its group is sized, where that is ECS's business.
    pub scaling: Option<Settings>,
    /// The bounds of its group.
    pub size: Size,
    /// `managedTerminationProtection`: whether nodes that run tasks are kept.
    pub protects: bool,
    /// `managedDraining`: whether tasks are moved away before a node ends.
    pub drains: bool,
    /// The object whose scale is the group's size.
    pub scale_target: Option<ScaleTarget>,
    /// The annotation, and its value, by which the group takes away a node that has it first.
    pub scale_in_annotation: Option<(String, String)>,
    /// What its tasks share a node with, on Fargate.
    pub isolation: Isolation,
    /// The namespaces that may use it; none means all.
    pub allowed_namespaces: Option<Vec<String>>,
}

impl CapacityProvider {
    /// How Linkspan sizes its group, where it does: `managedScaling` of an Auto Scaling group, or a
    /// managed node group that says between which sizes; either by the scale of an object.
    pub fn managed(&self) -> Option<(Settings, &ScaleTarget)> {
        let target = self.scale_target.as_ref()?;
        let settings = match self.form {
            Form::AutoScalingGroup => self.scaling?,
            Form::ManagedNodeGroup if self.size != Size::default() => {
                Settings { begins_with_two: false, ..Settings::default() }
            }
            _ => return None,
        };
        Some((settings, target))
    }
}

/// The four forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// `managedNodeGroup`, as in EKS's CreateNodegroup.
    ManagedNodeGroup,
    /// `autoScalingGroupProvider`
    AutoScalingGroup,
    /// `managedInstancesProvider`
    ManagedInstances,
    /// `fargateProfile`, as in EKS's CreateFargateProfile, with its selectors.
    FargateProfile(Vec<FargateSelector>),
}

/// What a task on Fargate shares with other tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// A node, as any pods do.
    #[default]
    Shared,
    /// No node.
    Node,
    /// A node, behind the walls of this runtime class.
    RuntimeClass(String),
}

/// Which Services run on Fargate without asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FargateSelector {
    /// Their namespace; `*` and `?` stand for any characters and for one.
    pub namespace: String,
    /// The labels that they have, all of them.
    pub labels: BTreeMap<String, String>,
}

/// `scalingConfig`, in nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// `minSize`
    pub least: u32,
    /// `desiredSize`
    pub desired: Option<u32>,
    /// `maxSize`
    pub most: Option<u32>,
}
