//! What must be remembered from one evaluation to the next?
//!
//! Little, since it lives in a Service's status: the bounds that scheduled actions have set, when
//! each of them was last seen to, the running cooldowns, the alarms, and the last activities.
//! Datapoints are not in it: after a restart their windows fill anew, which holds back an action and
//! never makes one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::alarm::AlarmState;

/// Activities that are remembered.
pub const MOST_ACTIVITIES: usize = 20;

/// `MinCapacity` and `MaxCapacity`, in tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// Fewest tasks.
    pub min_capacity: i32,
    /// Most tasks.
    pub max_capacity: i32,
}

impl Bounds {
    /// The count within the bounds that is nearest to this one.
    pub fn clamp(self, count: i32) -> i32 {
        count.min(self.max_capacity).max(self.min_capacity)
    }

    /// Whether the least is not above the most.
    pub fn are_in_order(self) -> bool {
        self.min_capacity <= self.max_capacity
    }
}

/// What scaling remembers of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingState {
    /// The bounds as the spec had them when they were last taken from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<Bounds>,
    /// The bounds that hold: those of the spec, or what scheduled actions have made of them since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// By scheduled action: its schedule, and up to when it has been seen to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scheduled: BTreeMap<String, SeenTo>,
    /// The last addition of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_out: Option<Cooldown>,
    /// The last removal of tasks, if none were added since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_in: Option<Cooldown>,
    /// By step scaling policy: what its alarm says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alarms: BTreeMap<String, AlarmState>,
    /// Whose manifest sets the count at each apply, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_set_by: Option<String>,
    /// What was done, newest first: at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub activities: Vec<Activity>,
}

impl ScalingState {
    /// Remembers an activity, and forgets the oldest.
    pub fn remember(&mut self, activity: Activity) {
        self.activities.insert(0, activity);
        self.activities.truncate(MOST_ACTIVITIES);
    }
}

/// Up to when a scheduled action has been seen to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenTo {
    /// Its schedule and time zone then; another one counts as a new action.
    pub schedule: String,
    /// Nothing up to this instant is due any more.
    pub up_to: Time,
}

/// A time after an activity during which the next one is held back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cooldown {
    /// The policy that acted.
    pub policy: String,
    /// When it ends.
    pub until: Time,
    /// The count before the first activity of the cooldown.
    pub from: i32,
}

impl Cooldown {
    /// Whether it has not ended.
    pub fn runs(&self, now: Timestamp) -> bool {
        now < self.until.0
    }
}

/// One scaling activity, with the members of DescribeScalingActivities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// When it was decided, in whole seconds.
    pub start_time: Time,
    /// What was done.
    pub description: String,
    /// Why.
    pub cause: String,
    /// `Successful` or `Failed`.
    pub status_code: String,
    /// More about the status.
    pub status_message: String,
}

impl Activity {
    /// The count is set.
    pub fn sets_count(count: i32, cause: String, now: Timestamp) -> Self {
        Self {
            start_time: whole(now),
            description: format!("Setting desired count to {count}."),
            cause,
            status_code: "Successful".to_owned(),
            status_message: format!(
                "Successfully set desired count to {count}. Change successfully fulfilled by ecs."
            ),
        }
    }

    /// Whether something stood in its way.
    pub fn has_failed(&self) -> bool {
        self.status_code == "Failed"
    }
}

/// An instant as a status holds it: in whole seconds.
pub fn whole(instant: Timestamp) -> Time {
    Time(Timestamp::from_second(instant.as_second()).unwrap_or(instant))
}
