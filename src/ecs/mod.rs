//! ECS's small languages and numbers, as types that cannot be wrong.

pub mod cpu_memory;
pub mod fault;
pub mod managed_scaling;
pub mod members;
pub mod percent;
pub mod query;
pub mod reference;
pub mod scaling;
pub mod secret;
pub mod strategy;
