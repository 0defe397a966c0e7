//! Which capacity do a service's tasks get, and what do their pods say for that?
//!
//! In this order: the service's own strategy or launch type; a Fargate profile that selects it; the
//! default strategy of its cluster. Two steps, since a deployment keeps what was chosen for it:
//! [`choose`] looks at what there is, [`Chosen::capacity`] at what was chosen only.
//!
//! A provider without an object is implied: FARGATE is any node, FARGATE_SPOT rather one that says
//! of itself that it is spot, and any other the pool of that name, or nodes that carry the label
//! `ecs.linkspan.dev/capacity-provider` with it. Of several providers, each has tasks of its own, for which
//! a choice of that one alone is made; only those of a DAEMON service run on the nodes of any.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::nodes::Selection;
use super::read::BUILT_IN;
use super::{CapacityProvider, Form, Isolation, read};
use crate::ecs::fault::Fault;
use crate::ecs::reference::text;
use crate::ecs::strategy::Strategy;
use crate::plan::finding::Findings;
use crate::plan::judge::is_empty;
use crate::plan::placement::affinity::HOSTNAME;
use crate::plan::placement::groups;

/// The specs of CapacityProvider objects, by their ECS names.
pub type Objects = BTreeMap<String, Value>;
/// The same where the objects are: those that there are.
pub type Known<'a> = BTreeMap<String, &'a Value>;

/// The member of a Service that says whose default strategy it has.
const CLUSTER: &str = "cluster";

/// What a choice depends on, beside the objects that there are.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The spec of a Service.
    pub spec: &'a Value,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// `defaultCapacityProviderStrategy` of its Cluster.
    pub default_strategy: Option<&'a Value>,
}

/// The capacity that was chosen, as a deployment record keeps it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chosen {
    /// The strategy.
    pub strategy: Value,
    /// The specs of its providers, as they were; of an implied one there is none.
    #[serde(default)]
    pub providers: Objects,
}

/// What pods say of the capacity that they are for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capacity {
    /// Terms of a node affinity, of which one must hold; without any, all nodes will do.
    pub terms: Vec<corev1::NodeSelectorTerm>,
    /// Nodes that are taken rather than others.
    pub preferred: Vec<corev1::PreferredSchedulingTerm>,
    /// What the pods tolerate.
    pub tolerations: Vec<corev1::Toleration>,
    /// Pods with which they share no node.
    pub apart: Vec<corev1::PodAffinityTerm>,
    /// The runtime class of the pods.
    pub runtime_class: Option<String>,
    /// Annotations of the pods.
    pub annotations: BTreeMap<String, String>,
}

/// Chooses the capacity of a service's tasks; none, where any node will do.
pub fn choose(asked: Asked<'_>, objects: &Known<'_>, findings: &mut Findings) -> Option<Chosen> {
    let given = |value: Option<&Value>| value.filter(|value| !is_empty(value)).cloned();
    let own = given(asked.spec.get("capacityProviderStrategy"));
    let launch_type = text(asked.spec, "launchType");
    let (path, strategy) = if let Some(own) = own {
        ("capacityProviderStrategy", own)
    } else if let Some(launch_type) = launch_type {
        if launch_type != "FARGATE" {
            return None;
        }
        ("launchType", only("FARGATE"))
    } else if let Some(profile) = profile(asked, objects) {
        ("launchType", only(profile))
    } else {
        (CLUSTER, given(asked.default_strategy)?)
    };
    let read = judge_strategy(&strategy, path, objects, findings)?;
    let mut providers = Objects::new();
    for (at, item) in read.items().iter().enumerate() {
        let name = &item.capacity_provider;
        let path = if path == "capacityProviderStrategy" {
            format!("{path}[{at}].capacityProvider")
        } else {
            path.to_owned()
        };
        match objects.get(name) {
            Some(spec) => {
                check(name, spec, asked.namespace, &path, findings);
                providers.insert(name.clone(), (*spec).clone());
            }
            None if name == "FARGATE_SPOT" => findings.differs(
                path,
                "FARGATE_SPOT: tasks rather run on nodes that say of themselves that they are spot, \
                 and on others where there is none; make a CapacityProvider of that name to say \
                 which nodes it has",
            ),
            None if BUILT_IN.contains(&name.as_str()) => {}
            None => findings.differs(
                path,
                format!(
                    "no CapacityProvider `{name}` is there; tasks run on nodes of the pool `{name}`, \
                     or on those that carry the label ecs.linkspan.dev/capacity-provider={name}"
                ),
            ),
        }
    }
    Some(Chosen { strategy, providers })
}

/// Reads a strategy, and refuses one that breaks a rule, by the path at which it stands.
pub fn judge_strategy(
    strategy: &Value,
    path: &str,
    objects: &Known<'_>,
    findings: &mut Findings,
) -> Option<Strategy> {
    let read = Strategy::read(strategy, |name| is_fargate(name, objects.get(name).copied()));
    let faults = match read {
        Ok(strategy) => return Some(strategy),
        Err(faults) => faults,
    };
    for Fault { path: below, value, message } in faults {
        // The cluster's default is no part of the service.
        let path = if path == CLUSTER { path.to_owned() } else { format!("{path}{below}") };
        match value {
            Some(value) => findings.refuse_value(path, value, message),
            None => findings.refuse(path, message),
        }
    }
    None
}

/// Whether tasks of this choice run on Fargate.
pub fn runs_on_fargate(chosen: Option<&Chosen>) -> bool {
    let Some(Chosen { strategy, providers }) = chosen else { return false };
    names(strategy).next().is_some_and(|name| is_fargate(name, providers.get(name)))
}

impl Chosen {
    /// What pods say of it.
    pub fn capacity(&self) -> Capacity {
        let mut capacity = Capacity::default();
        let mut anywhere = false;
        for name in names(&self.strategy) {
            let provider = self.providers.get(name);
            let read = provider.and_then(|spec| read(spec, Some(name), &mut Findings::default()));
            match (read, name) {
                (Some(provider), _) => {
                    capacity.isolate(&provider);
                    capacity.terms.extend(provider.nodes.terms());
                    for toleration in provider.tolerations {
                        if !capacity.tolerations.contains(&toleration) {
                            capacity.tolerations.push(toleration);
                        }
                    }
                }
                (None, "FARGATE") => anywhere = true,
                (None, "FARGATE_SPOT") => {
                    anywhere = true;
                    capacity.preferred = SPOT_LABELS.map(spot).into();
                }
                (None, _) => capacity.terms.extend(Selection::of_pool(name, name).terms()),
            }
        }
        if anywhere {
            capacity.terms.clear();
        }
        capacity
    }
}

/// What autoscalers leave alone: pods that say so keep their node.
const PROTECTED: [(&str, &str); 2] = [
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ("karpenter.sh/do-not-disrupt", "true"),
];

impl Capacity {
    /// What a provider says of its tasks beside where they run.
    fn isolate(&mut self, provider: &CapacityProvider) {
        match &provider.isolation {
            Isolation::Node if self.apart.is_empty() => self.apart.push(corev1::PodAffinityTerm {
                label_selector: Some(groups::any()),
                // Those of every namespace.
                namespace_selector: Some(LabelSelector::default()),
                topology_key: HOSTNAME.to_owned(),
                ..corev1::PodAffinityTerm::default()
            }),
            Isolation::Node | Isolation::Shared => {}
            Isolation::RuntimeClass(class) => self.runtime_class = Some(class.clone()),
        }
        if provider.protects {
            let all = PROTECTED.map(|(key, value)| (key.to_owned(), value.to_owned()));
            self.annotations.extend(all);
        }
    }
}

/// The labels of nodes that may be taken away at any time.
const SPOT_LABELS: [(&str, &str); 3] = [
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("karpenter.sh/capacity-type", "spot"),
    ("cloud.google.com/gke-spot", "true"),
];

fn spot((key, value): (&str, &str)) -> corev1::PreferredSchedulingTerm {
    corev1::PreferredSchedulingTerm {
        weight: 100,
        preference: corev1::NodeSelectorTerm {
            match_expressions: Some(vec![corev1::NodeSelectorRequirement {
                key: key.to_owned(),
                operator: "In".to_owned(),
                values: Some(vec![value.to_owned()]),
            }]),
            ..corev1::NodeSelectorTerm::default()
        },
    }
}

fn only(name: &str) -> Value {
    serde_json::json!([{"capacityProvider": name}])
}

fn names(strategy: &Value) -> impl Iterator<Item = &str> {
    let items = strategy.as_array().into_iter().flatten();
    items.filter_map(|item| item.get("capacityProvider")?.as_str())
}

fn is_fargate(name: &str, spec: Option<&Value>) -> bool {
    BUILT_IN.contains(&name) || spec.is_some_and(|spec| spec.get("fargateProfile").is_some())
}

/// The first Fargate profile, by name, that selects a service which asks for nothing.
fn profile<'a>(asked: Asked<'_>, objects: &'a Known<'_>) -> Option<&'a str> {
    let selects = |(name, spec): &(&String, &&Value)| {
        if spec.get("fargateProfile").is_none() {
            return false;
        }
        let read = read(spec, Some(name), &mut Findings::default());
        let Some(CapacityProvider { form: Form::FargateProfile(selectors), .. }) = read else {
            return false;
        };
        selectors.iter().any(|selector| {
            is_like(&selector.namespace, asked.namespace)
                && selector.labels.iter().all(|(key, value)| {
                    asked.labels.get(key).is_some_and(|label| is_like(value, label))
                })
        })
    };
    objects.iter().find(selects).map(|(name, _)| name.as_str())
}

/// Whether a text is like a pattern, in which `*` stands for any characters and `?` for one.
fn is_like(pattern: &str, text: &str) -> bool {
    let pattern = regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", ".");
    regex::Regex::new(&format!("^(?s:{pattern})$")).is_ok_and(|pattern| pattern.is_match(text))
}

/// Whether a provider may be used, and can be read.
fn check(name: &str, spec: &Value, namespace: &str, path: &str, findings: &mut Findings) {
    let mut faults = Findings::default();
    let provider = read(spec, Some(name), &mut faults);
    if faults.any_refused() {
        let message = "is refused itself; its own conditions say why";
        findings.refuse_value(path, format!("`{name}`"), message);
        return;
    }
    let allowed = provider.and_then(|provider| provider.allowed_namespaces);
    if allowed.is_some_and(|allowed| !allowed.iter().any(|one| one == namespace)) {
        let message = format!(
            "is not for namespace {namespace}; who administers the cluster can add it to \
             kubernetes.allowedNamespaces of that CapacityProvider"
        );
        findings.refuse_value(path, format!("`{name}`"), message);
    }
}

#[cfg(test)]
mod tests;
