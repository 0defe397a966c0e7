//! Where may a task run, and where would it rather?
//!
//! From ECS's placement constraints and strategies to the parts of a pod template that say the same
//! to a Kubernetes scheduler, and to labels on nodes where no pod template can say it. What comes
//! out depends on the constraints only, never on the nodes that there are, so that a template stays
//! as it is when nodes come and go. It decides nothing about how many tasks there are.

pub mod affinity;
pub mod attributes;
mod disjunction;
pub mod explain;
pub mod groups;
pub mod inventory;
pub mod meant;
pub mod node_labels;
pub mod requirement;
pub mod resources;
pub mod shortage;
pub mod strategies;

/// Start of the labels that Linkspan writes on nodes.
pub const NODE_LABEL_PREFIX: &str = "placement.ecs.linkspan.dev/";
