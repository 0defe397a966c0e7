//! What do tasks use, where nothing runs?
//!
//! Simulated nodes run no process, so nobody measures one. Here is the metrics API (`metrics.k8s.io`,
//! as metrics-server serves it) of a cluster whose tasks use what somebody says that they use: the
//! HorizontalPodAutoscaler that reads it, and all that follows, is the real one. An APIService whose
//! corev1 Service is the external name `localhost` lets the API server reach this process. It decides
//! nothing about counts.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Json, Router, routing};
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::discovery::ApiResource;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

use crate::api::Service;
use crate::names::label;

/// The annotation of a Service that says what its tasks use together, in thousandths of a CPU: `900`
/// is nine tenths of one.
pub const CPU: &str = "sandbox.linkspan.dev/cpu";

/// The group that it serves.
const GROUP: &str = "metrics.k8s.io";

/// Whose registrations they are.
const OWNER: &str = "linkspan-sandbox";

/// Tells what the pods of a namespace that a selector found use together, in thousandths of a CPU;
/// none, where nothing is known.
pub type Used =
    Arc<dyn Fn(String, Vec<corev1::Pod>) -> BoxFuture<'static, Option<f64>> + Send + Sync>;

/// Serves it to a cluster for as long as this process lives: tasks use what the annotation [`CPU`] of
/// their Service says.
///
/// # Errors
/// No port is free, or the API server does not take the registration in.
pub async fn serve(client: &Client) -> anyhow::Result<()> {
    let services = client.clone();
    let used: Used = Arc::new(move |namespace, pods| {
        let services: Api<Service> = Api::namespaced(services.clone(), &namespace);
        Box::pin(async move {
            let uid = pods.first()?.labels().get(label::SERVICE_UID)?.clone();
            let services = services.list(&ListParams::default()).await.ok()?.items;
            let service =
                services.into_iter().find(|service| service.uid() == Some(uid.clone()))?;
            service.annotations().get(CPU)?.parse().ok()
        })
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let router = router(client.clone(), used);
    let listener = Tls::over(listener)?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    register(client, GROUP, port).await
}

/// Has the API server ask `localhost` at this port about a group of metrics.
///
/// # Errors
/// The API server refuses it.
pub async fn register(client: &Client, group: &str, port: u16) -> anyhow::Result<()> {
    let owner = PatchParams::apply(OWNER).force();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics"},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    });
    let services: Api<corev1::Service> = Api::namespaced(client.clone(), "kube-system");
    services.patch("metrics", &owner, &Patch::Apply(&service)).await?;
    let name = format!("v1beta1.{group}");
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
    registrations.patch(&name, &owner, &Patch::Apply(&registration)).await?;
    Ok(())
}

/// What is answered about pods.
pub fn router(client: Client, used: Used) -> Router {
    let group = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.k8s.io/v1beta1",
        "resources": [{
            "name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics",
            "verbs": ["get", "list"],
        }],
    });
    Router::new()
        .route("/apis/metrics.k8s.io/v1beta1", routing::get(async move || Json(group.clone())))
        .route("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods", routing::get(pods))
        .with_state((client, used))
}

#[allow(clippy::disallowed_methods, reason = "a measurement says when it was made")]
async fn pods(
    State((client, used)): State<(Client, Used)>,
    Path(namespace): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Result<Json<Value>, StatusCode> {
    let selector = asked.get("labelSelector").map(String::as_str).unwrap_or_default();
    let pods: Api<corev1::Pod> = Api::namespaced(client, &namespace);
    let found = pods.list(&ListParams::default().labels(selector)).await;
    let found = found.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?.items;
    let used = used(namespace.clone(), found.clone()).await;
    let tasks = f64::from(u32::try_from(found.len().max(1)).unwrap_or(u32::MAX));
    // They share it evenly.
    let each = used.map(|used| format!("{}n", (used * 1e6 / tasks).round()));
    let item = |pod: &corev1::Pod| {
        let each = each.as_deref()?;
        let containers = pod.spec.as_ref()?.containers.iter();
        let containers = containers.map(
            |container| json!({"name": container.name, "usage": {"cpu": each, "memory": "1Mi"}}),
        );
        Some(json!({
            "metadata": {"name": pod.name_any(), "namespace": namespace, "labels": pod.labels()},
            "timestamp": Timestamp::now().to_string(), "window": "1s",
            "containers": containers.collect::<Vec<_>>(),
        }))
    };
    Ok(Json(json!({
        "kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {},
        "items": found.iter().filter_map(item).collect::<Vec<_>>(),
    })))
}

/// Connections over TLS, with a certificate that nobody checks.
pub struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Over the connections of a listener.
    ///
    /// # Errors
    /// No certificate can be made.
    pub fn over(listener: TcpListener) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .context("making a certificate")?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| anyhow!("choosing a version of TLS: {error}"))?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .context("taking a certificate in")?;
        Ok(Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
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
