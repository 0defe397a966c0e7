//! What is the size of a capacity provider's group now? Read from the scale of the object it names. And who
//! runs on the nodes that it could do without? Of pods only those of services are watched.
//!
//! Each time before a plan that goes by it, so that no plan goes by an old one. What to make of it,
//! and what to do where there is none, the plan says.

use std::time::Duration;

use k8s_openapi::api::core::v1 as corev1;
use kube::api::ListParams;
use kube::core::{DynamicObject, GroupVersionKind};
use kube::error::DiscoveryError;
use kube::{Api, Client, Error, ResourceExt, discovery};

use crate::plan::capacity_provider::{Guests, Looked, Scale, ScaleTarget, Unusable};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// Looks at a target.
pub(super) async fn look(client: &Client, target: &ScaleTarget) -> Looked {
    let found = match tokio::time::timeout(ANSWER, read(client, target)).await {
        Ok(found) => found,
        Err(_) => Err(Unusable::Unreachable(format!("no answer within {} s", ANSWER.as_secs()))),
    };
    if let Err(unusable) = &found {
        tracing::debug!(%target, ?unusable, "no scale");
    }
    Looked { target: target.clone(), found }
}

/// Looks at a NodePool.
pub(super) async fn look_at_pool(
    client: &Client,
    target: &ScaleTarget,
) -> Result<Option<serde_json::Value>, Unusable> {
    let read = async {
        let (api, _) = api(client, target).await.map_err(unserved)?;
        let found = api.get_opt(&target.name).await.map_err(why)?;
        Ok(found.and_then(|found| serde_json::to_value(found).ok()))
    };
    let late = || Err(Unusable::Unreachable(format!("no answer within {} s", ANSWER.as_secs())));
    tokio::time::timeout(ANSWER, read).await.unwrap_or_else(|_| late())
}

/// Looks who runs on a node: pods of DaemonSets and of the kubelet itself, and those that have ended, need
/// no other node.
pub(super) async fn look_at_node(client: &Client, node: &str) -> Guests {
    let read = async {
        let on_it = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let pods: Api<corev1::Pod> = Api::all(client.clone());
        let all = pods.list(&on_it).await.map_err(|error| match error {
            Error::Api(answer) => answer.message.clone(),
            other => other.to_string(),
        })?;
        Ok(all
            .iter()
            .find(|pod| is_guest(pod))
            .map(|pod| format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any())))
    };
    let late = || Err(format!("no answer within {} s", ANSWER.as_secs()));
    tokio::time::timeout(ANSWER, read).await.unwrap_or_else(|_| late())
}

fn is_guest(pod: &corev1::Pod) -> bool {
    const OF_THE_KUBELET: &str = "kubernetes.io/config.mirror";
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let of_a_daemon = pod
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true) && owner.kind == "DaemonSet");
    let has_ended = matches!(phase, Some("Succeeded" | "Failed"));
    !of_a_daemon && !has_ended && !pod.annotations().contains_key(OF_THE_KUBELET)
}

async fn read(client: &Client, target: &ScaleTarget) -> Result<Scale, Unusable> {
    let (api, has_scale) = api(client, target).await.map_err(unserved)?;
    if !has_scale {
        return Err(Unusable::NoScale);
    }
    let scale = api.get_scale(&target.name).await.map_err(why)?;
    Ok(Scale::of(&serde_json::to_value(scale).unwrap_or_default()))
}

fn unserved(error: Error) -> Unusable {
    match error {
        Error::Discovery(DiscoveryError::MissingKind(_)) => Unusable::NotServed,
        Error::Api(answer) if answer.code == 404 => Unusable::NotServed,
        other => why(other),
    }
}

fn why(error: Error) -> Unusable {
    match error {
        Error::Api(answer) if answer.code == 404 => Unusable::Missing,
        Error::Api(answer) if answer.code == 403 => Unusable::Forbidden(answer.message.clone()),
        other => Unusable::Unreachable(other.to_string()),
    }
}

/// How a target's kind is spoken to, and whether it has a scale.
pub(super) async fn api(
    client: &Client,
    target: &ScaleTarget,
) -> Result<(Api<DynamicObject>, bool), Error> {
    let kind = GroupVersionKind::gvk(target.group(), target.version(), &target.kind);
    let (resource, can) = discovery::pinned_kind(client, &kind).await?;
    let has_scale = can.subresources.iter().any(|(below, _)| below.plural == "scale");
    let api = match (&target.namespace, can.scope) {
        (Some(namespace), discovery::Scope::Namespaced) => {
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
        (None, discovery::Scope::Namespaced) => {
            Api::namespaced_with(client.clone(), "default", &resource)
        }
        (_, discovery::Scope::Cluster) => Api::all_with(client.clone(), &resource),
    };
    Ok((api, has_scale))
}
