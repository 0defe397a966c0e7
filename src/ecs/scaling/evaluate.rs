//! What do the policies of a service do to its count now?
//!
//! One step of Application Auto Scaling, pure: from the present count, the bounds that hold, the
//! policies, the datapoints and what is remembered comes at most one change of the count, its cause,
//! what to remember, and when to ask again.
//!
//! # Rules
//! * Tasks are added if any policy wants it; the largest count wins.
//! * Tasks are removed only if nobody wants more, and if all target tracking policies that may remove
//!   tasks agree; a step policy whose alarm says so does not wait for them. The largest count wins.
//! * A cooldown after an addition holds back further additions, unless one is larger: what was added
//!   since the cooldown began is counted as part of it. A cooldown after a removal holds back further
//!   removals. An addition comes at once and ends it.
//! * One set of datapoints acts once: a cooldown that ends before the next are there lasts until then.
//! * A change is held within the bounds; a count outside them stays until there is a change.
//! * During a deployment no tasks are removed. What is suspended is not done.
//! * A policy without datapoints wants nothing.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::alarm::{self, Alarm, AlarmState, Datapoint, Statistic};
use super::metric::Metric;
use super::state::{Activity, Bounds, Cooldown, ScalingState, whole};
use super::step::{Aggregation, StepScaling};
use super::target_tracking::{Asks, TargetTracking, Timing};

/// What is scaled, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// `service/<cluster>/<service>`, as in `ResourceId`.
    pub resource: String,
    /// The bounds that hold.
    pub bounds: Bounds,
    /// `SuspendedState`.
    pub suspended: Suspended,
    /// The desired count.
    pub count: i32,
    /// Whether a deployment is under way.
    pub deploying: bool,
}

/// `SuspendedState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "the members are called so")]
pub struct Suspended {
    /// `DynamicScalingInSuspended`: policies remove no tasks.
    pub dynamic_scaling_in: bool,
    /// `DynamicScalingOutSuspended`: policies add no tasks.
    pub dynamic_scaling_out: bool,
    /// `ScheduledScalingSuspended`: scheduled actions pass without effect.
    pub scheduled_scaling: bool,
}

/// A scaling policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// `PolicyName`.
    pub name: String,
    /// What it does.
    pub rule: Rule,
}

/// What a scaling policy does.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// Keeps a metric near its target.
    TargetTracking(TargetTracking),
    /// Takes steps while an alarm is on.
    Step(StepScaling, Metric, Alarm),
}

impl Rule {
    /// How often its datapoints change, in seconds: an alarm of high resolution is looked at as often
    /// as one of its periods ends.
    fn tick(&self, timing: &Timing) -> i64 {
        match self {
            Self::TargetTracking(_) => timing.period,
            Self::Step(_, _, alarm) => alarm.period.min(timing.period),
        }
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The count to set, if it is to change.
    pub count: Option<i32>,
    /// Why, if it is to change; it is the first of the remembered ones too.
    pub activity: Option<Activity>,
    /// What each policy wants, in their order.
    pub policies: Vec<Opinion>,
    /// What to remember.
    pub state: ScalingState,
    /// When to ask again; none without policies.
    pub wake_at: Option<Timestamp>,
}

/// What one policy wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// The policy's name.
    pub policy: String,
    /// What it judges by: the newest datapoint, or for steps those of the alarm in one.
    pub value: Option<f64>,
    /// What it wants.
    pub wants: Wants,
    /// What holds it back, if it wants something.
    pub held: Option<Held>,
}

/// What a policy wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// This many tasks, more than there were when the running cooldown began.
    Out(i32),
    /// This many tasks, fewer than there are.
    In(i32),
    /// What there is.
    Nothing,
    /// It has no datapoints to judge by.
    NoData,
}

/// What holds a policy back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A cooldown, until then.
    Cooldown(Timestamp),
    /// `SuspendedState`.
    Suspended,
    /// A deployment is under way.
    Deployment,
    /// The count is at its upper bound or above.
    AtMaximum,
    /// The count is at its lower bound or below.
    AtMinimum,
    /// Another policy wants more tasks than this one.
    Others,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cooldown(until) => {
                write!(f, "cooldown until {until:.0}")
            }
            Self::Suspended => f.write_str("suspended"),
            Self::Deployment => f.write_str("no scale-in during a deployment"),
            Self::AtMaximum => f.write_str("already at maxCapacity"),
            Self::AtMinimum => f.write_str("already at minCapacity"),
            Self::Others => f.write_str("another policy needs more tasks"),
        }
    }
}

/// One step: what the policies do to the count at `now`.
///
/// `metrics` holds the samples by policy; what is older than a policy looks at may be left out.
pub fn evaluate(
    target: &Target,
    policies: &[Policy],
    metrics: &BTreeMap<String, Vec<Datapoint>>,
    state: &ScalingState,
    timing: &Timing,
    now: Timestamp,
) -> Decision {
    let mut state = state.clone();
    state.alarms.retain(|name, _| policies.iter().any(|policy| policy.name == *name));
    let moment = Moment { target, timing, now };
    let mut opinions: Vec<Opinion> = Vec::new();
    for policy in policies {
        let samples = metrics.get(&policy.name).map_or(&[][..], Vec::as_slice);
        opinions.push(moment.opinion(policy, samples, &mut state));
    }
    moment.hold_back(policies, &mut opinions, &state);
    let mut decision = Decision {
        count: None,
        activity: None,
        policies: opinions,
        state,
        wake_at: policies
            .iter()
            .map(|policy| policy.rule.tick(timing))
            .min()
            .and_then(|tick| alarm::next_tick(now, tick)),
    };
    moment.decide(policies, &mut decision);
    decision
}

/// What does not change during one step.
struct Moment<'a> {
    target: &'a Target,
    timing: &'a Timing,
    now: Timestamp,
}

impl Moment<'_> {
    /// What a policy wants, whatever may hold it back.
    fn opinion(&self, policy: &Policy, samples: &[Datapoint], state: &mut ScalingState) -> Opinion {
        let (value, wants) = match &policy.rule {
            Rule::TargetTracking(tracking) => self.tracking(tracking, samples, state),
            Rule::Step(step, _, alarm) => {
                let before = state.alarms.get(&policy.name).copied().unwrap_or_default();
                let points = self.points(samples, alarm.statistic, alarm.period, alarm.range());
                let is = alarm.state(&points, before);
                state.alarms.insert(policy.name.clone(), is);
                self.step(step, alarm, is, samples, state)
            }
        };
        Opinion { policy: policy.name.clone(), value, wants, held: None }
    }

    fn points(
        &self,
        samples: &[Datapoint],
        statistic: Statistic,
        period: i64,
        count: usize,
    ) -> Vec<Option<f64>> {
        let tick = self.timing.period.min(period);
        alarm::datapoints(samples, statistic, period, count, tick, self.now)
    }

    fn tracking(
        &self,
        tracking: &TargetTracking,
        samples: &[Datapoint],
        state: &ScalingState,
    ) -> (Option<f64>, Wants) {
        let window = self.timing.out_periods.max(self.timing.in_periods);
        let points = self.points(samples, Statistic::Average, self.timing.period, window);
        let count = self.target.count;
        let wants = match tracking.asks(&points, self.timing) {
            Asks::NoData => Wants::NoData,
            Asks::Out(value) => {
                // A metric that comes from outside wakes a service that has no task.
                let base = self.base(state);
                Wants::Out(tracking.wanted(base, value).max(base.saturating_add(1)))
            }
            Asks::In(value) if !tracking.disable_scale_in => {
                let wanted = tracking.wanted(count, value);
                if wanted < count { Wants::In(wanted) } else { Wants::Nothing }
            }
            Asks::In(_) | Asks::Nothing => Wants::Nothing,
        };
        (points.last().copied().flatten(), wants)
    }

    fn step(
        &self,
        step: &StepScaling,
        alarm: &Alarm,
        is: AlarmState,
        samples: &[Datapoint],
        state: &ScalingState,
    ) -> (Option<f64>, Wants) {
        let judged = self.points(samples, alarm.statistic, alarm.period, alarm.evaluation_periods);
        let by = match step.aggregation {
            Aggregation::Average => Statistic::Average,
            Aggregation::Minimum => Statistic::Minimum,
            Aggregation::Maximum => Statistic::Maximum,
        };
        let value = alarm::aggregate(judged.into_iter().flatten(), by);
        let (count, base) = (self.target.count, self.base(state));
        let wants = match (is, value) {
            (AlarmState::InsufficientData, _) | (AlarmState::Alarm, None) => Wants::NoData,
            (AlarmState::Ok, _) => Wants::Nothing,
            (AlarmState::Alarm, Some(value)) => {
                let below = alarm.comparison.looks_below();
                match step.step_for(value - alarm.threshold, below) {
                    Some(chosen) if step.wanted(chosen, count) < count => {
                        Wants::In(step.wanted(chosen, count))
                    }
                    Some(chosen) if step.wanted(chosen, base) > base => {
                        Wants::Out(step.wanted(chosen, base))
                    }
                    _ => Wants::Nothing,
                }
            }
        };
        (value, wants)
    }

    /// The count from which an addition is reckoned: while a cooldown runs, the one before it.
    fn base(&self, state: &ScalingState) -> i32 {
        let count = self.target.count;
        state
            .scale_out
            .as_ref()
            .filter(|cooldown| cooldown.runs(self.now))
            .map_or(count, |cooldown| cooldown.from.min(count))
    }

    /// Says of each policy what holds it back.
    fn hold_back(&self, policies: &[Policy], opinions: &mut [Opinion], state: &ScalingState) {
        let (target, now) = (self.target, self.now);
        let outward = opinions.iter().any(|opinion| matches!(opinion.wants, Wants::Out(_)));
        let tracking_agrees =
            policies.iter().zip(opinions.iter()).all(|(policy, opinion)| match &policy.rule {
                Rule::TargetTracking(tracking) => {
                    tracking.disable_scale_in || matches!(opinion.wants, Wants::In(_))
                }
                Rule::Step(..) => true,
            });
        let cooldown = |cooldown: &Option<Cooldown>| {
            cooldown.as_ref().filter(|cooldown| cooldown.runs(now)).map(|running| running.until.0)
        };
        for (policy, opinion) in policies.iter().zip(opinions) {
            opinion.held = match opinion.wants {
                Wants::Out(_) if target.suspended.dynamic_scaling_out => Some(Held::Suspended),
                Wants::Out(_) if target.count >= target.bounds.max_capacity => {
                    Some(Held::AtMaximum)
                }
                Wants::Out(wanted) if wanted <= target.count => {
                    cooldown(&state.scale_out).map(Held::Cooldown)
                }
                Wants::In(_) if outward => Some(Held::Others),
                Wants::In(_)
                    if matches!(policy.rule, Rule::TargetTracking(_)) && !tracking_agrees =>
                {
                    Some(Held::Others)
                }
                Wants::In(_) if target.suspended.dynamic_scaling_in => Some(Held::Suspended),
                Wants::In(_) if target.deploying => Some(Held::Deployment),
                Wants::In(_) if target.count <= target.bounds.min_capacity => Some(Held::AtMinimum),
                Wants::In(_) => cooldown(&state.scale_in).map(Held::Cooldown),
                Wants::Out(_) | Wants::Nothing | Wants::NoData => None,
            };
        }
    }

    /// Lets the policy act that leaves the most tasks.
    fn decide(&self, policies: &[Policy], decision: &mut Decision) {
        let free =
            decision.policies.iter().zip(policies).filter(|(opinion, _)| opinion.held.is_none());
        let wanted = free.filter_map(|(opinion, policy)| match opinion.wants {
            Wants::Out(count) | Wants::In(count) => Some((count, policy)),
            Wants::Nothing | Wants::NoData => None,
        });
        // Of several with the same count the first in the spec acts.
        let first_greatest = wanted.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let Some((wanted, policy)) = first_greatest else { return };
        let count = self.target.bounds.clamp(wanted);
        let from = self.target.count;
        if count == from {
            return;
        }
        let base = self.base(&decision.state);
        let outward = count > from;
        let (seconds, alarm) = match &policy.rule {
            Rule::TargetTracking(tracking) => {
                let (seconds, side) = if outward {
                    (tracking.scale_out_cooldown, "AlarmHigh")
                } else {
                    (tracking.scale_in_cooldown, "AlarmLow")
                };
                let alarm =
                    format!("TargetTracking-{}-{side}-{}", self.target.resource, policy.name);
                (seconds, alarm)
            }
            Rule::Step(step, _, alarm) => (step.cooldown, alarm.name.clone()),
        };
        let until = self.now.saturating_add(SignedDuration::from_secs(seconds.max(0)));
        let until = until.unwrap_or(Timestamp::MAX);
        // A count of 10 that is to be 8 by these datapoints is not to be 7 by the same: the next come
        // with the next tick, however short the cooldown is.
        let next = alarm::next_tick(self.now, policy.rule.tick(self.timing));
        let cooldown = Cooldown {
            policy: policy.name.clone(),
            until: whole(next.map_or(until, |next| next.max(until))),
            from: if outward { base } else { from },
        };
        let state = &mut decision.state;
        (state.scale_out, state.scale_in) =
            if outward { (Some(cooldown), None) } else { (None, Some(cooldown)) };
        let cause =
            format!("monitor alarm {alarm} in state ALARM triggered policy {}", policy.name);
        let activity = Activity::sets_count(count, cause, self.now);
        state.remember(activity.clone());
        decision.count = Some(count);
        decision.activity = Some(activity);
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod properties;
