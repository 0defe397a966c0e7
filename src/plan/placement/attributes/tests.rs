//! Attributes as nodes of several clouds have them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::json;

use super::*;

fn node(value: serde_json::Value) -> corev1::Node {
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_node_of_eks_is_an_instance() {
    let node = node(json!({
        "metadata": {
            "creationTimestamp": "2026-11-21T09:00:00Z",
            "labels": {
                "topology.kubernetes.io/zone": "us-east-1a", "kubernetes.io/arch": "amd64",
                "node.kubernetes.io/instance-type": "m5.large", "kubernetes.io/os": "linux",
                "karpenter.k8s.aws/instance-ami-id": "ami-1", "stack": "raw", "empty": "",
                "attribute.ecs.linkspan.dev/stack": "prod", "eks.amazonaws.com/nodegroup": "web",
                "placement.ecs.linkspan.dev/0123456789abcdef": "true",
            },
            "annotations": {"ecs.linkspan.dev/attributes":
                "{\"a\\\\b\": \"c d\", \"stack\": \"never\", \"n\\\\one\": null}"},
        },
        "spec": {"providerID": "aws:///us-east-1a/i-0abc"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.36.3-eks-1a2b3c", "architecture": "", "bootID": "",
                "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "",
                "machineID": "", "operatingSystem": "", "osImage": "", "systemUUID": ""},
        },
    }));
    let pods =
        [json!({"ecs.linkspan.dev/service": "web"}), json!({"app": "other"})].map(|labels| {
            serde_json::from_value::<corev1::Pod>(json!({"metadata": {"labels": labels}})).unwrap()
        });
    let instance = instance(&node, pods.iter().take(1));
    let value =
        |name: &str| instance.attributes.get(name).map(|value| value.as_deref().unwrap_or("-"));
    for (name, expected) in [
        ("ecs.availability-zone", Some("us-east-1a")),
        ("ecs.instance-type", Some("m5.large")),
        ("ecs.os-type", Some("linux")),
        ("ecs.os-family", Some("LINUX")),
        ("ecs.cpu-architecture", Some("x86_64")),
        ("ecs.ami-id", Some("ami-1")),
        ("ecs.vpc-id", None),
        ("ecs.capability.task-eni", Some("-")),
        ("ecs.capability.external", None),
        ("stack", Some("prod")),
        ("empty", Some("-")),
        ("eks.amazonaws.com/nodegroup", Some("web")),
        ("placement.ecs.linkspan.dev/0123456789abcdef", None),
        ("a\\b", Some("c d")),
        ("n\\one", Some("-")),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert!(instance.agent_connected);
    assert_eq!(instance.agent_version, Some(semver::Version::new(1, 36, 3)));
    assert_eq!(instance.ec2_instance_id.as_deref(), Some("i-0abc"));
    assert_eq!(instance.registered_at, Some("2026-11-21T09:00:00Z".parse().unwrap()));
    assert_eq!(instance.running_tasks_count, 1);
    assert!(instance.task_groups.contains("service:web"));
    assert_eq!(groups::of(&pods[1]), None);
}

#[test]
fn an_agent_that_was_not_heard_of_is_not_connected() {
    for (status, connected) in [("True", true), ("False", true), ("Unknown", false)] {
        let node = node(
            json!({"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": status}]}}),
        );
        assert_eq!(instance(&node, []).agent_connected, connected, "{status}");
    }
    assert!(!instance(&node(json!({"metadata": {}})), []).agent_connected);
}

#[test]
fn a_kubelet_version_loses_what_vendors_add() {
    for (kubelet, expected) in [
        ("v1.36.3", "1.36.3"),
        ("v1.36.3-eks-1a2b3c", "1.36.3"),
        ("v1.33.1-gke.100", "1.33.1"),
        ("v1.34.0+k3s1", "1.34.0"),
        ("v1.37.0-rc.1", "1.37.0-rc.1"),
    ] {
        assert_eq!(version(kubelet).map(|v| v.to_string()).as_deref(), Some(expected), "{kubelet}");
    }
    assert_eq!(version("fake"), None);
}

#[test]
fn full_and_core_windows_are_one() {
    let windows = node(json!({"metadata": {"labels":
        {"kubernetes.io/os": "windows", "node.kubernetes.io/windows-build": "10.0.20348"}}}));
    for (value, holds) in [
        ("WINDOWS_SERVER_2022_CORE", true),
        ("WINDOWS_SERVER_2022_FULL", true),
        ("WINDOWS_SERVER_2019_FULL", false),
        ("WINDOWS", false),
    ] {
        let query = Query::parse(&format!("attribute:ecs.os-family in [x, {value}]")).unwrap();
        let holds_here = crate::ecs::query::evaluate(&canonical(&query), &instance(&windows, []));
        assert_eq!(holds_here, holds, "{value}");
    }
}
