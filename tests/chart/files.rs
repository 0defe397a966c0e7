//! Are the files that are made of others what they are made of?

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;

use crate::manifests::{documents, is_fresh, names, read, root};

#[test]
fn both_charts_hold_the_definitions_of_the_source() {
    for chart in ["linkspan", "linkspan-crds"] {
        let folder = format!("charts/{chart}/files/crds");
        assert_eq!(names(&folder), names("crds"), "{folder}: run scripts/sync-charts");
        for name in names("crds") {
            let same = read(&format!("{folder}/{name}")) == read(&format!("crds/{name}"));
            assert!(same, "{folder}/{name} is out of date: run scripts/sync-charts");
        }
    }
}

#[test]
fn the_charts_and_the_program_have_one_version() {
    for chart in ["linkspan", "linkspan-crds"] {
        let chart = documents(&read(&format!("charts/{chart}/Chart.yaml"))).remove(0);
        assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn artifact_hub_is_told_of_every_kind() {
    let chart = documents(&read("charts/linkspan/Chart.yaml")).remove(0);
    let told = chart["annotations"]["artifacthub.io/crds"].as_str().unwrap();
    let mut told: Vec<String> = documents(told)[0]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect();
    told.sort();
    let mut kinds: Vec<String> =
        linkspan::api::crds().into_iter().map(|crd| crd.metadata.name.unwrap()).collect();
    kinds.sort();
    assert_eq!(told, kinds);
}

#[test]
fn the_settings_for_argo_cd_are_its_scripts() {
    let made = Command::new("/bin/sh").arg(root("scripts/argocd-cm")).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let made = String::from_utf8(made.stdout).unwrap();
    is_fresh("gitops/argocd/argocd-cm.yaml", &made);
    // Read back, each script is what its file holds.
    let settings = documents(&made).remove(0);
    for name in names("gitops/argocd/health") {
        let kind = name.strip_suffix(".lua").unwrap();
        let key = format!("resource.customizations.health.ecs.linkspan.dev_{kind}");
        assert_eq!(settings["data"][&key], read(&format!("gitops/argocd/health/{name}")), "{name}");
    }
    let kinds: Vec<String> = names("crds").into_iter().collect();
    assert_eq!(names("gitops/argocd/health").len(), kinds.len(), "a script for each kind");
}

#[test]
fn the_flux_example_has_the_expressions_of_the_library() {
    let library = documents(&read("gitops/flux/health-checks.yaml")).remove(0);
    let example = documents(&read("examples/gitops/flux/kustomization.yaml")).remove(1);
    let used = example["spec"]["healthCheckExprs"].as_array().unwrap();
    for expression in used {
        assert!(library.as_array().unwrap().contains(expression), "{expression}");
    }
}

/// One row of the table of values.
struct Row {
    path: String,
    about: String,
}

/// The values that are told about: those with a comment that begins with `--`.
fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut about = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim_start();
        if let Some(comment) = line.strip_prefix("# -- ") {
            about = Some(comment.to_owned());
        } else if let Some((key, _)) = line.split_once(':')
            && !line.starts_with('#')
        {
            path.retain(|(depth, _)| *depth < indent);
            path.push((indent, key.to_owned()));
            if let Some(about) = about.take() {
                let path: Vec<&str> = path.iter().map(|(_, key)| key.as_str()).collect();
                rows.push(Row { path: path.join("."), about });
            }
        }
    }
    rows
}

fn at<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(values, |value, key| &value[key])
}

/// The paths whose schema says nothing of what is in them.
fn leaves(schema: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) => {
            for (key, schema) in properties {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(schema, &path, found);
            }
        }
        None => {
            found.insert(path.to_owned(), schema.clone());
        }
    }
}

#[test]
fn the_table_of_values_is_what_the_values_say() {
    let text = read("charts/linkspan/values.yaml");
    let values = documents(&text).remove(0);
    let mut table = "| value | default | what it is |\n|---|---|---|\n".to_owned();
    for row in rows(&text) {
        let default = at(&values, &row.path);
        writeln!(table, "| `{}` | `{default}` | {} |", row.path, row.about).unwrap();
    }
    let readme = read("charts/linkspan/README.md");
    let (before, rest) = readme.split_once("<!-- values -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /values -->\n").unwrap();
    let wanted = format!("{before}<!-- values -->\n{table}<!-- /values -->\n{after}");
    is_fresh("charts/linkspan/README.md", &wanted);
}

#[test]
fn every_value_is_told_about_and_has_a_schema() {
    let text = read("charts/linkspan/values.yaml");
    let values = documents(&text).remove(0);
    let schema: Value = serde_json::from_str(&read("charts/linkspan/values.schema.json")).unwrap();
    let mut known = BTreeMap::new();
    leaves(&schema, "", &mut known);
    let told: Vec<String> = rows(&text).into_iter().map(|row| row.path).collect();
    for path in &told {
        assert!(!at(&values, path).is_null(), "{path} has no default");
        let covered =
            known.keys().any(|leaf| leaf == path || leaf.starts_with(&format!("{path}.")));
        assert!(covered, "{path} is not in the schema");
    }
    for leaf in known.keys() {
        let covered = told.iter().any(|path| path == leaf || leaf.starts_with(&format!("{path}.")));
        assert!(covered, "{leaf} is in the schema and not told about");
    }
}
