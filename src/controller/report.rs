//! How do people hear what happened? As Kubernetes Events, one after the other, never in the way.
//!
//! What is worth saying, and that it is said once, was decided before: each note is one Event. (The
//! recorder that comes with kube folds Events of one reason into a series with the first one's
//! text, which would lose whose tasks were started.)

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1 as eventsv1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::mpsc::{Receiver, Sender};

use crate::names::{FIELD_MANAGER, GROUP, sha256_hex};
use crate::plan::Note;
use crate::world::ObjectKey;

/// The longest note that an Event may carry, in bytes.
const LONGEST_NOTE: usize = 1000;

/// How many Events may wait: beyond that the API server is not keeping up, and they are dropped.
/// What happened stays in the status.
pub(super) const MOST_WAITING: usize = 4096;

/// Takes notes in.
pub(super) struct Recorder(Sender<eventsv1::Event>);

impl Recorder {
    pub(super) fn new(sender: Sender<eventsv1::Event>) -> Self {
        Self(sender)
    }

    /// Says something about an object.
    pub(super) fn say(&self, key: &ObjectKey, uid: &str, note: &Note, now: Timestamp) {
        if self.0.try_send(event(key, uid, note, now)).is_err() {
            tracing::debug!(object = %key, note = note.message, "an Event was dropped");
        }
    }
}

fn event(key: &ObjectKey, uid: &str, note: &Note, now: Timestamp) -> eventsv1::Event {
    let (api_version, kind) = key.kind.type_meta();
    let namespace = Some(key.namespace.clone()).filter(|namespace| !namespace.is_empty());
    let mut text = note.message.clone();
    while text.len() > LONGEST_NOTE {
        text.pop();
    }
    let mut distinct = sha256_hex(&[uid, &text, &now.to_string()]);
    distinct.truncate(16);
    eventsv1::Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{distinct}", key.name)),
            // Events of cluster-scoped objects are kept in `default`.
            namespace: namespace.clone().or_else(|| Some("default".to_owned())),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        type_: Some(if note.warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(note.reason.as_str().to_owned()),
        action: Some("Reconcile".to_owned()),
        note: Some(text),
        regarding: Some(ObjectReference {
            api_version: Some(api_version.to_owned()),
            kind: Some(kind.to_owned()),
            name: Some(key.name.clone()),
            namespace,
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(format!("{GROUP}/{FIELD_MANAGER}")),
        reporting_instance: Some(FIELD_MANAGER.to_owned()),
        ..eventsv1::Event::default()
    }
}

/// Publishes what is reported.
pub(super) async fn publish(client: Client, mut events: Receiver<eventsv1::Event>) {
    while let Some(event) = events.recv().await {
        let namespace = event.metadata.namespace.as_deref().unwrap_or("default");
        let api: Api<eventsv1::Event> = Api::namespaced(client.clone(), namespace);
        if let Err(error) = api.create(&PostParams::default(), &event).await {
            tracing::debug!(%error, note = event.note, "an Event was not taken");
        }
    }
}
