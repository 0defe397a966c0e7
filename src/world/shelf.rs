//! Objects of one kind: by name, and by the few other questions that decisions ask.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::autoscaling::v2 as autoscalingv2;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::networking::v1 as networkingv1;
use k8s_openapi::api::policy::v1 as policyv1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Kind, ObjectKey, Placed, World};
use crate::api;
use crate::ecs::reference;
use crate::names::{self, GROUP, label};
use crate::plan::capacity_provider::{self, Standing};
use crate::plan::{node, service};

/// A question other than the name, by which objects are found without a search.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Index {
    /// Everything that belongs to a Service object: `namespace/UID`. A label of another namespace
    /// counts for nothing.
    Service(String),
    /// Everything of a task definition family: `namespace/family`.
    Family(String),
    /// The clusters that claim an ECS name, and the services in them: `namespace/cluster`.
    Cluster(String),
    /// The services that claim an ECS name: `namespace/cluster/service`.
    ServiceName(String),
    /// The services whose child of this kind has this name: `namespace/name`.
    Child(Kind, String),
    /// The capacity providers that claim an ECS name, by the label that stands for it.
    ProviderName(String),
    /// The capacity providers that tell their nodes by this label, as `key=value`, or by any value of
    /// it, as `key`.
    NodeLabel(String),
    /// A task by what it takes, and of which node.
    Placed(Box<Placed>),
    /// The capacity providers that have named this node to leave its group.
    Leaving(String),
    /// The deployment records whose pods go only to nodes that carry this label of an expression.
    NeedsNodeLabel(String),
    /// The deployment records and revisions that have an expression for which this label stands, and
    /// the expression.
    SaidByLabel(String, String),
}

/// A kind of object that is kept in the [`World`].
pub trait Shelved:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The kind.
    const KIND: Kind;
    /// Where its objects are.
    fn shelf(world: &World) -> &Shelf<Self>;
    /// Where its objects are, to change them.
    fn shelf_mut(world: &mut World) -> &mut Shelf<Self>;
    /// What this object is found by, beside its name.
    fn indexes(&self) -> Vec<Index> {
        let uid = self.meta().service_uid();
        uid.map(|uid| vec![Index::service(namespace_of(self), uid)]).unwrap_or_default()
    }
    /// How this node stands, if it is one.
    fn standing(&self) -> Option<Standing> {
        None
    }
    /// Whether this differs from what it was before in something that its own plan looks at.
    fn is_news(&self, _before: &Self) -> bool {
        true
    }
}

/// Reads of metadata that several kinds share.
pub trait Owned {
    /// The UID of the Service that this belongs to: by its controller reference, else by its label.
    fn service_uid(&self) -> Option<&str>;
    /// The UID of the controlling owner, and whether that is a Service of ours.
    fn controller(&self) -> Option<(&str, bool)>;
}

impl Owned for ObjectMeta {
    fn service_uid(&self) -> Option<&str> {
        match self.controller() {
            Some((uid, true)) => Some(uid),
            _ => self.labels.as_ref()?.get(label::SERVICE_UID).map(String::as_str),
        }
    }

    fn controller(&self) -> Option<(&str, bool)> {
        let owner =
            self.owner_references.as_ref()?.iter().find(|o| o.controller.unwrap_or_default())?;
        let ours = owner.kind == "Service"
            && owner.api_version.split_once('/').is_some_and(|(group, _)| group == GROUP);
        Some((&owner.uid, ours))
    }
}

/// How many deletions a shelf remembers: more than come between a write and its answer.
const REMEMBERED_DELETIONS: usize = 256;

/// A namespace and a name.
type Name = (String, String);

/// The objects of one kind.
#[derive(Debug)]
pub struct Shelf<K> {
    objects: BTreeMap<Name, Held<K>>,
    /// The last deletions with the versions at which they were, oldest first: what is older and
    /// comes later does not bring the object back.
    gone: VecDeque<(Name, u64)>,
    index: BTreeSet<(Index, Name)>,
    /// Whether its objects are held as text.
    as_text: bool,
}

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            gone: VecDeque::new(),
            index: BTreeSet::new(),
            as_text: false,
        }
    }
}

/// An object in memory.
#[derive(Debug)]
enum Held<K> {
    /// Many plans look at it, or there are few.
    Decoded(Arc<K>),
    /// The plans of one service look at it, of many in a cluster. A decoded Deployment takes 12 KiB,
    /// its text 3 KiB; reading it takes some twenty microseconds.
    Text {
        /// Its resource version.
        version: Option<u64>,
        json: Box<str>,
    },
}

impl<K: Shelved> Held<K> {
    fn new(object: &Arc<K>, as_text: bool) -> Self {
        if as_text && let Ok(json) = serde_json::to_string(&**object) {
            return Self::Text { version: version(object.meta()), json: json.into() };
        }
        Self::Decoded(object.clone())
    }

    fn get(&self) -> Option<Arc<K>> {
        match self {
            Self::Decoded(object) => Some(object.clone()),
            // What was written from a type can be read into it.
            Self::Text { json, .. } => serde_json::from_str(json).ok().map(Arc::new),
        }
    }

    fn version(&self) -> Option<u64> {
        match self {
            Self::Decoded(object) => version(object.meta()),
            Self::Text { version, .. } => *version,
        }
    }
}

/// What taking an object in changed.
#[derive(Debug)]
pub struct Change<K> {
    /// The object as it was before.
    pub old: Option<Arc<K>>,
    /// The object as it is now.
    pub new: Option<Arc<K>>,
}

impl<K: Shelved> Shelf<K> {
    /// From now on, holds its objects as text if each of them is of one service only.
    pub fn hold_as_text(&mut self) {
        self.as_text = K::KIND.is_of_one_service();
    }

    /// The object of this name.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.objects.get(&(namespace.to_owned(), name.to_owned()))?.get()
    }

    /// All objects, in the order of namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = Arc<K>> {
        self.objects.values().filter_map(Held::get)
    }

    /// The keys of all objects, in the order of namespace and name.
    pub fn keys(&self) -> impl Iterator<Item = ObjectKey> {
        self.objects.keys().map(Self::key_of)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The objects that an index finds, in the order of namespace and name.
    pub fn find(&self, index: &Index) -> Vec<Arc<K>> {
        self.under(index).filter_map(|name| self.objects.get(name)?.get()).collect()
    }

    /// The keys of the objects that an index finds, in the order of namespace and name.
    pub fn find_keys(&self, index: &Index) -> Vec<ObjectKey> {
        self.under(index).map(Self::key_of).collect()
    }

    /// The indexes from one on, in order, without the objects behind them; one for each object.
    pub fn indexed_from(&self, first: &Index) -> impl Iterator<Item = &Index> {
        self.index.range((first.clone(), Name::default())..).map(|(index, _)| index)
    }

    fn under(&self, index: &Index) -> impl Iterator<Item = &Name> {
        let first = (index.clone(), Name::default());
        let entries = self.index.range(first..);
        entries.take_while(move |(found, _)| found == index).map(|(_, name)| name)
    }

    /// Takes in an object. What is older than the one that is here, or than a deletion, changes
    /// nothing: a watch may deliver what was current before our own last write, and the answer to a
    /// write may come after the word of a deletion. (Resource versions of one kind can be compared as
    /// numbers; where they cannot be read, the newcomer wins.)
    pub fn put(&mut self, object: K) -> Option<Change<K>> {
        let key = name_of(object.meta());
        if let Some(new) = version(object.meta()) {
            let here = self.objects.get(&key).and_then(Held::version);
            let gone = self.gone.iter().filter(|(other, _)| *other == key).map(|(_, at)| *at).max();
            if here.max(gone).is_some_and(|known| new <= known) {
                return None;
            }
        }
        let old = self.forget(&key);
        let new = Arc::new(object);
        for index in new.indexes() {
            self.index.insert((index, key.clone()));
        }
        self.objects.insert(key, Held::new(&new, self.as_text));
        Some(Change { old, new: Some(new) })
    }

    /// Forgets an object.
    pub fn remove(&mut self, namespace: &str, name: &str) -> Option<Change<K>> {
        let old = self.forget(&(namespace.to_owned(), name.to_owned()))?;
        Some(Change { old: Some(old), new: None })
    }

    /// Takes in the word that an object was deleted, as it was then. Another of the same name that
    /// is newer stays.
    pub fn delete(&mut self, deleted: &ObjectMeta) -> Option<Change<K>> {
        let key = name_of(deleted);
        if let Some(at) = version(deleted) {
            self.gone.push_back((key.clone(), at));
            if self.gone.len() > REMEMBERED_DELETIONS {
                self.gone.pop_front();
            }
        }
        let here = self.objects.get(&key)?.get()?;
        if here.meta().uid != deleted.uid {
            return None;
        }
        let old = self.forget(&key)?;
        Some(Change { old: Some(old), new: None })
    }

    fn key_of((namespace, name): &Name) -> ObjectKey {
        ObjectKey::new(K::KIND, namespace, name)
    }

    fn forget(&mut self, key: &Name) -> Option<Arc<K>> {
        let old = self.objects.remove(key)?.get()?;
        for index in old.indexes() {
            self.index.remove(&(index, key.clone()));
        }
        Some(old)
    }
}

fn name_of(meta: &ObjectMeta) -> Name {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

fn version(meta: &ObjectMeta) -> Option<u64> {
    meta.resource_version.as_ref()?.parse().ok()
}

macro_rules! shelved {
    ($($type:ty => $kind:ident, $field:ident;)*) => {$(
        impl Shelved for $type {
            const KIND: Kind = Kind::$kind;
            fn shelf(world: &World) -> &Shelf<Self> { &world.$field }
            fn shelf_mut(world: &mut World) -> &mut Shelf<Self> { &mut world.$field }
        }
    )*};
    ($type:ty => $kind:ident, $field:ident, $indexes:expr) => {
        impl Shelved for $type {
            const KIND: Kind = Kind::$kind;
            fn shelf(world: &World) -> &Shelf<Self> { &world.$field }
            fn shelf_mut(world: &mut World) -> &mut Shelf<Self> { &mut world.$field }
            fn indexes(&self) -> Vec<Index> { $indexes(self) }
        }
    };
}

shelved! {
    api::Task => Task, tasks;
    api::Rule => Rule, rules;
    appsv1::ReplicaSet => ReplicaSet, replica_sets;
    corev1::Service => Endpoints, endpoints;
    policyv1::PodDisruptionBudget => DisruptionBudget, disruption_budgets;
    autoscalingv2::HorizontalPodAutoscaler => HorizontalPodAutoscaler, horizontal_pod_autoscalers;
    networkingv1::NetworkPolicy => NetworkPolicy, network_policies;
    networkingv1::Ingress => Ingress, ingresses;
}

impl Shelved for corev1::Node {
    const KIND: Kind = Kind::Node;
    fn shelf(world: &World) -> &Shelf<Self> {
        &world.nodes
    }
    fn shelf_mut(world: &mut World) -> &mut Shelf<Self> {
        &mut world.nodes
    }
    fn standing(&self) -> Option<Standing> {
        Some(Standing::of(self))
    }
    /// Its kubelet writes its status every few minutes, and little of that is looked at.
    fn is_news(&self, before: &Self) -> bool {
        let told = |node: &Self| {
            let status = node.status.as_ref();
            let answers = status.and_then(|status| {
                let mut conditions = status.conditions.iter().flatten();
                conditions.find(|one| one.type_ == "Ready").map(|one| one.status == "Unknown")
            });
            let version =
                status.and_then(|s| s.node_info.as_ref()).map(|info| info.kubelet_version.clone());
            let meta = &node.metadata;
            let meta = (meta.uid.clone(), meta.labels.clone(), meta.annotations.clone());
            (meta, node.metadata.deletion_timestamp.clone(), node.spec.clone(), answers, version)
        };
        told(self) != told(before)
    }
}

impl Index {
    /// The index of a family in a namespace.
    pub fn family(namespace: &str, family: &str) -> Self {
        Self::Family(format!("{namespace}/{family}"))
    }

    /// The index of an ECS cluster in a namespace.
    pub fn cluster(namespace: &str, cluster: &str) -> Self {
        Self::Cluster(format!("{namespace}/{cluster}"))
    }

    /// The index of what belongs to a Service object.
    pub fn service(namespace: &str, uid: &str) -> Self {
        Self::Service(format!("{namespace}/{uid}"))
    }

    /// The index of an ECS service name in a cluster of a namespace.
    pub fn service_name(namespace: &str, cluster: &str, service: &str) -> Self {
        Self::ServiceName(format!("{namespace}/{cluster}/{service}"))
    }

    /// The index of an ECS name of capacity providers.
    pub fn provider_name(name: &str) -> Self {
        Self::ProviderName(names::label_value(name))
    }

    /// The index of a service's child.
    pub fn child(kind: Kind, namespace: &str, name: &str) -> Self {
        Self::Child(kind, format!("{namespace}/{name}"))
    }
}

shelved!(api::Cluster => Cluster, clusters, |object: &api::Cluster| {
    let name = reference::cluster_of(&object.spec.0, object.metadata.name.as_deref());
    vec![Index::cluster(namespace_of(object), &name)]
});
shelved!(api::CapacityProvider => CapacityProvider, capacity_providers,
|object: &api::CapacityProvider| {
    let (name, selection) =
        capacity_provider::selection_of(&object.spec.0, object.metadata.name.as_deref());
    let labels = selection.iter().flat_map(capacity_provider::Selection::labels);
    let labels = labels.flat_map(|(key, value)| [key.to_owned(), format!("{key}={value}")]);
    let leaving = object.status.iter().flat_map(|status| status.leaving.iter().cloned());
    labels
        .map(Index::NodeLabel)
        .chain([Index::provider_name(&name)])
        .chain(leaving.map(Index::Leaving))
        .collect()
});
shelved!(corev1::Pod => Pod, pods, |pod: &corev1::Pod| {
    let uid = pod.metadata.service_uid();
    let service = uid.map(|uid| Index::service(namespace_of(pod), uid));
    let placed = Placed::of(pod).map(|placed| Index::Placed(Box::new(placed)));
    service.into_iter().chain(placed).collect()
});
shelved!(appsv1::Deployment => Deployment, deployments, |found: &appsv1::Deployment| {
    workload_of(found, found.spec.as_ref().map(|spec| &spec.selector))
});
shelved!(appsv1::DaemonSet => DaemonSet, daemon_sets, |found: &appsv1::DaemonSet| {
    workload_of(found, found.spec.as_ref().map(|spec| &spec.selector))
});
shelved!(api::TaskDefinition => TaskDefinition, task_definitions, |object: &api::TaskDefinition| {
    let family = reference::family_of(&object.spec.0, object.metadata.name.as_deref());
    vec![Index::family(namespace_of(object), &family)]
});
shelved!(api::TaskDefinitionRevision => TaskDefinitionRevision, revisions,
|object: &api::TaskDefinitionRevision| {
    let family = Index::family(namespace_of(object), &reference::family_of(&object.spec.0, None));
    said_by_label(&object.spec.0).chain([family]).collect()
});
shelved!(api::ServiceDeployment => ServiceDeployment, records, |object: &api::ServiceDeployment| {
    let mut indexes = vec![Index::service(namespace_of(object), &object.spec.service.uid)];
    if let Ok(reference) = reference::task_definition(&object.spec.task_definition) {
        indexes.push(Index::family(namespace_of(object), &reference.family));
    }
    let needed = node::needed_labels(&object.spec.template);
    if !needed.is_empty() {
        indexes.extend(said_by_label(&object.spec.requested));
        indexes.extend(needed.into_iter().map(Index::NeedsNodeLabel));
    }
    indexes
});
shelved!(api::Service => Service, services, |object: &api::Service| {
    let namespace = namespace_of(object);
    let (cluster, name) = reference::service_of(&object.spec.0, object.metadata.name.as_deref());
    let uid = object.metadata.uid.clone().unwrap_or_default();
    let kind = if service::is_daemon(&object.spec.0) { Kind::DaemonSet } else { Kind::Deployment };
    // The workload of a service that names no provider.
    let workload = names::workload(&name, &uid, "", names::FIRST_SLOT);
    let budget = names::disruption_budget(&name, &uid, names::FIRST_SLOT);
    let autoscaler = names::autoscaler(&name, &uid);
    let mut indexes = vec![
        Index::service(namespace, &uid),
        Index::cluster(namespace, &cluster),
        Index::service_name(namespace, &cluster, &name),
        Index::child(Kind::Endpoints, namespace, &names::endpoints(&name)),
        Index::child(kind, namespace, &workload),
        Index::child(Kind::DisruptionBudget, namespace, &budget),
        Index::child(Kind::HorizontalPodAutoscaler, namespace, &autoscaler),
        Index::child(Kind::NetworkPolicy, namespace, &names::network_policy(&name, &uid)),
    ];
    for exposure in service::exposures(&object.spec.0, &name, &uid) {
        indexes.push(Index::child(Kind::Ingress, namespace, &exposure));
        indexes.push(Index::child(Kind::Endpoints, namespace, &exposure));
    }
    if let Some(reference) = reference::task_definition_of(&object.spec.0) {
        indexes.push(Index::family(namespace, &reference.family));
    }
    indexes
});

/// Whose workload it is. What it selects by nobody can change: it tells whose it is when labels were
/// taken away.
fn workload_of<K: Shelved>(found: &K, selector: Option<&LabelSelector>) -> Vec<Index> {
    let selected = selector.and_then(|selector| selector.match_labels.as_ref());
    let selected = selected.and_then(|labels| labels.get(label::SERVICE_UID)).map(String::as_str);
    let uids = [found.meta().service_uid(), selected];
    let uids: BTreeSet<&str> = uids.into_iter().flatten().collect();
    uids.into_iter().map(|uid| Index::service(namespace_of(found), uid)).collect()
}

fn said_by_label(spec: &serde_json::Value) -> impl Iterator<Item = Index> {
    let said = node::said_by_label(spec).into_iter();
    said.map(|(label, expression)| Index::SaidByLabel(label, expression))
}

fn namespace_of<K: Shelved>(object: &K) -> &str {
    object.meta().namespace.as_deref().unwrap_or_default()
}
