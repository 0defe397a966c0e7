//! The four forms, each rule about them, and what is seen of nodes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod scaling;
mod status;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use serde_json::{Value, json};

use super::*;
use crate::plan::finding::Findings;
use crate::plan::placement::resources::Amounts;
use crate::world::Placed;

fn read_as(name: &str, spec: &Value) -> (Option<CapacityProvider>, Vec<String>) {
    let mut findings = Findings::default();
    let provider = read(spec, Some(name), &mut findings);
    (provider, findings.0.iter().map(ToString::to_string).collect())
}

fn good(spec: &Value) -> CapacityProvider {
    let (provider, told) = read_as("web", spec);
    assert!(told.is_empty(), "{spec}: {told:?}");
    provider.unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_managed_node_group() {
    let provider = good(&json!({"managedNodeGroup": {
        "nodegroupName": "pool", "capacityType": "SPOT",
        "scalingConfig": {"minSize": 0, "desiredSize": 2, "maxSize": 5},
        "taints": [{"key": "spot", "value": "yes", "effect": "NO_SCHEDULE"}]}}));
    assert_eq!((provider.name.as_str(), &provider.form), ("web", &Form::ManagedNodeGroup));
    assert!(provider.is_spot && provider.drains && provider.scaling.is_none());
    assert_eq!(provider.size, Size { least: 0, desired: Some(2), most: Some(5) });
    assert_eq!(
        json!(provider.tolerations),
        json!([{"key": "spot", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}])
    );
    for key in POOL_LABELS {
        assert!(provider.nodes.selects(&labels(&[("other", "x"), (key, "pool")])), "{key}");
        assert!(!provider.nodes.selects(&labels(&[(key, "web")])), "{key}");
    }
    assert!(provider.nodes.selects(&labels(&[("ecs.linkspan.dev/capacity-provider", "web")])));
    assert!(!provider.nodes.selects(&labels(&[])));
    assert_eq!(provider.nodes.terms().len(), 5);
}

#[test]
fn an_auto_scaling_group() {
    let group = |members: Value| json!({"autoScalingGroupProvider": members});
    let provider = good(&group(json!({
        "autoScalingGroupArn":
            "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:u:autoScalingGroupName/nodes",
        "managedScaling": {"status": "ENABLED", "targetCapacity": 80},
        "managedTerminationProtection": "ENABLED", "managedDraining": "DISABLED"})));
    assert_eq!(provider.form, Form::AutoScalingGroup);
    assert!(provider.nodes.selects(&labels(&[("karpenter.sh/nodepool", "nodes")])));
    assert_eq!(provider.scaling.map(|settings| settings.target.percent()), Some(80));
    assert!(provider.protects && !provider.drains);
    let off =
        good(&group(json!({"autoScalingGroupArn": "g", "managedScaling": {"status": "DISABLED"}})));
    assert_eq!(off.scaling, None);
    let own = good(&json!({"autoScalingGroupProvider": {}, "kubernetes": {
        "nodeSelector": {"a": "b", "c": "d"}, "allowedNamespaces": ["shop"],
        "scaleTargetRef": {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachineDeployment",
            "namespace": "capi", "name": "md"}}}));
    assert!(own.nodes.selects(&labels(&[("a", "b"), ("c", "d")])));
    assert!(!own.nodes.selects(&labels(&[("a", "b")])));
    assert_eq!(own.nodes.terms().len(), 1);
    assert_eq!(own.scale_target.unwrap().kind, "MachineDeployment");
    assert_eq!(own.allowed_namespaces, Some(vec!["shop".to_owned()]));
}

#[test]
fn managed_instances_and_fargate() {
    let provider = good(&json!({"managedInstancesProvider": {"instanceLaunchTemplate": {
        "capacityOptionType": "SPOT",
        "instanceRequirements": {"vCpuCount": {"min": 2, "max": 4}, "memoryMiB": {"min": 1024}}}}}));
    assert_eq!((provider.form, provider.is_spot), (Form::ManagedInstances, true));
    let (fargate, told) = read_as(
        "fargate-spot",
        &json!({"name": "FARGATE_SPOT", "fargateProfile": {"selectors": [
            {"namespace": "shop", "labels": {"tier": "web"}}]}}),
    );
    let fargate = fargate.unwrap();
    assert!(told.is_empty() && fargate.is_spot);
    let selector =
        FargateSelector { namespace: "shop".to_owned(), labels: labels(&[("tier", "web")]) };
    assert_eq!(fargate.form, Form::FargateProfile(vec![selector]));
    assert!(fargate.nodes.selects(&labels(&[("eks.amazonaws.com/compute-type", "fargate")])));
    assert!(fargate.nodes.selects(&labels(&[("type", "virtual-kubelet")])));
    assert_eq!(fargate.tolerations.len(), 2);
}

#[test]
fn each_rule_is_told() {
    let group = |members: Value| json!({"managedNodeGroup": members});
    let scaled = |members: Value| json!({"autoScalingGroupProvider": members});
    for (name, spec, message) in [
        (
            "web",
            json!({}),
            "spec: give exactly one of managedNodeGroup, autoScalingGroupProvider, \
             managedInstancesProvider, fargateProfile",
        ),
        ("a b", group(json!({})), "name is a b: must be 1 to 255 letters, digits, - and _"),
        (
            "Fargate-x",
            group(json!({})),
            "name is Fargate-x: must not begin with `fargate`, which ECS keeps for its own",
        ),
        (
            "AWS",
            group(json!({})),
            "name is AWS: must not begin with `aws`, which ECS keeps for its own",
        ),
        (
            "web",
            group(json!({"capacityType": "spot"})),
            "managedNodeGroup.capacityType is \"spot\": must be ON_DEMAND or SPOT or CAPACITY_BLOCK",
        ),
        (
            "web",
            group(json!({"scalingConfig": {"minSize": 3, "maxSize": 2}})),
            "managedNodeGroup.scalingConfig: minSize must not be above desiredSize, nor that above \
             maxSize",
        ),
        (
            "web",
            group(json!({"scalingConfig": {"maxSize": 0}})),
            "managedNodeGroup.scalingConfig.maxSize is 0: must be a whole number of at least 1",
        ),
        (
            "web",
            group(json!({"taints": [{"key": "a", "effect": "NoSchedule"}]})),
            "managedNodeGroup.taints[0].effect is `NoSchedule`: must be NO_SCHEDULE, NO_EXECUTE or \
             PREFER_NO_SCHEDULE",
        ),
        (
            "web",
            scaled(json!({})),
            "autoScalingGroupProvider.autoScalingGroupArn: is required: the ARN or name of the group, \
             which its nodes have as a label; or give kubernetes.nodeSelector",
        ),
        (
            "web",
            scaled(json!({"autoScalingGroupArn": "g", "managedTerminationProtection": "ENABLED"})),
            "autoScalingGroupProvider.managedTerminationProtection is ENABLED: needs managedScaling \
             with status ENABLED",
        ),
        (
            "web",
            scaled(json!({"autoScalingGroupArn": "g", "managedScaling": {"targetCapacity": 101}})),
            "autoScalingGroupProvider.managedScaling.targetCapacity is 101: must be a whole number \
             from 1 to 100",
        ),
        (
            "web",
            json!({"fargateProfile": {"selectors": [{}]}}),
            "fargateProfile.selectors[0].namespace: is required",
        ),
        (
            "web",
            json!({"managedInstancesProvider": {"instanceLaunchTemplate": {"instanceRequirements":
                {"vCpuCount": {"min": 1}, "memoryMiB": {"max": 1}}}}}),
            "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.memoryMiB.min: is \
             required",
        ),
    ] {
        assert_eq!(read_as(name, &spec).1, [message], "{spec}");
    }
    let unreadable = json!({"managedNodeGroup": {"nodegroupName": "p"},
        "kubernetes": {"allowedNamespaces": "all", "nodeSelector": {"a": 1}, "scaleTargetRef": {"kind": "K"}}});
    let (provider, told) = read_as("web", &unreadable);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(provider.unwrap().allowed_namespaces, Some(vec![]), "nobody, rather than everybody");
}

fn node(value: Value) -> corev1::Node {
    serde_json::from_value(value).unwrap()
}

#[test]
fn nodes_are_summed_up() {
    let ready = json!({"conditions": [{"type": "Ready", "status": "True"}],
        "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "10"}});
    let of = |name: &str, spec: Value, labels: Value, status: &Value| {
        let mut labels = labels;
        labels["pool"] = json!("p");
        node(json!({"metadata": {"name": name, "labels": labels}, "spec": spec, "status": status}))
    };
    let mut other = of("other", json!({}), json!({}), &ready);
    other.metadata.labels = None;
    let nodes = [
        of("busy", json!({}), json!({}), &ready),
        of("daemon", json!({}), json!({}), &ready),
        of("cordoned", json!({"unschedulable": true}), json!({}), &ready),
        of("marked", json!({"unschedulable": true}), json!({DRAINING: "true"}), &ready),
        of(
            "spot",
            json!({"taints": [{"key": "aws-node-termination-handler/spot-itn", "effect": "NoSchedule"}]}),
            json!({}),
            &ready,
        ),
        of("new", json!({}), json!({}), &json!({})),
        other,
    ];
    let pod = |owner: &str, phase: &str| -> corev1::Pod {
        serde_json::from_value(json!({
            "metadata": {"labels": {"ecs.linkspan.dev/service": "web"}, "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": owner, "name": "o", "uid": "u", "controller": true}]},
            "spec": {"nodeName": "n", "containers": [{"name": "a", "resources": {"requests": {"cpu": "500m"}}}]},
            "status": {"phase": phase}}))
        .unwrap()
    };
    let (task, daemon, ended) =
        (pod("ReplicaSet", "Running"), pod("DaemonSet", "Running"), pod("Job", "Succeeded"));
    let [task, daemon, ended] = [&task, &daemon, &ended].map(Placed::of);
    let tasks_on = |node: &str| match node {
        "busy" => [&task, &daemon].into_iter().flatten().collect(),
        "daemon" => [&daemon, &ended].into_iter().flatten().collect(),
        "other" => task.iter().collect(),
        _ => vec![],
    };
    let seen = see(&Selection::All(labels(&[("pool", "p")])), &nodes, tasks_on);
    let conditions: Vec<_> = seen.nodes.iter().map(|(name, one)| (name.as_str(), *one)).collect();
    assert_eq!(
        conditions,
        [
            ("busy", Condition::Ready),
            ("cordoned", Condition::Cordoned),
            ("daemon", Condition::Ready),
            ("marked", Condition::Draining),
            ("new", Condition::NotReady),
            ("spot", Condition::Draining),
        ]
    );
    assert_eq!(seen.count(Condition::Ready), 2);
    assert_eq!(
        seen.registered,
        Amounts { millicores: 10_000, memory: 20 << 30, gpus: 0, pods: 50 }
    );
    assert_eq!(seen.remaining, Amounts { millicores: 2500, memory: 8 << 30, gpus: 0, pods: 17 });
    assert_eq!(seen.tasks, 1);
    assert_eq!(seen.up(), 3);
    assert_eq!(seen.empty, ["cordoned", "daemon"]);
    assert_eq!(seen.shapes.len(), 1);
}

const DRAINING: &str = "placement.ecs.linkspan.dev/draining";

#[test]
fn isolation_is_for_fargate_profiles() {
    let of = |form: Value, isolation: Value| {
        let mut spec = form;
        spec["kubernetes"] = json!({"isolation": isolation});
        let (provider, told) = read_as("web", &spec);
        (provider.unwrap().isolation, told.join("\n"))
    };
    let profile = || json!({"fargateProfile": {"selectors": [{"namespace": "shop"}]}});
    assert_eq!(of(profile(), json!("Node")), (Isolation::Node, String::new()));
    let class = Isolation::RuntimeClass("kata.qemu-1".to_owned());
    assert_eq!(of(profile(), json!("kata.qemu-1")), (class, String::new()));
    for wrong in [json!("node"), json!("Kata"), json!("-a"), json!(true)] {
        let (isolation, told) = of(profile(), wrong.clone());
        let expected = wrong != json!("node");
        assert_eq!(told.contains("must be None, Node or the name"), expected, "{wrong}: {told}");
        assert_eq!(isolation == Isolation::Shared, expected, "a name in lower case is a class");
    }
    let (_, told) = of(json!({"managedNodeGroup": {}}), json!("Node"));
    assert!(told.contains("is for fargateProfile only"), "{told}");
}
