//! Is the operator alive, is it ready, and how does it do? `/healthz`, `/readyz`, `/metrics`.
//!
//! Alive says only that the process serves. Ready says that every watch has been current once.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::{Shared, gauges};

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(shared);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the health endpoint ended");
    }
}

async fn readiness(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    if shared.metrics.is_ready() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "watches are not current yet")
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let (leads, depth) = (shared.leadership.leads(), shared.queue.depth());
    shared.metrics.look(leads, depth);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let gauges = gauges::of(&shared.read());
    ([(header::CONTENT_TYPE, kind)], shared.metrics.text(&gauges))
}
