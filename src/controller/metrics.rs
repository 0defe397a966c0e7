//! What is counted? Reconciliations, writes, watches, the queue, who leads, and how services do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::error::Error;
use crate::api::ConditionType;
use crate::plan::Write;
use crate::plan::conditions::reason;
use crate::world::{Kind, World};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconciled {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Wrote {
    kind: &'static str,
    verb: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfService {
    namespace: String,
    service: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfProvider {
    capacity_provider: String,
}

/// Everything that is counted.
pub(super) struct Metrics {
    registry: Registry,
    ready: AtomicBool,
    reconciled: Family<Reconciled, Counter>,
    duration: Family<OfKind, Histogram>,
    wrote: Family<Wrote, Counter>,
    write_duration: Histogram,
    running: Gauge,
    watched: Family<OfKind, Gauge>,
    watch_failed: Family<OfKind, Counter>,
    watch_age: Family<OfKind, Gauge>,
    leader: Gauge,
    queue_depth: Gauge,
    queue_adds: Counter,
    queue_wait: Histogram,
    domain: Domain,
}

/// How services and capacity do, as their statuses say it.
#[derive(Default)]
struct Domain {
    services: Family<OfReason, Gauge>,
    deployments: Gauge,
    desired: Family<OfService, Gauge>,
    running: Family<OfService, Gauge>,
    pending: Family<OfService, Gauge>,
    nodes: Family<OfProvider, Gauge>,
    ready_nodes: Family<OfProvider, Gauge>,
    provisioning: Family<OfProvider, Gauge>,
    reservation: Family<OfProvider, Gauge>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("linkspan");
        let histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let metrics = Self {
            ready: AtomicBool::new(false),
            reconciled: Family::default(),
            duration: Family::new_with_constructor(histogram),
            wrote: Family::default(),
            write_duration: histogram(),
            running: Gauge::default(),
            watched: Family::default(),
            watch_failed: Family::default(),
            watch_age: Family::default(),
            leader: Gauge::default(),
            queue_depth: Gauge::default(),
            queue_adds: Counter::default(),
            queue_wait: histogram(),
            domain: Domain::default(),
            registry: Registry::default(),
        };
        registry.register(
            "reconciliations",
            "Plans carried out, by how they ended",
            metrics.reconciled.clone(),
        );
        registry.register_with_unit(
            "reconciliation_duration",
            "From plan to last write",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "writes",
            "Writes to the API server, by how they ended",
            metrics.wrote.clone(),
        );
        registry.register_with_unit(
            "write_duration",
            "One write to the API server",
            Unit::Seconds,
            metrics.write_duration.clone(),
        );
        registry.register(
            "reconciliations_running",
            "Objects worked on now",
            metrics.running.clone(),
        );
        registry.register_with_unit(
            "watch_last_event",
            "When a watch last said anything, since 1970",
            Unit::Seconds,
            metrics.watched.clone(),
        );
        registry.register("watch_errors", "How often a watch broke", metrics.watch_failed.clone());
        registry.register_with_unit(
            "watch_age",
            "How long a watch has said nothing",
            Unit::Seconds,
            metrics.watch_age.clone(),
        );
        registry.register("leader", "1 where this replica writes, else 0", metrics.leader.clone());
        registry.register(
            "queue_depth",
            "Objects whose turn has come and that are not worked on yet",
            metrics.queue_depth.clone(),
        );
        registry.register(
            "queue_adds",
            "How often an object was asked to be worked on",
            metrics.queue_adds.clone(),
        );
        registry.register_with_unit(
            "queue_wait",
            "From an object's turn to the beginning of the work on it",
            Unit::Seconds,
            metrics.queue_wait.clone(),
        );
        metrics.domain.register(&mut registry);
        Self { registry, ..metrics }
    }

    pub(super) fn ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub(super) fn reconciled(&self, kind: Kind, outcome: &'static str, took: Duration) {
        let (_, kind) = kind.type_meta();
        self.reconciled.get_or_create(&Reconciled { kind, outcome }).inc();
        self.duration.get_or_create(&OfKind { kind }).observe(took.as_secs_f64());
    }

    pub(super) fn wrote(&self, write: &Write, error: Option<&Error>, took: Duration) {
        let (_, kind) = write.key().kind.type_meta();
        let verb = match write {
            Write::Create(_) => "create",
            Write::Apply(_) => "apply",
            Write::Delete { .. } => "delete",
            Write::Scale { .. } => "scale",
            Write::Status { .. } | Write::MendStatus { .. } => "status",
        };
        let outcome = error.map_or("done", Error::label);
        self.wrote.get_or_create(&Wrote { kind, verb, outcome }).inc();
        self.write_duration.observe(took.as_secs_f64());
    }

    pub(super) fn running(&self, objects: usize) {
        self.running.set(i64::try_from(objects).unwrap_or_default());
    }

    #[allow(clippy::disallowed_methods, reason = "a gauge of the shell, not a decision")]
    pub(super) fn watched(&self, kind: Kind) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (_, kind) = kind.type_meta();
        self.watched.get_or_create(&OfKind { kind }).set(i64::try_from(now).unwrap_or_default());
    }

    pub(super) fn watch_failed(&self, kind: Kind) {
        let (_, kind) = kind.type_meta();
        self.watch_failed.get_or_create(&OfKind { kind }).inc();
    }

    /// An object was asked to be worked on.
    pub(super) fn asked(&self) {
        self.queue_adds.inc();
    }

    /// An object waited so long for its turn to be taken.
    pub(super) fn waited(&self, long: Duration) {
        self.queue_wait.observe(long.as_secs_f64());
    }

    /// Takes in what is known only when somebody asks.
    #[allow(clippy::disallowed_methods, reason = "a gauge of the shell, not a decision")]
    pub(super) fn look(&self, world: &World, leads: bool, depth: usize) {
        self.leader.set(i64::from(leads));
        self.queue_depth.set(i64::try_from(depth).unwrap_or_default());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = i64::try_from(now).unwrap_or_default();
        for kind in Kind::ALL {
            let (_, kind) = kind.type_meta();
            if let Some(last) = self.watched.get(&OfKind { kind }) {
                let age = now.saturating_sub(last.get());
                self.watch_age.get_or_create(&OfKind { kind }).set(age);
            }
        }
        self.domain.look(world);
    }

    /// All of it, as OpenMetrics writes it.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Domain {
    fn register(&self, registry: &mut Registry) {
        let all = [
            ("service_desired_tasks", "Tasks that a service should run", &self.desired),
            ("service_running_tasks", "Tasks of a service that run", &self.running),
            ("service_pending_tasks", "Tasks of a service on their way to run", &self.pending),
        ];
        for (name, help, family) in all {
            registry.register(name, help, family.clone());
        }
        registry.register(
            "services",
            "Services by the reason of their condition Ready",
            self.services.clone(),
        );
        registry.register(
            "deployments_in_progress",
            "Services whose newest deployment is in progress",
            self.deployments.clone(),
        );
        let all = [
            ("capacity_provider_nodes", "Nodes of a capacity provider", &self.nodes),
            ("capacity_provider_ready_nodes", "Those that take tasks", &self.ready_nodes),
            (
                "capacity_provider_provisioning_tasks",
                "Tasks that wait for one of its nodes",
                &self.provisioning,
            ),
            (
                "capacity_provider_reservation_percent",
                "CapacityProviderReservation",
                &self.reservation,
            ),
        ];
        for (name, help, family) in all {
            registry.register(name, help, family.clone());
        }
    }

    fn look(&self, world: &World) {
        // What is gone is not told any more.
        self.services.clear();
        for family in [&self.desired, &self.running, &self.pending] {
            family.clear();
        }
        for family in [&self.nodes, &self.ready_nodes, &self.provisioning, &self.reservation] {
            family.clear();
        }
        let mut in_progress = 0;
        for service in world.services.iter() {
            let Some(status) = &service.status else { continue };
            let reason = reason(&status.conditions, ConditionType::Ready).unwrap_or("Unknown");
            self.services.get_or_create(&OfReason { reason: reason.to_owned() }).inc();
            let newest = status.deployments.first().and_then(|one| one.rollout_state.as_deref());
            in_progress += i64::from(newest == Some("IN_PROGRESS"));
            let of = OfService {
                namespace: service.metadata.namespace.clone().unwrap_or_default(),
                service: service.metadata.name.clone().unwrap_or_default(),
            };
            self.desired.get_or_create(&of).set(status.desired_count.into());
            self.running.get_or_create(&of).set(status.running_count.into());
            self.pending.get_or_create(&of).set(status.pending_count.into());
        }
        self.deployments.set(in_progress);
        for provider in world.capacity_providers.iter() {
            let Some(status) = &provider.status else { continue };
            let capacity_provider = status.name.clone().unwrap_or_default();
            let of = OfProvider { capacity_provider };
            if let Some(nodes) = &status.nodes {
                self.nodes.get_or_create(&of).set(nodes.total.into());
                self.ready_nodes.get_or_create(&of).set(nodes.ready.into());
            }
            if let Some(tasks) = status.provisioning_tasks {
                self.provisioning.get_or_create(&of).set(tasks.into());
            }
            if let Some(percent) = status.reservation {
                self.reservation.get_or_create(&of).set(percent);
            }
        }
    }
}
