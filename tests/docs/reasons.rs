//! Is every reason that a condition or an event may carry explained, and nothing else?

use crate::pages::root;

const PAGE: &str = "docs/operations.md";

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The reasons of the closed list, as the code writes them.
fn reasons() -> Vec<String> {
    let source = read("src/api/status.rs");
    let (_, list) = source.split_once("impl Reason").unwrap();
    let quoted = |line: &str| {
        let (_, rest) = line.trim().strip_prefix("Self::")?.split_once("=> \"")?;
        Some(rest.split('"').next()?.to_owned())
    };
    list.lines().filter_map(quoted).collect()
}

/// The reasons that the tables of a page explain: the first cell of each row.
fn explained(page: &str) -> Vec<String> {
    let (_, from) = page.split_once("## What a reason means").unwrap();
    let section = from.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect()
}

#[test]
fn every_reason_is_explained_once() {
    let (mut wanted, mut found) = (reasons(), explained(&read(PAGE)));
    assert!(wanted.len() > 30, "the list of reasons was not read");
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted, "{PAGE}, under `What a reason means`");
}

#[test]
fn every_alert_of_the_chart_says_what_to_do() {
    let rules = read("charts/linkspan/templates/prometheusrule.yaml");
    let page = read(PAGE);
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    for alert in alerts {
        assert!(page.contains(&format!("| `{alert}` |")), "{PAGE} says nothing of {alert}");
    }
}
