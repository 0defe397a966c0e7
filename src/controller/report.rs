//! How do people hear what happened? As Kubernetes Events, one after the other, never in the way.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube_runtime::events::{self, Event, EventType, Reporter};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::names::FIELD_MANAGER;
use crate::plan::Note;
use crate::world::ObjectKey;

/// The longest note that an Event may carry, in bytes.
const LONGEST_NOTE: usize = 1000;

/// An Event on its way.
pub(super) struct Report {
    event: Event,
    about: ObjectReference,
}

/// Takes notes in.
pub(super) struct Recorder(UnboundedSender<Report>);

impl Recorder {
    pub(super) fn new(sender: UnboundedSender<Report>) -> Self {
        Self(sender)
    }

    /// Says something about an object.
    pub(super) fn say(&self, key: &ObjectKey, uid: &str, note: &Note) {
        let (api_version, kind) = key.kind.type_meta();
        let about = ObjectReference {
            api_version: Some(api_version.to_owned()),
            kind: Some(kind.to_owned()),
            name: Some(key.name.clone()),
            namespace: Some(key.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        let type_ = if note.warning { EventType::Warning } else { EventType::Normal };
        let mut text = note.message.clone();
        while text.len() > LONGEST_NOTE {
            text.pop();
        }
        let event = Event {
            type_,
            reason: note.reason.as_str().to_owned(),
            note: Some(text),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        // With the publisher gone, the operator is stopping.
        let _ = self.0.send(Report { event, about });
    }
}

/// Publishes what is reported.
pub(super) async fn publish(client: Client, mut reports: UnboundedReceiver<Report>) {
    let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: None };
    let recorder = events::Recorder::new(client, reporter);
    while let Some(Report { event, about }) = reports.recv().await {
        if let Err(error) = recorder.publish(&event, &about).await {
            tracing::debug!(%error, reason = event.reason, "an Event was not taken");
        }
    }
}
