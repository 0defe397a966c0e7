//! Does a collector get the traces of what the operator does, and do log lines name them?

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use linkspan::api::Service;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::replicas::Replica;
use crate::support::{Place, own_control_plane, until};

/// What came, and how many batches are still to be refused.
#[derive(Default)]
struct Collector {
    spans: Vec<(String, Span)>,
    refuses: usize,
}

async fn take(
    State(collector): State<Arc<Mutex<Collector>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut collector = collector.lock().unwrap();
    if collector.refuses > 0 {
        collector.refuses -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    assert_eq!(headers["content-type"], "application/x-protobuf");
    for of in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
        let resource = of.resource.unwrap();
        let name = resource.attributes.iter().find(|pair| pair.key == "service.name").unwrap();
        let name = format!("{:?}", name.value);
        let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
        collector.spans.extend(spans.map(|span| (name.clone(), span)));
    }
    StatusCode::OK
}

fn text(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|pair| pair.key == key);
    found.map(|pair| format!("{:?}", pair.value)).unwrap_or_default()
}

fn hex(trace: &[u8]) -> String {
    format!("{:032x}", u128::from_be_bytes(trace.try_into().unwrap()))
}

#[tokio::test]
async fn a_collector_gets_each_pass_with_its_writes_and_log_lines_name_the_trace() {
    let control_plane = own_control_plane().await;
    let place = Place::of(&control_plane, "traced").await;
    let collector = Arc::new(Mutex::new(Collector { refuses: 1, ..Collector::default() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&collector));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let log = control_plane.dir().join("traced.log");
    let kubeconfig = control_plane.kubeconfig_path().display().to_string();
    let (listen, endpoint) = ("--listen=127.0.0.1:0", format!("--otlp-endpoint=http://{address}"));
    let arguments =
        ["controller", listen, "--log=info,linkspan=debug", "--log-format=json", &endpoint];
    let operator = Replica::start(
        &control_plane,
        "traced",
        0,
        &arguments.map(ToOwned::to_owned),
        // As in the image, no file says whom to trust.
        &[
            ("KUBECONFIG", &*kubeconfig),
            ("OTEL_BSP_SCHEDULE_DELAY", "200"),
            ("SSL_CERT_FILE", "/dev/null"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 2})).await;
    let service = place.steady("web", 2, "shop:1").await;
    // The first batch is refused, which is said; a later one is taken, which is said too.
    until("batches are sent again", || async {
        let now = jiff::Timestamp::now().to_string();
        let note = json!({"metadata": {"annotations": {"example.com/at": now}}});
        place.meddle::<Service>("web", note).await;
        let told = std::fs::read_to_string(&log).unwrap();
        let again = told.contains("traces are lost") && told.contains("traces are sent again");
        if again { Ok(()) } else { Err(format!("{} lines", told.lines().count())) }
    })
    .await;
    place.scale("web", 3).await;
    let deployment = place.deployment(&service).await;
    let name = deployment.metadata.name.unwrap();
    place.steady("web", 3, "shop:1").await;
    // What is left is sent when it is told to stop.
    operator.end(false).await;

    let spans = std::mem::take(&mut collector.lock().unwrap().spans);
    assert!(spans.iter().all(|(service, _)| service.contains("\"linkspan\"")));
    let scaled = spans
        .iter()
        .map(|(_, span)| span)
        .filter(|span| span.name == "write" && text(span, "object").contains(&name))
        .max_by_key(|span| span.start_time_unix_nano)
        .expect("the write of the Deployment");
    assert!(text(scaled, "outcome").contains("done"), "{scaled:?}");
    let (_, pass) = spans
        .iter()
        .find(|(_, span)| span.span_id == scaled.parent_span_id)
        .expect("the pass that wrote it");
    assert_eq!((pass.name.as_str(), &pass.trace_id), ("reconcile", &scaled.trace_id));
    assert!(text(pass, "object").contains("web"), "{pass:?}");
    assert!(pass.parent_span_id.is_empty(), "a trace of its own");
    let wrote: Vec<Value> = std::fs::read_to_string(&log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["message"] == "wrote" && line["span"]["trace_id"].is_string())
        .filter(|line| line["object"].as_str().is_some_and(|object| object.contains(&name)))
        .collect();
    let ids: Vec<&str> =
        wrote.iter().filter_map(|line| line["span"]["trace_id"].as_str()).collect();
    assert!(ids.contains(&hex(&scaled.trace_id).as_str()), "{ids:?}");
    server.abort();
    control_plane.stop().await;
}
