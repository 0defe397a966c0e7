//! Is a metric beyond its threshold, for long enough?
//!
//! What a CloudWatch metric alarm answers, over datapoints that somebody else has collected. It says
//! OK, ALARM or INSUFFICIENT_DATA and never what follows from it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an alarm says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// Within the threshold.
    Ok,
    /// Beyond it, for as long as asked for.
    Alarm,
    /// There is nothing to judge by.
    #[default]
    InsufficientData,
}

/// `ComparisonOperator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `GreaterThanOrEqualToThreshold`.
    GreaterThanOrEqual,
    /// `GreaterThanThreshold`.
    GreaterThan,
    /// `LessThanThreshold`.
    LessThan,
    /// `LessThanOrEqualToThreshold`.
    LessThanOrEqual,
}

impl Comparison {
    /// Whether it holds between a value and the threshold.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqual => value >= threshold,
            Self::GreaterThan => value > threshold,
            Self::LessThan => value < threshold,
            Self::LessThanOrEqual => value <= threshold,
        }
    }

    /// Whether a breach is a value below the threshold.
    pub fn looks_below(self) -> bool {
        matches!(self, Self::LessThan | Self::LessThanOrEqual)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GreaterThanOrEqual => "≥",
            Self::GreaterThan => ">",
            Self::LessThan => "<",
            Self::LessThanOrEqual => "≤",
        })
    }
}

/// `TreatMissingData`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingData {
    /// Missing datapoints decide nothing; without any the state is INSUFFICIENT_DATA.
    #[default]
    Missing,
    /// The alarm stays as it is.
    Ignore,
    /// They count as beyond the threshold.
    Breaching,
    /// They count as within it.
    NotBreaching,
}

/// How the samples of one period become one datapoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statistic {
    /// Their mean.
    #[default]
    Average,
    /// The least.
    Minimum,
    /// The greatest.
    Maximum,
    /// Their sum.
    Sum,
    /// How many there are.
    SampleCount,
}

/// One sample of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// When it was taken.
    pub at: Timestamp,
    /// In the metric's own unit. What is not finite counts as missing.
    pub value: f64,
}

/// The settings of an alarm on one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// `AlarmName`.
    pub name: String,
    /// `ComparisonOperator`.
    pub comparison: Comparison,
    /// `Threshold`, in the metric's own unit.
    pub threshold: f64,
    /// `Period` in seconds: how much time one datapoint stands for.
    pub period: i64,
    /// `EvaluationPeriods`: over how many datapoints.
    pub evaluation_periods: usize,
    /// `DatapointsToAlarm`: how many of them must be beyond the threshold.
    pub datapoints_to_alarm: usize,
    /// `TreatMissingData`.
    pub missing: MissingData,
    /// `Statistic`.
    pub statistic: Statistic,
}

/// How many datapoints beyond `EvaluationPeriods` are looked at where some are missing.
const LOOK_BACK: usize = 2;

impl Alarm {
    /// How many datapoints are looked at.
    pub fn range(&self) -> usize {
        self.evaluation_periods.saturating_add(LOOK_BACK)
    }

    /// The state over the datapoints of [`Self::range`] periods, the newest last.
    ///
    /// If at least `EvaluationPeriods` of them are there, the newest of those decide and no missing
    /// one is looked at. Else `TreatMissingData` says what the missing ones count as.
    pub fn state(&self, datapoints: &[Option<f64>], before: AlarmState) -> AlarmState {
        let range = datapoints.len().saturating_sub(self.range());
        let points: Vec<Option<bool>> = datapoints
            .iter()
            .skip(range)
            .rev()
            .map(|point| point.map(|value| self.comparison.holds(value, self.threshold)))
            .collect();
        let judged: Vec<bool> =
            points.iter().copied().flatten().take(self.evaluation_periods).collect();
        let breaching = judged.iter().filter(|breaching| **breaching).count();
        let lacking = self.evaluation_periods - judged.len().min(self.evaluation_periods);
        let enough = |count: usize| {
            if count >= self.datapoints_to_alarm { AlarmState::Alarm } else { AlarmState::Ok }
        };
        match self.missing {
            _ if lacking == 0 => enough(breaching),
            MissingData::Breaching => enough(breaching + lacking),
            MissingData::NotBreaching => enough(breaching),
            MissingData::Ignore | MissingData::Missing if breaching >= self.datapoints_to_alarm => {
                AlarmState::Alarm
            }
            MissingData::Ignore | MissingData::Missing if breaching < judged.len() => {
                AlarmState::Ok
            }
            MissingData::Ignore => before,
            MissingData::Missing if judged.is_empty() => AlarmState::InsufficientData,
            // All that there are breach: one that is old enough stands for those missing since.
            MissingData::Missing => {
                let oldest = points.iter().rposition(Option::is_some).map_or(0, |at| at + 1);
                if oldest >= self.datapoints_to_alarm { AlarmState::Alarm } else { before }
            }
        }
    }
}

/// The datapoints of the last `count` whole periods, the newest last; none where nothing came.
///
/// The last period ends at the last whole `tick` (seconds) before `now`, so that a period of five
/// minutes is looked at anew every minute.
pub fn datapoints(
    samples: &[Datapoint],
    statistic: Statistic,
    period: i64,
    count: usize,
    tick: i64,
    now: Timestamp,
) -> Vec<Option<f64>> {
    let (period, tick) = (period.max(1), tick.max(1));
    let end = now.as_second().div_euclid(tick) * tick;
    (0..count)
        .rev()
        .map(|back| {
            let back = i64::try_from(back).unwrap_or(i64::MAX);
            let until = end.saturating_sub(back.saturating_mul(period));
            let within = until.saturating_sub(period)..until;
            let values = samples
                .iter()
                .filter(|sample| {
                    within.contains(&sample.at.as_second()) && sample.value.is_finite()
                })
                .map(|sample| sample.value);
            aggregate(values, statistic)
        })
        .collect()
}

/// One value of many; none of none.
#[allow(clippy::cast_precision_loss, reason = "counts of samples are small")]
pub fn aggregate(values: impl Iterator<Item = f64> + Clone, by: Statistic) -> Option<f64> {
    let count = values.clone().count();
    if count == 0 {
        return None;
    }
    let sum = || values.clone().sum::<f64>();
    Some(match by {
        Statistic::Average => sum() / count as f64,
        Statistic::Minimum => values.fold(f64::INFINITY, f64::min),
        Statistic::Maximum => values.fold(f64::NEG_INFINITY, f64::max),
        Statistic::Sum => sum(),
        Statistic::SampleCount => count as f64,
    })
}

/// The next whole tick after an instant.
pub fn next_tick(now: Timestamp, tick: i64) -> Option<Timestamp> {
    let tick = tick.max(1);
    let past = now.as_second().rem_euclid(tick);
    let whole = Timestamp::from_second(now.as_second() - past).ok()?;
    whole.checked_add(SignedDuration::from_secs(tick)).ok()
}

#[cfg(test)]
mod tests;
