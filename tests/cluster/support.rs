//! A control plane with nodes and a running operator, and the words in which tests speak to it.

use std::fmt::Debug;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::autoscaling::v2 as autoscalingv2;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::networking::v1 as networkingv1;
use k8s_openapi::api::policy::v1 as policyv1;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use linkspan::api::{
    ConditionType, Service, ServiceDeployment, TaskDefinition, TaskDefinitionRevision,
};
use linkspan::controller::{self, CancellationToken, Settings};
use linkspan::ecs::scaling::target_tracking::Timing;
use linkspan::names;
use linkspan::plan::conditions::holds;
use linkspan::sandbox::control_plane::{ControlPlane, Lines, Options, Version};
use linkspan::sandbox::{node_groups, scaled_group};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// How long a condition may take to come true: `LINKSPAN_PATIENCE_SECONDS`, else three minutes, which
/// leaves room for what Kubernetes itself does only each half minute, on a busy machine.
pub(crate) fn patience() -> Duration {
    let seconds = std::env::var("LINKSPAN_PATIENCE_SECONDS").ok();
    Duration::from_secs(seconds.and_then(|digits| digits.parse().ok()).unwrap_or(180))
}

/// The Kubernetes that the tests run on: `LINKSPAN_KUBERNETES`, else the newest.
pub(crate) fn version() -> Version {
    match std::env::var("LINKSPAN_KUBERNETES") {
        Ok(written) => written.parse().expect("LINKSPAN_KUBERNETES is 1.33 or 1.36"),
        Err(_) => Version::default(),
    }
}

pub(crate) fn options() -> Options {
    Options {
        version: version(),
        progress: Arc::new(Lines::new(std::io::stderr())),
        crds: linkspan::api::crds().into_iter().chain([scaled_group::crd()]).collect(),
        ..Options::default()
    }
}

/// A control plane of a test's own, with nodes and without an operator.
pub(crate) async fn own_control_plane() -> ControlPlane {
    control_plane_with(options()).await
}

/// A control plane of a test's own that differs in its options.
pub(crate) async fn control_plane_with(options: Options) -> ControlPlane {
    let control_plane = ControlPlane::start(options).await.expect("a control plane");
    with_nodes(&control_plane).await;
    control_plane
}

async fn with_nodes(control_plane: &ControlPlane) {
    let client = Client::try_from(control_plane.config()).unwrap();
    for mut group in node_groups() {
        // Room for the tasks of all tests, which stay until the end.
        (group.cpu, group.memory) = ("32".to_owned(), "128Gi".to_owned());
        group.create(&client).await.unwrap();
    }
}

/// Settings under which a minute of scaling passes in a second.
fn settings() -> Settings {
    let scaling_timing = Timing { period: 1, in_periods: 5, ..Timing::default() };
    let prometheus = Some(crate::metrics_api::prometheus());
    // The control plane has it.
    let binpack_scheduler = true;
    Settings { scaling_timing, prometheus, binpack_scheduler, ..Settings::default() }
}

/// An operator on a thread of its own, so that it outlives the runtime of any one test.
pub(crate) struct Operator {
    stop: CancellationToken,
    thread: std::thread::JoinHandle<()>,
}

impl Operator {
    pub(crate) fn start(control_plane: &ControlPlane) -> Self {
        let (config, stop) = (control_plane.config(), CancellationToken::new());
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::spawn(scaled_group::follow(Client::try_from(config.clone()).unwrap()));
                controller::run(config, settings(), told).await.unwrap();
            });
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) {
        self.stop.cancel();
        self.thread.join().expect("the operator ends well");
    }
}

/// The shared control plane, its operator running.
pub(crate) async fn shared() -> &'static ControlPlane {
    static PREPARED: OnceCell<()> = OnceCell::const_new();
    if let Ok(filter) = std::env::var("LINKSPAN_LOG") {
        let _ = controller::start_logging(controller::LogFormat::Human, &filter, None);
    }
    let control_plane = ControlPlane::shared(options()).await.expect("a control plane");
    PREPARED
        .get_or_init(|| async {
            with_nodes(control_plane).await;
            std::mem::forget(Operator::start(control_plane));
        })
        .await;
    control_plane
}

/// A namespace to work in.
pub(crate) struct Place {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Place {
    /// A namespace of the shared control plane.
    pub(crate) async fn new(prefix: &str) -> Self {
        Self::of(shared().await, prefix).await
    }

    pub(crate) async fn of(control_plane: &ControlPlane, prefix: &str) -> Self {
        let client = Client::try_from(control_plane.config()).unwrap();
        let namespace = control_plane.namespace(&client, prefix).await.unwrap();
        Self { client, namespace }
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies a spec as a user does.
    pub(crate) async fn apply<K>(&self, name: &str, spec: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        self.try_apply(name, spec).await.unwrap()
    }

    pub(crate) async fn try_apply<K>(&self, name: &str, spec: Value) -> Result<K, kube::Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let object = json!({
            "apiVersion": K::api_version(&()), "kind": K::kind(&()),
            "metadata": {"name": name}, "spec": spec,
        });
        let user = PatchParams::apply("a-user").force();
        self.api::<K>().patch(name, &user, &Patch::Apply(&object)).await
    }

    /// Applies a task definition of one healthy container.
    pub(crate) async fn task_definition(&self, family: &str, image: &str) {
        self.apply::<TaskDefinition>(family, task_definition(image)).await;
    }

    /// Waits until a revision is there.
    pub(crate) async fn registered(&self, revision: &str) {
        let revisions = self.api::<TaskDefinitionRevision>();
        until(&format!("revision {revision}"), || async {
            let found = revisions.get_opt(revision).await.unwrap();
            found.map(drop).ok_or_else(|| "none".to_owned())
        })
        .await;
    }

    /// Applies a service that follows a family.
    pub(crate) async fn service(&self, name: &str, spec: Value) -> Service {
        self.apply(name, spec).await
    }

    pub(crate) async fn scale(&self, name: &str, count: i32) {
        let body = json!({"spec": {"replicas": count}});
        let api = self.api::<Service>();
        api.patch_scale(name, &PatchParams::default(), &Patch::Merge(&body)).await.unwrap();
    }

    /// Waits until the service is steady: its generation observed, Ready, and so many tasks.
    pub(crate) async fn steady(&self, name: &str, tasks: i32, task_definition: &str) -> Service {
        self.service_when(name, &format!("{tasks} tasks of {task_definition}"), |service| {
            let status = status_of(service);
            status.observed_generation == service.metadata.generation
                && holds(&status.conditions, ConditionType::Ready)
                && (status.running_count, status.pending_count) == (tasks, 0)
                && status.task_definition.as_deref() == Some(task_definition)
        })
        .await
    }

    /// Waits until a service's condition Ready has a reason.
    pub(crate) async fn reason(&self, name: &str, reason: &str) -> String {
        let service = self
            .service_when(name, reason, |service| ready(service).is_some_and(|r| r.0 == reason))
            .await;
        ready(&service).unwrap().1
    }

    pub(crate) async fn service_when(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&Service) -> bool,
    ) -> Service {
        let api = self.api::<Service>();
        until(&format!("service {name}: {what}"), || async {
            match api.get(name).await {
                Ok(service) if is_so(&service) => Ok(service),
                Ok(service) => Err(json!(service.status).to_string()),
                // Its status may not be readable, until the operator has mended it.
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    /// The one Deployment of a service.
    pub(crate) async fn deployment(&self, service: &Service) -> appsv1::Deployment {
        let mut found = self.children::<appsv1::Deployment>(service).await;
        assert_eq!(found.len(), 1, "one Deployment");
        found.remove(0)
    }

    /// The records of a service, oldest first.
    pub(crate) async fn records(&self, service: &Service) -> Vec<ServiceDeployment> {
        let mut records = self.children::<ServiceDeployment>(service).await;
        records.sort_by_key(|record| record.spec.sequence);
        records
    }

    pub(crate) async fn children<K>(&self, service: &Service) -> Vec<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let uid = service.uid().unwrap();
        let ours = format!("{}={uid}", names::label::SERVICE_UID);
        self.api::<K>().list(&ListParams::default().labels(&ours)).await.unwrap().items
    }

    /// Everything that stands for a service, as `kind name`.
    pub(crate) async fn everything(&self, service: &Service) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(named(&self.children::<appsv1::Deployment>(service).await));
        all.extend(named(&self.children::<appsv1::DaemonSet>(service).await));
        all.extend(named(&self.children::<appsv1::ReplicaSet>(service).await));
        all.extend(named(&self.children::<corev1::Pod>(service).await));
        all.extend(named(&self.children::<corev1::Service>(service).await));
        all.extend(named(&self.children::<policyv1::PodDisruptionBudget>(service).await));
        all.extend(named(&self.children::<autoscalingv2::HorizontalPodAutoscaler>(service).await));
        all.extend(named(&self.children::<networkingv1::NetworkPolicy>(service).await));
        all.extend(named(&self.children::<networkingv1::Ingress>(service).await));
        all.extend(named(&self.children::<ServiceDeployment>(service).await));
        all
    }

    pub(crate) async fn gone(&self, service: &Service) {
        until("nothing of the service is left", || async {
            let left = self.everything(service).await;
            if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
        })
        .await;
    }

    pub(crate) async fn delete<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        self.api::<K>().delete(name, &DeleteParams::background()).await.unwrap();
    }

    /// Changes an object behind the operator's back.
    pub(crate) async fn meddle<K>(&self, name: &str, patch: Value)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let meddler =
            PatchParams { field_manager: Some("meddler".into()), ..PatchParams::default() };
        self.api::<K>().patch(name, &meddler, &Patch::Merge(&patch)).await.unwrap();
    }
}

fn named<K: Resource<DynamicType = ()>>(objects: &[K]) -> Vec<String> {
    objects.iter().map(|object| format!("{} {}", K::kind(&()), object.name_any())).collect()
}

pub(crate) fn status_of(service: &Service) -> linkspan::api::ServiceStatus {
    service.status.clone().unwrap_or_default()
}

/// Reason and message of the condition Ready.
pub(crate) fn ready(service: &Service) -> Option<(String, String)> {
    status_of(service)
        .conditions
        .into_iter()
        .find(|condition| condition.type_ == "Ready")
        .map(|condition| (condition.reason, condition.message))
}

/// A task definition of one container with a health check, which spares tests the 40 seconds that
/// ECS waits without one.
pub(crate) fn task_definition(image: &str) -> Value {
    json!({
        "cpu": "256", "memory": "512",
        "containerDefinitions": [{
            "name": "app", "image": image,
            "portMappings": [{"containerPort": 8080, "name": "web"}],
            "healthCheck": {"command": ["CMD", "true"], "interval": 5},
        }],
    })
}

/// The requests of an audit log, as far as it is written.
pub(crate) fn audited(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits until something is so; if it does not come, says how things stood last.
pub(crate) async fn until<T, F, R>(what: &str, look: F) -> T
where
    F: Fn() -> R,
    R: Future<Output = Result<T, String>>,
{
    let mut last = String::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let found = tokio::time::timeout(patience(), async {
        loop {
            ticks.tick().await;
            match look().await {
                Ok(found) => return found,
                Err(otherwise) => last = otherwise,
            }
        }
    })
    .await;
    found.unwrap_or_else(|_| panic!("not within {:?}: {what}; last seen: {last}", patience()))
}
