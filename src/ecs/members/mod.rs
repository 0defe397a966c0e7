//! Which members does an ECS input have, and what becomes of each here?
//!
//! One table row per member of the API inputs that Linkspan's kinds take. From these rows come the
//! CRD schemas, the diagnostics of `linkspan render`, the condition `FullySupported` and the rule
//! of what starts a deployment. The rows hold facts; they decide nothing about a cluster.

mod row;

pub use row::{Member, Shape, Verdict};
