//! How far does a step scaling policy move the count?
//!
//! `StepScalingPolicyConfiguration` of Application Auto Scaling. An alarm says *that* something is to
//! be done (see [`super::alarm`]); the steps say how much, by how far the metric has passed the
//! alarm's threshold.

/// What the numbers of a policy's steps mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdjustmentType {
    /// Tasks to add; negative to remove.
    ChangeInCapacity,
    /// Percent of the present count to add; negative to remove.
    PercentChangeInCapacity,
    /// The new count.
    ExactCapacity,
}

/// `MetricAggregationType`: how the datapoints that the alarm judges become the one value that is
/// measured against the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregation {
    /// Their mean.
    #[default]
    Average,
    /// The least.
    Minimum,
    /// The greatest.
    Maximum,
}

/// One step: an interval, as distances from the alarm's threshold, and what is done within it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepAdjustment {
    /// `MetricIntervalLowerBound`; none is minus infinity.
    pub lower: Option<f64>,
    /// `MetricIntervalUpperBound`; none is infinity.
    pub upper: Option<f64>,
    /// `ScalingAdjustment`: tasks, percent or the new count, as the policy's type says.
    pub adjustment: i32,
}

/// `StepScalingPolicyConfiguration`.
#[derive(Clone, Debug, PartialEq)]
pub struct StepScaling {
    /// What the numbers mean.
    pub adjustment_type: AdjustmentType,
    /// The steps, without gaps and overlaps.
    pub steps: Vec<StepAdjustment>,
    /// `MinAdjustmentMagnitude`: fewest tasks to change by, for percentages only.
    pub min_adjustment_magnitude: Option<i32>,
    /// Seconds after an activity during which the next one is held back (default 300).
    pub cooldown: i64,
    /// How the datapoints of the alarm become one value.
    pub aggregation: Aggregation,
}

impl StepScaling {
    /// The step for a metric that is this far from the threshold.
    ///
    /// On the threshold's upper side an interval holds its lower end and not its upper one; on the
    /// lower side it is the other way round, so that the far end of a breach is always open. On the
    /// threshold itself it is the alarm's direction that says on which side it is.
    pub fn step_for(&self, distance: f64, alarm_looks_below: bool) -> Option<&StepAdjustment> {
        let below = distance < 0.0 || (distance == 0.0 && alarm_looks_below);
        self.steps.iter().find(|step| {
            let lower = step.lower.unwrap_or(f64::NEG_INFINITY);
            let upper = step.upper.unwrap_or(f64::INFINITY);
            if below {
                lower < distance && distance <= upper
            } else {
                lower <= distance && distance < upper
            }
        })
    }

    /// The count that a step leads to from this count, before any bounds.
    ///
    /// A percentage that comes to less than one task is one task; else it is rounded toward zero.
    /// Then the change is raised to `MinAdjustmentMagnitude`. A step of 0 % changes nothing.
    ///
    /// ```
    /// use linkspan::ecs::scaling::step::{AdjustmentType, Aggregation, StepAdjustment, StepScaling};
    /// let step = StepAdjustment { lower: Some(0.0), upper: None, adjustment: 25 };
    /// let policy = StepScaling {
    ///     adjustment_type: AdjustmentType::PercentChangeInCapacity,
    ///     steps: vec![step],
    ///     min_adjustment_magnitude: Some(2),
    ///     cooldown: 300,
    ///     aggregation: Aggregation::Average,
    /// };
    /// assert_eq!(policy.wanted(&step, 4), 6);
    /// ```
    pub fn wanted(&self, step: &StepAdjustment, count: i32) -> i32 {
        let (count, adjustment) = (i64::from(count), i64::from(step.adjustment));
        let wanted = match self.adjustment_type {
            AdjustmentType::ExactCapacity => adjustment,
            AdjustmentType::ChangeInCapacity => count + adjustment,
            AdjustmentType::PercentChangeInCapacity => {
                let hundredths = count * adjustment;
                // Division is toward zero; what is left of one task counts as one.
                let whole = match hundredths / 100 {
                    0 => hundredths.signum(),
                    whole => whole,
                };
                let least = i64::from(self.min_adjustment_magnitude.unwrap_or(0));
                count + whole.abs().max(least) * adjustment.signum()
            }
        };
        i32::try_from(wanted.clamp(0, i64::from(i32::MAX))).unwrap_or(i32::MAX)
    }
}

/// A rule that the steps of a policy break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepProblem {
    /// Which step, from 0; none if it is about all of them.
    pub step: Option<usize>,
    /// Which member of it.
    pub member: Option<&'static str>,
    /// The rule, and the way out.
    pub message: String,
}

/// Steps that one policy can have.
const MOST_STEPS: usize = 20;

/// Everything that is wrong with a policy's steps.
pub fn problems(adjustment_type: AdjustmentType, steps: &[StepAdjustment]) -> Vec<StepProblem> {
    let mut problems = Vec::new();
    let mut problem = |step: Option<usize>, member: Option<&'static str>, message: String| {
        problems.push(StepProblem { step, member, message });
    };
    if !(1..=MOST_STEPS).contains(&steps.len()) {
        problem(None, None, format!("must hold 1 to {MOST_STEPS} steps, not {}", steps.len()));
    }
    for (at, step) in steps.iter().enumerate() {
        match (step.lower, step.upper) {
            (None, None) => problem(
                Some(at),
                None,
                "needs metricIntervalLowerBound or metricIntervalUpperBound: 0 as lower bound means \
                 at the threshold and above"
                    .to_owned(),
            ),
            (Some(lower), Some(upper)) if upper <= lower => problem(
                Some(at),
                Some("metricIntervalUpperBound"),
                format!("must be greater than metricIntervalLowerBound, {lower}"),
            ),
            _ => {}
        }
        if adjustment_type == AdjustmentType::ExactCapacity && step.adjustment < 0 {
            problem(
                Some(at),
                Some("scalingAdjustment"),
                "must be at least 0 with ExactCapacity: it is the new count".to_owned(),
            );
        }
    }
    // Where a step is wrong in itself, its neighbours cannot be judged.
    if problems.is_empty() {
        problems.extend(problems_between(steps));
    }
    problems
}

/// Gaps, overlaps and ends that are missing.
fn problems_between(steps: &[StepAdjustment]) -> Vec<StepProblem> {
    let mut problems = Vec::new();
    let open_below = steps.iter().filter(|step| step.lower.is_none()).count();
    let open_above = steps.iter().filter(|step| step.upper.is_none()).count();
    let mut about_all = |message: String| {
        problems.push(StepProblem { step: None, member: None, message });
    };
    if open_below > 1 {
        about_all(format!("{open_below} steps have no lower bound; only one can"));
    }
    if open_above > 1 {
        about_all(format!("{open_above} steps have no upper bound; only one can"));
    }
    if open_below == 0 && steps.iter().any(|step| step.lower.is_some_and(|lower| lower < 0.0)) {
        about_all(
            "a step below the threshold needs one without metricIntervalLowerBound below it"
                .to_owned(),
        );
    }
    if open_above == 0 && steps.iter().any(|step| step.upper.is_some_and(|upper| upper > 0.0)) {
        about_all(
            "a step above the threshold needs one without metricIntervalUpperBound above it"
                .to_owned(),
        );
    }
    if open_below > 1 || open_above > 1 {
        return problems;
    }
    let mut sorted: Vec<(usize, &StepAdjustment)> = steps.iter().enumerate().collect();
    sorted.sort_by(|(_, a), (_, b)| {
        let low = |step: &StepAdjustment| step.lower.unwrap_or(f64::NEG_INFINITY);
        low(a).total_cmp(&low(b))
    });
    for ((before, lower_step), (at, step)) in sorted.iter().zip(sorted.iter().skip(1)) {
        let end = lower_step.upper.unwrap_or(f64::INFINITY);
        let start = step.lower.unwrap_or(f64::NEG_INFINITY);
        let message = if start < end {
            format!("overlaps step {before}, which ends at {end}")
        } else if start > end {
            format!("leaves a gap from {end}, where step {before} ends, to {start}")
        } else {
            continue;
        };
        let member = Some("metricIntervalLowerBound");
        problems.push(StepProblem { step: Some(*at), member, message });
    }
    problems
}

#[cfg(test)]
mod tests;
