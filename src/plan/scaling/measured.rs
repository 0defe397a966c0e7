//! What is to be measured for policies that the operator evaluates, and what was?
//!
//! A plan says what it wants ([`Measure`]); the shell asks for it once a period, in memory only
//! ([`Measured`]). After a restart the windows fill anew, which holds back a change and makes none.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::metrics::{Absence, Tasks, value};
use super::read::Autoscaling;
use crate::ecs::scaling::alarm::Datapoint;
use crate::ecs::scaling::evaluate::Rule;
use crate::ecs::scaling::metric::Source;
use crate::ecs::scaling::target_tracking::Timing;

/// The longest that samples are kept: an alarm cannot look further back.
const LONGEST: i64 = 7 * 86_400;

/// The metric of one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// The policy's name.
    pub policy: String,
    /// Where the cluster has it.
    pub source: Source,
    /// Which tasks are meant, as a label selector.
    pub selector: String,
    /// The tasks.
    pub tasks: Tasks,
    /// For how long a sample matters, in seconds.
    pub window: i64,
}

/// What was measured for one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// By policy: its samples, oldest first.
    pub samples: BTreeMap<String, Vec<Datapoint>>,
    /// By policy: since when its metric is not known, and why.
    pub absent: BTreeMap<String, (Timestamp, String)>,
}

/// What to measure for the policies of a service.
pub fn measures(
    autoscaling: &Autoscaling,
    selector: &str,
    tasks: impl Fn(&Source) -> Tasks,
    timing: &Timing,
) -> Vec<Measure> {
    let policies = autoscaling.policies.iter();
    policies
        .filter_map(|policy| {
            let source = autoscaling.sources.get(&policy.name)?.clone();
            let (period, periods) = match &policy.rule {
                Rule::TargetTracking(_) => {
                    (timing.period, timing.out_periods.max(timing.in_periods))
                }
                Rule::Step(_, _, alarm) => (alarm.period, alarm.evaluation_periods),
            };
            // A period more on either side: what is late still counts.
            let periods = i64::try_from(periods).unwrap_or(i64::MAX).saturating_add(2);
            Some(Measure {
                policy: policy.name.clone(),
                selector: selector.to_owned(),
                tasks: tasks(&source),
                source,
                window: period.saturating_mul(periods).clamp(timing.period, LONGEST),
            })
        })
        .collect()
}

impl Measured {
    /// Takes in an answer, or why there is none.
    pub fn take(
        &mut self,
        measure: &Measure,
        answer: &Result<serde_json::Value, Absence>,
        now: Timestamp,
    ) {
        let read = answer.as_ref().map_err(Clone::clone);
        match read.and_then(|answer| value(&measure.source, answer, &measure.tasks)) {
            Ok(value) => {
                self.absent.remove(&measure.policy);
                let samples = self.samples.entry(measure.policy.clone()).or_default();
                samples.push(Datapoint { at: now, value });
            }
            Err(absence) => {
                let message = absence.message(&measure.policy, &measure.source);
                let absent = self.absent.entry(measure.policy.clone());
                absent.or_insert_with(|| (now, String::new())).1 = message;
            }
        }
        if let Some(samples) = self.samples.get_mut(&measure.policy) {
            let oldest = now.as_second().saturating_sub(measure.window);
            samples.retain(|sample| sample.at.as_second() >= oldest);
        }
    }

    /// Forgets the policies that are not measured any more.
    pub fn keep(&mut self, measures: &[Measure]) {
        let stays = |policy: &String| measures.iter().any(|measure| measure.policy == *policy);
        self.samples.retain(|policy, _| stays(policy));
        self.absent.retain(|policy, _| stays(policy));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;
    use crate::plan::finding::Findings;
    use crate::plan::scaling::read::read;

    fn backlog() -> Measure {
        let spec = json!({"autoscaling": {
            "scalableTarget": {"minCapacity": 0, "maxCapacity": 9},
            "scalingPolicies": [{"policyName": "backlog", "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 100, "customizedMetricSpecification": {
                    "namespace": "AWS/SQS", "metricName": "Waiting", "statistic": "Average"}}}],
        }});
        let autoscaling = read(&spec, &mut Findings::default()).unwrap();
        let tasks = |_: &Source| Tasks::default();
        measures(&autoscaling, "a=b", tasks, &Timing::default()).pop().unwrap()
    }

    #[test]
    fn samples_are_kept_for_as_long_as_a_policy_looks_back() {
        let (measure, mut measured) = (backlog(), Measured::default());
        assert_eq!(measure.window, 17 * 60, "fifteen minutes, and one on either side");
        for minute in 0..60 {
            let now = Timestamp::from_second(minute * 60).unwrap();
            measured.take(&measure, &Ok(json!({"items": [{"value": "5"}]})), now);
        }
        let samples = measured.samples.get("backlog").unwrap();
        assert_eq!((samples.len(), samples.first().unwrap().at.as_second()), (18, 42 * 60));
        measured.keep(&[]);
        assert_eq!(measured, Measured::default());
    }

    #[test]
    fn what_is_not_known_is_so_since_the_first_time() {
        let (measure, mut measured) = (backlog(), Measured::default());
        let at = |second| Timestamp::from_second(second).unwrap();
        measured.take(&measure, &Err(Absence::refused(403, "no")), at(60));
        assert!(measured.absent.get("backlog").unwrap().1.contains("may not be read (no)"));
        measured.take(&measure, &Ok(json!({"items": []})), at(120));
        let (since, why) = measured.absent.get("backlog").unwrap();
        assert_eq!(*since, at(60));
        assert!(why.contains("it has no value"), "{why}");
        measured.take(&measure, &Ok(json!({"items": [{"value": 5}]})), at(180));
        assert!(measured.absent.is_empty());
    }
}
