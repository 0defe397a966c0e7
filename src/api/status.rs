//! Which conditions and reasons are there? One closed list, since scripts and alerts name them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The condition types, as kstatus expects them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// What the spec asks for is so.
    Ready,
    /// The operator or the cluster is at work on it.
    Reconciling,
    /// It cannot go on without somebody changing something.
    Stalled,
    /// Every field of the spec has its ECS effect.
    FullySupported,
}

impl ConditionType {
    /// The type as it stands in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::FullySupported => "FullySupported",
        }
    }
}

/// Every reason that a condition or an event of Linkspan may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The service runs its desired count of the newest deployment.
    SteadyState,
    /// A deployment is under way.
    DeploymentInProgress,
    /// All tasks are those of the newest deployment.
    DeploymentCompleted,
    /// Tasks were started.
    TasksStarted,
    /// Tasks were stopped.
    TasksStopped,
    /// Tasks are being started or stopped to reach the desired count.
    Scaling,
    /// The minimum and maximum percent leave no room to stop or start a task.
    DeploymentBlocked,
    /// A task cannot be placed on any node.
    UnableToPlaceTask,
    /// Tasks of the newest deployment fail to start.
    TasksFailToStart,
    /// The spec breaks a rule of ECS.
    InvalidSpec,
    /// The stored object cannot be read.
    Unreadable,
    /// The spec names a task definition, or a revision, that is not there.
    TaskDefinitionNotFound,
    /// The task definition that the spec names is itself refused.
    TaskDefinitionRefused,
    /// An older object has this ECS name.
    NameTaken,
    /// An object that is not ours stands where one of ours belongs.
    ChildConflict,
    /// The API server refuses what the spec asks for.
    RejectedByCluster,
    /// The service's Cluster is itself refused.
    ClusterRefused,
    /// What the spec says is what services go by.
    InEffect,
    /// A capacity provider has no node that takes tasks.
    NoCapacity,
    /// A capacity provider has no node, and none is needed.
    ScaledToZero,
    /// A capacity provider's group was asked for more nodes.
    ScaledOut,
    /// A capacity provider's group was asked for fewer nodes.
    ScaledIn,
    /// The cluster has no Karpenter, or lets Linkspan make no NodePool.
    NodePoolUnavailable,
    /// The object whose scale is the group's size is not there.
    ScaleTargetNotFound,
    /// Linkspan may not use its scale.
    ScaleTargetForbidden,
    /// It has no scale.
    ScaleTargetNotScalable,
    /// It cannot be read for the time being.
    ScaleTargetUnreachable,
    /// Its scale, or its nodes, are not as was asked.
    ScaleTargetIgnores,
    /// Two capacity providers have the same nodes, or size the same group.
    NodesShared,
    /// This kind has no behaviour in this version.
    NotImplemented,
    /// Some field of the spec has no or less effect than in ECS.
    FieldsNotHonoured,
    /// Every field of the spec has its ECS effect.
    AllFieldsHonoured,
    /// The newest revision holds the spec.
    Registered,
    /// The spec is about to be registered as a revision.
    Registering,
    /// Nothing stands in the way.
    Proceeding,
    /// An object of a service that was deleted is still being removed.
    WaitingForDeletion,
}

impl Reason {
    /// The reason as it stands in the status: the variant's own name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SteadyState => "SteadyState",
            Self::DeploymentInProgress => "DeploymentInProgress",
            Self::DeploymentCompleted => "DeploymentCompleted",
            Self::TasksStarted => "TasksStarted",
            Self::TasksStopped => "TasksStopped",
            Self::Scaling => "Scaling",
            Self::DeploymentBlocked => "DeploymentBlocked",
            Self::UnableToPlaceTask => "UnableToPlaceTask",
            Self::TasksFailToStart => "TasksFailToStart",
            Self::InvalidSpec => "InvalidSpec",
            Self::Unreadable => "Unreadable",
            Self::TaskDefinitionNotFound => "TaskDefinitionNotFound",
            Self::TaskDefinitionRefused => "TaskDefinitionRefused",
            Self::NameTaken => "NameTaken",
            Self::ChildConflict => "ChildConflict",
            Self::RejectedByCluster => "RejectedByCluster",
            Self::ClusterRefused => "ClusterRefused",
            Self::InEffect => "InEffect",
            Self::NoCapacity => "NoCapacity",
            Self::ScaledToZero => "ScaledToZero",
            Self::ScaledOut => "ScaledOut",
            Self::ScaledIn => "ScaledIn",
            Self::NodePoolUnavailable => "NodePoolUnavailable",
            Self::ScaleTargetNotFound => "ScaleTargetNotFound",
            Self::ScaleTargetForbidden => "ScaleTargetForbidden",
            Self::ScaleTargetNotScalable => "ScaleTargetNotScalable",
            Self::ScaleTargetUnreachable => "ScaleTargetUnreachable",
            Self::ScaleTargetIgnores => "ScaleTargetIgnores",
            Self::NodesShared => "NodesShared",
            Self::NotImplemented => "NotImplemented",
            Self::FieldsNotHonoured => "FieldsNotHonoured",
            Self::AllFieldsHonoured => "AllFieldsHonoured",
            Self::Registered => "Registered",
            Self::Registering => "Registering",
            Self::Proceeding => "Proceeding",
            Self::WaitingForDeletion => "WaitingForDeletion",
        }
    }
}

/// The status of a kind that reports nothing but conditions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlainStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling, Stalled, FullySupported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
