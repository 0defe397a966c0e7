//! What stands between an operator and the API server: it passes everything on, counts the writes,
//! and kills the operator at the one it was told.
//!
//! The operator is a process of its own and knows nothing of this. What it lists and watches in all
//! namespaces it is given of its own namespace alone, and of nodes and capacity providers those that
//! its life has, so that many operators, each with a namespace, run against one control plane. Events
//! and Leases are no writes; neither is the status of a capacity provider, which is written by the
//! clock, in no step's order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use kube::Client;
use linkspan::sandbox::control_plane::ControlPlane;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::operator::Operator;

/// When, around a write, the operator is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The write never reaches the API server.
    Before,
    /// The API server has carried it out, and the operator never hears of it.
    Unanswered,
    /// The operator has the answer, and does nothing more.
    After,
}

impl Side {
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::Unanswered, Self::After];
}

/// Which writes the operator is killed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strike {
    /// None.
    Never,
    /// One, by its step and its number within it, both from 0.
    At { step: usize, write: usize, side: Side },
    /// Every one.
    Always(Side),
}

/// The label of nodes and capacity providers that only one life has: its namespace.
pub(crate) const OF_ONE_LIFE: &str = "tests.linkspan.dev/life";

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    step: usize,
    /// For each step, what was written.
    writes: Vec<Vec<String>>,
    /// When the operator was last killed.
    struck: Option<Instant>,
    strikes: usize,
}

struct Shared {
    upstream: Client,
    namespace: String,
    /// Which nodes and capacity providers there are for it.
    selector: String,
    strike: Strike,
    seen: Mutex<Seen>,
    operator: tokio::sync::Mutex<Operator>,
}

/// An operator behind its proxy. Both end when this is dropped.
pub(crate) struct Proxied {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    log: PathBuf,
}

impl Proxied {
    /// Starts an operator that sees one namespace; and the nodes that are this life's alone, or else
    /// those that are no life's.
    pub(crate) async fn start(
        control_plane: &ControlPlane,
        namespace: &str,
        has_nodes: bool,
        strike: Strike,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = control_plane.config();
        // What the operator would be told, it is told.
        config.default_retry = false;
        let path = control_plane.dir().join(format!("operator-{namespace}.kubeconfig"));
        std::fs::write(&path, kubeconfig(address)).unwrap();
        let mut operator = Operator::new(control_plane, &path);
        let log = operator.log().to_owned();
        operator.start();
        let shared = Arc::new(Shared {
            upstream: Client::try_from(config).unwrap(),
            namespace: namespace.to_owned(),
            selector: selector(has_nodes.then_some(namespace)),
            strike,
            seen: Mutex::default(),
            operator: tokio::sync::Mutex::new(operator),
        });
        let router = Router::new().fallback(pass_on).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shared, server, log }
    }

    /// From now on, writes are those of this step.
    pub(crate) fn step(&self, step: usize) {
        self.shared.seen().step = step;
    }

    /// For each step, what was written in it.
    pub(crate) fn writes(&self) -> Vec<Vec<String>> {
        self.shared.seen().writes.clone()
    }

    /// How many writes there were.
    pub(crate) fn written(&self) -> usize {
        self.shared.seen().writes.iter().map(Vec::len).sum()
    }

    /// How often the operator was killed, and when last.
    pub(crate) fn strikes(&self) -> (usize, Option<Instant>) {
        let seen = self.shared.seen();
        (seen.strikes, seen.struck)
    }

    /// What the operator said, all of its lives together.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Proxied {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a write; tells whether the operator is to be killed at it, and when.
    fn count(&self, what: String) -> Option<Side> {
        let mut seen = self.seen();
        let step = seen.step;
        if seen.writes.len() <= step {
            seen.writes.resize_with(step + 1, Vec::new);
        }
        let number = seen.writes[step].len();
        seen.writes[step].push(what);
        match self.strike {
            Strike::At { step: in_step, write, side } if (in_step, write) == (step, number) => {
                Some(side)
            }
            Strike::Always(side) => Some(side),
            Strike::Never | Strike::At { .. } => None,
        }
    }

    async fn kill(&self) {
        let mut operator = self.operator.lock().await;
        operator.kill().await;
        {
            let mut seen = self.seen();
            seen.struck = Some(Instant::now());
            seen.strikes += 1;
        }
        operator.start();
    }
}

/// As part of a question.
fn selector(life: Option<&str>) -> String {
    let label = OF_ONE_LIFE.replace('/', "%2F");
    life.map_or_else(|| format!("!{label}"), |life| format!("{label}%3D{life}"))
}

fn kubeconfig(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: proxy
contexts: [{{name: proxy, context: {{cluster: proxy, user: proxy}}}}]
clusters: [{{name: proxy, cluster: {{server: 'http://{address}'}}}}]
users: [{{name: proxy, user: {{}}}}]
"
    )
}

/// Passes a request on. What is under way is not given up when the operator goes away: that it goes
/// away is what this is for.
async fn pass_on(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let name = Resource::of(request.uri());
    let write = match *request.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => None,
        _ => name.as_ref().filter(|name| name.is_of_a_step()),
    };
    let side = write.and_then(|name| shared.count(format!("{} {name}", request.method())));
    let done = tokio::spawn(async move {
        if side == Some(Side::Before) {
            shared.kill().await;
            return StatusCode::BAD_GATEWAY.into_response();
        }
        let answer = forward(&shared, request, name).await;
        match side {
            Some(Side::Unanswered) => {
                // Until its whole answer is there, a write might still be refused.
                let _ = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
                shared.kill().await;
                StatusCode::BAD_GATEWAY.into_response()
            }
            Some(Side::After) => then_kill(answer, shared).await,
            Some(Side::Before) | None => answer,
        }
    });
    done.await.unwrap()
}

async fn forward(shared: &Shared, request: Request, resource: Option<Resource>) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Some(narrowed) = resource.and_then(|r| r.narrowed(shared, &parts.uri)) {
        parts.uri = narrowed;
    }
    for of_the_connection in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING] {
        parts.headers.remove(of_the_connection);
    }
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let request = Request::from_parts(parts, kube::client::Body::from(body));
    match shared.upstream.send(request).await {
        Ok(answer) => {
            let mut answer = answer.map(Body::new);
            answer.headers_mut().remove(header::TRANSFER_ENCODING);
            answer
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// Kills the operator once the whole answer was handed out.
async fn then_kill(answer: Response, shared: Arc<Shared>) -> Response {
    let (parts, body) = answer.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let (sent, wait) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let _ = wait.await;
        // What was handed out is written to the socket within this.
        tokio::time::sleep(Duration::from_millis(1)).await;
        shared.kill().await;
    });
    let mut sent = Some(sent);
    let body = futures::stream::once(async { Ok::<_, std::io::Error>(bytes) }).inspect(move |_| {
        if let Some(sent) = sent.take() {
            let _ = sent.send(());
        }
    });
    Response::from_parts(parts, Body::from_stream(body))
}

/// What a path of the API names.
#[derive(Debug)]
struct Resource {
    /// The API group; empty for Kubernetes' oldest.
    group: String,
    plural: String,
    subresource: Option<String>,
    /// Whether the path names objects of all namespaces, or ones without.
    everywhere: bool,
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.plural)?;
        if let Some(subresource) = &self.subresource {
            write!(f, "/{subresource}")?;
        }
        if self.group.is_empty() { Ok(()) } else { write!(f, " ({})", self.group) }
    }
}

impl Resource {
    fn of(uri: &Uri) -> Option<Self> {
        let mut segments = uri.path().trim_matches('/').split('/');
        let group = match segments.next()? {
            "api" => "",
            "apis" => segments.next()?,
            _ => return None,
        };
        segments.next()?;
        let rest: Vec<&str> = segments.collect();
        let (everywhere, rest) = match rest.as_slice() {
            ["namespaces", _, rest @ ..] if !rest.is_empty() => (false, rest),
            rest => (true, rest),
        };
        Some(Self {
            group: group.to_owned(),
            plural: (*rest.first()?).to_owned(),
            subresource: rest.get(2).map(|name| (*name).to_owned()),
            everywhere,
        })
    }

    /// Whether what is written there is written in the order of a step.
    fn is_of_a_step(&self) -> bool {
        !matches!(self.plural.as_str(), "events" | "leases" | "capacityproviders")
    }

    /// The same question about what there is for one operator.
    fn narrowed(&self, shared: &Shared, uri: &Uri) -> Option<Uri> {
        self.within(&shared.namespace, uri).or_else(|| self.chosen(&shared.selector, uri))
    }

    /// The same question about the nodes or capacity providers that are selected.
    fn chosen(&self, selector: &str, uri: &Uri) -> Option<Uri> {
        let is_list = uri.path().ends_with(&format!("/{}", self.plural));
        if !is_list || !matches!(self.plural.as_str(), "nodes" | "capacityproviders") {
            return None;
        }
        let query = uri.query().map(|query| format!("{query}&")).unwrap_or_default();
        format!("{}?{query}labelSelector={selector}", uri.path()).parse().ok()
    }

    /// The same question about one namespace.
    fn within(&self, namespace: &str, uri: &Uri) -> Option<Uri> {
        if !self.everywhere || matches!(self.plural.as_str(), "nodes" | "capacityproviders") {
            return None;
        }
        let (before, _) = uri.path().rsplit_once('/')?;
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{before}/namespaces/{namespace}/{}{query}", self.plural).parse().ok()
    }
}

#[test]
fn a_question_about_all_nodes_is_one_about_those_of_a_life() {
    let asked = |uri: &str, life: Option<&str>| {
        let uri: Uri = uri.parse().unwrap();
        Resource::of(&uri)?.chosen(&selector(life), &uri).map(|uri| uri.to_string())
    };
    assert_eq!(
        asked("/api/v1/nodes?watch=true", Some("here")).as_deref(),
        Some("/api/v1/nodes?watch=true&labelSelector=tests.linkspan.dev%2Flife%3Dhere")
    );
    assert_eq!(
        asked("/api/v1/nodes", None).as_deref(),
        Some("/api/v1/nodes?labelSelector=!tests.linkspan.dev%2Flife")
    );
    assert_eq!(asked("/api/v1/nodes/here-0", Some("here")), None);
    assert_eq!(asked("/api/v1/pods", Some("here")), None);
}

#[test]
fn a_question_about_everything_is_one_about_a_namespace() {
    let asked = |uri: &str| {
        let uri: Uri = uri.parse().unwrap();
        Resource::of(&uri)?.within("here", &uri).map(|uri| uri.to_string())
    };
    assert_eq!(
        asked("/apis/apps/v1/deployments?watch=true&resourceVersion=5").as_deref(),
        Some("/apis/apps/v1/namespaces/here/deployments?watch=true&resourceVersion=5")
    );
    assert_eq!(asked("/api/v1/pods").as_deref(), Some("/api/v1/namespaces/here/pods"));
    assert_eq!(asked("/api/v1/nodes"), None);
    assert_eq!(asked("/version"), None);
    assert_eq!(asked("/api/v1/namespaces/other/services/web"), None);
}
