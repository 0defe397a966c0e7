//! How do services, their deployments and capacity providers do? Counted anew at each scrape, from what
//! the statuses in memory say.
//!
//! A service is a time series of each of four gauges, a task is none.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::api::{CapacityProviderStatus, ConditionType, ServiceStatus};
use crate::plan::conditions::holds;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfService {
    namespace: String,
    service: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    namespace: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rollout {
    namespace: String,
    rollout_state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfProvider {
    capacity_provider: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfProviderInState {
    capacity_provider: String,
    state: &'static str,
}

#[derive(Default)]
struct Gauges {
    services: Family<InState, Gauge>,
    deployments: Family<Rollout, Gauge>,
    desired: Family<OfService, Gauge>,
    running: Family<OfService, Gauge>,
    pending: Family<OfService, Gauge>,
    failed: Family<OfService, Gauge>,
    reservation: Family<OfProvider, Gauge<f64, std::sync::atomic::AtomicU64>>,
    nodes: Family<OfProviderInState, Gauge>,
    tasks: Family<OfProviderInState, Gauge>,
}

/// What is counted of the world.
pub(super) fn of(world: &World) -> Registry {
    let gauges = Gauges::default();
    for service in world.services.iter() {
        let meta = &service.metadata;
        let of = OfService {
            namespace: meta.namespace.clone().unwrap_or_default(),
            service: meta.name.clone().unwrap_or_default(),
        };
        gauges.count_service(&of, service.status.as_ref());
    }
    for provider in world.capacity_providers.iter() {
        if let Some(status) = &provider.status {
            let name = status.name.clone().or_else(|| provider.metadata.name.clone());
            gauges.count_provider(&name.unwrap_or_default(), status);
        }
    }
    gauges.registry()
}

impl Gauges {
    fn count_service(&self, of: &OfService, status: Option<&ServiceStatus>) {
        let namespace = of.namespace.clone();
        let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
        let state = [("ready", ConditionType::Ready), ("stalled", ConditionType::Stalled)]
            .into_iter()
            .find(|(_, kind)| holds(conditions, *kind))
            .map_or("reconciling", |(state, _)| state);
        self.services.get_or_create(&InState { namespace: namespace.clone(), state }).inc();
        let Some(status) = status else { return };
        let newest = status.deployments.first();
        if let Some(rollout_state) = newest.and_then(|newest| newest.rollout_state.clone()) {
            self.deployments.get_or_create(&Rollout { namespace, rollout_state }).inc();
        }
        let failed = newest.map_or(0, |newest| newest.failed_tasks);
        for (gauge, count) in [
            (&self.desired, status.desired_count),
            (&self.running, status.running_count),
            (&self.pending, status.pending_count),
            (&self.failed, failed),
        ] {
            gauge.get_or_create(of).set(count.into());
        }
    }

    fn count_provider(&self, name: &str, status: &CapacityProviderStatus) {
        let capacity_provider = name.to_owned();
        if let Some(percent) = status.reservation {
            #[allow(clippy::cast_precision_loss, reason = "percents are small numbers")]
            let ratio = percent as f64 / 100.0;
            let of = OfProvider { capacity_provider: capacity_provider.clone() };
            self.reservation.get_or_create(&of).set(ratio);
        }
        let set = |gauge: &Family<OfProviderInState, Gauge>, state, count: i32| {
            let capacity_provider = capacity_provider.clone();
            gauge.get_or_create(&OfProviderInState { capacity_provider, state }).set(count.into());
        };
        if let Some(nodes) = &status.nodes {
            set(&self.nodes, "ready", nodes.ready);
            set(&self.nodes, "not_ready", nodes.not_ready);
            set(&self.nodes, "cordoned", nodes.cordoned);
            set(&self.nodes, "draining", nodes.draining);
        }
        set(&self.tasks, "running", status.tasks.unwrap_or_default());
        set(&self.tasks, "provisioning", status.provisioning_tasks.unwrap_or_default());
    }

    fn registry(self) -> Registry {
        let mut registry = Registry::with_prefix("linkspan");
        let ratio = Unit::Other("ratio".to_owned());
        registry.register("services", "Services, by how they stand", self.services);
        registry.register(
            "deployments",
            "Services, by the rollout state of their newest deployment",
            self.deployments,
        );
        registry.register("service_desired_tasks", "Tasks that should run", self.desired);
        registry.register("service_running_tasks", "Tasks that run", self.running);
        registry.register("service_pending_tasks", "Tasks on their way to run", self.pending);
        registry.register(
            "service_failed_tasks",
            "Tasks of the newest deployment that have failed and are not healthy since",
            self.failed,
        );
        registry.register_with_unit(
            "capacity_provider_reservation",
            "CapacityProviderReservation: nodes that are needed, of those that are up",
            ratio,
            self.reservation,
        );
        registry.register(
            "capacity_provider_nodes",
            "Nodes of a capacity provider, by how they do",
            self.nodes,
        );
        registry.register(
            "capacity_provider_tasks",
            "Tasks of a capacity provider, by whether they have a node",
            self.tasks,
        );
        registry
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use serde_json::json;

    use super::*;
    use crate::world::Kind;

    #[test]
    fn what_statuses_say_is_counted_under_the_names_of_the_dashboard() {
        let mut world = World::default();
        let service = |name: &str, state: &str, condition: &str| {
            json!({
                "metadata": {"name": name, "namespace": "shop", "uid": name},
                "spec": {"taskDefinition": "web"},
                "status": {
                    "desiredCount": 4, "runningCount": 3, "pendingCount": 1,
                    "deployments": [{"id": "1", "status": "PRIMARY", "taskDefinition": "web:1",
                        "rolloutState": state, "failedTasks": 2}],
                    "conditions": [{"type": condition, "status": "True", "reason": "R", "message": "",
                        "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                },
            })
        };
        world.put(Kind::Service, service("a", "COMPLETED", "Ready")).unwrap();
        world.put(Kind::Service, service("b", "IN_PROGRESS", "Reconciling")).unwrap();
        world.put(Kind::Service, service("c", "FAILED", "Stalled")).unwrap();
        let provider = json!({
            "metadata": {"name": "big"}, "spec": {},
            "status": {"name": "Big", "reservation": 150, "provisioningTasks": 2,
                "nodes": {"total": 3, "ready": 2, "notReady": 1}},
        });
        world.put(Kind::CapacityProvider, provider).unwrap();
        let mut text = String::new();
        encode(&mut text, &of(&world)).unwrap();
        for line in [
            r#"linkspan_services{namespace="shop",state="ready"} 1"#,
            r#"linkspan_services{namespace="shop",state="stalled"} 1"#,
            r#"linkspan_deployments{namespace="shop",rollout_state="IN_PROGRESS"} 1"#,
            r#"linkspan_service_desired_tasks{namespace="shop",service="a"} 4"#,
            r#"linkspan_service_failed_tasks{namespace="shop",service="c"} 2"#,
            r#"linkspan_capacity_provider_reservation_ratio{capacity_provider="Big"} 1.5"#,
            r#"linkspan_capacity_provider_nodes{capacity_provider="Big",state="not_ready"} 1"#,
            r#"linkspan_capacity_provider_tasks{capacity_provider="Big",state="provisioning"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
