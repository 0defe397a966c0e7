//! Does every link of the README and the docs lead somewhere?

use crate::pages::{Page, pages, root};

/// The targets of a page's links, each with its line.
fn targets(page: &Page) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (at, line) in page.text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        for part in line.split("](").skip(1) {
            if let Some((target, _)) = part.split_once(')') {
                found.push((at + 1, target.to_owned()));
            }
        }
    }
    found
}

/// A heading as the fragment of a link.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn has_anchor(text: &str, fragment: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).any(|one| one == fragment)
}

fn problem(page: &Page, target: &str) -> Option<String> {
    if target.contains("://") {
        return None;
    }
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let folder = root().join(&page.name).parent().unwrap().to_owned();
    let found = if path.is_empty() { root().join(&page.name) } else { folder.join(path) };
    if !found.exists() {
        return Some("is not there".to_owned());
    }
    if fragment.is_empty() {
        return None;
    }
    let text = std::fs::read_to_string(&found).unwrap();
    (!has_anchor(&text, fragment)).then(|| "has no such heading".to_owned())
}

#[test]
fn every_link_leads_somewhere() {
    let mut problems = Vec::new();
    for page in pages() {
        for (line, target) in targets(&page) {
            if let Some(problem) = problem(&page, &target) {
                problems.push(format!("{}:{line}: {target} {problem}", page.name));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let text = "# A page\n[a](nothing.md) [b](admission.md#none) [c](#a-page) [d](https://x.y/)\n";
    let page = Page { name: "docs/page.md".to_owned(), text: text.to_owned() };
    let targets = targets(&page);
    assert_eq!(targets.len(), 4);
    let bad: Vec<&str> = targets[..2].iter().map(|(_, target)| target.as_str()).collect();
    assert!(bad.iter().all(|target| problem(&page, target).is_some()));
    assert_eq!(problem(&page, "https://x.y/"), None);
    assert!(has_anchor(text, "a-page"));
}

#[test]
fn every_page_is_in_the_index() {
    let index = std::fs::read_to_string(root().join("docs/README.md")).unwrap();
    for page in pages() {
        if let Some(name) = page.name.strip_prefix("docs/").filter(|name| *name != "README.md") {
            assert!(index.contains(&format!("]({name})")), "docs/README.md does not link {name}");
        }
    }
}
