//! What does a control plane need before the operator can work in it? CRDs, and nodes.

use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use kube_runtime::wait::{await_condition, conditions};

use super::control_plane::nodes::{CapacityType, NodeGroup};

/// Installs the CRDs and waits until each is served.
///
/// # Errors
/// The API server refuses one, or goes away.
pub async fn install_crds(client: &Client) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let apply = PatchParams::apply("linkspan-sandbox").force();
    let crds = crate::api::crds();
    try_join_all(crds.iter().map(async |crd| {
        let name = crd.name_any();
        api.patch(&name, &apply, &Patch::Apply(crd)).await?;
        await_condition(api.clone(), &name, conditions::is_crd_established()).await?;
        anyhow::Ok(())
    }))
    .await?;
    Ok(())
}

/// The nodes of a sandbox: three groups over three zones.
pub fn node_groups() -> Vec<NodeGroup> {
    vec![
        NodeGroup { name: "on-demand".to_owned(), ..NodeGroup::default() },
        NodeGroup {
            name: "spot".to_owned(),
            capacity_type: CapacityType::Spot,
            ..NodeGroup::default()
        },
        NodeGroup {
            name: "fargate".to_owned(),
            capacity_type: CapacityType::Fargate,
            ..NodeGroup::default()
        },
    ]
}
