//! Which object's scale is the size of a capacity provider's group, and what is seen of it?
//!
//! A plan says which object it wants to see ([`crate::plan::Plan::looks_at`]); the shell reads its
//! scale subresource and puts what it found into the world ([`crate::world::World::scales`]). What the
//! size should be is decided elsewhere.

use std::fmt;

use serde_json::Value;

use crate::api::Reason;

/// A pod, as `namespace/name`, that nobody but its own controller would move from a node, if there is one;
/// or why that cannot be seen.
pub type Guests = Result<Option<String>, String>;

/// An object with a scale subresource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScaleTarget {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; none for a kind without.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ScaleTarget {
    /// Its group; empty for Kubernetes' core.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Its version within the group.
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(&*self.api_version, |(_, version)| version)
    }

    /// Whether both are one object, in whichever version they name it.
    pub fn is_same_object(&self, other: &Self) -> bool {
        let named = |one: &Self| {
            let group = one.group().to_owned();
            (group, one.kind.clone(), one.namespace.clone(), one.name.clone())
        };
        named(self) == named(other)
    }
}

impl fmt::Display for ScaleTarget {
    /// `MachineDeployment.cluster.x-k8s.io capi/md`, as other objects are written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.group().is_empty() {
            write!(f, ".{}", self.group())?;
        }
        write!(f, " ")?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}", self.name)
    }
}

/// A scale subresource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// UID of the object.
    pub uid: String,
    /// Its resource version: whoever changes it between our look and our write is heard first.
    pub version: Option<String>,
    /// How many replicas are asked for.
    pub replicas: u32,
}

impl Scale {
    /// Reads what the API server answers.
    pub fn of(answer: &Value) -> Self {
        let text = |path: &str| answer.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let replicas = answer.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(0);
        Self {
            uid: text("/metadata/uid").unwrap_or_default(),
            version: text("/metadata/resourceVersion"),
            replicas: u32::try_from(replicas).unwrap_or(u32::MAX),
        }
    }
}

/// Why a target has no scale to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The cluster does not serve its kind.
    NotServed,
    /// The object is not there.
    Missing,
    /// Linkspan may not read it; in the API server's words.
    Forbidden(String),
    /// Its kind has no scale subresource.
    NoScale,
    /// Nobody answers; in the client's words.
    Unreachable(String),
}

impl Unusable {
    /// Why, as a word.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotServed | Self::Missing => Reason::ScaleTargetNotFound,
            Self::Forbidden(_) => Reason::ScaleTargetForbidden,
            Self::NoScale => Reason::ScaleTargetNotScalable,
            Self::Unreachable(_) => Reason::ScaleTargetUnreachable,
        }
    }

    /// Why, and the way out.
    pub fn message(&self, target: &ScaleTarget) -> String {
        let path = "kubernetes.scaleTargetRef";
        match self {
            Self::NotServed => format!(
                "{path}: the cluster serves no {} of {}; install what makes it, or correct the \
                 apiVersion and kind",
                target.kind, target.api_version
            ),
            Self::Missing => {
                format!("{path}: there is no {target}; make it, or correct its namespace and name")
            }
            Self::Forbidden(why) => format!(
                "{path}: Linkspan may not use the scale of {target}: {why}; grant it get and patch \
                 on that subresource"
            ),
            Self::NoScale => format!(
                "{path}: {target} has no scale subresource; name an object that has one, such as a \
                 MachineDeployment"
            ),
            Self::Unreachable(why) => {
                format!("{path}: the scale of {target} cannot be read: {why}")
            }
        }
    }
}

/// What was found when a target was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Which.
    pub target: ScaleTarget,
    /// Its scale, or why it has none.
    pub found: Result<Scale, Unusable>,
}
