//! Ten shortages in a cluster of objects, each named by its right cause.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and its JSON is its own"
)]

use serde_json::json;

use super::*;
use crate::world::Kind;

/// A cluster of three nodes in two pools, and one task of service `web` that waits.
struct Stage {
    world: World,
    requested: Value,
    revision: Value,
    capacity: Value,
    pod: Value,
}

impl Stage {
    fn new() -> Self {
        let mut stage = Self {
            world: World::default(),
            requested: json!({"taskDefinition": "web"}),
            revision: json!({"family": "web"}),
            capacity: Value::Null,
            pod: json!({"containers": [{"name": "app", "resources":
                {"requests": {"cpu": "500m", "memory": "1Gi"}}}]}),
        };
        for (name, pool, machine) in
            [("a1", "big", "m5.large"), ("a2", "big", "m5.large"), ("b1", "spot", "c5.large")]
        {
            stage.node(name, pool, machine, &json!({}));
        }
        stage
    }

    fn node(&mut self, name: &str, pool: &str, machine: &str, spec: &Value) {
        let node = json!({"metadata": {"name": name, "labels": {
            "eks.amazonaws.com/nodegroup": pool, "node.kubernetes.io/instance-type": machine,
            "topology.kubernetes.io/zone": format!("zone-{pool}")}},
            "spec": spec,
            "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "10"},
                "conditions": [{"type": "Ready", "status": "True"}]}});
        self.world.put(Kind::Node, node).unwrap();
    }

    /// A pod that takes so much of a node, of whomever.
    fn takes(&mut self, name: &str, node: &str, container: &Value, labels: &Value) {
        let pod = json!({"metadata": {"name": name, "namespace": "other", "labels": labels},
            "spec": {"nodeName": node, "containers": [container]}, "status": {"phase": "Running"}});
        self.world.put(Kind::Pod, pod).unwrap();
    }

    /// Everything is there: why does the task wait?
    fn told(mut self) -> (String, Vec<String>) {
        let labels =
            json!({label::SERVICE_UID: "u-web", label::DEPLOYMENT: "1", label::SERVICE: "web"});
        let revision =
            json!({"metadata": {"name": "web-1", "namespace": "shop"}, "spec": self.revision});
        self.world.put(Kind::TaskDefinitionRevision, revision).unwrap();
        let record = json!({"metadata": {"name": "web-x-1", "namespace": "shop"}, "spec": {
            "service": {"name": "web", "uid": "u-web"}, "sequence": 1, "cause": "ServiceCreated",
            "requested": self.requested, "taskDefinition": "web:1", "capacity": self.capacity,
            "features": {"kubernetesMinor": 36}, "template": {}}});
        self.world.put(Kind::ServiceDeployment, record).unwrap();
        let pod = json!({"metadata": {"name": "web-1", "namespace": "shop", "uid": "p-1",
            "labels": labels}, "spec": self.pod, "status": {"phase": "Pending"}});
        self.world.put(Kind::Pod, pod).unwrap();
        let pods = self.world.pods.find(&Index::service("shop", "u-web"));
        let waiting: Vec<_> = pods.into_iter().filter(|pod| waits(pod)).collect();
        let mut found = shortages(&self.world, &waiting);
        assert_eq!(found.len(), 1, "one task waits: {found:?}");
        let found = found.remove(0);
        assert_eq!(found.tasks, ["web-1"]);
        (found.explanation.to_string(), found.hints)
    }

    fn memberof(mut self, expression: &str) -> Self {
        self.requested["placementConstraints"] =
            json!([{"type": "memberOf", "expression": expression}]);
        self
    }

    fn on(mut self, provider: &str, objects: &Value) -> Self {
        self.capacity = json!({"strategy": [{"capacityProvider": provider}], "providers": objects});
        self
    }
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn first_no_node_at_all() {
    let stage = Stage { world: World::default(), ..Stage::new() };
    assert_eq!(stage.told(), ("there are no nodes".to_owned(), none()));
}

#[test]
fn second_a_word_that_is_nearly_an_instance_type() {
    let (told, hints) = Stage::new().memberof("attribute:ecs.instance-type == m5.lage").told();
    assert!(
        told.starts_with("3 nodes: 3 fail `attribute:ecs.instance-type == m5.lage`;"),
        "{told}"
    );
    assert_eq!(
        hints,
        [
            "`ecs.instance-type` of the nodes is `c5.large` (1), `m5.large` (2), never `m5.lage`; did you \
          mean `m5.large`?"
        ]
    );
}

#[test]
fn third_an_attribute_without_its_prefix() {
    let (told, hints) = Stage::new().memberof("attribute:instance-type =~ m5.*").told();
    assert!(told.contains("3 fail `attribute:instance-type =~ m5.*`"), "{told}");
    assert_eq!(
        hints,
        ["no node has attribute `instance-type`; did you mean `attribute:ecs.instance-type`?"]
    );
}

#[test]
fn fourth_a_capacity_provider_that_nothing_is_of() {
    let (told, hints) = Stage::new().on("bigg", &json!({})).told();
    assert!(told.starts_with("3 nodes: 3 are not of capacity provider `bigg`"), "{told}");
    assert_eq!(hints, ["capacity provider `bigg`: no node is of it; did you mean `big`?"]);
}

#[test]
fn fifth_the_providers_nodes_are_full_and_others_are_not() {
    let mut stage = Stage::new().on("spot", &json!({}));
    let container = json!({"name": "a", "resources": {"requests": {"memory": "3584Mi"}}});
    stage.takes("other", "b1", &container, &json!({}));
    assert_eq!(
        stage.told(),
        (
            "3 nodes: 2 are not of capacity provider `spot`, 1 lacks memory; closest is b1: lacks 512 \
             MiB of memory"
                .to_owned(),
            none()
        )
    );
}

#[test]
fn sixth_each_node_has_its_task() {
    let mut stage = Stage::new();
    stage.requested["placementConstraints"] = json!([{"type": "distinctInstance"}]);
    let labels = json!({label::SERVICE_UID: "u-web", label::SERVICE: "web"});
    for (name, node) in [("w1", "a1"), ("w2", "a2"), ("w3", "b1")] {
        let pod = json!({"metadata": {"name": name, "namespace": "shop", "labels": labels},
            "spec": {"nodeName": node, "containers": []}, "status": {"phase": "Running"}});
        stage.world.put(Kind::Pod, pod).unwrap();
    }
    let (told, hints) = stage.told();
    assert!(told.starts_with("3 nodes: 3 run a task of this service already;"), "{told}");
    assert_eq!(hints, none());
}

#[test]
fn seventh_a_port_that_somebody_else_has() {
    let mut stage = Stage::new();
    let port =
        |number: i32| json!({"name": "a", "ports": [{"containerPort": 80, "hostPort": number}]});
    for (name, node) in [("x", "a1"), ("y", "a2"), ("z", "b1")] {
        stage.takes(name, node, &port(8080), &json!({}));
    }
    stage.pod["containers"][0]["ports"] = json!([{"containerPort": 80, "hostPort": 8080}]);
    let (told, _) = stage.told();
    assert!(told.starts_with("3 nodes: 3 have port 8080/tcp taken;"), "{told}");
}

#[test]
fn eighth_a_taint_that_its_provider_does_not_name() {
    let mut stage = Stage::new();
    let taint = json!({"taints": [{"key": "team", "value": "data", "effect": "NoSchedule"}]});
    for (name, pool) in [("a1", "big"), ("a2", "big"), ("b1", "spot")] {
        stage.node(name, pool, "m5.large", &taint);
    }
    let (told, _) = stage.told();
    assert!(told.starts_with("3 nodes: 3 have the taint `team=data:NoSchedule`;"), "{told}");
    let mut stage = Stage::new();
    let down = json!({"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]});
    stage.node("a1", "big", "m5.large", &down);
    stage.node("a2", "big", "m5.large", &json!({"unschedulable": true}));
    stage.node(
        "b1",
        "spot",
        "m5.large",
        &json!({"taints":
        [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]}),
    );
    let (told, _) = stage.told();
    assert!(
        told.starts_with("3 nodes: 1 is cordoned, 1 is not ready, 1 does not answer;"),
        "{told}"
    );
}

#[test]
fn ninth_a_zone_that_the_mapping_of_subnets_gave() {
    let mut stage = Stage::new();
    stage.pod["affinity"] = json!({"nodeAffinity":
        {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In",
                "values": ["zone-c"]}]}]}}});
    let (told, _) = stage.told();
    assert_eq!(
        told,
        "3 nodes: 3 fail `topology.kubernetes.io/zone in (zone-c)`; closest is a1: fails \
         `topology.kubernetes.io/zone in (zone-c)`"
    );
}

#[test]
fn tenth_a_task_larger_than_any_machine_and_a_constraint_of_the_task_definition() {
    let mut stage = Stage::new();
    stage.revision["placementConstraints"] =
        json!([{"type": "memberOf", "expression": "attribute:ecs.instance-type =~ m5.*"}]);
    stage.pod["containers"][0]["resources"]["requests"]["cpu"] = json!("4");
    assert_eq!(
        stage.told(),
        (
            "3 nodes: 1 fails `attribute:ecs.instance-type =~ m5.*`, 2 lack cpu; closest is a1: lacks \
             2048 CPU units"
                .to_owned(),
            none()
        )
    );
}

#[test]
fn a_task_that_a_node_has_room_for_is_told_where() {
    let (told, hints) = Stage::new().memberof("attribute:ecs.instance-type == c5.large").told();
    assert_eq!(told, "3 nodes: 2 fail `attribute:ecs.instance-type == c5.large`, 1 will do");
    assert_eq!(hints, none());
}

#[test]
fn an_object_says_which_nodes_are_a_providers() {
    let spec = json!({"managedNodeGroup": {"nodegroupName": "spot"}});
    let (told, _) = Stage::new().on("cheap", &json!({"cheap": spec})).told();
    assert_eq!(told, "3 nodes: 2 are not of capacity provider `cheap`, 1 will do");
    let (told, _) = Stage::new().on("FARGATE", &json!({})).told();
    assert_eq!(told, "3 nodes: 3 will do", "any node");
}
