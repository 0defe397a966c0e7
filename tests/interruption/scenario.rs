//! A service's life, step by step, and how it went.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::Client;
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::Value;

use crate::bounds::Recording;
use crate::lives::{self, DELETE, Life};
use crate::proxy::{Proxied, Strike};
use crate::state::{counts, difference, state};
use crate::support::{Place, patience};
use crate::witness::{Seen, Witness};

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
    /// The least tasks that were healthy from the first step to the last but one, where it was judged.
    pub(crate) least_healthy: Option<i32>,
}

/// Runs the steps in a namespace of their own; with an expectation, a step has ended when the state
/// is the expected one, and each object was made and removed as often; else when all is quiet.
///
/// Once the step of a single kill has come to the expected end, what would follow is what follows
/// undisturbed: such a run goes on to the deletion.
pub(crate) async fn run(
    stage: &Stage,
    life: Life,
    strike: Strike,
    expected: Option<&Course>,
) -> Result<Course, String> {
    let prefix = if expected.is_some() { "struck" } else { "undisturbed" };
    let namespace = stage.control_plane.namespace(&stage.client, prefix).await.unwrap();
    let has_nodes = !life.groups().is_empty();
    let operator = Proxied::start(&stage.control_plane, &namespace, has_nodes, strike).await;
    let place = Place { client: stage.client.clone(), namespace: namespace.clone() };
    let mut course = Course::default();
    let single = matches!(strike, Strike::At { .. });
    let went = steps(stage, life, &place, &operator, expected, single, &mut course).await;
    if has_nodes {
        lives::clear(&place).await;
    }
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
    life: Life,
    place: &Place,
    operator: &Proxied,
    expected: Option<&Course>,
    single: bool,
    course: &mut Course,
) -> Result<(), String> {
    let mut made = None;
    let mut recording = None;
    for (number, step) in life.steps().iter().copied().enumerate() {
        if step != DELETE && made.is_some() {
            continue;
        }
        if step == DELETE
            && let Some((recording, floor)) = recording.take()
        {
            course.least_healthy = Some(within(&recording, floor).await?);
        }
        operator.step(number);
        life.act(place, step).await;
        let met = |seen: &Seen| life.as_asked(seen, step).map(|()| (state(seen), counts(seen)));
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
        if let (0, Some(floor)) = (number, life.floor()) {
            recording = Some((Recording::start(place, "web").await, floor));
        }
    }
    Ok(())
}

/// The least that were healthy at any time, which was within the bounds.
async fn within(recording: &Recording, floor: i32) -> Result<i32, String> {
    let verdict = recording.judged().await?;
    let least = verdict.least_healthy;
    if least >= floor { Ok(least) } else { Err(format!("{least} healthy: {verdict:?}")) }
}

/// Everything that was made, as it is when all of it has gone.
fn all_removed(made: &BTreeMap<String, (u32, u32)>) -> BTreeMap<String, (u32, u32)> {
    made.iter().map(|(name, (made, _))| (name.clone(), (*made, *made))).collect()
}

/// Waits until a step has come to its end and nothing follows.
async fn quiet(
    stage: &Stage,
    place: &Place,
    operator: &Proxied,
    met: impl Fn(&Seen) -> Result<End, String>,
) -> Result<End, String> {
    let asked = || stage.witness.until(&place.namespace, patience(), &met);
    let mut end = asked().await?;
    let (mut written, mut since) = (operator.written(), Instant::now());
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    while since.elapsed() < QUIET {
        ticks.tick().await;
        // What was met at first may have been the end of the step before.
        let now = asked().await?;
        if (now != end) || operator.written() != written {
            (end, written, since) = (now, operator.written(), Instant::now());
        }
    }
    Ok(end)
}
