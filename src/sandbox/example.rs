//! Which service does a sandbox show? `examples/hello`, as a new user would apply it.

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::api::{Service, TaskDefinition};

/// The namespace in which it is shown.
pub(super) const NAMESPACE: &str = "default";
/// The name of both of its objects.
pub(super) const NAME: &str = "hello";

const TASK_DEFINITION: &str = include_str!("../../examples/hello/task-definition.yaml");
const SERVICE: &str = include_str!("../../examples/hello/service.yaml");

fn read(yaml: &str) -> anyhow::Result<Value> {
    Ok(serde_saphyr::from_str(yaml)?)
}

/// Applies the task definition, as the file has it or with its second image.
pub(super) async fn apply_task_definition(client: &Client, changed: bool) -> anyhow::Result<()> {
    let mut object = read(TASK_DEFINITION)?;
    if changed && let Some(image) = object.pointer_mut("/spec/containerDefinitions/0/image") {
        *image = json!("nginxdemos/hello:plain-text");
    }
    let api: Api<TaskDefinition> = Api::namespaced(client.clone(), NAMESPACE);
    api.patch(NAME, &as_user(), &Patch::Apply(&object)).await?;
    Ok(())
}

/// Applies the service.
pub(super) async fn apply_service(client: &Client) -> anyhow::Result<()> {
    let api: Api<Service> = Api::namespaced(client.clone(), NAMESPACE);
    api.patch(NAME, &as_user(), &Patch::Apply(&read(SERVICE)?)).await?;
    Ok(())
}

/// Sets the desired count as `kubectl scale` does.
pub(super) async fn scale(client: &Client, count: i32) -> anyhow::Result<()> {
    let api: Api<Service> = Api::namespaced(client.clone(), NAMESPACE);
    let body = json!({"spec": {"replicas": count}});
    api.patch_scale(NAME, &PatchParams::default(), &Patch::Merge(&body)).await?;
    Ok(())
}

fn as_user() -> PatchParams {
    PatchParams::apply("sandbox-user")
}
