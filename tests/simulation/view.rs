//! How does an object of the workload look to a watch? As JSON of its Kubernetes kind.

use linkspan::names::label;
use linkspan::world::{Kind, ObjectKey};
use serde_json::{Value, json};

use crate::cluster::{
    Deployment, PROVIDERS, Pod, ReplicaSet, SERVICE_UID, SHOP, Seen, blank, time,
};

impl Pod {
    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey::new(Kind::Pod, SHOP, &format!("pod-{}", self.id))
    }
}

impl ReplicaSet {
    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey::new(Kind::ReplicaSet, SHOP, &format!("set-{:016x}", self.template))
    }
}

impl Seen {
    /// The object as JSON; none, if it is gone.
    pub(crate) fn body(&self, key: &ObjectKey) -> Option<Value> {
        match self {
            Self::Gone => None,
            Self::Other(body) => Some((**body).clone()),
            Self::Deployment(deployment) => Some(of_deployment(deployment, key)),
            Self::ReplicaSet(set) => Some(of_set(set, key)),
            Self::Pod(pod) => Some(of_pod(pod, key)),
        }
    }
}

fn of_deployment(deployment: &Deployment, key: &ObjectKey) -> Value {
    let mut body = Value::Object(blank(key));
    let mut meta = deployment.body["metadata"].clone();
    meta["uid"] = json!(format!("uid-deployment-{}", deployment.id));
    meta["generation"] = json!(deployment.generation);
    meta["resourceVersion"] = json!(deployment.version.to_string());
    body["metadata"] = meta;
    body["spec"] = deployment.body["spec"].clone();
    let status = deployment.status;
    body["status"] = json!({
        "observedGeneration": deployment.observed, "replicas": status.total,
        "updatedReplicas": status.updated, "readyReplicas": status.ready,
        "availableReplicas": status.available,
    });
    body
}

fn of_set(set: &ReplicaSet, key: &ObjectKey) -> Value {
    let mut body = Value::Object(blank(key));
    body["metadata"] = json!({
        "name": key.name, "namespace": SHOP, "uid": format!("uid-set-{}", set.id),
        "generation": set.generation, "resourceVersion": set.version.to_string(),
        "creationTimestamp": time(set.created),
        "labels": {label::SERVICE_UID: SERVICE_UID, label::DEPLOYMENT: set.sequence.to_string()},
        "annotations": {
            "deployment.kubernetes.io/desired-replicas": set.desired_replicas.to_string(),
            "deployment.kubernetes.io/max-replicas": set.max_replicas.to_string(),
        },
        "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": "Deployment", "name": "front",
            "uid": format!("uid-deployment-{}", set.owner), "controller": true,
        }],
    });
    body["spec"] = json!({"replicas": set.size, "selector": {}});
    body["status"] = json!({
        "observedGeneration": set.observed, "replicas": set.status.total,
        "readyReplicas": set.status.ready, "availableReplicas": set.status.available,
    });
    body
}

fn of_pod(pod: &Pod, key: &ObjectKey) -> Value {
    let mut body = Value::Object(blank(key));
    body["metadata"]["uid"] = json!(format!("uid-pod-{}", pod.id));
    body["metadata"]["resourceVersion"] = json!(pod.version.to_string());
    body["metadata"]["labels"] = json!({
        label::SERVICE_UID: SERVICE_UID, label::DEPLOYMENT: pod.sequence.to_string(),
        label::CAPACITY_PROVIDER: PROVIDERS[pod.provider],
    });
    if pod.terminating {
        body["metadata"]["deletionTimestamp"] = json!(time(0));
    }
    let ready = if pod.ready_since.is_some() { "True" } else { "False" };
    body["status"] = json!({
        "phase": if pod.running { "Running" } else { "Pending" },
        "conditions": [{"type": "Ready", "status": ready}],
    });
    if pod.unplaced {
        body["status"]["conditions"] = json!([{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        }]);
    }
    body
}
