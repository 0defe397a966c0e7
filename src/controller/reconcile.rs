//! One object, once: plan, carry out, report, and when to look again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tracing::Instrument;
use tracing::field::Empty;

use super::error::{Error, Retry};
use super::telemetry::traced;
use super::{Shared, sizes, watch};
use crate::plan::capacity_provider::{Looked, Scale};
use crate::plan::{self, Plan, Rejection, Write, is_root};
use crate::world::{Kind, ObjectKey, World};

/// Even without any event, each object is looked at again after so long.
const AT_LEAST_EVERY: Duration = Duration::from_secs(3600);

/// After so many failures in a row, what goes on failing is said in the object's status.
const FAILURES_TO_TELL: u32 = 4;

/// How carrying out a plan ended.
enum Outcome {
    /// Everything is written; `later`, but for a status that waits for more to be written with it.
    Done { later: Option<Duration> },
    /// A write failed, and what stood behind it was not tried.
    Failed(Error),
}

/// Plans for one object and carries it out: one trace.
pub(super) async fn reconcile(shared: &Shared, key: &ObjectKey) {
    let pass = tracing::info_span!("reconcile", object = %key, trace_id = Empty);
    pass_over(shared, key).instrument(traced(pass)).await;
}

async fn pass_over(shared: &Shared, key: &ObjectKey) {
    let started = Instant::now();
    let plan = plan_as_of_now(shared, key).await;
    let outcome = carry_out(shared, key, &plan).await;
    let next = match outcome {
        Outcome::Done { later } => {
            shared.metrics.reconciled(key.kind, "done", started.elapsed());
            settled(shared, key, &plan, later)
        }
        Outcome::Failed(error) => {
            shared.metrics.reconciled(key.kind, error.label(), started.elapsed());
            failed(shared, key, &error).await
        }
    };
    if shared.read().identity(key).is_none() {
        shared.memory.forget(key);
        return;
    }
    shared.request(key.clone(), next);
}

/// Plans; where the plan goes by something that no watch brings, it is looked at, and planned again.
async fn plan_as_of_now(shared: &Shared, key: &ObjectKey) -> Plan {
    let mut plan = plan_now(shared, key);
    if let Some(target) = &plan.looks_at_pool {
        let found = sizes::look_at_pool(&shared.client, target).await;
        shared.write().node_pools.insert(key.clone(), found);
        plan = plan_now(shared, key);
    } else if key.kind == Kind::CapacityProvider {
        shared.write().node_pools.remove(key);
    }
    let Some(target) = &plan.looks_at else {
        if key.kind == Kind::CapacityProvider {
            shared.write().scales.remove(key);
        }
        return plan;
    };
    let looked = sizes::look(&shared.client, target).await;
    shared.write().scales.insert(key.clone(), looked);
    plan_now(shared, key)
}

fn plan_now(shared: &Shared, key: &ObjectKey) -> Plan {
    let moment = shared.memory.moment(key, now());
    let plan = plan::plan(&shared.read(), key, &moment);
    shared.memory.waits(key, plan.waiting.clone());
    shared.wanted.by(key, &plan.measures);
    plan
}

#[allow(clippy::disallowed_methods, reason = "this is where the shell reads the clock")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

async fn carry_out(shared: &Shared, key: &ObjectKey, plan: &Plan) -> Outcome {
    for write in &plan.writes {
        if let Write::Status { urgent: false, key: of, .. } = write
            && let Some(later) = shared.status_due(of)
        {
            // What a later pass writes says this too, and says what happened.
            return Outcome::Done { later: Some(later) };
        }
        if let Err(error) = carry_out_one(shared, write).await {
            return Outcome::Failed(error);
        }
    }
    for note in &plan.notes {
        if let Some((uid, _)) = shared.read().identity(key) {
            shared.recorder.say(key, &uid, note, now());
        }
    }
    Outcome::Done { later: None }
}

async fn carry_out_one(shared: &Shared, write: &Write) -> Result<(), Error> {
    let started = Instant::now();
    let within = shared.leadership.write_within();
    if !shared.leadership.allows() {
        return Err(Error::NotLeader { key: write.key().clone() });
    }
    let verb = super::metrics::verb(write);
    let span = tracing::info_span!("write", verb, object = %write.key(), outcome = Empty);
    let writing = shared.applier.carry_out(write).instrument(span.clone());
    let answer = tokio::time::timeout(within, writing).await;
    let result =
        answer.unwrap_or_else(|_| Err(Error::Timeout { key: write.key().clone(), within }));
    span.record("outcome", result.as_ref().err().map_or("done", Error::label));
    shared.metrics.wrote(write, result.as_ref().err(), started.elapsed());
    match result {
        Ok(answer) => {
            let seconds = started.elapsed().as_secs_f64();
            tracing::debug!(object = %write.key(), seconds, "wrote");
            // Read your own writes: the watch may be behind.
            take(shared, write, answer);
            Ok(())
        }
        // It is there: look at it rather than at what the watch has not brought yet.
        Err(Error::Exists { key, body }) => {
            if let Some(body) = body.as_deref() {
                take(shared, write, Some(body.clone()));
            }
            Err(Error::Exists { key, body })
        }
        Err(error) => Err(error),
    }
}

fn take(shared: &Shared, write: &Write, answer: Option<Value>) {
    let key = write.key();
    match write {
        Write::Resize { target, .. } => {
            if let Some(answer) = answer {
                let looked = Looked { target: target.clone(), found: Ok(Scale::of(&answer)) };
                shared.write().scales.insert(key.clone(), looked);
            }
            return;
        }
        // What becomes of the pod its watch will say.
        Write::Mark { .. } | Write::Evict { .. } => return,
        Write::Pool { .. } => {
            shared.write().node_pools.insert(key.clone(), Ok(answer));
            return;
        }
        _ => {}
    }
    let is_own_status = matches!(write, Write::Status { .. }) && is_root(key.kind);
    match take_in(&mut shared.write(), key, answer, is_own_status) {
        Ok(roots) => {
            if is_own_status {
                shared.memory.status_written(key);
            }
            watch::request(shared, key.kind, roots);
        }
        Err(error) => tracing::warn!(object = %key, %error, "an answer does not decode"),
    }
}

/// Takes in the answer to a write; tells who must be planned for.
fn take_in(
    world: &mut World,
    key: &ObjectKey,
    answer: Option<Value>,
    is_own_status: bool,
) -> Result<BTreeSet<ObjectKey>, serde_json::Error> {
    let before = world.asked(key);
    let mut roots = watch::take_answer(world, key, answer)?;
    // No plan depends on the status that it wrote itself; a backoff would. But the answer may bring what
    // a user has changed meanwhile, of which the watch will then have nothing new to tell.
    if is_own_status && world.asked(key) == before {
        roots.remove(key);
    }
    Ok(roots)
}

fn settled(shared: &Shared, key: &ObjectKey, plan: &Plan, later: Option<Duration>) -> Duration {
    let was_rejected = shared.memory.succeeded(key);
    let wake = plan.wake_at.map(|at| {
        let left = at.as_millisecond().saturating_sub(now().as_millisecond());
        // Woken before its time, a plan would only wait again.
        Duration::from_millis(u64::try_from(left).unwrap_or_default() + 2)
    });
    let created = plan.writes.iter().any(|write| matches!(write, Write::Create(_)));
    let soon = (was_rejected || created).then_some(Duration::ZERO);
    [wake, later, soon]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or_else(|| super::backoff::jittered(AT_LEAST_EVERY, key))
}

async fn failed(shared: &Shared, key: &ObjectKey, error: &Error) -> Duration {
    if matches!(error, Error::NotLeader { .. }) {
        // Nothing is wrong with it. The queue waits until this replica leads.
        return Duration::from_millis(200);
    }
    let attempt = shared.memory.failed(key);
    match error.retry() {
        Retry::Soon if attempt <= 5 => Duration::from_millis(200),
        Retry::Soon | Retry::Backoff => {
            tracing::warn!(object = %key, %error, attempt, "will try again");
            if attempt >= FAILURES_TO_TELL
                && let Some(rejection) = error.rejection()
            {
                tell_of_rejection(shared, key, rejection).await;
            }
            super::backoff::after(attempt, key)
        }
        Retry::Rejected => {
            tracing::warn!(object = %key, %error, attempt, "the API server refuses it");
            if let Some(rejection) = error.rejection() {
                tell_of_rejection(shared, key, rejection).await;
            }
            super::backoff::after(attempt, key)
        }
    }
}

/// Says in the object's own status what the API server refused; nothing else of the plan is tried.
async fn tell_of_rejection(shared: &Shared, key: &ObjectKey, rejection: Rejection) {
    shared.memory.rejected(key, rejection);
    let plan = plan_now(shared, key);
    let status = plan
        .writes
        .iter()
        .find(|write| matches!(write, Write::Status { key: of, .. } if of == key));
    let Some(status) = status else { return };
    match carry_out_one(shared, status).await {
        Ok(()) => {
            let Some((uid, _)) = shared.read().identity(key) else { return };
            for note in &plan.notes {
                shared.recorder.say(key, &uid, note, now());
            }
        }
        Err(error) => tracing::warn!(object = %key, %error, "the refusal could not be reported"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(version: u32, more: &Value) -> Value {
        let mut service = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "shop", "uid": "1", "generation": 1,
                "resourceVersion": version.to_string()},
            "spec": {"taskDefinition": "web"}});
        json_patch(&mut service, more);
        service
    }

    fn json_patch(into: &mut Value, from: &Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                for (name, value) in from {
                    json_patch(into.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
            (into, from) => into.clone_from(from),
        }
    }

    #[test]
    fn what_a_user_changed_while_the_status_was_written_is_planned_for() {
        let key = ObjectKey::new(Kind::Service, "shop", "web");
        let status = json!({"status": {"runningCount": 1}});
        let meanwhile = [
            (json!({}), false),
            (json!({"metadata": {"generation": 2}, "spec": {"desiredCount": 3}}), true),
            (json!({"metadata": {"annotations": {"a": "b"}}}), true),
            (json!({"metadata": {"labels": {"a": "b"}}}), true),
            (json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), true),
        ];
        for (change, expected) in meanwhile {
            let mut world = World::default();
            take_in(&mut world, &key, Some(service(1, &json!({}))), false).unwrap();
            let mut answer = service(3, &status);
            json_patch(&mut answer, &change);
            let roots = take_in(&mut world, &key, Some(answer), true).unwrap();
            assert_eq!(roots.contains(&key), expected, "{change}");
        }
    }
}
