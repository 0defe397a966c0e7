//! Does a roll stay within its two percents, whatever happens in whatever order?
//!
//! The operator's own `plan` runs here against a toy cluster whose Deployment and ReplicaSet
//! controllers follow the real ones. Every action is one atomic step; after each, `bounds` judges.
//!
//! * `rollouts`: a few rolls told as stories, in `tests/simulation/stories`
//! * `seeds`: thousands of random runs with faults, restarts and stale views
//! * `interleavings`: every order of actions of small rolls

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::panic, reason = "a test shows what it found")]

#[macro_use]
#[path = "../included/tell.rs"]
mod tell;

#[path = "../included/ask.rs"]
mod ask;
mod bounds;
mod chance;
mod cluster;
#[path = "../included/defects.rs"]
mod defects;
mod deployment;
mod interleavings;
mod kubelet;
mod operator;
mod replica_set;
mod rollouts;
mod seeds;
mod stage;
mod view;

#[test]
fn mistakes_on_purpose_are_noticed() {
    defects::are_noticed("simulation");
}
