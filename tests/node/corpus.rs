//! Do real task definitions run?
//!
//! Each as it was written, but for what is in their images: every image is the box, and every
//! container idles, or ends at once where others wait for its end; every check succeeds. The Secrets
//! and ConfigMaps that they name are made as their pods ask for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use futures::future::join_all;
use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use linkspan::api::{Service, TaskDefinition};
use serde_json::{Value, json};

use crate::images::BOX;
use crate::node::place;
use crate::support::{Place, status_of, until};

/// The numbers of their files: sizes of all kinds that fit a small node, one container and many,
/// health checks, dependencies, secrets, volumes, links, a log router, read-only roots, ulimits.
const FILES: [&str; 12] =
    ["002", "009", "051", "117", "125", "140", "189", "209", "443", "474", "535", "622"];

pub(crate) async fn twelve_real_task_definitions_run_with_stand_ins_for_their_images() {
    let Ok(folder) = std::env::var("LINKSPAN_CORPUS") else {
        tell!("skipped: set LINKSPAN_CORPUS to a folder with files/*.json");
        return;
    };
    let mut paths: Vec<PathBuf> = fs::read_dir(PathBuf::from(folder).join("files"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        FILES.iter().any(|number| name.starts_with(&format!("{number}-")))
    });
    paths.sort();
    assert_eq!(paths.len(), FILES.len());
    let place = place("corpus").await;
    // Those that the node has no room for wait until others have run.
    join_all(paths.iter().map(|path| runs(&place, path))).await;
}

async fn runs(place: &Place, path: &std::path::Path) {
    let file = path.file_stem().unwrap().to_string_lossy().to_lowercase();
    let name = format!("t{}", &file[..3]);
    let started = std::time::Instant::now();
    let definition = stood_in(serde_json::from_slice(&fs::read(path).unwrap()).unwrap());
    let family = definition["family"].as_str().unwrap().to_owned();
    let kinds = kinds(&definition);
    place.apply::<TaskDefinition>(&name, definition).await;
    let service = place.service(&name, json!({"taskDefinition": family})).await;
    until(&format!("{file} runs"), || async {
        provide(place, &service).await;
        let service = place.api::<Service>().get(&name).await.map_err(|error| error.to_string())?;
        let status = status_of(&service);
        if status.running_count == 1 { Ok(()) } else { Err(json!(status).to_string()) }
    })
    .await;
    place.scale(&name, 0).await;
    tell!("  {file}: RUNNING after {:.1} s; {kinds}", started.elapsed().as_secs_f64());
}

/// A task definition with other contents of its images.
fn stood_in(read: Value) -> Value {
    let mut definition = match read {
        Value::Object(mut members) if members.contains_key("taskDefinition") => {
            members.remove("taskDefinition").unwrap()
        }
        bare => bare,
    };
    definition["kubernetes"] = json!({"imagePullPolicy": "IfNotPresent"});
    let containers = definition["containerDefinitions"].as_array_mut().unwrap();
    let ends: Vec<String> = containers
        .iter()
        .filter_map(|container| container["dependsOn"].as_array().cloned())
        .flatten()
        .filter(|on| ["COMPLETE", "SUCCESS"].iter().any(|condition| on["condition"] == *condition))
        .map(|on| on["containerName"].as_str().unwrap().to_owned())
        .collect();
    for container in containers {
        let ends = ends.iter().any(|name| container["name"] == name.as_str());
        // It stops when it is asked to.
        let stays = "trap 'exit 0' TERM; while :; do sleep 0.5; done";
        let command = if ends { "exit 0" } else { stays };
        container["image"] = json!(BOX);
        container["entryPoint"] = json!(["sh", "-c"]);
        container["command"] = json!([command]);
        if container["healthCheck"].is_object() {
            container["healthCheck"]["command"] = json!(["CMD", "true"]);
        }
    }
    definition
}

/// What a task definition makes use of.
fn kinds(definition: &Value) -> String {
    let containers = definition["containerDefinitions"].as_array().unwrap();
    let mut members: Vec<&str> = containers
        .iter()
        .flat_map(|container| container.as_object().unwrap())
        .filter(|(_, value)| {
            value.as_array().is_none_or(|list| !list.is_empty()) && !value.is_null()
        })
        .map(|(name, _)| name.as_str())
        .filter(|name| !["name", "image", "entryPoint", "command"].contains(name))
        .collect();
    members.sort_unstable();
    members.dedup();
    format!("{} containers with {}", containers.len(), members.join(", "))
}

/// Makes what the pods of a service refer to.
async fn provide(place: &Place, service: &Service) {
    let mut secrets: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut maps: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for deployment in place.children::<appsv1::Deployment>(service).await {
        let pod = deployment.spec.unwrap().template.spec.unwrap();
        for container in pod.init_containers.iter().flatten().chain(&pod.containers) {
            for variable in container.env.iter().flatten() {
                let from =
                    variable.value_from.as_ref().and_then(|from| from.secret_key_ref.clone());
                if let Some(key) = from {
                    secrets.entry(key.name).or_default().insert(key.key, "stand-in".to_owned());
                }
            }
            for map in
                container.env_from.iter().flatten().filter_map(|it| it.config_map_ref.clone())
            {
                maps.entry(map.name).or_default();
            }
        }
    }
    let user = PatchParams::apply("a-user").force();
    for (name, data) in secrets {
        let secret = json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name}, "stringData": data});
        // One field manager for each service: several may name one Secret.
        let user = PatchParams::apply(&format!("user-of-{}", service.name_any())).force();
        place.api::<corev1::Secret>().patch(&name, &user, &Patch::Apply(&secret)).await.unwrap();
    }
    for name in maps.keys() {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        place.api::<corev1::ConfigMap>().patch(name, &user, &Patch::Apply(&map)).await.unwrap();
    }
}
