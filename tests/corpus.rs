//! Does anything become of real ECS JSON?
//!
//! `LINKSPAN_CORPUS` names a folder with `files/*.json`. Every file must end in manifests or in
//! refusals that each name a place, and every member of it must be honoured or reported: nothing
//! panics, nothing is dropped in silence. What `import` makes of it renders alike, and the Cluster
//! that `map` prints leaves nothing to map. A summary of what became of the files is printed.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, and its summary"
)]

#[macro_use]
#[path = "included/tell.rs"]
mod tell;
#[path = "included/corpus.rs"]
mod corpus;

use std::collections::{BTreeMap, BTreeSet};

use linkspan::ecs::members::{Input, Shape, Verdict};
use linkspan::plan::judge::is_empty;
use linkspan::render::{File, Options, Output, clusters, import, read, run};
use serde_json::{Value, json};

use corpus::{corpus, task_definition_for};

#[test]
fn every_file_is_rendered_or_refused_with_a_place() {
    let Some(files) = corpus() else { return };
    let mut tally = Tally::default();
    for file in &files {
        tally.count(file);
    }
    let Tally { rendered, without_difference, refused, mapped, .. } = tally;
    tell!(
        "corpus: {} files, {rendered} rendered ({without_difference} without a warning), \
         {refused} refused, {mapped} need a Cluster; --nocapture lists why",
        rendered + refused
    );
    println!("{tally}");
}

#[derive(Default)]
struct Tally {
    rendered: usize,
    without_difference: usize,
    refused: usize,
    mapped: usize,
    reasons: BTreeMap<String, usize>,
    differences: BTreeMap<String, usize>,
}

impl Tally {
    fn count(&mut self, file: &File) {
        let mut files = vec![file.clone()];
        files.extend(task_definition_for(file));
        let options = Options { verbose: true, ..Options::default() };
        let Output { stdout, stderr, failed } = run(&files, &options);
        assert_eq!(run(&files, &options).stdout, stdout, "{}: the same every time", file.name);
        for line in stderr.lines() {
            let said = ["error: ", "warning: ", "note: "]
                .iter()
                .find_map(|word| Some((line.find(&format!(": {word}"))?, word.len(), *word)));
            let Some((at, length, word)) = said.filter(|_| !line.starts_with("  ")) else {
                continue;
            };
            let place: Vec<&str> = line[..at].rsplitn(3, ':').collect();
            let numbers = place.iter().take(2).all(|number| number.parse::<usize>().is_ok());
            assert!(numbers && place.len() == 3, "{}: without a place: {line}", file.name);
            let counted = match word {
                "error: " => &mut self.reasons,
                "warning: " => &mut self.differences,
                _ => continue,
            };
            *counted.entry(reason(&line[at + 2 + length..])).or_default() += 1;
        }
        let errors = stderr.contains(": error: ");
        assert_eq!(failed, errors, "{}: {stderr}", file.name);
        if failed {
            self.refused += 1;
        } else {
            assert!(stdout.contains("kind: Deployment"), "{}: nothing came of it", file.name);
            self.rendered += 1;
            self.without_difference += usize::from(!stderr.contains(": warning: "));
        }
        nothing_is_dropped(file, &stderr);
        self.convert(&files, &stdout, failed);
    }

    /// What is imported renders as the file does; with the Cluster that is mapped, nothing is left to
    /// map.
    fn convert(&mut self, files: &[File], rendered: &str, failed: bool) {
        let options = Options::default();
        let imported = import(files, &options);
        let mapped = clusters(files, &options);
        let name = &files[0].name;
        let plain = |text: &str| -> Vec<String> {
            let remembered = |line: &&str| line.contains("/record: ") || line.contains("/intent: ");
            text.lines().filter(|line| !remembered(line)).map(ToOwned::to_owned).collect()
        };
        let printed = |name: &str, output: &Output| File {
            name: name.to_owned(),
            bytes: output.stdout.clone().into_bytes(),
        };
        if !failed {
            let again = run(&[printed("imported.yaml", &imported)], &options);
            assert_eq!(plain(&again.stdout), plain(rendered), "{name}: {}", imported.stdout);
        }
        if !mapped.stdout.is_empty() {
            self.mapped += 1;
            let mut with_cluster = files.to_vec();
            with_cluster.push(printed("cluster.yaml", &mapped));
            let again = run(&with_cluster, &options).stderr;
            assert!(!again.contains("add to spec.kubernetes"), "{name}: {again}");
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (title, counted) in [("errors", &self.reasons), ("warnings", &self.differences)] {
            let mut counted: Vec<_> = counted.iter().collect();
            counted.sort_by_key(|(reason, count)| (usize::MAX - **count, *reason));
            writeln!(f, "{title}:")?;
            for (reason, count) in counted {
                writeln!(f, "{count:6} {reason}")?;
            }
        }
        Ok(())
    }
}

/// A message without the values of one file.
fn reason(message: &str) -> String {
    let (path, rule) = message.split_once(": ").unwrap_or(("", message));
    let path = path.split(" is ").next().unwrap_or_default();
    let mut quoted = false;
    let plain: String = format!("{path}: {rule}")
        .chars()
        .filter(|c| {
            let tick = *c == '`';
            quoted ^= tick;
            !tick && !quoted && !c.is_ascii_digit()
        })
        .collect();
    plain
}

/// Every member of a file is honoured, or something is said about it or about what holds it.
fn nothing_is_dropped(file: &File, stderr: &str) {
    let Ok(documents) = read(&file.bytes).documents else { return };
    let said: BTreeSet<(usize, usize)> = stderr
        .lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(&format!("{}:", file.name))?;
            let mut parts = rest.splitn(3, ':');
            Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
        })
        .collect();
    let text = String::from_utf8_lossy(&file.bytes);
    let text = text.trim_start_matches('\u{feff}');
    for document in documents {
        // A document that is none at all is refused as a whole.
        if document.places.get("").is_some_and(|place| {
            let (line, column) = linkspan::render::position(text, place.value.start);
            stderr.contains(&format!("{}:{line}:{column}: error: ", file.name))
        }) {
            continue;
        }
        // With this mode, both say what is so anyway.
        let exact = |path: &str| path.ends_with("networkMode") || path.ends_with(".hostPort");
        let inner = document.value.get("taskDefinition").unwrap_or(&document.value);
        let awsvpc = inner.get("networkMode") == Some(&json!("awsvpc"));
        for (path, place) in &document.places {
            let is_told = |span: linkspan::render::Span| {
                said.contains(&linkspan::render::position(text, span.start))
            };
            let value = lookup(&document.value, path);
            if value.is_some_and(|value| is_empty(value) || *value == json!(false)) {
                continue;
            }
            let mut above = path.as_str();
            let mut told = false;
            loop {
                if let Some(place) = document.places.get(above) {
                    told |= is_told(place.value) || place.key.is_some_and(is_told);
                }
                let Some(end) = above.rfind(['.', '[']) else { break };
                above = &above[..end];
            }
            // What holds other members is as honoured as they are.
            if told || place.holds || honoured(path, value) || (awsvpc && exact(path)) {
                continue;
            }
            panic!("{}: {path} is neither honoured nor reported", file.name);
        }
    }
}

fn lookup<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut pointer = String::new();
    for c in path.chars() {
        match c {
            '[' | '.' if pointer.is_empty() => pointer.push('/'),
            '[' | '.' => pointer.push('/'),
            ']' => {}
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
    let pointer = if pointer.is_empty() || pointer.starts_with('/') {
        pointer
    } else {
        format!("/{pointer}")
    };
    value.pointer(&pointer)
}

/// Whether the member table has this member of a task definition or a service as honoured.
fn honoured(path: &str, value: Option<&Value>) -> bool {
    let mut row = String::new();
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => {
                inside = true;
                row.push_str("[]");
            }
            ']' => inside = false,
            _ if inside => {}
            c => row.push(c),
        }
    }
    let row = row.strip_prefix("taskDefinition.").unwrap_or(&row);
    let row = row.strip_prefix("services[].").unwrap_or(row);
    let row = row.strip_prefix("service.").unwrap_or(row);
    let list = row.strip_prefix("[]").map(|below| format!("containerDefinitions[]{below}"));
    let row = list.as_deref().unwrap_or(row);
    let text = value.and_then(Value::as_str).unwrap_or_default();
    let is_honoured = |path: &str| {
        [Input::TaskDefinition, Input::Service]
            .iter()
            .filter_map(|input| input.member(path))
            .any(|member| member.verdict == Verdict::Honoured || member.harmless.contains(&text))
    };
    // An element of a list of texts is its list; a member of a map is its map.
    let of_map = row.rsplit_once('.').is_some_and(|(map, _)| {
        let shape = Input::TaskDefinition.member(map).map(|member| member.shape);
        matches!(shape, Some(Shape::StringMap | Shape::Document)) && is_honoured(map)
    });
    // UpdateService's name for `serviceName`.
    is_honoured(row.trim_end_matches("[]")) || of_map || row == "service"
}
