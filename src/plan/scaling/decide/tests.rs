//! Do schedules, an autoscaler and the operator's own evaluation go together?

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::plan::scaling::metrics::{Tasks, value};
use crate::plan::scaling::read::read;

/// A service, its metrics, and a clock that the test turns.
struct Clock {
    autoscaling: Autoscaling,
    state: ScalingState,
    samples: BTreeMap<String, Vec<Datapoint>>,
    count: i32,
    deploying: bool,
    now: Timestamp,
}

impl Clock {
    fn of(count: i32, spec: &Value) -> Self {
        let mut findings = Findings::default();
        let autoscaling = read(spec, &mut findings).unwrap();
        assert!(!findings.any_refused(), "{findings:?}");
        Self {
            autoscaling,
            state: ScalingState::default(),
            samples: BTreeMap::new(),
            count,
            deploying: false,
            now: "2026-01-05T00:00:00Z".parse().unwrap(),
        }
    }

    fn ask(&mut self) -> Outcome {
        let situation = Situation {
            object: "worker",
            resource: "service/default/worker",
            count: self.count,
            deploying: self.deploying,
            kubernetes_minor: 36,
            unseen_since: self.now,
            samples: &self.samples,
            timing: Timing::default(),
        };
        let mut findings = Findings::default();
        let outcome = decide(&self.autoscaling, &situation, &self.state, &mut findings, self.now);
        assert!(outcome.wake_at.is_none_or(|wake| wake > self.now));
        let done = outcome.activities.iter().rev();
        assert!(done.eq(outcome.state.activities.iter().take(outcome.activities.len())));
        if let Some(count) = outcome.count {
            let last = outcome.activities.last().unwrap();
            assert_eq!(last.description, format!("Setting desired count to {count}."));
        }
        self.state = outcome.state.clone();
        self.count = outcome.count.unwrap_or(self.count);
        outcome
    }

    fn at(&mut self, now: &str) -> Outcome {
        self.now = now.parse().unwrap();
        self.ask()
    }

    /// Minutes in which this much waits in the queue; the counts that were set.
    fn minutes(&mut self, minutes: usize, waiting: f64) -> Vec<i32> {
        let source = self.autoscaling.sources.get("backlog").unwrap().clone();
        let mut set = Vec::new();
        for _ in 0..minutes {
            let tasks = Tasks { running: self.count, ..Tasks::default() };
            let answer = json!({"items": [{"value": waiting.to_string()}]});
            let value = value(&source, &answer, &tasks).unwrap();
            let samples = self.samples.entry("backlog".to_owned()).or_default();
            samples.push(Datapoint { at: self.now, value });
            self.now = self.now.saturating_add(SignedDuration::from_mins(1)).unwrap();
            set.extend(self.ask().count);
        }
        set
    }
}

/// A worker that is to have at most 100 messages waiting for each task.
fn worker() -> Value {
    json!({
        "autoscaling": {
            "scalableTarget": {"minCapacity": 0, "maxCapacity": 10},
            "scalingPolicies": [{
                "policyName": "backlog",
                "targetTrackingScalingPolicyConfiguration": {
                    "targetValue": 100, "scaleOutCooldown": 60, "scaleInCooldown": 60,
                    "customizedMetricSpecification": {
                        "namespace": "AWS/SQS", "metricName": "ApproximateNumberOfMessagesVisible",
                        "statistic": "Average", "dimensions": [{"name": "QueueName", "value": "jobs"}],
                    },
                },
            }],
        },
        "kubernetes": {"scaling": {"metrics": {"backlog": {
            "external": {"name": "jobs_waiting"}, "perTask": true}}}},
    })
}

#[test]
fn a_worker_follows_its_queue_from_nothing_and_back() {
    let mut clock = Clock::of(0, &worker());
    assert!(matches!(clock.ask().evaluator, Evaluator::Native(_)));
    assert_eq!(clock.minutes(30, 0.0), Vec::<i32>::new());
    assert_eq!(clock.minutes(2, 450.0), Vec::<i32>::new());
    assert_eq!(clock.minutes(1, 450.0), [1], "three minutes with messages: the first task");
    assert_eq!(clock.minutes(10, 450.0), [5], "450 for one task, so 5");
    assert_eq!(clock.minutes(60, 450.0), Vec::<i32>::new(), "90 each");
    assert_eq!(clock.minutes(14, 20.0), Vec::<i32>::new());
    assert_eq!(clock.minutes(1, 20.0), [1], "4 each, fifteen minutes long: one is enough");
    assert_eq!(clock.minutes(15, 0.0), [0]);
    let cause = &clock.state.activities.first().unwrap().cause;
    assert_eq!(
        cause,
        "monitor alarm TargetTracking-service/default/worker-AlarmLow-backlog in state ALARM \
         triggered policy backlog"
    );
}

/// A service that Kubernetes scales by day and that has no task at night.
fn daytime() -> Value {
    let action = |name: &str, hour: u32, min: i32, max: i32| {
        json!({"scheduledActionName": name, "schedule": format!("cron(0 {hour} * * ? *)"),
            "scalableTargetAction": {"minCapacity": min, "maxCapacity": max}})
    };
    json!({"autoscaling": {
        "scalableTarget": {"minCapacity": 2, "maxCapacity": 8},
        "scalingPolicies": [{"policyName": "cpu", "targetTrackingScalingPolicyConfiguration": {
            "targetValue": 60, "predefinedMetricSpecification": {
                "predefinedMetricType": "ECSServiceAverageCPUUtilization"}}}],
        "scheduledActions": [action("morning", 8, 4, 20), action("night", 20, 0, 0)],
    }})
}

fn replicas(outcome: &Outcome) -> (Option<i32>, i32) {
    let Evaluator::Horizontal(spec) = &outcome.evaluator else { panic!("{outcome:?}") };
    (spec.min_replicas, spec.max_replicas)
}

#[test]
fn an_autoscaler_gets_the_bounds_of_the_schedule_and_rests_where_nothing_may_run() {
    let mut clock = Clock::of(3, &daytime());
    let first = clock.at("2026-01-05T07:00:00Z");
    assert_eq!((replicas(&first), first.count), ((Some(2), 8), None));
    assert_eq!(first.wake_at, Some("2026-01-05T08:00:00Z".parse().unwrap()), "and not before");
    let morning = clock.at("2026-01-05T08:00:00Z");
    assert_eq!((replicas(&morning), morning.count), ((Some(4), 20), Some(4)));
    assert_eq!(morning.activities.len(), 2);
    let noon = clock.at("2026-01-05T12:00:00Z");
    assert_eq!((replicas(&noon), noon.count, noon.activities.len()), ((Some(4), 20), None, 0));
    let night = clock.at("2026-01-05T20:00:00Z");
    assert_eq!(night.count, Some(0));
    assert_eq!(
        night.evaluator,
        Evaluator::Native(vec![
            "minCapacity is 0, and a HorizontalPodAutoscaler keeps at least 1".to_owned()
        ])
    );
    let again = clock.at("2026-01-06T08:00:00Z");
    assert_eq!((replicas(&again), again.count), ((Some(4), 20), Some(4)));
}

#[test]
fn a_schedule_and_a_policy_of_one_minute_are_one_change_of_the_count() {
    let mut spec = worker();
    let actions = json!([{"scheduledActionName": "peak", "schedule": "at(2026-01-05T01:00:00)",
        "scalableTargetAction": {"minCapacity": 2, "maxCapacity": 4}}]);
    spec.pointer_mut("/autoscaling").unwrap()["scheduledActions"] = actions;
    let mut clock = Clock::of(0, &spec);
    clock.ask();
    clock.minutes(57, 0.0);
    assert_eq!(clock.minutes(3, 900.0), [4], "to 2 by the schedule, then on by the policy");
    let causes: Vec<&str> =
        clock.state.activities.iter().map(|activity| activity.description.as_str()).collect();
    assert_eq!(
        causes,
        [
            "Setting desired count to 4.",
            "Setting desired count to 2.",
            "Setting min capacity to 2 and max capacity to 4",
        ]
    );
}

#[test]
fn the_next_thing_wakes_be_it_a_minute_or_an_action() {
    let mut spec = worker();
    let actions = json!([{"scheduledActionName": "soon", "schedule": "at(2026-01-05T00:00:30)",
        "scalableTargetAction": {"maxCapacity": 4}}]);
    spec.pointer_mut("/autoscaling").unwrap()["scheduledActions"] = actions;
    let mut clock = Clock::of(0, &spec);
    let soon = "2026-01-05T00:00:30Z";
    assert_eq!(clock.ask().wake_at, Some(soon.parse().unwrap()));
    assert_eq!(clock.at(soon).wake_at, Some("2026-01-05T00:01:00Z".parse().unwrap()));
}

#[test]
fn bounds_alone_wake_nobody() {
    let mut clock = Clock::of(
        30,
        &json!({"autoscaling": {"scalableTarget": {"minCapacity": 1, "maxCapacity": 2}}}),
    );
    let outcome = clock.ask();
    assert_eq!(
        (outcome.evaluator, outcome.count, outcome.wake_at),
        (Evaluator::Nobody, None, None)
    );
}
