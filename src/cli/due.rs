//! Which deployment is still to come? What was just applied is seen by the operator a moment later, and
//! until then a service's status tells of the deployment before.
//!
//! A Service's own generation does not tell of it where a deployment starts for something else: another
//! revision of the family that it follows, or the annotation that forces one.

use std::time::Duration;

use super::cluster::Place;
use super::rollout::records;
use crate::api::{ConditionType, Service, ServiceDeployment, TaskDefinition};
use crate::ecs::reference::task_definition_of;
use crate::names::{annotation, deployment_id};
use crate::plan::conditions::holds;

/// How long the operator may take to start what is due, or to say what keeps it: inputs must be still
/// for a second before a deployment starts. What it said before is taken for its answer after this.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a service's newest deployment is not yet of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The last change of the family that it follows is not registered.
    Registration(String),
    /// The last change of that family is refused, and why.
    Refused(String),
    /// A deployment, in words.
    Deployment(String),
}

impl Due {
    /// Whether the operator has had the time to say what keeps it.
    pub(super) fn is_answered_after(&self, waited: Duration) -> bool {
        matches!(self, Self::Deployment(_)) && waited >= PATIENCE
    }
}

/// What a service is still to get that its status does not tell of.
pub(super) async fn due(place: &Place, service: &Service) -> anyhow::Result<Option<Due>> {
    let owner = match task_definition_of(&service.spec.0) {
        Some(named) if named.revision.is_none() => place.owner_of_family(&named.family).await?,
        _ => None,
    };
    let newest = match nonce(service) {
        Some(_) => records(place, service).await?.pop(),
        None => None,
    };
    Ok(between(service, owner.as_ref(), newest.as_ref()))
}

/// What is due, of a service whose own spec the operator has seen. `owner` is the TaskDefinition whose
/// newest revision it follows; `newest` is its newest record, which tells of the annotation.
fn between(
    service: &Service,
    owner: Option<&TaskDefinition>,
    newest: Option<&ServiceDeployment>,
) -> Option<Due> {
    if let (Some(owner), Some(named)) = (owner, task_definition_of(&service.spec.0)) {
        let family = named.family;
        let status = owner.status.clone().unwrap_or_default();
        if status.observed_generation != owner.metadata.generation {
            return Some(Due::Registration(family));
        }
        let stalled = ConditionType::Stalled;
        if holds(&status.conditions, stalled) {
            let stalled = status.conditions.iter().find(|one| one.type_ == stalled.as_str());
            let message = stalled.map(|one| one.message.clone()).unwrap_or_default();
            return Some(Due::Refused(format!("task definition {family} is refused: {message}")));
        }
        let deployed = service.status.as_ref().and_then(|status| status.task_definition.as_deref());
        let latest = status.latest_revision.map(|number| format!("{family}:{number}"));
        if let Some(latest) = latest.filter(|latest| deployed != Some(latest)) {
            return Some(Due::Deployment(format!("the deployment of {latest}")));
        }
    }
    let (newest, asked) = (newest?, nonce(service)?);
    // Its record may be there before the Service's status tells of it.
    let id = deployment_id(&newest.spec.service.uid, newest.spec.sequence);
    let told = service.status.as_ref().and_then(|status| status.deployments.first());
    let is_told = told.is_some_and(|told| told.id == id);
    (newest.spec.nonce.as_deref() != Some(asked) || !is_told)
        .then(|| Due::Deployment(format!("the deployment that is forced by {asked:?}")))
}

/// The value of the annotation that forces a deployment.
fn nonce(service: &Service) -> Option<&str> {
    let annotations = service.metadata.annotations.as_ref()?;
    annotations.get(annotation::FORCE_NEW_DEPLOYMENT).map(String::as_str)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::{Value, json};

    use super::*;

    fn service(follows: &str, nonce: Option<&str>) -> Service {
        let annotations = nonce.map(|nonce| json!({annotation::FORCE_NEW_DEPLOYMENT: nonce}));
        serde_json::from_value(json!({
            "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
            "metadata": {"name": "web", "annotations": annotations},
            "spec": {"taskDefinition": follows},
            "status": {"taskDefinition": "web:2", "desiredCount": 1, "runningCount": 1,
                "pendingCount": 0, "deployments": [{"id": deployment_id("u", 1), "status": "PRIMARY",
                    "taskDefinition": "web:2", "desiredCount": 1, "pendingCount": 0,
                    "runningCount": 1, "failedTasks": 0, "rolloutState": "COMPLETED",
                    "rolloutStateReason": ""}]},
        }))
        .unwrap()
    }

    fn owner(generation: i64, status: &Value) -> TaskDefinition {
        serde_json::from_value(json!({
            "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "TaskDefinition",
            "metadata": {"name": "web", "generation": generation}, "spec": {}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn what_a_followed_family_became_is_still_to_come() {
        let follows = service("web", None);
        let of =
            |generation, status: &Value| between(&follows, Some(&owner(generation, status)), None);
        let registered = json!({"observedGeneration": 4, "latestRevision": 2});
        assert_eq!(of(4, &registered), None, "it is of the newest");
        assert_eq!(of(5, &registered), Some(Due::Registration("web".to_owned())));
        assert_eq!(of(1, &Value::Null), Some(Due::Registration("web".to_owned())));
        let newer = json!({"observedGeneration": 5, "latestRevision": 3});
        let due = of(5, &newer).unwrap();
        assert_eq!(due, Due::Deployment("the deployment of web:3".to_owned()));
        assert!(!due.is_answered_after(Duration::from_secs(1)));
        assert!(due.is_answered_after(PATIENCE));
        let refused = json!({"observedGeneration": 5, "latestRevision": 2, "conditions": [
            {"type": "Stalled", "status": "True", "reason": "InvalidSpec", "message": "memory: no",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
        let expected = Due::Refused("task definition web is refused: memory: no".to_owned());
        assert_eq!(of(5, &refused), Some(expected));
        assert_eq!(
            between(&follows, None, None),
            None,
            "its own conditions say that none is there"
        );
    }

    #[test]
    fn a_deployment_that_is_forced_is_still_to_come() {
        let record = |nonce: Value, sequence: i64| -> ServiceDeployment {
            serde_json::from_value(json!({
                "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "ServiceDeployment",
                "metadata": {"name": "web-1"},
                "spec": {"service": {"name": "web", "uid": "u"}, "sequence": sequence,
                    "cause": "ServiceCreated", "requested": {}, "nonce": nonce,
                    "taskDefinition": "web:2", "features": {"kubernetesMinor": 36},
                    "template": {}},
            }))
            .unwrap()
        };
        let of = |asked, had: Value| between(&service("web:2", asked), None, Some(&record(had, 1)));
        let forced = || Some(Due::Deployment("the deployment that is forced by \"b\"".to_owned()));
        assert_eq!(of(Some("b"), json!("b")), None);
        assert_eq!(of(Some("b"), json!("a")), forced());
        assert_eq!(of(Some("b"), Value::Null), forced());
        assert_eq!(of(None, json!("a")), None, "to take it away forces nothing");
        let begun = record(json!("b"), 2);
        let told_of_the_first = service("web:2", Some("b"));
        assert_eq!(between(&told_of_the_first, None, Some(&begun)), forced(), "a status is late");
    }
}
