//! The manifests that the README and the docs show are taken as they stand there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, what must not be ends it"
)]

use std::path::{Path, PathBuf};

use linkspan::render::{File, Options, Output, run};

/// The documents, with their texts.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md")];
    let docs = std::fs::read_dir(root.join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let mut docs: Vec<PathBuf> =
        docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    docs.sort();
    paths.append(&mut docs);
    let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let name = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), text(path))).collect()
}

/// The blocks of YAML in which Linkspan's kinds stand, each with the line at which it begins.
fn manifests(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if line.trim() != "```yaml" {
            continue;
        }
        let block: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
        let block = block.join("\n");
        if block.contains("apiVersion: ecs.linkspan.dev/") {
            found.push((at + 2, block));
        }
    }
    found
}

/// The task definitions that a block's services name and that stand elsewhere in the text.
fn named(block: &str) -> String {
    let names = block.lines().filter_map(|line| {
        let (_, name) = line.split_once("taskDefinition: ")?;
        Some(name.split([',', '}', ' ']).next()?.to_owned())
    });
    let defined = |name: &String| {
        block.contains(&format!("kind: TaskDefinition\nmetadata: {{name: {name}}}"))
    };
    let missing = names.filter(|name| !defined(name)).map(|name| {
        format!(
            "---\napiVersion: ecs.linkspan.dev/v1alpha1\nkind: TaskDefinition\n\
             metadata: {{name: {name}}}\nspec:\n  cpu: \"256\"\n  containerDefinitions: \
             [{{name: app, image: 'example/{name}:1', memory: 128, portMappings: [{{containerPort: 80}}]}}]\n"
        )
    });
    missing.collect()
}

fn rendered(name: &str, block: &str) -> Output {
    let file = |name: String, text: &str| File { name, bytes: text.as_bytes().to_vec() };
    let files = [file(name.to_owned(), block), file("elsewhere".to_owned(), &named(block))];
    let count = if files[1].bytes.is_empty() { 1 } else { 2 };
    run(&files[..count], &Options::default())
}

#[test]
fn what_is_shown_is_taken() {
    let mut count = 0;
    for (document, text) in documents() {
        for (line, block) in manifests(&text) {
            let output = rendered(&format!("{document}:{line}"), &block);
            assert!(!output.failed, "{document}:{line}: {}", output.stderr);
            let unknown = output.stderr.lines().find(|line| line.contains("is not known"));
            assert_eq!(unknown, None, "{document}:{line}");
            count += 1;
        }
    }
    assert!(count >= 5, "only {count} blocks were found");
}

#[test]
fn what_is_wrong_in_a_block_is_noticed() {
    let block = "apiVersion: ecs.linkspan.dev/v1alpha1\nkind: Service\nmetadata: {name: web}\n\
                 spec: {taskDefinition: web, desiredCount: -1}";
    let text = format!("words\n```yaml\n{block}\n```\n");
    let [(line, found)] = &manifests(&text)[..] else { panic!("one block") };
    assert_eq!((*line, found.as_str()), (3, block));
    let output = rendered("text:3", found);
    assert!(output.failed && output.stderr.contains("desiredCount"), "{}", output.stderr);
}
