//! The operator is killed right before and right after every write of a service's life, and started
//! again: each step ends in the same state, and every object is made and removed as often, as
//! undisturbed.
//!
//! There are several lives. At what they have beside the plain one, Kubernetes' own objects, the operator
//! is killed on both sides; at what is written as in the plain one, on one side, in turn.
//!
//! Each run has a namespace and an operator of its own, behind a proxy that kills it. A write is
//! named by its step and its number within the step, as it was counted undisturbed. How many status
//! writes there are depends on how fast the cluster is; where a run has fewer writes than were
//! counted, so that nothing was killed, that is said, and the run must still end the same.

#![cfg(feature = "sandbox")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "in a test, what must not be ends it"
)]

#[macro_use]
#[path = "../included/tell.rs"]
mod tell;

#[path = "../included/ask.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod ask;
#[path = "../cluster/bounds.rs"]
#[allow(dead_code, reason = "what tells is not needed here")]
mod bounds;
mod lives;
#[path = "../cluster/metrics_api.rs"]
#[allow(dead_code, reason = "of it only the address is needed here")]
mod metrics_api;
mod operator;
mod proxy;
mod scenario;
mod state;
#[path = "../cluster/support.rs"]
#[allow(dead_code, reason = "the words of the other tests, of which not all are needed here")]
mod support;
mod witness;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::Client;

use crate::lives::Life;
use crate::proxy::{Side, Strike};
use crate::scenario::{Course, Stage, run};
use crate::state::difference;
use crate::support::own_control_plane;
use crate::witness::Witness;

/// How many operators run at once: most of their time they wait for the cluster.
const AT_ONCE: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_write_it_comes_to_the_same_end() {
    let started = Instant::now();
    let control_plane = own_control_plane().await;
    let client = Client::try_from(control_plane.config()).unwrap();
    let witness = Witness::start(&client);
    let stage = Stage { control_plane, client, witness };

    let lives = lives_to_try();
    let courses = lives.iter().map(|life| undisturbed(&stage, *life));
    let courses = futures::future::join_all(courses).await;
    let undisturbed: BTreeMap<Life, Course> = lives.into_iter().zip(courses).collect();
    tell!("undisturbed, {:.0} s: writes of each step", started.elapsed().as_secs_f64());
    for (life, course) in &undisturbed {
        say_what_is_written(*life, course);
    }

    let strikes: Vec<(Life, Strike)> =
        undisturbed.iter().flat_map(|(life, course)| strikes(*life, course)).collect();
    let tried = strikes.len();
    let went: Vec<Went> = futures::stream::iter(strikes)
        .map(async |(life, strike)| {
            let expected = Some(&undisturbed[&life]);
            for _ in 0..2 {
                match run(&stage, life, strike, expected).await {
                    // It had fewer writes this time.
                    Ok(course) if course.strikes == 0 => {}
                    course => return Went { life, strike, course },
                }
            }
            let course = run(&stage, life, strike, expected).await;
            Went { life, strike, course }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    stage.control_plane.stop().await;
    report(&went, tried, started.elapsed());
}

/// Those that `LINKSPAN_LIVES` names, as `Daemon,Split`; else all.
fn lives_to_try() -> Vec<Life> {
    let named = std::env::var("LINKSPAN_LIVES").ok();
    let is_named = |life: &Life| {
        let name = format!("{life:?}");
        named.as_ref().is_none_or(|named| named.split(',').any(|one| one == name))
    };
    Life::ALL.into_iter().filter(is_named).collect()
}

/// How it went with one kill, or with a kill at every write.
struct Went {
    life: Life,
    strike: Strike,
    course: Result<Course, String>,
}

/// How a life goes when nobody disturbs it: twice, and the same both times.
async fn undisturbed(stage: &Stage, life: Life) -> Course {
    let never = || run(stage, life, Strike::Never, None);
    let (one, other) = tokio::join!(never(), never());
    let (mut one, other) = (one.unwrap(), other.unwrap());
    for (number, step) in life.steps().iter().enumerate() {
        let differs = difference(&one.ends[number], &other.ends[number]);
        assert!(
            differs.is_empty(),
            "undisturbed, {life:?}, {step} differs: {}",
            differs.join("\n")
        );
        let differs = difference(&one.counts[number], &other.counts[number]);
        let differs = differs.join("\n");
        assert!(differs.is_empty(), "undisturbed, {life:?}, {step} counts differ: {differs}");
        for writes in [&one.writes[number], &other.writes[number]] {
            let mut rest = writes.iter();
            let has_all = life.must_write(step).iter().all(|must| rest.any(|write| write == must));
            assert!(has_all, "undisturbed, {life:?}, {step} writes otherwise: {writes:?}");
        }
    }
    // How many status writes there are varies.
    for (writes, others) in one.writes.iter_mut().zip(other.writes) {
        if others.len() > writes.len() {
            *writes = others;
        }
    }
    one
}

fn say_what_is_written(life: Life, course: &Course) {
    let least = course.least_healthy.map(|least| format!(", at least {least} healthy"));
    tell!("  {life:?}{}", least.unwrap_or_default());
    for (step, writes) in life.steps().iter().zip(&course.writes) {
        tell!("    {step}: {} ({})", writes.len(), tally(writes));
    }
}

/// The kills of a life; and for the plain one, lives in which every single write is the last.
fn strikes(life: Life, undisturbed: &Course) -> Vec<(Life, Strike)> {
    let mut strikes: Vec<Strike> = Vec::new();
    if life == Life::Plain {
        // Killed before every write, it would never write.
        strikes.extend([Side::Unanswered, Side::After].map(Strike::Always));
    }
    for (step, writes) in undisturbed.writes.iter().enumerate() {
        for (write, what) in writes.iter().enumerate() {
            let sides = sides(life, life.steps()[step], write, what);
            strikes.extend(sides.iter().map(|side| Strike::At { step, write, side: *side }));
        }
    }
    strikes.into_iter().map(|strike| (life, strike)).collect()
}

/// On which sides of a write a life is tried.
fn sides(life: Life, step: &str, number: usize, what: &str) -> &'static [Side] {
    let is_ours = what.contains("ecs.linkspan.dev") && !what.contains("/scale");
    let in_turn = &Side::ALL[number % Side::ALL.len()..][..1];
    match life {
        Life::Plain => &Side::ALL,
        // A service is made as it is in the life that is split.
        Life::Drained if step == "create" => &[],
        _ if is_ours => in_turn,
        _ => &[Side::Before, Side::Unanswered],
    }
}

fn report(went: &[Went], tried: usize, took: Duration) {
    let equal = went.iter().filter(|one| one.course.is_ok()).count();
    let ended = || went.iter().filter_map(|one| Some((one, one.course.as_ref().ok()?)));
    let unstruck: Vec<_> = ended()
        .filter(|(_, course)| course.strikes == 0)
        .map(|(one, _)| (one.life, one.strike))
        .collect();
    tell!("points: {tried}, equal ends: {equal}, in {:.0} s", took.as_secs_f64());
    for life in Life::ALL {
        let points = went.iter().filter(|one| one.life == life).count();
        let least = ended().filter(|(one, _)| one.life == life);
        let least = least.filter_map(|(_, course)| course.least_healthy).min();
        let least = least.map(|least| format!(", at least {least} healthy")).unwrap_or_default();
        tell!("  {life:?}: {points} points{least}");
    }
    tell!("points without as many writes this time: {} {unstruck:?}", unstruck.len());
    for (one, course) in ended() {
        if let Strike::Always(side) = one.strike {
            tell!("killed at every write, {side:?}: {} times", course.strikes);
        }
    }
    let single = ended().filter(|(one, _)| matches!(one.strike, Strike::At { .. }));
    let slowest = single.map(|(one, course)| (course.recovery, one.life, one.strike)).max();
    tell!("slowest from a kill to the end of its step: {slowest:?}");
    let failed: Vec<String> = went
        .iter()
        .filter_map(|one| Some((one, one.course.as_ref().err()?)))
        .map(|(one, why)| format!("{:?} {:?}: {why}", one.life, one.strike))
        .collect();
    assert!(failed.is_empty(), "{} ends differ:\n{}", failed.len(), failed.join("\n\n"));
    assert!(unstruck.len() * 10 <= tried, "too many points were not reached");
}

fn tally(writes: &[String]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for write in writes {
        *counts.entry(write).or_default() += 1;
    }
    let counts = counts.iter().map(|(write, count)| format!("{count} {write}"));
    counts.collect::<Vec<_>>().join(", ")
}
