//! The commands that need a cluster: `controller`, those that ask it something, and `sandbox`, which
//! brings its own.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use k8s_openapi::api::core::v1 as corev1;
use kube::Api;
use kube::api::ListParams;

use super::attributes;
use super::cluster::Cluster;
use crate::controller::{self, CancellationToken, LeaderElection, LogFormat, Settings, Traces};

/// `linkspan controller`
#[derive(Debug, clap::Args)]
pub struct Controller {
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080", env = "LINKSPAN_LISTEN")]
    listen: SocketAddr,
    /// How many objects are worked on at once.
    #[arg(long, value_name = "N", default_value_t = 16, env = "LINKSPAN_CONCURRENCY")]
    concurrency: usize,
    /// Seconds that work under way may take to end after a stop.
    #[arg(long, value_name = "SECONDS", default_value_t = 25)]
    grace: u64,
    /// The address of a Prometheus, or of what answers as one, for the queries of scaling policies.
    #[arg(long, value_name = "URL", env = "LINKSPAN_PROMETHEUS")]
    prometheus: Option<axum::http::Uri>,
    /// The namespaces whose objects are watched and worked on (default: all).
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', env = "LINKSPAN_WATCH_NAMESPACES")]
    watch_namespaces: Vec<String>,
    /// A JSON file with a list of CapacityProviders that are made where they are absent.
    #[arg(long, value_name = "FILE")]
    default_capacity_providers: Option<PathBuf>,
    /// Whether nodes are written, which has to be granted: labels for placement constraints that a
    /// pod template cannot say, and the cordon and mark of empty nodes that leave their group.
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set,
        env = "LINKSPAN_NODE_WRITES"
    )]
    node_writes: bool,
    /// Whether statuses of CapacityProviders are written, their groups sized and their NodePools made:
    /// of several operators in a cluster, by one.
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set,
        env = "LINKSPAN_CAPACITY_WRITES"
    )]
    capacity_writes: bool,
    /// There is a second scheduler, with the profiles `linkspan-binpack-cpu` and
    /// `linkspan-binpack-memory`: for placement strategy binpack.
    #[arg(long, env = "LINKSPAN_BINPACK_SCHEDULER")]
    binpack_scheduler: bool,
    #[command(flatten)]
    election: Election,
    #[command(flatten)]
    logs: Logs,
}

/// How it is found out which of several replicas writes.
#[derive(Debug, clap::Args)]
struct Election {
    /// Write only while holding a Lease, so that several replicas can run.
    #[arg(long, env = "LINKSPAN_LEADER_ELECT")]
    leader_elect: bool,
    /// The Lease's name.
    #[arg(long, value_name = "NAME", default_value = "linkspan", env = "LINKSPAN_LEASE_NAME")]
    lease_name: String,
    /// The Lease's namespace (default: the pod's own, or that of the context).
    #[arg(long, value_name = "NAME", env = "LINKSPAN_LEASE_NAMESPACE")]
    lease_namespace: Option<String>,
    /// Seconds that a renewal of the Lease lasts: within this a killed leader is followed.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = LeaderElection::USUAL_DURATION.as_secs(),
        value_parser = clap::value_parser!(u64).range(6..=300),
        env = "LINKSPAN_LEASE_DURATION"
    )]
    lease_duration: u64,
    /// What this replica is called in the Lease (default: the host's name and something unique).
    #[arg(long, value_name = "NAME", env = "LINKSPAN_IDENTITY")]
    identity: Option<String>,
    /// The host's name: in a cluster that of the pod.
    #[arg(long, hide = true, env = "HOSTNAME", default_value = "linkspan")]
    host: String,
}

impl From<Election> for Option<LeaderElection> {
    fn from(given: Election) -> Self {
        let identity = given.identity.unwrap_or_else(|| LeaderElection::identity_on(&given.host));
        given.leader_elect.then(|| LeaderElection {
            name: given.lease_name,
            namespace: given.lease_namespace,
            identity,
            duration: Duration::from_secs(given.lease_duration),
        })
    }
}

/// `linkspan attributes`
#[derive(Debug, clap::Args)]
pub struct Attributes {
    #[command(flatten)]
    filter: attributes::Filter,
    /// How attributes are printed.
    #[arg(short, long, value_enum, default_value_t)]
    output: attributes::Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// How logs are written.
#[derive(Debug, clap::Args)]
pub(super) struct Logs {
    /// The form of log lines.
    #[arg(long, value_enum, default_value_t, env = "LINKSPAN_LOG_FORMAT")]
    log_format: LogFormat,
    /// Which log lines are written, as in `info,linkspan=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "LINKSPAN_LOG")]
    log: String,
    /// Send traces there by OTLP over HTTP, as to `http://otel-collector:4318` (default: nowhere).
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
}

/// `linkspan sandbox`
#[cfg(feature = "sandbox")]
#[derive(Debug, clap::Args)]
pub struct Sandbox {
    /// What it shows: a folder of examples/.
    #[arg(long, value_enum, default_value_t)]
    example: crate::sandbox::Example,
    /// Go on through scaling, rolling, going back and deleting; exit 0 when all of it was seen.
    #[arg(long)]
    once: bool,
    /// Stay up until Ctrl-C, with a KUBECONFIG to use.
    #[arg(long)]
    keep: bool,
    /// Which Kubernetes: 1.36 or 1.33.
    #[arg(long, value_name = "1.N", default_value_t, env = "LINKSPAN_KUBERNETES")]
    kubernetes_version: crate::sandbox::control_plane::Version,
    /// Which log lines of the operator are written, as in `linkspan=debug`.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "error,kube_client=off",
        env = "LINKSPAN_LOG"
    )]
    log: String,
}

/// Runs the operator until it is told to stop.
pub(super) fn controller(arguments: Controller) -> io::Result<ExitCode> {
    block_on(async move {
        let logs = arguments.logs;
        let traces = logs.otlp_endpoint.as_deref().map(Traces::to).transpose()?;
        controller::start_logging(logs.log_format, &logs.log, traces.as_ref())?;
        let stop = CancellationToken::new();
        let told = stop.clone();
        tokio::spawn(async move {
            controller::until_told_to_stop().await;
            told.cancel();
        });
        let settings = Settings {
            concurrency: arguments.concurrency,
            listen: Some(arguments.listen),
            grace: Duration::from_secs(arguments.grace),
            prometheus: arguments.prometheus,
            namespaces: arguments.watch_namespaces,
            default_capacity_providers: arguments.default_capacity_providers,
            leader_election: arguments.election.into(),
            node_writes: arguments.node_writes,
            capacity_writes: arguments.capacity_writes,
            binpack_scheduler: arguments.binpack_scheduler,
            ..Settings::default()
        };
        let end = controller::run(kube::Config::infer().await?, settings, stop).await;
        if let Some(traces) = traces {
            traces.finish().await;
        }
        end
    })
    .map(|()| ExitCode::SUCCESS)
}

/// Prints the attributes of a cluster's nodes.
pub(super) fn attributes(arguments: Attributes) -> io::Result<ExitCode> {
    block_on(async move {
        let nodes: Api<corev1::Node> = Api::all(arguments.cluster.client().await?);
        let nodes = nodes.list(&ListParams::default()).await?.items;
        Ok(attributes::text(&nodes, &arguments.filter, arguments.output))
    })
    .and_then(|text| super::print_out(&text))
}

/// Runs a sandbox.
#[cfg(feature = "sandbox")]
pub(super) fn sandbox(arguments: &Sandbox) -> io::Result<ExitCode> {
    use crate::sandbox;
    let wanted = sandbox::Sandbox {
        example: arguments.example,
        once: arguments.once,
        keep: arguments.keep,
        version: arguments.kubernetes_version,
    };
    block_on(async {
        controller::start_logging(LogFormat::Human, &arguments.log, None)?;
        sandbox::run(wanted).await
    })
    .map(|()| ExitCode::SUCCESS)
}

/// Runs what waits for a cluster. That nobody reads the output any more stays an error of its own kind.
pub(super) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(work).map_err(|error| {
        let kind = error.downcast_ref().map_or(io::ErrorKind::Other, io::Error::kind);
        io::Error::new(kind, format!("{error:#}"))
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_output_that_nobody_reads_is_told_from_what_goes_wrong() {
        let kind = |error: anyhow::Error| {
            let done = block_on(async { Err::<(), _>(error) });
            done.err().map(|error| (error.kind(), error.to_string()))
        };
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let found = kind(gone().into());
        assert_eq!(found.map(|found| found.0), Some(io::ErrorKind::BrokenPipe));
        let told = Err::<(), _>(gone()).context("printing").err();
        let expected = (io::ErrorKind::BrokenPipe, "printing: broken pipe".to_owned());
        assert_eq!(told.and_then(kind), Some(expected));
        let expected = (io::ErrorKind::Other, "no".to_owned());
        assert_eq!(kind(anyhow::anyhow!("no")), Some(expected));
    }
}
