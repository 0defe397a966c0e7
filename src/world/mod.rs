//! What can be seen? Every object that a decision may depend on, in memory, with its indexes.
//!
//! The same type serves the operator (filled by watches), `linkspan render` (filled from files) and
//! the tests (filled by hand). It answers questions and takes objects in; it decides nothing, and
//! it neither reads a clock nor reaches a cluster.

mod key;
mod object;
mod placed;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::autoscaling::v2 as autoscalingv2;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::networking::v1 as networkingv1;
use k8s_openapi::api::policy::v1 as policyv1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

pub use key::{Kind, ObjectKey};
pub use object::Object;
pub(crate) use object::set;
pub use placed::Placed;
pub use shelf::{Change, Index, Owned, Shelf, Shelved};

use crate::api;
use crate::ecs::scaling::target_tracking::Timing;
use crate::names;
use crate::plan::capacity_provider::{Guests, Looked, Unusable};
use crate::plan::scaling::measured::Measured;
use crate::plan::{Write, roots_of};

/// Everything that can be seen.
#[derive(Debug, Default)]
pub struct World {
    /// The minor version of the API server, once known.
    pub server_minor: Option<u32>,
    /// When a metric's deviation has lasted long enough. Only tests have other numbers than AWS.
    pub scaling_timing: Timing,
    /// Cluster objects.
    pub clusters: Shelf<api::Cluster>,
    /// CapacityProvider objects.
    pub capacity_providers: Shelf<api::CapacityProvider>,
    /// TaskDefinition objects.
    pub task_definitions: Shelf<api::TaskDefinition>,
    /// TaskDefinitionRevision objects.
    pub revisions: Shelf<api::TaskDefinitionRevision>,
    /// Service objects.
    pub services: Shelf<api::Service>,
    /// ServiceDeployment objects.
    pub records: Shelf<api::ServiceDeployment>,
    /// Task objects.
    pub tasks: Shelf<api::Task>,
    /// Rule objects.
    pub rules: Shelf<api::Rule>,
    /// Deployments: whole where they are ours, else their metadata.
    pub deployments: Shelf<appsv1::Deployment>,
    /// DaemonSets: whole where they are ours, else their metadata.
    pub daemon_sets: Shelf<appsv1::DaemonSet>,
    /// ReplicaSets of our Deployments.
    pub replica_sets: Shelf<appsv1::ReplicaSet>,
    /// Pods of our services.
    pub pods: Shelf<corev1::Pod>,
    /// Kubernetes Services: whole where they are ours, else their metadata.
    pub endpoints: Shelf<corev1::Service>,
    /// Disruption budgets: whole where they are ours, else their metadata.
    pub disruption_budgets: Shelf<policyv1::PodDisruptionBudget>,
    /// Autoscalers: whole where they are ours, else their metadata.
    pub horizontal_pod_autoscalers: Shelf<autoscalingv2::HorizontalPodAutoscaler>,
    /// Network policies: whole where they are ours, else their metadata.
    pub network_policies: Shelf<networkingv1::NetworkPolicy>,
    /// Ingresses: whole where they are ours, else their metadata.
    pub ingresses: Shelf<networkingv1::Ingress>,
    /// Nodes.
    pub nodes: Shelf<corev1::Node>,
    /// Whether nodes may be written: that right is granted, or not, where the operator is installed.
    pub writes_nodes: bool,
    /// Whether capacity providers are another operator's, which tells how they do and sizes them.
    pub leaves_capacity: bool,
    /// Whether there is a second scheduler, which fills a node before it begins another.
    pub packs: bool,
    /// What was found of the objects whose scale is the size of a capacity provider's group, by
    /// CapacityProvider.
    pub scales: BTreeMap<ObjectKey, Looked>,
    /// What was found of the NodePools of capacity providers, by CapacityProvider: none, where there
    /// is no such object yet.
    pub node_pools: BTreeMap<ObjectKey, Result<Option<Value>, Unusable>>,
    /// What was found of pods of others on the nodes that a capacity provider is about to end, by
    /// CapacityProvider and node.
    pub guests: BTreeMap<ObjectKey, BTreeMap<String, Guests>>,
    /// What was measured lately, by Service.
    pub measured: BTreeMap<ObjectKey, Measured>,
    /// Objects that are stored but cannot be decoded, with the decoder's message.
    pub unreadable: BTreeMap<ObjectKey, Unreadable>,
}

/// An object that is stored but does not decode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its UID.
    pub uid: String,
    /// Its generation.
    pub generation: Option<i64>,
    /// When it was made.
    pub created: Option<jiff::Timestamp>,
    /// Its labels, so that it is still counted with its owner's things.
    pub labels: BTreeMap<String, String>,
    /// The decoder's message.
    pub message: String,
}

impl World {
    /// A world that may have ten thousand services in it: it holds as text what only the plans of one
    /// service look at.
    pub fn of_a_cluster() -> Self {
        fn as_text<K: Shelved>(world: &mut World) {
            K::shelf_mut(world).hold_as_text();
        }
        let mut world = Self::default();
        for kind in Kind::ALL {
            each_kind!(kind, as_text(&mut world));
        }
        world
    }

    /// The object's UID and generation, whatever its kind, where it is seen at all.
    pub fn identity(&self, key: &ObjectKey) -> Option<(String, Option<i64>)> {
        fn of<K: Shelved>(world: &World, key: &ObjectKey) -> Option<(String, Option<i64>)> {
            let object = K::shelf(world).get(&key.namespace, &key.name)?;
            let meta = object.meta();
            Some((meta.uid.clone().unwrap_or_default(), meta.generation))
        }
        if let Some(unreadable) = self.unreadable.get(key) {
            return Some((unreadable.uid.clone(), unreadable.generation));
        }
        each_kind!(key.kind, of(self, key))
    }

    /// What of an object somebody else than the operator sets: it changes with the spec, the labels, the
    /// annotations and a deletion, and not with the status.
    pub fn asked(&self, key: &ObjectKey) -> Option<ObjectMeta> {
        fn of<K: Shelved>(world: &World, key: &ObjectKey) -> Option<ObjectMeta> {
            let object = K::shelf(world).get(&key.namespace, &key.name)?;
            let meta = object.meta();
            Some(ObjectMeta {
                uid: meta.uid.clone(),
                generation: meta.generation,
                labels: meta.labels.clone(),
                annotations: meta.annotations.clone(),
                deletion_timestamp: meta.deletion_timestamp.clone(),
                ..ObjectMeta::default()
            })
        }
        each_kind!(key.kind, of(self, key))
    }

    /// Takes in the outcome of a write, as a cluster without controllers would show it: the files'
    /// world of `render`, and the first step of every simulation. Tells who must be planned for.
    ///
    /// # Errors
    /// The decoder's message, where the object is not of its kind.
    pub fn carry_out(&mut self, write: &Write) -> Result<BTreeSet<ObjectKey>, serde_json::Error> {
        let key = write.key();
        let before = self.body(key);
        let generation = before.as_ref().and_then(|body| body.pointer("/metadata/generation"));
        let generation = generation.and_then(Value::as_i64).unwrap_or(1);
        let seen = |uid: &str| {
            let seen = before.as_ref().and_then(|body| body.pointer("/metadata/uid")?.as_str());
            seen == Some(uid)
        };
        match write {
            Write::Apply(object) if object.key.kind == Kind::Node => {
                let Some(mut body) = before else { return Ok(BTreeSet::new()) };
                crate::plan::node::lay(&object.body, &mut body);
                self.take(Kind::Node, body)
            }
            Write::Resize { key, uid, replicas, .. } => {
                if let Some(Looked { found: Ok(scale), .. }) = self.scales.get_mut(key)
                    && scale.uid == *uid
                {
                    scale.replicas = *replicas;
                }
                Ok([key.clone()].into())
            }
            Write::Pool { key, body, .. } => {
                self.node_pools.insert(key.clone(), Ok(Some(body.clone())));
                Ok([key.clone()].into())
            }
            Write::Create(object) | Write::Apply(object) => {
                let mut body = object.body.clone();
                let Some(before) = before else {
                    set(&mut body, &["metadata", "uid"], names::sha256_hex(&[&key.to_string()]));
                    set(&mut body, &["metadata", "generation"], 1);
                    return self.take(key.kind, body);
                };
                let uid = before.pointer("/metadata/uid").cloned().unwrap_or_default();
                set(&mut body, &["metadata", "uid"], uid);
                set(&mut body, &["metadata", "generation"], generation);
                if matches!(write, Write::Apply(_))
                    && let Some(status) = before.get("status")
                {
                    set(&mut body, &["status"], status.clone());
                }
                let mut roots = self.take(key.kind, body.clone())?;
                // Another spec is another generation, which its controller has not seen yet.
                if self.body(key).is_some_and(|after| after.get("spec") != before.get("spec")) {
                    set(&mut body, &["metadata", "generation"], generation + 1);
                    roots.extend(self.take(key.kind, body)?);
                }
                Ok(roots)
            }
            Write::Status { status, .. } | Write::MendStatus { status, .. } => {
                let Some(mut body) = before else { return Ok(BTreeSet::new()) };
                set(&mut body, &["status"], status.clone());
                self.take(key.kind, body)
            }
            Write::Scale { uid, replicas, .. } => {
                let same = seen(uid);
                let Some(mut body) = before.filter(|_| same) else { return Ok(BTreeSet::new()) };
                set(&mut body, &["spec", "desiredCount"], *replicas);
                set(&mut body, &["metadata", "generation"], generation + 1);
                self.take(key.kind, body)
            }
            Write::Delete { uid, .. } | Write::Evict { uid, .. } if seen(uid) => {
                Ok(self.remove(key))
            }
            // Machines are not looked at.
            Write::Delete { .. } | Write::Mark { .. } | Write::Evict { .. } => Ok(BTreeSet::new()),
        }
    }

    /// Takes in an object of a kind from its JSON.
    ///
    /// # Errors
    /// The decoder's message, where the object is not of that kind.
    pub fn put(&mut self, kind: Kind, body: Value) -> Result<(), serde_json::Error> {
        self.take(kind, body).map(|_| ())
    }

    /// As [`put`](Self::put); tells who must be planned for.
    fn take(&mut self, kind: Kind, body: Value) -> Result<BTreeSet<ObjectKey>, serde_json::Error> {
        fn take<K: Shelved>(
            world: &mut World,
            body: Value,
        ) -> Result<BTreeSet<ObjectKey>, serde_json::Error> {
            let object: K = serde_json::from_value(body)?;
            let change = K::shelf_mut(world).put(object);
            Ok(change.map(|change| roots_of(world, &change)).unwrap_or_default())
        }
        each_kind!(kind, take(self, body))
    }

    /// Forgets an object; tells who must be planned for.
    pub fn remove(&mut self, key: &ObjectKey) -> BTreeSet<ObjectKey> {
        fn remove<K: Shelved>(world: &mut World, key: &ObjectKey) -> BTreeSet<ObjectKey> {
            let change = K::shelf_mut(world).remove(&key.namespace, &key.name);
            change.map(|change| roots_of(world, &change)).unwrap_or_default()
        }
        self.unreadable.remove(key);
        each_kind!(key.kind, remove(self, key))
    }

    /// An object as JSON.
    pub fn body(&self, key: &ObjectKey) -> Option<Value> {
        fn body<K: Shelved>(world: &World, key: &ObjectKey) -> Option<Value> {
            let object = K::shelf(world).get(&key.namespace, &key.name)?;
            serde_json::to_value(&*object).ok()
        }
        each_kind!(key.kind, body(self, key))
    }

    /// What a pod may ask for wherever it comes to run: the oldest Kubernetes among the API server
    /// and all kubelets, and what every node declares. A kubelet whose version cannot be read (a
    /// simulated one) counts as the server's. Looks at every node.
    pub fn features(&self) -> api::Features {
        let server = self.server_minor.unwrap_or(crate::OLDEST_KUBERNETES_MINOR);
        let nodes: Vec<_> = self.nodes.iter().collect();
        let statuses = || nodes.iter().filter_map(|node| node.status.as_ref());
        let kubernetes_minor = statuses()
            .filter_map(|status| minor_version(&status.node_info.as_ref()?.kubelet_version))
            .fold(server, u32::min);
        let declared = statuses().all(|status| {
            let declared = status.declared_features.as_ref();
            declared.is_some_and(|all| all.iter().any(|one| one == RESTART_ALL_CONTAINERS))
        });
        api::Features {
            kubernetes_minor,
            restart_all_containers: kubernetes_minor >= 36 && declared,
            labels_nodes: self.writes_nodes,
            packs: self.packs,
        }
    }
}

/// The name under which a node declares that it restarts all containers of a pod at one's exit.
pub const RESTART_ALL_CONTAINERS: &str = "RestartAllContainersOnContainerExits";

/// The minor version of `v1.36.3` and of `v1.33.5-eks-1234`; none of `kwok-v0.8.0`.
pub fn minor_version(version: &str) -> Option<u32> {
    let mut numbers = version.strip_prefix('v')?.split('.');
    if numbers.next()? != "1" {
        return None;
    }
    numbers.next()?.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()
}

macro_rules! each_kind {
    ($kind:expr, $function:ident ( $($argument:expr),* )) => {{
        use k8s_openapi::api::{
            apps::v1 as appsv1, autoscaling::v2 as autoscalingv2, core::v1 as corev1,
            networking::v1 as networkingv1, policy::v1 as policyv1,
        };
        match $kind {
            $crate::world::Kind::Cluster => $function::<$crate::api::Cluster>($($argument),*),
            $crate::world::Kind::CapacityProvider => {
                $function::<$crate::api::CapacityProvider>($($argument),*)
            }
            $crate::world::Kind::TaskDefinition => {
                $function::<$crate::api::TaskDefinition>($($argument),*)
            }
            $crate::world::Kind::TaskDefinitionRevision => {
                $function::<$crate::api::TaskDefinitionRevision>($($argument),*)
            }
            $crate::world::Kind::Service => $function::<$crate::api::Service>($($argument),*),
            $crate::world::Kind::ServiceDeployment => {
                $function::<$crate::api::ServiceDeployment>($($argument),*)
            }
            $crate::world::Kind::Task => $function::<$crate::api::Task>($($argument),*),
            $crate::world::Kind::Rule => $function::<$crate::api::Rule>($($argument),*),
            $crate::world::Kind::Deployment => $function::<appsv1::Deployment>($($argument),*),
            $crate::world::Kind::DaemonSet => $function::<appsv1::DaemonSet>($($argument),*),
            $crate::world::Kind::ReplicaSet => $function::<appsv1::ReplicaSet>($($argument),*),
            $crate::world::Kind::Pod => $function::<corev1::Pod>($($argument),*),
            $crate::world::Kind::Endpoints => $function::<corev1::Service>($($argument),*),
            $crate::world::Kind::DisruptionBudget => {
                $function::<policyv1::PodDisruptionBudget>($($argument),*)
            }
            $crate::world::Kind::HorizontalPodAutoscaler => {
                $function::<autoscalingv2::HorizontalPodAutoscaler>($($argument),*)
            }
            $crate::world::Kind::NetworkPolicy => {
                $function::<networkingv1::NetworkPolicy>($($argument),*)
            }
            $crate::world::Kind::Ingress => $function::<networkingv1::Ingress>($($argument),*),
            $crate::world::Kind::Node => $function::<corev1::Node>($($argument),*),
        }
    }};
}
pub(crate) use each_kind;

#[cfg(test)]
mod tests;
