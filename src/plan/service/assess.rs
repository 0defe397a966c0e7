//! How does a service stand? Its status as DescribeServices has it, and its conditions.

use std::fmt::Write as _;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as corev1;
use serde_json::json;

use super::course::Course;
use super::observed::Observed;
use super::record::{pods_of, selector_of};
use super::resolve::Settings;
use super::rollout::Held;
use super::{Obstacle, events, missing, tasks};
use crate::api::{Deployment, Reason, RolloutState, ServiceDeployment, ServiceStatus};
use crate::defect::{self, Defect};
use crate::ecs::scaling::state::ScalingState;
use crate::names::{self, annotation};
use crate::plan::conditions::{self, Outcome, fully_supported, progress};
use crate::plan::finding::Findings;
use crate::plan::{Moment, Note, Plan, Write};

/// How many deployments a status shows.
const MOST_DEPLOYMENTS: usize = 10;

/// How a service stands: what was observed, put beside what was decided.
pub(super) struct Situation<'a> {
    desired: i32,
    newest: Option<&'a ServiceDeployment>,
    /// Whether all tasks are those of the newest record, healthy, and as many as desired.
    pub(super) steady: bool,
    /// What waits for the next deployment, if that is known.
    pending: Option<Vec<String>>,
    /// What scaling remembers from now on.
    pub(super) scaling: Option<ScalingState>,
    outcome: Outcome,
    reason: Reason,
    message: String,
}

impl<'a> Situation<'a> {
    /// A service that something keeps from going on.
    pub(super) fn held(observed: &'a Observed, settings: &Settings, obstacle: Obstacle) -> Self {
        Self {
            desired: settings.desired,
            newest: observed.newest().map(Arc::as_ref),
            steady: false,
            pending: None,
            scaling: remembered(observed),
            outcome: obstacle.outcome(),
            reason: obstacle.reason,
            message: obstacle.message,
        }
    }

    /// A service at work, or at rest.
    pub(super) fn of(
        observed: &Observed,
        settings: &Settings,
        newest: &'a ServiceDeployment,
        course: &Course,
        pending: &[String],
    ) -> Self {
        let desired = settings.desired;
        let steady = course.is_steady();
        let completed = newest
            .status
            .as_ref()
            .is_some_and(|status| status.rollout_state == Some(RolloutState::Completed));
        let (outcome, reason, message) = if steady {
            let waits = waiting(observed, pending);
            let message = format!("{desired} of {desired} tasks are healthy{waits}");
            (Outcome::Ready, Reason::SteadyState, message)
        } else if course.held() == Some(Held::NoRoom) {
            (
                Outcome::Stalled,
                Reason::DeploymentBlocked,
                no_room(settings, observed.daemon.is_some()),
            )
        } else if let Some((reason, mut message)) =
            tasks::trouble(observed.pods.iter()).or_else(|| refused_tasks(observed))
        {
            if let Some(remedy) = missing::remedy(observed, &message) {
                let _ = write!(message, "; {remedy}");
            }
            (Outcome::Reconciling, reason, message)
        } else {
            let reason = if completed { Reason::Scaling } else { Reason::DeploymentInProgress };
            (Outcome::Reconciling, reason, under_way(newest, course, desired))
        };
        Self {
            desired,
            newest: Some(newest),
            steady,
            pending: Some(pending.to_vec()),
            scaling: remembered(observed),
            outcome,
            reason,
            message,
        }
    }

    /// The same, with something in the way.
    pub(super) fn with(self, obstacle: Obstacle) -> Self {
        let outcome = obstacle.outcome();
        Self { outcome, reason: obstacle.reason, message: obstacle.message, ..self }
    }
}

/// What the cluster says of tasks that it does not let be made: a quota, a policy, an account.
fn refused_tasks(observed: &Observed) -> Option<(Reason, String)> {
    let statuses = observed.deployments().filter_map(|found| found.status.as_ref());
    let mut conditions = statuses.flat_map(|status| status.conditions.iter().flatten());
    let failure = conditions
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    let message = failure.message.as_deref()?;
    Some((Reason::TasksFailToStart, format!("tasks cannot be made: {message}")))
}

/// How what waits for the next deployment can go in now.
fn waiting(observed: &Observed, pending: &[String]) -> String {
    let changes = match pending.len() {
        0 => return String::new(),
        1 => "1 change of their pods waits".to_owned(),
        more => format!("{more} changes of their pods wait"),
    };
    format!(
        "; {changes} for the next deployment (status.pendingTemplateChanges); to start one: kubectl \
         annotate --overwrite esvc/{} {}=<another value>",
        observed.key.name,
        annotation::FORCE_NEW_DEPLOYMENT
    )
}

/// What scaling remembered so far.
fn remembered(observed: &Observed) -> Option<ScalingState> {
    observed.service.status.as_ref()?.scaling.clone()
}

fn no_room(settings: &Settings, daemon: bool) -> String {
    let percents = settings.percents;
    if daemon {
        return format!(
            "deploymentConfiguration: with minimumHealthyPercent {} none of {} tasks may be away, and \
             a DAEMON service has no second one on a node meanwhile, so that none can be replaced; \
             lower it",
            percents.minimum_healthy, settings.desired
        );
    }
    format!(
        "deploymentConfiguration: with minimumHealthyPercent {} and maximumPercent {}, {} tasks may \
         neither be fewer nor more, so that none can be replaced; lower the one or raise the other",
        percents.minimum_healthy, percents.maximum, settings.desired
    )
}

fn under_way(newest: &ServiceDeployment, course: &Course, desired: i32) -> String {
    let mut message = format!("{} of {desired} tasks are healthy", course.healthy());
    if newest.spec.min_ready_seconds > 0 && course.has_updated() {
        let seconds = newest.spec.min_ready_seconds;
        let _ = write!(
            message,
            "; without a health check, a task counts as healthy {seconds} seconds after it runs"
        );
    }
    if course.surges() {
        message.push_str(
            "; tasks have to leave their nodes, which are drained or about to end: others are started \
             first",
        );
    }
    match course.held() {
        Some(Held::UntilRolled) => {
            message.push_str("; the last change waits for the end of the roll under way");
        }
        Some(Held::ForHealthyTasks) => {
            message.push_str("; tasks are stopped as others become healthy");
        }
        Some(Held::NoRoom) | None => {}
    }
    message
}

/// Writes the status, where it has changed, and says what happened.
pub(super) fn report(
    observed: &Observed,
    situation: &Situation<'_>,
    findings: &Findings,
    moment: &Moment,
    plan: &mut Plan,
) {
    let service = &observed.service;
    let before = service.status.clone().unwrap_or_default();
    let counts = tasks::count(observed.pods.iter());
    let mut assessments = progress(situation.outcome, situation.reason, &situation.message);
    assessments.push(fully_supported(&findings.0));
    let generation = service.metadata.generation;
    let mut after = ServiceStatus {
        observed_generation: generation,
        service_name: Some(observed.name.clone()),
        status: Some("ACTIVE".to_owned()),
        task_definition: situation.newest.map(|record| record.spec.task_definition.clone()),
        desired_count: situation.desired,
        running_count: counts.running,
        pending_count: counts.pending,
        selector: Some(selector(observed)),
        deployments: deployments(observed, situation, &before, moment, plan),
        pending_template_changes: situation
            .pending
            .clone()
            .unwrap_or_else(|| before.pending_template_changes.clone()),
        events: Vec::new(),
        started: None,
        stopped: None,
        scaling: situation.scaling.clone(),
        conditions: conditions::advance(&before.conditions, assessments, generation, moment.now),
    };
    let mut notes = events::advance(&before, &mut after, &observed.pods, moment.now);
    let reason = conditions::reason(&before.conditions, crate::api::ConditionType::Ready);
    if situation.outcome == Outcome::Stalled
        && situation.reason != Reason::DeploymentBlocked
        && reason != Some(situation.reason.as_str())
    {
        notes.push(Note {
            warning: true,
            reason: situation.reason,
            message: situation.message.clone(),
        });
    }
    write(observed, &before, &after, plan);
    plan.notes.extend(notes);
}

fn write(observed: &Observed, before: &ServiceStatus, after: &ServiceStatus, plan: &mut Plan) {
    if after == before && !defect::is(Defect::WritesWhatIsThere) {
        return;
    }
    // Counts may wait for each other; what people and scripts wait on may not.
    let urgent = before.conditions.iter().map(|c| (&c.type_, &c.status)).collect::<Vec<_>>()
        != after.conditions.iter().map(|c| (&c.type_, &c.status)).collect::<Vec<_>>()
        || before.observed_generation != after.observed_generation
        // What was done is not done again.
        || before.scaling != after.scaling;
    plan.writes.push(Write::Status {
        key: observed.key.clone(),
        uid: observed.uid.clone(),
        status: json!(after),
        urgent,
    });
}

/// The plan for a service that is being deleted: DRAINING, as long as it is seen.
pub(super) fn draining(observed: &Observed, moment: &Moment) -> Plan {
    let before = observed.service.status.clone().unwrap_or_default();
    let counts = tasks::count(observed.pods.iter());
    let mut after = ServiceStatus {
        status: Some("DRAINING".to_owned()),
        desired_count: 0,
        running_count: counts.running,
        pending_count: counts.pending,
        ..before.clone()
    };
    after.conditions = conditions::advance(
        &before.conditions,
        progress(Outcome::Reconciling, Reason::Scaling, "the service is being deleted"),
        observed.service.metadata.generation,
        moment.now,
    );
    let mut plan = Plan::default();
    write(observed, &before, &after, &mut plan);
    plan
}

pub(super) fn selector(observed: &Observed) -> String {
    let labels: Vec<String> =
        selector_of(observed).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    labels.join(",")
}

/// The deployments, newest first; those whose record is gone stay as the last status had them.
fn deployments(
    observed: &Observed,
    situation: &Situation<'_>,
    before: &ServiceStatus,
    moment: &Moment,
    plan: &mut Plan,
) -> Vec<Deployment> {
    let newest = situation.newest.map(|record| record.spec.sequence);
    let mut shown: Vec<Deployment> = observed
        .records
        .iter()
        .rev()
        .map(|record| {
            let is_newest = Some(record.spec.sequence) == newest;
            let pods = pods_of(observed, record);
            let failed = tasks::failed(pods, record.spec.min_ready_seconds, moment.now);
            failed.until.into_iter().for_each(|at| plan.wake(at));
            let shown = deployment(observed, situation, record, is_newest);
            Deployment { failed_tasks: failed.tasks, ..shown }
        })
        .collect();
    for earlier in &before.deployments {
        if !shown.iter().any(|deployment| deployment.id == earlier.id) {
            shown.push(Deployment {
                status: "INACTIVE".to_owned(),
                desired_count: 0,
                running_count: 0,
                pending_count: 0,
                ..earlier.clone()
            });
        }
    }
    // Newest first; of one second, as they were.
    shown
        .sort_by_key(|deployment| std::cmp::Reverse(deployment.created_at.as_ref().map(|at| at.0)));
    shown.truncate(MOST_DEPLOYMENTS);
    shown
}

fn deployment(
    observed: &Observed,
    situation: &Situation<'_>,
    record: &ServiceDeployment,
    is_newest: bool,
) -> Deployment {
    let sequence = record.spec.sequence;
    let id = names::deployment_id(&observed.uid, sequence);
    let pods: Vec<&Arc<corev1::Pod>> = pods_of(observed, record).collect();
    let counts = tasks::count(pods.iter().copied());
    let status = record.status.clone().unwrap_or_default();
    let completes_now = is_newest && situation.steady;
    let state = match status.rollout_state {
        Some(state) => state,
        None if completes_now => RolloutState::Completed,
        None => RolloutState::InProgress,
    };
    let superseded = !is_newest && state == RolloutState::InProgress;
    let reason = match state {
        RolloutState::InProgress if superseded => format!("ECS deployment {id} superseded."),
        RolloutState::InProgress => format!("ECS deployment {id} in progress."),
        RolloutState::Completed => format!("ECS deployment {id} completed."),
        RolloutState::Failed => status.rollout_state_reason.unwrap_or_default(),
    };
    let word = if is_newest {
        "PRIMARY"
    } else if pods.is_empty() {
        "INACTIVE"
    } else {
        "ACTIVE"
    };
    Deployment {
        id,
        status: word.to_owned(),
        task_definition: record.spec.task_definition.clone(),
        desired_count: if is_newest { situation.desired } else { counts.running + counts.pending },
        running_count: counts.running,
        pending_count: counts.pending,
        failed_tasks: 0,
        rollout_state: Some(state.as_str().to_owned()),
        rollout_state_reason: Some(reason),
        created_at: record.metadata.creation_timestamp.clone(),
    }
}
