//! What do the pods of a deployment look like? Everything that their template depends on, and the
//! template itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::observed::Observed;
use super::placing::placement;
use super::record::labels;
use super::resolve::{balanced_ports, propagated_tags};
use crate::api::{Features, ServiceDeployment, ServiceDeploymentSpec};
use crate::names::{self, label};
use crate::plan::capacity_provider::Chosen;
use crate::plan::finding::Findings;
use crate::plan::mapping::{self, Launch, Mapping, Names, Tables};
use crate::plan::placement::affinity::NodeLabels;
use crate::plan::pod;
use crate::plan::task_definition::{TaskDefinition, resolve};

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

    /// The pod template; `revision` is the spec of the task definition.
    pub(super) fn template(
        self,
        observed: &Observed,
        (task, revision): (&TaskDefinition, &Value),
        features: Features,
        labels: BTreeMap<String, String>,
    ) -> Value {
        let Self { spec, names, chosen } = self;
        let mut template = pod::template(task, features, &balanced_ports(spec), labels);
        pod::lay(&names, task.image_pull_policy.as_deref(), &mut template);
        pod::tag(&propagated_tags(spec, task), &mut template);
        let mut findings = Findings::default();
        let of_task = (revision, NodeLabels::by(features.labels_nodes));
        placement(spec, of_task, chosen.as_ref(), &observed.uid, &mut findings).lay(&mut template);
        json!(template)
    }
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
pub(super) fn rendered_anew(observed: &Observed, record: &ServiceDeployment) -> Option<Value> {
    let revision = observed.revision()?;
    let task = resolve(revision, None, &mut Findings::default());
    let ServiceDeploymentSpec { features, sequence, requested, task_definition, .. } = &record.spec;
    let labels = template_labels(observed, task_definition, *sequence);
    let chosen = Inputs::of_record(record, &task).chosen;
    let inputs = Inputs::by(requested, &observed.mapping, chosen, &task);
    Some(inputs.template(observed, (&task, revision), *features, labels))
}
