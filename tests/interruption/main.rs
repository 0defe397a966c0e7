//! The operator is killed right before and right after every write of a service's life, and started
//! again: each step ends in the same state, and every object is made and removed as often, as
//! undisturbed.
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

use crate::proxy::{Side, Strike};
use crate::scenario::{Course, STEPS, Stage, run};
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

    let undisturbed = undisturbed(&stage).await;
    tell!("undisturbed, {:.0} s: writes of each step", started.elapsed().as_secs_f64());
    for (step, writes) in STEPS.iter().zip(&undisturbed.writes) {
        tell!("  {step}: {} ({})", writes.len(), tally(writes));
    }

    let strikes = strikes(&undisturbed);
    let tried = strikes.len();
    let went: Vec<(Strike, Result<Course, String>)> = futures::stream::iter(strikes)
        .map(async |strike| {
            for _ in 0..2 {
                match run(&stage, strike, Some(&undisturbed)).await {
                    // It had fewer writes this time.
                    Ok(course) if course.strikes == 0 => {}
                    went => return (strike, went),
                }
            }
            (strike, run(&stage, strike, Some(&undisturbed)).await)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    stage.control_plane.stop().await;
    report(&went, tried, started.elapsed());
}

/// How a life goes when nobody disturbs it: twice, and the same both times.
async fn undisturbed(stage: &Stage) -> Course {
    let never = || run(stage, Strike::Never, None);
    let (one, other) = tokio::join!(never(), never());
    let (mut one, other) = (one.unwrap(), other.unwrap());
    for (number, step) in STEPS.iter().enumerate() {
        let differs = difference(&one.ends[number], &other.ends[number]);
        assert!(differs.is_empty(), "undisturbed, {step} differs: {}", differs.join("\n"));
        let differs = difference(&one.counts[number], &other.counts[number]);
        assert!(differs.is_empty(), "undisturbed, {step} counts differ: {}", differs.join("\n"));
    }
    // How many status writes there are varies.
    for (writes, others) in one.writes.iter_mut().zip(other.writes) {
        if others.len() > writes.len() {
            *writes = others;
        }
    }
    one
}

/// Every write on every side, and lives in which every single write is the last.
fn strikes(undisturbed: &Course) -> Vec<Strike> {
    let at = |step: usize, writes: &Vec<String>| {
        (0..writes.len())
            .flat_map(move |write| Side::ALL.map(|side| Strike::At { step, write, side }))
    };
    let all = undisturbed.writes.iter().enumerate().flat_map(|(step, writes)| at(step, writes));
    // Killed before every write, it would never write.
    let always = [Side::Unanswered, Side::After].map(Strike::Always);
    always.into_iter().chain(all).collect()
}

fn report(went: &[(Strike, Result<Course, String>)], tried: usize, took: Duration) {
    let equal = went.iter().filter(|(_, course)| course.is_ok()).count();
    let unstruck: Vec<_> = went
        .iter()
        .filter(|(_, course)| course.as_ref().is_ok_and(|course| course.strikes == 0))
        .map(|(strike, _)| strike)
        .collect();
    tell!("points: {tried}, equal ends: {equal}, in {:.0} s", took.as_secs_f64());
    tell!("points without as many writes this time: {} {unstruck:?}", unstruck.len());
    for (strike, course) in went {
        if let (Strike::Always(side), Ok(course)) = (strike, course) {
            tell!("killed at every write, {side:?}: {} times", course.strikes);
        }
    }
    let single = |strike: &Strike| matches!(strike, Strike::At { .. });
    let recoveries = went.iter().filter(|(strike, _)| single(strike));
    let slowest = recoveries
        .filter_map(|(strike, course)| Some((course.as_ref().ok()?.recovery, strike)))
        .max();
    tell!("slowest from a kill to the end of its step: {slowest:?}");
    let failed: Vec<String> = went
        .iter()
        .filter_map(|(strike, course)| Some((strike, course.as_ref().err()?)))
        .map(|(strike, why)| format!("{strike:?}: {why}"))
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
