//! What does a task do on a real node, where simulated ones only play along?
//!
//! A kubelet, containerd and kube-proxy run beside a real control plane, in namespaces of their own,
//! and run pods of images that are made here. That takes root on Linux; elsewhere this program says so
//! and passes. `docs/real-node.md` says what is shown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "in a test, what must not be ends it"
)]

#[macro_use]
#[path = "../included/tell.rs"]
mod tell;

mod corpus;
mod enter;
mod exits;
mod hello;
#[path = "../chart/helm.rs"]
#[allow(dead_code, reason = "of it only what runs helm is needed here")]
mod helm;
mod images;
mod installed;
mod killed;
#[path = "../chart/manifests.rs"]
#[allow(dead_code, reason = "words of the other program's tests that these do not need")]
mod manifests;
#[path = "../cluster/metrics_api.rs"]
#[allow(dead_code, reason = "of it only the address is needed here")]
mod metrics_api;
mod node;
mod order;
mod pods;
mod probes;
mod settings;
#[path = "../cluster/support.rs"]
#[allow(dead_code, reason = "words of the other program's tests that these do not need")]
mod support;
mod surroundings;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use libtest_mimic::{Arguments, Trial};

/// A test of this program, with how long it took.
macro_rules! trial {
    ($($name:tt)*) => {
        Trial::test(stringify!($($name)*).replace(' ', ""), || {
            let started = Instant::now();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on($($name)*());
            let name = stringify!($($name)*).replace(' ', "");
            tell!("{name}: {:.1} s", started.elapsed().as_secs_f64());
            Ok(())
        })
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They wait for seconds to pass more than for a processor.
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(16));
    if arguments.list {
        let all = [outside(), together(), last()].into_iter().flatten().collect();
        return libtest_mimic::run(&arguments, all).exit_code();
    }
    match enter::inside() {
        Some(state) => on_the_node(&state, &arguments),
        None => before_the_node(&arguments),
    }
}

fn before_the_node(arguments: &Arguments) -> ExitCode {
    if let Err(code) = enter::may_be() {
        return code;
    }
    let conclusion = libtest_mimic::run(arguments, outside());
    if conclusion.has_failed() { conclusion.exit_code() } else { enter::enter() }
}

fn on_the_node(state: &Path, arguments: &Arguments) -> ExitCode {
    let (operator, last) = (node::start(state), last());
    if last.iter().any(|trial| is_asked_for(trial.name(), arguments)) {
        installed::build_image();
    }
    let conclusion = libtest_mimic::run(arguments, together());
    // Two operators that know nothing of each other would both write.
    operator.stop();
    if conclusion.has_failed() {
        tell!("{}", node::node().said());
        return conclusion.exit_code();
    }
    libtest_mimic::run(arguments, last).exit_code()
}

/// Whether a test is among those that the command line asks for.
fn is_asked_for(name: &str, arguments: &Arguments) -> bool {
    let fits = |filter: &String| {
        if arguments.exact { name == filter } else { name.contains(filter.as_str()) }
    };
    arguments.filter.as_ref().is_none_or(fits) && !arguments.skip.iter().any(fits)
}

/// Before this program is inside.
fn outside() -> Vec<Trial> {
    vec![trial!(killed::nothing_is_left_of_a_program_that_was_killed)]
}

/// Once the operator of the others has stopped.
fn last() -> Vec<Trial> {
    vec![trial!(installed::the_image_of_the_operator_runs_as_the_chart_installs_it)]
}

/// All at once.
fn together() -> Vec<Trial> {
    vec![
        trial!(hello::answers_by_its_service_and_by_its_own_address),
        trial!(probes::a_check_decides_when_a_task_is_healthy_and_when_it_no_longer_is),
        trial!(probes::without_a_check_a_task_must_stay_up_for_forty_seconds),
        trial!(exits::an_essential_exit_restarts_the_task_whatever_its_code),
        trial!(exits::any_other_exit_leaves_the_task_alone),
        trial!(order::each_condition_is_waited_for),
        trial!(order::what_waits_for_success_does_not_start_after_a_failure),
        trial!(order::what_started_first_stops_last),
        trial!(order::who_does_not_stop_is_killed_when_its_time_is_over),
        trial!(surroundings::variables_and_arguments_reach_the_process_as_they_are_written),
        trial!(surroundings::the_size_of_a_task_bounds_its_containers_together),
        trial!(surroundings::what_containers_print_is_shown_by_the_command_line),
        trial!(surroundings::a_log_router_starts_first_and_receives),
        trial!(corpus::twelve_real_task_definitions_run_with_stand_ins_for_their_images),
    ]
}
