//! Does the affinity choose the very nodes that the expression chooses?

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use super::super::node_labels::{Seen, changes};
use super::*;
use crate::ecs::query::evaluate;
use crate::plan::finding::Level;

fn said(expression: &str, may: NodeLabels) -> (Affinity, Vec<(Level, String)>) {
    let query = Query::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let mut findings = Findings::default();
    let affinity = affinity(&[], &[("here".to_owned(), query)], may, &mut findings);
    let told = findings.0.into_iter().map(|f| (f.level, f.to_string()));
    (affinity, told.collect())
}

/// The terms, short: `key operator values`.
fn short(terms: &[corev1::NodeSelectorTerm]) -> Vec<Vec<String>> {
    terms
        .iter()
        .map(|term| {
            let all = term.match_expressions.iter().flatten();
            all.map(|one| {
                let values = one.values.clone().unwrap_or_default().join(",");
                format!("{} {} {values}", one.key, one.operator).trim_end().to_owned()
            })
            .collect()
        })
        .collect()
}

#[test]
fn what_labels_can_say_becomes_node_affinity() {
    for (expression, expected) in [
        (
            "attribute:ecs.instance-type in [m5.large, c5.large] and \
             attribute:ecs.availability-zone != us-east-1d",
            json!([[
                "node.kubernetes.io/instance-type In c5.large,m5.large",
                "topology.kubernetes.io/zone NotIn us-east-1d"
            ]]),
        ),
        ("attribute:ecs.cpu-architecture == x86_64", json!([["kubernetes.io/arch In amd64"]])),
        (
            "attribute:ecs.cpu-architecture == amd64",
            json!([["placement.ecs.linkspan.dev/never Exists"]]),
        ),
        (
            "attribute:stack == prod",
            json!([
                ["attribute.ecs.linkspan.dev/stack In prod"],
                ["attribute.ecs.linkspan.dev/stack DoesNotExist", "stack In prod"]
            ]),
        ),
        (
            "not attribute:stack == prod",
            json!([
                [
                    "attribute.ecs.linkspan.dev/stack Exists",
                    "attribute.ecs.linkspan.dev/stack NotIn prod"
                ],
                ["attribute.ecs.linkspan.dev/stack DoesNotExist", "stack NotIn prod"]
            ]),
        ),
        ("attribute:example.com/rack not_exists", json!([["example.com/rack DoesNotExist"]])),
        (
            "not (attribute:a.b/c exists or not attribute:a.b/d == 5)",
            json!([["a.b/c DoesNotExist", "a.b/d In 5"]]),
        ),
        ("attribute:a.b/c == 'no label'", json!([["placement.ecs.linkspan.dev/never Exists"]])),
        ("attribute:a.b/c != 'no label'", json!([])),
        ("attribute:ecs.capability.task-eni exists", json!([])),
        (
            "attribute:ecs.os-family == WINDOWS_SERVER_2022_FULL",
            json!([["node.kubernetes.io/windows-build In 10.0.20348"]]),
        ),
    ] {
        let (affinity, told) = said(expression, NodeLabels::Denied);
        assert_eq!(json!(short(&affinity.node_terms)), expected, "{expression}");
        assert!(affinity.node_labels.is_empty() && told.is_empty(), "{expression}: {told:?}");
    }
}

#[test]
fn all_else_becomes_a_label_on_nodes() {
    for expression in [
        "attribute:ecs.instance-type =~ m5.*",
        "attribute:ecs.instance-type == m5.large or agentVersion > 1.36",
        "registeredAt < 2026-01-01",
        "ec2InstanceId == i-1",
        "agentConnected == true",
        "attribute:rack > 9",
        "attribute:a\\b == c",
        "task:group =~ service:.* or attribute:stack exists",
    ] {
        let (affinity, told) = said(expression, NodeLabels::Written);
        let key = label_key(&Query::parse(expression).unwrap());
        assert_eq!(short(&affinity.node_terms), [[format!("{key} In true")]], "{expression}");
        assert_eq!(affinity.node_labels.keys().collect::<Vec<_>>(), [&key]);
        assert_eq!(told.len(), usize::from(expression.contains("task:group")), "{told:?}");
    }
    let key = label_key(&Query::parse("attribute:ecs.instance-type =~ m5.*").unwrap());
    assert_eq!(
        key,
        label_key(&Query::parse("( attribute:ecs.instance-type matches 'm5.*')").unwrap())
    );
    assert_eq!(key.len(), NODE_LABEL_PREFIX.len() + 16);
}

#[test]
fn without_the_right_to_label_nodes_the_rest_is_refused_or_said_nearly() {
    let (affinity, told) = said("attribute:ecs.instance-type =~ m5.*", NodeLabels::Denied);
    assert_eq!(told[0].0, Level::Refused);
    assert_eq!(
        told[0].1,
        "here is `attribute:ecs.instance-type =~ m5.*`: needs a label on each node that it chooses, and \
         Linkspan was not granted the right to label nodes; grant it, or use only ==, !=, in, not_in \
         and exists on attributes"
    );
    assert!(affinity.node_labels.is_empty());
    for (expression, expected) in [
        ("attribute:a.b/c > 9", json!([["a.b/c Gt 9"]])),
        ("attribute:a.b/c >= 9", json!([["a.b/c Gt 8"]])),
        ("attribute:a.b/c < 9", json!([["a.b/c Lt 9"]])),
        ("attribute:a.b/c <= 9", json!([["a.b/c Lt 10"]])),
        ("not attribute:a.b/c > 9", json!([["a.b/c Lt 10"], ["a.b/c DoesNotExist"]])),
    ] {
        let (affinity, told) = said(expression, NodeLabels::Denied);
        assert_eq!(json!(short(&affinity.node_terms)), expected, "{expression}");
        assert_eq!(told[0].0, Level::Differs, "{expression}");
    }
}

#[test]
fn task_groups_become_pod_affinity() {
    let (affinity, told) = said(
        "task:group == service:web and not task:group in [service:db, service:cache] and \
         task:group != family:batch and attribute:a.b/c exists",
        NodeLabels::Denied,
    );
    let pods = |terms: &[corev1::PodAffinityTerm]| -> Vec<Json> {
        terms.iter().map(|term| json!(term)).collect()
    };
    let term = |key: &str, values: &[&str]| {
        json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchExpressions":
            [{"key": key, "operator": "In", "values": values}]}})
    };
    assert_eq!(pods(&affinity.together), [term("ecs.linkspan.dev/service", &["web"])]);
    assert_eq!(
        pods(&affinity.apart),
        [
            term("ecs.linkspan.dev/service", &["cache", "db"]),
            term("ecs.linkspan.dev/task-group", &[&groups::label_of("family:batch").1]),
        ]
    );
    assert_eq!(short(&affinity.node_terms), [["a.b/c Exists"]]);
    assert!(told.is_empty());
    let (affinity, _) = said("task:group not_exists", NodeLabels::Denied);
    assert_eq!(
        json!(affinity.apart[0].label_selector),
        json!({"matchExpressions": [{"key": "ecs.linkspan.dev/cluster", "operator": "Exists"}]})
    );
    assert!(affinity.node_terms.is_empty() && affinity.together.is_empty());
}

#[test]
fn the_count_of_tasks_is_refused() {
    let (affinity, told) =
        said("runningTasksCount < 3 and attribute:a exists", NodeLabels::Written);
    assert_eq!((affinity, told[0].0, told.len()), (Affinity::default(), Level::Refused, 1));
}

#[test]
fn too_many_terms_become_a_label() {
    // Four sixths: 4^3 is 64, one factor more is too many.
    let either = |name: &str| {
        let each: Vec<String> =
            (0..4).map(|at| format!("attribute:{name}.x/k{at} exists")).collect();
        format!("({})", each.join(" or "))
    };
    let three = format!("{} and {} and {}", either("a"), either("b"), either("c"));
    let (affinity, _) = said(&three, NodeLabels::Written);
    assert_eq!((affinity.node_terms.len(), affinity.node_labels.len()), (64, 0));
    let four = format!("{three} and {}", either("d"));
    let (affinity, _) = said(&four, NodeLabels::Written);
    assert_eq!((affinity.node_terms.len(), affinity.node_labels.len()), (1, 1));
    let (_, told) = said(&four, NodeLabels::Denied);
    assert_eq!(told[0].0, Level::Refused);

    let query = |text: &str| ("here".to_owned(), Query::parse(text).unwrap());
    let mut findings = Findings::default();
    let all = [query(&three), query(&either("d")), query("attribute:e.x/k == v")];
    let affinity = super::affinity(&[], &all, NodeLabels::Written, &mut findings);
    assert_eq!((affinity.node_terms.len(), affinity.node_labels.len()), (4, 1));
    assert!(findings.0.is_empty());
    super::affinity(&[], &all, NodeLabels::Denied, &mut findings);
    assert!(findings.any_refused());
}

#[test]
fn the_nodes_of_a_provider_are_chosen_from() {
    let provider = |count: usize| -> Vec<corev1::NodeSelectorTerm> {
        let values = |at: usize| vec![format!("pool{at}")];
        let all = (0..count).map(|at| vec![requirement("pool", "In", values(at))]);
        terms(all.collect())
    };
    let query = |text: &str| ("here".to_owned(), Query::parse(text).unwrap());
    let mut findings = Findings::default();
    let alone = super::affinity(&provider(2), &[], NodeLabels::Denied, &mut findings);
    assert_eq!(short(&alone.node_terms), [["pool In pool0"], ["pool In pool1"]]);
    let both = super::affinity(
        &provider(2),
        &[query("attribute:a.b/c == d")],
        NodeLabels::Denied,
        &mut findings,
    );
    assert_eq!(
        short(&both.node_terms),
        [["pool In pool0", "a.b/c In d"], ["pool In pool1", "a.b/c In d"]]
    );
    let many = [query("attribute:stack == d")];
    let labelled = super::affinity(&provider(33), &many, NodeLabels::Written, &mut findings);
    assert_eq!((labelled.node_terms.len(), labelled.node_labels.len()), (33, 1));
    assert!(findings.0.is_empty());
}

// ---- the property ---------------------------------------------------------------------------

/// What a scheduler makes of node affinity, by the documentation of NodeSelector.
fn scheduler_chooses(
    terms: &[corev1::NodeSelectorTerm],
    labels: &BTreeMap<String, String>,
) -> bool {
    terms.is_empty()
        || terms.iter().any(|term| {
            let all = term.match_expressions.clone().unwrap_or_default();
            // A term without requirements chooses nothing.
            !all.is_empty() && all.iter().all(|one| scheduler_requires(one, labels))
        })
}

fn scheduler_requires(
    one: &corev1::NodeSelectorRequirement,
    labels: &BTreeMap<String, String>,
) -> bool {
    let label = labels.get(&one.key);
    let values = one.values.clone().unwrap_or_default();
    match (one.operator.as_str(), values.as_slice()) {
        ("In", [_, ..]) => label.is_some_and(|label| values.contains(label)),
        ("NotIn", [_, ..]) => label.is_none_or(|label| !values.contains(label)),
        ("Exists", []) => label.is_some(),
        ("DoesNotExist", []) => label.is_none(),
        other => panic!("the API server refuses {other:?}"),
    }
}

const LABELS: &[(&str, &[&str])] = &[
    ("topology.kubernetes.io/zone", &["us-east-1a", "us-east-1b"]),
    ("node.kubernetes.io/instance-type", &["m5.large", "c5.large", "m5.xlarge"]),
    ("kubernetes.io/os", &["linux", "windows", "plan9"]),
    ("kubernetes.io/arch", &["amd64", "arm64", "x86_64"]),
    ("node.kubernetes.io/windows-build", &["10.0.17763", "10.0.20348", "10.0.1"]),
    ("attribute.ecs.linkspan.dev/stack", &["prod", "dev", ""]),
    ("stack", &["prod", "dev", "5"]),
    ("attribute.ecs.linkspan.dev/ecs.ami-id", &["ami-1"]),
    ("karpenter.k8s.aws/instance-ami-id", &["ami-1", "ami-2"]),
    ("example.com/rack", &["9", "12", "a", ""]),
];
const ATTRIBUTES: &[&str] = &[
    "ecs.availability-zone",
    "ecs.instance-type",
    "ecs.os-type",
    "ecs.os-family",
    "ecs.cpu-architecture",
    "ecs.ami-id",
    "ecs.capability.task-eni",
    "stack",
    "example.com/rack",
    "no\\label",
];
const VALUES: &[&str] = &[
    "us-east-1a",
    "m5.large",
    "c5.large",
    "linux",
    "windows",
    "LINUX",
    "WINDOWS",
    "plan9",
    "PLAN9",
    "amd64",
    "x86_64",
    "arm64",
    "WINDOWS_SERVER_2022_FULL",
    "WINDOWS_SERVER_2019_CORE",
    "10.0.20348",
    "10.0.1",
    "prod",
    "dev",
    "5",
    "ami-1",
    "ami-2",
    "9",
    "12",
    "'a b'",
    "''",
    "true",
];

fn question() -> impl Strategy<Value = String> {
    let value = || select(VALUES);
    prop_oneof![
        5 => (select(ATTRIBUTES), select(&["==", "!="][..]), value())
            .prop_map(|(name, operator, value)| format!("attribute:{name} {operator} {value}")),
        4 => (select(ATTRIBUTES), select(&["in", "not_in"][..]), vec(value(), 1..4))
            .prop_map(|(name, operator, values)| format!("attribute:{name} {operator} [{}]", values.join(","))),
        3 => (select(ATTRIBUTES), select(&["exists", "not_exists"][..]))
            .prop_map(|(name, operator)| format!("attribute:{name} {operator}")),
        1 => (select(ATTRIBUTES), select(&["> 9", "<= 5", "=~ m5.*", "!~ .*d.*"][..]))
            .prop_map(|(name, rest)| format!("attribute:{name} {rest}")),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    question().prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            3 => (inner.clone(), select(&["and", "or"][..]), inner.clone())
                .prop_map(|(left, joint, right)| format!("({left}) {joint} ({right})")),
            1 => inner.prop_map(|one| format!("not ({one})")),
        ]
    })
}

fn node() -> impl Strategy<Value = corev1::Node> {
    let label = select(LABELS).prop_flat_map(|(key, values)| (Just(key), select(values)));
    vec(label, 0..9).prop_map(|labels| {
        let labels: BTreeMap<_, _> =
            labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        serde_json::from_value(json!({"metadata": {"name": "n", "labels": labels}})).unwrap()
    })
}

#[test]
fn affinity_chooses_the_very_nodes_that_the_expression_chooses() {
    let (pairs, by_label, chosen) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let cases = (vec(expression(), 1..3), vec(node(), 12));
    let outcome =
        TestRunner::new(Config { cases: 3_000, failure_persistence: None, ..Config::default() })
            .run(&cases, |(texts, nodes)| {
                let queries: Vec<_> = texts
                    .iter()
                    .map(|text| ("p".to_owned(), Query::parse(text).unwrap()))
                    .collect();
                let mut findings = Findings::default();
                let affinity = super::affinity(&[], &queries, NodeLabels::Written, &mut findings);
                prop_assert!(findings.0.is_empty(), "{:?}", findings);
                prop_assert!(affinity.node_terms.len() <= disjunction::MOST_TERMS);
                by_label.set(by_label.get() + usize::from(!affinity.node_labels.is_empty()));
                for node in &nodes {
                    let instance = attributes::instance(node, []);
                    let expected = queries
                        .iter()
                        .all(|(_, query)| evaluate(&attributes::canonical(query), &instance));
                    let mut labels = node.metadata.labels.clone().unwrap();
                    let seen = Seen { name: "n", labels: &labels, instance: &instance };
                    let change = changes([seen], &affinity.node_labels)
                        .nodes
                        .remove("n")
                        .unwrap_or_default();
                    prop_assert!(change.remove.is_empty());
                    labels.extend(change.add.into_iter().map(|key| (key, "true".to_owned())));
                    prop_assert_eq!(
                        scheduler_chooses(&affinity.node_terms, &labels),
                        expected,
                        "{:?} on {:?} by {:?}",
                        texts,
                        labels,
                        short(&affinity.node_terms)
                    );
                    pairs.set(pairs.get() + 1);
                    chosen.set(chosen.get() + usize::from(expected));
                }
                Ok(())
            });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let (pairs, by_label, chosen) = (pairs.get(), by_label.get(), chosen.get());
    assert!(pairs == 36_000 && by_label > 300 && by_label < 2_000, "{by_label} of 3000 by label");
    assert!(chosen > 3_000 && chosen < 33_000, "{chosen} of {pairs} chosen");
}
