//! Which container routes the logs of a task, and which log through it? FireLens.
//!
//! ECS starts the router first, writes a configuration for it, and hands what the others print on to
//! it. Here it starts first, and they are told where it listens; nothing hands on what they print.

use serde_json::Value;

use super::network::NetworkMode;
use super::read::{objects, text_map};
use super::resolve::Around;
use crate::ecs::reference::text;
use crate::plan::finding::Findings;
use crate::plan::judge::is_empty;

/// Where the router listens, as ECS tells it to those that log through it.
const ADDRESS: [(&str, &str); 2] = [("FLUENT_HOST", "127.0.0.1"), ("FLUENT_PORT", "24224")];

/// The place of the container that routes logs, among the task's.
pub(super) fn router(spec: &Value) -> Option<usize> {
    let containers = spec.get("containerDefinitions")?.as_array()?;
    containers.iter().position(|raw| raw.get("firelensConfiguration").is_some_and(|c| !is_empty(c)))
}

/// Whether a container logs through the router.
pub(super) fn is_routed(raw: &Value) -> bool {
    let log = raw.get("logConfiguration").unwrap_or(&Value::Null);
    text(log, "logDriver").as_deref() == Some("awsfirelens")
}

/// The variables of a container that logs through a router: in mode host ECS sets none.
pub(super) fn environment(raw: &Value, around: &Around<'_>) -> Vec<(String, String)> {
    let told = around.routed
        && is_routed(raw)
        && matches!(around.mode, NetworkMode::Awsvpc | NetworkMode::Bridge);
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    ADDRESS.map(pair).into_iter().filter(|_| told).collect()
}

/// Judges `firelensConfiguration` of all containers.
pub(super) fn judge_routers(spec: &Value, findings: &mut Findings) {
    let mut first: Option<String> = None;
    for (path, raw) in objects(spec, "containerDefinitions", "") {
        let Some(router) = raw.get("firelensConfiguration").filter(|router| !is_empty(router))
        else {
            continue;
        };
        let path = format!("{path}.firelensConfiguration");
        if let Some(first) = &first {
            findings.refuse(&path, format!("stands in {first} too; a task has one log router"));
        }
        match text(router, "type").as_deref() {
            Some("fluentd" | "fluentbit") => {}
            Some(other) => {
                findings.refuse_value(
                    format!("{path}.type"),
                    other,
                    "must be fluentd or fluentbit",
                );
            }
            None => findings.refuse(format!("{path}.type"), "is required: fluentd or fluentbit"),
        }
        for (name, value) in text_map(router, "options") {
            let known = match name.as_str() {
                "config-file-type" => ["s3", "file"],
                "enable-ecs-log-metadata" => ["true", "false"],
                _ => continue,
            };
            if !known.contains(&value.as_str()) {
                let rule = format!("must be {}", known.join(" or "));
                findings.refuse_value(format!("{path}.options.{name}"), value, rule);
            }
        }
        first.get_or_insert(path);
    }
}
