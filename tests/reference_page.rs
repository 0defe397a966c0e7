//! Is `docs/reference.md` exactly what the definitions say?

use std::fs;
use std::path::Path;

use linkspan::api::{crds, reference_page};

#[test]
fn the_page_is_what_the_definitions_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let found = fs::read_to_string(path).unwrap_or_default();
    let advice = "run `linkspan reference-page > docs/reference.md`";
    assert!(found == reference_page(), "docs/reference.md is out of date; {advice}");
}

#[test]
fn every_kind_is_on_the_page_and_no_field_is_without_a_word() {
    let page = reference_page();
    for crd in crds() {
        let title = format!("\n## {}\n", crd.spec.names.kind);
        assert_eq!(page.matches(&title).count(), 1, "{title}");
    }
    for field in ["`kubernetes.images[].prefix`", "`status.deployments[].rolloutState`"] {
        assert!(page.contains(field), "{field}");
    }
    let silent: Vec<&str> = page.lines().filter(|line| line.ends_with("|  |")).collect();
    assert!(silent.is_empty(), "{silent:?}");
}
