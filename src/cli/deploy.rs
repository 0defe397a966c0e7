//! `linkspan deploy`: a new image for a service.
//!
//! It writes the image into the TaskDefinition that the service names, as the person who asks; the
//! operator registers the revision and rolls. A service that is pinned to a revision is pinned to the new
//! one.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::cluster::{Place, Scope};
use super::rollout::{follow, pin};
use super::shell::block_on;
use super::{COMMAND_LINE, TIMED_OUT};
use crate::api::TaskDefinition;
use crate::ecs::reference::task_definition_of;

/// `linkspan deploy`
#[derive(Debug, clap::Args)]
pub struct Deploy {
    /// The service.
    #[arg(value_name = "SERVICE")]
    service: String,
    /// The new image, as CONTAINER=IMAGE; without a container, that of the only essential one.
    #[arg(long, value_name = "[CONTAINER=]IMAGE", required_unless_present = "image_definitions")]
    image: Vec<String>,
    /// A file of CodePipeline's, imagedefinitions.json: [{"name": CONTAINER, "imageUri": IMAGE}].
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    image_definitions: Option<PathBuf>,
    /// Wait until the deployment has come to its end, as `linkspan rollout status` does.
    #[arg(long)]
    wait: bool,
    /// Seconds to wait; 0 waits for ever.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    #[command(flatten)]
    scope: Scope,
}

pub(super) fn run(arguments: Deploy) -> io::Result<ExitCode> {
    block_on(async move {
        let place = arguments.scope.open().await?;
        let wanted = match &arguments.image_definitions {
            Some(path) => {
                let bytes =
                    std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
                image_definitions(&bytes).with_context(|| path.display().to_string())?
            }
            None => arguments.image.iter().map(|one| image(one)).collect(),
        };
        deploy(&place, &arguments, &wanted).await
    })
}

/// A container's name, where one is given, and its image. A `=` cannot be in an image before a `/`, `:`
/// or `@`.
fn image(written: &str) -> (Option<String>, String) {
    match written.split_once('=') {
        Some((name, image)) if !name.contains(['/', ':', '@']) => {
            (Some(name.to_owned()), image.to_owned())
        }
        _ => (None, written.to_owned()),
    }
}

fn image_definitions(bytes: &[u8]) -> anyhow::Result<Vec<(Option<String>, String)>> {
    let list: Vec<Value> =
        serde_json::from_slice(bytes).context("is no list of {\"name\": …, \"imageUri\": …}")?;
    let member = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
    list.iter()
        .enumerate()
        .map(|(at, one)| match (member(one, "name"), member(one, "imageUri")) {
            (Some(name), Some(image)) => Ok((Some(name), image)),
            _ => bail!("[{at}] must have the texts name and imageUri"),
        })
        .collect()
}

/// What to write into which place of a task definition: JSON patches that fail where another has
/// changed it meanwhile. Empty, if all of it stands there already.
fn patches(spec: &Value, wanted: &[(Option<String>, String)]) -> anyhow::Result<Vec<Value>> {
    let containers = spec.get("containerDefinitions").and_then(Value::as_array);
    let containers: Vec<&Value> = containers.into_iter().flatten().collect();
    let name =
        |one: &&Value| one.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let names: Vec<String> = containers.iter().map(name).collect();
    let mut patches = Vec::new();
    let mut seen: BTreeMap<usize, &String> = BTreeMap::new();
    for (container, image) in wanted {
        let at = match container {
            Some(container) => {
                let at = names.iter().position(|name| name == container);
                at.with_context(|| {
                    format!("no container is called {container}; there are {}", names.join(", "))
                })?
            }
            None => only_essential(&containers).with_context(|| {
                format!(
                    "say which container it is for, as in CONTAINER={image}: {}",
                    names.join(", ")
                )
            })?,
        };
        ensure!(
            seen.insert(at, image).is_none(),
            "container {} is given two images",
            names.get(at).map_or("", String::as_str)
        );
        let before = containers.get(at).and_then(|one| one.get("image"));
        if before.and_then(Value::as_str) == Some(image) {
            continue;
        }
        let path = format!("/spec/containerDefinitions/{at}");
        let name = names.get(at).cloned().unwrap_or_default();
        patches.push(json!({"op": "test", "path": format!("{path}/name"), "value": name}));
        patches.push(json!({"op": "add", "path": format!("{path}/image"), "value": image}));
    }
    Ok(patches)
}

/// The place of the one container that is essential, as one is that does not say otherwise.
fn only_essential(containers: &[&Value]) -> Option<usize> {
    let is = |one: &&Value| one.get("essential").and_then(Value::as_bool) != Some(false);
    let mut all = containers.iter().enumerate().filter(|(_, one)| is(one));
    let (at, _) = all.next()?;
    all.next().is_none().then_some(at)
}

async fn deploy(
    place: &Place,
    arguments: &Deploy,
    wanted: &[(Option<String>, String)],
) -> anyhow::Result<ExitCode> {
    let service = place.service(&arguments.service).await?;
    let name = service.name_any();
    let named = task_definition_of(&service.spec.0)
        .with_context(|| format!("the taskDefinition of service {name} cannot be read"))?;
    let definition = place.owner_of_family(&named.family).await?.with_context(|| {
        format!("no TaskDefinition of family {} is in namespace {}", named.family, place.namespace)
    })?;
    let patches = patches(&definition.spec.0, wanted)?;
    let is_there = patches.is_empty();
    let definition = if is_there {
        super::say(&format!(
            "TaskDefinition {} has these images already\n",
            definition.name_any()
        ))?;
        definition
    } else {
        let body: Patch<()> = Patch::Json(serde_json::from_value(json!(patches))?);
        let parameters =
            PatchParams { field_manager: Some(COMMAND_LINE.to_owned()), ..PatchParams::default() };
        place.api::<TaskDefinition>().patch(&definition.name_any(), &parameters, &body).await?
    };
    let Some(revision) = registered(place, &definition).await? else {
        super::say("the operator has not registered the revision yet; it goes on by itself\n")?;
        return Ok(ExitCode::from(TIMED_OUT));
    };
    let reference = format!("{}:{revision}", named.family);
    if !is_there {
        super::say(&format!("registered {reference}\n"))?;
    }
    // One that went back has the images in its family, and runs others.
    let is_pinned_elsewhere = named.revision.is_some_and(|pinned| pinned != revision);
    if is_pinned_elsewhere {
        pin(place, &service, &reference).await?;
    }
    if arguments.wait {
        let within = (arguments.timeout > 0).then(|| Duration::from_secs(arguments.timeout));
        return follow(place, &name, within, false).await;
    }
    if !is_there || is_pinned_elsewhere {
        super::say(&format!(
            "service {name} rolls to {reference}; `linkspan rollout status {name}` follows it\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How long the operator may take to see a change.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(200);

/// The revision that a TaskDefinition has become.
async fn registered(place: &Place, written: &TaskDefinition) -> anyhow::Result<Option<i64>> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let now = place.api::<TaskDefinition>().get(&written.name_any()).await?;
        let status = now.status.unwrap_or_default();
        if status.observed_generation >= written.metadata.generation {
            let stalled =
                status.conditions.iter().find(|one| one.type_ == "Stalled" && one.status == "True");
            if let Some(stalled) = stalled {
                bail!("the task definition is refused: {}", stalled.message);
            }
            return Ok(status.latest_revision);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn spec() -> Value {
        json!({"containerDefinitions": [
            {"name": "app", "image": "example/app:1"},
            {"name": "log", "image": "example/log:1", "essential": false},
        ]})
    }

    #[test]
    fn an_image_is_told_from_a_container_and_its_image() {
        for (written, container, of) in [
            ("app=example/app:2", Some("app"), "example/app:2"),
            ("example/app:2", None, "example/app:2"),
            ("registry.example:5000/a@sha256:b=c", None, "registry.example:5000/a@sha256:b=c"),
        ] {
            assert_eq!(image(written), (container.map(str::to_owned), of.to_owned()));
        }
    }

    #[test]
    fn only_what_differs_is_written_and_only_where_it_stands() {
        let one = |written: &str| patches(&spec(), &[image(written)]);
        let written = one("example/app:2").unwrap();
        let path = |patch: &Value| patch["path"].as_str().unwrap().to_owned();
        assert_eq!(path(written.first().unwrap()), "/spec/containerDefinitions/0/name");
        assert_eq!(path(written.last().unwrap()), "/spec/containerDefinitions/0/image");
        assert_eq!(
            path(one("log=x").unwrap().last().unwrap()),
            "/spec/containerDefinitions/1/image"
        );
        assert!(one("app=example/app:1").unwrap().is_empty(), "it stands there already");
        let error = one("ap=x").unwrap_err().to_string();
        assert_eq!(error, "no container is called ap; there are app, log");
        let twice = patches(&spec(), &[image("app=x"), image("app=y")]).unwrap_err().to_string();
        assert_eq!(twice, "container app is given two images");
        let mut both = spec();
        both["containerDefinitions"][1]["essential"] = json!(true);
        let error = patches(&both, &[image("x")]).unwrap_err().to_string();
        assert!(error.starts_with("say which container it is for"), "{error}");
    }

    #[test]
    fn the_file_of_a_pipeline_is_read() {
        let file = br#"[{"name": "app", "imageUri": "example/app:2"}]"#;
        let expected = vec![(Some("app".to_owned()), "example/app:2".to_owned())];
        assert_eq!(image_definitions(file).unwrap(), expected);
        let error = image_definitions(br#"[{"name": "app"}]"#).unwrap_err().to_string();
        assert_eq!(error, "[0] must have the texts name and imageUri");
        assert!(image_definitions(b"{}").is_err());
    }
}
