//! `linkspan diff FILE…`: what would applying these files change, and which deployments would start?
//!
//! The specs of the files beside those in the cluster, and what the operator would do about the
//! difference: the same plan is made over what the cluster holds. Nothing is written, not even tried.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use similar::TextDiff;

use super::cluster::{Scope, Where, now};
use super::rendering::Installed;
use super::shell::block_on;
use crate::plan::{Moment, Write as Planned, plan};
use crate::render::{self, Options};
use crate::world::{Kind, ObjectKey, World};

/// After how many rounds a plan that still changes is given up.
const MOST_ROUNDS: usize = 20;

/// `linkspan diff`
#[derive(Debug, clap::Args)]
pub struct Diff {
    /// JSON or YAML files; a folder stands for its *.json, *.yaml and *.yml, and - for stdin.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Fill the placeholders `<NAME>` and `${NAME}` of the files.
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::setting)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    installed: Installed,
    #[command(flatten)]
    scope: Scope,
}

/// Exits with 0 where nothing would change, 1 where something would, 2 where that cannot be said.
pub(super) fn run(arguments: Diff) -> io::Result<ExitCode> {
    let outcome = super::read_all(&arguments.files).and_then(|files| {
        block_on(async move {
            let place = arguments.scope.open().await?;
            let options = Options {
                namespace: place.namespace.clone(),
                set: arguments.set,
                writes_nodes: arguments.installed.node_writes,
                packs: arguments.installed.binpack_scheduler,
                ..Options::default()
            };
            let mut namespaces = render::namespaces(&files, &options);
            if namespaces.is_empty() {
                namespaces.insert(place.namespace.clone());
            }
            let mut world = place.world(&kinds(&namespaces)).await?;
            world.writes_nodes = options.writes_nodes;
            world.packs = options.packs;
            let (objects, output) = render::objects(&files, &options, &named(&world));
            io::stderr().write_all(output.stderr.as_bytes())?;
            anyhow::ensure!(!output.failed, "what is refused above cannot be compared");
            difference(world, &objects)
        })
    });
    match outcome {
        Ok(text) if text.is_empty() => Ok(ExitCode::SUCCESS),
        Ok(text) => {
            super::say(&text)?;
            Ok(ExitCode::FAILURE)
        }
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(error),
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            Ok(ExitCode::from(2))
        }
    }
}

/// What a plan may depend on.
const KINDS: [Kind; 14] = [
    Kind::Cluster,
    Kind::CapacityProvider,
    Kind::TaskDefinition,
    Kind::TaskDefinitionRevision,
    Kind::Service,
    Kind::ServiceDeployment,
    Kind::Deployment,
    Kind::DaemonSet,
    Kind::ReplicaSet,
    Kind::Pod,
    Kind::Endpoints,
    Kind::DisruptionBudget,
    Kind::HorizontalPodAutoscaler,
    Kind::Node,
];

/// All of it that there is in these namespaces.
fn kinds(namespaces: &BTreeSet<String>) -> Vec<(Kind, Where<'_>)> {
    let (inside, others): (Vec<Kind>, Vec<Kind>) =
        KINDS.into_iter().partition(|kind| kind.is_namespaced());
    let of = |namespace| inside.iter().map(move |kind| (*kind, Where::In(namespace)));
    let everywhere = others.iter().map(|kind| (*kind, Where::Everywhere));
    namespaces.iter().flat_map(|namespace| of(namespace)).chain(everywhere).collect()
}

/// What a Service of a file may name and no file need have.
fn named(world: &World) -> Vec<(Kind, Value)> {
    let kinds =
        [Kind::Cluster, Kind::CapacityProvider, Kind::TaskDefinition, Kind::TaskDefinitionRevision];
    let keys = kinds.into_iter().flat_map(|kind| keys(world, kind));
    keys.filter_map(|key| Some((key.kind, world.body(&key)?))).collect()
}

fn difference(mut world: World, objects: &[Value]) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut changed = Vec::new();
    for object in objects {
        let Some(key) = key_of(object) else { continue };
        let there = world.body(&key);
        let one = of_one(&key, object, there.as_ref())?;
        if !one.is_empty() {
            text.push_str(&one);
            world.put(key.kind, merged(object, there))?;
            changed.push(key);
        }
    }
    if !changed.is_empty() {
        text.push_str(&consequences(&mut world, now()));
    }
    Ok(text)
}

fn key_of(object: &Value) -> Option<ObjectKey> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str);
    let kind = Kind::of(text("/apiVersion")?, text("/kind")?)?;
    let namespace = if kind.is_namespaced() { text("/metadata/namespace")? } else { "" };
    Some(ObjectKey::new(kind, namespace, text("/metadata/name")?))
}

/// The difference of one object's specs, as `diff -u` has it.
fn of_one(key: &ObjectKey, object: &Value, there: Option<&Value>) -> anyhow::Result<String> {
    let spec = |object: &Value| object.get("spec").cloned().unwrap_or_default();
    let new = spec(object);
    let mut old = there.map(spec).unwrap_or_default();
    if new.get("desiredCount").is_none()
        && let Some(members) = old.as_object_mut()
    {
        // A count that no file sets stays as it is.
        members.remove("desiredCount");
    }
    if there.is_some() && old == new {
        return Ok(String::new());
    }
    let yaml = |value: &Value| {
        if value.is_null() { Ok(String::new()) } else { render::yaml(value) }
    };
    let (old, new) = (yaml(&old), yaml(&new));
    let (old, new) = (old.map_err(anyhow::Error::msg)?, new.map_err(anyhow::Error::msg)?);
    let before =
        if there.is_some() { format!("{key} in the cluster") } else { "nothing".to_owned() };
    let diff = TextDiff::from_lines(&old, &new);
    Ok(diff.unified_diff().header(&before, &format!("{key} in the files")).to_string())
}

/// The object of a file as it would be in the cluster: another generation of what is there.
fn merged(object: &Value, there: Option<Value>) -> Value {
    let mut merged = there.unwrap_or_else(|| json!({"metadata": {"uid": "new", "generation": 0}}));
    let mut spec = object.get("spec").cloned().unwrap_or_default();
    let count = merged.pointer("/spec/desiredCount").cloned();
    if let (Some(count), Some(members)) = (count, spec.as_object_mut()) {
        members.entry("desiredCount").or_insert(count);
    }
    let generation = merged.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
    for (name, value) in [("apiVersion", object.get("apiVersion")), ("kind", object.get("kind"))] {
        crate::world::set(&mut merged, &[name], value.cloned().unwrap_or_default());
    }
    for name in ["name", "namespace", "labels", "annotations"] {
        let value = object.get("metadata").and_then(|meta| meta.get(name));
        if let Some(value) = value {
            crate::world::set(&mut merged, &["metadata", name], value.clone());
        }
    }
    crate::world::set(&mut merged, &["metadata", "generation"], generation + 1);
    crate::world::set(&mut merged, &["spec"], spec);
    merged
}

/// Which deployments would start, and what keeps others from it. The world is then another.
fn consequences(world: &mut World, now: Timestamp) -> String {
    let mut text = String::new();
    let services = keys(world, Kind::Service);
    let namespaces: BTreeSet<String> = services.iter().map(|key| key.namespace.clone()).collect();
    let called = |key: &ObjectKey| match namespaces.len() {
        0 | 1 => key.name.clone(),
        _ => format!("{}/{}", key.namespace, key.name),
    };
    // First what services follow.
    for kind in [Kind::Cluster, Kind::CapacityProvider, Kind::TaskDefinition] {
        for key in keys(world, kind) {
            for write in carried_out(world, &key, &Moment::at(now)) {
                if let Planned::Create(object) = &write {
                    let _ = writeln!(text, "# {} is registered", object.key);
                }
            }
        }
    }
    for key in services {
        // Inputs must stay the same for a second; then it starts.
        let first = plan(world, &key, &Moment::at(now));
        let moment = Moment {
            now: now + SignedDuration::from_secs(5),
            waiting: first.waiting.clone(),
            rejected: None,
        };
        let then = plan(world, &key, &moment);
        for write in first.writes.iter().chain(&then.writes) {
            if let Planned::Create(object) = write {
                let cause = object.body.pointer("/spec/cause").and_then(Value::as_str);
                let definition =
                    object.body.pointer("/spec/taskDefinition").and_then(Value::as_str);
                let _ = writeln!(
                    text,
                    "# Service {}: a deployment of {} starts ({})",
                    called(&key),
                    definition.unwrap_or_default(),
                    cause.unwrap_or_default()
                );
                break;
            }
        }
    }
    text
}

fn keys(world: &World, kind: Kind) -> Vec<ObjectKey> {
    match kind {
        Kind::Cluster => world.clusters.keys().collect(),
        Kind::CapacityProvider => world.capacity_providers.keys().collect(),
        Kind::TaskDefinition => world.task_definitions.keys().collect(),
        Kind::TaskDefinitionRevision => world.revisions.keys().collect(),
        _ => world.services.keys().collect(),
    }
}

/// Plans and carries out in memory, until nothing is left to write.
fn carried_out(world: &mut World, key: &ObjectKey, moment: &Moment) -> Vec<Planned> {
    let mut all = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let writes = plan(world, key, moment).writes;
        if writes.is_empty() {
            break;
        }
        for write in writes {
            if world.carry_out(&write).is_err() {
                return all;
            }
            all.push(write);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn service(spec: &Value) -> Value {
        json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "shop"}, "spec": spec})
    }

    fn difference(there: Option<&Value>, object: &Value) -> String {
        of_one(&key_of(object).unwrap(), object, there).unwrap()
    }

    #[test]
    fn a_count_that_no_file_sets_is_no_difference() {
        let there = service(&json!({"taskDefinition": "web", "desiredCount": 5}));
        assert_eq!(difference(Some(&there), &service(&json!({"taskDefinition": "web"}))), "");
        let set = service(&json!({"taskDefinition": "web", "desiredCount": 2}));
        assert_eq!(
            difference(Some(&there), &set),
            "--- Service.ecs.linkspan.dev shop/web in the cluster\n\
             +++ Service.ecs.linkspan.dev shop/web in the files\n\
             @@ -1,2 +1,2 @@\n-desiredCount: 5\n+desiredCount: 2\n taskDefinition: web\n"
        );
    }

    #[test]
    fn what_is_not_there_is_all_new() {
        let text = difference(None, &service(&json!({"taskDefinition": "web"})));
        assert!(text.starts_with("--- nothing\n"), "{text}");
        assert!(text.ends_with("+taskDefinition: web\n"), "{text}");
    }

    #[test]
    fn what_a_service_names_is_looked_up_in_the_cluster_too() {
        let file = |spec: &Value| {
            let bytes = service(spec).to_string().into_bytes();
            [render::File { name: "web.json".to_owned(), bytes }]
        };
        let family = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "TaskDefinition",
            "metadata": {"name": "web", "namespace": "shop", "uid": "t", "generation": 1},
            "spec": {"containerDefinitions": [{"name": "a", "image": "a:1", "memory": 64}]}});
        let mut world = World::default();
        world.put(Kind::TaskDefinition, family).unwrap();
        crate::render::settle(&mut world, Timestamp::UNIX_EPOCH).unwrap();
        let there = named(&world);
        let said = |spec: &Value, there: &[(Kind, Value)]| {
            let (_, output) = render::objects(&file(spec), &Options::default(), there);
            (output.failed, output.stderr)
        };
        let (failed, _) = said(&json!({"taskDefinition": "web:1"}), &there);
        assert!(!failed, "its first revision is there");
        let (failed, stderr) = said(&json!({"taskDefinition": "web"}), &there);
        assert_eq!((failed, &*stderr), (false, ""));
        for (spec, there) in [
            (json!({"taskDefinition": "wbe"}), &*there),
            (json!({"taskDefinition": "web"}), &[][..]),
        ] {
            let (failed, stderr) = said(&spec, there);
            assert!(failed && stderr.contains("; no file has it either"), "{stderr}");
        }
    }

    #[test]
    fn everything_in_each_namespace_is_looked_at_and_nodes_once() {
        let namespaces = ["shop".to_owned(), "stage".to_owned()].into();
        let asked = kinds(&namespaces);
        let of = |kind| -> Vec<Where<'_>> {
            asked.iter().filter(|(one, _)| *one == kind).map(|(_, at)| *at).collect()
        };
        assert_eq!(of(Kind::Service), [Where::In("shop"), Where::In("stage")]);
        assert_eq!(of(Kind::Pod), [Where::In("shop"), Where::In("stage")]);
        assert_eq!(of(Kind::Node), [Where::Everywhere]);
        assert_eq!(of(Kind::CapacityProvider), [Where::Everywhere]);
    }

    #[test]
    fn what_would_follow_is_planned() {
        let mut world = World::default();
        let definition = |image: &str| {
            json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "TaskDefinition",
                "metadata": {"name": "web", "namespace": "shop", "uid": "t", "generation": 1},
                "spec": {"containerDefinitions": [{"name": "a", "image": image, "memory": 64}]}})
        };
        let mut service = service(&json!({"taskDefinition": "web"}));
        crate::world::set(&mut service, &["metadata", "uid"], "s");
        crate::world::set(&mut service, &["metadata", "generation"], 1);
        world.put(Kind::TaskDefinition, definition("a:1")).unwrap();
        world.put(Kind::Service, service.clone()).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        crate::render::settle(&mut world, now).unwrap();
        assert_eq!(consequences(&mut world, now), "", "all of it is there");
        let key = ObjectKey::new(Kind::TaskDefinition, "shop", "web");
        let there = world.body(&key);
        world.put(Kind::TaskDefinition, merged(&definition("a:2"), there)).unwrap();
        assert_eq!(
            consequences(&mut world, now),
            "# TaskDefinitionRevision.ecs.linkspan.dev shop/web-2 is registered\n\
             # Service web: a deployment of web:2 starts (TaskDefinitionChanged)\n"
        );
        // Of several namespaces, each says which.
        let of = |namespace: &str, mut object: Value| {
            crate::world::set(&mut object, &["metadata", "namespace"], namespace);
            object
        };
        for (kind, object) in [(Kind::TaskDefinition, definition("a:1")), (Kind::Service, service)]
        {
            world.put(kind, of("stage", object)).unwrap();
        }
        let text = consequences(&mut world, now);
        let expected = "# Service stage/web: a deployment of web:1 starts (ServiceCreated)\n";
        assert!(text.ends_with(expected), "{text}");
    }
}
