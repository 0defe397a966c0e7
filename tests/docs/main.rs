//! Do the README and the docs tell the truth? The manifests that they show are taken, the commands run
//! and print what is shown, every reason is explained, and every link leads somewhere.

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
#[allow(unused_macros, reason = "only pages that are walked are told of")]
mod tell;

mod compare;
mod links;
mod manifests;
mod pages;
mod plugin;
mod reasons;

#[cfg(feature = "sandbox")]
mod commands;
#[cfg(feature = "sandbox")]
mod stage;
#[cfg(feature = "sandbox")]
mod walk;
