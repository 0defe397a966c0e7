//! What can go wrong with a write, and what to do next?

use std::time::Duration;

use kube::core::Status;
use kube::core::response::StatusCause;
use serde_json::Value;

use crate::plan::Rejection;
use crate::world::ObjectKey;

/// Why a write was not carried out: one variant per reaction.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is there already; with it as it stands, where that could be read.
    #[error("{key} exists already")]
    Exists { key: ObjectKey, body: Option<Box<Value>> },
    /// It changed, or went, since it was seen.
    #[error("{key} has changed since it was seen: {message}")]
    Conflict { key: ObjectKey, message: String },
    /// The API server refuses it for what it says.
    #[error("{key} was refused: {message}")]
    Rejected { key: ObjectKey, message: String },
    /// Another replica leads, or may lead before the write is over.
    #[error("{key} is left to the replica that leads")]
    NotLeader { key: ObjectKey },
    /// Its namespace is being deleted.
    #[error("the namespace of {key} is being deleted")]
    NamespaceEnds { key: ObjectKey },
    /// The API server did not answer in time.
    #[error("{key}: no answer within {} s", .within.as_secs())]
    Timeout { key: ObjectKey, within: Duration },
    /// The API server cannot be reached, or is too busy, or what it asks on the way is.
    #[error("{key}: {source}")]
    Unavailable {
        key: ObjectKey,
        #[source]
        source: Box<kube::Error>,
    },
}

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Look again at once: the world was out of date.
    Soon,
    /// Try again after a growing while.
    Backoff,
    /// Say so in the object's status, and try again after a growing while.
    Rejected,
}

impl Error {
    /// The reaction.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Exists { .. } | Self::Conflict { .. } | Self::NotLeader { .. } => Retry::Soon,
            Self::Unavailable { .. } | Self::Timeout { .. } | Self::NamespaceEnds { .. } => {
                Retry::Backoff
            }
            Self::Rejected { .. } => Retry::Rejected,
        }
    }

    /// A static word for metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "exists",
            Self::Conflict { .. } => "conflict",
            Self::Rejected { .. } => "rejected",
            Self::NotLeader { .. } => "not_leader",
            Self::NamespaceEnds { .. } => "namespace_ends",
            Self::Timeout { .. } => "timeout",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// What the plan should know of a refusal, or of what goes on failing.
    pub(crate) fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Rejected { key, message } => {
                Some(Rejection { key: key.clone(), message: message.clone() })
            }
            Self::Unavailable { key, source } => {
                Some(Rejection { key: key.clone(), message: source.to_string() })
            }
            Self::Timeout { key, .. } => {
                Some(Rejection { key: key.clone(), message: self.to_string() })
            }
            Self::Exists { .. }
            | Self::Conflict { .. }
            | Self::NotLeader { .. }
            | Self::NamespaceEnds { .. } => None,
        }
    }

    /// Sorts an answer of the API server.
    pub(crate) fn of(key: &ObjectKey, error: kube::Error) -> Self {
        let key = key.clone();
        let kube::Error::Api(status) = &error else {
            return Self::Unavailable { key, source: Box::new(error) };
        };
        if names_ending_namespace(status) {
            return Self::NamespaceEnds { key };
        }
        let message = status.message.clone();
        match (status.code, status.reason.as_str()) {
            (409, "AlreadyExists") => Self::Exists { key, body: None },
            // It is another of the same name.
            (422, _) if names_field(status, "metadata.uid") => Self::Conflict { key, message },
            (404 | 409, _) => Self::Conflict { key, message },
            (400..=428 | 431..=499, _) => Self::Rejected { key, message },
            _ => Self::Unavailable { key, source: Box::new(error) },
        }
    }
}

fn names_field(status: &Status, field: &str) -> bool {
    causes(status).any(|cause| cause.field == field)
}

fn names_ending_namespace(status: &Status) -> bool {
    causes(status).any(|cause| cause.reason == "NamespaceTerminating")
}

fn causes(status: &Status) -> impl Iterator<Item = &StatusCause> {
    status.details.iter().flat_map(|details| &details.causes)
}
