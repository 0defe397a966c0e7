//! What holds of every decision, whatever the policies and the load?

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::ecs::scaling::alarm::{Comparison, MissingData};
use crate::ecs::scaling::step::{AdjustmentType, StepAdjustment};

/// A cooldown, in seconds: often none at all.
fn cooldown() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), 0..900_i64]
}

fn tracking() -> impl Strategy<Value = Rule> {
    (1..200_u32, cooldown(), cooldown(), any::<bool>()).prop_map(
        |(target, scale_out_cooldown, scale_in_cooldown, disable_scale_in)| {
            Rule::TargetTracking(TargetTracking {
                metric: Metric::Cpu,
                target: f64::from(target),
                scale_out_cooldown,
                scale_in_cooldown,
                disable_scale_in,
            })
        },
    )
}

fn stepped() -> impl Strategy<Value = Rule> {
    let kind = prop_oneof![
        Just(AdjustmentType::ChangeInCapacity),
        Just(AdjustmentType::PercentChangeInCapacity),
        Just(AdjustmentType::ExactCapacity),
    ];
    (kind, -100..100_i32, -100..100_i32, 1..200_u32, any::<bool>(), 1..4_usize, cooldown())
        .prop_map(|(adjustment_type, below, above, threshold, looks_below, periods, cooldown)| {
            let step = |lower, upper, adjustment: i32| {
                let exact = adjustment_type == AdjustmentType::ExactCapacity;
                let adjustment = if exact { adjustment.abs() } else { adjustment };
                StepAdjustment { lower, upper, adjustment }
            };
            let policy = StepScaling {
                adjustment_type,
                steps: vec![step(None, Some(0.0), below), step(Some(0.0), None, above)],
                min_adjustment_magnitude: None,
                cooldown,
                aggregation: Aggregation::Average,
            };
            let alarm = Alarm {
                name: "alarm".to_owned(),
                comparison: if looks_below {
                    Comparison::LessThan
                } else {
                    Comparison::GreaterThan
                },
                threshold: f64::from(threshold),
                period: 60,
                evaluation_periods: periods,
                datapoints_to_alarm: 1,
                missing: MissingData::Ignore,
                statistic: Statistic::Average,
            };
            Rule::Step(policy, Metric::Memory, alarm)
        })
}

/// One minute: a value for each policy (none: missing), and whether a deployment is under way.
type Load = (Vec<Option<f64>>, bool);

fn load() -> impl Strategy<Value = Vec<Load>> {
    // Loads that last, so that windows fill.
    let phase = (vec(proptest::option::weighted(0.9, 0.0..400.0), 3), any::<bool>(), 1..20_usize);
    vec(phase, 1..6).prop_map(|phases| {
        phases
            .into_iter()
            .flat_map(|(values, deploying, minutes)| vec![(values, deploying); minutes])
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_decision_keeps_the_rules(
        rules in vec(prop_oneof![tracking(), stepped()], 1..4),
        loads in load(),
        (least, room, start) in (0..5_i32, 0..20_i32, 0..30_i32),
        (no_out, no_in) in (prop::bool::weighted(0.2), prop::bool::weighted(0.2)),
    ) {
        let policies: Vec<Policy> = rules
            .into_iter()
            .enumerate()
            .map(|(at, rule)| Policy { name: format!("p{at}"), rule })
            .collect();
        let mut target = Target {
            resource: "service/default/web".to_owned(),
            bounds: Bounds { min_capacity: least, max_capacity: least + room },
            suspended: Suspended {
                dynamic_scaling_in: no_in,
                dynamic_scaling_out: no_out,
                scheduled_scaling: false,
            },
            count: start,
            deploying: false,
        };
        let mut now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let (mut state, timing) = (ScalingState::default(), Timing::default());
        let mut metrics: BTreeMap<String, Vec<Datapoint>> = BTreeMap::new();
        for (values, deploying) in loads {
            for (policy, value) in policies.iter().zip(values) {
                let samples = metrics.entry(policy.name.clone()).or_default();
                samples.extend(value.map(|value| Datapoint { at: now, value }));
            }
            now = now.saturating_add(SignedDuration::from_mins(1)).unwrap();
            target.deploying = deploying;
            let decision = evaluate(&target, &policies, &metrics, &state, &timing, now);
            prop_assert_eq!(
                &decision,
                &evaluate(&target, &policies, &metrics, &state, &timing, now),
                "the same answer twice"
            );
            prop_assert!(decision.wake_at.is_some_and(|wake| wake > now));
            prop_assert_eq!(decision.count.is_some(), decision.activity.is_some());
            if let Some(count) = decision.count {
                prop_assert_ne!(count, target.count);
                prop_assert_eq!(count, target.bounds.clamp(count), "within the bounds");
                let wants_out =
                    decision.policies.iter().any(|one| matches!(one.wants, Wants::Out(_)));
                if count < target.count {
                    prop_assert!(!no_in && !deploying && !wants_out);
                    let runs = state.scale_in.as_ref().is_some_and(|one| one.runs(now));
                    prop_assert!(!runs, "the cooldown of the last removal");
                } else {
                    prop_assert!(!no_out && wants_out);
                }
                let removed = count < target.count;
                target.count = count;
                let (state, again) = (&decision.state, &metrics);
                let again = evaluate(&target, &policies, again, state, &timing, now).count;
                prop_assert!(
                    // A step to an exact count may follow, where others went below it.
                    again.is_none_or(|again| removed && again > count),
                    "once by the same datapoints: {count}, then {again:?}"
                );
            } else {
                let alarms = (&decision.state.alarms, &state.alarms);
                prop_assert!(
                    decision.state == ScalingState { alarms: alarms.0.clone(), ..state.clone() },
                    "nothing is remembered of nothing"
                );
            }
            state = decision.state;
            prop_assert!(state.activities.len() <= 20);
        }
    }
}
