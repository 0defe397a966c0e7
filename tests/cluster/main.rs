//! What the operator promises, on a real control plane: one for all tests of this program, each test
//! in a namespace of its own. A file is a group of promises; a test's name is the promise.

#![cfg(feature = "sandbox")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "in a test, what must not be ends it"
)]

#[macro_use]
#[path = "../included/tell.rs"]
mod tell;

#[path = "../included/ask.rs"]
mod ask;
mod autoscaling;
mod bounds;
mod capacity;
mod conflicts;
mod constraints;
#[path = "../included/corpus.rs"]
mod corpus;
mod daemon;
#[path = "../included/defects.rs"]
mod defects;
mod drains;
mod drift;
mod dry_run;
mod edits;
mod fargate;
mod images;
mod interruption;
mod kinds;
mod lifecycle;
mod malformed;
mod metrics_api;
mod node_pools;
#[path = "../interruption/operator.rs"]
mod operator;
mod outward;
mod parity;
mod percents;
mod placing;
mod pods;
mod quiet;
mod references;
mod rolling;
mod sizing;
mod strategies;
mod support;
mod versions;

#[test]
fn mistakes_on_purpose_are_noticed() {
    defects::are_noticed("cluster");
}
