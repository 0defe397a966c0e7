//! When is a custom kind served? Some moments after its definition was taken.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};

/// Installs definitions and waits until each is served.
pub(super) async fn install(
    client: &Client,
    crds: &[CustomResourceDefinition],
) -> Result<(), kube::Error> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let apply = PatchParams::apply("linkspan-sandbox").force();
    for crd in crds {
        api.patch(&crd.name_any(), &apply, &Patch::Apply(crd)).await?;
    }
    for crd in crds {
        while !is_established(&api.get(&crd.name_any()).await?) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

fn is_established(crd: &CustomResourceDefinition) -> bool {
    let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}
