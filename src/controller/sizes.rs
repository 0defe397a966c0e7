//! What is the size of a capacity provider's group now? Read from the scale of the object it names.
//!
//! Each time before a plan that goes by it, so that no plan goes by an old one. What to make of it,
//! and what to do where there is none, the plan says.

use std::time::Duration;

use kube::core::{DynamicObject, GroupVersionKind};
use kube::error::DiscoveryError;
use kube::{Api, Client, Error, discovery};

use crate::plan::capacity_provider::{Looked, Scale, ScaleTarget, Unusable};

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
