//! What is the administrator's, another tenant's, or one's own no longer.

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::rbac::v1 as rbacv1;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use linkspan::api::{
    CapacityProvider, Service, ServiceDeployment, TaskDefinition, TaskDefinitionRevision,
};
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::json;

use super::{Row, create};
use crate::operator::{bind, place_of};
use crate::support::{Place, task_definition, until};
use crate::usage::requests;

/// n11, n19: what belongs to others, and what never changes.
pub(super) async fn others(control_plane: &ControlPlane, dev: &Place) -> Row {
    let mut row = Row::new("n11 n19  what is the administrator's, and what is frozen");
    let providers: Api<CapacityProvider> = Api::all(dev.client.clone());
    let wide = json!({"metadata": {"name": "mine"}, "spec": {"managedNodeGroup": {},
        "kubernetes": {"tolerations": [{"operator": "Exists"}]}}});
    let wide = serde_json::from_value(wide).unwrap();
    let made = providers.create(&PostParams::default(), &wide).await;
    row.tried("a CapacityProvider", made, "cannot create resource \"capacityproviders\"");
    let body =
        Patch::Merge(json!({"spec": {"kubernetes": {"allowedNamespaces": [dev.namespace]}}}));
    let made = providers.patch("big", &PatchParams::default(), &body).await;
    row.tried("an allowance", made, "cannot patch resource \"capacityproviders\"");

    let at = &dev.namespace;
    let revision = json!({"spec": task_definition("example/evil:1")});
    let made = create::<TaskDefinitionRevision>(&dev.client, at, "web-9", revision, false).await;
    row.tried("a revision", made, "cannot create resource \"taskdefinitionrevisions\"");
    let record = json!({"spec": {"service": {"name": "web", "uid": "u"}, "sequence": 9,
        "cause": "ServiceCreated", "requested": {}, "taskDefinition": "web:1",
        "features": {"kubernetesMinor": 36}, "template": {}}});
    let made = create::<ServiceDeployment>(&dev.client, at, "web-9", record, false).await;
    row.tried("a record", made, "cannot create resource \"servicedeployments\"");
    let body = Patch::Merge(json!({"status": {"taskDefinition": "web:9"}}));
    let services = dev.api::<Service>();
    let made = services.patch_status("web", &PatchParams::default(), &body).await;
    row.tried("a status", made, "cannot patch resource \"services/status\"");

    let admin = Client::try_from(control_plane.config()).unwrap();
    let revisions: Api<TaskDefinitionRevision> = Api::namespaced(admin.clone(), at);
    let body =
        Patch::Merge(json!({"spec": {"containerDefinitions": [{"name": "a", "image": "b"}]}}));
    let made = revisions.patch("web-1", &PatchParams::default(), &body).await;
    row.tried("a revision's content, as admin", made, "a revision cannot be changed");
    let records: Api<ServiceDeployment> = Api::namespaced(admin, at);
    let name = records.list(&ListParams::default()).await.unwrap().items[0].name_any();
    let body = Patch::Merge(json!({"spec": {"taskDefinition": "web:2"}}));
    let made = records.patch(&name, &PatchParams::default(), &body).await;
    row.tried("a record's content, as admin", made, "a deployment record cannot be changed");
    row
}

/// n12: objects of one namespace that look like those of another's service.
pub(super) async fn look_alikes(control_plane: &ControlPlane, dev: &Place) -> Row {
    let mut row = Row::new("n12 look-alikes of another tenant's children");
    let tenant = place_of(control_plane, "tenant", "mallory").await;
    let service = dev.api::<Service>().get("web").await.unwrap();
    let theirs = dev.deployment(&service).await;
    let mut copy = json!(theirs);
    copy["metadata"] = json!({"name": theirs.name_any(), "labels": theirs.labels(),
        "annotations": theirs.annotations(), "ownerReferences": theirs.owner_references()});
    copy["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = json!(false);
    copy["spec"]["replicas"] = json!(0);
    let copy: appsv1::Deployment = serde_json::from_value(copy).unwrap();
    let made = tenant.api::<appsv1::Deployment>().create(&PostParams::default(), &copy).await;
    made.expect("who may edit may do that");
    dev.scale("web", 2).await;
    dev.steady("web", 2, "web:1").await;
    dev.scale("web", 1).await;
    dev.steady("web", 1, "web:1").await;
    let touched = requests(control_plane).iter().any(|line| {
        line["objectRef"]["namespace"] == tenant.namespace.as_str()
            && line["verb"] != "list"
            && line["verb"] != "watch"
    });
    row.held("a Deployment with another's labels and owner is taken for its", !touched);
    row
}

/// n20: a right that is taken away.
pub(super) async fn revoked(control_plane: &ControlPlane) -> Row {
    let mut row = Row::new("n20 writes after the right was taken away");
    let dev = place_of(control_plane, "revoked", "gone").await;
    dev.task_definition("web", "example/web:1").await;
    let service = dev.service("web", json!({"taskDefinition": "web"})).await;
    dev.steady("web", 1, "web:1").await;
    let admin = Client::try_from(control_plane.config()).unwrap();
    let bindings: Api<rbacv1::RoleBinding> = Api::namespaced(admin.clone(), &dev.namespace);
    bindings.delete("gone-edit", &DeleteParams::default()).await.unwrap();
    bind(control_plane, &dev.namespace, "gone", "linkspan-edit").await;
    until("the binding is gone", || async {
        let made =
            create::<corev1::ConfigMap>(&dev.client, &dev.namespace, "x", json!({}), true).await;
        if made.is_err() { Ok(()) } else { Err("it holds".to_owned()) }
    })
    .await;
    let made =
        dev.try_apply::<Service>("web", json!({"taskDefinition": "web", "desiredCount": 5})).await;
    row.tried("more tasks", made, "may not create");
    let made = dev.try_apply::<TaskDefinition>("web", task_definition("example/evil:1")).await;
    row.tried("another image", made, "may not create pods");
    let admin = Place { client: admin, namespace: dev.namespace };
    row.held("what runs went", admin.children::<corev1::Pod>(&service).await.len() == 1);
    row
}
