//! Which scheduled actions does a service have?

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::fields::{instant, name};
use super::{ScheduledAction, tasks};
use crate::ecs::reference::text;
use crate::ecs::scaling::schedule::{Schedule, zone};
use crate::ecs::scaling::state::Bounds;
use crate::plan::finding::Findings;
use crate::plan::task_definition::read::objects;

/// Scheduled actions that one service can have.
const MOST_ACTIONS: usize = 200;

/// The scheduled actions.
pub(super) fn read(
    raw: &Value,
    bounds: Option<Bounds>,
    findings: &mut Findings,
) -> Vec<ScheduledAction> {
    let mut taken = BTreeSet::new();
    let mut actions = Vec::new();
    for (at, (path, raw)) in objects(raw, "scheduledActions", "autoscaling").enumerate() {
        if at == MOST_ACTIONS {
            let rule = format!("a service can have {MOST_ACTIONS} scheduled actions");
            findings.refuse("autoscaling.scheduledActions", rule);
        }
        let action = action(raw, &path, &mut taken, findings);
        if let (Some(action), Some(bounds)) = (&action, bounds) {
            alone(action, &path, bounds, findings);
        }
        actions.extend(action);
    }
    actions
}

fn action(
    raw: &Value,
    path: &str,
    taken: &mut BTreeSet<String>,
    findings: &mut Findings,
) -> Option<ScheduledAction> {
    let name = name(raw, "scheduledActionName", path, taken, findings);
    if let Some(name) = &name
        && (name.contains([':', '/', '|']) || name.trim() != name)
    {
        findings.refuse_value(
            format!("{path}.scheduledActionName"),
            format!("`{name}`"),
            "must be without `:`, `/` and `|`, and without spaces at its ends",
        );
    }
    let schedule = schedule(raw, path, findings);
    let start = instant(raw, "startTime", path, findings);
    let end = instant(raw, "endTime", path, findings);
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        let rule = format!("must be after startTime, {start:.0}");
        findings.refuse_value(format!("{path}.endTime"), format!("{end:.0}"), rule);
    }
    let (min_capacity, max_capacity) = capacities(raw, path, findings);
    let (schedule, identity) = schedule?;
    let (name, has_bounds) = (name?, min_capacity.is_some() || max_capacity.is_some());
    has_bounds.then_some(ScheduledAction {
        name,
        schedule,
        identity,
        start,
        end,
        min_capacity,
        max_capacity,
    })
}

fn capacities(raw: &Value, path: &str, findings: &mut Findings) -> (Option<i32>, Option<i32>) {
    let path = format!("{path}.scalableTargetAction");
    let raw = raw.get("scalableTargetAction").unwrap_or(&Value::Null);
    let refused = findings.refusals().count();
    let min = tasks(raw, "minCapacity", &path, findings);
    let max = tasks(raw, "maxCapacity", &path, findings);
    match (min, max) {
        (None, None) if findings.refusals().count() == refused => {
            findings.refuse(path, "needs minCapacity, maxCapacity or both");
        }
        (Some(min), Some(max)) if min > max => {
            let rule = format!("must not be above maxCapacity, {max}");
            findings.refuse_value(format!("{path}.minCapacity"), min, rule);
        }
        _ => {}
    }
    (min, max)
}

/// The schedule in its time zone, and both as one text.
fn schedule(raw: &Value, path: &str, findings: &mut Findings) -> Option<(Schedule, String)> {
    let zone_name = text(raw, "timezone");
    let found = match &zone_name {
        None => Some(TimeZone::UTC),
        Some(name) => zone(name),
    };
    if let (Some(name), None) = (&zone_name, &found) {
        let rule = "must be the name of an IANA time zone, as in Europe/Berlin or Etc/UTC";
        findings.refuse_value(format!("{path}.timezone"), format!("`{name}`"), rule);
    }
    let place = format!("{path}.schedule");
    let Some(written) = text(raw, "schedule") else {
        let rule = "is required: `at(2026-01-31T18:00:00)`, `rate(5 minutes)` or \
                    `cron(30 6 ? * MON *)`";
        findings.refuse(place, rule);
        return None;
    };
    // A wrong time zone hides nothing of what is wrong in the schedule itself.
    let in_zone = found.clone().unwrap_or(TimeZone::UTC);
    match Schedule::parse(&written, &in_zone) {
        Ok(schedule) => {
            for note in schedule.notes() {
                findings.differs(&place, note);
            }
            let zone_name = zone_name.unwrap_or_else(|| "UTC".to_owned());
            let identity = format!("{schedule} {zone_name}");
            found.map(|_| (schedule, identity))
        }
        Err(error) => {
            findings.refuse_value(place, format!("`{written}`"), error.to_string());
            None
        }
    }
}

/// An action whose one bound contradicts the target's other one works only after another action.
fn alone(action: &ScheduledAction, path: &str, bounds: Bounds, findings: &mut Findings) {
    let path = format!("{path}.scalableTargetAction");
    match (action.min_capacity, action.max_capacity) {
        (None, Some(max)) if max < bounds.min_capacity => findings.differs(
            path,
            format!(
                "maxCapacity {max} is below the service's minCapacity {}: the action fails unless \
                 another one has lowered that before; give minCapacity too",
                bounds.min_capacity
            ),
        ),
        (Some(min), None) if min > bounds.max_capacity => findings.differs(
            path,
            format!(
                "minCapacity {min} is above the service's maxCapacity {}: the action fails unless \
                 another one has raised that before; give maxCapacity too",
                bounds.max_capacity
            ),
        ),
        _ => {}
    }
}
