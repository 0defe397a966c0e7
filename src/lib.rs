//! Linkspan.
pub mod ecs;
#[cfg(feature = "sandbox")]
pub mod sandbox;
