//! What does scaling do to a service now?
//!
//! Its bounds and policies become a HorizontalPodAutoscaler on the Service's own scale subresource, or
//! where that cannot say them, changes of the count by what was measured;
//! scheduled actions move the bounds, and the count where it is outside of them; and a count that a
//! manifest has stopped setting, so that it fell to the default, is put back to what it was. The count
//! is the one thing of a user's spec that is ever written, and only where `autoscaling` is present.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2 as autoscalingv2;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use std::collections::BTreeMap;

use super::observed::{Observed, Standing, sequence_of};
use super::record::{labels, owner};
use super::resolve::Settings;
use crate::api::{Reason, RolloutState};
use crate::ecs::scaling::metric::{From, Source};
use crate::ecs::scaling::state::{Activity, ScalingState};
use crate::names;
use crate::plan::finding::Findings;
use crate::plan::scaling::decide::{Outcome, Situation, decide};
use crate::plan::scaling::horizontal::Evaluator;
use crate::plan::scaling::measured::{Measure, Measured, measures};
use crate::plan::scaling::metrics::{Tasks, quantity};
use crate::plan::scaling::read::{Autoscaling, read_among};
use crate::plan::scaling::writers;
use crate::plan::{Note, Write};
use crate::world::{Kind, Object, ObjectKey, World};

/// For how long an autoscaler may be without its metrics before it is said: those of new tasks take a
/// minute or two to come.
const PATIENCE: SignedDuration = SignedDuration::from_mins(3);

/// What scaling comes to.
pub(super) struct Scaled {
    /// What to remember.
    pub(super) state: ScalingState,
    /// When time alone can change the answer.
    pub(super) wake_at: Option<Timestamp>,
    /// What is to be measured for the next time.
    pub(super) measures: Vec<Measure>,
    /// What has been done.
    activities: Vec<Activity>,
    autoscaler: Option<Box<autoscalingv2::HorizontalPodAutoscalerSpec>>,
    /// The count that it comes to.
    desired: i32,
    /// The count to write, if it is to change.
    count: Option<i32>,
}

/// Decides, where the service is scaled. The settings get the count that holds until it is acted on:
/// what is decided is done only where it can be remembered, or it would be done again.
pub(super) fn scaled(
    world: &World,
    observed: &Observed,
    settings: &mut Settings,
    now: Timestamp,
    findings: &mut Findings,
) -> Option<Scaled> {
    let spec = &observed.service.spec.0;
    let alarms = observed.mapping.tables.alarms_for(&observed.cluster, &observed.name);
    let autoscaling = read_among(spec, &alarms, findings)?;
    let put_back = put_back(observed, settings.desired);
    let count = put_back.as_ref().map_or(settings.desired, |(count, _)| *count);
    say_who_else_sets(observed, findings);
    let none = Measured::default();
    let measured = world.measured.get(&observed.key).unwrap_or(&none);
    let (decided, wanted) = outcome(world, observed, &autoscaling, measured, count, now, findings);
    let Outcome { evaluator, count: acted, mut activities, mut state, mut wake_at, .. } = decided;
    if let Some((count, who)) = &put_back {
        let activity = Activity::sets_count(*count, returned(who, *count), now);
        state.remember(activity.clone());
        activities.push(activity);
    }
    state.count_set_by = writers::manifest(&observed.service.metadata);
    let autoscaler = match evaluator {
        Evaluator::Horizontal(spec) => Some(spec),
        Evaluator::Nobody | Evaluator::Native(_) => None,
    };
    let unknown = if autoscaler.is_some() {
        say_what_is_not_measured(observed, now, findings)
    } else {
        say_what_is_absent(measured, now, findings)
    };
    wake_at = [wake_at, unknown].into_iter().flatten().min();
    let desired = acted.unwrap_or(count);
    let write = (desired != settings.desired).then_some(desired);
    settings.desired = count;
    Some(Scaled { state, wake_at, measures: wanted, activities, autoscaler, desired, count: write })
}

fn outcome(
    world: &World,
    observed: &Observed,
    autoscaling: &Autoscaling,
    measured: &Measured,
    count: i32,
    now: Timestamp,
    findings: &mut Findings,
) -> (Outcome, Vec<Measure>) {
    let status = observed.service.status.clone().unwrap_or_default();
    let created = observed.service.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let looked_at = status.observed_generation.is_some_and(|generation| generation > 0);
    let situation = Situation {
        object: &observed.key.name,
        resource: &format!("service/{}/{}", observed.cluster, observed.name),
        count,
        deploying: is_deploying(observed),
        kubernetes_minor: world.server_minor.unwrap_or(crate::OLDEST_KUBERNETES_MINOR),
        unseen_since: created.filter(|_| !looked_at).unwrap_or(now),
        samples: &measured.samples,
        timing: world.scaling_timing,
    };
    let state = status.scaling.unwrap_or_default();
    let outcome = decide(autoscaling, &situation, &state, findings, now);
    let native = matches!(outcome.evaluator, Evaluator::Native(_));
    let wanted = if native {
        let selector = super::assess::selector(observed);
        let tasks = |source: &Source| tasks(observed, source);
        measures(autoscaling, &selector, tasks, &world.scaling_timing)
    } else {
        Vec::new()
    };
    (outcome, wanted)
}

/// The tasks that run, with what each reserves of what is measured.
pub(super) fn tasks(observed: &Observed, source: &Source) -> Tasks {
    let running = super::tasks::count(observed.pods.iter()).running;
    let From::Resource { resource } = source.from else {
        return Tasks { running, reserved: BTreeMap::new() };
    };
    let reserved = observed.pods.iter().filter_map(|pod| {
        let record = observed.newest_from(sequence_of(&pod.metadata)?)?;
        Some((pod.metadata.name.clone()?, reserved(&record.spec.template, resource)))
    });
    Tasks { running, reserved: reserved.collect() }
}

/// What a pod of a template reserves, in CPUs or bytes: what it says of itself, or what its containers
/// do that go on running.
fn reserved(template: &Value, resource: &str) -> f64 {
    let requested = |of: &Value| -> Option<f64> {
        quantity(of.pointer("/resources/requests")?.get(resource)?.as_str()?)
    };
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let list = |name: &str| spec.get(name).and_then(Value::as_array).into_iter().flatten();
    let goes_on = |c: &&Value| c.get("restartPolicy").and_then(Value::as_str) == Some("Always");
    let containers = list("containers").chain(list("initContainers").filter(goes_on));
    requested(spec).unwrap_or_else(|| containers.filter_map(requested).sum())
}

/// Says which metrics have not been known for a while; tells when that will be so of others.
fn say_what_is_absent(
    measured: &Measured,
    now: Timestamp,
    findings: &mut Findings,
) -> Option<Timestamp> {
    let mut next: Option<Timestamp> = None;
    for (since, message) in measured.absent.values() {
        let due = *since + PATIENCE;
        if now >= due {
            findings.differs("autoscaling.scalingPolicies", message.clone());
        } else {
            next = Some(next.map_or(due, |next| next.min(due)));
        }
    }
    next
}

/// Whether a deployment is under way, in which ECS removes no tasks by policies. At the first there is
/// nothing to remove yet, and the fifteen minutes before a removal begin with it.
pub(super) fn is_deploying(observed: &Observed) -> bool {
    let state = |record: &crate::api::ServiceDeployment| {
        record.status.as_ref().and_then(|status| status.rollout_state)
    };
    observed
        .newest()
        .filter(|newest| newest.spec.sequence > 1)
        .is_some_and(|newest| matches!(state(newest), None | Some(RolloutState::InProgress)))
}

/// The count to put back, and who stopped setting it.
fn put_back(observed: &Observed, count: i32) -> Option<(i32, String)> {
    let status = observed.service.status.as_ref()?;
    let who = status.scaling.as_ref()?.count_set_by.clone()?;
    let last = status.desired_count;
    let fell = last != count && writers::gave_up(&observed.service.metadata, count);
    fell.then_some((last, who))
}

fn returned(who: &str, count: i32) -> String {
    format!("{who} no longer sets desiredCount, so that it fell to 1; it is put back to {count}")
}

fn say_who_else_sets(observed: &Observed, findings: &mut Findings) {
    if let Some(who) = writers::manifest(&observed.service.metadata) {
        let message = format!(
            "is set by the manifest that `{who}` applies, and the service is scaled: each apply sets \
             the count back, as UpdateService would; take it out of the manifest, and the count stays"
        );
        findings.differs("desiredCount", message);
    }
}

/// Says that the autoscaler has been without its metrics for a while; tells when that will be so.
fn say_what_is_not_measured(
    observed: &Observed,
    now: Timestamp,
    findings: &mut Findings,
) -> Option<Timestamp> {
    let Standing::Ours(found) = &observed.autoscaler else { return None };
    let conditions = found.pointer("/status/conditions")?.as_array()?;
    let active = conditions.iter().find(|one| one.get("type") == Some(&"ScalingActive".into()))?;
    let word = |name: &str| active.get(name).and_then(Value::as_str).unwrap_or_default();
    // With no task there is nothing to measure.
    if word("status") != "False" || word("reason") == "ScalingDisabled" {
        return None;
    }
    let since: Timestamp = word("lastTransitionTime").parse().ok()?;
    let due = since + PATIENCE;
    if now < due {
        return Some(due);
    }
    findings.differs(
        "autoscaling.scalingPolicies",
        format!(
            "the count stays as it is, since metrics cannot be read: {}; the cluster needs \
             metrics-server, or another that serves metrics.k8s.io",
            word("message")
        ),
    );
    None
}

impl Scaled {
    /// The settings where it is acted on.
    pub(super) fn acted_on(&self, settings: &Settings) -> Settings {
        Settings { desired: self.desired, ..settings.clone() }
    }

    /// The HorizontalPodAutoscaler, where one can do what the policies say.
    pub(super) fn autoscaler(&self, observed: &Observed) -> Option<Object> {
        let autoscaler = autoscalingv2::HorizontalPodAutoscaler {
            metadata: ObjectMeta {
                name: Some(names::autoscaler(&observed.name, &observed.uid)),
                namespace: Some(observed.key.namespace.clone()),
                labels: Some(labels(observed)),
                owner_references: Some(vec![owner(observed)]),
                ..ObjectMeta::default()
            },
            spec: self.autoscaler.as_deref()?.clone(),
            status: None,
        };
        Some(Object::of(&autoscaler))
    }

    /// The write of the count, where it is to change.
    pub(super) fn count(&self, observed: &Observed) -> Option<Write> {
        Some(Write::Scale {
            key: observed.key.clone(),
            uid: observed.uid.clone(),
            version: observed.service.metadata.resource_version.clone(),
            replicas: self.count?,
        })
    }

    /// What has been done, to be told.
    pub(super) fn notes(&self) -> impl Iterator<Item = Note> {
        self.activities.iter().map(|activity| {
            let failed = activity.has_failed();
            let outcome = if failed { &activity.status_message } else { &activity.cause };
            Note {
                warning: failed,
                reason: Reason::Scaling,
                message: format!("{} ({outcome})", activity.description),
            }
        })
    }
}

/// The deletion of an autoscaler that nothing asks for any more.
pub(super) fn surplus(observed: &Observed, scaled: Option<&Scaled>) -> Option<Write> {
    let Standing::Ours(found) = &observed.autoscaler else { return None };
    if scaled.is_some_and(|scaled| scaled.autoscaler.is_some()) {
        return None;
    }
    let uid = found.pointer("/metadata/uid").and_then(Value::as_str)?.to_owned();
    let name = names::autoscaler(&observed.name, &observed.uid);
    let key = ObjectKey::new(Kind::HorizontalPodAutoscaler, &observed.key.namespace, &name);
    Some(Write::Delete { key, uid })
}
