//! What does Linkspan need to be tried on one machine, with no cluster at hand?
//!
//! A control plane of its own: see [`control_plane`]. Nothing in here is used by the operator in a
//! real cluster, and nothing in here decides anything about workloads.

pub mod control_plane;
