//! Does a node have what a pod's own node selector and node affinity ask for?
//!
//! As a scheduler reads them: of several terms one must hold, of a term's requirements all. For who
//! explains a placement; it decides none.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;

/// What a pod asks of a node's labels and name: the required terms, of which one must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Required {
    /// `nodeSelector`
    pub selector: BTreeMap<String, String>,
    /// The terms of its required node affinity; none where any node will do.
    pub terms: Vec<corev1::NodeSelectorTerm>,
}

impl Required {
    /// What a pod asks for.
    pub fn of(spec: &corev1::PodSpec) -> Self {
        let affinity = spec.affinity.as_ref().and_then(|all| all.node_affinity.as_ref());
        let required = affinity
            .and_then(|nodes| nodes.required_during_scheduling_ignored_during_execution.as_ref());
        Self {
            selector: spec.node_selector.clone().unwrap_or_default(),
            terms: required.map(|one| one.node_selector_terms.clone()).unwrap_or_default(),
        }
    }

    /// What a node lacks of it, as `key in (a, b)`; nothing where it will do. Of several terms it is
    /// what is missing of the one that is missed by the least.
    pub fn missed_by(&self, name: &str, labels: &BTreeMap<String, String>) -> Vec<String> {
        let lacks = |(key, value): &(&String, &String)| labels.get(*key) != Some(*value);
        let selector = self.selector.iter().filter(lacks);
        let mut missed: Vec<String> =
            selector.map(|(key, value)| format!("{key}={value}")).collect();
        let of_term = |term: &corev1::NodeSelectorTerm| of_term(term, name, labels);
        let least = self.terms.iter().map(of_term).min_by_key(Vec::len);
        missed.extend(least.unwrap_or_default());
        missed
    }
}

fn of_term(
    term: &corev1::NodeSelectorTerm,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Vec<String> {
    let by_label = term.match_expressions.iter().flatten();
    let by_label = by_label.filter(|one| !holds(one, labels.get(&one.key).map(String::as_str)));
    let by_field = term.match_fields.iter().flatten();
    let by_field = by_field.filter(|one| !holds(one, Some(name)));
    by_label.chain(by_field).map(said).collect()
}

fn holds(one: &corev1::NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = one.values.as_deref().unwrap_or_default();
    let is_in = || value.is_some_and(|value| values.iter().any(|one| one == value));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let compared = || Some((number(value)?, number(values.first().map(String::as_str))?));
    match one.operator.as_str() {
        "In" => is_in(),
        "NotIn" => !is_in(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared().is_some_and(|(has, bound)| has > bound),
        "Lt" => compared().is_some_and(|(has, bound)| has < bound),
        // A scheduler takes no node for what it does not know.
        _ => false,
    }
}

fn said(one: &corev1::NodeSelectorRequirement) -> String {
    let key = &one.key;
    let values = one.values.as_deref().unwrap_or_default().join(", ");
    match one.operator.as_str() {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} not in ({values})"),
        "Exists" => format!("{key} exists"),
        "DoesNotExist" => format!("{key} does not exist"),
        "Gt" => format!("{key} > {values}"),
        "Lt" => format!("{key} < {values}"),
        other => format!("{key} {other} {values}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::{Value, json};

    use super::*;

    fn missed(term: &Value, labels: &[(&str, &str)]) -> Vec<String> {
        let terms = vec![serde_json::from_value(term.clone()).unwrap()];
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Required { terms, ..Required::default() }.missed_by("n1", &labels.collect())
    }

    #[test]
    fn each_operator_holds_as_a_scheduler_reads_it() {
        for (operator, values, label, holds) in [
            ("In", &["a", "b"][..], Some("b"), true),
            ("In", &["a"], Some("b"), false),
            ("In", &["a"], None, false),
            ("NotIn", &["a"], Some("b"), true),
            ("NotIn", &["a"], None, true),
            ("NotIn", &["a"], Some("a"), false),
            ("Exists", &[], Some(""), true),
            ("Exists", &[], None, false),
            ("DoesNotExist", &[], None, true),
            ("DoesNotExist", &[], Some("a"), false),
            ("Gt", &["5"], Some("6"), true),
            ("Gt", &["5"], Some("5"), false),
            ("Lt", &["5"], Some("4"), true),
            ("Lt", &["5"], Some("x"), false),
            ("Like", &["5"], Some("5"), false),
        ] {
            let term = json!({"matchExpressions":
                [{"key": "k", "operator": operator, "values": values}]});
            let labels: Vec<(&str, &str)> = label.map(|label| ("k", label)).into_iter().collect();
            let missed = missed(&term, &labels);
            assert_eq!(missed.is_empty(), holds, "{operator} {values:?} {label:?}: {missed:?}");
        }
        let field = json!({"matchFields":
            [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]});
        assert_eq!(missed(&field, &[]), ["metadata.name in (n2)"]);
    }

    #[test]
    fn of_several_terms_the_nearest_is_told() {
        let spec: corev1::PodSpec = serde_json::from_value(json!({
            "containers": [], "nodeSelector": {"disk": "ssd"},
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [
                    {"matchExpressions": [
                        {"key": "zone", "operator": "In", "values": ["a"]},
                        {"key": "arch", "operator": "Exists"}]},
                    {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]},
                ]}}},
        }))
        .unwrap();
        let required = Required::of(&spec);
        let labels = BTreeMap::from([("zone".to_owned(), "c".to_owned())]);
        assert_eq!(required.missed_by("n", &labels), ["disk=ssd", "zone in (b)"]);
        let labels = [("zone", "b"), ("disk", "ssd")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert!(required.missed_by("n", &labels).is_empty());
    }
}
