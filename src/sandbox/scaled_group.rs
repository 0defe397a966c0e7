//! How many nodes does a group have that is sized by its scale?
//!
//! A kind of its own, `NodeGroup.sandbox.linkspan.dev`, with a scale subresource, as Cluster API's
//! MachineDeployment has one: the number in it makes and removes simulated nodes. It stands for
//! whoever makes machines in a real cluster; the operator knows of it no more than of any other kind.
//! Only the sandbox and the tests have it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, CustomResource, CustomResourceExt, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::control_plane::nodes::{self, GROUP_LABEL};

/// The annotation of a node that the group takes away before others.
pub const REMOVE_FIRST: &str = "sandbox.linkspan.dev/remove-first";

/// How often groups are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A group of simulated nodes.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "sandbox.linkspan.dev",
    version = "v1",
    kind = "NodeGroup",
    namespaced,
    status = "NodeGroupStatus",
    doc = "Simulated nodes, as many as its scale says.",
    scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas"),
    printcolumn = r#"{"name":"Replicas","type":"integer","jsonPath":".spec.replicas"}"#,
    printcolumn = r#"{"name":"Nodes","type":"integer","jsonPath":".status.replicas"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupSpec {
    /// How many nodes it should have.
    #[serde(default)]
    pub replicas: i32,
    /// The cores of each, as a quantity (default 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// The memory of each, as a quantity (default 16Gi).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// The kind of machine (default m5.xlarge).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Further labels of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Keys of taints that keep pods away from each which do not tolerate them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<String>,
    /// Whether it takes the number in and does nothing about it, as a group without quota.
    #[serde(default)]
    pub stuck: bool,
}

/// How many nodes there are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupStatus {
    /// How many nodes it has.
    pub replicas: i32,
}

/// Its definition.
pub fn crd() -> CustomResourceDefinition {
    NodeGroup::crd()
}

/// Makes and removes the nodes of all groups, for ever.
pub async fn follow(client: Client) {
    let groups: Api<NodeGroup> = Api::all(client.clone());
    let mut known: BTreeSet<String> = BTreeSet::new();
    loop {
        match groups.list(&ListParams::default()).await {
            Ok(groups) => {
                let there: BTreeSet<String> = groups.iter().map(ResourceExt::name_any).collect();
                for group in groups {
                    if let Err(error) = bring_to_size(&client, &group).await {
                        tracing::debug!(group = group.name_any(), %error, "a simulated group");
                    }
                }
                for gone in known.difference(&there) {
                    let group = nodes::NodeGroup { name: gone.clone(), ..Default::default() };
                    if let Err(error) = group.delete(&client).await {
                        tracing::debug!(group = gone, %error, "the nodes of a group that is gone");
                    }
                }
                known = there;
            }
            Err(error) => tracing::debug!(%error, "simulated groups cannot be listed"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// One node more or less at a time, then what there is into the status.
async fn bring_to_size(client: &Client, group: &NodeGroup) -> Result<(), kube::Error> {
    let name = group.name_any();
    let api: Api<corev1::Node> = Api::all(client.clone());
    let ours = ListParams::default().labels(&format!("{GROUP_LABEL}={name}"));
    let mut nodes = api.list(&ours).await?.items;
    let wanted = usize::try_from(group.spec.replicas).unwrap_or(0);
    if !group.spec.stuck {
        let like = like(group);
        while nodes.len() < wanted {
            let numbers: Vec<u32> = nodes.iter().filter_map(number).collect();
            // The lowest that is free, so that zones stay even.
            let free = (0..u32::MAX).find(|number| !numbers.contains(number)).unwrap_or(0);
            nodes.push(api.create(&PostParams::default(), &like.node(free)).await?);
        }
        while nodes.len() > wanted {
            nodes.sort_by_key(|node| (is_marked(node), number(node)));
            let Some(last) = nodes.pop() else { break };
            api.delete(&last.name_any(), &DeleteParams::default()).await?;
        }
    }
    let there = i32::try_from(nodes.len()).unwrap_or(i32::MAX);
    if group.status.as_ref().map(|status| status.replicas) == Some(there) {
        return Ok(());
    }
    let groups: Api<NodeGroup> =
        Api::namespaced(client.clone(), group.metadata.namespace.as_deref().unwrap_or("default"));
    let patch = Patch::Merge(json!({"status": {"replicas": there}}));
    groups.patch_status(&name, &PatchParams::default(), &patch).await.map(drop)
}

/// Of two, the one that is marked goes first, then the one of the higher number.
fn is_marked(node: &corev1::Node) -> bool {
    node.annotations().contains_key(REMOVE_FIRST)
}

fn number(node: &corev1::Node) -> Option<u32> {
    node.name_any().rsplit_once('-')?.1.parse().ok()
}

fn like(group: &NodeGroup) -> nodes::NodeGroup {
    let usual = nodes::NodeGroup::default();
    let NodeGroupSpec { cpu, memory, instance_type, labels, taints, .. } = group.spec.clone();
    let taint =
        |key| corev1::Taint { key, effect: "NoSchedule".to_owned(), ..corev1::Taint::default() };
    nodes::NodeGroup {
        name: group.name_any(),
        cpu: cpu.unwrap_or(usual.cpu),
        memory: memory.unwrap_or(usual.memory),
        instance_type: instance_type.unwrap_or(usual.instance_type),
        labels,
        taints: taints.into_iter().map(taint).collect(),
        ..nodes::NodeGroup::default()
    }
}
