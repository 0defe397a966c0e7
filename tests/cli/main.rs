//! What the command line tells people, on a real control plane: one for all tests of this program, each
//! test in a namespace of its own. What is printed is compared with what should be.

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

mod examples;
mod explain;
mod leader;
#[path = "../cluster/metrics_api.rs"]
mod metrics_api;
#[path = "../included/replicas.rs"]
mod replicas;
mod said;
mod scaling;
#[path = "../cluster/support.rs"]
#[allow(dead_code, reason = "the words of the other tests, of which not all are needed here")]
mod support;
mod traces;
mod verbs;
