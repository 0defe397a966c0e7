//! What should be there for a service?
//!
//! A deployment record for what the Service asks for now; from the newest record the corev1 Service,
//! the disruption budget and the workload; and a status as DescribeServices has it. While a spec
//! cannot be honoured, or names what is not there, no running child is changed by it.

mod assess;
mod disruption_budget;
mod endpoints;
mod events;
mod observed;
mod record;
mod resolve;
pub mod rollout;
mod tasks;
mod workload;

use jiff::{SignedDuration, Timestamp};

use self::assess::Situation;
use self::observed::{Named, Observed, Standing};
use self::record::Decision;
use super::finding::{Findings, in_one_line};
use super::{Moment, Plan, Rejection, Waiting, Write, diff, task_definition};
use crate::api::{Reason, ServiceDeployment};
use crate::world::{Object, ObjectKey, World};

/// How long changed inputs must stay the same before a deployment starts, so that applying two
/// files makes one deployment.
const STILLNESS: SignedDuration = SignedDuration::from_secs(1);

/// Something that keeps a service from going on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Obstacle {
    reason: Reason,
    message: String,
    /// Whether it goes away without anybody changing anything.
    passes: bool,
}

impl Obstacle {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), passes: false }
    }

    fn passing(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), passes: true }
    }
}

/// The plan for a Service.
pub(super) fn plan(world: &World, key: &ObjectKey, moment: &Moment) -> Plan {
    let Some(observed) = Observed::of(world, key) else { return Plan::default() };
    if observed.service.metadata.deletion_timestamp.is_some() {
        return assess::draining(&observed, moment);
    }
    let mut findings = Findings::default();
    let settings = resolve::settings(&observed.service.spec.0, &observed.name, &mut findings);
    let mut plan = Plan::default();

    if let Some(obstacle) = obstacle_to_all(&observed, &findings) {
        let situation = Situation::held(&observed, &settings, obstacle);
        assess::report(&observed, &situation, &findings, moment, &mut plan);
        return plan;
    }
    if let Some(restored) = record::restored(&observed) {
        plan.writes.push(Write::Create(restored));
        return plan;
    }

    let mut obstacle = None;
    match record::decide(world, &observed, &settings) {
        Decision::Keep => {}
        // What is wrong with the spec holds all of it, as UpdateService would take none of it. A task
        // definition that has gone does not keep a service from scaling what it runs.
        Decision::Obstructed(why) if why.reason == Reason::InvalidSpec => {
            let situation = Situation::held(&observed, &settings, why);
            assess::report(&observed, &situation, &findings, moment, &mut plan);
            return plan;
        }
        Decision::Obstructed(why) => obstacle = Some(why),
        Decision::Start(start) => {
            let first = observed.newest().is_none();
            if first || is_still(&start.fingerprint, moment, &mut plan) {
                // Its children come from what is stored, in the next pass.
                plan.writes.push(Write::Create(start.record));
                if first {
                    return plan;
                }
            }
        }
    }

    let Some(newest) = observed.newest().cloned() else {
        let obstacle = obstacle.unwrap_or_else(|| {
            Obstacle::passing(
                Reason::DeploymentInProgress,
                "waiting for the first deployment record",
            )
        });
        let situation = Situation::held(&observed, &settings, obstacle);
        assess::report(&observed, &situation, &findings, moment, &mut plan);
        return plan;
    };
    // Soon there is a newer record. Until then the workload stays as it is: a count that was applied
    // with a new template goes in with it, and starts no task of the old one.
    let waits = plan.waiting.is_some()
        || !plan.writes.is_empty()
        || obstacle.as_ref().is_some_and(|obstacle| obstacle.passes);
    deploy(&observed, &settings, &newest, obstacle, &findings, moment, waits, &mut plan);
    plan
}

/// What there is to say about a Service's spec, with what it demands of the task definition that it
/// names, where that is there: what [`plan`](crate::plan::plan) acts on, for who shows it with places.
pub fn findings(world: &World, key: &ObjectKey) -> Findings {
    let mut findings = Findings::default();
    let Some(observed) = Observed::of(world, key) else { return findings };
    let spec = &observed.service.spec.0;
    resolve::settings(spec, &observed.name, &mut findings);
    if let Named::Revision { spec: revision, .. } = &observed.task_definition {
        let task = task_definition::resolve(&revision.spec.0, None, &mut Findings::default());
        resolve::demands(spec, &task, &mut findings);
    }
    findings
}

/// Brings the children to what the newest record says, and reports.
#[allow(
    clippy::too_many_arguments,
    reason = "the one place where all that was found comes together"
)]
fn deploy(
    observed: &Observed,
    settings: &resolve::Settings,
    newest: &ServiceDeployment,
    mut obstacle: Option<Obstacle>,
    findings: &Findings,
    moment: &Moment,
    waits: bool,
    plan: &mut Plan,
) {
    let step =
        rollout::step(settings.desired, settings.percents, &observed.seen(), newest.spec.sequence);
    let situation = Situation::of(observed, settings, newest, &step);
    if let Some(verdict) = record::verdict(newest, &situation, &observed.service.spec.0, moment) {
        plan.writes.push(verdict);
    }
    let mut child = |standing: &Standing, intent: Option<Object>, plan: &mut Plan| {
        let Some(mut intent) = intent else { return };
        diff::seal(&mut intent.body);
        match standing {
            Standing::Ours(found) if diff::is_met(&intent.body, found) => {}
            Standing::Absent | Standing::Ours(_) => plan.writes.push(Write::Apply(intent)),
            Standing::Dying => {
                let message = format!("{} of a deleted service is still being removed", intent.key);
                obstacle = Some(Obstacle::passing(Reason::WaitingForDeletion, message));
                plan.wake(moment.now + STILLNESS);
            }
            Standing::Foreign(whose) => {
                let message = format!(
                    "{} is in the way: it {whose}; rename or delete it, or give this service another name",
                    intent.key
                );
                obstacle = Some(Obstacle::new(Reason::ChildConflict, message));
            }
        }
    };
    child(&observed.endpoints, endpoints::build(observed, newest), plan);
    child(&observed.disruption_budget, Some(disruption_budget::build(observed, settings)), plan);
    if !waits {
        child(&observed.workload, Some(workload::build(observed, newest, &step)), plan);
    }
    // What is no longer wanted goes last.
    if let Some(surplus) = endpoints::surplus(observed, newest) {
        plan.writes.push(surplus);
    }
    plan.writes.extend(record::prune(observed, &situation));

    if let Some(Rejection { key, message }) = &moment.rejected {
        let message = format!("the API server refused {key}: {message}");
        obstacle = Some(Obstacle::new(Reason::RejectedByCluster, message));
    }
    // While inputs settle, the status goes on describing what it described.
    if waits {
        return;
    }
    let situation = match obstacle {
        Some(obstacle) => situation.with(obstacle),
        None => situation,
    };
    assess::report(observed, &situation, findings, moment, plan);
}

/// What keeps every child as it is.
fn obstacle_to_all(observed: &Observed, findings: &Findings) -> Option<Obstacle> {
    if let Some(owner) = &observed.earlier_claim {
        return Some(Obstacle::new(
            Reason::NameTaken,
            format!(
                "service `{}` of cluster `{}` is the older Service {owner}; give this one another serviceName",
                observed.name, observed.cluster
            ),
        ));
    }
    if let Some(message) = &observed.unreadable_record {
        return Some(Obstacle::new(
            Reason::Unreadable,
            format!("{message}; delete it and it is rebuilt from its workload"),
        ));
    }
    findings
        .any_refused()
        .then(|| Obstacle::new(Reason::InvalidSpec, in_one_line(findings.refusals())))
}

/// Whether these inputs have been the same for long enough; if not, the plan waits for that.
fn is_still(fingerprint: &str, moment: &Moment, plan: &mut Plan) -> bool {
    let since = match &moment.waiting {
        Some(waiting) if waiting.inputs == fingerprint => waiting.since,
        _ => moment.now,
    };
    let due: Timestamp = since + STILLNESS;
    if moment.now >= due {
        return true;
    }
    plan.waiting = Some(Waiting { inputs: fingerprint.to_owned(), since });
    plan.wake(due);
    false
}

#[cfg(test)]
mod tests;
