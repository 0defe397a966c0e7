//! Who may write Linkspan's objects, but could not make what they become.

use k8s_openapi::api::rbac::v1 as rbacv1;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use linkspan::api::{Cluster, Rule, Service, Task, TaskDefinition};
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::{Value, json};

use super::{Row, create, service};
use crate::operator::{apply, bind, client_of, place_of};
use crate::support::{task_definition, until};

/// n1: who may write Linkspan's objects, but could not make what they become.
pub(super) async fn rights(control_plane: &ControlPlane) -> Row {
    let mut row = Row::new("n1  objects whose children the user could not make");
    let dev = place_of(control_plane, "rights", "dev").await;
    let at = &dev.namespace;
    dev.task_definition("web", "example/web:1").await;
    dev.service("web", json!({"taskDefinition": "web"})).await;
    bind(control_plane, at, "weak", "linkspan-edit").await;
    bind(control_plane, at, "weak", "linkspan-view").await;
    let weak = client_of(control_plane, "weak");
    let says = "weak may not create pods in namespace";
    let family = json!({"spec": task_definition("example/web:1")});
    row.tried(
        "TaskDefinition",
        create::<TaskDefinition>(&weak, at, "x", family, false).await,
        says,
    );
    row.tried("Service", create::<Service>(&weak, at, "x", service(), false).await, says);
    row.tried("Task", create::<Task>(&weak, at, "x", service(), false).await, says);
    let rule = json!({"spec": {"scheduleExpression": "rate(1 day)"}});
    row.tried("Rule", create::<Rule>(&weak, at, "x", rule, false).await, says);
    row.tried("Cluster", create::<Cluster>(&weak, at, "x", json!({"spec": {}}), false).await, says);
    let weak_services: Api<Service> = Api::namespaced(weak.clone(), at);
    let weak_families: Api<TaskDefinition> = Api::namespaced(weak.clone(), at);
    let merge = |body: Value| Patch::Merge(body);
    let other = merge(json!({"spec": {"desiredCount": 2}}));
    let none = PatchParams::default();
    row.tried("change a Service", weak_services.patch("web", &none, &other).await, says);
    let other = merge(json!({"spec": {"containerDefinitions": []}}));
    row.tried("change a TaskDefinition", weak_families.patch("web", &none, &other).await, says);
    let forced = PatchParams::apply("weak").force();
    let applied =
        Patch::Apply(json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
        "spec": {"desiredCount": 3}}));
    row.tried("apply to a Service", weak_services.patch("web", &forced, &applied).await, says);
    let annotated = merge(json!({"metadata": {"annotations": {"note": "mine"}}}));
    weak_services
        .patch("web", &none, &annotated)
        .await
        .expect("an unchanged spec is not asked about");

    // Some rights, and not the one for this.
    let part = client_of(control_plane, "part");
    bind(control_plane, at, "part", "linkspan-edit").await;
    let admin = Client::try_from(control_plane.config()).unwrap();
    let some = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "part"}, "rules": [
            {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["create"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]},
            {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["create"]}]});
    apply::<rbacv1::ClusterRole>(&Api::all(admin), "part", &some).await;
    bind(control_plane, at, "part", "part").await;
    until("the role part holds", || async {
        let made = create::<Service>(&part, at, "y", service(), true).await;
        made.map(drop).map_err(|error| error.to_string())
    })
    .await;
    for (member, value, resource) in [
        ("schedulingStrategy", json!("DAEMON"), "daemonsets.apps"),
        (
            "autoscaling",
            json!({"scalableTarget": {"minCapacity": 1, "maxCapacity": 2}}),
            "horizontalpodautoscalers",
        ),
        ("deploymentConfiguration", json!({"strategy": "CANARY"}), "httproutes"),
        ("deploymentConfiguration", json!({"strategy": "LINEAR"}), "httproutes"),
        (
            "deploymentConfiguration",
            json!({"lifecycleHooks": [{"hookTargetArn": "x"}]}),
            "jobs.batch",
        ),
    ] {
        let mut asked = service();
        asked["spec"][member] = value;
        let made = create::<Service>(&part, at, "y", asked, true).await;
        row.tried(member, made, &format!("part may not create {resource}"));
    }
    row.tried("a Task", create::<Task>(&part, at, "y", service(), true).await, "jobs.batch");
    // Nulls say nothing, and are let in.
    let nulls = json!({"spec": {"taskDefinition": "web", "autoscaling": null,
        "deploymentConfiguration": null, "schedulingStrategy": null}});
    create::<Service>(&part, at, "y", nulls, true).await.expect("nulls say nothing");
    row
}
