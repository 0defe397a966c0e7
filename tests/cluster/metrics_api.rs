//! A metrics API of the tests' own: what each namespace's tasks use is what the test says.
//!
//! APIServices for `metrics.k8s.io` and `external.metrics.k8s.io` whose Service is the external name
//! `localhost` let the API server reach an HTTPS server of this process. What it answers of CPU is of the
//! pods that are there; any external metric is the number that the test says.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};

use axum::extract::{Path, Query, State};
use axum::http::Uri;
use axum::{Json, Router, routing};
use jiff::Timestamp;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::discovery::ApiResource;
use kube::{Api, Client, ResourceExt};
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

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
            let listener = Tls { listener, acceptor: acceptor() };
            axum::serve(listener, router(client)).await.unwrap();
        });
    });
    let port = told.await.unwrap();
    let client = Client::try_from(control_plane.config()).unwrap();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics"},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    });
    let user = PatchParams::apply("a-user").force();
    let services: Api<corev1::Service> = Api::namespaced(client.clone(), "kube-system");
    services.patch("metrics", &user, &Patch::Apply(&service)).await.unwrap();
    for group in ["metrics.k8s.io", "external.metrics.k8s.io"] {
        register(&client, group, port).await;
    }
}

async fn register(client: &Client, group: &str, port: u16) {
    let user = PatchParams::apply("a-user").force();
    let name = &format!("v1beta1.{group}");
    let registration = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name},
        "spec": {
            "group": group, "version": "v1beta1", "insecureSkipTLSVerify": true,
            "groupPriorityMinimum": 100, "versionPriority": 100,
            "service": {"namespace": "kube-system", "name": "metrics", "port": port},
        },
    });
    let kind = kube::core::GroupVersionKind::gvk("apiregistration.k8s.io", "v1", "APIService");
    let registrations: Api<DynamicObject> =
        Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, "apiservices"));
    registrations.patch(name, &user, &Patch::Apply(&registration)).await.unwrap();
    until("the metrics API is available", || async {
        let seen = registrations.get(name).await.unwrap().data["status"].clone();
        let available = seen["conditions"][0]["status"] == "True";
        if available { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
}

fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

fn router(client: Client) -> Router {
    let group = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.k8s.io/v1beta1",
        "resources": [{
            "name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics",
            "verbs": ["get", "list"],
        }],
    });
    Router::new()
        .route("/apis/metrics.k8s.io/v1beta1", routing::get(async move || Json(group.clone())))
        .route("/apis/external.metrics.k8s.io/v1beta1", routing::get(async || Json(external())))
        .route(
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{metric}",
            routing::get(value),
        )
        .route("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods", routing::get(pods))
        .with_state(client)
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

async fn pods(
    State(client): State<Client>,
    Path(namespace): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Json<Value> {
    let used = USED.lock().unwrap().get(&namespace).copied();
    let selector = asked.get("labelSelector").map(String::as_str).unwrap_or_default();
    let pods: Api<corev1::Pod> = Api::namespaced(client, &namespace);
    let found = pods.list(&ListParams::default().labels(selector)).await.unwrap().items;
    let tasks = f64::from(u32::try_from(found.len().max(1)).unwrap());
    let each = used.map(|used| used * 1e6 / tasks);
    let items: Vec<Value> = found
        .iter()
        .filter_map(|pod| {
            let containers = pod.spec.as_ref()?.containers.iter().map(|container| {
                json!({"name": container.name, "usage": {
                    "cpu": format!("{}n", each.unwrap_or_default().round()), "memory": "1Mi"}})
            });
            each?;
            Some(json!({
                "metadata": {"name": pod.name_any(), "namespace": namespace, "labels": pod.labels()},
                "timestamp": Timestamp::now().to_string(), "window": "1s",
                "containers": containers.collect::<Vec<_>>(),
            }))
        })
        .collect();
    Json(json!({
        "kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {},
        "items": items,
    }))
}
