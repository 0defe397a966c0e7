//! Whose turn is it? Each object at most once at a time, when its request is due; and of the places at
//! which objects are worked on, no namespace ever has all ([`Places`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube_runtime::scheduler::{ScheduleRequest, scheduler};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::reconcile::reconcile;
use crate::world::ObjectKey;

/// A request to plan for an object, at a time.
pub(super) type Request = ScheduleRequest<ObjectKey>;

/// When each object's turn is, of those that wait for it.
#[derive(Default)]
pub(super) struct Due(Mutex<BTreeMap<ObjectKey, Instant>>);

impl Due {
    fn all(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object is asked to be worked on after a while: the earliest counts.
    pub(super) fn asked(&self, key: &ObjectKey, after: Duration) {
        let at = Instant::now() + after;
        let mut all = self.all();
        match all.get_mut(key) {
            Some(due) => *due = at.min(*due),
            None => drop(all.insert(key.clone(), at)),
        }
    }

    /// Its turn is taken; how long it waited.
    fn taken(&self, key: &ObjectKey) -> Duration {
        let due = self.all().remove(key);
        due.map(|due| Instant::now().saturating_duration_since(due)).unwrap_or_default()
    }

    /// How many objects wait whose turn has come.
    pub(super) fn depth(&self) -> usize {
        let now = Instant::now();
        self.all().values().filter(|due| **due <= now).count()
    }
}

pub(super) fn request(key: ObjectKey, after: Duration) -> Request {
    ScheduleRequest { message: key, run_at: Instant::now() + after }
}

/// Works the queue until the stop, then lets what is under way come to its end.
pub(super) async fn run(
    shared: &Arc<Shared>,
    received: UnboundedReceiver<Request>,
    stop: CancellationToken,
) {
    let requests = futures::stream::unfold(received, |mut received| async {
        received.recv().await.map(|request| (request, received))
    });
    let mut queue = std::pin::pin!(scheduler(requests));
    let mut running: BTreeSet<ObjectKey> = BTreeSet::new();
    let mut tasks: JoinSet<ObjectKey> = JoinSet::new();
    let mut leadership = shared.leadership.clone();
    let mut led = leadership.leads();
    loop {
        let leads = leadership.leads();
        if leads && !led {
            take_over(shared);
        }
        led = leads;
        shared.metrics.running(running.len());
        let places = Places::new(&running, shared.settings.concurrency);
        let free = |key: &ObjectKey| leads && places.take(key);
        let mut next = queue.as_mut().hold_unless(free);
        tokio::select! {
            () = stop.cancelled() => break,
            () = leadership.changed() => {}
            key = next.next() => {
                let Some(key) = key else { break };
                shared.metrics.waited(shared.due.taken(&key));
                running.insert(key.clone());
                let shared = shared.clone();
                tasks.spawn(async move {
                    reconcile(&shared, &key).await;
                    key
                });
            }
            Some(done) = tasks.join_next(), if !running.is_empty() => {
                match done {
                    Ok(key) => { running.remove(&key); }
                    Err(error) => tracing::error!(%error, "a reconciliation was lost"),
                }
            }
        }
    }
    let rest = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(shared.settings.grace, rest).await.is_err() {
        tracing::warn!("work under way did not end in time");
    }
}

/// The places at which objects are worked on.
struct Places<'a> {
    running: &'a BTreeSet<ObjectKey>,
    /// Whether one is free.
    is_free: bool,
    /// The namespaces that have as many as one may have.
    sated: BTreeSet<&'a str>,
}

impl<'a> Places<'a> {
    /// So many, with these objects at them. One in eight is kept from any one namespace, 2 of 16: who
    /// floods the operator with objects keeps nobody else waiting for longer than a plan takes.
    fn new(running: &'a BTreeSet<ObjectKey>, places: usize) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for key in running {
            *counts.entry(&key.namespace).or_default() += 1;
        }
        let most = places.max(1) - places / 8;
        counts.retain(|_, count| *count >= most);
        let sated = counts.into_keys().collect();
        Self { running, is_free: running.len() < places.max(1), sated }
    }

    /// Whether there is one for this object now. Asked of each that waits.
    fn take(&self, key: &ObjectKey) -> bool {
        self.is_free && !self.sated.contains(key.namespace.as_str()) && !self.running.contains(key)
    }
}

/// Has everything planned for: another may have led until now, and what is remembered of before is old.
fn take_over(shared: &Shared) {
    shared.memory.clear();
    let roots = super::watch::all_roots(&shared.read());
    for root in roots {
        shared.request(root, Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Kind;

    fn services(namespace: &str, numbers: std::ops::Range<usize>) -> Vec<ObjectKey> {
        let key = |number| ObjectKey::new(Kind::Service, namespace, &format!("web-{number}"));
        numbers.map(key).collect()
    }

    #[test]
    fn no_namespace_has_the_last_places() {
        let next = |namespace: &str| ObjectKey::new(Kind::Service, namespace, "next");
        for (places, of_one) in [(0, 1), (1, 1), (4, 4), (8, 7), (16, 14), (100, 88)] {
            let mut running = BTreeSet::new();
            let mut most = 0;
            for key in services("loud", 0..200) {
                if Places::new(&running, places).take(&key) {
                    running.insert(key);
                    most += 1;
                }
            }
            assert_eq!(most, of_one, "of {places}");
            let left = places.max(1) > of_one;
            assert_eq!(Places::new(&running, places).take(&next("quiet")), left, "of {places}");
            running.extend(services("quiet", 0..places.max(1) - of_one));
            assert!(!Places::new(&running, places).take(&next("third")), "all {places} are taken");
        }
    }

    #[test]
    fn an_object_has_one_turn_at_a_time() {
        let running: BTreeSet<ObjectKey> = services("shop", 0..2).into_iter().collect();
        let places = Places::new(&running, 16);
        assert!(running.iter().all(|key| !places.take(key)));
        assert!(services("shop", 2..3).iter().all(|key| places.take(key)));
    }
}
