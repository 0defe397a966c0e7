//! Whose turn is it? Each object at most once at a time, when its request is due.

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
        let room = leads && running.len() < shared.settings.concurrency.max(1);
        shared.metrics.running(running.len());
        let free = |key: &ObjectKey| room && !running.contains(key);
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

/// Has everything planned for: another may have led until now, and what is remembered of before is old.
fn take_over(shared: &Shared) {
    shared.memory.clear();
    let roots = super::watch::all_roots(&shared.read());
    for root in roots {
        shared.request(root, Duration::ZERO);
    }
}
