//! ECS's small languages and numbers, as types that cannot be wrong.

pub mod members;
