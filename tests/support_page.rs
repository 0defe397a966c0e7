//! Is `docs/support.md` exactly what the member table says?

use std::fs;
use std::path::Path;

use linkspan::ecs::members::{Input, support_page};

#[test]
fn the_page_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/support.md");
    let found = fs::read_to_string(path).unwrap_or_default();
    let advice = "run `linkspan support-page > docs/support.md`";
    assert!(found == support_page(), "docs/support.md is out of date; {advice}");
}

#[test]
fn every_member_is_on_the_page_once() {
    let page = support_page();
    let lines = page.lines().filter(|line| line.starts_with("| `")).count();
    let members: usize = Input::ALL.into_iter().map(|input| input.members().count()).sum();
    assert_eq!(lines, members);
}
