//! What is there of one service? Everything its plan may depend on, gathered once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::daemon::Daemon;
use super::drains::Drains;
use super::exposure::Exposures;
use super::rollout::{ReplicaSet, Seen};
use super::{spread, tasks};
use crate::api::{Service, ServiceDeployment};
use crate::defect::{self, Defect};
use crate::ecs::reference::{TaskDefinitionReference, service_of, task_definition_of};
use crate::names::{self, annotation, label};
use crate::plan::age;
use crate::plan::finding::Findings;
use crate::plan::mapping::{self, Launch, Mapping, Names};
use crate::plan::task_definition::{identifiers, newest, owner_of_family, revisions_of};
use crate::world::{Index, Kind, ObjectKey, Owned, Shelved, World};
use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The provider of a service that names none.
pub(super) const NO_PROVIDER: &str = "";

/// Everything that a service's plan may depend on.
pub(super) struct Observed {
    pub(super) key: ObjectKey,
    pub(super) service: Arc<Service>,
    pub(super) uid: String,
    /// The ECS service name.
    pub(super) name: String,
    /// The ECS cluster name.
    pub(super) cluster: String,
    /// The mapping of its Cluster.
    pub(super) mapping: Mapping,
    /// The older Service object that has this ECS name, if one has.
    pub(super) earlier_claim: Option<String>,
    /// Its deployment records, oldest first.
    pub(super) records: Vec<Arc<ServiceDeployment>>,
    /// What is wrong with a record that cannot be read.
    pub(super) unreadable_record: Option<String>,
    pub(super) task_definition: Named,
    /// Its Deployments, and the places where one belongs: by the label of their capacity provider.
    pub(super) workloads: BTreeMap<String, Workload>,
    /// Its DaemonSet, where it is a DAEMON service.
    pub(super) daemon: Option<Daemon>,
    replica_sets: Vec<Arc<appsv1::ReplicaSet>>,
    pub(super) endpoints: Standing,
    pub(super) disruption_budget: Standing,
    pub(super) autoscaler: Standing,
    pub(super) network_policy: Standing,
    pub(super) exposures: Exposures,
    pub(super) pods: Vec<Arc<corev1::Pod>>,
    /// Its tasks that have to leave their nodes.
    pub(super) drains: Drains,
}

/// One of a service's Deployments, or the place where it belongs.
pub(super) struct Workload {
    pub(super) key: ObjectKey,
    pub(super) standing: Standing,
    deployment: Option<Arc<appsv1::Deployment>>,
}

impl Workload {
    /// What is at the place where the Deployment of a provider, by its label, belongs.
    fn of(world: &World, key: &ObjectKey, (name, uid): (&str, &str), provider: &str) -> Self {
        let workload = names::workload(name, uid, provider, names::FIRST_SLOT);
        let deployment = world.deployments.get(&key.namespace, &workload);
        Self {
            key: ObjectKey::new(Kind::Deployment, &key.namespace, &workload),
            standing: standing(world, uid, deployment.as_deref()),
            deployment,
        }
    }

    /// The Deployment, if it is ours.
    pub(super) fn deployment(&self) -> Option<&appsv1::Deployment> {
        match self.standing {
            Standing::Ours(_) => self.deployment.as_deref(),
            _ => None,
        }
    }
}

/// The Deployments that a service has, and those that its records ask for.
fn workloads(
    world: &World,
    key: &ObjectKey,
    (name, uid): (&str, &str),
    records: &[Arc<ServiceDeployment>],
) -> BTreeMap<String, Workload> {
    // Where nothing tells of it any more, that of no provider is still known by its name.
    let mut all: BTreeSet<String> = [NO_PROVIDER.to_owned()].into();
    all.extend(records.iter().flat_map(|record| spread::providers(record)));
    let at = |provider: String| {
        let workload = Workload::of(world, key, (name, uid), &provider);
        (provider, workload)
    };
    let mut workloads: BTreeMap<String, Workload> = all.into_iter().map(at).collect();
    for found in world.deployments.find_keys(&Index::service(&key.namespace, uid)) {
        if workloads.values().any(|workload| workload.key == found) {
            continue;
        }
        let Some(deployment) = world.deployments.get(&found.namespace, &found.name) else {
            continue;
        };
        // Labels can be changed; what a Deployment selects by cannot.
        let selector = deployment.spec.as_ref().map(|spec| spec.selector.match_labels.clone());
        let provider = selector.flatten().unwrap_or_default().remove(label::CAPACITY_PROVIDER);
        let (provider, workload) = at(provider.unwrap_or_default());
        // One of another name was not made by Linkspan for this very Service.
        if workload.key == found {
            workloads.insert(provider, workload);
        }
    }
    workloads
}

/// What stands where a child of ours belongs.
#[derive(Debug)]
pub(super) enum Standing {
    /// Nothing.
    Absent,
    /// Our child, as JSON.
    Ours(Value),
    /// The child of a service that is gone; it goes by itself.
    Dying,
    /// Something else, and whose.
    Foreign(String),
}

/// What the service's `taskDefinition` names.
pub(super) enum Named {
    /// A revision that may be deployed.
    Revision {
        reference: String,
        spec: Arc<crate::api::TaskDefinitionRevision>,
        /// Whether its family has a TaskDefinition; without one, what runs goes on running.
        active: bool,
    },
    /// Nothing that can be used, and why; a spec that cannot be read at all is judged elsewhere.
    Nothing { refused: bool, message: String },
    /// A task definition whose last change is not registered yet.
    NotYet { message: String },
}

impl Observed {
    pub(super) fn of(world: &World, key: &ObjectKey) -> Option<Self> {
        let service = world.services.get(&key.namespace, &key.name)?;
        let uid = service.metadata.uid.clone().unwrap_or_default();
        let (cluster, name) = service_of(&service.spec.0, Some(&key.name));
        let index = Index::service(&key.namespace, &uid);
        let mut records = world.records.find(&index);
        // Only what Linkspan itself made for this very Service.
        records.retain(|record| {
            let named = names::record(&name, &uid, record.spec.sequence);
            record.metadata.name.as_deref() == Some(&named)
                && record.metadata.controller() == Some((&uid, true))
        });
        records.sort_by_key(|record| record.spec.sequence);
        let budget = names::disruption_budget(&name, &uid, names::FIRST_SLOT);
        let endpoints = world.endpoints.get(&key.namespace, &names::endpoints(&name));
        let disruption_budget = world.disruption_budgets.get(&key.namespace, &budget);
        let autoscaler = names::autoscaler(&name, &uid);
        let autoscaler = world.horizontal_pod_autoscalers.get(&key.namespace, &autoscaler);
        let network_policy = names::network_policy(&name, &uid);
        let network_policy = world.network_policies.get(&key.namespace, &network_policy);
        let pods = world.pods.find(&index);
        let newest = records.last().map(Arc::as_ref);
        Some(Self {
            drains: Drains::of(world, &pods, newest),
            earlier_claim: earlier_claim(world, &service, &key.namespace, &cluster, &name),
            mapping: Mapping::of(world, &key.namespace, &cluster),
            workloads: workloads(world, key, (&name, &uid), &records),
            daemon: Daemon::of(world, key, (&name, &uid), &service.spec.0),
            records,
            unreadable_record: unreadable_record(world, &key.namespace, &uid),
            task_definition: named(world, &key.namespace, &service.spec.0),
            endpoints: standing(world, &uid, endpoints.as_deref()),
            disruption_budget: standing(world, &uid, disruption_budget.as_deref()),
            autoscaler: standing(world, &uid, autoscaler.as_deref()),
            network_policy: standing(world, &uid, network_policy.as_deref()),
            exposures: Exposures::of(world, key, &service.spec.0, &name, &uid),
            replica_sets: world.replica_sets.find(&index),
            pods,
            key: key.clone(),
            service,
            uid,
            name,
            cluster,
        })
    }

    /// The spec of the revision that the service names, if it can be used.
    pub(super) fn revision(&self) -> Option<&Value> {
        match &self.task_definition {
            Named::Revision { spec, .. } => Some(&spec.spec.0),
            Named::Nothing { .. } | Named::NotYet { .. } => None,
        }
    }

    /// The newest record.
    pub(super) fn newest(&self) -> Option<&Arc<ServiceDeployment>> {
        self.records.last()
    }

    /// Which revision the service names, the Kubernetes names that the mapping gives to its AWS
    /// identifiers, and what it leaves to say about them.
    pub(super) fn names(&self) -> Option<(&str, Names, Findings)> {
        let Named::Revision { reference, spec, .. } = &self.task_definition else { return None };
        let mut findings = Findings::default();
        let identifiers = identifiers(&spec.spec.0, &mut Findings::default());
        let launch = Launch::read(&self.service.spec.0, &mut Findings::default());
        let names = mapping::resolve(&identifiers, &launch, &self.mapping, &mut findings);
        Some((reference, names, findings))
    }

    /// The newest record whose template originated in this one, of those that have tasks of a
    /// provider, by its label.
    pub(super) fn record(&self, origin: i64, provider: &str) -> Option<&Arc<ServiceDeployment>> {
        let has = |record: &&Arc<ServiceDeployment>| {
            record.spec.origin() == origin
                && spread::providers(record).iter().any(|one| one == provider)
        };
        self.records.iter().rev().find(has)
    }

    /// The newest record whose template originated in this one.
    pub(super) fn newest_from(&self, origin: i64) -> Option<&Arc<ServiceDeployment>> {
        self.records.iter().rev().find(|record| record.spec.origin() == origin)
    }

    /// Our Deployments.
    pub(super) fn deployments(&self) -> impl Iterator<Item = &appsv1::Deployment> {
        self.workloads.values().filter_map(Workload::deployment)
    }

    /// The UIDs of its ReplicaSets.
    pub(super) fn sets(&self) -> impl Iterator<Item = &str> {
        let deployments: BTreeSet<&str> =
            self.deployments().filter_map(|found| found.metadata.uid.as_deref()).collect();
        self.replica_sets.iter().filter_map(move |set| {
            let controller = set.metadata.controller().map(|(uid, _)| uid);
            let is_ours = controller.is_some_and(|uid| deployments.contains(uid));
            set.metadata.uid.as_deref().filter(|_| is_ours)
        })
    }

    /// Metadata and pod template of its Deployments and of its DaemonSet.
    pub(super) fn templates(
        &self,
    ) -> impl Iterator<Item = (&ObjectMeta, &corev1::PodTemplateSpec)> {
        let deployments = self.deployments();
        let deployments =
            deployments.filter_map(|found| Some((&found.metadata, &found.spec.as_ref()?.template)));
        deployments.chain(self.daemon.as_ref().and_then(Daemon::template))
    }

    /// The roll of one of its Deployments, as its controller has it.
    pub(super) fn seen(&self, provider: &str) -> Seen {
        let workload = self.workloads.get(provider);
        let Some(deployment) = workload.and_then(Workload::deployment) else {
            return Seen::default();
        };
        let spec = deployment.spec.as_ref();
        let status = deployment.status.clone().unwrap_or_default();
        let rolling = spec
            .and_then(|spec| spec.strategy.as_ref())
            .and_then(|strategy| strategy.rolling_update.as_ref());
        let count = |value: Option<i32>| value.unwrap_or_default();
        let sequence = spec.and_then(|spec| sequence_of(spec.template.metadata.as_ref()?));
        // Those of an earlier template go, and what comes for them may find a node.
        let newest = |pod: &&Arc<corev1::Pod>| sequence_of(&pod.metadata) == sequence;
        Seen {
            exists: true,
            replicas: spec.and_then(|spec| spec.replicas).unwrap_or(1),
            sequence,
            settled: status.observed_generation == deployment.metadata.generation,
            total: count(status.replicas),
            updated: count(status.updated_replicas),
            available: count(status.available_replicas),
            max_unavailable: integer(rolling.and_then(|r| r.max_unavailable.as_ref())),
            max_surge: integer(rolling.and_then(|r| r.max_surge.as_ref())),
            replica_sets: self
                .replica_sets
                .iter()
                .filter(|set| {
                    let controller = set.metadata.controller().map(|(uid, _)| uid);
                    controller == deployment.metadata.uid.as_deref()
                })
                .map(|set| replica_set(set))
                .collect(),
            stuck: tasks::all_stuck(self.pods_of(provider)),
            unplaced: tasks::unplaced(self.pods_of(provider).filter(newest)),
            hopeless: tasks::hopeless(self.pods_of(provider)),
        }
    }

    /// The pods of a provider, by its label; all, where the service has no others.
    fn pods_of(&self, provider: &str) -> impl Iterator<Item = &Arc<corev1::Pod>> {
        let one = self.workloads.len() == 1;
        self.pods.iter().filter(move |pod| one || provider_of(&pod.metadata) == provider)
    }
}

/// The provider that a pod is for, by its label.
pub(super) fn provider_of(meta: &ObjectMeta) -> &str {
    let labels = meta.labels.as_ref();
    labels
        .and_then(|labels| labels.get(label::CAPACITY_PROVIDER))
        .map_or(NO_PROVIDER, String::as_str)
}

fn replica_set(set: &appsv1::ReplicaSet) -> ReplicaSet {
    let status = set.status.clone().unwrap_or_default();
    let annotations = set.metadata.annotations.as_ref();
    ReplicaSet {
        created: set.metadata.creation_timestamp.as_ref().map(|time| time.0),
        name: set.metadata.name.clone().unwrap_or_default(),
        sequence: sequence_of(&set.metadata),
        size: set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
        ready: status.ready_replicas.unwrap_or_default(),
        available: status.available_replicas.unwrap_or_default(),
        max_replicas: annotations
            .and_then(|all| all.get("deployment.kubernetes.io/max-replicas"))
            .and_then(|digits| digits.parse().ok()),
    }
}

fn integer(
    value: Option<&k8s_openapi::apimachinery::pkg::util::intstr::IntOrString>,
) -> Option<i32> {
    match value? {
        k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(number) => Some(*number),
        k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::String(_) => None,
    }
}

/// The sequence of the record from which a pod or a template came.
pub(super) fn sequence_of(meta: &ObjectMeta) -> Option<i64> {
    meta.labels.as_ref()?.get(label::DEPLOYMENT)?.parse().ok()
}

fn earlier_claim(
    world: &World,
    service: &Service,
    namespace: &str,
    cluster: &str,
    name: &str,
) -> Option<String> {
    let claims = world.services.find(&Index::service_name(namespace, cluster, name));
    let owner = claims.iter().min_by_key(|claim| age(&claim.metadata))?;
    (owner.metadata.name != service.metadata.name).then(|| owner.metadata.name.clone())?
}

fn unreadable_record(world: &World, namespace: &str, uid: &str) -> Option<String> {
    world.unreadable.iter().find_map(|(key, unreadable)| {
        let ours = key.kind == Kind::ServiceDeployment
            && key.namespace == namespace
            && unreadable.labels.get(label::SERVICE_UID).is_some_and(|label| label == uid);
        ours.then(|| format!("{key} cannot be read: {}", unreadable.message))
    })
}

/// Whose an object is that stands where a child of ours belongs.
pub(super) fn standing<K: Shelved>(world: &World, uid: &str, found: Option<&K>) -> Standing {
    let Some(found) = found else { return Standing::Absent };
    let meta = found.meta();
    let body = || serde_json::to_value(found).unwrap_or_default();
    match meta.controller() {
        Some((owner, _)) if owner == uid => Standing::Ours(body()),
        Some((owner, true)) => {
            let namespace = meta.namespace.as_deref().unwrap_or_default();
            if world.services.find_keys(&Index::service(namespace, owner)).is_empty() {
                Standing::Dying
            } else {
                Standing::Foreign("belongs to another Service".to_owned())
            }
        }
        Some((_, false)) => Standing::Foreign("has another controller".to_owned()),
        None if defect::is(Defect::AdoptsWhatIsThere) => Standing::Ours(body()),
        None => {
            let body = body();
            // Somebody took the owner reference away. The label says whose it is, and where that
            // is gone too, so does a Deployment's selector, which nobody can change.
            let selects = body
                .pointer("/spec/selector/matchLabels")
                .and_then(|labels| labels.get(label::SERVICE_UID))
                .and_then(Value::as_str);
            if meta.service_uid() == Some(uid) || selects == Some(uid) {
                Standing::Ours(body)
            } else {
                Standing::Foreign("was not made by Linkspan".to_owned())
            }
        }
    }
}

/// What a service's `taskDefinition` names: a pinned revision, or the newest of a family.
fn named(world: &World, namespace: &str, spec: &Value) -> Named {
    let Some(TaskDefinitionReference { family, revision }) = task_definition_of(spec) else {
        return Named::Nothing { refused: false, message: String::new() };
    };
    let revisions = revisions_of(world, namespace, &family);
    if let Some(pinned) = revision {
        let found = revisions.iter().find(|(number, _)| *number == pinned);
        return match found {
            Some((_, revision)) => Named::Revision {
                reference: format!("{family}:{pinned}"),
                spec: revision.clone(),
                active: owner_of_family(world, namespace, &family).is_some(),
            },
            None => Named::Nothing {
                refused: false,
                message: missing_revision(
                    &family,
                    pinned,
                    newest(world, namespace, &family).map(|n| n.0),
                ),
            },
        };
    }
    let Some(owner) = owner_of_family(world, namespace, &family) else {
        let message = format!(
            "no TaskDefinition of family `{family}` is in namespace {namespace}; apply one, \
             or name another in taskDefinition"
        );
        return Named::Nothing { refused: false, message };
    };
    let status = owner.status.clone().unwrap_or_default();
    let newest = revisions.last();
    if status.observed_generation != owner.metadata.generation
        || newest.map(|(number, _)| *number) < status.latest_revision
    {
        let message = format!("TaskDefinition {family} is being registered");
        return Named::NotYet { message };
    }
    match newest {
        Some((number, revision)) => Named::Revision {
            reference: format!("{family}:{number}"),
            spec: revision.clone(),
            active: true,
        },
        None => Named::Nothing {
            refused: true,
            message: format!(
                "TaskDefinition {family} has no revision, since it is refused; its own conditions say why"
            ),
        },
    }
}

fn missing_revision(family: &str, pinned: i64, newest: Option<i64>) -> String {
    match newest {
        Some(newest) => format!(
            "revision {family}:{pinned} is not there; the newest is {family}:{newest}, \
             and `{family}` alone follows the newest"
        ),
        None => format!("revision {family}:{pinned} is not there, nor any other of its family"),
    }
}

/// The record that a workload was made from, as its annotation keeps it.
pub(super) fn annotated_record(workload: &ObjectMeta) -> Option<Value> {
    let text = workload.annotations.as_ref()?.get(annotation::RECORD)?;
    serde_json::from_str(text).ok()
}
