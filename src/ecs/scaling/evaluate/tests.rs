//! Does a service follow its load over a clock that the test turns?

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::ecs::scaling::alarm::{Comparison, MissingData};
use crate::ecs::scaling::step::{AdjustmentType, StepAdjustment};

/// The count is left alone.
const NONE: [i32; 0] = [];

/// A service on a clock that stands still unless it is turned.
struct Clock {
    now: Timestamp,
    target: Target,
    policies: Vec<Policy>,
    metrics: BTreeMap<String, Vec<Datapoint>>,
    state: ScalingState,
    last: Vec<Opinion>,
}

impl Clock {
    fn of(count: i32, policies: Vec<Policy>) -> Self {
        Self {
            now: "2026-01-05T10:00:30Z".parse().unwrap(),
            target: Target {
                resource: "service/default/web".to_owned(),
                bounds: Bounds { min_capacity: 1, max_capacity: 10 },
                suspended: Suspended::default(),
                count,
                deploying: false,
            },
            policies,
            metrics: BTreeMap::new(),
            state: ScalingState::default(),
            last: Vec::new(),
        }
    }

    /// Lets minutes pass in which each policy's metric has this value; says the counts that were set.
    fn minutes(&mut self, minutes: usize, values: &[f64]) -> Vec<i32> {
        let mut set = Vec::new();
        for _ in 0..minutes {
            for (policy, value) in self.policies.iter().zip(values) {
                let sample = Datapoint { at: self.now, value: *value };
                self.metrics.entry(policy.name.clone()).or_default().push(sample);
            }
            self.now = self.now.saturating_add(SignedDuration::from_mins(1)).unwrap();
            set.extend(self.ask());
        }
        set
    }

    fn ask(&mut self) -> Option<i32> {
        let timing = Timing::default();
        let (target, policies) = (&self.target, &self.policies);
        let decision = evaluate(target, policies, &self.metrics, &self.state, &timing, self.now);
        let text = serde_json::to_string(&decision.state).unwrap();
        self.state = serde_json::from_str(&text).unwrap();
        assert_eq!(self.state, decision.state, "what is remembered survives being written down");
        assert_eq!(decision.wake_at, alarm::next_tick(self.now, 60));
        self.last = decision.policies;
        if let Some(count) = decision.count {
            assert_ne!(count, self.target.count);
            assert_eq!(decision.activity.as_ref(), self.state.activities.first());
            self.target.count = count;
        }
        decision.count
    }

    fn held(&self, policy: usize) -> Option<Held> {
        self.last.get(policy).unwrap().held
    }

    fn wants(&self, policy: usize) -> Wants {
        self.last.get(policy).unwrap().wants
    }
}

fn tracking(name: &str, target: f64) -> Policy {
    let tracking = TargetTracking {
        metric: Metric::Cpu,
        target,
        scale_out_cooldown: 300,
        scale_in_cooldown: 300,
        disable_scale_in: false,
    };
    Policy { name: name.to_owned(), rule: Rule::TargetTracking(tracking) }
}

fn out_only(name: &str, target: f64) -> Policy {
    let mut policy = tracking(name, target);
    if let Rule::TargetTracking(tracking) = &mut policy.rule {
        tracking.disable_scale_in = true;
    }
    policy
}

fn steps(name: &str, comparison: Comparison, steps: &[(Option<f64>, Option<f64>, i32)]) -> Policy {
    let step = StepScaling {
        adjustment_type: AdjustmentType::ChangeInCapacity,
        steps: steps
            .iter()
            .map(|(lower, upper, adjustment)| StepAdjustment {
                lower: *lower,
                upper: *upper,
                adjustment: *adjustment,
            })
            .collect(),
        min_adjustment_magnitude: None,
        cooldown: 300,
        aggregation: Aggregation::Average,
    };
    let alarm = Alarm {
        name: format!("{name}-alarm"),
        comparison,
        threshold: 50.0,
        period: 60,
        evaluation_periods: 1,
        datapoints_to_alarm: 1,
        missing: MissingData::Missing,
        statistic: Statistic::Average,
    };
    Policy { name: name.to_owned(), rule: Rule::Step(step, Metric::Cpu, alarm) }
}

/// Worked example 27.
#[test]
fn target_tracking_waits_three_minutes_out_and_fifteen_minutes_in() {
    let mut clock = Clock::of(4, vec![tracking("cpu", 75.0)]);
    assert_eq!(clock.minutes(2, &[90.0]), NONE);
    assert_eq!(clock.minutes(3, &[60.0]), NONE, "two minutes at 90, then 60");
    assert_eq!(clock.minutes(2, &[90.0]), NONE);
    assert_eq!(clock.minutes(1, &[90.0]), [5], "three minutes at 90: 4 × 90 / 75 is 4.8");
    let activity = clock.state.activities.first().unwrap().clone();
    assert_eq!(activity.description, "Setting desired count to 5.");
    assert_eq!(
        activity.cause,
        "monitor alarm TargetTracking-service/default/web-AlarmHigh-cpu in state ALARM triggered \
         policy cpu"
    );
    assert_eq!(clock.minutes(60, &[70.0]), NONE, "70 for an hour");
    assert_eq!(clock.minutes(14, &[60.0]), NONE);
    assert_eq!(clock.minutes(1, &[60.0]), [4], "fifteen minutes at 60: 5 × 60 / 75 is 4");
    let cause = &clock.state.activities.first().unwrap().cause;
    assert!(cause.contains("-AlarmLow-cpu in state ALARM"), "{cause}");

    let mut clock = Clock::of(4, vec![tracking("a", 75.0), tracking("b", 75.0)]);
    assert_eq!(clock.minutes(15, &[76.0, 10.0]), [5, 6, 7], "A out and B in: out");
    let mut clock = Clock::of(4, vec![out_only("cpu", 75.0)]);
    assert_eq!(clock.minutes(120, &[1.0]), NONE, "DisableScaleIn");
}

#[test]
fn a_cooldown_counts_what_was_added_and_lets_a_larger_addition_pass() {
    let mut clock = Clock::of(4, vec![tracking("cpu", 75.0)]);
    assert_eq!(clock.minutes(3, &[90.0]), [5]);
    assert_eq!(clock.minutes(1, &[90.0]), NONE);
    let until: Timestamp = "2026-01-05T10:08:30Z".parse().unwrap();
    assert_eq!(clock.held(0), Some(Held::Cooldown(until)));
    assert_eq!(clock.minutes(1, &[150.0]), [8], "4 × 150 / 75, not 5 × 150 / 75");
    assert_eq!(clock.minutes(4, &[150.0]), NONE, "the cooldown began anew");
    assert_eq!(clock.minutes(1, &[150.0]), [10], "16 are wanted, 10 are allowed");
    assert_eq!(clock.minutes(30, &[150.0]), NONE);
    assert_eq!(clock.held(0), Some(Held::AtMaximum));
}

#[test]
fn a_count_lowered_by_hand_is_what_an_addition_starts_from() {
    let mut clock = Clock::of(4, vec![tracking("cpu", 75.0)]);
    assert_eq!(clock.minutes(3, &[90.0]), [5]);
    clock.target.count = 2;
    assert_eq!(clock.minutes(1, &[90.0]), [3], "2 × 90 / 75, though 4 when the cooldown began");
}

#[test]
fn a_removal_is_held_back_by_its_cooldown_and_an_addition_is_not() {
    let mut clock = Clock::of(10, vec![tracking("cpu", 75.0)]);
    assert_eq!(clock.minutes(15, &[60.0]), [8]);
    assert_eq!(clock.minutes(4, &[60.0]), NONE);
    assert!(matches!(clock.held(0), Some(Held::Cooldown(_))));
    assert_eq!(clock.minutes(1, &[60.0]), [7], "five minutes later");
    assert_eq!(clock.minutes(3, &[80.0]), [8], "at once, while the cooldown runs");
    assert!(clock.state.scale_in.is_none(), "the addition ends it");
}

#[test]
fn one_set_of_datapoints_acts_once_however_short_the_cooldown_is() {
    let down = || steps("down", Comparison::LessThan, &[(None, None, -2)]);
    let up = || steps("up", Comparison::GreaterThan, &[(None, None, 2)]);
    for seconds in [0, 1, 59] {
        for (mut policy, value, minutes, first, second) in [
            (tracking("cpu", 75.0), 60.0, 15, 8, 7),
            (tracking("cpu", 75.0), 90.0, 3, 12, 15),
            (down(), 20.0, 1, 8, 6),
            (up(), 60.0, 1, 12, 14),
        ] {
            match &mut policy.rule {
                Rule::TargetTracking(tracking) => {
                    tracking.scale_in_cooldown = seconds;
                    tracking.scale_out_cooldown = seconds;
                }
                Rule::Step(step, ..) => step.cooldown = seconds,
            }
            let mut clock = Clock::of(10, vec![policy.clone()]);
            clock.target.bounds = Bounds { min_capacity: 0, max_capacity: 50 };
            assert_eq!(clock.minutes(minutes, &[value]), [first]);
            // The minute that is measured next ends in thirty seconds.
            for after in 0..30 {
                assert_eq!(clock.ask(), None, "{value} acts again {after} s later");
                clock.now = clock.now.saturating_add(SignedDuration::from_secs(1)).unwrap();
            }
            clock.now = clock.now.saturating_sub(SignedDuration::from_secs(30)).unwrap();
            assert_eq!(clock.minutes(1, &[value]), [second], "{value} a minute later");
        }
    }
}

#[test]
fn tasks_are_removed_only_if_all_that_may_remove_agree() {
    let both = || vec![tracking("cpu", 50.0), tracking("memory", 50.0)];
    let mut clock = Clock::of(8, both());
    assert_eq!(clock.minutes(60, &[10.0, 50.0]), NONE);
    assert_eq!(clock.held(0), Some(Held::Others));
    let mut clock = Clock::of(8, both());
    assert_eq!(clock.minutes(15, &[10.0, 30.0]), [5], "the larger count: 8 × 30 / 50");
    let mut clock = Clock::of(8, vec![tracking("cpu", 50.0), out_only("memory", 50.0)]);
    assert_eq!(clock.minutes(15, &[10.0, 49.0]), [2], "who never removes is not asked");
    let mut clock = Clock::of(8, both());
    assert_eq!(clock.minutes(60, &[10.0]), NONE, "a metric that never reports holds on");
    assert_eq!(clock.wants(1), Wants::NoData);
}

#[test]
fn a_step_policy_removes_without_asking_others_but_never_against_one_that_wants_more() {
    let down = steps("down", Comparison::LessThan, &[(None, Some(0.0), -2)]);
    let mut clock = Clock::of(8, vec![tracking("cpu", 50.0), down.clone()]);
    assert_eq!(clock.minutes(1, &[50.0, 20.0]), [6]);
    let mut clock = Clock::of(8, vec![out_only("cpu", 50.0), down]);
    clock.target.suspended.dynamic_scaling_out = true;
    clock.target.suspended.dynamic_scaling_in = true;
    assert_eq!(clock.minutes(3, &[60.0, 50.0]), NONE);
    clock.target.suspended.dynamic_scaling_in = false;
    assert_eq!(clock.minutes(3, &[60.0, 20.0]), NONE);
    assert_eq!((clock.held(0), clock.held(1)), (Some(Held::Suspended), Some(Held::Others)));
}

#[test]
fn suspension_and_deployments_hold_back_what_they_name() {
    let mut clock = Clock::of(4, vec![tracking("cpu", 50.0)]);
    clock.target.suspended.dynamic_scaling_out = true;
    assert_eq!(clock.minutes(10, &[90.0]), NONE);
    assert_eq!(clock.held(0), Some(Held::Suspended));
    clock.target.suspended = Suspended { dynamic_scaling_in: true, ..Suspended::default() };
    assert_eq!(clock.minutes(1, &[90.0]), [8]);
    assert_eq!(clock.minutes(30, &[10.0]), NONE);
    assert_eq!(clock.held(0), Some(Held::Suspended));
    clock.target.suspended = Suspended::default();
    clock.target.deploying = true;
    assert_eq!(clock.minutes(30, &[10.0]), NONE);
    assert_eq!(clock.held(0), Some(Held::Deployment));
    assert_eq!(clock.minutes(3, &[90.0]), [10], "tasks are added during a deployment");
    clock.target.deploying = false;
    assert_eq!(clock.minutes(15, &[10.0]), [2]);
}

#[test]
fn a_larger_step_during_the_cooldown_adds_only_the_difference() {
    let up = steps(
        "up",
        Comparison::GreaterThanOrEqual,
        &[(Some(0.0), Some(10.0), 2), (Some(10.0), None, 3)],
    );
    let mut clock = Clock::of(4, vec![up]);
    assert_eq!(clock.minutes(1, &[55.0]), [6]);
    assert_eq!(
        clock.state.activities.first().unwrap().cause,
        "monitor alarm up-alarm in state ALARM triggered policy up"
    );
    assert_eq!(clock.minutes(1, &[65.0]), [7], "3 in place of 2, so 1 more");
    assert_eq!(clock.minutes(4, &[65.0]), NONE);
    assert_eq!(clock.minutes(1, &[65.0]), [10]);
    assert_eq!(clock.state.alarms.get("up"), Some(&AlarmState::Alarm));
    assert_eq!(clock.minutes(1, &[10.0]), NONE);
    assert_eq!(clock.state.alarms.get("up"), Some(&AlarmState::Ok));
}

#[test]
fn a_count_outside_the_bounds_stays_until_there_is_a_change() {
    let mut clock = Clock::of(14, vec![tracking("cpu", 50.0)]);
    assert_eq!(clock.minutes(20, &[90.0]), NONE, "no addition above the most");
    assert_eq!(clock.minutes(15, &[44.0]), [10], "a removal of one brings it within");
    clock.target.count = 1;
    clock.target.bounds.min_capacity = 3;
    assert_eq!(clock.minutes(40, &[20.0]), NONE, "no removal below the least");
    assert_eq!(clock.minutes(3, &[51.0]), [3], "an addition of one brings it within");
}

#[test]
fn a_metric_from_outside_takes_a_service_to_nothing_and_wakes_it() {
    let mut clock = Clock::of(2, vec![tracking("backlog", 10.0)]);
    clock.target.bounds.min_capacity = 0;
    assert_eq!(clock.minutes(15, &[0.0]), [0]);
    assert_eq!(clock.minutes(60, &[0.0]), NONE);
    assert_eq!(clock.minutes(3, &[25.0]), [1]);
}

#[test]
fn the_last_twenty_activities_are_remembered_in_little_room() {
    let policies = vec![
        steps("up", Comparison::GreaterThanOrEqual, &[(Some(0.0), None, 1)]),
        steps("down", Comparison::LessThan, &[(None, Some(0.0), -1)]),
    ];
    let mut clock = Clock::of(5, policies);
    for _ in 0..40 {
        clock.minutes(5, &[60.0, 60.0]);
        clock.minutes(5, &[40.0, 40.0]);
    }
    assert_eq!(clock.state.activities.len(), 20);
    assert!(clock.state.activities.is_sorted_by(|a, b| a.start_time.0 >= b.start_time.0));
    let size = serde_json::to_string(&clock.state).unwrap().len();
    assert!(size < 8000, "{size} bytes");
}

#[test]
fn what_is_remembered_of_a_policy_that_is_gone_is_forgotten() {
    let mut clock =
        Clock::of(5, vec![steps("up", Comparison::GreaterThan, &[(Some(0.0), None, 1)])]);
    clock.minutes(1, &[0.0]);
    clock.policies = vec![tracking("cpu", 50.0)];
    clock.ask();
    assert!(clock.state.alarms.is_empty());
}
