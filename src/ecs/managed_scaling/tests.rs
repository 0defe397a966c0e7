//! The rows of ECS's table, the waits, and what holds for any group.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SMALL: Shape = Shape { millicores: 2000, mebibytes: 4096, gpus: 0, tasks: 10 };
const LARGE: Shape = Shape { millicores: 8000, mebibytes: 16384, gpus: 0, tasks: 50 };

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn tasks(tasks: u32, millicores: u64, mebibytes: u64) -> TaskGroup {
    TaskGroup { needs: Needs { millicores, mebibytes, ..Needs::default() }, tasks }
}

/// A group of which all instances are up, old and small.
fn group(instances: u32, empty: u32, provisioning: Vec<TaskGroup>) -> Group {
    Group {
        size: instances,
        instances,
        empty,
        provisioning,
        shapes: vec![SMALL],
        ..Group::default()
    }
}

fn target(percent: u32) -> Settings {
    Settings { target: Target::new(percent).unwrap(), ..Settings::default() }
}

/// M, the reservation in percent, and the size that is wanted.
fn sums(settings: &Settings, group: &Group) -> (u32, f64, u32) {
    let reservation = reservation(settings, group);
    (reservation.needed, reservation.percent(), wanted(settings, reservation))
}

/// A whole instance's worth of CPU, so often.
fn whole_instances(count: u32) -> Vec<TaskGroup> {
    vec![tasks(count, 2000, 1)]
}

#[test]
fn all_instances_in_use_are_a_hundred_percent() {
    assert_eq!(sums(&target(100), &group(10, 0, vec![])), (10, 100.0, 10));
}

#[test]
fn empty_instances_are_not_needed_and_those_with_daemons_only_count_as_empty() {
    assert_eq!(sums(&target(100), &group(10, 2, vec![])), (8, 80.0, 8));
}

#[test]
fn waiting_tasks_need_more_than_there_is() {
    let waiting = group(4, 0, whole_instances(2));
    assert_eq!(sums(&target(100), &waiting), (6, 150.0, 6));
    assert_eq!(sums(&target(80), &waiting), (6, 150.0, 8));
}

#[test]
fn nothing_for_nothing_is_a_hundred_percent() {
    assert_eq!(sums(&target(100), &group(0, 0, vec![])), (0, 100.0, 0));
}

#[test]
fn anything_for_nothing_is_two_hundred_percent_and_two_instances() {
    for waiting in [1, 9] {
        let (_, percent, wanted) = sums(&target(100), &group(0, 0, whole_instances(waiting)));
        assert_eq!((percent, wanted), (200.0, 2), "{waiting} waiting");
    }
    assert_eq!(sums(&target(100), &group(0, 0, whole_instances(1))).0, 1);
    let never_had_one = Group { shapes: vec![], ..group(0, 0, whole_instances(1)) };
    assert_eq!(sums(&target(100), &never_had_one), (1, 200.0, 2));
    let one_at_a_time = Settings { maximum_step: 1, ..target(100) };
    assert_eq!(sums(&one_at_a_time, &group(0, 0, whole_instances(1))).2, 1);
}

#[test]
fn nothing_needed_of_something_is_zero_percent() {
    assert_eq!(sums(&target(100), &group(3, 3, vec![])), (0, 0.0, 0));
}

#[test]
fn tasks_that_fit_no_smallest_instance_change_nothing() {
    let mut waiting = group(3, 0, vec![tasks(5, 4000, 1)]);
    waiting.shapes = vec![SMALL, LARGE];
    assert_eq!(sums(&target(100), &waiting), (3, 100.0, 3));
    waiting.provisioning.push(tasks(5, 1, 4097));
    waiting.provisioning.push(TaskGroup { needs: Needs { gpus: 1, ..Needs::default() }, tasks: 1 });
    assert_eq!(sums(&target(100), &waiting), (3, 100.0, 3));
}

#[test]
fn the_neediest_kind_counts_packed_on_the_largest_instance() {
    let mut waiting = group(1, 0, vec![tasks(9, 2000, 1), tasks(5, 1, 4096), tasks(3, 4000, 1)]);
    waiting.shapes = vec![SMALL, LARGE];
    // Nine of 2 CPUs are four to an instance of 8; five of 4 GiB are four to one of 16 GiB; those
    // of 4 CPUs do not fit the smallest.
    assert_eq!(sums(&target(100), &waiting).0, 1 + 3);
    let ports = Needs { millicores: 1, mebibytes: 1, gpus: 0, host_ports: true };
    waiting.provisioning.push(TaskGroup { needs: ports, tasks: 4 });
    assert_eq!(sums(&target(100), &waiting).0, 1 + 4);
    waiting.provisioning.push(tasks(251, 1, 1));
    assert_eq!(sums(&target(100), &waiting).0, 1 + 6, "251 tasks are 50 to an instance");
}

#[test]
fn steps_bound_what_is_added() {
    let at_most = Settings { maximum_step: 3, ..target(100) };
    assert_eq!(sums(&at_most, &group(5, 0, whole_instances(7))).0, 5 + 3);
    let at_least = Settings { minimum_step: 4, ..target(100) };
    assert_eq!(sums(&at_least, &group(5, 0, whole_instances(1))).0, 5 + 4);
}

#[test]
fn worked_example_twenty_nine() {
    assert_eq!(sums(&target(100), &group(10, 2, vec![])), (8, 80.0, 8));
    let waiting = group(4, 0, whole_instances(2));
    assert_eq!(sums(&target(100), &waiting), (6, 150.0, 6));
    assert_eq!(sums(&target(80), &waiting).2, 8);
    assert_eq!(sums(&target(100), &group(0, 0, vec![])), (0, 100.0, 0));
    assert_eq!(sums(&target(100), &group(0, 0, whole_instances(1))), (1, 200.0, 2));
    let steps = |minimum_step, maximum_step| Settings { minimum_step, maximum_step, ..target(100) };
    assert_eq!(sums(&steps(1, 3), &group(9, 0, whole_instances(7))).0, 12);
    assert_eq!(sums(&steps(4, 9), &group(9, 0, whole_instances(1))).0, 13);
}

/// What is decided at a time, in seconds from now.
fn at(settings: &Settings, group: &Group, state: &State, seconds: i64) -> Decision {
    decide(settings, group, state, now() + SignedDuration::from_secs(seconds))
}

#[test]
fn a_young_instance_holds_up_growth_until_it_is_warm() {
    let settings = target(100);
    let waiting = Group { youngest: Some(now()), ..group(2, 0, whole_instances(1)) };
    let cold = at(&settings, &waiting, &State::default(), 299);
    assert_eq!(cold.step, Step::Stay(Why::WarmingUp));
    assert_eq!(cold.wake_at, Some(now() + SignedDuration::from_secs(300)));
    let warm = at(&settings, &waiting, &State::default(), 300);
    assert_eq!(warm.step, Step::Grow(3));
    let activity = warm.state.last_activity.unwrap();
    assert_eq!((activity.from, activity.to), (2, 3));
    assert_eq!(activity.cause, "3 of 2 instances needed");
    let on_its_way = Group { size: 3, ..waiting };
    assert_eq!(at(&settings, &on_its_way, &State::default(), 300).step, Step::Stay(Why::Starting));
}

#[test]
fn a_group_shrinks_by_half_at_most_after_fifteen_minutes() {
    let settings = target(100);
    let idle = group(10, 8, vec![]);
    let first = at(&settings, &idle, &State::default(), 0);
    assert_eq!(first.step, Step::Stay(Why::NotForLong));
    assert_eq!(first.wake_at, Some(now() + SignedDuration::from_mins(15)));
    assert_eq!(at(&settings, &idle, &first.state, 899).step, Step::Stay(Why::NotForLong));
    let later = at(&settings, &idle, &first.state, 900);
    assert_eq!(later.step, Step::Shrink(5));
    let asked = Group { size: 5, ..idle };
    assert_eq!(at(&settings, &asked, &later.state, 960).step, Step::Stay(Why::Ending));
    let ended = at(&settings, &group(5, 3, vec![]), &later.state, 1020);
    assert_eq!(ended.step, Step::Shrink(3));
    assert_eq!(at(&settings, &group(3, 1, vec![]), &ended.state, 1080).step, Step::Shrink(2));
    assert_eq!(at(&settings, &group(1, 1, vec![]), &ended.state, 1080).step, Step::Shrink(0));
    assert_eq!(
        at(&settings, &group(2, 0, vec![]), &ended.state, 1080).step,
        Step::Stay(Why::AsWanted)
    );
}

#[test]
fn what_is_needed_again_restarts_the_fifteen_minutes() {
    let settings = target(100);
    let idle = group(4, 1, vec![]);
    let first = at(&settings, &idle, &State::default(), 0);
    let growing = at(&settings, &group(4, 1, whole_instances(1)), &first.state, 600);
    assert_eq!((growing.step, &growing.state.below_target_since), (Step::Grow(5), &None));
    let again = at(&settings, &idle, &growing.state, 660);
    assert_eq!(again.wake_at, Some(now() + SignedDuration::from_secs(660 + 900)));
    let busy = at(&settings, &group(4, 0, vec![]), &first.state, 600);
    assert_eq!(busy.state.below_target_since, None);
}

#[test]
fn a_size_stays_within_the_bounds_of_its_group() {
    let settings = target(100);
    let full = Group { most: Some(4), ..group(4, 0, whole_instances(3)) };
    assert_eq!(at(&settings, &full, &State::default(), 0).step, Step::Stay(Why::AtMost));
    let nearly = Group { most: Some(5), ..full };
    assert_eq!(at(&settings, &nearly, &State::default(), 0).step, Step::Grow(5));
    let since = State { below_target_since: Some(Time(now())), last_activity: None };
    let idle = Group { least: 3, ..group(4, 4, vec![]) };
    assert_eq!(at(&settings, &idle, &since, 900).step, Step::Shrink(3));
    let least = Group { least: 4, ..idle };
    assert_eq!(at(&settings, &least, &since, 900).step, Step::Stay(Why::AtLeast));
    let too_small = Group { least: 5, ..least };
    assert_eq!(at(&settings, &too_small, &since, 900).step, Step::Grow(5));
}

#[test]
fn settings_have_defaults_and_bounds() {
    let read = |value: serde_json::Value| {
        Settings::read(value.as_object().unwrap())
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(read(json!({})), Ok(Settings::default()));
    assert_eq!(
        read(json!({"status": "DISABLED", "targetCapacity": "80", "minimumScalingStepSize": 2,
            "maximumScalingStepSize": 3, "instanceWarmupPeriod": 0})),
        Ok(Settings {
            enabled: false,
            minimum_step: 2,
            maximum_step: 3,
            warmup_seconds: 0,
            ..target(80)
        })
    );
    let wrong =
        read(json!({"status": "enabled", "targetCapacity": 0, "maximumScalingStepSize": 10001,
        "instanceWarmupPeriod": 10001}));
    assert_eq!(
        wrong.unwrap_err(),
        [
            "targetCapacity is 0: must be a whole number from 1 to 100",
            "maximumScalingStepSize is 10001: must be a whole number from 1 to 10000",
            "instanceWarmupPeriod is 10001: must be a whole number from 0 to 10000",
            "status is \"enabled\": must be ENABLED or DISABLED",
        ]
    );
    assert_eq!(
        read(json!({"minimumScalingStepSize": 5, "maximumScalingStepSize": 4})).unwrap_err(),
        ["minimumScalingStepSize is 5: must not be above maximumScalingStepSize, which is 4"]
    );
}

#[test]
fn equal_needs_are_one_kind() {
    let one = Needs { millicores: 1, ..Needs::default() };
    let other = Needs { host_ports: true, ..one };
    let groups = grouped([one, other, one]);
    let counts: Vec<_> = groups.iter().map(|group| (group.needs, group.tasks)).collect();
    assert_eq!(counts, [(one, 2), (other, 1)]);
}

proptest! {
    #[test]
    fn a_group_never_loses_what_runs_and_grows_by_its_steps(
        instances in 0_u32..200, empty in 0_u32..200, more in 0_u32..20,
        least in 0_u32..50, most in proptest::option::of(50_u32..250),
        percent in 1_u32..=100, minimum_step in 1_u32..50, extra_step in 0_u32..50,
        kinds in vec((1_u32..2000, 1_u64..9000, 1_u64..9000), 0..4),
        below_since in proptest::option::of(0_i64..2000), youngest in proptest::option::of(0_i64..600),
    ) {
        let settings =
            Settings { minimum_step, maximum_step: minimum_step + extra_step, ..target(percent) };
        let ago = |seconds: i64| now() - SignedDuration::from_secs(seconds);
        let group = Group {
            size: instances + more,
            least,
            most,
            instances,
            empty: empty.min(instances),
            youngest: youngest.map(ago),
            shapes: vec![SMALL, LARGE],
            provisioning: kinds.iter().map(|(count, cpu, memory)| tasks(*count, *cpu, *memory)).collect(),
        };
        let state = State {
            below_target_since: below_since.map(|seconds| Time(ago(seconds))),
            last_activity: None,
        };
        let decision = decide(&settings, &group, &state, now());
        let Reservation { needed, .. } = decision.reservation;
        let added = needed.saturating_sub(instances);
        prop_assert!(added == 0 || (settings.minimum_step..=settings.maximum_step).contains(&added));
        match decision.step {
            Step::Grow(size) => {
                prop_assert!(size > group.size);
                prop_assert!(size <= decision.wanted.max(least), "more than wanted");
                prop_assert!(most.is_none_or(|most| size <= most.max(least)));
                prop_assert!(youngest.is_none_or(|age| age >= 300), "not warm");
                prop_assert_eq!(decision.state.below_target_since, None);
            }
            Step::Shrink(size) => {
                let running = instances - group.empty;
                prop_assert!(size >= running, "{} of {} run", running, instances);
                prop_assert!(size >= least && size >= decision.wanted);
                prop_assert!(instances - size <= (instances / 2).max(1), "more than half");
                prop_assert!(size < instances);
                prop_assert!(below_since.is_some_and(|since| since >= 900), "too early");
                prop_assert!(needed < instances);
            }
            Step::Stay(_) => prop_assert_eq!(decision.state.last_activity, None),
        }
    }
}
