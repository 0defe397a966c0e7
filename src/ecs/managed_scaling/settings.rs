//! How is managed scaling set?

use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::ecs::fault::{Fault, whole};

/// `managedScaling` of a capacity provider, with ECS's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `status`: whether the group's size is ECS's business at all.
    pub enabled: bool,
    /// `targetCapacity`.
    pub target: Target,
    /// `minimumScalingStepSize`: the fewest instances to add for waiting tasks, 1 to 10,000.
    pub minimum_step: u32,
    /// `maximumScalingStepSize`: the most instances to add for waiting tasks, 1 to 10,000.
    pub maximum_step: u32,
    /// `instanceWarmupPeriod`: how long after an instance came up no more are added, in seconds, 0
    /// to 10,000.
    pub warmup_seconds: u32,
    /// Whether a group without any instance begins with two, as ECS has it, whatever its tasks need.
    pub begins_with_two: bool,
    /// How long the reservation is below the target before the group shrinks: 15 minutes. Only tests
    /// have another.
    pub below_target: SignedDuration,
}

/// `targetCapacity`: how much of a group should be in use, in percent, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target(u32);

impl Target {
    /// A target within the bounds.
    pub fn new(percent: u32) -> Option<Self> {
        (1..=100).contains(&percent).then_some(Self(percent))
    }

    /// In percent.
    pub fn percent(self) -> u32 {
        self.0
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            target: Target(100),
            minimum_step: 1,
            maximum_step: 10_000,
            warmup_seconds: 300,
            begins_with_two: true,
            below_target: SignedDuration::from_mins(15),
        }
    }
}

impl Settings {
    /// Reads `managedScaling`. Settings without a `status` are taken for enabled ones.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn read(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        const STEPS: std::ops::RangeInclusive<u32> = 1..=10_000;
        let default = Self::default();
        let mut faults = Vec::new();
        let mut number = |name: &str, default: u32, bounds| {
            whole(members.get(name), name, default, bounds).unwrap_or_else(|fault| {
                faults.push(fault);
                default
            })
        };
        let settings = Self {
            enabled: members.get("status").and_then(Value::as_str) != Some("DISABLED"),
            target: Target(number("targetCapacity", default.target.0, 1..=100)),
            minimum_step: number("minimumScalingStepSize", default.minimum_step, STEPS),
            maximum_step: number("maximumScalingStepSize", default.maximum_step, STEPS),
            warmup_seconds: number("instanceWarmupPeriod", default.warmup_seconds, 0..=10_000),
            ..default
        };
        match members.get("status") {
            None | Some(Value::Null) => {}
            Some(Value::String(status)) if status == "ENABLED" || status == "DISABLED" => {}
            Some(other) => faults.push(Fault::of("status", other, "must be ENABLED or DISABLED")),
        }
        if settings.minimum_step > settings.maximum_step {
            let message = format!(
                "must not be above maximumScalingStepSize, which is {}",
                settings.maximum_step
            );
            faults.push(Fault::of("minimumScalingStepSize", settings.minimum_step, message));
        }
        if faults.is_empty() { Ok(settings) } else { Err(faults) }
    }
}
