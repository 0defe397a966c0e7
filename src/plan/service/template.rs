//! What do the pods of a deployment look like? Everything that their template depends on, and the
//! template itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::daemon::is_daemon;
use super::network_policy::label_groups;
use super::observed::Observed;
use super::placing::{Can, placement};
use super::record::labels;
use super::resolve::{balanced_ports, propagated_tags};
use crate::api::{Features, Placement, ServiceDeployment, ServiceDeploymentSpec};
use crate::names::{self, label, label_value};
use crate::plan::capacity_provider::Chosen;
use crate::plan::finding::Findings;
use crate::plan::mapping::{self, Launch, Mapping, Names, Tables};
use crate::plan::placement::affinity::NodeLabels;
use crate::plan::pod;
use crate::plan::task_definition::{TaskDefinition, resolve};
use crate::world::set;

/// What a template depends on, beside the task definition and what the cluster can do.
pub(super) struct Inputs<'a> {
    /// The Service's spec.
    pub(super) spec: &'a Value,
    /// The names that the mapping gives.
    pub(super) names: Names,
    /// The capacity.
    pub(super) chosen: Option<Chosen>,
}

impl<'a> Inputs<'a> {
    /// Those that a record keeps.
    pub(super) fn of_record(record: &'a ServiceDeployment, task: &TaskDefinition) -> Self {
        let ServiceDeploymentSpec { requested, mapping, capacity, .. } = &record.spec;
        let tables = json!({"kubernetes": mapping});
        let mapping = Mapping {
            tables: Tables::read(&tables, &mut Findings::default()),
            ..Mapping::default()
        };
        let chosen = capacity.clone().and_then(|chosen| serde_json::from_value(chosen).ok());
        Self::by(requested, &mapping, chosen, task)
    }

    /// Those of a spec, by a mapping.
    pub(super) fn by(
        spec: &'a Value,
        mapping: &Mapping,
        chosen: Option<Chosen>,
        task: &TaskDefinition,
    ) -> Self {
        let launch = Launch::read(spec, &mut Findings::default());
        let names = mapping::resolve(&task.identifiers, &launch, mapping, &mut Findings::default());
        Self { spec, names, chosen }
    }

    /// The pod template, and what the tasks of each provider have otherwise; `revision` is the spec of
    /// the task definition.
    pub(super) fn template(
        self,
        observed: &Observed,
        (task, revision): (&TaskDefinition, &Value),
        features: Features,
        labels: BTreeMap<String, String>,
    ) -> Rendered {
        let Self { spec, names, chosen } = self;
        let mut bare = pod::template(task, features, &balanced_ports(spec), labels);
        pod::lay(&names, task.image_pull_policy.as_deref(), &mut bare);
        pod::tag(&propagated_tags(spec, task), &mut bare);
        label_groups(spec, &mut bare);
        let laid = |chosen: Option<&Chosen>| {
            let mut template = bare.clone();
            let mut findings = Findings::default();
            let labels = NodeLabels::by(features.labels_nodes);
            let can = Can { labels, packs: features.packs };
            placement(spec, (revision, can), chosen, &observed.uid, &mut findings)
                .lay(&mut template);
            json!(template)
        };
        if is_daemon(spec) {
            // One DaemonSet on the nodes of them all.
            let template = laid(chosen.as_ref());
            return Rendered { template, placements: Vec::new() };
        }
        let template = laid(None);
        let of_each: Vec<(String, Value)> = alone(chosen.as_ref())
            .into_iter()
            .map(|(provider, chosen)| (provider, laid(Some(&chosen))))
            .collect();
        Rendered { placements: placements(&template, of_each), template }
    }
}

/// Pod templates as a record keeps them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rendered {
    /// That of tasks which may run anywhere.
    pub(super) template: Value,
    /// What the tasks of each provider have otherwise.
    pub(super) placements: Vec<Placement>,
}

/// A choice of several providers as choices of one each, in order.
fn alone(chosen: Option<&Chosen>) -> Vec<(String, Chosen)> {
    let items = chosen.and_then(|chosen| chosen.strategy.as_array()).into_iter().flatten();
    let names = items.filter_map(|item| item.get("capacityProvider")?.as_str());
    let of_one = |name: &str| {
        let provider = chosen.and_then(|chosen| chosen.providers.get(name));
        Chosen {
            strategy: json!([{"capacityProvider": name}]),
            providers: provider.map(|spec| (name.to_owned(), spec.clone())).into_iter().collect(),
        }
    };
    names.map(|name| (name.to_owned(), of_one(name))).collect()
}

/// What differs between a template and those of each provider: whole members of the pod spec.
fn placements(template: &Value, of_each: Vec<(String, Value)>) -> Vec<Placement> {
    let none = Map::new();
    let spec_of =
        |template: &Value| template.get("spec").and_then(Value::as_object).unwrap_or(&none).clone();
    let bare = spec_of(template);
    let specs: Vec<_> =
        of_each.into_iter().map(|(provider, template)| (provider, spec_of(&template))).collect();
    let differs = |name: &String| specs.iter().any(|(_, spec)| spec.get(name) != bare.get(name));
    let names = specs.iter().flat_map(|(_, spec)| spec.keys()).chain(bare.keys());
    let names: BTreeSet<String> = names.filter(|name| differs(name)).cloned().collect();
    let of_one = |(provider, spec): &(String, Map<String, Value>)| {
        let members = spec.iter().filter(|(name, _)| names.contains(*name));
        Placement {
            capacity_provider: provider.clone(),
            pod_spec: members.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    };
    specs.iter().map(of_one).collect()
}

/// The template of the tasks of a provider, by its label; the template itself, where that is of no
/// provider.
pub(super) fn template_for(template: &Value, placements: &[Placement], provider: &str) -> Value {
    let mut template = template.clone();
    let is_of = |placement: &&Placement| label_value(&placement.capacity_provider) == provider;
    let Some(placement) = placements.iter().find(is_of) else { return template };
    set(&mut template, &["metadata", "labels", label::CAPACITY_PROVIDER], provider);
    let members = |placement: &Placement| placement.pod_spec.as_object().cloned();
    if let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) {
        for (name, _) in placements.iter().filter_map(members).flatten() {
            spec.remove(&name);
        }
        spec.extend(members(placement).unwrap_or_default());
    }
    template
}

/// The labels of the pods of a deployment.
pub(super) fn template_labels(
    observed: &Observed,
    reference: &str,
    sequence: i64,
) -> BTreeMap<String, String> {
    let (family, revision) = reference.split_once(':').unwrap_or((reference, ""));
    let mut labels = labels(observed);
    labels.extend(
        [
            (label::FAMILY, names::label_value(family)),
            (label::REVISION, revision.to_owned()),
            (label::DEPLOYMENT, sequence.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    labels
}

/// What a record's template would be today, which is nobody's business: for
/// [`Defect::RendersAnew`](crate::defect::Defect::RendersAnew).
pub(super) fn rendered_anew(observed: &Observed, record: &ServiceDeployment) -> Option<Rendered> {
    let revision = observed.revision()?;
    let task = resolve(revision, None, &mut Findings::default());
    let ServiceDeploymentSpec { features, requested, task_definition, .. } = &record.spec;
    let labels = template_labels(observed, task_definition, record.spec.origin());
    let chosen = Inputs::of_record(record, &task).chosen;
    let inputs = Inputs::by(requested, &observed.mapping, chosen, &task);
    Some(inputs.template(observed, (&task, revision), *features, labels))
}
