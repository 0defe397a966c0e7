//! Which Cluster do these files need?
//!
//! `linkspan map`: for each cluster that services of the files are in, the Cluster object whose tables
//! map every AWS identifier of their task definitions, and the names of what must be there beside it.
//! Rows that a Cluster of the files has stay as they are. What a name holds is never looked at.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::beside::Beside;
use super::comments::comment;
use super::print::yaml;
use super::root::{Root, manifest};
use crate::ecs::reference::{cluster_of, service_of};
use crate::names::dns_label;
use crate::plan::mapping::Need;
use crate::plan::service;
use crate::world::{Kind, World, set};

/// What a person must decide, by table.
const DECISIONS: [(&str, &str); 12] = [
    (
        "images",
        "Give a row `replacement` to pull from another registry, and take pullSecrets out where none \
         is needed; a token of ECR works for 12 hours, so that its Secret must be renewed.",
    ),
    ("roles", "Give each ServiceAccount the rights that its tasks need of the role."),
    ("secrets", "A row without a key serves all JSON keys of its secret, by their own names."),
    ("environmentFiles", "A ConfigMap has one key for each variable of its file."),
    (
        "fileSystems",
        "transitEncryption: ENABLED says that the claim's driver encrypts what it sends; take it out \
         where it does not.",
    ),
    ("volumeDrivers", "Give a row `storageClassName` for another than the cluster's default."),
    (
        "subnets",
        "Give each row `zone`, a value of topology.kubernetes.io/zone, to keep tasks to it.",
    ),
    (
        "securityGroups",
        "A rule {} lets in everything: give each its `from` (cidr, securityGroup, service, namespace) and \
         `ports`, as the group's rules in AWS have them.",
    ),
    (
        "targetGroups",
        "Give each row `ingress` (className, host, path, tlsSecretName) or `service` (type: LoadBalancer \
         or NodePort) to lead to the tasks from outside the cluster; without, they are reached inside it.",
    ),
    (
        "logDrivers",
        "A row says that the nodes' log agent takes the driver's part; give it `annotations` for what \
         that agent reads of pods.",
    ),
    (
        "alarms",
        "What an alarm watches is a guess: put in what `aws cloudwatch describe-alarms` says of it. Only \
         step scaling policies look at alarms in this version.",
    ),
    (
        "hookTargets",
        "Name the task definition that does what the function did. This version calls no hooks.",
    ),
];

/// The Clusters as YAML, or why they cannot be written; with what must be there beside them, where that
/// is asked for and can be written down.
pub(super) fn clusters(
    world: &mut World,
    roots: &[Root],
    with_beside: bool,
) -> Result<String, String> {
    let services = |root: &&Root| root.key.kind == Kind::Service;
    let mut needs: BTreeMap<(String, String), Vec<Need>> = BTreeMap::new();
    for root in roots.iter().filter(services) {
        let Some((names, _)) = service::named(world, &root.key) else { continue };
        let known = needs.entry(cluster_key(root)).or_default();
        for need in names.needs {
            if !known.contains(&need) {
                known.push(need);
            }
        }
    }
    let mut documents = Vec::new();
    for ((namespace, cluster), needs) in needs.iter().filter(|(_, needs)| !needs.is_empty()) {
        let body = with_rows(base(roots, namespace, cluster), needs);
        world.put(Kind::Cluster, body.clone()).map_err(|why| why.to_string())?;
        let mut beside = Beside::default();
        for root in roots.iter().filter(services) {
            if cluster_key(root) == (namespace.clone(), cluster.clone())
                && let Some((names, _)) = service::named(world, &root.key)
            {
                beside.take(&names);
            }
        }
        documents.push(beside.listed(namespace) + &written(&body)?);
        if with_beside {
            documents.extend(beside.manifests(namespace)?);
        }
    }
    Ok(documents.join("---\n"))
}

/// The namespace and the ECS name of a service's cluster.
fn cluster_key(service: &Root) -> (String, String) {
    let (cluster, _) = service_of(service.spec(), Some(&service.key.name));
    (service.key.namespace.clone(), cluster)
}

/// The Cluster of the files, else one without rows.
fn base(roots: &[Root], namespace: &str, cluster: &str) -> Value {
    let given = roots.iter().find(|root| {
        root.key.kind == Kind::Cluster
            && root.key.namespace == namespace
            && cluster_of(root.spec(), Some(&root.key.name)) == cluster
    });
    given.map_or_else(
        || {
            let name = dns_label(cluster, 63);
            manifest(Kind::Cluster, namespace, &name, &json!({"clusterName": cluster}))
        },
        |root| root.body.clone(),
    )
}

fn with_rows(mut body: Value, needs: &[Need]) -> Value {
    for need in needs {
        let path = ["spec", "kubernetes", need.table];
        let pointer = format!("/{}", path.join("/"));
        if !body.pointer(&pointer).is_some_and(Value::is_array) {
            set(&mut body, &path, json!([]));
        }
        if let Some(Value::Array(rows)) = body.pointer_mut(&pointer) {
            rows.push(need.row.clone());
        }
    }
    body
}

fn written(body: &Value) -> Result<String, String> {
    let comments: Vec<(String, String)> = DECISIONS
        .iter()
        .filter(|(table, _)| body.pointer(&format!("/spec/kubernetes/{table}")).is_some())
        .map(|(table, text)| (format!("spec.kubernetes.{table}"), (*text).to_owned()))
        .collect();
    Ok(comment(&yaml(body)?, &comments))
}
