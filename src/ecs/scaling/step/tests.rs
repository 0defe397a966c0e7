//! Do steps come out as a second, plainly written reckoning has them?

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn step(lower: Option<f64>, upper: Option<f64>, adjustment: i32) -> StepAdjustment {
    StepAdjustment { lower, upper, adjustment }
}

fn percent(steps: Vec<StepAdjustment>, least: Option<i32>) -> StepScaling {
    StepScaling {
        adjustment_type: AdjustmentType::PercentChangeInCapacity,
        steps,
        min_adjustment_magnitude: least,
        cooldown: 300,
        aggregation: Aggregation::Average,
    }
}

/// Worked example 26.
#[test]
fn the_metric_moves_the_count_by_the_step_that_it_falls_into() {
    let policy = percent(
        vec![
            step(Some(0.0), Some(10.0), 0),
            step(Some(10.0), Some(20.0), 10),
            step(Some(20.0), None, 30),
            step(Some(-10.0), Some(0.0), 0),
            step(Some(-20.0), Some(-10.0), -10),
            step(None, Some(-20.0), -30),
        ],
        None,
    );
    assert_eq!(problems(policy.adjustment_type, &policy.steps), []);
    for (metric, count, expected) in [
        (60.0, 10, 11),
        (70.0, 11, 14),
        (40.0, 14, 13),
        (30.0, 13, 10),
        (59.9, 10, 10),
        (40.1, 10, 10),
    ] {
        let step = policy.step_for(metric - 50.0, metric < 50.0).unwrap();
        assert_eq!(policy.wanted(step, count), expected, "{metric} with {count} tasks");
    }
    let by = |adjustment, least, count| {
        let step = step(Some(0.0), None, adjustment);
        percent(vec![step], least).wanted(&step, count) - count
    };
    assert_eq!(by(25, Some(2), 4), 2, "MinAdjustmentMagnitude");
    assert_eq!(by(-1, None, 58), -1, "-0.58");
    assert_eq!(by(-23, None, 29), -6, "-6.67");
    assert_eq!(by(1, None, 58), 1, "0.58");
    assert_eq!(by(0, Some(5), 58), 0, "0 % changes nothing");
    assert_eq!(by(50, None, 0), 0);
    assert_eq!(by(50, Some(3), 0), 3);
}

#[test]
fn an_alarm_on_its_very_threshold_is_on_the_side_that_it_looks_at() {
    let policy = percent(vec![step(None, Some(0.0), -10), step(Some(0.0), None, 10)], None);
    assert_eq!(policy.step_for(0.0, true).unwrap().adjustment, -10);
    assert_eq!(policy.step_for(0.0, false).unwrap().adjustment, 10);
}

#[test]
fn every_rule_of_steps_has_its_message() {
    use AdjustmentType::{ChangeInCapacity, ExactCapacity};
    let some = Some;
    for (steps, of, expected) in [
        (vec![], ChangeInCapacity, "must hold 1 to 20 steps, not 0"),
        (vec![step(None, None, 1)], ChangeInCapacity, "needs metricIntervalLowerBound or"),
        (vec![step(some(5.0), some(5.0), 1)], ChangeInCapacity, "must be greater than"),
        (vec![step(some(0.0), None, -1)], ExactCapacity, "must be at least 0 with ExactCapacity"),
        (vec![step(some(0.0), some(5.0), 1)], ChangeInCapacity, "without metricIntervalUpperBound"),
        (
            vec![step(some(-5.0), some(0.0), 1)],
            ChangeInCapacity,
            "without metricIntervalLowerBound",
        ),
        (
            vec![step(some(0.0), None, 1), step(some(5.0), None, 2)],
            ChangeInCapacity,
            "2 steps have no upper bound",
        ),
        (
            vec![step(None, some(0.0), 1), step(None, some(-5.0), 2)],
            ChangeInCapacity,
            "2 steps have no lower bound",
        ),
        (
            vec![step(some(0.0), some(10.0), 1), step(some(12.0), None, 2)],
            ChangeInCapacity,
            "leaves a gap from 10, where step 0 ends, to 12",
        ),
        (
            vec![step(some(8.0), None, 1), step(some(0.0), some(10.0), 2)],
            ChangeInCapacity,
            "overlaps step 1, which ends at 10",
        ),
    ] {
        let found = problems(of, &steps);
        assert_eq!(found.len(), 1, "{steps:?}: {found:?}");
        assert!(found.iter().any(|one| one.message.contains(expected)), "{steps:?}: {found:?}");
    }
}

/// A small generator of numbers, the same in every run.
struct Chance(u64);

impl Chance {
    fn within(&mut self, least: i32, most: i32) -> i32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let size = u64::from(most.abs_diff(least)) + 1;
        least + i32::try_from((self.0 >> 33) % size).unwrap()
    }

    fn maybe(&mut self, least: i32, most: i32) -> Option<f64> {
        (self.within(0, 3) > 0).then(|| f64::from(self.within(least, most)))
    }
}

/// The reckoning as a person would do it by hand.
fn by_hand(policy: &StepScaling, distance: f64, looks_below: bool, count: i32) -> Option<i32> {
    let mut chosen = None;
    for step in &policy.steps {
        let above = distance > 0.0 || (distance == 0.0 && !looks_below);
        let starts = match step.lower {
            None => true,
            Some(lower) if above => lower <= distance,
            Some(lower) => lower < distance,
        };
        let goes_on = match step.upper {
            None => true,
            Some(upper) if above => upper > distance,
            Some(upper) => upper >= distance,
        };
        if starts && goes_on {
            assert!(chosen.is_none(), "two steps hold {distance}: {policy:?}");
            chosen = Some(step);
        }
    }
    let step = chosen?;
    let count_and_part = f64::from(count) * f64::from(step.adjustment) / 100.0;
    let new = match policy.adjustment_type {
        AdjustmentType::ExactCapacity => f64::from(step.adjustment),
        AdjustmentType::ChangeInCapacity => f64::from(count) + f64::from(step.adjustment),
        AdjustmentType::PercentChangeInCapacity => {
            let mut change = if count_and_part > 1.0 {
                count_and_part.floor()
            } else if count_and_part > 0.0 {
                1.0
            } else if count_and_part == 0.0 {
                0.0
            } else if count_and_part > -1.0 {
                -1.0
            } else {
                count_and_part.ceil()
            };
            if let Some(least) = policy.min_adjustment_magnitude {
                if step.adjustment > 0 && change < f64::from(least) {
                    change = f64::from(least);
                }
                if step.adjustment < 0 && change > -f64::from(least) {
                    change = -f64::from(least);
                }
            }
            f64::from(count) + change
        }
    };
    #[allow(clippy::cast_possible_truncation, reason = "small numbers")]
    Some(new.max(0.0) as i32)
}

#[test]
fn steps_agree_with_a_reckoning_by_hand() {
    let mut chance = Chance(7);
    let (mut cases, mut moved) = (0, 0);
    while cases < 120_000 {
        let mut cuts: Vec<i32> = (0..chance.within(1, 5)).map(|_| chance.within(-30, 30)).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut ends: Vec<Option<f64>> = cuts.iter().map(|cut| Some(f64::from(*cut))).collect();
        if cuts.iter().any(|cut| *cut < 0) {
            ends.insert(0, None);
        }
        if cuts.iter().any(|cut| *cut > 0) || ends.len() == 1 {
            ends.push(None);
        }
        let adjustment_type = match chance.within(0, 2) {
            0 => AdjustmentType::ChangeInCapacity,
            1 => AdjustmentType::PercentChangeInCapacity,
            _ => AdjustmentType::ExactCapacity,
        };
        let least = if adjustment_type == AdjustmentType::ExactCapacity { 0 } else { -150 };
        let mut steps: Vec<StepAdjustment> = ends
            .windows(2)
            .map(|ends| {
                step(*ends.first().unwrap(), *ends.last().unwrap(), chance.within(least, 150))
            })
            .collect();
        if chance.within(0, 1) == 0 {
            steps.reverse();
        }
        let min_adjustment_magnitude = (adjustment_type == AdjustmentType::PercentChangeInCapacity
            && chance.within(0, 1) == 0)
            .then(|| chance.within(1, 9));
        assert_eq!(problems(adjustment_type, &steps), [], "{steps:?}");
        let policy = StepScaling {
            adjustment_type,
            steps,
            min_adjustment_magnitude,
            cooldown: 300,
            aggregation: Aggregation::Average,
        };
        for _ in 0..10 {
            // Half of the distances are on an end.
            let distance = f64::from(chance.within(-35, 35)) + f64::from(chance.within(0, 1)) * 0.5;
            let (looks_below, count) = (chance.within(0, 1) == 0, chance.within(0, 120));
            let found =
                policy.step_for(distance, looks_below).map(|step| policy.wanted(step, count));
            let expected = by_hand(&policy, distance, looks_below, count);
            assert_eq!(found, expected, "{distance} with {count} tasks: {policy:?}");
            cases += 1;
            moved += i32::from(found.is_some_and(|wanted| wanted != count));
        }
    }
    println!("{cases} cases, {moved} of them move the count");
}

/// Whether a set of steps leaves no gap and no overlap, by colouring a line.
fn is_whole(steps: &[StepAdjustment]) -> bool {
    // Cell n is the open interval from n to n + 1; the first and the last one stand for infinity.
    let (first, last) = (-11_i32, 10_i32);
    let mut cells = Vec::new();
    for cell in first..=last {
        let middle = f64::from(cell) + 0.5;
        let inside = |step: &&StepAdjustment| {
            let above = step.lower.is_none_or(|lower| lower < middle);
            let below = step.upper.is_none_or(|upper| middle < upper);
            above && below
        };
        cells.push(steps.iter().filter(inside).count());
    }
    let covered: Vec<usize> =
        cells.iter().enumerate().filter(|(_, count)| **count > 0).map(|(at, _)| at).collect();
    let contiguous = match (covered.first(), covered.last()) {
        (Some(first), Some(last)) => last - first + 1 == covered.len(),
        _ => false,
    };
    let down = steps.iter().all(|step| step.lower.is_none_or(|lower| lower >= 0.0))
        || cells.first().is_some_and(|count| *count > 0);
    let up = steps.iter().all(|step| step.upper.is_none_or(|upper| upper <= 0.0))
        || cells.last().is_some_and(|count| *count > 0);
    let each = steps.iter().all(|step| match (step.lower, step.upper) {
        (None, None) => false,
        (Some(lower), Some(upper)) => lower < upper,
        _ => true,
    });
    each && contiguous && down && up && cells.iter().all(|count| *count <= 1)
}

#[test]
fn exactly_the_steps_without_gap_and_overlap_are_accepted() {
    let mut chance = Chance(11);
    let (mut accepted, cases) = (0, 100_000);
    for _ in 0..cases {
        let count = chance.within(1, 3);
        let steps: Vec<StepAdjustment> =
            (0..count).map(|_| step(chance.maybe(-3, 3), chance.maybe(-3, 3), 1)).collect();
        let is_accepted = problems(AdjustmentType::ChangeInCapacity, &steps).is_empty();
        assert_eq!(is_accepted, is_whole(&steps), "{steps:?}");
        accepted += i32::from(is_accepted);
    }
    println!("{cases} sets of steps, {accepted} of them accepted");
    assert!(accepted > 1000, "the generator makes too few valid ones");
}
