//! Linkspan.
pub mod ecs;
