//! What does Linkspan need to be tried on one machine, with no cluster at hand?
//!
//! A control plane of its own ([`control_plane`]), simulated nodes, the operator running in it and
//! an example, shown until it is steady. Nothing in here is used by the operator in a real cluster,
//! and nothing in here decides anything about workloads.

pub mod control_plane;
mod example;
mod groups;
pub mod metrics_api;
pub mod scaled_group;
mod story;
mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use kube::Client;
use tokio_util::sync::CancellationToken;

use self::control_plane::nodes::CapacityType;
use self::control_plane::{ControlPlane, Lines, Options, Version};
pub use self::example::Example;
use self::example::Kubectl;
pub use self::groups::node_groups;
use self::table::Screen;
use crate::controller::{self, Settings};

/// What a sandbox is to do.
#[derive(Clone, Debug, Default)]
pub struct Sandbox {
    /// What it shows.
    pub example: Example,
    /// Goes through everything a service can do, and says how long each step took.
    pub once: bool,
    /// Stays up until it is interrupted.
    pub keep: bool,
    /// Which Kubernetes.
    pub version: Version,
}

/// Runs a sandbox to its end.
///
/// # Errors
/// What did not come to pass, and why, as far as is known.
pub async fn run(sandbox: Sandbox) -> anyhow::Result<()> {
    let interrupted = interruption();
    tokio::select! {
        result = stay(sandbox, interrupted.clone()) => result,
        () = interrupted.cancelled() => Ok(()),
    }
}

async fn stay(sandbox: Sandbox, interrupted: CancellationToken) -> anyhow::Result<()> {
    let started = Instant::now();
    let control_plane = ControlPlane::start(Options {
        version: sandbox.version,
        progress: Arc::new(Lines::new(std::io::stderr())),
        crds: crate::api::crds().into_iter().chain([scaled_group::crd()]).collect(),
        ..Options::default()
    })
    .await?;
    let ready = started.elapsed();
    let client = Client::try_from(control_plane.config())?;
    for mut group in node_groups() {
        if group.capacity_type == CapacityType::Fargate {
            // A machine of Fargate is of no kind that could be asked for.
            "fargate".clone_into(&mut group.instance_type);
        }
        group.create(&client).await.with_context(|| format!("making node group {}", group.name))?;
    }

    metrics_api::serve(&client).await.context("serving a metrics API")?;
    let groups = tokio::spawn(scaled_group::follow(client.clone()));
    // The operator has a connection of its own, as it has in a cluster.
    let stop = CancellationToken::new();
    // Its scheduler has the profiles that fill nodes up.
    let settings = Settings {
        scaling_timing: sandbox.example.timing(),
        binpack_scheduler: true,
        ..Settings::default()
    };
    let operator = tokio::spawn(controller::run(control_plane.config(), settings, stop.clone()));
    let mut screen = Screen::new(client.clone(), sandbox.example != Example::Hello);
    screen.say(&format!(
        "control plane {} is up after {}",
        control_plane.version(),
        seconds(ready)
    ));
    screen.say("9 nodes in three zones: groups on-demand, spot and fargate");
    let kubectl = Kubectl::of(&control_plane);
    let told = story::tell(&client, &kubectl, &mut screen, sandbox.example, sandbox.once).await;
    if let Some(error) = control_plane.failed() {
        return Err(error.into());
    }
    if let Ok(steps) = &told
        && sandbox.once
    {
        screen.say(&story::summary(steps, ready, started.elapsed()));
    }
    if sandbox.keep {
        if let Err(error) = &told {
            screen.say(&format!("error: {error:#}"));
        }
        let path = control_plane.kubeconfig_path();
        screen.say(&format!("\nexport KUBECONFIG={}", path.display()));
        let kubectl = control_plane.kubectl();
        screen.say(&format!("kubectl get ecs -A    # a kubectl: {}", kubectl.display()));
        screen.say("It stays up until you press Ctrl-C.");
        interrupted.cancelled().await;
    }
    stop.cancel();
    operator.await.context("the operator was lost")?.context("the operator ended")?;
    groups.abort();
    control_plane.stop().await;
    told.map(|_| ())
}

/// Cancelled at Ctrl-C, or when the process is told to end.
fn interruption() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        crate::controller::until_told_to_stop().await;
        cancelled.cancel();
    });
    token
}

/// A duration as people read it.
fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
