//! Do pods land on the very nodes that a placement expression chooses? The real scheduler is asked
//! about each node by itself, and the operator labels nodes where affinity alone cannot say it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as corev1;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use linkspan::api::ServiceDeployment;
use linkspan::ecs::query::{Query, evaluate};
use linkspan::plan::finding::Findings;
use linkspan::plan::placement::affinity::{Affinity, NodeLabels, affinity};
use linkspan::plan::placement::attributes::{canonical, instance};
use linkspan::sandbox::control_plane::nodes::{GROUP_LABEL, NodeGroup};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::{Place, shared, status_of, until};

const GROUP: &str = "asked";
const CASES: usize = 200;
/// As many at once as leave room for the labels of other tests.
const AT_ONCE: usize = 40;

/// A question about nodes that are told apart by their labels.
fn question() -> impl Strategy<Value = String> {
    let of = |name: &'static str, values: Vec<&'static str>, patterns: Vec<&'static str>| {
        let (one, other) = (select(values.clone()), select(values));
        prop_oneof![
            (select(vec!["==", "!="]), one.clone())
                .prop_map(move |(operator, value)| format!("attribute:{name} {operator} {value}")),
            (select(vec!["in", "not_in"]), one, other).prop_map(move |(operator, a, b)| format!(
                "attribute:{name} {operator} [{a}, {b}]"
            )),
            (select(vec!["=~", "!~"]), select(patterns))
                .prop_map(move |(operator, value)| format!("attribute:{name} {operator} {value}")),
            select(vec!["exists", "not_exists"])
                .prop_map(move |operator| format!("attribute:{name} {operator}")),
        ]
    };
    prop_oneof![
        of("stack", vec!["prod", "dev", "test"], vec!["pr.*", ".*e.*", "(prod|test)", "x?"]),
        of("rack", vec!["7", "12", "b3"], vec!["[0-9]+", "1.", "b.*"]),
        of("ecs.instance-type", vec!["m5.large", "g2.xlarge"], vec!["m5.*", ".*large", "g2"]),
        of("ecs.availability-zone", vec!["sandbox-1a", "sandbox-1c"], vec![".*[ab]", "sandbox"]),
        (select(vec![">", ">=", "<", "<="]), select(vec!["7", "9", "12", "b"]))
            .prop_map(|(operator, value)| format!("attribute:rack {operator} {value}")),
    ]
}

/// One to three of them, joined and negated.
fn expression() -> impl Strategy<Value = String> {
    let part = (any::<bool>(), question())
        .prop_map(|(not, text)| if not { format!("not ({text})") } else { text });
    vec((part, select(vec![" and ", " or "])), 1..4).prop_map(|parts| {
        let count = parts.len();
        let texts = parts.into_iter().enumerate();
        texts
            .map(|(at, (text, join))| if at + 1 < count { format!("{text}{join}") } else { text })
            .collect()
    })
}

/// Nodes of which no two are alike.
async fn nodes(client: &Client) -> Vec<corev1::Node> {
    let taint = corev1::Taint {
        key: format!("only-{GROUP}"),
        effect: "NoSchedule".to_owned(),
        ..corev1::Taint::default()
    };
    let group = NodeGroup {
        name: GROUP.to_owned(),
        count: 6,
        cpu: "64".to_owned(),
        memory: "256Gi".to_owned(),
        pods: 1000,
        taints: vec![taint],
        ..NodeGroup::default()
    };
    group.create(client).await.unwrap();
    let api: Api<corev1::Node> = Api::all(client.clone());
    let labels = [
        json!({"stack": "prod", "rack": "7", "node.kubernetes.io/instance-type": "m5.large"}),
        json!({"stack": "dev", "rack": "12", "node.kubernetes.io/instance-type": "m5.xlarge"}),
        json!({"stack": "test", "node.kubernetes.io/instance-type": "g2.xlarge"}),
        json!({"rack": "b3", "node.kubernetes.io/instance-type": "g2"}),
        json!({"stack": "", "rack": "9"}),
        json!({"attribute.ecs.linkspan.dev/stack": "dev", "stack": "prod", "rack": "012"}),
    ];
    let mut nodes = Vec::new();
    for (number, labels) in (0..).zip(labels) {
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        let name = group.node_name(number);
        nodes.push(api.patch(&name, &PatchParams::default(), &patch).await.unwrap());
    }
    nodes
}

fn said(expression: &str) -> Affinity {
    let mut findings = Findings::default();
    let query = Query::parse(expression).unwrap();
    let said = affinity(&[], &[(String::new(), query)], NodeLabels::Written, &mut findings);
    assert!(!findings.any_refused(), "{expression}: {findings:?}");
    said
}

/// A record of a deployment with this expression, by which the operator labels nodes.
fn record(name: &str, expression: &str, pods: &Value) -> Value {
    json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "ServiceDeployment",
        "metadata": {"name": name}, "spec": {"service": {"name": "none", "uid": "none"},
            "sequence": 1, "cause": "ServiceCreated",
            "taskDefinition": "shop:1", "features": {"kubernetesMinor": 36},
            "requested": {"placementConstraints": [{"type": "memberOf", "expression": expression}]},
            "template": {"spec": pods}}})
}

/// Where the pods of a case may run.
fn pods(said: &Affinity) -> Value {
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        {"nodeSelectorTerms": said.node_terms}}}})
}

/// A pod of a case that may run on this node and no other.
fn asks_about(case: &str, node: &str, said: &Affinity) -> corev1::Pod {
    let terms: Vec<Value> = match said.node_terms.as_slice() {
        [] => vec![json!({})],
        terms => terms.iter().map(|term| json!(term)).collect(),
    };
    let here = json!([{"key": "metadata.name", "operator": "In", "values": [node]}]);
    let terms: Vec<Value> = terms
        .into_iter()
        .map(|mut term| {
            term["matchFields"] = here.clone();
            term
        })
        .collect();
    serde_json::from_value(json!({"metadata": {"name": format!("{case}-{node}"),
            "labels": {"case": case}},
        "spec": {"tolerations": [{"key": format!("only-{GROUP}"), "operator": "Exists"}],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": terms}}},
            "containers": [{"name": "a", "image": "example/a:1"}]}}))
    .unwrap()
}

/// The nodes on which the scheduler has placed pods of a case; none while it has not looked at all.
fn placed(pods: &[corev1::Pod], case: &str) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for pod in pods.iter().filter(|pod| pod.labels()["case"] == case) {
        let spec = pod.spec.as_ref().unwrap();
        if let Some(node) = &spec.node_name {
            found.insert(node.clone());
        } else {
            let conditions = pod.status.as_ref()?.conditions.as_ref()?;
            conditions.iter().find(|one| one.reason.as_deref() == Some("Unschedulable"))?;
        }
    }
    Some(found)
}

#[tokio::test]
async fn pods_land_exactly_where_two_hundred_expressions_choose() {
    let place = Place::new("constraints").await;
    let nodes = nodes(&place.client).await;
    let mut runner = TestRunner::deterministic();
    let mut cases: BTreeMap<String, String> = BTreeMap::new();
    while cases.len() < CASES {
        let expression = expression().new_tree(&mut runner).unwrap().current();
        cases.insert(format!("case-{}", cases.len()), expression);
    }
    let by_label = cases.values().filter(|text| !said(text).node_labels.is_empty()).count();
    assert!(by_label > CASES / 4 && by_label < CASES, "{by_label} of them need a label");
    let api = place.api::<corev1::Pod>();
    let all: Vec<(String, String)> = cases.into_iter().collect();
    for some in all.chunks(AT_ONCE) {
        for (case, expression) in some {
            let said = said(expression);
            if !said.node_labels.is_empty() {
                let record: ServiceDeployment =
                    serde_json::from_value(record(case, expression, &pods(&said))).unwrap();
                let records = place.api::<ServiceDeployment>();
                records.create(&PostParams::default(), &record).await.unwrap();
            }
            for node in &nodes {
                let pod = asks_about(case, &node.name_any(), &said);
                api.create(&PostParams::default(), &pod).await.unwrap();
            }
        }
        for (case, expression) in some {
            let query = canonical(&Query::parse(expression).unwrap());
            let chosen = nodes.iter().filter(|node| evaluate(&query, &instance(node, [])));
            let chosen: BTreeSet<String> = chosen.map(ResourceExt::name_any).collect();
            until(&format!("{expression} on {chosen:?}"), || async {
                let pods = api.list(&ListParams::default()).await.unwrap().items;
                let placed = placed(&pods, case);
                if placed.as_ref() == Some(&chosen) { Ok(()) } else { Err(format!("{placed:?}")) }
            })
            .await;
        }
        // Those that wait would come to a node that were labelled by mistake later.
        let none = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        api.delete_collection(&none, &ListParams::default()).await.unwrap();
        let records = place.api::<ServiceDeployment>();
        records.delete_collection(&none, &ListParams::default()).await.unwrap();
        until("no pod is left", || async {
            let left = api.list(&ListParams::default()).await.unwrap().items.len();
            if left == 0 { Ok(()) } else { Err(left.to_string()) }
        })
        .await;
    }
    // With the last deployment that needs them, the labels go.
    let api: Api<corev1::Node> = Api::all(place.client.clone());
    until("no label of ours is left", || async {
        let of_group = ListParams::default().labels(&format!("{GROUP_LABEL}={GROUP}"));
        let nodes = api.list(&of_group).await.unwrap();
        let keys = nodes.iter().flat_map(|node| node.labels().keys().cloned());
        let ours: BTreeSet<String> =
            keys.filter(|key| key.starts_with("placement.ecs.linkspan.dev/")).collect();
        if ours.is_empty() { Ok(()) } else { Err(format!("{ours:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_service_with_a_pattern_follows_nodes_that_come() {
    let place = Place::new("patterns").await;
    let client = Client::try_from(shared().await.config()).unwrap();
    let mut group = NodeGroup { name: "patterned".to_owned(), count: 1, ..NodeGroup::default() };
    group.labels.insert("shelf".to_owned(), "a-17".to_owned());
    place.task_definition("shop", "example/shop:1").await;
    let constraints = json!([{"type": "memberOf", "expression": "attribute:shelf =~ a-[0-9]+"}]);
    let spec =
        json!({"taskDefinition": "shop", "desiredCount": 2, "placementConstraints": constraints});
    place.service("web", spec).await;
    place.reason("web", "UnableToPlaceTask").await;
    group.create(&client).await.unwrap();
    let service = place.steady("web", 2, "shop:1").await;
    for pod in place.children::<corev1::Pod>(&service).await {
        assert_eq!(pod.spec.unwrap().node_name.as_deref(), Some("patterned-0"));
    }
    assert_eq!(status_of(&service).running_count, 2);
    group.delete(&client).await.unwrap();
}
