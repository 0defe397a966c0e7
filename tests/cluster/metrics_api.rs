//! A metrics API of the tests' own: what each namespace's tasks use is what the test says.
//!
//! That of pods is the sandbox's; beside it there are `external.metrics.k8s.io`, of which any metric is
//! the number that the test says, and a Prometheus.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, OnceLock};

use axum::extract::{Path, Query};
use axum::http::Uri;
use axum::{Json, Router, routing};
use jiff::Timestamp;
use kube::core::DynamicObject;
use kube::discovery::ApiResource;
use kube::{Api, Client};
use linkspan::sandbox::control_plane::ControlPlane;
use linkspan::sandbox::metrics_api::{self, Tls, Used};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

use crate::support::{Place, until};

/// What any external metric of a namespace is, and what its tasks use together, in thousandths of a
/// CPU; where nothing is said, there is no metric.
static USED: Mutex<BTreeMap<String, f64>> = Mutex::new(BTreeMap::new());

/// Says what the tasks in a place use together, in thousandths of a CPU: they share it evenly.
pub(crate) fn load(place: &Place, millis: f64) {
    USED.lock().unwrap().insert(place.namespace.clone(), millis);
}

/// Serves metrics to a control plane, for as long as this process lives.
pub(crate) async fn serve(control_plane: &'static ControlPlane) {
    static SERVED: OnceCell<()> = OnceCell::const_new();
    SERVED.get_or_init(|| start(control_plane)).await;
}

async fn start(control_plane: &'static ControlPlane) {
    let (tell, told) = tokio::sync::oneshot::channel();
    // On a thread of its own, so that it outlives the runtime of any one test.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::try_from(control_plane.config()).unwrap();
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            axum::serve(Tls::over(listener).unwrap(), router(client)).await.unwrap();
        });
    });
    let port = told.await.unwrap();
    let client = Client::try_from(control_plane.config()).unwrap();
    for group in ["metrics.k8s.io", "external.metrics.k8s.io"] {
        metrics_api::register(&client, group, port).await.unwrap();
        is_available(&client, group).await;
    }
}

async fn is_available(client: &Client, group: &str) {
    let name = &format!("v1beta1.{group}");
    let kind = kube::core::GroupVersionKind::gvk("apiregistration.k8s.io", "v1", "APIService");
    let registrations: Api<DynamicObject> =
        Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, "apiservices"));
    until("the metrics API is available", || async {
        let seen = registrations.get(name).await.unwrap().data["status"].clone();
        let available = seen["conditions"][0]["status"] == "True";
        if available { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
}

fn router(client: Client) -> Router {
    let used: Used = Arc::new(|namespace, _| {
        let said = USED.lock().unwrap().get(&namespace).copied();
        Box::pin(async move { said })
    });
    Router::new()
        .route("/apis/external.metrics.k8s.io/v1beta1", routing::get(async || Json(external())))
        .route(
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{metric}",
            routing::get(value),
        )
        .merge(metrics_api::router(client, used))
}

/// The address of a Prometheus of the tests' own. The answer to the query `load("NAMESPACE")` is what
/// the tasks there use together.
pub(crate) fn prometheus() -> Uri {
    static PORT: OnceLock<u16> = OnceLock::new();
    let port = PORT.get_or_init(|| {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        // On a thread of its own, so that it outlives the runtime of any one test.
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let router = Router::new().route("/metrics-of/api/v1/query", routing::get(queried));
                axum::serve(listener, router).await.unwrap();
            });
        });
        port
    });
    // Below a path, as behind a proxy.
    format!("http://127.0.0.1:{port}/metrics-of").parse().unwrap()
}

async fn queried(Query(asked): Query<BTreeMap<String, String>>) -> Json<Value> {
    let query = asked.get("query").map(String::as_str).unwrap_or_default();
    let namespace = query.strip_prefix("load(\"").and_then(|rest| rest.strip_suffix("\")"));
    let said = namespace.and_then(|namespace| USED.lock().unwrap().get(namespace).copied());
    let result = said.map(|value| json!({"metric": {}, "value": [0, value.to_string()]}));
    Json(json!({
        "status": "success",
        "data": {"resultType": "vector", "result": result.into_iter().collect::<Vec<_>>()},
    }))
}

fn external() -> Value {
    json!({
        "kind": "APIResourceList", "apiVersion": "v1",
        "groupVersion": "external.metrics.k8s.io/v1beta1", "resources": [],
    })
}

async fn value(Path((namespace, metric)): Path<(String, String)>) -> Json<Value> {
    let said = USED.lock().unwrap().get(&namespace).copied();
    let item = |value: f64| {
        json!({
            "metricName": metric, "metricLabels": {}, "timestamp": Timestamp::now().to_string(),
            "value": value.to_string(),
        })
    };
    Json(json!({
        "kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {}, "items": said.into_iter().map(item).collect::<Vec<_>>(),
    }))
}
