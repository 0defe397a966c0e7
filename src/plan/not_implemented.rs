//! What do kinds say that have no behaviour yet, and objects that cannot be read? The truth.

use serde_json::json;

use super::conditions::{Assessment, Outcome, advance, progress};
use super::{Moment, Note, Plan, Write};
use crate::api::{ConditionType, PlainStatus, Reason};
use crate::world::{Kind, ObjectKey, Unreadable, World};

/// The plan for an object of a kind that this version only stores.
pub(super) fn plan(world: &World, key: &ObjectKey, moment: &Moment) -> Plan {
    let observed = match key.kind {
        Kind::Task => world
            .tasks
            .get(&key.namespace, &key.name)
            .map(|object| (object.metadata.clone(), object.status.clone())),
        Kind::Rule => world
            .rules
            .get(&key.namespace, &key.name)
            .map(|object| (object.metadata.clone(), object.status.clone())),
        _ => None,
    };
    let Some((meta, before)) = observed else { return Plan::default() };
    let before = before.unwrap_or_default();
    let (_, kind) = key.kind.type_meta();
    let message = format!("this version of Linkspan stores a {kind} and does nothing with it yet");
    let mut assessments = progress(Outcome::Stalled, Reason::NotImplemented, &message);
    assessments.push(Assessment::new(
        ConditionType::FullySupported,
        false,
        Reason::NotImplemented,
        message.clone(),
    ));
    let after = PlainStatus {
        observed_generation: meta.generation,
        conditions: advance(&before.conditions, assessments, meta.generation, moment.now),
    };
    if after == before {
        return Plan::default();
    }
    Plan {
        writes: vec![Write::Status {
            key: key.clone(),
            uid: meta.uid.unwrap_or_default(),
            status: json!(after),
            urgent: true,
        }],
        notes: vec![Note { warning: true, reason: Reason::NotImplemented, message }],
        ..Plan::default()
    }
}

/// The plan for an object that is stored but cannot be decoded: a condition with the decoder's
/// message. Its whole status is set anew, since what cannot be read cannot be kept.
pub(super) fn unreadable(key: &ObjectKey, unreadable: &Unreadable, moment: &Moment) -> Plan {
    let message = format!(
        "the stored object cannot be read: {}; apply a corrected one, nothing is changed until then",
        unreadable.message
    );
    let assessments = progress(Outcome::Stalled, Reason::Unreadable, &message);
    // What the conditions said before cannot be read. The time of creation keeps the bytes the same
    // at every pass, so that the API server sees no change after the first.
    let since = unreadable.created.unwrap_or(moment.now);
    let status = PlainStatus {
        observed_generation: unreadable.generation,
        conditions: advance(&[], assessments, unreadable.generation, since),
    };
    Plan {
        writes: vec![Write::MendStatus {
            key: key.clone(),
            uid: unreadable.uid.clone(),
            status: json!(status),
        }],
        notes: vec![Note { warning: true, reason: Reason::Unreadable, message }],
        ..Plan::default()
    }
}
