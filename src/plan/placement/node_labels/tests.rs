//! Labels that come, go, stay, and are too many.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::super::affinity::label_key;
use super::*;

fn in_use(expressions: &[&str]) -> BTreeMap<String, Query> {
    let queries = expressions.iter().map(|text| Query::parse(text).unwrap());
    queries.map(|query| (label_key(&query), query)).collect()
}

fn typed(instance_type: &str) -> Instance {
    let attributes = [("ecs.instance-type".to_owned(), Some(instance_type.to_owned()))].into();
    Instance { attributes, ..Instance::default() }
}

#[test]
fn labels_are_on_the_nodes_that_an_expression_chooses_and_nowhere_else() {
    let used = in_use(&["attribute:ecs.instance-type =~ m5.*"]);
    let key = used.keys().next().unwrap();
    let labels = |keys: &[&str]| -> BTreeMap<String, String> {
        keys.iter().map(|key| ((*key).to_owned(), "true".to_owned())).collect()
    };
    let stale = format!("{NODE_LABEL_PREFIX}0123456789abcdef");
    let nodes = [
        ("chosen", typed("m5.large"), labels(&[])),
        ("right", typed("m5.xlarge"), labels(&[key, "app"])),
        ("no-more", typed("c5.large"), labels(&[key])),
        ("never", typed("c5.large"), labels(&["app", "placement.ecs.linkspan.dev/draining"])),
        ("stale", typed("c5.large"), labels(&[&stale])),
        ("wrong", typed("m5.large"), [(key.clone(), "false".to_owned())].into()),
    ];
    let seen = || nodes.iter().map(|(name, instance, labels)| Seen { name, labels, instance });
    let set =
        |keys: &[&String]| -> BTreeSet<String> { keys.iter().map(|key| (*key).clone()).collect() };
    let expected: BTreeMap<String, Change> = [
        ("chosen", Change { add: set(&[key]), remove: set(&[]) }),
        ("no-more", Change { add: set(&[]), remove: set(&[key]) }),
        ("stale", Change { add: set(&[]), remove: set(&[&stale]) }),
        ("wrong", Change { add: set(&[key]), remove: set(&[]) }),
    ]
    .map(|(name, change)| (name.to_owned(), change))
    .into();
    let found = changes(seen(), &used);
    assert_eq!((found.nodes, found.beyond), (expected, set(&[])));
    let unused = changes(seen(), &BTreeMap::new());
    assert_eq!(unused.nodes.keys().collect::<Vec<_>>(), ["no-more", "right", "stale", "wrong"]);
}

#[test]
fn one_expression_too_many_takes_nothing_from_the_others() {
    let texts: Vec<String> = (0..=MOST_LABELS).map(|at| format!("attribute:a =~ {at}")).collect();
    let all = in_use(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let instance = Instance::default();
    // The one that comes last in order is on a node already, and so it stays in use.
    let last = all.keys().next_back().unwrap();
    let labels: BTreeMap<String, String> = [(last.clone(), "true".to_owned())].into();
    let seen = || [Seen { name: "n", labels: &labels, instance: &instance }];
    let found = changes(seen(), &all);
    assert_eq!(found.beyond.len(), 1);
    assert!(!found.beyond.contains(last));
    let none = BTreeMap::new();
    let fresh = changes([Seen { name: "n", labels: &none, instance: &instance }], &all);
    assert_eq!(fresh.beyond, BTreeSet::from([last.clone()]));
}
