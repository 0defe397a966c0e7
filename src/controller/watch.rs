//! How does the world learn what is there? One watch per kind, each with its own backoff.
//!
//! A relist is compared with what is here, so that what vanished while the watch was broken is
//! noticed. One object that does not decode is one entry in [`World::unreadable`]; the watch goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::autoscaling::v2 as autoscalingv2;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::networking::v1 as networkingv1;
use k8s_openapi::api::policy::v1 as policyv1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, Client};
use kube_runtime::WatchStreamExt;
use kube_runtime::watcher::{self, Event, watcher};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::guarded::Guarded;
use super::{Shared, pod_status};
use crate::api;
use crate::defect::{self, Defect};
use crate::names::label;
use crate::plan::placement::resources::{GPU, host_ports, taken};
use crate::plan::scaling::writers;
use crate::plan::{is_root, roots_of, service};
use crate::world::{Index, Kind, ObjectKey, Owned, Shelved, Unreadable, World, each_kind};

/// A half-open connection is noticed after this long, rather than after the usual five minutes.
const WATCH_SECONDS: u32 = 60;

/// Tells when every watch has seen everything once.
pub(super) struct Readiness {
    left: usize,
    ready: mpsc::UnboundedReceiver<()>,
}

impl Readiness {
    pub(super) async fn wait(&mut self) {
        while self.left > 0 && self.ready.recv().await.is_some() {
            self.left -= 1;
        }
    }
}

/// Starts all watches: of the namespaces that are given, or of all.
pub(super) fn start_all(
    client: &Client,
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<()>,
) -> Readiness {
    let (tell, ready) = mpsc::unbounded_channel();
    let mut left = 0;
    let given = &shared.settings.namespaces;
    let everywhere = given.is_empty().then_some(None);
    let scopes: Vec<Option<&str>> =
        everywhere.into_iter().chain(given.iter().map(|name| Some(name.as_str()))).collect();
    macro_rules! watch {
        ($kind:ty, $api:expr, $scope:expr $(, $selector:expr)?) => {{
            left += 1;
            let scope = $scope.map(str::to_owned);
            let config = watcher::Config::default().timeout(WATCH_SECONDS)$(.labels($selector))?;
            tasks.spawn(watch::<$kind>($api, scope, config, shared.clone(), tell.clone()));
        }};
    }
    macro_rules! in_namespaces {
        ($($kind:ty $(, $selector:expr)?;)*) => {$(
            for scope in &scopes {
                let api = match scope {
                    Some(namespace) => Api::namespaced(client.clone(), namespace),
                    None => Api::all(client.clone()),
                };
                watch!($kind, api, *scope $(, $selector)?);
            }
        )*};
    }
    in_namespaces! {
        api::Cluster;
        api::TaskDefinition;
        api::TaskDefinitionRevision;
        api::Service;
        api::ServiceDeployment;
        api::Task;
        api::Rule;
        appsv1::Deployment;
        appsv1::DaemonSet;
        appsv1::ReplicaSet, label::SERVICE_UID;
        corev1::Pod, label::SERVICE_UID;
        corev1::Service;
        policyv1::PodDisruptionBudget;
        autoscalingv2::HorizontalPodAutoscaler;
        networkingv1::NetworkPolicy;
        networkingv1::Ingress;
    }
    watch!(api::CapacityProvider, Api::all(client.clone()), None::<&str>);
    watch!(corev1::Node, Api::all(client.clone()), None::<&str>);
    Readiness { left, ready }
}

/// What a kind keeps of its objects in memory.
trait Trimmed: Shelved {
    /// Drops what no decision looks at.
    fn trim(&mut self, _ours: bool) {}

    /// Drops what no decision looks at of who wrote what.
    fn trim_managed_fields(&mut self) {
        self.meta_mut().managed_fields = None;
    }
}

impl Trimmed for api::Cluster {}
impl Trimmed for api::CapacityProvider {}
impl Trimmed for api::TaskDefinition {}
impl Trimmed for api::TaskDefinitionRevision {}
impl Trimmed for api::Service {
    fn trim_managed_fields(&mut self) {
        let spec = &self.spec.0;
        let scales = spec.get("autoscaling").is_some() || service::is_daemon(spec);
        let fields = self.metadata.managed_fields.take().filter(|_| scales);
        self.metadata.managed_fields = fields.map(writers::reduced).filter(|all| !all.is_empty());
    }
}
impl Trimmed for api::ServiceDeployment {}
impl Trimmed for api::Task {}
impl Trimmed for api::Rule {}

impl Trimmed for appsv1::Deployment {
    fn trim(&mut self, ours: bool) {
        if !ours {
            self.status = None;
            if let Some(spec) = &mut self.spec {
                // The selector tells ours apart when all else was taken from it.
                *spec = appsv1::DeploymentSpec {
                    selector: std::mem::take(&mut spec.selector),
                    ..appsv1::DeploymentSpec::default()
                };
            }
        }
    }
}

impl Trimmed for appsv1::DaemonSet {
    fn trim(&mut self, ours: bool) {
        if !ours {
            self.status = None;
            if let Some(spec) = &mut self.spec {
                *spec = appsv1::DaemonSetSpec {
                    selector: std::mem::take(&mut spec.selector),
                    ..appsv1::DaemonSetSpec::default()
                };
            }
        }
    }
}

impl Trimmed for appsv1::ReplicaSet {
    fn trim(&mut self, _: bool) {
        if let Some(spec) = &mut self.spec {
            spec.template = None;
        }
    }
}

impl Trimmed for corev1::Pod {
    fn trim(&mut self, _: bool) {
        if let Some(spec) = &mut self.spec {
            *spec = in_sum(spec);
        }
        self.status = self.status.take().map(pod_status::reduced);
        self.metadata.annotations = None;
    }
}

/// A pod of one container that takes of its node what the whole pod takes.
fn in_sum(spec: &mut corev1::PodSpec) -> corev1::PodSpec {
    let amounts = taken(spec);
    let requests =
        [("cpu", amounts.millicores, "m"), ("memory", amounts.memory, ""), (GPU, amounts.gpus, "")];
    let requests = requests.into_iter().filter(|(_, amount, _)| *amount != 0);
    let requests =
        requests.map(|(name, amount, unit)| (name.to_owned(), Quantity(format!("{amount}{unit}"))));
    let ports = host_ports(spec).into_iter().map(|(number, protocol)| corev1::ContainerPort {
        container_port: number,
        host_port: Some(number),
        protocol: Some(protocol),
        ..Default::default()
    });
    let ports: Vec<_> = ports.collect();
    let container = corev1::Container {
        resources: Some(corev1::ResourceRequirements {
            requests: Some(requests.collect()),
            ..Default::default()
        }),
        ports: Some(ports).filter(|ports| !ports.is_empty()),
        ..Default::default()
    };
    corev1::PodSpec {
        node_name: spec.node_name.take(),
        containers: vec![container],
        ..Default::default()
    }
}

impl Trimmed for corev1::Service {
    fn trim(&mut self, ours: bool) {
        if !ours {
            self.spec = None;
            self.status = None;
        }
    }
}

impl Trimmed for policyv1::PodDisruptionBudget {
    fn trim(&mut self, ours: bool) {
        if !ours {
            self.spec = None;
        }
        self.status = None;
    }
}

impl Trimmed for autoscalingv2::HorizontalPodAutoscaler {
    fn trim(&mut self, ours: bool) {
        if !ours {
            self.spec = autoscalingv2::HorizontalPodAutoscalerSpec::default();
        }
        // Whether it can read its metrics is all that is looked at.
        if let Some(status) = self.status.take().filter(|_| ours) {
            let conditions = status.conditions.map(|mut conditions| {
                conditions.retain(|condition| condition.type_ == "ScalingActive");
                conditions
            });
            self.status = Some(autoscalingv2::HorizontalPodAutoscalerStatus {
                conditions,
                ..Default::default()
            });
        }
    }
}

impl Trimmed for networkingv1::NetworkPolicy {
    fn trim(&mut self, ours: bool) {
        if !ours {
            self.spec = None;
        }
    }
}

impl Trimmed for networkingv1::Ingress {
    fn trim(&mut self, ours: bool) {
        if !ours {
            self.spec = None;
        }
        self.status = None;
    }
}

impl Trimmed for corev1::Node {
    fn trim(&mut self, _: bool) {
        if let Some(status) = &mut self.status {
            status.images = None;
        }
    }
}

async fn watch<K: Trimmed>(
    api: Api<Guarded<K>>,
    scope: Option<String>,
    config: watcher::Config,
    shared: Arc<Shared>,
    ready: mpsc::UnboundedSender<()>,
) {
    let (_, kind) = K::KIND.type_meta();
    let mut stream = std::pin::pin!(watcher(api, config).default_backoff());
    let mut list = List::default();
    let mut first = Some(ready);
    while let Some(event) = stream.next().await {
        shared.metrics.watched(K::KIND);
        match event {
            // Begun anew, it brings all again; whom the first part concerned must be planned for all the same.
            Ok(Event::Init) => list.there.clear(),
            Ok(Event::InitApply(object)) => list.take(&mut shared.write(), object),
            Ok(Event::InitDone) => {
                let roots =
                    std::mem::take(&mut list).end::<K>(&mut shared.write(), scope.as_deref());
                request(&shared, K::KIND, roots);
                if let Some(ready) = first.take() {
                    tracing::debug!(kind, "watch is current");
                    let _ = ready.send(());
                }
            }
            Ok(Event::Apply(object)) => {
                if defect::is(Defect::NoDecodeGuard) && object.0.is_err() {
                    return;
                }
                let mut world = shared.write();
                let roots = take(&mut world, trimmed(object));
                drop(world);
                request(&shared, K::KIND, roots);
            }
            Ok(Event::Delete(object)) => {
                let roots = deleted::<K>(&mut shared.write(), meta_of(&object));
                request(&shared, K::KIND, roots);
            }
            Err(error) => {
                shared.metrics.watch_failed(K::KIND);
                tracing::warn!(kind, %error, "watch broke; it is taken up again");
            }
        }
    }
}

fn trimmed<K: Trimmed>(mut guard: Guarded<K>) -> Guarded<K> {
    match &mut guard.0 {
        Ok(object) => {
            let ours = object.meta().service_uid().is_some();
            object.trim_managed_fields();
            object.trim(ours);
        }
        Err(invalid) => invalid.metadata.managed_fields = None,
    }
    guard
}

/// Has objects planned for at once; but a capacity provider only when its status may be written
/// again, since a thousand tasks that start on its nodes are a thousand changes to its figures.
pub(super) fn request(shared: &Shared, changed: Kind, roots: BTreeSet<ObjectKey>) {
    for root in roots {
        let summed = root.kind == Kind::CapacityProvider && changed != root.kind;
        let after = if summed { shared.status_due(&root) } else { None };
        shared.request(root, after.unwrap_or_default());
    }
}

/// A list under way. Its objects go into the world as they come: 10,000 decoded Deployments beside
/// it would take 120 MiB until the last of them is there.
#[derive(Default)]
struct List {
    /// What it has brought.
    there: BTreeSet<ObjectKey>,
    /// Who must be planned for when it is whole.
    roots: BTreeSet<ObjectKey>,
}

impl List {
    fn take<K: Trimmed>(&mut self, world: &mut World, object: Guarded<K>) {
        self.there.insert(key_of::<K>(meta_of(&object)));
        self.roots.extend(take(world, trimmed(object)));
    }

    /// Forgets what is here, in the namespace or in all, and was not brought; tells who must be
    /// planned for.
    fn end<K: Trimmed>(mut self, world: &mut World, scope: Option<&str>) -> BTreeSet<ObjectKey> {
        let unreadable = world.unreadable.keys().filter(|key| key.kind == K::KIND);
        let here: Vec<ObjectKey> = K::shelf(world)
            .keys()
            .chain(unreadable.cloned())
            .filter(|key| scope.is_none_or(|namespace| namespace == key.namespace))
            .collect();
        for gone in here.iter().filter(|key| !self.there.contains(key)) {
            self.roots.extend(remove::<K>(world, gone));
        }
        self.roots
    }
}

/// Everything that is planned for.
pub(super) fn all_roots(world: &World) -> BTreeSet<ObjectKey> {
    fn keys<K: Shelved>(world: &World) -> BTreeSet<ObjectKey> {
        K::shelf(world).keys().collect()
    }
    let mut roots: BTreeSet<ObjectKey> =
        world.unreadable.keys().filter(|key| is_root(key.kind)).cloned().collect();
    for kind in Kind::ALL.into_iter().filter(|kind| is_root(*kind)) {
        roots.extend(each_kind!(kind, keys(world)));
    }
    roots
}

fn meta_of<K: Shelved>(guard: &Guarded<K>) -> &ObjectMeta {
    match &guard.0 {
        Ok(object) => object.meta(),
        Err(invalid) => &invalid.metadata,
    }
}

fn key_of<K: Shelved>(meta: &ObjectMeta) -> ObjectKey {
    ObjectKey::new(
        K::KIND,
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
    )
}

/// Takes one object in; tells who must be planned for.
fn take<K: Trimmed>(world: &mut World, guard: Guarded<K>) -> BTreeSet<ObjectKey> {
    match guard.0 {
        Ok(object) => {
            let key = key_of::<K>(object.meta());
            world.unreadable.remove(&key);
            let Some(change) = K::shelf_mut(world).put(object) else { return BTreeSet::new() };
            roots_of(world, &change)
        }
        Err(invalid) => {
            let meta = invalid.metadata;
            let key = key_of::<K>(&meta);
            let mut roots = remove::<K>(world, &key);
            if is_root(K::KIND) {
                roots.insert(key.clone());
            }
            if let Some(uid) = meta.service_uid() {
                roots.extend(services_of(world, &key.namespace, uid));
            }
            let unreadable = Unreadable {
                uid: meta.uid.unwrap_or_default(),
                generation: meta.generation,
                created: meta.creation_timestamp.map(|time| time.0),
                labels: meta.labels.unwrap_or_default(),
                message: invalid.error,
            };
            tracing::warn!(object = %key, error = unreadable.message, "an object does not decode");
            world.unreadable.insert(key, unreadable);
            roots
        }
    }
}

/// Takes in the answer to a write, before the watch brings it; tells who must be planned for. The
/// watch's own word of it is then no news, and would tell nobody.
pub(super) fn take_answer(
    world: &mut World,
    key: &ObjectKey,
    answer: Option<serde_json::Value>,
) -> Result<BTreeSet<ObjectKey>, serde_json::Error> {
    fn present<K: Trimmed>(
        world: &mut World,
        body: serde_json::Value,
    ) -> Result<BTreeSet<ObjectKey>, serde_json::Error> {
        let object: K = serde_json::from_value(body)?;
        Ok(take(world, trimmed(Guarded(Ok(object)))))
    }
    match answer {
        Some(body) => each_kind!(key.kind, present(world, body)),
        None => Ok(each_kind!(key.kind, remove(world, key))),
    }
}

/// Takes in the word of a deletion.
fn deleted<K: Shelved>(world: &mut World, meta: &ObjectMeta) -> BTreeSet<ObjectKey> {
    let mut roots = no_longer_unreadable(world, &key_of::<K>(meta));
    if let Some(change) = K::shelf_mut(world).delete(meta) {
        roots.extend(roots_of(world, &change));
    }
    roots
}

/// Forgets an object that is not listed, or that was found gone.
fn remove<K: Shelved>(world: &mut World, key: &ObjectKey) -> BTreeSet<ObjectKey> {
    let mut roots = no_longer_unreadable(world, key);
    if let Some(change) = K::shelf_mut(world).remove(&key.namespace, &key.name) {
        roots.extend(roots_of(world, &change));
    }
    roots
}

fn no_longer_unreadable(world: &mut World, key: &ObjectKey) -> BTreeSet<ObjectKey> {
    let unreadable = world.unreadable.remove(key);
    let uid = unreadable.and_then(|unreadable| unreadable.labels.get(label::SERVICE_UID).cloned());
    uid.map(|uid| services_of(world, &key.namespace, &uid)).unwrap_or_default()
}

/// The Service of a UID, as one to be planned for.
fn services_of(world: &World, namespace: &str, uid: &str) -> BTreeSet<ObjectKey> {
    world.services.find_keys(&Index::service(namespace, uid)).into_iter().collect()
}
