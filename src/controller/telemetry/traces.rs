//! Where do traces go? To the collector that the administrator names (`--otlp-endpoint`), by OTLP over
//! HTTP in batches; without one, nowhere.
//!
//! A trace is one pass over one object: a span `reconcile`, and in it one for each write. A collector
//! that does not answer costs traces and a log line, never a pass.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connect;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, ResponseExt};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use crate::controller::without_credentials;

/// How long a collector may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// What traces are of.
const SERVICE: &str = "linkspan";

/// The way of traces to a collector.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// To the collector at an address, as `http://otel-collector:4318`. Must be called on a Tokio
    /// runtime, which sends them. How many are kept is as `OTEL_TRACES_SAMPLER` says, by default all.
    ///
    /// # Errors
    /// The address is none.
    pub fn to(endpoint: &str) -> anyhow::Result<Self> {
        let told = |what| format!("--otlp-endpoint {endpoint}: {what}");
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            anyhow::bail!(told("begins neither with http:// nor with https://"));
        }
        let address = endpoint.parse().with_context(|| told("is no address"))?;
        // Which certificates are trusted is as for the API server, but that nothing is known of this one.
        let connector = without_credentials(address)
            .rustls_https_connector()
            .with_context(|| told("no way to it can be made"))?;
        let sender = Sender {
            client: Client::builder(TokioExecutor::new()).build(connector),
            runtime: Handle::current(),
            state: Arc::new(State { endpoint: endpoint.to_owned(), fails: AtomicBool::new(false) }),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(sender)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .with_context(|| told("traces cannot be sent there"))?;
        let resource = Resource::builder().with_service_name(SERVICE).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_batch_exporter(exporter)
            .build();
        Ok(Self { provider })
    }

    /// What hands over the spans of this program; those of the libraries stay where they are.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_location(false)
            .with_threads(false)
            .with_tracer(self.provider.tracer(SERVICE))
            .with_filter(Targets::new().with_target(env!("CARGO_CRATE_NAME"), LevelFilter::INFO))
    }

    /// Sends what is left, and ends.
    pub async fn finish(self) {
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown()).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Gives a span its trace's id as the field `trace_id`, where it has a trace.
pub(in crate::controller) fn traced(span: Span) -> Span {
    let context = span.context();
    let trace = context.span().span_context().clone();
    if trace.is_valid() {
        span.record("trace_id", tracing::field::display(trace.trace_id()));
    }
    span
}

/// Sends batches on the operator's runtime, since the thread that makes them up has none.
#[derive(Debug)]
struct Sender<C> {
    client: Client<C, Body>,
    runtime: Handle,
    state: Arc<State>,
}

/// How it goes with a collector.
#[derive(Debug)]
struct State {
    endpoint: String,
    fails: AtomicBool,
}

impl State {
    /// Says when a collector begins to fail, and when it is well again.
    fn tell(&self, error: Option<&HttpError>) {
        let endpoint = &self.endpoint;
        match (error, self.fails.swap(error.is_some(), Ordering::Relaxed)) {
            (Some(error), false) => tracing::warn!(%endpoint, %error, "traces are lost"),
            (None, true) => tracing::info!(%endpoint, "traces are sent again"),
            _ => {}
        }
    }
}

#[async_trait::async_trait]
impl<C> HttpClient for Sender<C>
where
    C: Connect + Clone + Debug + Send + Sync + 'static,
{
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.client.request(request.map(Body::from));
        let state = Arc::clone(&self.state);
        let sending = async move {
            let answer = match tokio::time::timeout(ANSWER, sent).await {
                Ok(Ok(answer)) => answer.map(|_| Bytes::new()).error_for_status(),
                Ok(Err(error)) => Err(error.into()),
                Err(late) => Err(late.into()),
            };
            // Here, since nothing is logged on the thread that waits for it.
            state.tell(answer.as_ref().err());
            answer
        };
        self.runtime.spawn(sending).await?
    }
}
