//! ECS's small languages and numbers, as types that cannot be wrong.

pub mod cpu_memory;
pub mod members;
pub mod percent;
pub mod reference;
pub mod scaling;
pub mod secret;
