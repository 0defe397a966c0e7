//! How is a scheduler told which nodes the placement expressions choose?
//!
//! What node affinity can say becomes node affinity. `task:group` becomes pod affinity where it
//! stands by itself. All else becomes one requirement: that the node carries a label, which
//! [`super::node_labels`] says which nodes are to carry. Which expressions a service may have at all
//! others decide.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;

use super::disjunction::{self, Cases, Comparisons, requirement};
use super::{NODE_LABEL_PREFIX, attributes, groups};
use crate::ecs::query::{Expression, Query, Subject, Term, Test, Value};
use crate::names;
use crate::plan::finding::Findings;

/// The label of a node: its host.
pub(in crate::plan) const HOSTNAME: &str = "kubernetes.io/hostname";

/// Whether labels may be written on nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeLabels {
    /// They may.
    Written,
    /// They may not: that right was not granted.
    Denied,
}

impl NodeLabels {
    /// By whether that right was granted.
    pub fn by(granted: bool) -> Self {
        if granted { Self::Written } else { Self::Denied }
    }
}

/// What a pod template says of where its pods may run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Affinity {
    /// The terms of the required node affinity, of which one must hold; none where any node will do.
    pub node_terms: Vec<corev1::NodeSelectorTerm>,
    /// Required pod affinity: a pod of each of these must run on the node.
    pub together: Vec<corev1::PodAffinityTerm>,
    /// Required pod anti-affinity: no pod of any of these may run on the node.
    pub apart: Vec<corev1::PodAffinityTerm>,
    /// The labels that nodes have to carry for it, by what they stand for.
    pub node_labels: BTreeMap<String, Query>,
}

/// The label that stands for an expression on the nodes that it chooses.
pub fn label_key(query: &Query) -> String {
    const LENGTH: usize = 16;
    let hash = names::sha256_hex(&[&query.to_string()]);
    format!("{NODE_LABEL_PREFIX}{}", hash.get(..LENGTH).unwrap_or(&hash))
}

/// Says all expressions together, each with the path of where it stands. `nodes` are terms of which
/// one must hold as well, such as those of a capacity provider; without any, all nodes will do.
pub fn affinity(
    nodes: &[corev1::NodeSelectorTerm],
    expressions: &[(String, Query)],
    may: NodeLabels,
    findings: &mut Findings,
) -> Affinity {
    let mut affinity = Affinity::default();
    let mut all: Vec<Said> = Vec::new();
    for (path, query) in expressions {
        if query.counts_tasks() {
            findings.refuse_value(
                path,
                format!("`{query}`"),
                "runningTasksCount changes while tasks are being placed, and a scheduler cannot be \
                 asked for it; use the placement strategy spread, or the constraint \
                 distinctInstance",
            );
            continue;
        }
        let query = attributes::canonical(query);
        if let Some(rest) = split_groups(&query, &mut affinity)
            && let Some(said) = say(path, rest, may, findings)
        {
            all.push(said);
        }
    }
    let given = nodes.iter().map(|term| term.match_expressions.clone().unwrap_or_default());
    let given: Cases = given.filter(|case| !case.is_empty()).collect();
    let given = if given.is_empty() { vec![Vec::new()] } else { given };
    let cases = together(&given, &mut all, may, expressions, findings);
    affinity.node_labels = all
        .iter()
        .filter(|said| said.by_label)
        .map(|said| (label_key(&said.query), said.query.clone()))
        .collect();
    affinity.node_terms = terms(cases);
    affinity
}

/// The label that stands for an expression where a label has to, and what it says: all that pod
/// affinity does not. None where nothing is left.
pub fn by_label(query: &Query) -> Option<(String, Query)> {
    let rest = split_groups(&attributes::canonical(query), &mut Affinity::default())?;
    Some((label_key(&rest), rest))
}

/// One expression, said.
struct Said {
    query: Query,
    cases: Cases,
    by_label: bool,
}

impl Said {
    fn by_label(query: Query) -> Self {
        let exists = requirement(&label_key(&query), "In", vec!["true".to_owned()]);
        Self { query, cases: vec![vec![exists]], by_label: true }
    }
}

fn say(path: &str, query: Query, may: NodeLabels, findings: &mut Findings) -> Option<Said> {
    if let Some(cases) = disjunction::cases(query.expression(), false, Comparisons::Never) {
        return Some(Said { query, cases, by_label: false });
    }
    if may == NodeLabels::Written {
        if query.asks_for_task_groups() {
            findings.differs(
                path,
                "task:group beside other questions is looked at every few seconds, not while a \
                 task is being placed: two tasks that are placed at once may not see each other",
            );
        }
        return Some(Said::by_label(query));
    }
    let whole = disjunction::cases(query.expression(), false, Comparisons::OfWholeNumbers);
    if let Some(cases) = whole {
        findings.differs(
            path,
            "attributes are compared as whole numbers only, and one that is none fails; to compare \
             as ECS does, grant Linkspan the right to label nodes",
        );
        return Some(Said { query, cases, by_label: false });
    }
    findings.refuse_value(
        path,
        format!("`{query}`"),
        "needs a label on each node that it chooses, and Linkspan was not granted the right to \
         label nodes; grant it, or use only ==, !=, in, not_in and exists on attributes",
    );
    None
}

/// All expressions at once. Where that makes too many terms, the longest is said by a label.
fn together(
    given: &Cases,
    all: &mut [Said],
    may: NodeLabels,
    expressions: &[(String, Query)],
    findings: &mut Findings,
) -> Cases {
    loop {
        let each = std::iter::once(given).chain(all.iter().map(|said| &said.cases));
        let cases = each.cloned().collect();
        if let Some(cases) = disjunction::every(cases) {
            return cases;
        }
        let longest = all.iter_mut().max_by_key(|said| said.cases.len());
        match longest {
            Some(said) if may == NodeLabels::Written && said.cases.len() > 1 => {
                *said = Said::by_label(said.query.clone());
            }
            _ => {
                let path = expressions.first().map_or("", |(path, _)| path);
                findings.refuse(
                    path,
                    format!(
                        "together with the other constraints it makes more than {} terms of node \
                         affinity; grant Linkspan the right to label nodes, or ask for less",
                        disjunction::MOST_TERMS
                    ),
                );
                return Vec::new();
            }
        }
    }
}

/// The terms of a node affinity. It has no way to say "everywhere" but to be absent, and none to say
/// "nowhere" but to ask for a label that no node has.
fn terms(cases: Cases) -> Vec<corev1::NodeSelectorTerm> {
    if cases.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let never = || vec![requirement(&format!("{NODE_LABEL_PREFIX}never"), "Exists", vec![])];
    let cases = if cases.is_empty() { vec![never()] } else { cases };
    cases
        .into_iter()
        .map(|case| corev1::NodeSelectorTerm {
            match_expressions: Some(case),
            ..corev1::NodeSelectorTerm::default()
        })
        .collect()
}

/// Takes the questions about task groups that stand by themselves, joined to the rest by `and`, out
/// of an expression; what is left, if anything.
fn split_groups(query: &Query, affinity: &mut Affinity) -> Option<Query> {
    let parts = match query.expression() {
        Expression::All(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut rest = Vec::new();
    for part in parts {
        match pods(part, false) {
            Some((true, selector)) => affinity.together.push(selector),
            Some((false, selector)) => affinity.apart.push(selector),
            None => rest.push(part.clone()),
        }
    }
    Query::all(rest)
}

/// A question about task groups as pod affinity (true) or anti-affinity (false).
fn pods(part: &Expression, negated: bool) -> Option<(bool, corev1::PodAffinityTerm)> {
    let (subject, test) = match part {
        Expression::Not(one) => return pods(one, !negated),
        Expression::Term(Term { subject, test }) => (subject, test),
        Expression::Any(_) | Expression::All(_) => return None,
    };
    if *subject != Subject::TaskGroup {
        return None;
    }
    let (positive, values) = match test {
        Test::Equals(value) => (true, std::slice::from_ref(value)),
        Test::NotEquals(value) => (false, std::slice::from_ref(value)),
        Test::In(values) => (true, values.as_slice()),
        Test::NotIn(values) => (false, values.as_slice()),
        Test::Exists | Test::NotExists => (*test == Test::Exists, &[][..]),
        Test::Matches(_) | Test::NotMatches(_) | Test::Compares(..) => return None,
    };
    let names: Vec<&str> = values
        .iter()
        .filter_map(|value| match value {
            Value::Text(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let selector = if names.is_empty() { groups::any() } else { groups::selector(&names)? };
    let term = corev1::PodAffinityTerm {
        label_selector: Some(selector),
        topology_key: HOSTNAME.to_owned(),
        ..corev1::PodAffinityTerm::default()
    };
    Some((positive != negated, term))
}

#[cfg(test)]
mod tests;
