//! Does any of thousands of random runs break a bound, come to no rest, or end anywhere but where it
//! was asked to?
//!
//! A run is a function of its seed: a service, a script of what people do, how pods fare, which
//! writes are lost, repeated or unanswered, when the operator restarts, and in which order all act.
//! After the script everybody acts in turn until nothing changes any more. `SEED=n` runs one, and
//! tells it; `SEEDS=n` runs so many.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use linkspan::names::label;
use linkspan::world::{Kind, ObjectKey};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::bounds::Margins;
use crate::chance::Chance;
use crate::kubelet::Fate;
use crate::operator::Fault;
use crate::rollouts::{line, who, workload};
use crate::stage::{Action, Deed, REVISIONS, STRATEGIES, Stage, revisions};

const RUNS: u64 = 2_000;

/// Runs that once found something.
const FOUND: &[u64] = &[
    1962, 2087, 2805, 4067, 4075, 5408, 6318, 6406, 8309, 8793, 10521, 10910, 15057, 15646, 17366,
];

/// Runs over several providers that once found something.
const FOUND_OF_SEVERAL: &[u64] = &[2131, 2261, 2497, 2596, 2672, 3497, 5511];

/// What a run went through.
struct Run {
    steps: usize,
    margins: Margins,
}

fn ask(chance: &mut Chance) -> Ask {
    Ask {
        desired: i32::try_from(chance.below(11)).unwrap(),
        minimum_healthy: chance.one(&[0, 50, 75, 100]),
        maximum: chance.one(&[100, 125, 150, 200]),
    }
}

fn fates(chance: &mut Chance, losses: bool) -> Vec<Fate> {
    match chance.below(3) {
        0 => Vec::new(),
        1 => (0..7).map(|_| Fate::Slow(u8::try_from(chance.below(4)).unwrap())).collect(),
        _ if losses => {
            let fates = [Fate::Good, Fate::Good, Fate::Slow(3), Fate::Flaps(1), Fate::Flaps(3)];
            (0..7).map(|_| chance.one(&fates)).collect()
        }
        _ => vec![Fate::Good, Fate::Slow(6), Fate::Good],
    }
}

/// What happens in a run.
struct Script {
    deeds: Vec<(usize, Deed)>,
    faults: bool,
    /// The objects that a person deletes or edits may be made more than once.
    meddling: bool,
}

fn script(chance: &mut Chance, first: Ask, losses: bool) -> Script {
    let meddling = chance.percent(20);
    let (mut ask, mut revision, mut after) = (first, 1, chance.below(60));
    let mut deeds = Vec::new();
    for _ in 0..=chance.below(4) {
        let deed = match chance.below(10) {
            0..=3 => {
                revision = 1 + chance.below(REVISIONS);
                Deed::Ask { ask, revision }
            }
            4..=6 => {
                ask.desired = self::ask(chance).desired;
                Deed::Ask { ask, revision }
            }
            7 => {
                ask = Ask { desired: ask.desired, ..self::ask(chance) };
                Deed::Ask { ask, revision }
            }
            8 => {
                (ask, revision) = (self::ask(chance), 1 + chance.below(REVISIONS));
                Deed::Ask { ask, revision }
            }
            _ if meddling => match chance.below(3) {
                0 => Deed::DeleteChild(chance.below(5)),
                1 => Deed::ScaleChild(i32::try_from(chance.below(12)).unwrap()),
                _ => Deed::OpenChild,
            },
            _ if losses => Deed::DeletePod(chance.below(10)),
            _ => continue,
        };
        deeds.push((after, deed));
        after += chance.below(80);
    }
    Script { deeds, faults: chance.percent(50), meddling }
}

/// Has a script's service begin on some providers, and moves it to others.
fn move_about(chance: &mut Chance, script: &mut Script) -> usize {
    let others: Vec<usize> = (0..STRATEGIES.len()).collect();
    for (_, deed) in &mut script.deeds {
        if chance.percent(30) {
            *deed = Deed::Move(chance.one(&others));
        }
    }
    1 + chance.below(STRATEGIES.len() - 1)
}

fn run(
    seed: u64,
    revisions: &[(ObjectKey, Value)],
    several: bool,
    tell: bool,
) -> Result<Run, String> {
    let mut chance = Chance::of(seed);
    let first = ask(&mut chance);
    let losses = chance.percent(40);
    let family = chance.one(&["web", "web", "bare"]);
    let mut script = script(&mut chance, first, losses);
    let strategy = if several { move_about(&mut chance, &mut script) } else { 0 };
    let mut stage = Stage::over(revisions, family, first, losses, strategy);
    if several && chance.percent(20) {
        stage.cluster.fates.no_nodes = Arc::new(vec![1 + chance.below(3)]);
    }
    stage.cluster.fates.turns = Arc::new(fates(&mut chance, losses));
    let mut text = format!("{first:?} {family} losses {losses} faults {}\n", script.faults);
    let mut steps = 0;
    // Half of the runs start from rest.
    let at_rest = chance.percent(50);
    if at_rest {
        steps += stage.rest(|_, _| {}).map_err(|why| format!("{why}\n{text}"))?;
    }
    let mut act = |stage: &mut Stage, action: &Action| -> Result<bool, String> {
        let who = if tell { who(stage, action) } else { String::new() };
        let changed = stage.act(action);
        if tell && changed.as_ref().is_ok_and(|changed| *changed) {
            line(&stage.cluster, &who, &mut text);
        }
        steps += 1;
        changed.map_err(|why| format!("{why}\n{text}{who}\n{}", workload(&stage.cluster)))
    };
    for (number, (after, deed)) in script.deeds.iter().enumerate() {
        let before = if number == 0 { 0 } else { script.deeds[number - 1].0 };
        for _ in before..*after {
            let action = next(&stage, &mut chance, script.faults);
            act(&mut stage, &action)?;
        }
        act(&mut stage, &Action::User(deed.clone()))?;
    }
    for _ in 0..chance.below(40) {
        let action = next(&stage, &mut chance, script.faults);
        act(&mut stage, &action)?;
    }
    let mut told = String::new();
    let rested = stage.rest(|stage, action| {
        if tell {
            line(&stage.cluster, &format!("{action:?}"), &mut told);
        }
    });
    let rested = rested.map_err(|why| format!("{why}\n{text}{told}"));
    steps += rested?;
    if !stage.cluster.fates.no_nodes.is_empty() {
        stage.cluster.fates.no_nodes = Arc::default();
        let rested = stage.rest(|stage, action| {
            if tell {
                line(&stage.cluster, &format!("{action:?}"), &mut told);
            }
        });
        steps += rested.map_err(|why| format!("{why}\n{text}{told}"))?;
    }
    ended_well(&stage, &script)
        .map_err(|why| format!("{why}\n{text}{told}{}", workload(&stage.cluster)))?;
    Ok(Run { steps, margins: stage.margins })
}

/// Whatever comes next.
fn next(stage: &Stage, chance: &mut Chance, faults: bool) -> Action {
    match chance.below(40) {
        0 if faults => Action::Restart,
        1 => Action::Wait(1),
        2 => match stage.next_second() {
            Some(second) => Action::Wait(second - stage.cluster.now),
            None => some_deployment(stage, chance),
        },
        3..=9 => some_deployment(stage, chance),
        10..=16 if stage.operator.pending().is_none() => Action::Plan,
        10..=16 if faults && chance.percent(25) => {
            Action::Write(chance.one(&[Fault::Dropped, Fault::AnswerLost, Fault::Repeated]))
        }
        10..=16 => Action::Write(Fault::None),
        _ => {
            let mut actors = stage.actors();
            actors.swap_remove(chance.below(actors.len()))
        }
    }
}

fn some_deployment(stage: &Stage, chance: &mut Chance) -> Action {
    let ids: Vec<u32> = stage.cluster.deployments.iter().map(|found| found.id).collect();
    match ids.as_slice() {
        [] => Action::Deployment(0),
        [only] => Action::Deployment(*only),
        several => Action::Deployment(chance.one(several)),
    }
}

/// Whether the run ended where the last ask wanted it, and made nothing twice.
fn ended_well(stage: &Stage, script: &Script) -> Result<(), String> {
    let cluster = &stage.cluster;
    let ask = *cluster.asks.last().unwrap();
    let newest = stage.records().filter_map(|record| record["spec"]["sequence"].as_i64()).max();
    if cluster.healthy() != ask.desired || cluster.total() != ask.desired {
        return Err(format!("rests at {} of {}", cluster.healthy(), ask.desired));
    }
    let recorded = stage.records().find(|record| record["spec"]["sequence"].as_i64() == newest);
    let spec = recorded.map_or(&Value::Null, |record| &record["spec"]);
    let template = spec["templateFrom"].as_i64().or(newest);
    let placements = spec["placements"].as_array().map_or(1, |all| all.len().max(1));
    if cluster.deployments.len() != placements && ask.has_room() {
        return Err(format!("rests on {} Deployments", cluster.deployments.len()));
    }
    for deployment in &cluster.deployments {
        if ask.has_room() && Some(deployment.sequence) != template {
            return Err(format!("rests at record {}, not {template:?}", deployment.sequence));
        }
        let labels = &deployment.body["spec"]["template"]["metadata"]["labels"];
        if labels[label::DEPLOYMENT] != json!(deployment.sequence.to_string()) {
            return Err("the template is of no record".to_owned());
        }
    }
    let asked = &cluster.others[&crate::operator::service()]["spec"]["taskDefinition"];
    if recorded.map(|record| &record["spec"]["taskDefinition"]) != Some(asked) {
        return Err(format!("the newest record is not of {asked}"));
    }
    if !script.meddling {
        // A provider's Deployment goes with the provider, and may come back with it.
        let moves = script.deeds.iter().any(|(_, deed)| matches!(deed, Deed::Move(_)));
        let is_one = |key: &ObjectKey| !moves || key.kind != Kind::Deployment;
        let twice = cluster.creations.iter().filter(|(key, n)| **n > 1 && is_one(key));
        let twice: BTreeMap<_, _> = twice.collect();
        if !twice.is_empty() {
            return Err(format!("made more than once: {twice:?}"));
        }
    }
    let foreign = cluster.others.keys().find(|key| key.kind == Kind::Deployment);
    foreign.map_or(Ok(()), |key| Err(format!("{key} is kept twice")))
}

#[test]
fn random_runs_keep_the_bounds_and_come_to_rest() {
    try_out(false, FOUND);
}

#[test]
fn random_runs_over_several_providers_keep_the_bounds_and_come_to_rest() {
    try_out(true, FOUND_OF_SEVERAL);
}

fn try_out(several: bool, found: &[u64]) {
    let number = |name| std::env::var_os(name).and_then(|text| text.to_str()?.parse::<u64>().ok());
    let revisions = revisions();
    if let Some(seed) = number("SEED") {
        if let Err(story) = run(seed, &revisions, several, true) {
            panic!("{story}");
        }
        return;
    }
    let runs = number("SEEDS").unwrap_or(RUNS);
    let started = Instant::now();
    let half = |from: usize| {
        let revisions = &revisions;
        move || -> (usize, Margins, BTreeMap<u64, String>) {
            let (mut steps, mut margins) = (0, Margins::default());
            let mut failed = BTreeMap::new();
            for seed in (0..runs).chain(found.iter().copied()).skip(from).step_by(2) {
                match run(seed, revisions, several, false) {
                    Ok(run) => {
                        steps += run.steps;
                        margins = margins.with(&run.margins);
                    }
                    Err(why) => {
                        failed.insert(seed, why.lines().next().unwrap_or_default().to_owned());
                    }
                }
            }
            (steps, margins, failed)
        }
    };
    let (steps, margins, failed) = std::thread::scope(|scope| {
        let other = scope.spawn(half(1));
        let (steps, margins, mut failed) = half(0)();
        let (more, others, also) = other.join().unwrap();
        failed.extend(also);
        (steps + more, margins.with(&others), failed)
    });
    tell!(
        "{} runs, {steps} steps in {:.1} s; least healthy above the floor {}, least room below \
         the cap {}; above the cap by lag of ReplicaSets {}; misled by late statuses {}",
        runs + found.len() as u64,
        started.elapsed().as_secs_f32(),
        margins.healthy,
        margins.total,
        margins.lag,
        margins.misled
    );
    let some: Vec<_> = failed.iter().take(20).collect();
    assert!(
        failed.is_empty(),
        "{} of {runs} runs failed; SEED=n tells one: {some:#?}",
        failed.len()
    );
}
