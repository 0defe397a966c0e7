//! Which lives does a service have, what does its user do in each, and what does the user wait for?
//!
//! The service is `web` and its family `shop` in all of them. A life that is told by its nodes has a
//! group or two of its own, each with its capacity provider: `<namespace>-a`, `<namespace>-b`.

use k8s_openapi::api::core::v1 as corev1;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Resource};
use linkspan::api::{CapacityProvider, Service, TaskDefinition};
use linkspan::plan::node::DRAINING;
use linkspan::sandbox::control_plane::nodes::NodeGroup;
use linkspan::world::Kind;
use serde_json::{Value, json};

use crate::proxy::OF_ONE_LIFE;
use crate::state::text;
use crate::support::Place;
use crate::witness::Seen;

/// A service's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    /// On nodes that are there for all.
    Plain,
    /// One task on each of two nodes.
    Daemon,
    /// With bounds and a policy, for a while.
    Scaled,
    /// One of its nodes gets a spot notice.
    Drained,
    /// Over two capacity providers.
    Split,
}

/// The last step of every life.
pub(crate) const DELETE: &str = "delete";

impl Life {
    pub(crate) const ALL: [Self; 5] =
        [Self::Plain, Self::Daemon, Self::Scaled, Self::Drained, Self::Split];

    /// What a user does, in this order, and what the user then waits for.
    pub(crate) fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["create", "scale", "roll", "revert", "scale to 0", DELETE],
            Self::Daemon | Self::Split => &["create", "roll", DELETE],
            Self::Scaled => &["create", "change", "no more", DELETE],
            Self::Drained => &["create", "notice", DELETE],
        }
    }

    /// The groups of nodes that it has for itself: how many nodes each has at first.
    pub(crate) fn groups(self) -> &'static [(char, u32)] {
        match self {
            Self::Plain | Self::Scaled => &[],
            Self::Daemon | Self::Drained => &[('a', 2)],
            Self::Split => &[('a', 1), ('b', 1)],
        }
    }

    /// How many tasks must be healthy from the first step to the last but one, where that is judged.
    pub(crate) fn floor(self) -> Option<i32> {
        matches!(self, Self::Drained | Self::Split).then_some(2)
    }

    /// What a step must write: else it is not what it is there for.
    pub(crate) fn must_write(self, step: &str) -> &'static [&'static str] {
        match (self, step) {
            (Self::Daemon, "create" | "roll") => &["PATCH daemonsets (apps)"],
            (Self::Scaled, "create") => &["PATCH horizontalpodautoscalers (autoscaling)"],
            (Self::Scaled, "change") => &[
                "PATCH horizontalpodautoscalers (autoscaling)",
                "PATCH services/scale (ecs.linkspan.dev)",
            ],
            (Self::Scaled, "no more") => &["DELETE horizontalpodautoscalers (autoscaling)"],
            // The budget is raised, and goes back. When the node is marked beside it, varies.
            (Self::Drained, "notice") => &[
                "PATCH deployments (apps)",
                "PATCH poddisruptionbudgets (policy)",
                "POST pods/eviction",
                "PATCH poddisruptionbudgets (policy)",
                "PATCH deployments (apps)",
            ],
            (Self::Split, "create" | "roll") => {
                &["PATCH deployments (apps)", "PATCH deployments (apps)"]
            }
            _ => &[],
        }
    }

    pub(crate) async fn act(self, place: &Place, step: &str) {
        match step {
            "create" => {
                for (letter, count) in self.groups() {
                    group(place, *letter, *count).await;
                }
                place.task_definition("shop", "example/shop:1").await;
                place.service("web", self.asks(place)).await;
            }
            "scale" => place.scale("web", 3).await,
            "roll" => place.task_definition("shop", "example/shop:2").await,
            "revert" => place.task_definition("shop", "example/shop:1").await,
            "scale to 0" => place.scale("web", 0).await,
            // The manifest says no count any more: it falls to 1, and is put back.
            "change" => drop(place.service("web", scaled(3, 50)).await),
            "no more" => drop(place.service("web", json!({"taskDefinition": "shop"})).await),
            "notice" => {
                // Where the task can go: it is alone on its node.
                group(place, 'a', 3).await;
                notice(place).await;
            }
            DELETE => {
                place.delete::<Service>("web").await;
                place.delete::<TaskDefinition>("shop").await;
            }
            other => unreachable!("{other}"),
        }
    }

    /// What the service asks for at first.
    fn asks(self, place: &Place) -> Value {
        let provider = |letter| json!({"capacityProvider": named(place, letter), "weight": 1});
        let on_own_nodes = json!({"taskDefinition": "shop", "desiredCount": 2,
            "capacityProviderStrategy": [provider('a')]});
        let with = |more: Value| {
            let mut asks = on_own_nodes.clone();
            asks.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            asks
        };
        match self {
            Self::Plain => json!({"taskDefinition": "shop", "desiredCount": 2}),
            Self::Scaled => {
                let mut asks = scaled(4, 60);
                asks["desiredCount"] = json!(2);
                asks
            }
            Self::Daemon => with(json!({"schedulingStrategy": "DAEMON",
                "deploymentConfiguration": {"minimumHealthyPercent": 50}})),
            Self::Drained => with(json!({"placementConstraints": [{"type": "distinctInstance"}]})),
            // Room for one task beside, of whichever provider.
            Self::Split => with(json!({
                "capacityProviderStrategy": [provider('a'), provider('b')],
                "deploymentConfiguration": {"maximumPercent": 150}})),
        }
    }

    /// Whether a step has come to what its user waits for.
    pub(crate) fn as_asked(self, seen: &Seen, step: &str) -> Result<(), String> {
        let (tasks, revision) = match (self, step) {
            (_, DELETE) => return all_gone(seen),
            (Self::Plain, "scale") => (3, "shop:1"),
            (Self::Plain, "roll") => (3, "shop:2"),
            (Self::Plain, "revert") => (3, "shop:3"),
            (Self::Plain, "scale to 0") => (0, "shop:3"),
            (_, "roll") => (2, "shop:2"),
            _ => (2, "shop:1"),
        };
        runs(seen, tasks, revision)?;
        if step == "notice" { has_moved(seen) } else { Ok(()) }
    }
}

/// From one task to so many, and a policy that keeps CPU at so many percent.
fn scaled(max: i32, target: i32) -> Value {
    json!({"taskDefinition": "shop", "autoscaling": {
        "scalableTarget": {"minCapacity": 1, "maxCapacity": max},
        "scalingPolicies": [{
            "policyName": "cpu",
            "targetTrackingScalingPolicyConfiguration": {
                "targetValue": target,
                "predefinedMetricSpecification":
                    {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
            },
        }],
    }})
}

fn named(place: &Place, letter: char) -> String {
    format!("{}-{letter}", place.namespace)
}

/// A group of nodes that only tasks of its provider come to, and the provider.
async fn group(place: &Place, letter: char, count: u32) {
    let name = named(place, letter);
    let key = format!("only-{name}");
    let taint = json!({"key": key, "effect": "NoSchedule"});
    let life = [(OF_ONE_LIFE.to_owned(), place.namespace.clone())];
    let nodes = NodeGroup {
        name: name.clone(),
        count,
        labels: life.clone().into(),
        taints: vec![serde_json::from_value(taint).unwrap()],
        ..NodeGroup::default()
    };
    nodes.create(&place.client).await.unwrap();
    let taints = json!([{"key": key, "effect": "NO_SCHEDULE"}]);
    let provider = json!({"apiVersion": CapacityProvider::api_version(&()),
        "kind": "CapacityProvider",
        "metadata": {"name": name, "labels": {OF_ONE_LIFE: place.namespace}},
        "spec": {"managedNodeGroup": {"nodegroupName": name, "taints": taints}}});
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&provider)).await.unwrap();
}

/// The two minutes of spot, for the first node.
async fn notice(place: &Place) {
    let name = named(place, 'a');
    let taints = json!([
        {"key": format!("only-{name}"), "effect": "NoSchedule"},
        {"key": "aws-node-termination-handler/spot-itn", "effect": "NoSchedule"}]);
    let patch = json!({"spec": {"unschedulable": true, "taints": taints}});
    let api: Api<corev1::Node> = Api::all(place.client.clone());
    let node = format!("{name}-0");
    api.patch(&node, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

/// Takes away what a life had for itself.
pub(crate) async fn clear(place: &Place) {
    let of_it = ListParams::default().labels(&format!("{OF_ONE_LIFE}={}", place.namespace));
    let now = DeleteParams::default();
    let providers: Api<CapacityProvider> = Api::all(place.client.clone());
    providers.delete_collection(&now, &of_it).await.unwrap();
    let nodes: Api<corev1::Node> = Api::all(place.client.clone());
    nodes.delete_collection(&now, &of_it).await.unwrap();
}

/// Nodes aside, which the service does not own.
fn all_gone(seen: &Seen) -> Result<(), String> {
    let left: Vec<_> = seen.objects.keys().filter(|(kind, _)| *kind != Kind::Node).collect();
    if left.is_empty() { Ok(()) } else { Err(format!("left: {left:?}")) }
}

fn runs(seen: &Seen, tasks: i64, revision: &str) -> Result<(), String> {
    let Some(service) = seen.objects.get(&(Kind::Service, "web".to_owned())) else {
        return Err("no service".to_owned());
    };
    let status = &service["status"];
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
    let is_so = ready
        && status["observedGeneration"] == service["metadata"]["generation"]
        && status["runningCount"].as_i64().unwrap_or_default() == tasks
        && status["pendingCount"].as_i64().unwrap_or_default() == 0
        && text(status, "/taskDefinition").as_deref() == Some(revision);
    if is_so { Ok(()) } else { Err(format!("not {tasks} tasks of {revision}: {status}")) }
}

/// Whether no task is left on the node that ends, and all that was raised for it is as it was.
fn has_moved(seen: &Seen) -> Result<(), String> {
    let all = |kind| seen.objects.iter().filter(move |((of, _), _)| *of == kind);
    let nodes = all(Kind::Node).filter(|(_, node)| {
        node["metadata"]["labels"][DRAINING] == "ending" && node["spec"]["unschedulable"] == true
    });
    let ending: Vec<&String> = nodes.map(|((_, name), _)| name).collect();
    let on_it = all(Kind::Pod)
        .filter(|(_, pod)| ending.iter().any(|name| pod["spec"]["nodeName"] == ***name))
        .count();
    let least = |(_, budget): (_, &Value)| budget["spec"]["minAvailable"].as_i64();
    let size = |(_, deployment): (_, &Value)| deployment["spec"]["replicas"].as_i64();
    let budgets: Vec<_> = all(Kind::DisruptionBudget).map(least).collect();
    let sizes: Vec<_> = all(Kind::Deployment).map(size).collect();
    let stands = format!("{ending:?} ends, {on_it} there, budget {budgets:?}, size {sizes:?}");
    let as_it_was = budgets == [Some(1)] && sizes == [Some(2)];
    if ending.len() == 1 && on_it == 0 && as_it_was { Ok(()) } else { Err(stands) }
}
