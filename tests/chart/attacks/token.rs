//! What somebody can do who has the operator's token, and nothing else.

use axum::http;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::{Value, json};

use super::{Row, service};
use crate::operator::thief;

/// One request of a thief's.
struct Theft {
    method: &'static str,
    path: String,
    body: Value,
}

/// What the token does not reach. It does reach evictions, which drains need: their request names no
/// label by which they could be fenced, and only a disruption budget bounds them.
fn thefts(shop: &str) -> Vec<Theft> {
    let mut all = Vec::new();
    let mut add = |method, path: String, body: Value| all.push(Theft { method, path, body });
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let admission = "/apis/admissionregistration.k8s.io/v1";
    let ours = "/apis/ecs.linkspan.dev/v1alpha1";
    let pod =
        json!({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "x", "image": "x"}]}});
    let named = json!({"metadata": {"name": "x"}});
    for namespace in ["kube-system", "default", shop] {
        let core = format!("/api/v1/namespaces/{namespace}");
        add("GET", format!("{core}/secrets"), Value::Null);
        add("GET", format!("{core}/secrets/x"), Value::Null);
        add("POST", format!("{core}/secrets"), named.clone());
        add("GET", format!("{core}/configmaps"), Value::Null);
        add("POST", format!("{core}/pods"), pod.clone());
        add("GET", format!("{core}/pods/x/log"), Value::Null);
        add("POST", format!("{core}/pods/x/exec?command=sh"), Value::Null);
        add("DELETE", format!("{core}/pods/x"), Value::Null);
        add("POST", format!("{core}/serviceaccounts"), named.clone());
        add("POST", format!("{core}/serviceaccounts/default/token"), json!({"spec": {}}));
        add("POST", format!("{core}/persistentvolumeclaims"), named.clone());
        add("DELETE", format!("/apis/apps/v1/namespaces/{namespace}/replicasets/x"), Value::Null);
        add("POST", format!("/apis/apps/v1/namespaces/{namespace}/statefulsets"), named.clone());
        add("POST", format!("/apis/batch/v1/namespaces/{namespace}/cronjobs"), named.clone());
        add("POST", format!("{rbac}/namespaces/{namespace}/roles"), named.clone());
        add(
            "POST",
            format!("{rbac}/namespaces/{namespace}/rolebindings"),
            json!({"metadata": {"name": "x"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}}),
        );
        add("POST", format!("{ours}/namespaces/{namespace}/services"), service());
        add("POST", format!("{ours}/namespaces/{namespace}/taskdefinitions"), service());
        add("DELETE", format!("{ours}/namespaces/{namespace}/services/x"), Value::Null);
        add(
            "POST",
            format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"),
            named.clone(),
        );
    }
    for (method, path) in [
        ("GET", "/api/v1/secrets"),
        ("POST", "/api/v1/namespaces"),
        ("DELETE", "/api/v1/namespaces/kube-system"),
        ("PATCH", "/api/v1/namespaces/default"),
        ("POST", "/api/v1/nodes"),
        ("DELETE", "/api/v1/nodes/on-demand-0"),
        ("GET", "/api/v1/nodes/on-demand-0/proxy/pods"),
        ("PATCH", "/api/v1/nodes/on-demand-0/status"),
        ("POST", "/api/v1/persistentvolumes"),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
        ("PATCH", "/apis/rbac.authorization.k8s.io/v1/clusterroles/linkspan"),
        (
            "PATCH",
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/services.ecs.linkspan.dev",
        ),
        ("POST", "/apis/apiregistration.k8s.io/v1/apiservices"),
        ("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests"),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews"),
        ("POST", "/apis/ecs.linkspan.dev/v1alpha1/capacityproviders"),
        ("DELETE", "/apis/ecs.linkspan.dev/v1alpha1/capacityproviders/x"),
    ] {
        add(method, path.to_owned(), named.clone());
    }
    for kind in [
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "mutatingadmissionpolicies",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    ] {
        add("POST", format!("{admission}/{kind}"), named.clone());
        add("DELETE", format!("{admission}/{kind}/linkspan-rights"), Value::Null);
    }
    all
}

/// n9: a stolen token of the operator.
pub(super) async fn stolen_token(control_plane: &ControlPlane, shop: &str) -> Row {
    let mut row = Row::new("n9  the operator's token, stolen");
    let thief = thief(control_plane).await;
    for Theft { method, path, body } in thefts(shop) {
        let kind =
            if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request =
            http::Request::builder().method(method).uri(&path).header("content-type", kind);
        let answer = thief.request_text(request.body(bytes).unwrap()).await;
        row.tried(&format!("{method} {path}"), answer, "cannot");
    }
    for (header, value) in [("Impersonate-User", "admin"), ("Impersonate-Group", "system:masters")]
    {
        let request = http::Request::get("/api/v1/namespaces/default/secrets")
            .header("Impersonate-User", "x")
            .header(header, value);
        let answer = thief.request_text(request.body(Vec::new()).unwrap()).await;
        row.tried(header, answer, "cannot impersonate");
    }
    row
}

/// The fence around the operator's right to patch nodes.
pub(super) async fn node_fence(control_plane: &ControlPlane) -> Row {
    let mut row = Row::new("n8  a node, but for our labels and cordoning");
    let nodes: Api<corev1::Node> = Api::all(thief(control_plane).await);
    let admin: Api<corev1::Node> = Api::all(Client::try_from(control_plane.config()).unwrap());
    let name = admin.list(&ListParams::default()).await.unwrap().items[0].name_any();
    let none = PatchParams::default();
    for (attack, body) in [
        ("a label", json!({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}})),
        (
            "a provider",
            json!({"metadata": {"labels": {"ecs.linkspan.dev/capacity-provider": "other"}}}),
        ),
        ("a zone", json!({"metadata": {"labels": {"topology.kubernetes.io/zone": null}}})),
        ("an annotation", json!({"metadata": {"annotations": {"x": "y"}}})),
        ("a finalizer", json!({"metadata": {"finalizers": ["x.example.com/y"]}})),
        ("a taint", json!({"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}})),
        ("a look-alike", json!({"metadata": {"labels": {"xplacement.ecs.linkspan.dev/y": "z"}}})),
        ("both", json!({"metadata": {"labels": {"placement.ecs.linkspan.dev/y": "z", "x": "y"}}})),
    ] {
        let made = nodes.patch(&name, &none, &Patch::Merge(&body)).await;
        row.tried(attack, made, "Linkspan writes");
    }
    let body = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "no-such-node"}});
    let made = nodes.patch("no-such-node", &PatchParams::apply("x"), &Patch::Apply(body)).await;
    row.tried("a node of its own", made, "cannot create resource \"nodes\"");
    for body in [
        json!({"metadata": {"labels": {"placement.ecs.linkspan.dev/y": "z"}}}),
        json!({"spec": {"unschedulable": true}}),
        json!({"metadata": {"labels": {"placement.ecs.linkspan.dev/y": null}}, "spec": {"unschedulable": null}}),
    ] {
        nodes.patch(&name, &none, &Patch::Merge(&body)).await.expect("it may");
    }
    row
}
