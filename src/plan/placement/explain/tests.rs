//! Ten shortages, each named by its cause.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::json;

use super::*;

const GIB: i64 = 1 << 30;

fn node(name: &str, instance_type: &str) -> Candidate {
    let attributes = [("ecs.instance-type".to_owned(), Some(instance_type.to_owned()))].into();
    Candidate {
        name: name.to_owned(),
        instance: Instance { attributes, ..Instance::default() },
        left: Amounts { millicores: 2000, memory: 4 * GIB, gpus: 0, pods: 10 },
        ..Candidate::default()
    }
}

fn nodes(count: usize, prefix: &str, instance_type: &str) -> Vec<Candidate> {
    (0..count).map(|at| node(&format!("{prefix}{at}"), instance_type)).collect()
}

fn needs() -> Needs {
    Needs {
        amounts: Amounts { millicores: 500, memory: GIB, gpus: 0, pods: 1 },
        ..Needs::default()
    }
}

fn expression(written: &str) -> (String, Query) {
    (written.to_owned(), Query::parse(written).unwrap())
}

fn told(needs: &Needs, nodes: &[Candidate]) -> String {
    explain(needs, nodes).to_string()
}

#[test]
fn nodes_that_will_do_are_told() {
    let explanation = explain(&needs(), &nodes(2, "n", "m5.large"));
    assert_eq!(explanation.to_string(), "2 nodes: 2 will do");
    assert_eq!(explanation.fitting, ["n0", "n1"]);
    assert_eq!(explanation.closest, None);
}

#[test]
fn first_shortage_there_are_no_nodes() {
    assert_eq!(told(&needs(), &[]), "there are no nodes");
}

#[test]
fn second_shortage_the_wrong_type_and_too_little_memory() {
    let mut all = nodes(7, "c", "c5.large");
    all.extend(nodes(5, "m", "m5.large"));
    for node in all.iter_mut().filter(|node| node.name.starts_with('m')) {
        node.left.memory = GIB / 2;
    }
    all.last_mut().unwrap().left.memory = GIB - 1;
    let needs =
        Needs { expressions: vec![expression("attribute:ecs.instance-type =~ m5.*")], ..needs() };
    let explanation = explain(&needs, &all);
    assert_eq!(
        explanation.to_string(),
        "12 nodes: 7 fail `attribute:ecs.instance-type =~ m5.*`, 5 lack memory; closest is m4: lacks 1 \
         MiB of memory"
    );
    let left: Vec<usize> = explanation.causes.iter().map(|cause| cause.left).collect();
    assert_eq!(left, [5, 0]);
}

#[test]
fn third_shortage_cpu_and_the_closest_node_lacks_the_least() {
    let mut all = nodes(3, "n", "m5.large");
    for (node, millicores) in all.iter_mut().zip([100, 400, 0]) {
        node.left.millicores = millicores;
    }
    assert_eq!(told(&needs(), &all), "3 nodes: 3 lack cpu; closest is n1: lacks 103 CPU units");
}

#[test]
fn fourth_shortage_cpu_and_memory_at_once() {
    let mut all = nodes(1, "n", "m5.large");
    for node in &mut all {
        node.left = Amounts { millicores: 0, memory: GIB / 2, gpus: 0, pods: 1 };
    }
    assert_eq!(
        told(&needs(), &all),
        "1 node: 1 lacks cpu and memory; closest is n0: lacks 512 CPU units and 512 MiB of memory"
    );
}

#[test]
fn fifth_shortage_a_port_that_others_have() {
    let port = |number: i32| BTreeSet::from([(number, "TCP".to_owned())]);
    let mut all = nodes(2, "n", "m5.large");
    for node in &mut all {
        node.ports = port(8080);
    }
    let needs = Needs { ports: port(8080), ..needs() };
    assert_eq!(
        told(&needs, &all),
        "2 nodes: 2 have port 8080/tcp taken; closest is n0: has port 8080/tcp taken"
    );
}

#[test]
fn sixth_shortage_a_taint_that_is_not_tolerated() {
    let taint = |effect: &str| -> corev1::Taint {
        serde_json::from_value(json!({"key": "spot", "value": "yes", "effect": effect})).unwrap()
    };
    let mut all = nodes(1, "n", "m5.large");
    for node in &mut all {
        node.taints = vec![taint("PreferNoSchedule"), taint("NoSchedule")];
    }
    assert_eq!(
        told(&needs(), &all),
        "1 node: 1 has the taint `spot=yes:NoSchedule`; closest is n0: has the taint \
         `spot=yes:NoSchedule`"
    );
    for (toleration, holds) in [
        (json!({"operator": "Exists"}), true),
        (json!({"key": "spot", "operator": "Exists", "effect": "NoSchedule"}), true),
        (json!({"key": "spot", "value": "yes"}), true),
        (json!({"key": "spot"}), false),
        (json!({"key": "spot", "operator": "Exists", "effect": "NoExecute"}), false),
        (json!({"key": "other", "operator": "Exists"}), false),
        (json!({}), false),
    ] {
        let tolerations = vec![serde_json::from_value(toleration.clone()).unwrap()];
        let explanation = explain(&Needs { tolerations, ..needs() }, &all);
        assert_eq!(!explanation.fitting.is_empty(), holds, "{toleration}");
    }
}

#[test]
fn seventh_shortage_every_node_is_cordoned() {
    let mut all = nodes(1, "n", "m5.large");
    for node in &mut all {
        node.cordoned = true;
        node.taints = serde_json::from_value(json!([
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]))
        .unwrap();
    }
    assert_eq!(told(&needs(), &all), "1 node: 1 is cordoned; closest is n0: is cordoned");
}

#[test]
fn eighth_shortage_each_node_has_its_task_already() {
    let all = nodes(3, "n", "m5.large");
    let taken = all.iter().map(|node| node.name.clone()).collect();
    let needs = Needs { taken_by_others: Some(taken), ..needs() };
    assert_eq!(
        told(&needs, &all),
        "3 nodes: 3 run a task of this service already; closest is n0: runs a task of this service \
         already"
    );
}

#[test]
fn ninth_shortage_the_capacity_provider_has_no_node() {
    let needs = Needs {
        provider: Some(("spot".to_owned(), BTreeSet::new())),
        expressions: vec![expression("attribute:gpu exists")],
        ..needs()
    };
    assert_eq!(
        told(&needs, &nodes(2, "n", "m5.large")),
        "2 nodes: 2 are not of capacity provider `spot`; closest is n0: is not of capacity provider \
         `spot`, fails `attribute:gpu exists`"
    );
}

#[test]
fn tenth_shortage_a_gpu_and_no_room_for_a_pod() {
    let mut all = nodes(2, "n", "m5.large");
    all.last_mut().unwrap().left.pods = 0;
    let needs = Needs { amounts: Amounts { gpus: 1, ..needs().amounts }, ..needs() };
    assert_eq!(
        told(&needs, &all),
        "2 nodes: 1 lacks GPUs, 1 lacks GPUs and room for a pod; closest is n0: lacks a GPU"
    );
}

#[test]
fn the_order_of_what_is_asked_is_the_order_of_the_causes() {
    let mut all = nodes(4, "n", "m5.large");
    for (at, node) in all.iter_mut().enumerate() {
        match at {
            0 => node.left.memory = 0,
            1 => node.cordoned = true,
            2 => node.instance.attributes.clear(),
            _ => node.instance.attributes.insert("a".to_owned(), None).map_or((), drop),
        }
    }
    let needs = Needs {
        expressions: vec![
            expression("attribute:ecs.instance-type exists"),
            expression("attribute:a not_exists"),
        ],
        ..needs()
    };
    let explanation = explain(&needs, &all);
    let causes: Vec<_> = explanation.causes.iter().map(|cause| cause.reason.as_str()).collect();
    assert_eq!(
        causes,
        [
            "fails `attribute:ecs.instance-type exists`",
            "fails `attribute:a not_exists`",
            "is cordoned",
            "lacks memory"
        ]
    );
}
