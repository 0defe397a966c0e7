//! How is a write carried out against a cluster?

use k8s_openapi::api::core::v1 as corev1;
use kube::api::{
    ApiResource, DeleteParams, EvictParams, Patch, PatchParams, PostParams, Preconditions,
};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::error::Error;
use super::sizes;
use crate::names::FIELD_MANAGER;
use crate::plan::Write;
use crate::world::{Kind, ObjectKey};

/// Carries out writes.
pub struct Applier {
    client: Client,
}

impl Applier {
    /// One that writes with this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Carries out one write. Returns the object as it is after it; none, if it is gone.
    pub(crate) async fn carry_out(&self, write: &Write) -> Result<Option<Value>, Error> {
        let key = write.key();
        let api = self.api(key);
        // What was seen is ours and is taken back whole. What was not seen may be somebody's, of
        // which nothing is taken: a field of theirs that differs is a conflict.
        let apply = match write {
            Write::Apply(object) if object.body.pointer("/metadata/uid").is_none() => {
                PatchParams::apply(FIELD_MANAGER)
            }
            _ => PatchParams::apply(FIELD_MANAGER).force(),
        };
        let failed = |error| Error::of(key, error);
        let answer = match write {
            Write::Create(object) => {
                let parameters = PostParams {
                    field_manager: Some(FIELD_MANAGER.to_owned()),
                    ..PostParams::default()
                };
                let typed = dynamic(&object.body);
                match api.create(&parameters, &typed).await.map_err(failed) {
                    Err(Error::Exists { key, .. }) => {
                        let found = api.get(&key.name).await.ok();
                        let body = found.map(|found| Box::new(json_of(found)));
                        return Err(Error::Exists { key, body });
                    }
                    other => other?,
                }
            }
            Write::Apply(object) => {
                api.patch(&key.name, &apply, &Patch::Apply(&object.body)).await.map_err(failed)?
            }
            Write::Status { uid, status, .. } => {
                let body = status_body(key, uid, status);
                match api.patch_status(&key.name, &apply, &Patch::Apply(&body)).await {
                    // It was deleted; its watch will say so.
                    Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(None),
                    other => other.map_err(failed)?,
                }
            }
            Write::MendStatus { uid, status, .. } => {
                let body = json!([
                    {"op": "test", "path": "/metadata/uid", "value": uid},
                    {"op": "add", "path": "/status", "value": status},
                ]);
                let patch: Patch<()> =
                    Patch::Json(serde_json::from_value(body).unwrap_or_default());
                api.patch_status(&key.name, &ours(), &patch).await.map_err(failed)?
            }
            Write::Delete { uid, .. } => {
                let parameters = DeleteParams {
                    preconditions: Some(Preconditions {
                        uid: Some(uid.clone()),
                        ..Preconditions::default()
                    }),
                    ..DeleteParams::background()
                };
                match api.delete(&key.name, &parameters).await {
                    // Still there under a finalizer: its watch will say when it has gone.
                    Ok(either) => return Ok(either.left().map(json_of)),
                    Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(None),
                    Err(error) => return Err(failed(error)),
                }
            }
            Write::Resize { target, uid, version, replicas, .. } => {
                let body = json!({
                    "metadata": {"uid": uid, "resourceVersion": version},
                    "spec": {"replicas": replicas},
                });
                let (api, _) = sizes::api(&self.client, target).await.map_err(failed)?;
                let patch = Patch::Merge(&body);
                let scale = api.patch_scale(&target.name, &ours(), &patch).await.map_err(failed)?;
                return Ok(serde_json::to_value(scale).ok());
            }
            Write::Pool { target, body, .. } => {
                let (api, _) = sizes::api(&self.client, target).await.map_err(failed)?;
                let known = body.pointer("/metadata/uid").is_some();
                let apply = PatchParams { force: known, ..PatchParams::apply(FIELD_MANAGER) };
                let patch = Patch::Apply(body);
                api.patch(&target.name, &apply, &patch).await.map_err(failed)?
            }
            Write::Mark { machine, annotation, value, .. } => {
                let body = json!({"metadata": {"annotations": {*annotation: value}}});
                let (group, version) =
                    machine.api_version.split_once('/').unwrap_or(("", &machine.api_version));
                let kind = GroupVersionKind::gvk(group, version, "Machine");
                let resource = ApiResource::from_gvk_with_plural(&kind, "machines");
                let api: Api<DynamicObject> =
                    Api::namespaced_with(self.client.clone(), &machine.namespace, &resource);
                match api.patch(&machine.name, &ours(), &Patch::Merge(&body)).await {
                    Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(None),
                    other => other.map_err(failed)?,
                };
                return Ok(None);
            }
            Write::Evict { uid, .. } => {
                let preconditions =
                    Preconditions { uid: Some(uid.clone()), ..Preconditions::default() };
                let parameters = EvictParams {
                    delete_options: Some(DeleteParams {
                        preconditions: Some(preconditions),
                        ..DeleteParams::default()
                    }),
                    ..EvictParams::default()
                };
                let pods: Api<corev1::Pod> = Api::namespaced(self.client.clone(), &key.namespace);
                match pods.evict(&key.name, &parameters).await {
                    // It has gone, or is another; or its disruption budget has no room for now.
                    Err(kube::Error::Api(answer)) if [404, 409, 429].contains(&answer.code) => {}
                    other => drop(other.map_err(failed)?),
                }
                return Ok(None);
            }
            Write::Scale { uid, version, replicas, .. } => {
                let body = json!({
                    "metadata": {"uid": uid, "resourceVersion": version},
                    "spec": {"replicas": replicas},
                });
                let patch = Patch::Merge(&body);
                api.patch_scale(&key.name, &ours(), &patch).await.map_err(failed)?;
                // What was answered is the subresource.
                api.get(&key.name).await.map_err(failed)?
            }
        };
        Ok(Some(json_of(answer)))
    }

    fn api(&self, key: &ObjectKey) -> Api<DynamicObject> {
        let resource = resource(key.kind);
        if key.namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &key.namespace, &resource)
        }
    }
}

/// A patch that is not an apply, under our name.
fn ours() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

/// How a kind is named to the API server.
pub(crate) fn resource(kind: Kind) -> ApiResource {
    let (api_version, kind_name) = kind.type_meta();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let named = GroupVersionKind::gvk(group, version, kind_name);
    ApiResource::from_gvk_with_plural(&named, kind.plural())
}

fn dynamic(body: &Value) -> DynamicObject {
    // Everything that plan makes has a metadata object.
    serde_json::from_value(body.clone()).unwrap_or_else(|_| DynamicObject {
        types: None,
        metadata: kube::api::ObjectMeta::default(),
        data: body.clone(),
    })
}

fn json_of(object: DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

fn status_body(key: &ObjectKey, uid: &str, status: &Value) -> Value {
    let (api_version, kind) = key.kind.type_meta();
    let namespace = Some(&key.namespace).filter(|namespace| !namespace.is_empty());
    let metadata = json!({"name": key.name, "namespace": namespace, "uid": uid});
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "status": status})
}
