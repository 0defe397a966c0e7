//! What is done about a service's count now?
//!
//! The whole of scaling in one step: scheduled actions first, since they set the bounds; then who
//! evaluates the policies within these bounds; then the policies, where it is the operator. Whoever
//! calls writes what comes of it, in this order: the autoscaler object (or its removal), the count,
//! what is remembered. A count that cannot be written is decided anew, since nothing was remembered.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::horizontal::{Around, Evaluator, evaluator};
use super::read::Autoscaling;
use super::schedule::scheduled;
use crate::ecs::scaling::alarm::Datapoint;
use crate::ecs::scaling::evaluate::{Opinion, Target, evaluate};
use crate::ecs::scaling::state::{Activity, Bounds, ScalingState};
use crate::ecs::scaling::target_tracking::Timing;
use crate::plan::finding::Findings;

/// A service as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Situation<'a> {
    /// The Service object's name.
    pub object: &'a str,
    /// `service/<cluster>/<service>`, in ECS's names.
    pub resource: &'a str,
    /// `desiredCount`.
    pub count: i32,
    /// Whether a deployment is under way.
    pub deploying: bool,
    /// The cluster's version: 33 for Kubernetes 1.33.
    pub kubernetes_minor: u32,
    /// From when on scheduled actions count that are met for the first time together with the whole
    /// block: the creation of a service that was never looked at before, else now.
    pub unseen_since: Timestamp,
    /// By policy: the samples of its metric.
    pub samples: &'a BTreeMap<String, Vec<Datapoint>>,
    /// When a deviation has lasted long enough.
    pub timing: Timing,
}

/// What is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The bounds that hold now.
    pub bounds: Bounds,
    /// Who evaluates the policies.
    pub evaluator: Evaluator,
    /// The count to write, if it is to change.
    pub count: Option<i32>,
    /// What was done now, in order; each is an Event.
    pub activities: Vec<Activity>,
    /// What each policy wants, where the operator evaluates them.
    pub opinions: Vec<Opinion>,
    /// What to remember.
    pub state: ScalingState,
    /// When time alone can change the answer.
    pub wake_at: Option<Timestamp>,
}

/// One step.
pub fn decide(
    autoscaling: &Autoscaling,
    situation: &Situation<'_>,
    state: &ScalingState,
    findings: &mut Findings,
    now: Timestamp,
) -> Outcome {
    let scheduled = scheduled(autoscaling, state, situation.count, situation.unseen_since, now);
    let around = Around {
        service: situation.object,
        bounds: scheduled.bounds,
        deploying: situation.deploying,
        kubernetes_minor: situation.kubernetes_minor,
        timing: situation.timing,
    };
    let mut outcome = Outcome {
        bounds: scheduled.bounds,
        evaluator: evaluator(autoscaling, &around, findings),
        count: scheduled.count,
        activities: scheduled.activities,
        opinions: Vec::new(),
        state: scheduled.state,
        wake_at: scheduled.next.map(|(at, _)| at),
    };
    if !matches!(outcome.evaluator, Evaluator::Native(_)) {
        // Another evaluates, and cooldowns and alarms of ours would be those of a past long gone.
        outcome.state.alarms.clear();
        (outcome.state.scale_out, outcome.state.scale_in) = (None, None);
        return outcome;
    }
    let target = Target {
        resource: situation.resource.to_owned(),
        bounds: outcome.bounds,
        suspended: autoscaling.suspended,
        count: outcome.count.unwrap_or(situation.count),
        deploying: situation.deploying,
    };
    let (policies, timing) = (&autoscaling.policies, &situation.timing);
    let decision = evaluate(&target, policies, situation.samples, &outcome.state, timing, now);
    outcome.count = decision.count.or(outcome.count).filter(|count| *count != situation.count);
    outcome.activities.extend(decision.activity);
    outcome.opinions = decision.policies;
    outcome.state = decision.state;
    outcome.wake_at = match (outcome.wake_at, decision.wake_at) {
        (Some(action), Some(policy)) => Some(action.min(policy)),
        (action, policy) => action.or(policy),
    };
    outcome
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod any;
