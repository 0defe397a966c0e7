//! Real ECS JSON, from the folder that `LINKSPAN_CORPUS` names.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use linkspan::render::{File, read};
use serde_json::{Value, json};

/// The files of the folder, in the order of their names; none, and a word of it, without a folder.
#[allow(clippy::disallowed_methods, reason = "a test has no command line to be told by")]
pub(crate) fn corpus() -> Option<Vec<File>> {
    let Ok(folder) = std::env::var("LINKSPAN_CORPUS") else {
        tell!("skipped: set LINKSPAN_CORPUS to a folder with files/*.json");
        return None;
    };
    let mut paths: Vec<PathBuf> = fs::read_dir(PathBuf::from(folder).join("files"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "the folder is empty");
    let file = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        File { name, bytes: fs::read(path).unwrap() }
    };
    Some(paths.into_iter().map(file).collect())
}

/// A service alone names a task definition that is not there: one that fits is put beside it.
pub(crate) fn task_definition_for(file: &File) -> Option<File> {
    let documents = read(&file.bytes).documents.ok()?;
    let mut spec = &documents.first()?.value;
    for wrapper in ["services", "service"] {
        spec = spec.get(wrapper).map_or(spec, |inner| inner.get(0).unwrap_or(inner));
    }
    if spec.get("containerDefinitions").is_some() || spec.is_array() {
        return None;
    }
    let reference = spec.get("taskDefinition")?.as_str()?;
    let short = reference.rsplit('/').next()?;
    let (family, revision) = short.split_once(':').unwrap_or((short, "1"));
    let balancers = spec.get("loadBalancers").and_then(Value::as_array);
    let containers: BTreeMap<&str, Value> = balancers
        .into_iter()
        .flatten()
        .filter_map(|balancer| {
            let name = balancer.get("containerName")?.as_str()?;
            let port = balancer.get("containerPort")?.clone();
            let ports = json!([{"containerPort": port}]);
            Some((name, json!({"name": name, "image": "example", "portMappings": ports})))
        })
        .collect();
    let mut containers: Vec<Value> = containers.into_values().collect();
    if containers.is_empty() {
        containers.push(json!({"name": "main", "image": "example"}));
    }
    let fitting = json!({
        "family": family,
        "revision": revision.parse::<i64>().ok(),
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": containers,
    });
    Some(File { name: "fitting.json".to_owned(), bytes: fitting.to_string().into_bytes() })
}
