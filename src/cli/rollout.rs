//! `linkspan rollout` and `wait`: has a deployment come to its end, which ones were there, and back to
//! the one before.
//!
//! Going back writes the Service's `taskDefinition`, as the person who asks, and nothing else: the
//! operator then deploys as after any other change.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Subcommand;
use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::cluster::{Place, Scope, now};
use super::due::{Due, due};
use super::shell::block_on;
use super::{COMMAND_LINE, TIMED_OUT};
use crate::api::{ConditionType, Deployment, Service, ServiceDeployment, TaskDefinitionRevision};
use crate::layout::{age, table};
use crate::names::{deployment_id, label, revision};
use crate::plan::conditions::{holds, reason};
use crate::plan::finding::Findings;
use crate::plan::scaling::horizontal::brings_to;
use crate::plan::scaling::read::read;

/// How often a service is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// `linkspan rollout`
#[derive(Debug, clap::Args)]
pub struct Rollout {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    scope: Scope,
}

/// What is done.
#[derive(Debug, Subcommand)]
enum What {
    /// Tell how the newest deployment goes, until it is completed (0), has failed (1), or the time is
    /// over (3).
    Status {
        /// The service.
        service: String,
        /// Seconds to wait; 0 waits for ever.
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        timeout: u64,
        /// Only tell how it goes now.
        #[arg(long)]
        no_wait: bool,
    },
    /// List a service's deployments.
    History {
        /// The service.
        service: String,
    },
    /// Go back to the task definition of the last deployment that was completed before this one.
    Undo {
        /// The service.
        service: String,
        /// Go back to this revision of its task definition instead.
        #[arg(long, value_name = "N")]
        to_revision: Option<i64>,
    },
}

/// `linkspan wait`
#[derive(Debug, clap::Args)]
pub struct Wait {
    /// The services.
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<String>,
    /// Seconds to wait; 0 waits for ever.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    #[command(flatten)]
    scope: Scope,
}

pub(super) fn run(arguments: Rollout) -> io::Result<ExitCode> {
    block_on(async move {
        let place = arguments.scope.open().await?;
        match arguments.what {
            What::Status { service, timeout, no_wait } => {
                let end = if no_wait { Some(Duration::ZERO) } else { until(timeout) };
                follow(&place, &service, end, no_wait).await
            }
            What::History { service } => {
                let service = place.service(&service).await?;
                super::say(&history(&service, &records(&place, &service).await?))?;
                Ok(ExitCode::SUCCESS)
            }
            What::Undo { service, to_revision } => undo(&place, &service, to_revision).await,
        }
    })
}

pub(super) fn wait(arguments: Wait) -> io::Result<ExitCode> {
    block_on(async move {
        let place = arguments.scope.open().await?;
        let started = Instant::now();
        for name in &arguments.services {
            let left = until(arguments.timeout).map(|end| end.saturating_sub(started.elapsed()));
            let code = follow(&place, name, left, false).await?;
            if code != ExitCode::SUCCESS {
                return Ok(code);
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn until(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// How far the newest deployment is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// On its way, in words.
    UnderWay(String),
    /// All of it is there.
    Completed(String),
    /// It has come to its end, and that is not the one that was asked for.
    Failed(String),
    /// Something keeps the service from going on, and will not go by itself.
    Stalled(String),
}

impl Progress {
    /// The same, where a deployment is due that the status does not tell of, for so long now.
    fn before(self, service: &str, due: Due, waited: Duration) -> Self {
        let answered = due.is_answered_after(waited);
        let on_its_way =
            |what: &str| Self::UnderWay(format!("service {service}: waiting for {what}"));
        match (self, due) {
            (seen @ Self::UnderWay(_), _) => seen,
            (_, Due::Refused(why)) => Self::Stalled(format!("service {service}: {why}")),
            (_, Due::Registration(family)) => {
                on_its_way(&format!("task definition {family} to be registered"))
            }
            (seen @ Self::Stalled(_), Due::Deployment(_)) if answered => seen,
            (_, Due::Deployment(what)) => on_its_way(&format!("{what} to start")),
        }
    }
}

/// How far a service's newest deployment is, by its own status.
fn progress(service: &Service) -> Progress {
    let name = service.name_any();
    let status = service.status.clone().unwrap_or_default();
    if status.observed_generation != service.metadata.generation {
        return Progress::UnderWay(format!("service {name}: waiting for the operator to see it"));
    }
    let ready = ConditionType::Ready.as_str();
    let condition = status.conditions.iter().find(|condition| condition.type_ == ready);
    let why = condition.map(|one| format!("{}: {}", one.reason, one.message)).unwrap_or_default();
    let newest = status.deployments.first();
    let state = newest.and_then(|newest| newest.rollout_state.as_deref());
    let definition = status.task_definition.clone().unwrap_or_default();
    let counts = format!(
        "{} of {} tasks run, {} pending",
        status.running_count, status.desired_count, status.pending_count
    );
    if state == Some("FAILED") {
        let because = newest.and_then(|newest| newest.rollout_state_reason.clone());
        return Progress::Failed(format!(
            "service {name}: the deployment of {definition} failed: {}",
            because.unwrap_or(why)
        ));
    }
    if holds(&status.conditions, ConditionType::Stalled) {
        return Progress::Stalled(format!("service {name} is stalled: {why}"));
    }
    if let Some(count) = brought_to(service) {
        // Of what was just applied: the autoscaler has not looked yet.
        return Progress::UnderWay(format!(
            "service {name}: {definition}: {counts}; its autoscaler brings it to {count}"
        ));
    }
    if holds(&status.conditions, ConditionType::Ready) && state == Some("COMPLETED") {
        return Progress::Completed(format!(
            "service {name}: {definition} is deployed, {} tasks run",
            status.running_count
        ));
    }
    let trouble = reason(&status.conditions, ConditionType::Ready);
    let trouble = matches!(trouble, Some("UnableToPlaceTask" | "TasksFailToStart"));
    let trouble = if trouble { format!("; {why}") } else { String::new() };
    Progress::UnderWay(format!("service {name}: {definition}: {counts}{trouble}"))
}

/// The count to which the service's autoscaler will bring it, if it is outside its bounds.
fn brought_to(service: &Service) -> Option<i32> {
    let autoscaling = read(&service.spec.0, &mut Findings::default())?;
    let status = service.status.as_ref()?;
    let bounds = status.scaling.as_ref().and_then(|scaling| scaling.bounds);
    brings_to(&autoscaling, bounds.unwrap_or(autoscaling.bounds), status.desired_count)
}

/// Prints a line for each change, until the deployment has come to its end or the time is over.
pub(super) async fn follow(
    place: &Place,
    name: &str,
    within: Option<Duration>,
    once: bool,
) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let mut told = String::new();
    let mut due_since = None;
    loop {
        let service = place.service(name).await?;
        let (line, code) = match look(place, &service, &mut due_since).await? {
            Progress::UnderWay(line) => (line, None),
            Progress::Completed(line) => (line, Some(ExitCode::SUCCESS)),
            Progress::Failed(line) | Progress::Stalled(line) => (line, Some(ExitCode::FAILURE)),
        };
        if line != told {
            super::say(&format!("{line}\n"))?;
            told = line;
        }
        if let Some(code) = code {
            return Ok(code);
        }
        if once {
            return Ok(ExitCode::SUCCESS);
        }
        if within.is_some_and(|within| started.elapsed() >= within) {
            let _ = writeln!(io::stderr(), "error: the time is over; it goes on by itself");
            return Ok(ExitCode::from(TIMED_OUT));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// How far a service is, with what is still to come. `due_since` is kept from one look to the next.
async fn look(
    place: &Place,
    service: &Service,
    due_since: &mut Option<Instant>,
) -> anyhow::Result<Progress> {
    let name = service.name_any();
    if service.metadata.deletion_timestamp.is_some() {
        return Ok(Progress::Failed(format!("service {name} is being deleted")));
    }
    let seen = progress(service);
    if matches!(seen, Progress::UnderWay(_)) {
        return Ok(seen);
    }
    let Some(due) = due(place, service).await? else { return Ok(seen) };
    let waited = due_since.get_or_insert_with(Instant::now).elapsed();
    Ok(seen.before(&name, due, waited))
}

/// The records of a service, oldest first.
pub(super) async fn records(
    place: &Place,
    service: &Service,
) -> anyhow::Result<Vec<ServiceDeployment>> {
    let uid = service.uid().unwrap_or_default();
    let ours = ListParams::default().labels(&format!("{}={uid}", label::SERVICE_UID));
    let mut records = place.api::<ServiceDeployment>().list(&ours).await?.items;
    records.sort_by_key(|record| record.spec.sequence);
    Ok(records)
}

/// The deployments that the service's status lists, oldest first, with what the records that are kept
/// say of them.
fn history(service: &Service, records: &[ServiceDeployment]) -> String {
    let deployments = service.status.clone().unwrap_or_default().deployments;
    if deployments.is_empty() {
        return format!("Service {} has no deployments yet.\n", service.name_any());
    }
    let now = now();
    let uid = service.uid().unwrap_or_default();
    let rows: Vec<Vec<String>> = deployments
        .iter()
        .rev()
        .map(|one| {
            let record =
                records.iter().find(|kept| deployment_id(&uid, kept.spec.sequence) == one.id);
            let cause = record.map(|kept| json!(kept.spec.cause)).unwrap_or_default();
            vec![
                one.id.clone(),
                one.task_definition.clone(),
                one.rollout_state.clone().unwrap_or_default(),
                age(one.created_at.as_ref(), now),
                cause.as_str().unwrap_or_default().to_owned(),
                record.map(|kept| images(&kept.spec.template).join(",")).unwrap_or_default(),
            ]
        })
        .collect();
    table(&["DEPLOYMENT", "TASK-DEFINITION", "ROLLOUT", "AGE", "CAUSE", "IMAGES"], &rows)
}

/// The images of a pod template, in the order of its containers.
fn images(template: &Value) -> Vec<String> {
    let pod: corev1::PodSpec = match template.get("spec") {
        Some(spec) => serde_json::from_value(spec.clone()).unwrap_or_default(),
        None => return Vec::new(),
    };
    pod.containers.into_iter().filter_map(|one| one.image).collect()
}

async fn undo(place: &Place, name: &str, to: Option<i64>) -> anyhow::Result<ExitCode> {
    let service = place.service(name).await?;
    let deployments = service.status.clone().unwrap_or_default().deployments;
    let targets = match to {
        Some(revision) => {
            let newest = deployments.first().map(|newest| newest.task_definition.clone());
            let newest = newest.unwrap_or_default();
            let family = newest.rsplit_once(':').map_or(newest.as_str(), |(family, _)| family);
            anyhow::ensure!(!family.is_empty(), "service {name} has no deployment yet");
            vec![format!("{family}:{revision}")]
        }
        None => before(&deployments),
    };
    let mut target = None;
    for one in &targets {
        if is_kept(place, one).await? {
            target = Some(one.clone());
            break;
        }
    }
    let Some(target) = target else {
        let why = match targets.first() {
            Some(gone) => format!("revision {gone} is not kept any more"),
            None => "there is no completed deployment of another task definition".to_owned(),
        };
        anyhow::bail!(
            "service {name} cannot go back: {why}; `linkspan rollout history {name}` lists them"
        );
    };
    let written = service.spec.0.get("taskDefinition").and_then(Value::as_str).unwrap_or_default();
    if written == target {
        super::say(&format!("service {name} asks for {target} already\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    pin(place, &service, &target).await?;
    let family = target.rsplit_once(':').map_or(target.as_str(), |(family, _)| family);
    super::say(&format!(
        "service {name} goes back to {target}; it follows `{family}` no more until its \
         taskDefinition says so again\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The task definitions of completed deployments that were of another than the newest one, the last
/// first.
fn before(deployments: &[Deployment]) -> Vec<String> {
    let Some((newest, others)) = deployments.split_first() else { return Vec::new() };
    let completed = others.iter().filter(|one| one.rollout_state.as_deref() == Some("COMPLETED"));
    let definitions = completed.map(|one| one.task_definition.clone());
    definitions.filter(|definition| *definition != newest.task_definition).collect()
}

/// Whether a revision is still there.
async fn is_kept(place: &Place, reference: &str) -> anyhow::Result<bool> {
    let Some((family, number)) = reference.rsplit_once(':') else { return Ok(false) };
    let Ok(number) = number.parse() else { return Ok(false) };
    let api = place.api::<TaskDefinitionRevision>();
    Ok(api.get_opt(&revision(family, number)).await?.is_some())
}

/// Writes which task definition a service is to run.
pub(super) async fn pin(place: &Place, service: &Service, target: &str) -> anyhow::Result<()> {
    // Nobody else's change of it is overwritten unseen; of the rest, anybody may write meanwhile.
    let before = service.spec.0.get("taskDefinition").cloned().unwrap_or_default();
    let body: Patch<()> = Patch::Json(serde_json::from_value(json!([
        {"op": "test", "path": "/metadata/uid", "value": service.uid()},
        {"op": "test", "path": "/spec/taskDefinition", "value": before},
        {"op": "replace", "path": "/spec/taskDefinition", "value": target},
    ]))?);
    let parameters =
        PatchParams { field_manager: Some(COMMAND_LINE.to_owned()), ..PatchParams::default() };
    let api = place.api::<Service>();
    api.patch(&service.name_any(), &parameters, &body).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn service(status: &Value) -> Service {
        serde_json::from_value(json!({
            "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
            "metadata": {"name": "web", "generation": 2}, "spec": {"taskDefinition": "web"},
            "status": status,
        }))
        .unwrap()
    }

    fn condition(kind: &str, status: &str, reason: &str) -> Value {
        json!({"type": kind, "status": status, "reason": reason, "message": "why",
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    }

    #[test]
    fn each_state_of_a_deployment_has_its_word() {
        let of = |generation: i64, state: &str, conditions: Value| {
            progress(&service(&json!({
                "observedGeneration": generation, "taskDefinition": "web:3",
                "desiredCount": 4, "runningCount": 3, "pendingCount": 1, "conditions": conditions,
                "deployments": [{"id": "d", "status": "PRIMARY", "taskDefinition": "web:3",
                    "rolloutState": state, "rolloutStateReason": "circuit breaker"}],
            })))
        };
        let under_way = |text: &str| Progress::UnderWay(format!("service web: {text}"));
        assert_eq!(of(1, "COMPLETED", json!([])), under_way("waiting for the operator to see it"));
        let counts = "web:3: 3 of 4 tasks run, 1 pending";
        let rolling = json!([condition("Ready", "False", "DeploymentInProgress")]);
        assert_eq!(of(2, "IN_PROGRESS", rolling), under_way(counts));
        let stuck = json!([condition("Ready", "False", "UnableToPlaceTask")]);
        let expected = under_way(&format!("{counts}; UnableToPlaceTask: why"));
        assert_eq!(of(2, "IN_PROGRESS", stuck), expected);
        assert_eq!(
            of(2, "FAILED", json!([])),
            Progress::Failed(
                "service web: the deployment of web:3 failed: circuit breaker".to_owned()
            )
        );
        let stalled = json!([
            condition("Ready", "False", "InvalidSpec"),
            condition("Stalled", "True", "InvalidSpec")
        ]);
        assert_eq!(
            of(2, "COMPLETED", stalled),
            Progress::Stalled("service web is stalled: InvalidSpec: why".to_owned())
        );
        let ready = json!([condition("Ready", "True", "SteadyState")]);
        assert!(matches!(of(2, "COMPLETED", ready.clone()), Progress::Completed(_)));
        assert!(matches!(of(2, "IN_PROGRESS", ready), Progress::UnderWay(_)), "not yet completed");
    }

    #[test]
    fn the_end_of_the_deployment_before_is_no_end() {
        let said = || "said".to_owned();
        let after = |seen: Progress, due: &Due, seconds| {
            seen.before("web", due.clone(), Duration::from_secs(seconds))
        };
        let under_way = |text: &str| Progress::UnderWay(format!("service web: {text}"));
        let ends =
            || [Progress::Completed(said()), Progress::Failed(said()), Progress::Stalled(said())];
        let registering = Due::Registration("web".to_owned());
        let due = Due::Deployment("the deployment of web:4".to_owned());
        for end in ends() {
            let waiting = under_way("waiting for task definition web to be registered");
            assert_eq!(after(end.clone(), &registering, 60), waiting, "nobody has looked yet");
            let waiting = under_way("waiting for the deployment of web:4 to start");
            assert_eq!(after(end, &due, 0), waiting);
        }
        // What keeps it from starting is then the answer.
        let [completed, failed, stalled] = ends();
        assert_eq!(after(stalled.clone(), &due, 60), stalled);
        for end in [completed, failed] {
            assert!(matches!(after(end, &due, 60), Progress::UnderWay(_)));
        }
        let refused = Due::Refused("task definition web is refused: why".to_owned());
        for end in ends() {
            let expected = "service web: task definition web is refused: why".to_owned();
            assert_eq!(after(end, &refused, 0), Progress::Stalled(expected));
        }
        let moving = under_way("web:3");
        assert_eq!(after(moving.clone(), &due, 0), moving, "it tells more");
    }

    #[test]
    fn a_count_outside_of_an_autoscalers_bounds_is_on_its_way() {
        let of = |policy: Value, now: Value, desired: i32| {
            let mut service = service(&json!({
                "observedGeneration": 2, "taskDefinition": "web:1", "scaling": now,
                "desiredCount": desired, "runningCount": desired, "pendingCount": 0,
                "conditions": [condition("Ready", "True", "SteadyState")],
                "deployments": [{"id": "d", "status": "PRIMARY", "taskDefinition": "web:1",
                    "rolloutState": "COMPLETED"}],
            }));
            service.spec.0 = json!({"taskDefinition": "web", "autoscaling": {
                "scalableTarget": {"minCapacity": 2, "maxCapacity": 6},
                "scalingPolicies": [policy]}});
            progress(&service)
        };
        let tracks = |metric: &str| {
            json!({"policyName": "p", "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 60,
                "predefinedMetricSpecification": {"predefinedMetricType": metric}}})
        };
        let cpu = || tracks("ECSServiceAverageCPUUtilization");
        let expected =
            "service web: web:1: 1 of 1 tasks run, 0 pending; its autoscaler brings it to 2";
        assert_eq!(of(cpu(), json!(null), 1), Progress::UnderWay(expected.to_owned()));
        let is_done = |progress| matches!(progress, Progress::Completed(_));
        assert!(is_done(of(cpu(), json!(null), 2)));
        assert!(!is_done(of(cpu(), json!(null), 7)));
        assert!(is_done(of(cpu(), json!(null), 0)), "an autoscaler rests at 0");
        // A scheduled action has moved the bounds.
        let bounds = json!({"bounds": {"minCapacity": 1, "maxCapacity": 3}});
        assert!(is_done(of(cpu(), bounds.clone(), 1)));
        assert!(!is_done(of(cpu(), bounds, 4)));
        // The operator leaves a count alone until a metric asks for another.
        let requests = json!({"policyName": "p", "targetTrackingScalingPolicyConfiguration": {
            "targetValue": 60, "customizedMetricSpecification": {"namespace": "Shop",
                "metricName": "requests", "statistic": "Average"}}});
        assert!(is_done(of(requests, json!(null), 1)));
    }

    #[test]
    fn back_is_to_the_last_that_was_completed_and_is_another() {
        let deployment = |definition: &str, state: &str| Deployment {
            task_definition: definition.to_owned(),
            rollout_state: Some(state.to_owned()),
            ..Deployment::default()
        };
        let all = [
            deployment("web:4", "IN_PROGRESS"),
            deployment("web:4", "COMPLETED"),
            deployment("web:3", "FAILED"),
            deployment("web:2", "COMPLETED"),
            deployment("web:1", "COMPLETED"),
        ];
        assert_eq!(before(&all), ["web:2", "web:1"]);
        assert!(before(all.get(..2).unwrap()).is_empty());
        assert!(before(&[]).is_empty());
    }
}
