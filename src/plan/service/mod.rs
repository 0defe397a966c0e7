//! What should be there for a service?
//!
//! A deployment record for what the Service asks for now; from the newest record the corev1 Service,
//! the disruption budget and the workload; and a status as DescribeServices has it. While a spec
//! cannot be honoured, or names what is not there, no running child is changed by it.

pub mod asked;
mod assess;
mod course;
mod daemon;
mod disruption_budget;
mod drains;
mod endpoints;
mod events;
mod exposure;
mod held;
mod images;
mod missing;
mod moves;
mod network_policy;
mod observed;
mod placing;
mod record;
mod resolve;
pub mod rollout;
mod scaling;
mod spread;
mod tasks;
mod template;
mod workload;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::assess::Situation;
use self::course::Course;
pub(crate) use self::daemon::is_daemon;
use self::observed::{Named, Observed, Standing};
use self::record::Decision;
use super::conditions::Outcome;
use super::finding::{Finding, Findings, Level, in_one_line};
use super::{Moment, Plan, Rejection, Waiting, Write, diff, mapping, size, task_definition};
use crate::api::{Reason, ServiceDeployment};
use crate::defect::{self, Defect};
use crate::world::{Object, ObjectKey, World, set};

/// How long changed inputs must stay the same before a deployment starts, so that applying two
/// files makes one deployment.
const STILLNESS: SignedDuration = SignedDuration::from_secs(1);

/// How long a roll must have stood still before a count comes down in the middle of it. A roll that
/// goes on ends before that, and then the count comes down; a task that becomes healthy at the moment
/// in which it is told to stop would mislead the Deployment controller to stop another one.
const STILLNESS_OF_A_ROLL: SignedDuration = SignedDuration::from_secs(10);

/// How long tasks of one provider that are not healthy keep those of others from being replaced, when
/// nothing else changes: longer than a task takes to count as healthy.
const PATIENCE_WITH_TASKS: SignedDuration = SignedDuration::from_secs(120);

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

    fn outcome(&self) -> Outcome {
        if self.passes { Outcome::Reconciling } else { Outcome::Stalled }
    }
}

/// The plan for a Service.
pub(super) fn plan(world: &World, key: &ObjectKey, moment: &Moment) -> Plan {
    let Some(observed) = Observed::of(world, key) else { return Plan::default() };
    if observed.service.metadata.deletion_timestamp.is_some() {
        return assess::draining(&observed, moment);
    }
    let mut findings = Findings::default();
    let spec = &observed.service.spec.0;
    if let Some(reduced) = size::reduced(spec, size::MOST, &mut findings) {
        return too_large(&observed, &reduced, &findings, moment);
    }
    let mut settings = resolve::settings(spec, &observed.name, &mut findings);
    let scaled = scaling::scaled(world, &observed, &mut settings, moment.now, &mut findings);
    if let Some(daemon) = &observed.daemon {
        settings.desired = daemon.seen().desired;
        daemon::say_who_scales(&observed, &mut findings);
    }
    let mut rows = None;
    if let Some((reference, names, mut unmapped)) = observed.names() {
        rows = names.rows;
        let of = |found: Finding| Finding { path: format!("{reference} {}", found.path), ..found };
        // What is refused keeps a new deployment from starting, and nothing else.
        unmapped.0.retain(|found| found.level < Level::Refused);
        findings.0.extend(unmapped.0.into_iter().map(of));
        findings.0.extend(names.at_launch.0);
    }
    let chosen = placing::chosen(world, &observed, &mut findings);
    placing::judge(world, &observed, chosen.as_ref(), &mut findings);
    let mut pass = Pass {
        observed: &observed,
        settings: &settings,
        scaled: scaled.as_ref(),
        findings: &findings,
        moment,
        pending: Vec::new(),
    };
    let mut plan = Plan::default();

    if let Some(obstacle) = obstacle_to_all(&observed, &findings) {
        pass.hold(obstacle, &mut plan);
        return plan;
    }
    if let Some(restored) = record::restored(&observed) {
        plan.writes.push(Write::Create(restored));
        pass.tell_of_rejection(&mut plan);
        return plan;
    }
    let mut obstacle = None;
    match record::decide(world, &observed, &settings, rows.as_ref(), chosen.as_ref()) {
        Decision::Keep(pending) => pass.pending = pending,
        // What is wrong with the spec holds all of it, as UpdateService would take none of it. A task
        // definition that has gone does not keep a service from scaling what it runs.
        Decision::Obstructed(why) if why.reason == Reason::InvalidSpec => {
            pass.hold(why, &mut plan);
            return plan;
        }
        Decision::Obstructed(why) if why.passes => {
            // For a moment nobody need hear of it.
            if is_still(REGISTERING, PATIENCE, moment, &mut plan) {
                obstacle = Some(why);
            }
        }
        Decision::Obstructed(why) => obstacle = Some(why),
        // Its children come from what is stored, in the next pass.
        Decision::Start(start) => {
            if observed.newest().is_none()
                || is_still(&start.fingerprint, STILLNESS, moment, &mut plan)
            {
                if defect::is(Defect::ChildrenBeforeRecord)
                    && let Ok(unstored) = serde_json::from_value(start.record.body.clone())
                {
                    pass.deploy(&unstored, None, &mut plan);
                }
                plan.writes.push(Write::Create(start.record));
                pass.tell_of_rejection(&mut plan);
            }
        }
    }
    plan.measures = scaled.as_ref().map(|scaled| scaled.measures.clone()).unwrap_or_default();
    match observed.newest() {
        Some(newest) => {
            let acting = scaled.as_ref().filter(|_| !settles(&plan) && observed.daemon.is_none());
            let acted_on = acting.map(|scaled| scaled.acted_on(&settings));
            let settings = acted_on.as_ref().unwrap_or(&settings);
            Pass { settings, ..pass }.deploy(newest, obstacle, &mut plan);
        }
        None => {
            if let Some(obstacle) = obstacle {
                pass.hold(obstacle, &mut plan);
            }
        }
    }
    plan
}

/// The plan for a Service of which only a part is read, since it is too large: what runs stays.
fn too_large(observed: &Observed, reduced: &Value, findings: &Findings, moment: &Moment) -> Plan {
    let mut plan = Plan::default();
    let settings = resolve::settings(reduced, &observed.name, &mut Findings::default());
    let obstacle = Obstacle::new(Reason::InvalidSpec, in_one_line(findings.refusals()));
    let situation = Situation::held(observed, &settings, obstacle);
    assess::report(observed, &situation, findings, moment, &mut plan);
    plan
}

/// What a service waits for while its task definition is registered.
const REGISTERING: &str = "registering";
/// How long it waits for that without a word.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// What there is to say about a Service's spec, with what it demands of the task definition that it
/// names, where that is there: what [`plan`](crate::plan::plan) acts on, for who shows it with places.
pub fn findings(world: &World, key: &ObjectKey) -> Findings {
    let mut findings = Findings::default();
    let Some(observed) = Observed::of(world, key) else { return findings };
    let spec = &observed.service.spec.0;
    if size::reduced(spec, size::MOST, &mut findings).is_some() {
        return findings;
    }
    let mut settings = resolve::settings(spec, &observed.name, &mut findings);
    // What is wrong with it is wrong at any time.
    scaling::scaled(world, &observed, &mut settings, Timestamp::UNIX_EPOCH, &mut findings);
    if !observed.mapping.exists && observed.cluster != "default" {
        let message = format!(
            "no Cluster of that name is in namespace {}; it is taken for one without settings",
            key.namespace
        );
        findings.recorded("cluster", message);
    }
    if let Named::Revision { spec: revision, .. } = &observed.task_definition {
        let task = task_definition::resolve(&revision.spec.0, None, &mut Findings::default());
        resolve::demands(spec, &task, &mut findings);
    }
    if let Some((_, names, _)) = observed.names() {
        findings.0.extend(names.at_launch.0);
    }
    let chosen = placing::chosen(world, &observed, &mut findings);
    placing::judge(world, &observed, chosen.as_ref(), &mut findings);
    findings
}

/// What the mapping of a Service's Cluster leaves to say about the task definition that it names, by
/// that one's own paths, with what it needs: for who shows it with places.
pub fn named(world: &World, key: &ObjectKey) -> Option<(mapping::Names, Findings)> {
    let observed = Observed::of(world, key)?;
    let (_, names, findings) = observed.names()?;
    Some((names, findings))
}

/// The names of the objects by which a service may be reached from outside the cluster.
pub(crate) fn exposures(spec: &Value, name: &str, uid: &str) -> BTreeSet<String> {
    exposure::names_of(spec, name, uid)
}

/// One look at a service: what all of its steps depend on.
struct Pass<'a> {
    observed: &'a Observed,
    settings: &'a resolve::Settings,
    /// Where the service is scaled.
    scaled: Option<&'a scaling::Scaled>,
    findings: &'a Findings,
    moment: &'a Moment,
    /// What waits for the next deployment.
    pending: Vec<String>,
}

impl Pass<'_> {
    /// Leaves every child as it is, and says why.
    fn hold(&self, obstacle: Obstacle, plan: &mut Plan) {
        let situation = Situation::held(self.observed, self.settings, obstacle);
        assess::report(self.observed, &situation, self.findings, self.moment, plan);
    }

    /// Says what the API server refused of the last plan, if it refused something.
    fn tell_of_rejection(&self, plan: &mut Plan) {
        if let Some(obstacle) = self.rejection() {
            self.hold(obstacle, plan);
        }
    }

    fn rejection(&self) -> Option<Obstacle> {
        let Rejection { key, message } = self.moment.rejected.as_ref()?;
        let message = format!("the API server refused {key}: {message}");
        Some(Obstacle::new(Reason::RejectedByCluster, message))
    }

    /// Whether a roll has stood still for a while, as one does that waits for a task; if not, the
    /// plan waits for that. Watches of several kinds do not bring their news at one time, and what a
    /// count does to the ReplicaSets' sizes is known only where none of them changes.
    fn is_at_rest(&self, seen: &rollout::Seen, plan: &mut Plan) -> bool {
        let look = format!("{} {}", self.settings.desired, seen.sizes());
        plan.waiting.is_none() && is_still(&look, STILLNESS_OF_A_ROLL, self.moment, plan)
    }

    /// Brings the children to what the newest record says, and reports.
    fn deploy(&self, newest: &ServiceDeployment, mut obstacle: Option<Obstacle>, plan: &mut Plan) {
        let Self { observed, settings, moment, .. } = *self;
        let waits = settles(plan);
        let mut course = Course::of(observed, settings, newest, true);
        if course.waits && plan.waiting.is_none() {
            let looks = format!("{} {}", settings.desired, course.looks());
            if is_still(&looks, PATIENCE_WITH_TASKS, moment, plan) {
                course = Course::of(observed, settings, newest, false);
            }
        }
        for leg in &mut course.legs {
            if rollout::lowers_in_mid_roll(&leg.step, &leg.seen)
                && !self.is_at_rest(&leg.seen, plan)
            {
                leg.step = rollout::postponed(&leg.step, &leg.seen);
            }
        }
        let situation = Situation::of(observed, settings, newest, &course, &self.pending);
        plan.writes.extend(record::verdict(observed, newest, &situation, &course, moment));
        let mut child = |standing: &Standing, intent: Option<Object>, plan: &mut Plan| {
            let Some(mut intent) = intent else { return };
            diff::seal(&mut intent.body);
            match standing {
                Standing::Ours(found) if diff::is_met(&intent.body, found) => {}
                Standing::Absent => plan.writes.push(Write::Apply(intent)),
                Standing::Ours(found) => {
                    // If it is another by then, that one is not written to.
                    let uid = found.pointer("/metadata/uid").cloned().unwrap_or_default();
                    if !defect::is(Defect::NoUidPrecondition) {
                        set(&mut intent.body, &["metadata", "uid"], uid);
                    }
                    plan.writes.push(Write::Apply(intent));
                }
                Standing::Dying => {
                    let message =
                        format!("{} of a deleted service is still being removed", intent.key);
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
        // Who changes the count, then the count, then what follows from it.
        child(
            &observed.autoscaler,
            self.scaled.and_then(|scaled| scaled.autoscaler(observed)),
            plan,
        );
        plan.writes.extend(scaling::surplus(observed, self.scaled));
        let acting = self.scaled.filter(|_| !waits);
        plan.writes.extend(acting.and_then(|scaled| scaled.count(observed)));
        child(&observed.endpoints, endpoints::build(observed, &situation), plan);
        // Drains leave the tasks of a DaemonSet alone, and a node that ends takes its own with it.
        let budget = observed
            .daemon
            .is_none()
            .then(|| disruption_budget::build(observed, settings, &course));
        child(&observed.disruption_budget, budget, plan);
        // The rows of a Cluster that is refused say nothing: what was made by them stays.
        let by_rows = observed.mapping.refused.is_none();
        if by_rows {
            child(&observed.network_policy, network_policy::build(observed), plan);
        }
        if let Some(daemon) = &observed.daemon {
            let intent = daemon.build(observed, newest, settings.percents);
            child(&daemon.standing, Some(intent), plan);
        }
        // A count that comes with a new template, from nothing, goes in with it: no task of the old
        // one is started.
        for leg in &course.legs {
            let Some(workload) = observed.workloads.get(&leg.provider) else { continue };
            if !(waits && leg.seen.exists && leg.seen.replicas == 0) {
                let intent = workload::build(observed, newest, &leg.provider, &leg.step);
                child(&workload.standing, Some(intent), plan);
            }
        }
        // What is no longer wanted goes last.
        for leg in course.legs.iter().filter(|leg| leg.is_surplus && !waits) {
            let workload = observed.workloads.get(&leg.provider);
            plan.writes.extend(workload.and_then(|found| workload::surplus(found, &leg.seen)));
        }
        if !waits {
            drains::evictions(observed, newest, settings, &course, moment.now, plan);
        }
        plan.writes.extend(endpoints::surplus(observed, &situation));
        plan.writes.extend(record::prune(observed));
        if by_rows {
            plan.writes.extend(network_policy::surplus(observed));
            let wanted = exposure::wanted(observed);
            plan.writes.extend(exposure::surplus(observed, &wanted));
            // One that is refused, for a host that another has, keeps nothing else from being done.
            for intent in wanted {
                child(observed.exposures.standing(&intent.key), Some(intent.clone()), plan);
            }
        }
        // While inputs settle, the status goes on describing what it described.
        let obstacle = self.rejection().or(obstacle);
        if waits && self.moment.rejected.is_none() {
            return;
        }
        let mut situation = match obstacle {
            Some(obstacle) => situation.with(obstacle),
            None => situation,
        };
        if !waits {
            situation.scaling = acting.map(|scaled| scaled.state.clone());
        }
        if let Some(scaled) = acting {
            scaled.wake_at.into_iter().for_each(|at| plan.wake(at));
            plan.notes.extend(scaled.notes());
        }
        assess::report(observed, &situation, self.findings, moment, plan);
    }
}

/// Whether there soon is a newer record, or the newest is known: until then the status stays as it
/// is, and what only it remembers is not done.
fn settles(plan: &Plan) -> bool {
    plan.waiting.is_some() || !plan.writes.is_empty()
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

/// Whether these inputs have been the same for so long; if not, the plan waits for that.
fn is_still(fingerprint: &str, long: SignedDuration, moment: &Moment, plan: &mut Plan) -> bool {
    let since = match &moment.waiting {
        Some(waiting) if waiting.inputs == fingerprint => waiting.since,
        _ => moment.now,
    };
    let due: Timestamp = since + long;
    if moment.now >= due {
        return true;
    }
    plan.waiting = Some(Waiting { inputs: fingerprint.to_owned(), since });
    plan.wake(due);
    false
}

#[cfg(test)]
mod tests;
