//! A service's life, step by step, and how it went.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::Client;
use linkspan::api::{Service, TaskDefinition};
use linkspan::sandbox::control_plane::ControlPlane;
use linkspan::world::Kind;
use serde_json::{Value, json};

use crate::proxy::{Proxied, Strike};
use crate::state::{counts, difference, state, text};
use crate::support::{Place, patience};
use crate::witness::{Seen, Witness};

/// What a user does, in this order, and what the user then waits for.
pub(crate) const STEPS: [&str; 6] = ["create", "scale", "roll", "revert", "scale to 0", "delete"];

/// How long nothing must be written or happen for an undisturbed step to have ended.
const QUIET: Duration = Duration::from_millis(1500);

/// What all runs share.
pub(crate) struct Stage {
    pub(crate) control_plane: ControlPlane,
    pub(crate) client: Client,
    pub(crate) witness: Witness,
}

/// How a step ended: the state, and how often each object was made and removed by then.
type End = (BTreeMap<String, Value>, BTreeMap<String, (u32, u32)>);

/// How one run went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// The state after each step.
    pub(crate) ends: Vec<BTreeMap<String, Value>>,
    /// How often each object was made and removed by then.
    pub(crate) counts: Vec<BTreeMap<String, (u32, u32)>>,
    /// What was written, by step.
    pub(crate) writes: Vec<Vec<String>>,
    /// How often the operator was killed.
    pub(crate) strikes: usize,
    /// From the last kill to the end of its step.
    pub(crate) recovery: Duration,
}

/// Runs the steps in a namespace of their own; with an expectation, a step has ended when the state
/// is the expected one, and each object was made and removed as often; else when all is quiet.
///
/// Once the step of a single kill has come to the expected end, what would follow is what follows
/// undisturbed: such a run goes on to the deletion.
pub(crate) async fn run(
    stage: &Stage,
    strike: Strike,
    expected: Option<&Course>,
) -> Result<Course, String> {
    let prefix = if expected.is_some() { "struck" } else { "undisturbed" };
    let namespace = stage.control_plane.namespace(&stage.client, prefix).await.unwrap();
    let operator = Proxied::start(&stage.control_plane, &namespace, strike).await;
    let place = Place { client: stage.client.clone(), namespace: namespace.clone() };
    let mut course = Course::default();
    let single = matches!(strike, Strike::At { .. });
    let went = steps(stage, &place, &operator, expected, single, &mut course).await;
    let said = operator.said();
    if let Some(panic) = said.lines().find(|line| line.contains("panicked at")) {
        return Err(format!("the operator panicked: {panic}"));
    }
    went.map_err(|why| {
        let last: Vec<&str> = said.lines().rev().take(12).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        format!("{namespace}: {why}\nthe operator's last words:\n{}", last.join("\n"))
    })?;
    course.writes = operator.writes();
    course.strikes = operator.strikes().0;
    Ok(course)
}

async fn steps(
    stage: &Stage,
    place: &Place,
    operator: &Proxied,
    expected: Option<&Course>,
    single: bool,
    course: &mut Course,
) -> Result<(), String> {
    let mut made = None;
    for (number, step) in STEPS.into_iter().enumerate() {
        let last = step == STEPS[STEPS.len() - 1];
        if !last && made.is_some() {
            continue;
        }
        operator.step(number);
        act(place, step).await;
        let met = |seen: &Seen| as_asked(seen, step).map(|()| (state(seen), counts(seen)));
        let end = match expected {
            None => quiet(stage, place, operator, met).await,
            Some(expected) => {
                let counted = match &made {
                    Some(made) => all_removed(made),
                    None => expected.counts[number].clone(),
                };
                let as_expected = |seen: &Seen| {
                    let found = met(seen)?;
                    let mut differs = difference(&expected.ends[number], &found.0);
                    differs.extend(difference(&counted, &found.1));
                    if differs.is_empty() { Ok(found) } else { Err(differs.join("\n")) }
                };
                stage.witness.until(&place.namespace, patience(), as_expected).await
            }
        };
        let (found, counts) = end.map_err(|why| format!("after {step}: {why}"))?;
        if let (1, Some(struck)) = operator.strikes()
            && course.recovery.is_zero()
        {
            course.recovery = struck.elapsed();
            made = single.then(|| counts.clone());
        }
        course.ends.push(found);
        course.counts.push(counts);
    }
    Ok(())
}

/// Everything that was made, as it is when all of it has gone.
fn all_removed(made: &BTreeMap<String, (u32, u32)>) -> BTreeMap<String, (u32, u32)> {
    made.iter().map(|(name, (made, _))| (name.clone(), (*made, *made))).collect()
}

async fn act(place: &Place, step: &str) {
    match step {
        "create" => {
            place.task_definition("shop", "example/shop:1").await;
            place.service("web", json!({"taskDefinition": "shop", "desiredCount": 2})).await;
        }
        "scale" => place.scale("web", 3).await,
        "roll" => place.task_definition("shop", "example/shop:2").await,
        "revert" => place.task_definition("shop", "example/shop:1").await,
        "scale to 0" => place.scale("web", 0).await,
        "delete" => {
            place.delete::<Service>("web").await;
            place.delete::<TaskDefinition>("shop").await;
        }
        other => unreachable!("{other}"),
    }
}

/// Whether a step has come to what its user waits for.
fn as_asked(seen: &Seen, step: &str) -> Result<(), String> {
    let (tasks, revision) = match step {
        "create" => (2, "shop:1"),
        "scale" => (3, "shop:1"),
        "roll" => (3, "shop:2"),
        "revert" => (3, "shop:3"),
        "scale to 0" => (0, "shop:3"),
        _ => {
            let left: Vec<_> = seen.objects.keys().collect();
            return if left.is_empty() { Ok(()) } else { Err(format!("left: {left:?}")) };
        }
    };
    let Some(service) = seen.objects.get(&(Kind::Service, "web".to_owned())) else {
        return Err("no service".to_owned());
    };
    let status = &service["status"];
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
    let is_so = ready
        && status["observedGeneration"] == service["metadata"]["generation"]
        && status["runningCount"].as_i64().unwrap_or_default() == tasks
        && status["pendingCount"].as_i64().unwrap_or_default() == 0
        && text(status, "/taskDefinition").as_deref() == Some(revision);
    if is_so { Ok(()) } else { Err(format!("not {tasks} tasks of {revision}: {status}")) }
}

/// Waits until a step has come to its end and nothing follows.
async fn quiet(
    stage: &Stage,
    place: &Place,
    operator: &Proxied,
    met: impl Fn(&Seen) -> Result<End, String>,
) -> Result<End, String> {
    let mut end = stage.witness.until(&place.namespace, patience(), &met).await?;
    let (mut written, mut since) = (operator.written(), Instant::now());
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    while since.elapsed() < QUIET {
        ticks.tick().await;
        let now = met(&stage.witness.of(&place.namespace))?;
        if (now != end) || operator.written() != written {
            (end, written, since) = (now, operator.written(), Instant::now());
        }
    }
    Ok(end)
}
