//! The core: every decision.
//!
//! [`plan`] is a pure function of the [`World`], of which object it is asked about, and of the
//! [`Moment`]. It reads no clock, holds no client, has no chance in it. What it returns is an
//! *ordered* list of writes, stopped at the first error by whoever carries it out; children come
//! only from a deployment record that is already stored.
//!
//! # Laws
//! Each is a property test in `tests/laws.rs`.
//! 1. **Total.** `plan` returns no `Result` and never panics. A bad spec gives a plan that changes
//!    no running child, and a status that says why.
//! 2. **Deterministic.** Same input, same bytes.
//! 3. **Order-blind.** In which order the world learned its objects changes nothing.
//! 4. **Settling.** Planning and carrying out, over and over, comes to an empty plan.
//! 5. **Safe at every step.** In any interleaving of our writes and the cluster's, healthy tasks
//!    stay at or above `minimumHealthyPercent`, and all tasks at or below `maximumPercent`.
//! 6. **Humble.** Only objects with our owner reference are written, and only our fields of them; of
//!    nodes, where that was granted, our labels and marks, and the scale of an object that an
//!    administrator names.
//! 7. **Quiet.** `lastTransitionTime` moves only when `status` moves; an equal status is not written.
//! 8. **Awake.** Where time alone can change the answer, `wake_at` says when.

pub mod capacity_provider;
pub mod cluster;
pub mod conditions;
pub mod diff;
pub mod finding;
pub mod judge;
pub mod mapping;
pub mod node;
mod not_implemented;
pub mod placement;
pub mod pod;
mod route;
pub mod scaling;
pub mod service;
mod size;
mod tags;
pub mod task_definition;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

pub use finding::{Finding, Level};
pub use route::{is_root, roots_of};

use self::capacity_provider::ScaleTarget;
use self::scaling::measured::Measure;
use crate::api::Reason;
use crate::world::{Kind, Object, ObjectKey, World};

/// What a decision depends on beside the world: the time, and what happened to the last plan.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// What the last plan for this object waited for, and since when.
    pub waiting: Option<Waiting>,
    /// What the API server refused of the last plan for this object.
    pub rejected: Option<Rejection>,
}

impl Moment {
    /// A moment without a past.
    pub fn at(now: Timestamp) -> Self {
        Self { now, waiting: None, rejected: None }
    }
}

/// Inputs that must stay the same for a while before they are acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Stands for the inputs.
    pub inputs: String,
    /// When they were first seen.
    pub since: Timestamp,
}

/// A write that the API server refused for what it says, not for the time being.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Of which object.
    pub key: ObjectKey,
    /// In the API server's words.
    pub message: String,
}

/// What should be written, in order, and what to tell people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The writes, in order; whoever carries them out stops at the first error.
    pub writes: Vec<Write>,
    /// What to say about the object, once the writes are done.
    pub notes: Vec<Note>,
    /// When time alone can change the answer.
    pub wake_at: Option<Timestamp>,
    /// Inputs that must stay the same for a second before they are acted on.
    pub waiting: Option<Waiting>,
    /// The metrics that the next plans want to see in [`World::measured`].
    pub measures: Vec<Measure>,
    /// The object whose scale this plan wants to see in [`World::scales`]: it is read, and planned
    /// again, before anything is carried out.
    pub looks_at: Option<ScaleTarget>,
    /// The NodePool that this plan wants to see in [`World::node_pools`]: likewise.
    pub looks_at_pool: Option<ScaleTarget>,
    /// The nodes on which this plan wants to know of others' pods, in [`World::guests`]: likewise, until
    /// it names none that was not looked at.
    pub looks_at_nodes: Vec<String>,
}

impl Plan {
    /// Asks to be woken at this time at the latest.
    fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Make an object that nothing changes afterwards. One that is there already is an error.
    Create(Object),
    /// Server-side apply of a whole intent.
    Apply(Object),
    /// Delete the object, if it still is the one of this UID.
    Delete {
        /// Which.
        key: ObjectKey,
        /// The UID that it must have.
        uid: String,
    },
    /// Set the whole status, if the object still is the one of this UID.
    Status {
        /// Which.
        key: ObjectKey,
        /// The UID that it must have.
        uid: String,
        /// The whole status.
        status: Value,
        /// Whether it must not wait for others to be written with it.
        urgent: bool,
    },
    /// Set the count of tasks through the scale subresource, if the object still is the one of this
    /// UID and version.
    Scale {
        /// Which.
        key: ObjectKey,
        /// The UID that it must have.
        uid: String,
        /// The resource version that it must have: whoever else has set the count meanwhile is heard
        /// first.
        version: Option<String>,
        /// The count.
        replicas: i32,
    },
    /// Set the size of a capacity provider's group through the scale subresource of the object that
    /// it names, if that still is the one of this UID and version.
    Resize {
        /// The capacity provider.
        key: ObjectKey,
        /// The object whose scale is the size.
        target: ScaleTarget,
        /// The UID that it must have.
        uid: String,
        /// The resource version that it must have: whoever else has set the size meanwhile is heard
        /// first.
        version: Option<String>,
        /// The size, in nodes.
        replicas: u32,
    },
    /// Server-side apply of the whole intent of a capacity provider's NodePool.
    Pool {
        /// The capacity provider.
        key: ObjectKey,
        /// The NodePool.
        target: ScaleTarget,
        /// The intent.
        body: Value,
    },
    /// Mark the machine behind a node of a capacity provider, or take the mark away; a machine that
    /// is gone needs none.
    Mark {
        /// The capacity provider.
        key: ObjectKey,
        /// The machine.
        machine: Machine,
        /// The annotation.
        annotation: &'static str,
        /// Its value; none takes it away.
        value: Option<String>,
    },
    /// Evict a task's pod, if it still is the one of this UID; its disruption budget may refuse that for
    /// now.
    Evict {
        /// Which.
        key: ObjectKey,
        /// The UID that it must have.
        uid: String,
    },
    /// Set the whole status of an object that cannot be read, which the API server could not merge
    /// with another, if it still is the one of this UID.
    MendStatus {
        /// Which.
        key: ObjectKey,
        /// The UID that it must have.
        uid: String,
        /// The whole status.
        status: Value,
    },
}

/// A Machine of Cluster API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Group and version.
    pub api_version: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Write {
    /// The object that is written; of a group or machine the capacity provider for which it is.
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Create(object) | Self::Apply(object) => &object.key,
            Self::Delete { key, .. }
            | Self::Status { key, .. }
            | Self::Scale { key, .. }
            | Self::Resize { key, .. }
            | Self::Pool { key, .. }
            | Self::Mark { key, .. }
            | Self::Evict { key, .. }
            | Self::MendStatus { key, .. } => key,
        }
    }
}

/// Something to tell people about an object: it becomes a Kubernetes Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether somebody should look.
    pub warning: bool,
    /// Why, as a word.
    pub reason: Reason,
    /// ECS's wording, where ECS has one.
    pub message: String,
}

/// Decides what to do about one object, from everything that can be seen.
///
/// An object that is not there, or that is of a kind which is only ever written for others, gives
/// an empty plan.
pub fn plan(world: &World, key: &ObjectKey, moment: &Moment) -> Plan {
    if key.kind == Kind::CapacityProvider && world.leaves_capacity {
        return Plan::default();
    }
    if let Some(unreadable) = world.unreadable.get(key) {
        if key.kind == Kind::Node {
            // Its status is its kubelet's.
            return Plan::default();
        }
        return not_implemented::unreadable(key, unreadable, moment);
    }
    match key.kind {
        Kind::TaskDefinition | Kind::TaskDefinitionRevision => {
            task_definition::plan(world, key, moment)
        }
        Kind::Service => service::plan(world, key, moment),
        Kind::Cluster => cluster::plan(world, key, moment),
        Kind::CapacityProvider => capacity_provider::plan(world, key, moment),
        Kind::Node => node::plan(world, key),
        Kind::Task | Kind::Rule => not_implemented::plan(world, key, moment),
        Kind::ServiceDeployment
        | Kind::Deployment
        | Kind::DaemonSet
        | Kind::ReplicaSet
        | Kind::Pod
        | Kind::Endpoints
        | Kind::DisruptionBudget
        | Kind::HorizontalPodAutoscaler
        | Kind::NetworkPolicy
        | Kind::Ingress => Plan::default(),
    }
}

/// How old an object is, to be compared: of several that claim one name, the least has it.
pub(crate) fn age(meta: &ObjectMeta) -> (Option<Timestamp>, Option<String>) {
    // An object without a time is one of a file: it counts as older than any, by its name.
    (meta.creation_timestamp.as_ref().map(|time| time.0), meta.name.clone())
}
