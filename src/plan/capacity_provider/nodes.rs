//! Which nodes are a capacity provider's own?

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;

use crate::names::label;

/// The labels by which pools of nodes are named: those of EKS, Karpenter, GKE and AKS.
pub const POOL_LABELS: [&str; 4] = [
    "eks.amazonaws.com/nodegroup",
    "karpenter.sh/nodepool",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
];

/// How nodes are told from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// They have all of these labels.
    All(BTreeMap<String, String>),
    /// They have at least one of these labels.
    Any(Vec<(String, String)>),
}

impl Selection {
    /// Nodes of the pool, or marked with the provider's ECS name.
    pub(in crate::plan) fn of_pool(pool: &str, name: &str) -> Self {
        let pools = POOL_LABELS.iter().map(|key| ((*key).to_owned(), pool.to_owned()));
        Self::Any(pools.chain([marked(name)]).collect())
    }

    /// Nodes that stand for one pod each, or are marked with the provider's ECS name.
    pub(super) fn of_fargate(name: &str) -> Self {
        let known = [("eks.amazonaws.com/compute-type", "fargate"), ("type", "virtual-kubelet")];
        let known = known.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self::Any(known.into_iter().chain([marked(name)]).collect())
    }

    /// Whether a node with these labels is one.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |(key, value): (&String, &String)| labels.get(key) == Some(value);
        match self {
            Self::All(all) => all.iter().all(has),
            Self::Any(any) => any.iter().any(|(key, value)| has((key, value))),
        }
    }

    /// Each label by which they are told, as key and value.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let (all, any) = match self {
            Self::All(all) => (Some(all), None),
            Self::Any(any) => (None, Some(any)),
        };
        let all = all.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
        let any = any.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
        all.chain(any)
    }

    /// The same as terms of a node affinity, of which one must hold.
    pub fn terms(&self) -> Vec<corev1::NodeSelectorTerm> {
        let one = |key: &String, value: &String| corev1::NodeSelectorRequirement {
            key: key.clone(),
            operator: "In".to_owned(),
            values: Some(vec![value.clone()]),
        };
        let term = |all: Vec<corev1::NodeSelectorRequirement>| corev1::NodeSelectorTerm {
            match_expressions: Some(all),
            ..corev1::NodeSelectorTerm::default()
        };
        match self {
            Self::All(all) => vec![term(all.iter().map(|(key, value)| one(key, value)).collect())],
            Self::Any(any) => any.iter().map(|(key, value)| term(vec![one(key, value)])).collect(),
        }
    }
}

fn marked(name: &str) -> (String, String) {
    (label::CAPACITY_PROVIDER.to_owned(), crate::names::label_value(name))
}
