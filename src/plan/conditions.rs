//! How do conditions move? Their time moves when their status moves, and only then.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::finding::{Finding, Level, in_one_line};
use crate::api::{ConditionType, Reason};

/// The longest message that a condition may carry, in characters.
const LONGEST_MESSAGE: usize = 4096;

/// What a condition should say now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// Which condition.
    pub kind: ConditionType,
    /// Whether it holds.
    pub holds: bool,
    /// Why, as a word.
    pub reason: Reason,
    /// Why, as a sentence.
    pub message: String,
}

impl Assessment {
    /// A condition that should say this.
    pub fn new(
        kind: ConditionType,
        holds: bool,
        reason: Reason,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, holds, reason, message: message.into() }
    }
}

/// The three conditions that tools wait on, from one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is as the spec asks.
    Ready,
    /// It is on its way there.
    Reconciling,
    /// It will not get there by itself.
    Stalled,
}

/// `Ready`, `Reconciling` and `Stalled`, as kstatus reads them.
pub fn progress(outcome: Outcome, reason: Reason, message: &str) -> Vec<Assessment> {
    let of = |kind, holds| Assessment::new(kind, holds, reason, message);
    vec![
        of(ConditionType::Ready, outcome == Outcome::Ready),
        of(ConditionType::Reconciling, outcome == Outcome::Reconciling),
        of(ConditionType::Stalled, outcome == Outcome::Stalled),
    ]
}

/// `FullySupported`, from what was found in the spec.
pub fn fully_supported<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Assessment {
    let differ: Vec<&Finding> =
        findings.into_iter().filter(|finding| finding.level >= Level::Differs).collect();
    if differ.is_empty() {
        let message = "every field has its ECS effect";
        Assessment::new(ConditionType::FullySupported, true, Reason::AllFieldsHonoured, message)
    } else {
        let message = in_one_line(differ);
        Assessment::new(ConditionType::FullySupported, false, Reason::FieldsNotHonoured, message)
    }
}

/// The conditions that say this now, given what they said before.
pub fn advance(
    before: &[Condition],
    assessments: Vec<Assessment>,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    assessments
        .into_iter()
        .map(|assessment| {
            let kind = assessment.kind.as_str();
            let status = if assessment.holds { "True" } else { "False" };
            let since = before
                .iter()
                .find(|condition| condition.type_ == kind && condition.status == status)
                .map_or_else(|| time(now), |condition| condition.last_transition_time.clone());
            Condition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: assessment.reason.as_str().to_owned(),
                message: assessment.message.chars().take(LONGEST_MESSAGE).collect(),
                observed_generation: generation,
                last_transition_time: since,
            }
        })
        .collect()
}

/// Whether a condition of this type holds.
pub fn holds(conditions: &[Condition], kind: ConditionType) -> bool {
    conditions.iter().any(|c| c.type_ == kind.as_str() && c.status == "True")
}

/// Whether an object has just come to a standstill: what was said of it before was not that, or was
/// about an earlier spec.
pub fn newly_stalled(
    outcome: Outcome,
    before: &[Condition],
    observed: Option<i64>,
    generation: Option<i64>,
) -> bool {
    let told = holds(before, ConditionType::Stalled) && observed == generation;
    outcome == Outcome::Stalled && !told
}

/// The reason that a condition of this type gives.
pub fn reason(conditions: &[Condition], kind: ConditionType) -> Option<&str> {
    conditions.iter().find(|c| c.type_ == kind.as_str()).map(|c| c.reason.as_str())
}

/// A time as Kubernetes stores it: whole seconds.
pub fn time(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}
