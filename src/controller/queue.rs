//! Whose turn is it? The objects that are to be planned for wait here, and as many are worked on at once as
//! there are places; [`Turns`] says who is next.

mod turns;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::turns::Turns;
use super::reconcile::reconcile;
use super::{Shared, backoff};
use crate::world::ObjectKey;

/// The objects that are to be planned for.
pub(super) struct Queue {
    turns: Mutex<Turns>,
    /// Something was asked. Only [`run`] waits for it.
    asked: Notify,
}

impl Queue {
    /// A queue for work on so many objects at a time.
    pub(super) fn new(places: usize) -> Self {
        Self { turns: Mutex::new(Turns::new(places)), asked: Notify::new() }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has an object planned for after a while, or when it was asked before, whichever is earlier.
    pub(super) fn ask(&self, key: ObjectKey, after: Duration) {
        self.turns().ask(key, Instant::now() + after);
        self.asked.notify_one();
    }

    /// How many objects wait whose time has come.
    pub(super) fn depth(&self) -> usize {
        self.turns().depth(Instant::now())
    }

    /// The next turn, taken: whose it is, and how long it waited. Nothing is lost where nobody waits for
    /// it to the end.
    async fn next(&self) -> (ObjectKey, Duration) {
        loop {
            let next_at = {
                let mut turns = self.turns();
                if let Some(taken) = turns.take(Instant::now()) {
                    return taken;
                }
                turns.next_at()
            };
            let asked = self.asked.notified();
            match next_at {
                None => asked.await,
                Some(at) => drop(tokio::time::timeout_at(at, asked).await),
            }
        }
    }
}

/// Works the queue until the stop, then lets what is under way come to its end.
pub(super) async fn run(shared: &Arc<Shared>, stop: CancellationToken) {
    let queue = &shared.queue;
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut worked_on: BTreeMap<task::Id, ObjectKey> = BTreeMap::new();
    let mut leadership = shared.leadership.clone();
    let mut led = leadership.leads();
    loop {
        let leads = leadership.leads();
        if leads && !led {
            take_over(shared);
        }
        led = leads;
        shared.metrics.running(tasks.len());
        tokio::select! {
            () = stop.cancelled() => break,
            () = leadership.changed() => {}
            (key, waited) = queue.next(), if leads => {
                shared.metrics.waited(waited);
                let (shared, object) = (shared.clone(), key.clone());
                let task = tasks.spawn(async move { reconcile(&shared, &object).await });
                worked_on.insert(task.id(), key);
            }
            Some(done) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                let id = done.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
                let Some(key) = worked_on.remove(&id) else { continue };
                queue.turns().done(&key);
                if let Err(error) = done {
                    let attempt = shared.memory.failed(&key);
                    tracing::error!(object = %key, %error, attempt, "a reconciliation was lost");
                    queue.ask(key.clone(), backoff::after(attempt, &key));
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
