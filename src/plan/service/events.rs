//! What happened to a service, in ECS's words?
//!
//! Events follow from the status before and the status after: what was said stands in the status
//! itself, so that a restart repeats none. A task that comes and goes between two looks is not told.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1 as corev1;

use crate::api::{ConditionType, Reason, ServiceEvent, ServiceStatus, Told};
use crate::names;
use crate::plan::Note;
use crate::plan::conditions::{holds, reason, time};

/// The most events that DescribeServices shows.
const MOST_EVENTS: usize = 100;
/// The most task identifiers that one event names.
const MOST_TASKS: usize = 10;

/// Adds to `after` what happened between the two, newest first, and returns the new ones as notes.
pub(super) fn advance(
    before: &ServiceStatus,
    after: &mut ServiceStatus,
    pods: &[Arc<corev1::Pod>],
    now: Timestamp,
) -> Vec<Note> {
    let name = after.service_name.clone().unwrap_or_default();
    let mut happened: Vec<Note> = Vec::new();
    let mut say = |warning: bool, reason: Reason, message: String| {
        happened.push(Note { warning, reason, message: format!("(service {name}) {message}") });
    };
    let (started, told) = news(before.started.as_ref(), pods, |pod| {
        pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
    });
    after.started = told;
    if !started.is_empty() {
        let message = format!("has started {} tasks: {}.", started.len(), tasks(&started));
        say(false, Reason::TasksStarted, message);
    }
    let (stopped, told) = news(before.stopped.as_ref(), pods, deleted_at);
    after.stopped = told;
    if !stopped.is_empty() {
        let message = format!("has stopped {} running tasks: {}.", stopped.len(), tasks(&stopped));
        say(false, Reason::TasksStopped, message);
    }
    if let Some(newest) = after.deployments.first() {
        let earlier = before.deployments.iter().find(|deployment| deployment.id == newest.id);
        let completed = |state: Option<&str>| state == Some("COMPLETED");
        if earlier.is_none() {
            let message = format!("(deployment {}) deployment in progress.", newest.id);
            say(false, Reason::DeploymentInProgress, message);
        }
        if completed(newest.rollout_state.as_deref())
            && !earlier.is_some_and(|earlier| completed(earlier.rollout_state.as_deref()))
        {
            let message = format!("(deployment {}) deployment completed.", newest.id);
            say(false, Reason::DeploymentCompleted, message);
        }
    }
    if holds(&after.conditions, ConditionType::Ready)
        && !holds(&before.conditions, ConditionType::Ready)
    {
        say(false, Reason::SteadyState, "has reached a steady state.".to_owned());
    }
    let why = reason(&after.conditions, ConditionType::Ready);
    if why != reason(&before.conditions, ConditionType::Ready) {
        let message = message_of(after);
        if why == Some(Reason::DeploymentBlocked.as_str()) {
            say(true, Reason::DeploymentBlocked, BLOCKED.to_owned());
        } else if why == Some(Reason::UnableToPlaceTask.as_str()) {
            say(
                true,
                Reason::UnableToPlaceTask,
                format!(
                    "was unable to place a task because no container instance met all of its \
                     requirements. Reason: {message}"
                ),
            );
        } else if why == Some(Reason::TasksFailToStart.as_str()) {
            let message = format!("is unable to consistently start tasks successfully: {message}");
            say(true, Reason::TasksFailToStart, message);
        }
    }

    // As ECS does, the same is not said twice in a row.
    let last = before.events.first().map(|event| event.message.clone());
    happened.dedup_by(|later, earlier| later.message == earlier.message);
    if happened.first().map(|note| &note.message) == last.as_ref() {
        happened.drain(..happened.len().min(1));
    }
    let new = happened.iter().rev().enumerate().map(|(at, note)| ServiceEvent {
        id: event_id(&note.message, now, at),
        created_at: time(now),
        message: note.message.clone(),
    });
    after.events = new.chain(before.events.iter().cloned()).take(MOST_EVENTS).collect();
    happened
}

/// ECS's words for a deployment configuration without room.
const BLOCKED: &str = "was unable to stop or start tasks during a deployment because of the \
    service deployment configuration. Update the minimumHealthyPercent or maximumPercent value \
    and try again.";

fn message_of(status: &ServiceStatus) -> String {
    let ready = ConditionType::Ready.as_str();
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == ready)
        .map(|condition| condition.message.clone())
        .unwrap_or_default()
}

/// The pods that have come to a time of theirs since it was last told, and what is told now. Times
/// are whole seconds of the API server's clock, so that those told at the last second are kept.
fn news<'a>(
    told: Option<&Told>,
    pods: &'a [Arc<corev1::Pod>],
    time_of: impl Fn(&corev1::Pod) -> Option<Timestamp>,
) -> (Vec<&'a Arc<corev1::Pod>>, Option<Told>) {
    let since = told.map(|told| told.at.0);
    let known = |uid: &String| told.is_some_and(|told| told.tasks.contains(uid));
    let uid_of = |pod: &Arc<corev1::Pod>| pod.metadata.uid.clone().unwrap_or_default();
    let new: Vec<&Arc<corev1::Pod>> = pods
        .iter()
        .filter(|pod| {
            let at = time_of(pod);
            at.is_some() && (at > since || at == since && !known(&uid_of(pod)))
        })
        .collect();
    let Some(latest) = new.iter().filter_map(|pod| time_of(pod)).max() else {
        return (new, told.cloned());
    };
    let mut tasks: Vec<String> =
        pods.iter().filter(|pod| time_of(pod) == Some(latest)).map(uid_of).collect();
    tasks
        .extend(told.iter().filter(|told| told.at.0 == latest).flat_map(|told| told.tasks.clone()));
    tasks.sort();
    tasks.dedup();
    (new, Some(Told { at: time(latest), tasks }))
}

fn deleted_at(pod: &corev1::Pod) -> Option<Timestamp> {
    // The deletion time lies in the future by the grace period.
    let at = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
    Some(at - SignedDuration::from_secs(grace))
}

fn tasks(pods: &[&Arc<corev1::Pod>]) -> String {
    let mut named: Vec<String> = pods
        .iter()
        .take(MOST_TASKS)
        .map(|pod| {
            let uid = pod.metadata.uid.as_deref().unwrap_or_default();
            format!("(task {})", names::task_id(uid))
        })
        .collect();
    if pods.len() > MOST_TASKS {
        named.push(format!("and {} more", pods.len() - MOST_TASKS));
    }
    named.join(" ")
}

fn event_id(message: &str, now: Timestamp, at: usize) -> String {
    let mut id = names::sha256_hex(&[message, &now.to_string(), &at.to_string()]);
    id.truncate(32);
    id
}
