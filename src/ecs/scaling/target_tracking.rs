//! How many tasks would bring a metric back to its target, and is it time to have them?
//!
//! Application Auto Scaling's target tracking: two alarms of one-minute datapoints, one above the
//! target and one a good way below it, and a count in proportion.

use super::metric::Metric;

/// `TargetTrackingScalingPolicyConfiguration`.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetTracking {
    /// What is kept near the target.
    pub metric: Metric,
    /// `TargetValue`, in the metric's own unit; greater than 0.
    pub target: f64,
    /// `ScaleOutCooldown` in seconds (default 300).
    pub scale_out_cooldown: i64,
    /// `ScaleInCooldown` in seconds (default 300).
    pub scale_in_cooldown: i64,
    /// `DisableScaleIn`: it never removes tasks.
    pub disable_scale_in: bool,
}

/// When a deviation has lasted long enough. Only tests ever have other numbers than AWS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Seconds that one datapoint stands for, and between two evaluations.
    pub period: i64,
    /// Datapoints that must all be above the target before tasks are added.
    pub out_periods: usize,
    /// Datapoints that must all be well below the target before tasks are removed.
    pub in_periods: usize,
    /// Below which part of the target a datapoint is well below it.
    pub in_ratio: f64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { period: 60, out_periods: 3, in_periods: 15, in_ratio: 0.9 }
    }
}

/// What a metric asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asks {
    /// More tasks; the metric stands at this value.
    Out(f64),
    /// Fewer tasks; the metric stood at no more than this value.
    In(f64),
    /// Nothing: it is near the target, or not away from it for long enough.
    Nothing,
    /// Nothing: datapoints are missing.
    NoData,
}

impl TargetTracking {
    /// What the one-minute datapoints, the newest last, ask for.
    ///
    /// Every datapoint of the window must be there. For more tasks the newest value counts, as the
    /// load of now; for fewer the greatest of the window, so that no single lull removes tasks.
    pub fn asks(&self, datapoints: &[Option<f64>], timing: &Timing) -> Asks {
        if let Some(window) = newest(datapoints, timing.out_periods)
            && let Some(last) = window.last()
            && window.iter().all(|value| *value > self.target)
        {
            return Asks::Out(*last);
        }
        let Some(window) = newest(datapoints, timing.in_periods) else {
            let some = datapoints.last().copied().flatten().is_some();
            return if some { Asks::Nothing } else { Asks::NoData };
        };
        if window.iter().all(|value| *value < self.target * timing.in_ratio) {
            return Asks::In(window.into_iter().fold(f64::NEG_INFINITY, f64::max));
        }
        Asks::Nothing
    }

    /// The count at which this value would be at the target, rounded up: never too few.
    ///
    /// ```
    /// # use linkspan::ecs::scaling::{metric::Metric, target_tracking::TargetTracking};
    /// # let (scale_out_cooldown, scale_in_cooldown, disable_scale_in) = (300, 300, false);
    /// let policy = TargetTracking {
    ///     metric: Metric::Cpu, target: 75.0,
    ///     scale_out_cooldown, scale_in_cooldown, disable_scale_in,
    /// };
    /// assert_eq!(policy.wanted(4, 90.0), 5);
    /// assert_eq!(policy.wanted(5, 60.0), 4);
    /// ```
    pub fn wanted(&self, count: i32, value: f64) -> i32 {
        let exact = f64::from(count) * value / self.target;
        // 10 × 0.3 / 0.1 is 30.000000000000004 to the machine, and 30 to everybody else.
        let up = (exact * (1.0 - 1e-9)).ceil();
        // A float that is out of range becomes the nearest integer, one that is none becomes 0.
        #[allow(clippy::cast_possible_truncation, reason = "it saturates, as is meant")]
        let wanted = up.max(0.0) as i32;
        wanted
    }
}

/// The newest datapoints, if all of them are there.
fn newest(datapoints: &[Option<f64>], count: usize) -> Option<Vec<f64>> {
    let start = datapoints.len().checked_sub(count.max(1))?;
    datapoints.get(start..)?.iter().copied().collect()
}

#[cfg(test)]
mod tests;
