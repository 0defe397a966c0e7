//! How does a service's scaling become Kubernetes objects and counts?
//!
//! [`read`] understands `autoscaling`, [`paste`] what the AWS CLI prints of it; [`schedule`] says which
//! bounds hold now, and [`horizontal`] whether a HorizontalPodAutoscaler can do what the policies say or
//! the operator evaluates them itself ([`crate::ecs::scaling::evaluate`]) with what [`metrics`] reads.
//! [`decide`] puts it together, and [`describe`] tells people.
//!
//! # Who writes what
//! | what | by whom | when |
//! |---|---|---|
//! | `autoscaling` | people, GitOps | whenever they like |
//! | `desiredCount` in a manifest | people, GitOps | at each apply, as UpdateService; [`writers`] tells of them |
//! | HorizontalPodAutoscaler: bounds, metrics, behavior | the operator | its policies say CPU or memory, and all of them can be said there |
//! | `desiredCount`, through `/scale` | Kubernetes' autoscaler | while there is a HorizontalPodAutoscaler |
//! | `desiredCount`, through `/scale` | the operator | while there is none and a policy acts; at a scheduled action; and to put the last count back where a manifest stopped setting it |
//! | what is remembered, in the status | the operator | with each activity |
//!
//! There is never a HorizontalPodAutoscaler beside policies that the operator evaluates: two writers
//! of one count would take turns.

pub mod decide;
pub mod describe;
pub mod horizontal;
pub mod measured;
pub mod metrics;
pub mod paste;
pub mod read;
pub mod schedule;
pub mod writers;
