//! Who sees everything: all objects of every namespace as they are now, and how often each was
//! made and removed. A node that only one life has counts as of its namespace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube::api::{ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use linkspan::world::Kind;
use serde_json::Value;
use tokio::sync::watch;

use crate::proxy::OF_ONE_LIFE;

/// The kinds that are seen: all that the operator makes, and all that comes of it.
pub(crate) const KINDS: [Kind; 12] = [
    Kind::TaskDefinition,
    Kind::TaskDefinitionRevision,
    Kind::Service,
    Kind::ServiceDeployment,
    Kind::Deployment,
    Kind::DaemonSet,
    Kind::ReplicaSet,
    Kind::Pod,
    Kind::Endpoints,
    Kind::DisruptionBudget,
    Kind::HorizontalPodAutoscaler,
    Kind::Node,
];

/// What is and was in one namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Every object that is there.
    pub(crate) objects: BTreeMap<(Kind, String), Value>,
    /// Every object that ever was, by UID: as it was first seen, and whether it has gone.
    pub(crate) ever: BTreeMap<String, (Kind, Value, bool)>,
    /// How many events there were.
    events: u64,
}

/// The watches. They end when this is dropped.
pub(crate) struct Witness {
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
    changed: watch::Receiver<()>,
    _watches: tokio::task::JoinSet<()>,
}

impl Witness {
    /// Starts all watches, on a control plane that is still empty.
    pub(crate) fn start(client: &Client) -> Self {
        let seen: Arc<Mutex<BTreeMap<String, Seen>>> = Arc::default();
        let (tell, changed) = watch::channel(());
        let tell = Arc::new(tell);
        let mut watches = tokio::task::JoinSet::new();
        for kind in KINDS {
            let (api_version, name) = kind.type_meta();
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            let named = GroupVersionKind::gvk(group, version, name);
            let resource = ApiResource::from_gvk_with_plural(&named, kind.plural());
            let api = Api::<DynamicObject>::all_with(client.clone(), &resource);
            watches.spawn(follow(api, kind, seen.clone(), tell.clone()));
        }
        Self { seen, changed, _watches: watches }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self, namespace: &str, looked_at: Option<u64>) -> Option<Seen> {
        let seen = self.lock();
        seen.get(namespace).filter(|seen| Some(seen.events) != looked_at).cloned()
    }

    /// Waits until what is seen of a namespace passes; else says why it did not, last.
    pub(crate) async fn until<T>(
        &self,
        namespace: &str,
        patience: Duration,
        look: impl Fn(&Seen) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut changed = self.changed.clone();
        let mut last = "nothing was seen".to_owned();
        let mut looked_at = None;
        let passed = tokio::time::timeout(patience, async {
            loop {
                changed.mark_unchanged();
                // Most of what happens happens to others.
                if let Some(seen) = self.news(namespace, looked_at) {
                    looked_at = Some(seen.events);
                    match look(&seen) {
                        Ok(passed) => return passed,
                        Err(otherwise) => last = otherwise,
                    }
                }
                changed.changed().await.unwrap();
            }
        });
        passed.await.map_err(|_| last)
    }
}

async fn follow(
    api: Api<DynamicObject>,
    kind: Kind,
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
    tell: Arc<watch::Sender<()>>,
) {
    let listed = api.list(&ListParams::default().limit(1)).await.unwrap();
    let mut version = listed.metadata.resource_version.unwrap_or_default();
    loop {
        // A watch ends now and then; the next goes on where it ended.
        let Ok(events) = api.watch(&WatchParams::default(), &version).await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let mut events = std::pin::pin!(events);
        while let Some(Ok(event)) = events.next().await {
            let (object, gone) = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
                WatchEvent::Deleted(object) => (object, true),
                WatchEvent::Bookmark(bookmark) => {
                    version = bookmark.metadata.resource_version;
                    continue;
                }
                WatchEvent::Error(error) => panic!("watching {kind:?}: {error:?}"),
            };
            version = object.resource_version().unwrap_or_default();
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let life = object.labels().get(OF_ONE_LIFE).cloned();
            let namespace = object.namespace().or(life).unwrap_or_default();
            take(seen.entry(namespace).or_default(), kind, object, gone);
            drop(seen);
            tell.send_replace(());
        }
    }
}

fn take(seen: &mut Seen, kind: Kind, object: DynamicObject, gone: bool) {
    let (name, uid) = (object.name_any(), object.uid().unwrap_or_default());
    let body = serde_json::to_value(object).unwrap();
    let ever = seen.ever.entry(uid).or_insert_with(|| (kind, body.clone(), false));
    ever.2 |= gone;
    seen.events += 1;
    if gone {
        seen.objects.remove(&(kind, name));
    } else {
        seen.objects.insert((kind, name), body);
    }
}
