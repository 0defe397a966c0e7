//! What is counted? Reconciliations, writes, watches, the queue, who leads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::error::Error;
use crate::plan::Write;
use crate::world::Kind;

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
        let verb = verb(write);
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
        // An increase is seen only of what was there before, as zero.
        drop(self.watch_failed.get_or_create(&OfKind { kind }));
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
    pub(super) fn look(&self, leads: bool, depth: usize) {
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
    }

    /// All of it, and what else is counted, as OpenMetrics writes it.
    pub(super) fn text(&self, others: &Registry) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, others);
        let _ = encode_eof(&mut text);
        text
    }
}

/// What a write does, in a word.
pub(super) fn verb(write: &Write) -> &'static str {
    match write {
        Write::Create(_) => "create",
        Write::Apply(_) | Write::Pool { .. } => "apply",
        Write::Delete { .. } => "delete",
        Write::Scale { .. } | Write::Resize { .. } => "scale",
        Write::Mark { .. } => "annotate",
        Write::Evict { .. } => "evict",
        Write::Status { .. } | Write::MendStatus { .. } => "status",
    }
}
