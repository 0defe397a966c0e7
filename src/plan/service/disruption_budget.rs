//! How many of a service's tasks must a drain leave?
//!
//! As many as ECS would, but never so many that no task may go: a drain never hangs because of us.
//! Tasks that are not ready may always be evicted.
//!
//! It is never ahead of the Deployments: it rises when they have been told to run more, and falls before
//! they are told to run fewer. So whenever the operator is stopped, for good even, what it leaves lets a
//! drain go on, also in the middle of another: of 3 tasks with a fourth started for a node that ends,
//! 3 must stay, and one may go.

use k8s_openapi::api::policy::v1 as policyv1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::course::Course;
use super::observed::Observed;
use super::record::{labels, owner, selector_of};
use super::resolve::Settings;
use crate::names;
use crate::world::Object;

/// The budget: the floor of `minimumHealthyPercent`, but at most one less than the desired count, unless
/// others start in place of tasks that have to leave; and at most one less than the Deployments have been
/// told to run, where there are any yet.
pub(super) fn build(observed: &Observed, settings: &Settings, course: &Course) -> Object {
    let mut floor = settings.percents.floor(settings.desired);
    if !course.surge_goes_on() {
        floor = floor.min(settings.desired - 1);
    }
    if let Some(written) = course.written() {
        floor = floor.min(written - 1);
    }
    let budget = policyv1::PodDisruptionBudget {
        metadata: ObjectMeta {
            name: Some(names::disruption_budget(&observed.name, &observed.uid, names::FIRST_SLOT)),
            namespace: Some(observed.key.namespace.clone()),
            labels: Some(labels(observed)),
            owner_references: Some(vec![owner(observed)]),
            ..ObjectMeta::default()
        },
        spec: Some(policyv1::PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(floor.max(0))),
            selector: Some(LabelSelector {
                match_labels: Some(selector_of(observed)),
                ..LabelSelector::default()
            }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..policyv1::PodDisruptionBudgetSpec::default()
        }),
        status: None,
    };
    Object::of(&budget)
}
