//! Do scheduled actions set the bounds, for good, and make up for what was missed?

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;
use crate::plan::finding::Findings;
use crate::plan::scaling::read::read;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn block(actions: &Value) -> Value {
    json!({"scalableTarget": {"minCapacity": 2, "maxCapacity": 10}, "scheduledActions": actions})
}

fn understood(block: &Value) -> Autoscaling {
    let mut findings = Findings::default();
    let read = read(&json!({"autoscaling": block}), &mut findings).unwrap();
    assert!(!findings.any_refused(), "{findings:?}");
    read
}

/// A service that was created at midnight of the fifth and is looked at now and then.
struct Looked {
    autoscaling: Autoscaling,
    state: ScalingState,
    count: i32,
}

impl Looked {
    fn of(count: i32, actions: &Value) -> Self {
        let autoscaling = understood(&block(actions));
        Self { autoscaling, state: ScalingState::default(), count }
    }

    fn at(&mut self, now: &str) -> Scheduled {
        let created = time("2026-01-05T00:00:00Z");
        let now = time(now);
        let result = scheduled(&self.autoscaling, &self.state, self.count, created, now);
        let text = serde_json::to_string(&result.state).unwrap();
        self.state = serde_json::from_str(&text).unwrap();
        assert_eq!(self.state, result.state);
        self.count = result.count.unwrap_or(self.count);
        let again = scheduled(&self.autoscaling, &self.state, self.count, created, now);
        assert_eq!((again.count, again.activities.len()), (None, 0), "settled");
        assert_eq!(again.state, result.state);
        result
    }
}

fn bounds(min_capacity: i32, max_capacity: i32) -> Bounds {
    Bounds { min_capacity, max_capacity }
}

fn action(name: &str, schedule: &str, bounds: &Value) -> Value {
    json!({"scheduledActionName": name, "schedule": schedule, "scalableTargetAction": bounds})
}

/// Worked example 28.
#[test]
fn a_scheduled_action_writes_the_bounds_and_they_stay() {
    let mut raise = action("raise", "cron(0 8 * * ? *)", &json!({"minCapacity": 5}));
    if let Some(raise) = raise.as_object_mut() {
        raise.insert("endTime".to_owned(), "2026-01-05T12:00:00Z".into());
    }
    let late = action("late", "at(2026-01-06T20:00:00)", &json!({"maxCapacity": 4}));
    let mut service = Looked::of(3, &json!([raise, late]));
    let before = service.at("2026-01-05T07:59:59Z");
    assert_eq!((before.bounds, before.count), (bounds(2, 10), None));
    assert_eq!(before.next, Some((time("2026-01-05T08:00:00Z"), "raise".to_owned())));
    let due = service.at("2026-01-05T08:00:00Z");
    assert_eq!((due.bounds, due.count), (bounds(5, 10), Some(5)));
    let said: Vec<(&str, &str)> =
        due.activities.iter().map(|one| (one.description.as_str(), one.cause.as_str())).collect();
    assert_eq!(
        said,
        [
            ("Setting min capacity to 5", "scheduled action name raise was triggered"),
            ("Setting desired count to 5.", "minimum capacity was set to 5"),
        ]
    );
    let ended = service.at("2026-01-06T09:00:00Z");
    assert_eq!((ended.bounds, ended.activities.len()), (bounds(5, 10), 0), "after endTime");
    assert_eq!(ended.next, Some((time("2026-01-06T20:00:00Z"), "late".to_owned())));
    let contradicts = service.at("2026-01-06T20:00:00Z");
    assert_eq!((contradicts.bounds, contradicts.count), (bounds(5, 10), None));
    let [failed] = contradicts.activities.as_slice() else { panic!("{contradicts:?}") };
    assert!(failed.has_failed());
    assert_eq!(
        failed.status_message,
        "Minimum capacity 5 cannot be greater than maximum capacity 4; give both in the scheduled \
         action"
    );
    assert_eq!(contradicts.next, None);
}

#[test]
fn what_was_missed_is_made_up_for_once_by_the_last_that_was_due() {
    let night = action("night", "cron(0 20 * * ? *)", &json!({"minCapacity": 0, "maxCapacity": 1}));
    let day = action("day", "cron(0 8 * * ? *)", &json!({"minCapacity": 4, "maxCapacity": 10}));
    let mut service = Looked::of(7, &json!([day, night]));
    service.at("2026-01-05T09:00:00Z");
    let back = service.at("2026-01-08T09:00:00Z");
    assert_eq!((back.bounds, back.count), (bounds(4, 10), None), "not to 1 and up again");
    assert_eq!(back.activities.len(), 2, "each one's last");
    let evening = service.at("2026-01-08T23:00:00Z");
    assert_eq!((evening.bounds, evening.count), (bounds(0, 1), Some(1)));
    let cause = &evening.activities.last().unwrap().cause;
    assert_eq!(cause, "maximum capacity was set to 1");
    assert_eq!(evening.next, Some((time("2026-01-09T08:00:00Z"), "day".to_owned())));
}

#[test]
fn an_action_due_before_it_was_known_is_not_made_up_for() {
    let day = action("day", "cron(0 8 * * ? *)", &json!({"minCapacity": 4}));
    let mut service = Looked::of(3, &json!([]));
    service.at("2026-01-05T07:00:00Z");
    service.autoscaling = understood(&block(&json!([day])));
    assert_eq!(service.at("2026-01-05T12:00:00Z").count, None, "added at noon");
    assert_eq!(service.at("2026-01-06T08:00:01Z").count, Some(4));
    let earlier = action("day", "cron(0 7 * * ? *)", &json!({"minCapacity": 6}));
    service.autoscaling = understood(&block(&json!([earlier])));
    assert_eq!(service.at("2026-01-06T08:30:00Z").count, None, "changed at half past eight");
    assert_eq!(service.at("2026-01-07T07:00:00Z").count, Some(6));
}

#[test]
fn a_service_made_while_nobody_looked_gets_what_was_due_since() {
    let day = action("day", "at(2026-01-05T08:00:00)", &json!({"minCapacity": 4}));
    let mut service = Looked::of(1, &json!([day]));
    assert_eq!(service.at("2026-01-05T12:00:00Z").count, Some(4));
}

#[test]
fn other_bounds_in_the_spec_replace_those_of_actions() {
    let day = action("day", "cron(0 8 * * ? *)", &json!({"minCapacity": 4}));
    let mut service = Looked::of(3, &json!([day]));
    service.at("2026-01-05T08:00:00Z");
    service.autoscaling.bounds = bounds(6, 20);
    let anew = service.at("2026-01-05T08:30:00Z");
    assert_eq!((anew.bounds, anew.count), (bounds(6, 20), None), "registering moves no count");
    let removed = Autoscaling { actions: Vec::new(), ..service.autoscaling.clone() };
    service.at("2026-01-06T08:00:00Z");
    service.autoscaling = removed;
    assert_eq!(
        service.at("2026-01-06T09:00:00Z").bounds,
        bounds(4, 20),
        "removing reverts nothing"
    );
    assert!(service.state.scheduled.is_empty());
}

#[test]
fn suspended_actions_pass_and_are_not_made_up_for() {
    let day = action("day", "cron(0 8 * * ? *)", &json!({"minCapacity": 4}));
    let mut service = Looked::of(3, &json!([day]));
    service.autoscaling.suspended.scheduled_scaling = true;
    let passed = service.at("2026-01-05T09:00:00Z");
    assert_eq!((passed.bounds, passed.count, passed.activities.len()), (bounds(2, 10), None, 0));
    service.autoscaling.suspended.scheduled_scaling = false;
    assert_eq!(service.at("2026-01-05T10:00:00Z").bounds, bounds(2, 10));
    assert_eq!(service.at("2026-01-06T08:00:00Z").bounds, bounds(4, 10));
}

#[test]
fn a_rate_counts_from_its_start_or_from_when_it_was_met() {
    let mut every = action("every", "rate(1 hour)", &json!({"minCapacity": 4}));
    let mut service = Looked::of(3, &json!([every]));
    let met = service.at("2026-01-05T00:10:00Z");
    assert_eq!(met.next, Some((time("2026-01-05T01:00:00Z"), "every".to_owned())));
    let third = service.at("2026-01-05T03:20:00Z");
    assert_eq!(third.count, Some(4));
    assert_eq!(third.next, Some((time("2026-01-05T04:00:00Z"), "every".to_owned())));
    if let Some(every) = every.as_object_mut() {
        every.insert("startTime".to_owned(), "2026-01-05T06:30:00Z".into());
    }
    let mut service = Looked::of(3, &json!([every]));
    let before = service.at("2026-01-05T06:00:00Z");
    assert_eq!(before.next, Some((time("2026-01-05T06:30:00Z"), "every".to_owned())));
    let start = service.at("2026-01-05T06:30:00Z");
    assert_eq!(start.count, Some(4), "it is due at its start");
    assert_eq!(start.next, Some((time("2026-01-05T07:30:00Z"), "every".to_owned())));
}

#[test]
fn of_two_actions_at_one_instant_the_later_in_the_spec_has_the_last_word() {
    let first = action("first", "cron(0 8 * * ? *)", &json!({"minCapacity": 4}));
    let second = action("second", "cron(0 8 * * ? *)", &json!({"minCapacity": 6}));
    let mut service = Looked::of(3, &json!([first, second]));
    let due = service.at("2026-01-05T08:00:00Z");
    assert_eq!((due.bounds, due.count), (bounds(6, 10), Some(6)));
}
