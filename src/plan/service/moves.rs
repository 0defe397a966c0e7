//! Which tasks does a change of capacity providers leave as they are?
//!
//! Where the providers are all that changed, the new deployment has the template of the one before:
//! tasks of a provider that stays are not replaced, and those of others are, where they run now. The
//! label `deployment` of such tasks goes on naming the record in which their template originated.

use serde_json::Value;

use super::held;
use super::observed::Observed;
use super::record::starting_inputs;
use super::template::{Inputs, template_for, template_labels};
use crate::api::{Cause, ServiceDeployment, ServiceDeploymentSpec};
use crate::names::label_value;
use crate::plan::task_definition::TaskDefinition;

/// The members that say which providers there are.
const CAPACITY: [&str; 2] = ["capacityProviderStrategy", "launchType"];

/// Gives a new record the template of the one before, if nothing but the providers has changed.
pub(super) fn keep_template(
    observed: &Observed,
    earlier: &ServiceDeployment,
    task: &TaskDefinition,
    record: &mut ServiceDeploymentSpec,
) {
    let inputs = |spec: &Value| {
        let mut inputs = starting_inputs(spec);
        inputs.retain(|name, _| !CAPACITY.contains(&name.as_str()));
        inputs
    };
    let before = &earlier.spec;
    let same = before.task_definition == record.task_definition
        && inputs(&before.requested) == inputs(&record.requested)
        && before.nonce == record.nonce
        && before.min_ready_seconds == record.min_ready_seconds;
    // That of a DAEMON service names the nodes of its providers.
    if observed.daemon.is_some() {
        return;
    }
    // The template of a workload is that of one provider: which parts of it are, is not known.
    if !same
        || before.cause == Cause::Restored
        || !is_the_same_but_for_providers(observed, earlier, task)
    {
        return;
    }
    let origin = before.origin();
    let stays = |provider: &str, then: &ServiceDeploymentSpec| {
        template_for(&then.template, &then.placements, provider)
            == template_for(&before.template, &record.placements, provider)
    };
    for placement in &record.placements {
        let name = &placement.capacity_provider;
        let provider = label_value(name);
        let of_one_origin = observed.records.iter().filter(|one| one.spec.origin() == origin);
        let mut with_it = of_one_origin.filter(|one| {
            one.spec.placements.iter().any(|placement| placement.capacity_provider == *name)
        });
        if with_it.any(|then| !stays(&provider, &then.spec)) {
            return;
        }
    }
    record.template.clone_from(&before.template);
    record.features = before.features;
    record.template_from = Some(origin);
}

/// Whether this version renders the same of what was asked for then and now, without any provider.
fn is_the_same_but_for_providers(
    observed: &Observed,
    earlier: &ServiceDeployment,
    task: &TaskDefinition,
) -> bool {
    let Some(revision) = observed.revision() else { return false };
    let ServiceDeploymentSpec { features, task_definition, capacity, placements, .. } =
        &earlier.spec;
    // Of a version that had all providers' tasks in one Deployment, the template is that of them all.
    if capacity.is_some() && placements.is_empty() {
        return false;
    }
    let mut then = Inputs::of_record(earlier, task);
    let mut now = Inputs::by(&observed.service.spec.0, &observed.mapping, None, task);
    (then.chosen, now.chosen) = (None, None);
    let [then, now] = [then, now].map(|inputs| {
        let labels = template_labels(observed, task_definition, earlier.spec.sequence);
        inputs.template(observed, (task, revision), *features, labels)
    });
    held::differences(&then, &now).is_empty()
}
