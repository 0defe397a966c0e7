//! Which object? A kind, a namespace and a name.

use std::fmt;

/// The kinds that Linkspan reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `ecs.linkspan.dev` Cluster
    Cluster,
    /// `ecs.linkspan.dev` CapacityProvider
    CapacityProvider,
    /// `ecs.linkspan.dev` TaskDefinition
    TaskDefinition,
    /// `ecs.linkspan.dev` TaskDefinitionRevision
    TaskDefinitionRevision,
    /// `ecs.linkspan.dev` Service
    Service,
    /// `ecs.linkspan.dev` ServiceDeployment
    ServiceDeployment,
    /// `ecs.linkspan.dev` Task
    Task,
    /// `ecs.linkspan.dev` Rule
    Rule,
    /// `apps` Deployment
    Deployment,
    /// `apps` DaemonSet
    DaemonSet,
    /// `apps` ReplicaSet
    ReplicaSet,
    /// core Pod
    Pod,
    /// core Service: the way to a service's tasks
    Endpoints,
    /// `policy` PodDisruptionBudget
    DisruptionBudget,
    /// `autoscaling` HorizontalPodAutoscaler
    HorizontalPodAutoscaler,
    /// `networking.k8s.io` NetworkPolicy
    NetworkPolicy,
    /// `networking.k8s.io` Ingress
    Ingress,
    /// core Node
    Node,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 18] = [
        Self::Cluster,
        Self::CapacityProvider,
        Self::TaskDefinition,
        Self::TaskDefinitionRevision,
        Self::Service,
        Self::ServiceDeployment,
        Self::Task,
        Self::Rule,
        Self::Deployment,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::Pod,
        Self::Endpoints,
        Self::DisruptionBudget,
        Self::HorizontalPodAutoscaler,
        Self::NetworkPolicy,
        Self::Ingress,
        Self::Node,
    ];

    /// The API version and kind as manifests write them.
    pub fn type_meta(self) -> (&'static str, &'static str) {
        const OURS: &str = "ecs.linkspan.dev/v1alpha1";
        match self {
            Self::Cluster => (OURS, "Cluster"),
            Self::CapacityProvider => (OURS, "CapacityProvider"),
            Self::TaskDefinition => (OURS, "TaskDefinition"),
            Self::TaskDefinitionRevision => (OURS, "TaskDefinitionRevision"),
            Self::Service => (OURS, "Service"),
            Self::ServiceDeployment => (OURS, "ServiceDeployment"),
            Self::Task => (OURS, "Task"),
            Self::Rule => (OURS, "Rule"),
            Self::Deployment => ("apps/v1", "Deployment"),
            Self::DaemonSet => ("apps/v1", "DaemonSet"),
            Self::ReplicaSet => ("apps/v1", "ReplicaSet"),
            Self::Pod => ("v1", "Pod"),
            Self::Endpoints => ("v1", "Service"),
            Self::DisruptionBudget => ("policy/v1", "PodDisruptionBudget"),
            Self::HorizontalPodAutoscaler => ("autoscaling/v2", "HorizontalPodAutoscaler"),
            Self::NetworkPolicy => ("networking.k8s.io/v1", "NetworkPolicy"),
            Self::Ingress => ("networking.k8s.io/v1", "Ingress"),
            Self::Node => ("v1", "Node"),
        }
    }

    /// The kind of a manifest's `apiVersion` and `kind`.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.type_meta() == (api_version, kind))
    }

    /// The name under which the API serves it, as in a URL.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Cluster => "clusters",
            Self::CapacityProvider => "capacityproviders",
            Self::TaskDefinition => "taskdefinitions",
            Self::TaskDefinitionRevision => "taskdefinitionrevisions",
            Self::Service | Self::Endpoints => "services",
            Self::ServiceDeployment => "servicedeployments",
            Self::Task => "tasks",
            Self::Rule => "rules",
            Self::Deployment => "deployments",
            Self::DaemonSet => "daemonsets",
            Self::ReplicaSet => "replicasets",
            Self::Pod => "pods",
            Self::DisruptionBudget => "poddisruptionbudgets",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
            Self::NetworkPolicy => "networkpolicies",
            Self::Ingress => "ingresses",
            Self::Node => "nodes",
        }
    }

    /// Whether only the plans of one service look at an object of this kind.
    pub fn is_of_one_service(self) -> bool {
        match self {
            Self::Service
            | Self::ServiceDeployment
            | Self::Deployment
            | Self::DaemonSet
            | Self::ReplicaSet
            | Self::Pod
            | Self::Endpoints
            | Self::DisruptionBudget
            | Self::HorizontalPodAutoscaler
            | Self::NetworkPolicy
            | Self::Ingress => true,
            Self::Cluster
            | Self::CapacityProvider
            | Self::TaskDefinition
            | Self::TaskDefinitionRevision
            | Self::Task
            | Self::Rule
            | Self::Node => false,
        }
    }

    /// Whether its objects live in a namespace.
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::CapacityProvider | Self::Node)
    }
}

/// Names one object of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// The key of these parts.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for ObjectKey {
    /// `Deployment.apps default/web-1a2b3c4d`, the way people can paste it after `kubectl get`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (api_version, kind) = self.kind.type_meta();
        write!(f, "{kind}")?;
        if let Some((group, _)) = api_version.split_once('/') {
            write!(f, ".{group}")?;
        }
        write!(f, " ")?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}", self.name)
    }
}
