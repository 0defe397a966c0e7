//! What would a careful person change about a task definition or a service?
//!
//! Good practice, never forced: nothing here changes what is rendered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::root::Root;
use crate::ecs::reference::{cluster_of, family_of, last_part, service_of, text};
use crate::world::Kind;

/// A hint: which of the objects, the path in its spec, and what to do.
pub(super) type Hint = (usize, String, String);

/// The hints for these objects.
pub(super) fn hints(roots: &[Root]) -> Vec<Hint> {
    let mut hints = Vec::new();
    let mut roles: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for (number, root) in roots.iter().enumerate() {
        if root.key.kind == Kind::Service && is_in_one_zone(roots, root) {
            let message = "all tasks are in one zone, and end with it; name subnets of several";
            hints.push((number, SUBNETS_PATH.to_owned(), message.to_owned()));
        }
        if root.key.kind != Kind::TaskDefinition {
            continue;
        }
        let spec = root.spec();
        let mut hint = |path: String, message: String| hints.push((number, path, message));
        let family = family_of(spec, Some(&root.key.name));
        if let Some(role) = text(spec, "taskRoleArn") {
            let first = roles
                .entry(last_part(&role).to_owned())
                .or_insert_with(|| (number, family.clone()));
            if first.1 != family {
                hint(
                    "taskRoleArn".to_owned(),
                    format!(
                        "task definition {} has the same role; one of its own has fewer rights",
                        first.1
                    ),
                );
            }
        }
        let containers = spec.get("containerDefinitions").and_then(Value::as_array);
        for (at, container) in containers.into_iter().flatten().enumerate() {
            let at = |member: &str| format!("containerDefinitions[{at}].{member}");
            let image = text(container, "image").unwrap_or_default();
            let last = last_part(&image);
            if !image.contains('@') && (!last.contains(':') || last.ends_with(":latest")) {
                hint(
                    at("image"),
                    "names no fixed version; with a tag or a digest, every task runs the same"
                        .to_owned(),
                );
            }
            let user = text(container, "user");
            let user = user.as_deref().map(|user| user.split(':').next().unwrap_or_default());
            if matches!(user, None | Some("root" | "0")) {
                hint(
                    at("user"),
                    "runs as root, unless the image says otherwise; give a number as user"
                        .to_owned(),
                );
            }
            let essential = container.get("essential") != Some(&Value::Bool(false));
            if essential && container.get("healthCheck").is_none_or(Value::is_null) {
                hint(
                    at("healthCheck"),
                    "without a health check a task counts as healthy once it has run for 40 seconds, \
                     or its port can be connected to"
                        .to_owned(),
                );
            }
            if text(spec, "memory").or_else(|| text(container, "memory")).is_none() {
                hint(
                    at("memory"),
                    "without a hard limit it may take the memory of others on its node".to_owned(),
                );
            }
        }
    }
    hints
}

/// Where a service names its subnets: as a path, and as a pointer.
const SUBNETS_PATH: &str = "networkConfiguration.awsvpcConfiguration.subnets";
const SUBNETS: &str = "/networkConfiguration/awsvpcConfiguration/subnets";

/// Whether a service's tasks are in one zone: all its subnets are one, or of one by its Cluster.
fn is_in_one_zone(roots: &[Root], service: &Root) -> bool {
    let listed = service.spec().pointer(SUBNETS).and_then(Value::as_array);
    let subnets: BTreeSet<&str> = listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|id| !id.is_empty())
        .collect();
    let (cluster, _) = service_of(service.spec(), Some(&service.key.name));
    let tables = roots.iter().find(|root| {
        root.key.kind == Kind::Cluster
            && root.key.namespace == service.key.namespace
            && cluster_of(root.spec(), Some(&root.key.name)) == cluster
    });
    let rows = tables.and_then(|root| root.spec().pointer("/kubernetes/subnets")?.as_array());
    let zone = |subnet: &str| {
        let mut rows = rows.into_iter().flatten();
        let row = rows.find(|row| text(row, "subnet").as_deref() == Some(subnet))?;
        text(row, "zone")
    };
    let zones: Option<BTreeSet<String>> = subnets.iter().map(|subnet| zone(subnet)).collect();
    // Of subnets without a known zone, one alone is in one.
    !subnets.is_empty() && zones.map_or(subnets.len(), |zones| zones.len()) == 1
}
