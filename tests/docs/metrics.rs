//! Is every metric, label, state and outcome that the docs, the alerts and the dashboard name one that
//! the code makes, and does the page on operations tell of each?

use std::collections::{BTreeMap, BTreeSet};

use crate::pages::{pages, root};

const PAGE: &str = "docs/operations.md";
/// What asks for metrics and is no page.
const ASKS: [&str; 2] =
    ["charts/linkspan/templates/prometheusrule.yaml", "charts/linkspan/files/dashboard.json"];

type Labels = BTreeSet<String>;

/// A metric as the code registers it.
struct Metric {
    labels: Labels,
    is_histogram: bool,
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// What stands between two texts, or behind the first where the second does not follow.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from:?}"));
    rest.split(to).next().unwrap_or(rest)
}

/// The name that a text begins with.
fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or(text)
}

/// The members of each struct of a source, with their types.
fn structs(source: &str) -> BTreeMap<&str, BTreeMap<&str, &str>> {
    let mut found = BTreeMap::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let head = line.strip_suffix(" {").and_then(|line| line.split_once("struct "));
        if let Some((_, name)) = head {
            let members = lines.by_ref().take_while(|line| *line != "}");
            found.insert(name, members.filter_map(|line| line.trim().split_once(": ")).collect());
        }
    }
    found
}

/// The metrics that the code registers, by the names under which they are served.
fn made() -> BTreeMap<String, Metric> {
    let mut found = BTreeMap::new();
    for (file, list) in
        [("src/controller/metrics.rs", "Metrics"), ("src/controller/gauges.rs", "Gauges")]
    {
        let source = read(file);
        let structs = structs(&source);
        for call in source.split("registry.register").skip(1) {
            let call = call.split(");").next().unwrap();
            let of = call.rsplit_once("metrics.").or_else(|| call.rsplit_once("self."));
            let form = structs[list][word(of.unwrap().1)];
            let unit = match call.strip_prefix("_with_unit") {
                None => "",
                Some(call) if call.contains("Unit::Seconds") => "_seconds",
                Some(_) => "_ratio",
            };
            let total = if form.contains("Counter") { "_total" } else { "" };
            let name = format!("linkspan_{}{unit}{total}", between(call, "\"", "\""));
            let labels = form.strip_prefix("Family<").map(|of| structs[word(of)].keys());
            let labels = labels.into_iter().flatten().map(|label| (*label).to_owned()).collect();
            let metric = Metric { labels, is_histogram: form.contains("Histogram") };
            found.insert(name, metric);
        }
    }
    assert!(found.len() > 15, "the metrics were not read");
    found
}

/// The metric of a name, which may be that of a part of a histogram.
fn find<'a>(made: &'a BTreeMap<String, Metric>, name: &str) -> Option<&'a Metric> {
    let whole = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
    let histogram = whole.and_then(|name| made.get(name)).filter(|metric| metric.is_histogram);
    made.get(name).or(histogram)
}

/// The metrics that a text names, each with the labels in the braces behind it.
fn named(text: &str) -> Vec<(String, Labels)> {
    let of_one = |(at, _): (usize, &str)| {
        let name = word(&text[at..]);
        let behind = text[at + name.len()..].strip_prefix('{');
        let braced = behind.and_then(|inside| inside.split_once('}')).map(|(inside, _)| inside);
        let labels = braced.into_iter().flat_map(|inside| inside.split(','));
        (name.to_owned(), labels.map(|label| word(label.trim()).to_owned()).collect())
    };
    text.match_indices("linkspan_").map(of_one).collect()
}

/// What a text asks of a label: the texts that it is compared with.
fn asked<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    let of_one = |(at, _): (usize, &str)| {
        let behind = &text[at + label.len()..];
        let value = behind.trim_start_matches(['=', '!', '~']);
        // Not the end of a longer name, and not a list of labels.
        let is_asked = !text[..at].ends_with('_') && value.len() < behind.len();
        let value = value.strip_prefix('"').filter(|_| is_asked)?;
        Some(value.split('"').next().unwrap_or(value).split('|'))
    };
    text.match_indices(label).filter_map(of_one).flatten().collect()
}

/// How the carrying out of a plan or a write can end: the words of the code.
fn outcomes() -> BTreeSet<String> {
    let source = read("src/controller/error.rs");
    let body = between(&source, "fn label(", "\n    }\n");
    let words = body.split('"').skip(1).step_by(2);
    words.chain(["done"]).map(ToOwned::to_owned).collect()
}

#[test]
fn every_metric_that_is_named_is_made_with_those_labels() {
    let made = made();
    let pages = pages().into_iter().map(|page| (page.name, page.text));
    let texts = pages.chain(ASKS.map(|name| (name.to_owned(), read(name))));
    let mut wrong = Vec::new();
    for (place, text) in texts {
        // The label that Prometheus adds.
        for (name, labels) in named(&text.replace("{{- $job -}}", "job")) {
            let Some(metric) = find(&made, &name) else {
                wrong.push(format!("{place}: no metric {name}"));
                continue;
            };
            let other = labels.iter().filter(|label| *label != "job");
            for label in other.filter(|label| !metric.labels.contains(*label)) {
                wrong.push(format!("{place}: {name} has no label {label}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_metric_that_is_made_is_told_of_with_its_labels() {
    let page = read(PAGE);
    let rows = between(&page, "## Watch\n", "\n### ").lines();
    let cells = rows.filter(|row| row.starts_with("| `linkspan_"));
    let told: BTreeMap<String, Labels> =
        cells.flat_map(|row| named(row.split(" | ").next().unwrap())).collect();
    let made: BTreeMap<String, Labels> =
        made().into_iter().map(|(name, metric)| (name, metric.labels)).collect();
    assert_eq!(told, made, "{PAGE}, under `Watch`");
}

#[test]
fn every_outcome_is_told_of_and_no_other_outcome_or_state_is_asked_for() {
    let outcomes = outcomes();
    assert!(outcomes.len() > 5, "the outcomes were not read");
    let page = read(PAGE);
    let rows = between(&page, "### Outcomes\n", "\n## ").lines();
    let cells = rows.filter(|row| row.starts_with("| `")).map(|row| row.split(" | ").next());
    let told: BTreeSet<String> = cells
        .flat_map(|cell| cell.unwrap().split('`').skip(1).step_by(2))
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(told, outcomes, "{PAGE}, under `Outcomes`");

    let states = read("src/controller/gauges.rs");
    let states = states.split("#[cfg(test)]").next().unwrap();
    let mut count = 0;
    for name in ASKS {
        let text = read(name).replace("\\\"", "\"");
        for value in asked(&text, "outcome") {
            assert!(outcomes.contains(value), "{name}: no outcome {value}");
            count += 1;
        }
        for value in asked(&text, "state") {
            assert!(states.contains(&format!("\"{value}\"")), "{name}: no state {value}");
            count += 1;
        }
    }
    assert!(count > 5, "what is asked for was not read");
}
