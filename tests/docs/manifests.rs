//! The manifests that the README and the docs show are taken as they stand there.

use linkspan::render::{File, Options, Output, run};

use crate::pages::{Page, pages};

/// The blocks of YAML in which Linkspan's kinds stand, each with the line at which it begins.
fn manifests(page: &Page) -> Vec<(usize, String)> {
    let blocks = page.blocks().into_iter().filter(|block| block.language == "yaml");
    let blocks = blocks.map(|block| (block.line, block.lines.join("\n")));
    blocks.filter(|(_, text)| text.contains("apiVersion: ecs.linkspan.dev/")).collect()
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
    for page in pages() {
        for (line, block) in manifests(&page) {
            let place = format!("{}:{line}", page.name);
            let output = rendered(&place, &block);
            assert!(!output.failed, "{place}: {}", output.stderr);
            let unknown = output.stderr.lines().find(|line| line.contains("is not known"));
            assert_eq!(unknown, None, "{place}");
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
    let page = Page { name: "text".to_owned(), text };
    let [(line, found)] = &manifests(&page)[..] else { panic!("one block") };
    assert_eq!((*line, found.as_str()), (3, block));
    let output = rendered("text:3", found);
    assert!(output.failed && output.stderr.contains("desiredCount"), "{}", output.stderr);
}
