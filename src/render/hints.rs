//! What would a careful person change about a task definition?
//!
//! Good practice, never forced: nothing here changes what is rendered.

use std::collections::BTreeMap;

use serde_json::Value;

use super::root::Root;
use crate::ecs::reference::{family_of, last_part, text};
use crate::world::Kind;

/// A hint: which of the objects, the path in its spec, and what to do.
pub(super) type Hint = (usize, String, String);

/// The hints for these objects.
pub(super) fn hints(roots: &[Root]) -> Vec<Hint> {
    let mut hints = Vec::new();
    let mut roles: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for (number, root) in roots.iter().enumerate() {
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
