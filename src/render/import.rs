//! Which objects of Linkspan are what the files hold?
//!
//! `linkspan import`: what `aws ecs describe-…` prints, task definitions, services and lists of
//! containers become objects, with a comment at each member that differs from ECS. Rendering them
//! gives what rendering the files gives. Values are printed as the files have them, and nothing that
//! an ARN refers to is looked at.

use serde_json::Value;

use super::comments::{as_comment, comment};
use super::print::yaml;
use super::rendering::{found, task_definition_of_service};
use super::root::Root;
use crate::ecs::members::Input;
use crate::ecs::reference::task_definition_of;
use crate::plan::finding::{Finding, Level};
use crate::plan::judge::is_described_only;
use crate::plan::service;
use crate::world::{Kind, World};

/// The namespace that an object need not name.
const DEFAULT_NAMESPACE: &str = "default";

/// The objects as YAML.
pub(super) fn objects(world: &World, roots: &[Root]) -> Result<String, String> {
    let mut texts = Vec::new();
    for root in roots.iter().filter(|root| !root.implied) {
        let Some((input, mut findings)) = found(world, root) else { continue };
        for service in roots.iter().filter(|other| other.key.kind == Kind::Service) {
            if task_definition_of_service(service, roots).is_some_and(|of| of.key == root.key)
                && let Some((_, unmapped)) = service::named(world, &service.key)
            {
                findings.extend(unmapped.0);
            }
        }
        texts.push(object(root, input, &findings)?);
    }
    Ok(texts.join("---\n"))
}

/// One object as YAML, with what was found in it as comments.
fn object(root: &Root, input: Input, findings: &[Finding]) -> Result<String, String> {
    let mut body = root.body.clone();
    if root.key.namespace == DEFAULT_NAMESPACE
        && let Some(meta) = body.get_mut("metadata").and_then(Value::as_object_mut)
    {
        meta.remove("namespace");
    }
    let mut left_out = Vec::new();
    if let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|name, _| {
            // The number is what pinned services ask for.
            let stays = name == "revision" || !is_described_only(input, name);
            if !stays {
                left_out.push(name.clone());
            }
            stays
        });
    }
    let mut comments: Vec<(String, String)> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.level >= Level::Differs) {
        let word = if finding.level == Level::Refused { "refused: " } else { "" };
        let of = (format!("spec.{}", finding.path), format!("{word}{}", finding.message));
        if !comments.contains(&of) {
            comments.push(of);
        }
    }
    if root.spec().get("revision").is_some() && root.key.kind == Kind::TaskDefinition {
        let text = "in a cluster the first revision is 1, whatever it was in ECS";
        comments.push(("spec.revision".to_owned(), text.to_owned()));
    }
    if root.key.kind == Kind::Service
        && let Some(named) = task_definition_of(root.spec())
        && let Some(revision) = named.revision
    {
        let text = format!(
            "pins revision {revision}; in a cluster the first revision is 1, and `{}` follows the newest",
            named.family
        );
        comments.push(("spec.taskDefinition".to_owned(), text));
    }
    let mut text = String::new();
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        text = as_comment(&format!("Left out, since ECS reports it and is not given it: {names}"));
    }
    Ok(text + &comment(&yaml(&body)?, &comments))
}
