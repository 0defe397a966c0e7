//! Which bounds hold now, and what do scheduled actions do to the count?
//!
//! A scheduled action writes `minCapacity`, `maxCapacity` or both of the scalable target, and they stay
//! until another action or a change of the spec's own bounds writes them again; nothing is reverted at
//! `endTime`. Then a count below the least is raised to it and one above the most is lowered to it, at
//! once and whatever cooldown runs. What passed while nobody looked is made up for: each action's last
//! instant counts, in their order, and the count moves once, to the bounds that come of it.
//!
//! It writes nothing: what to remember and what to say are part of the answer.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::read::{Autoscaling, ScheduledAction};
use crate::ecs::scaling::state::{Activity, Bounds, ScalingState, SeenTo, whole};

/// What scheduled actions come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// The bounds that hold now.
    pub bounds: Bounds,
    /// The count to set, if an action has just been due and the count is outside its bounds.
    pub count: Option<i32>,
    /// What has just been done, in order; remembered already.
    pub activities: Vec<Activity>,
    /// What to remember.
    pub state: ScalingState,
    /// The next action that will be due, and when.
    pub next: Option<(Timestamp, String)>,
}

/// Sees to everything that is due at `now`.
///
/// `unseen_since` is the anchor of actions that are met for the first time together with the whole
/// block: the creation of a service that was never looked at before, else `now`. An action that is added
/// later, or gets another schedule, counts from `now`.
pub fn scheduled(
    autoscaling: &Autoscaling,
    state: &ScalingState,
    count: i32,
    unseen_since: Timestamp,
    now: Timestamp,
) -> Scheduled {
    let mut bounds = match (state.registered, state.bounds) {
        (Some(registered), Some(bounds)) if registered == autoscaling.bounds => bounds,
        // Other bounds in the spec are the target registered anew.
        _ => autoscaling.bounds,
    };
    let anchor = if state.registered.is_none() { unseen_since } else { now };
    let mut next_state = ScalingState {
        registered: Some(autoscaling.bounds),
        scheduled: autoscaling
            .actions
            .iter()
            .map(|action| {
                let before = state.scheduled.get(&action.name);
                let up_to = before.filter(|seen| seen.schedule == action.identity);
                let up_to = up_to.map_or_else(|| whole(anchor), |seen| seen.up_to.clone());
                (action.name.clone(), SeenTo { schedule: action.identity.clone(), up_to })
            })
            .collect(),
        ..state.clone()
    };
    let mut due: Vec<(Timestamp, &ScheduledAction)> = autoscaling
        .actions
        .iter()
        .filter_map(|action| {
            let seen = next_state.scheduled.get_mut(&action.name)?;
            let due = action.last_due(now, seen.up_to.0)?;
            seen.up_to = Time(due);
            Some((due, action))
        })
        .collect();
    due.sort_by_key(|(at, _)| *at);
    let mut activities = Vec::new();
    if !autoscaling.suspended.scheduled_scaling {
        for (_, action) in &due {
            let (after, activity) = action.applied_to(bounds, now);
            bounds = after;
            activities.push(activity);
        }
    }
    let is_applied = activities.iter().any(|activity| !activity.has_failed());
    let count = Some(bounds.clamp(count)).filter(|bound| is_applied && *bound != count);
    if let Some(bound) = count {
        let which = if bound == bounds.min_capacity { "minimum" } else { "maximum" };
        let cause = format!("{which} capacity was set to {bound}");
        activities.push(Activity::sets_count(bound, cause, now));
    }
    for activity in &activities {
        next_state.remember(activity.clone());
    }
    next_state.bounds = Some(bounds);
    let next = next(&autoscaling.actions, &next_state, now);
    Scheduled { bounds, count, activities, state: next_state, next }
}

/// The next action that will be due; of several at one instant the first in the spec.
pub fn next(
    actions: &[ScheduledAction],
    state: &ScalingState,
    now: Timestamp,
) -> Option<(Timestamp, String)> {
    actions
        .iter()
        .filter_map(|action| {
            let up_to = state.scheduled.get(&action.name).map_or(now, |seen| seen.up_to.0);
            Some((action.next_due(now, up_to)?, action.name.clone()))
        })
        .min_by_key(|(at, _)| *at)
}

impl ScheduledAction {
    /// The last instant after `up_to` and not after `now` at which it was due.
    fn last_due(&self, now: Timestamp, up_to: Timestamp) -> Option<Timestamp> {
        let until = self.end.map_or(now, |end| end.min(now));
        let by_schedule = self.schedule.last_due(until, self.anchor(up_to));
        let by_start = self.start.filter(|start| !self.schedule.is_once() && *start <= until);
        by_schedule
            .max(by_start)
            .filter(|due| *due > up_to && self.start.is_none_or(|start| start <= *due))
    }

    /// The first instant after `now` at which it will be due.
    fn next_due(&self, now: Timestamp, up_to: Timestamp) -> Option<Timestamp> {
        let by_schedule = self.schedule.next_after(now, self.anchor(up_to));
        let by_start = self.start.filter(|start| !self.schedule.is_once() && *start > now);
        let due = match (by_schedule, by_start) {
            (Some(schedule), Some(start)) => schedule.min(start),
            (schedule, start) => schedule.or(start)?,
        };
        let within =
            self.start.is_none_or(|start| start <= due) && self.end.is_none_or(|end| due <= end);
        within.then_some(due)
    }

    /// From where its schedule counts. A rate without a start counts from its last instant.
    fn anchor(&self, up_to: Timestamp) -> Timestamp {
        match self.start {
            Some(start) if !self.schedule.is_once() => start,
            _ => up_to,
        }
    }

    /// The bounds that it makes of others, and what is said about it.
    fn applied_to(&self, bounds: Bounds, now: Timestamp) -> (Bounds, Activity) {
        let wanted = Bounds {
            min_capacity: self.min_capacity.unwrap_or(bounds.min_capacity),
            max_capacity: self.max_capacity.unwrap_or(bounds.max_capacity),
        };
        let sets = match (self.min_capacity, self.max_capacity) {
            (Some(min), Some(max)) => format!("min capacity to {min} and max capacity to {max}"),
            (Some(min), None) => format!("min capacity to {min}"),
            (None, Some(max)) => format!("max capacity to {max}"),
            (None, None) => "nothing".to_owned(),
        };
        let in_order = wanted.are_in_order();
        let activity = Activity {
            start_time: whole(now),
            description: format!("Setting {sets}"),
            cause: format!("scheduled action name {} was triggered", self.name),
            status_code: if in_order { "Successful" } else { "Failed" }.to_owned(),
            status_message: if in_order {
                format!("Successfully set {sets}")
            } else {
                format!(
                    "Minimum capacity {} cannot be greater than maximum capacity {}; give both in \
                     the scheduled action",
                    wanted.min_capacity, wanted.max_capacity
                )
            },
        };
        (if in_order { wanted } else { bounds }, activity)
    }
}

#[cfg(test)]
mod tests;
