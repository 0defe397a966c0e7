//! Does a real API server take every manifest that `render` prints for its version?
//!
//! Each is created as a dry run: decoded strictly, defaulted, admitted and validated, and not stored.

use std::path::Path;
use std::time::Instant;

use clap::Parser;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use linkspan::cli::RenderOptions;
use linkspan::render::{File, Format, Options, Output, run};
use serde_json::{Value, json};

use crate::corpus::{corpus, task_definition_for};
use crate::support::{Place, version};

/// The minor version of the API server of the tests.
fn minor() -> u32 {
    let (_, minor) = version().minor().split_once('.').unwrap();
    minor.parse().unwrap()
}

/// The options of a rendering for that API server, with Linkspan's own objects.
pub(crate) fn for_this_server() -> Options {
    Options { format: Format::Json, kubernetes_minor: minor(), all: true, ..Options::default() }
}

/// The manifests of a rendering.
pub(crate) fn manifests(output: &Output) -> Vec<Value> {
    let list: Result<Value, _> = serde_json::from_str(&output.stdout);
    list.unwrap_or_else(|_| panic!("nothing is printed: {}", output.stderr))["items"]
        .as_array()
        .unwrap()
        .clone()
}

/// What the API server says against a manifest, if anything.
async fn refusal(place: &Place, manifest: &Value) -> Option<String> {
    let (group_version, kind) =
        (manifest["apiVersion"].as_str().unwrap(), manifest["kind"].as_str().unwrap());
    let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let mut manifest = manifest.clone();
    let meta = manifest["metadata"].as_object_mut().unwrap();
    // One namespace for all; what is not stored has no UID.
    meta.insert("namespace".to_owned(), json!(place.namespace));
    meta.remove("uid");
    let object: DynamicObject = serde_json::from_value(manifest).unwrap();
    let api: Api<DynamicObject> =
        Api::namespaced_with(place.client.clone(), &place.namespace, &resource);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let answer = api.create(&dry, &object).await.err()?;
    Some(format!("{kind} {}: {answer}", object.metadata.name.unwrap_or_default()))
}

/// Tries all manifests; how many there were, and what was said against them.
async fn try_all(place: &Place, renderings: Vec<(String, Vec<Value>)>) -> (usize, Vec<String>) {
    let (mut tried, mut refused) = (0, Vec::new());
    for (name, manifests) in renderings {
        let answers = manifests.iter().map(|manifest| refusal(place, manifest));
        let said = futures::future::join_all(answers).await;
        tried += said.len();
        refused.extend(said.into_iter().flatten().map(|why| format!("{name}: {why}")));
    }
    (tried, refused)
}

#[tokio::test]
async fn the_api_server_takes_what_is_rendered_from_real_files() {
    let Some(files) = corpus() else { return };
    let started = Instant::now();
    let place = Place::new("dry-corpus").await;
    let mut renderings = Vec::new();
    let total = files.len();
    for file in files {
        let mut files = vec![file.clone()];
        files.extend(task_definition_for(&file));
        let output = run(&files, &for_this_server());
        if !output.failed {
            renderings.push((file.name, manifests(&output)));
        }
    }
    let rendered = renderings.len();
    let (tried, refused) = try_all(&place, renderings).await;
    tell!(
        "dry run on Kubernetes {}: {total} files, {rendered} rendered, {tried} manifests, {} \
         refused by the API server, in {:.1} s",
        version(),
        refused.len(),
        started.elapsed().as_secs_f32()
    );
    assert!(rendered > total / 2 && tried > 2 * rendered, "hardly anything was tried");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// The options of a case of `tests/render`, as its command line has them.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: RenderOptions,
}

#[tokio::test]
async fn the_api_server_takes_the_manifests_of_the_golden_files() {
    let place = Place::new("dry-golden").await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/render");
    let mut renderings = Vec::new();
    for case in std::fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let line = std::fs::read_to_string(case.join("options")).unwrap_or_default();
        let line = Line::parse_from(["render"].into_iter().chain(line.split_whitespace()));
        let asked: Options = line.options.into();
        let inputs = std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<File> = inputs
            .filter(|path| path.extension().is_some_and(|end| end == "json" || end == "yaml"))
            .map(|path| File {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                bytes: std::fs::read(path).unwrap(),
            })
            .filter(|file| !file.name.starts_with("expected."))
            .collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let kubernetes_minor = asked.kubernetes_minor.min(minor());
        let options = Options { format: Format::Json, kubernetes_minor, ..asked };
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        // Of what is refused, nothing is printed; what stands beside it is.
        renderings.push((name, manifests(&run(&files, &options))));
    }
    let cases = renderings.len();
    let (tried, refused) = try_all(&place, renderings).await;
    tell!("dry run on Kubernetes {}: {cases} golden cases, {tried} manifests", version());
    assert!(tried > cases, "hardly anything was tried");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
