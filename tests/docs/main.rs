//! Do the README and the docs tell the truth? The manifests that they show are taken, the commands run
//! and print what is shown, every reason, metric and outcome is explained, and every link leads somewhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "in a test, what must not be ends it"
)]

#[cfg(feature = "sandbox")]
#[macro_use]
#[path = "../included/tell.rs"]
mod tell;

mod links;
mod manifests;
mod metrics;
#[cfg_attr(not(feature = "sandbox"), allow(dead_code, reason = "commands run in a sandbox"))]
mod pages;
mod plugin;
mod reasons;

#[cfg(feature = "sandbox")]
mod commands;
#[cfg(feature = "sandbox")]
mod compare;
#[cfg(feature = "sandbox")]
mod stage;
#[cfg(feature = "sandbox")]
mod walk;
