//! The shell: it watches, writes and reports. It decides nothing.
//!
//! One watch per kind fills the [`World`]; what changed is routed ([`crate::plan::roots_of`]) to the
//! objects that must be planned for again; each plan's writes are carried out in order, stopped at
//! the first error, and their answers go into the world at once, so that the next plan sees them.

mod apply;
mod backoff;
mod defaults;
mod error;
mod gauges;
mod guarded;
mod health;
mod leader;
mod measure;
mod memory;
mod metrics;
mod pod_status;
mod queue;
mod reconcile;
mod report;
mod sizes;
mod telemetry;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use anyhow::Context as _;
use axum::http::{HeaderValue, Uri, header};
use kube::Client;
use tokio::task::JoinSet;

pub use apply::Applier;
pub(crate) use apply::resource;
pub use leader::LeaderElection;
pub(crate) use measure::{Asked, ask};
pub use telemetry::{LogFormat, Traces, start as start_logging};
pub use tokio_util::sync::CancellationToken;

use self::leader::{Claimant, Leadership};
use self::memory::Memory;
use self::metrics::Metrics;
use crate::ecs::scaling::target_tracking::Timing;
use crate::world::{ObjectKey, World};

/// Settings of the operator.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many objects are worked on at once.
    pub concurrency: usize,
    /// Where `/healthz`, `/readyz` and `/metrics` are served, if anywhere.
    pub listen: Option<SocketAddr>,
    /// How long work under way may take to end after the stop.
    pub grace: Duration,
    /// Least time between two writes of one object's status that nobody waits for; fifteen times that
    /// while many objects move at once, and ten times that for a capacity provider, whose figures
    /// move with every task.
    pub status_interval: Duration,
    /// A Prometheus, or what answers as one, for the queries of scaling policies. Only the admin sets
    /// it: from a user nothing is fetched that the user names.
    pub prometheus: Option<Uri>,
    /// When a metric's deviation has lasted long enough for a scaling policy. Only tests have other
    /// numbers than AWS.
    pub scaling_timing: Timing,
    /// The namespaces whose objects are watched and worked on; none means all.
    pub namespaces: Vec<String>,
    /// A JSON file with a list of CapacityProviders that are made where they are absent.
    pub default_capacity_providers: Option<PathBuf>,
    /// How it is found out which of several replicas writes; none where there is only one.
    pub leader_election: Option<LeaderElection>,
    /// Whether nodes are written: labels for placement expressions, and the cordon and mark of nodes
    /// that leave their group.
    pub node_writes: bool,
    /// Whether CapacityProviders are told of and sized, and their NodePools made: of several operators
    /// in a cluster, by one.
    pub capacity_writes: bool,
    /// Whether there is a second scheduler, with the profiles that fill a node before they begin another.
    pub binpack_scheduler: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 16,
            listen: None,
            grace: Duration::from_secs(25),
            status_interval: Duration::from_secs(1),
            prometheus: None,
            scaling_timing: Timing::default(),
            namespaces: Vec::new(),
            default_capacity_providers: None,
            leader_election: None,
            node_writes: true,
            capacity_writes: true,
            binpack_scheduler: false,
        }
    }
}

/// What all tasks of the operator share.
pub(crate) struct Shared {
    world: RwLock<World>,
    client: Client,
    applier: Applier,
    recorder: report::Recorder,
    memory: Memory,
    queue: queue::Queue,
    wanted: measure::Wanted,
    metrics: Metrics,
    leadership: Leadership,
    settings: Settings,
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, World> {
        self.world.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a status of an object that is not urgent must still wait, if it must.
    fn status_due(&self, key: &ObjectKey) -> Option<Duration> {
        self.memory.status_due(key, self.settings.status_interval)
    }

    /// Has an object planned for after a while.
    fn request(&self, key: ObjectKey, after: Duration) {
        self.queue.ask(key, after);
        self.metrics.asked();
    }
}

/// Runs the operator until it is told to stop, or cannot go on.
///
/// # Errors
/// The address to listen on is taken, or the API server cannot be asked for its version.
pub async fn run(
    mut config: kube::Config,
    settings: Settings,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    // The queue tries again, and says so; the client's own tries would hold a place in it.
    config.default_retry = false;
    // A connection on which nothing comes for longer than a watch lasts is dead.
    config.read_timeout = Some(Duration::from_secs(90));
    // Audit logs have it by its name, and of several replicas by which one it is.
    let name = concat!("linkspan/", env!("CARGO_PKG_VERSION"));
    let election = settings.leader_election.clone();
    let agent = election.as_ref().map(|one| format!("{name} ({})", one.identity));
    let agent = agent.and_then(|agent| HeaderValue::from_str(&agent).ok());
    config.headers.push((header::USER_AGENT, agent.unwrap_or(HeaderValue::from_static(name))));
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config).context("connecting to the API server")?;
    let (reports, reported) = tokio::sync::mpsc::channel(report::MOST_WAITING);
    let minor = server_minor(&client).await.context("asking the API server for its version")?;
    tracing::info!(kubernetes = format!("1.{minor}"), "connected");
    let (claimant, leadership) = match election {
        None => (None, Leadership::alone()),
        Some(election) => {
            let (claimant, leadership) = Claimant::new(client.clone(), &namespace, election);
            (Some(claimant), leadership)
        }
    };
    let shared = Arc::new(Shared {
        world: RwLock::new(World {
            server_minor: Some(minor),
            scaling_timing: settings.scaling_timing,
            writes_nodes: settings.node_writes,
            leaves_capacity: !settings.capacity_writes,
            packs: settings.binpack_scheduler,
            ..World::of_a_cluster()
        }),
        client: client.clone(),
        applier: Applier::new(client.clone()),
        recorder: report::Recorder::new(reports),
        memory: Memory::default(),
        queue: queue::Queue::new(settings.concurrency),
        wanted: measure::Wanted::default(),
        metrics: Metrics::new(),
        leadership,
        settings: settings.clone(),
    });

    let mut tasks = JoinSet::new();
    let mut readiness = watch::start_all(&client, &shared, &mut tasks);
    tasks.spawn(report::publish(client.clone(), reported));
    let asked = measure::Asked::new(client.clone(), settings.prometheus.clone())
        .context("setting up the requests to Prometheus")?;
    tasks.spawn(measure::follow(asked, shared.clone()));
    if let Some(path) = &settings.default_capacity_providers {
        let providers = defaults::read(path)?;
        tasks.spawn(defaults::make(client.clone(), shared.leadership.clone(), providers));
    }
    tasks.spawn(follow_version(client, shared.clone()));
    if let Some(address) = settings.listen {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| format!("listening on {address}"))?;
        tasks.spawn(health::serve(listener, shared.clone()));
    }

    tokio::select! {
        () = readiness.wait() => tracing::info!("all watches are current"),
        () = stop.cancelled() => return Ok(()),
    }
    shared.metrics.ready();
    // Who does not know the world does not ask to lead. The Lease is kept while work comes to its end,
    // and then given back.
    let done = CancellationToken::new();
    let claimant = claimant.map(|claimant| tokio::spawn(claimant.run(done.clone())));
    queue::run(&shared, stop).await;
    done.cancel();
    if let Some(claimant) = claimant {
        claimant.await.context("the claimant of the Lease was lost")?;
    }
    // Watches and the health endpoint end with their set.
    tracing::info!("stopped");
    Ok(())
}

/// How an address that the admin names is spoken to: nothing that is known of the API server is used.
pub(crate) fn without_credentials(address: Uri) -> kube::Config {
    // Over plain HTTP no certificate is looked at. An image that holds none, from which those of the machine
    // cannot be read, would be refused all the same.
    let none = (address.scheme_str() == Some("http")).then(Vec::new);
    let mut config = kube::Config::new(address);
    config.root_cert = none;
    config
}

async fn server_minor(client: &Client) -> Result<u32, kube::Error> {
    let version = client.apiserver_version().await?;
    let minor = version.minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse();
    Ok(minor.unwrap_or(crate::OLDEST_KUBERNETES_MINOR))
}

/// An API server may be upgraded under us.
async fn follow_version(client: Client, shared: Arc<Shared>) {
    const INTERVAL: Duration = Duration::from_secs(300);
    loop {
        tokio::time::sleep(INTERVAL).await;
        match server_minor(&client).await {
            Ok(minor) => shared.write().server_minor = Some(minor),
            Err(error) => tracing::warn!(%error, "asking the API server for its version"),
        }
    }
}

/// Returns when the process is interrupted or told to end.
pub async fn until_told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "cannot listen for the signal to end");
            let _ = interrupt.await;
        }
    }
}
