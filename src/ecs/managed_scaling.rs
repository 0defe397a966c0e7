//! How many instances should a group have for the tasks that are placed on it?
//!
//! The arithmetic of ECS's managed scaling: the reservation of a capacity provider, how many
//! instances its waiting tasks need, and when the group grows or shrinks. It is told the time and
//! what was seen; it never picks the instances that leave, and it writes nothing.

mod settings;
mod shape;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use settings::{Settings, Target};
pub use shape::{Needs, Shape, TaskGroup, grouped};

/// How many instances a group without any gets at first, whatever its tasks need.
const FIRST_INSTANCES: u32 = 2;

/// What was seen of a group of instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// How many instances were asked for.
    pub size: u32,
    /// The fewest that the group may have.
    pub least: u32,
    /// The most that the group may have, if that is bounded.
    pub most: Option<u32>,
    /// How many instances are up.
    pub instances: u32,
    /// How many of them run no task but those of DAEMON services.
    pub empty: u32,
    /// When the youngest of them came up.
    pub youngest: Option<Timestamp>,
    /// The instances that were seen; of an empty group, those that it last had.
    pub shapes: Vec<Shape>,
    /// The tasks that wait for an instance of this group, those of one kind together.
    pub provisioning: Vec<TaskGroup>,
}

/// How much of a group is needed: `CapacityProviderReservation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// M: how many instances are needed.
    pub needed: u32,
    /// N: how many are up.
    pub instances: u32,
}

impl Reservation {
    /// In percent. Of no instances, 100 where none is needed and 200 where any is, since a part of
    /// none is no number.
    ///
    /// ```
    /// use linkspan::ecs::managed_scaling::Reservation;
    /// assert!((Reservation { needed: 6, instances: 4 }.percent() - 150.0).abs() < 1e-9);
    /// assert!((Reservation { needed: 0, instances: 0 }.percent() - 100.0).abs() < 1e-9);
    /// ```
    pub fn percent(self) -> f64 {
        match (self.needed, self.instances) {
            (0, 0) => 100.0,
            (_, 0) => 200.0,
            (needed, instances) => f64::from(needed) / f64::from(instances) * 100.0,
        }
    }

    /// In percent, to the nearest whole number.
    ///
    /// ```
    /// use linkspan::ecs::managed_scaling::Reservation;
    /// assert_eq!(Reservation { needed: 4, instances: 3 }.whole_percent(), 133);
    /// assert_eq!(Reservation { needed: 2, instances: 0 }.whole_percent(), 200);
    /// ```
    pub fn whole_percent(self) -> i64 {
        match (i64::from(self.needed), i64::from(self.instances)) {
            (0, 0) => 100,
            (_, 0) => 200,
            (needed, instances) => (needed * 100 + instances / 2) / instances,
        }
    }
}

/// What a group's status keeps between two looks at it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Since when the reservation has been below the target without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_target_since: Option<Time>,
    /// The last change of the size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_activity: Option<Activity>,
}

/// A change of a group's size.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// When.
    pub at: Time,
    /// Instances before.
    pub from: u32,
    /// Instances after.
    pub to: u32,
    /// Why, in a sentence.
    pub cause: String,
}

/// What to do about a group's size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Leave it.
    Stay(Why),
    /// Ask for so many instances, more than before.
    Grow(u32),
    /// Ask for so many instances, fewer than before. As many empty ones are to leave, and none else.
    Shrink(u32),
}

/// Why a size stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is as wanted.
    AsWanted,
    /// More are wanted than the group may have.
    AtMost,
    /// Fewer are wanted than the group may have.
    AtLeast,
    /// More are wanted, but an instance is younger than the warm-up period.
    WarmingUp,
    /// More are wanted, and as many are on their way.
    Starting,
    /// Fewer are wanted, but not yet for 15 minutes.
    NotForLong,
    /// Fewer are wanted, and the last step down is not yet carried out.
    Ending,
}

/// The answer about a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// How much of the group is needed.
    pub reservation: Reservation,
    /// How many instances the target asks for, before any bound.
    pub wanted: u32,
    /// What to do.
    pub step: Step,
    /// What to keep.
    pub state: State,
    /// When time alone can change the answer.
    pub wake_at: Option<Timestamp>,
}

/// How much of a group is needed, counting the tasks that wait.
///
/// Waiting tasks need as many more instances as the neediest kind of them does alone, at least the
/// minimum step and at most the maximum; the other kinds get theirs at a later look. A kind that
/// does not fit the smallest instance is left out.
pub fn reservation(settings: &Settings, group: &Group) -> Reservation {
    let in_use = group.instances.saturating_sub(group.empty);
    let needed = match shape::more_instances(&group.provisioning, &group.shapes) {
        0 if shape::any_waiting(&group.provisioning) => group.instances,
        0 => in_use,
        more => {
            let step = more.min(settings.maximum_step).max(settings.minimum_step);
            group.instances.saturating_add(step)
        }
    };
    Reservation { needed, instances: group.instances }
}

/// The size that brings the reservation to the target, rounded up: `ceil(M · 100 / target)`. A
/// group without instances always begins with two, within the steps.
pub fn wanted(settings: &Settings, reservation: Reservation) -> u32 {
    if reservation.instances == 0 && reservation.needed > 0 && settings.begins_with_two {
        return FIRST_INSTANCES.min(settings.maximum_step).max(settings.minimum_step);
    }
    let target = u64::from(settings.target.percent());
    let wanted = (u64::from(reservation.needed) * 100).div_ceil(target);
    u32::try_from(wanted).unwrap_or(u32::MAX)
}

/// Decides about a group's size.
pub fn decide(settings: &Settings, group: &Group, state: &State, now: Timestamp) -> Decision {
    let reservation = reservation(settings, group);
    let wanted = wanted(settings, reservation);
    let bounded = wanted.min(group.most.unwrap_or(u32::MAX)).max(group.least);
    let mut decision = Decision {
        reservation,
        wanted,
        step: Step::Stay(Why::AsWanted),
        state: state.clone(),
        wake_at: None,
    };
    // Below the target is what the reservation says, not what the bounds leave of it.
    if wanted >= group.instances {
        decision.state.below_target_since = None;
    } else if decision.state.below_target_since.is_none() {
        decision.state.below_target_since = Some(Time(now));
    }
    if wanted > group.instances || bounded > group.size {
        grow(settings, group, bounded, now, &mut decision);
    } else if wanted < group.instances {
        // A most that is below what there is is no reason to end what is needed.
        shrink(settings, group, wanted.max(group.least), now, &mut decision);
    }
    decision
}

fn grow(settings: &Settings, group: &Group, bounded: u32, now: Timestamp, decision: &mut Decision) {
    if bounded <= group.size {
        let is_bound = decision.wanted > bounded;
        decision.step = Step::Stay(if is_bound { Why::AtMost } else { Why::Starting });
        return;
    }
    let warm = group.youngest.and_then(|youngest| {
        youngest.checked_add(SignedDuration::from_secs(settings.warmup_seconds.into())).ok()
    });
    if let Some(warm) = warm.filter(|warm| *warm > now) {
        decision.step = Step::Stay(Why::WarmingUp);
        decision.wake_at = Some(warm);
        return;
    }
    decision.step = Step::Grow(bounded);
    // Also where the reservation is below the target and only the least size asks for more.
    decision.state.below_target_since = None;
    let cause = format!("{} of {} instances needed", decision.reservation.needed, group.instances);
    record(group.size, bounded, cause, now, decision);
}

fn shrink(
    settings: &Settings,
    group: &Group,
    bounded: u32,
    now: Timestamp,
    decision: &mut Decision,
) {
    let since = decision.state.below_target_since.as_ref().map_or(now, |since| since.0);
    let due = since.checked_add(settings.below_target).unwrap_or(Timestamp::MAX);
    // No more than half at once. What runs is needed, and what is needed is wanted, so that no
    // instance that runs a task has to leave.
    let at_once = (group.instances / 2).max(1);
    let smallest = bounded.max(group.instances.saturating_sub(at_once));
    decision.step = if bounded >= group.instances {
        Step::Stay(Why::AtLeast)
    } else if now < due {
        decision.wake_at = Some(due);
        Step::Stay(Why::NotForLong)
    } else if group.size < group.instances {
        Step::Stay(Why::Ending)
    } else {
        let cause = format!(
            "{} of {} instances needed for {} minutes",
            decision.reservation.needed,
            group.instances,
            settings.below_target.as_secs().div_euclid(60)
        );
        record(group.size, smallest, cause, now, decision);
        Step::Shrink(smallest)
    };
}

fn record(from: u32, to: u32, cause: String, now: Timestamp, decision: &mut Decision) {
    decision.state.last_activity = Some(Activity { at: Time(now), from, to, cause });
}
