//! Does the chart install what runs, let in what it should, and nothing else; and do the files beside
//! it (GitOps, image) say what the code does? By the real `helm`, on a real control plane.

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

mod files;
mod health;
mod image;
mod manifests;

#[cfg(feature = "sandbox")]
mod attacks;
#[cfg(feature = "sandbox")]
mod helm;
#[cfg(feature = "sandbox")]
mod lifecycle;
#[cfg(feature = "sandbox")]
#[path = "../cluster/metrics_api.rs"]
#[allow(dead_code, reason = "of it only the address is needed here")]
mod metrics_api;
#[cfg(feature = "sandbox")]
mod operator;
#[cfg(feature = "sandbox")]
#[path = "../included/replicas.rs"]
mod replicas;
#[cfg(feature = "sandbox")]
mod rules;
#[cfg(feature = "sandbox")]
mod scheduler;
#[cfg(feature = "sandbox")]
#[path = "../cluster/support.rs"]
#[allow(dead_code, reason = "words of the other program's tests that these do not need")]
mod support;
#[cfg(feature = "sandbox")]
mod template;
#[cfg(feature = "sandbox")]
mod two;
#[cfg(feature = "sandbox")]
mod usage;
