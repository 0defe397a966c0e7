//! Linkspan: Amazon-ECS-shaped workloads on any conformant Kubernetes cluster.
//!
//! ```text
//!  watches ─► World ─► plan ─► Plan ─► apply (create, server-side apply, delete, status)
//!  files ───► World ─► plan ─► Plan ─► print (`linkspan render`)
//! ```
//!
//! Only [`plan`] decides, and it is a pure function of the [`world`] and the time. What it returns
//! is an ordered list of writes. The operator carries them out against a cluster; `render` carries
//! them out in memory and prints what comes of it. It is the same code.
//!
//! # Map
//! * [`api`]: the kinds `ecs.linkspan.dev/v1alpha1`, their schemas and statuses
//! * [`ecs`]: ECS's small languages and numbers; [`ecs::members`] is the table of every member
//! * [`world`]: what can be seen, with its indexes
//! * [`plan`]: every decision; [`plan::service::rollout`] holds the rules of the two percents
//! * [`render`]: manifests or ECS JSON in, Kubernetes manifests out, diagnostics with places
//! * [`cli`]: the command line
//! * [`defect`]: mistakes on purpose, for the tests of the tests
//! * `controller` (feature): watches, writes, health; it decides nothing
//! * `sandbox` (feature): a real control plane on this machine
//!
//! # Invariants
//! * Nothing in `api`, `ecs`, `world`, `plan` and `render` knows of time, chance or a network.
//! * A workload's pods come from a stored deployment record, never from a fresh rendering.
//! * A user's spec is never written, but for the count of a service that is scaled.

pub mod api;
pub mod cli;
#[cfg(feature = "controller")]
pub mod controller;
pub mod defect;
pub mod ecs;
mod layout;
pub mod names;
pub mod plan;
pub mod render;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod world;

/// The oldest Kubernetes that is supported: 1.33.
pub const OLDEST_KUBERNETES_MINOR: u32 = 33;
/// The newest Kubernetes whose features are known: 1.36.
pub const NEWEST_KUBERNETES_MINOR: u32 = 36;
