//! Whose turn is it? Each object at most once at a time, when its request is due.

use std::collections::BTreeSet;
use std::sync::Arc;
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
    loop {
        let room = running.len() < shared.settings.concurrency.max(1);
        shared.metrics.running(running.len());
        let free = |key: &ObjectKey| room && !running.contains(key);
        let mut next = queue.as_mut().hold_unless(free);
        tokio::select! {
            () = stop.cancelled() => break,
            key = next.next() => {
                let Some(key) = key else { break };
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
