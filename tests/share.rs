//! How much of what people write is honoured?
//!
//! `LINKSPAN_CORPUS` names a folder with `files/*.json` and `index.tsv` (file, and in its fourth
//! column the repository that it comes from). A use is one member in one repository, however many of
//! its files have it: what a thousand copies of one file say counts once. Counted are members that
//! hold a value; what only holds other members is as honoured as they are. `false`, empty values, and
//! values with which nothing differs count as honoured, and so does what is *recorded*: it is
//! bookkeeping of AWS, which does in a cluster all that it can do there, nothing. Refused and "not
//! yet" count as neither honoured nor approximated. Members that the API does not have are not
//! counted. A task definition's role, secret or log driver counts as honoured by the table's verdict,
//! although a Cluster's table must say what stands for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[macro_use]
#[path = "included/tell.rs"]
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use linkspan::ecs::members::{Input, Member, Shape, Verdict};
use linkspan::plan::judge::is_empty;
use linkspan::render::read;
use serde_json::Value;

/// A member, and whether all values of it in one repository are honoured whatever its verdict is.
type Uses = BTreeMap<(String, Input, &'static str), bool>;

#[test]
#[allow(clippy::disallowed_methods, reason = "a test has no command line to be told by")]
fn most_of_what_people_write_is_honoured() {
    let Ok(folder) = std::env::var("LINKSPAN_CORPUS").map(PathBuf::from) else {
        tell!("skipped: set LINKSPAN_CORPUS to a folder with files/*.json and index.tsv");
        return;
    };
    let uses = uses(&folder);
    assert!(!uses.is_empty(), "the folder is empty");
    let mut others: BTreeMap<(Input, &str), usize> = BTreeMap::new();
    let mut all = Share::default();
    let mut by_input: BTreeMap<Input, Share> = BTreeMap::new();
    for ((_, input, path), harmless) in &uses {
        let verdict = input.member(path).unwrap().verdict;
        let verdict = if *harmless { Verdict::Honoured } else { verdict };
        all.count(verdict);
        by_input.entry(*input).or_default().count(verdict);
        if matches!(verdict, Verdict::Refused(_) | Verdict::NotYet) {
            *others.entry((*input, path)).or_default() += 1;
        }
    }
    for (input, share) in &by_input {
        tell!("{input:?}: {share}");
    }
    tell!("all: {all}");
    let mut others: Vec<_> = others.into_iter().collect();
    others.sort_by_key(|(of, count)| (usize::MAX - count, *of));
    for ((input, path), count) in others.iter().take(30) {
        tell!("{count:6} {input:?} {path}");
    }
    assert!(all.honoured() >= 85.0 && all.close() >= 97.0, "of all uses: {all}");
    let task_definitions = by_input.get(&Input::TaskDefinition).unwrap();
    assert!(task_definitions.close() >= 97.0, "of task definitions: {task_definitions}");
}

/// How many uses have which verdict.
#[derive(Default)]
struct Share {
    honoured: usize,
    recorded: usize,
    approximated: usize,
    not_yet: usize,
    refused: usize,
}

impl Share {
    fn count(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Honoured => &mut self.honoured,
            Verdict::Recorded => &mut self.recorded,
            Verdict::Approximated(_) => &mut self.approximated,
            Verdict::Refused(_) => &mut self.refused,
            Verdict::NotYet => &mut self.not_yet,
        } += 1;
    }

    fn all(&self) -> usize {
        self.honoured + self.recorded + self.approximated + self.not_yet + self.refused
    }

    /// Percent that are honoured, or recorded.
    fn honoured(&self) -> f64 {
        percent(self.honoured + self.recorded, self.all())
    }

    /// Percent that are honoured, recorded or approximated.
    fn close(&self) -> f64 {
        percent(self.honoured + self.recorded + self.approximated, self.all())
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { recorded, not_yet, refused, .. } = self;
        write!(
            f,
            "{} uses, {:.1} % honoured ({recorded} of them recorded), {:.1} % honoured or \
             approximated; {not_yet} not yet, {refused} refused",
            self.all(),
            self.honoured(),
            self.close(),
        )
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of uses, far below 2^52")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn uses(folder: &Path) -> Uses {
    let index = fs::read_to_string(folder.join("index.tsv")).unwrap();
    let mut uses = Uses::new();
    for line in index.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, _, _, repository, ..] = columns.as_slice() else { continue };
        let Ok(bytes) = fs::read(folder.join("files").join(file)) else { continue };
        for document in read(&bytes).documents.unwrap_or_default() {
            for (input, spec) in specs(&document.value) {
                walk(input, &spec, "", &mut |member, value| {
                    let harmless = is_harmless(member, value);
                    let key = ((*repository).to_owned(), input, member.path);
                    *uses.entry(key).or_insert(true) &= harmless;
                });
            }
        }
    }
    uses
}

/// The task definitions and services of a document.
fn specs(document: &Value) -> Vec<(Input, Value)> {
    let mut specs = Vec::new();
    if let Value::Array(list) = document {
        if list.iter().all(|element| element.get("image").is_some()) {
            let spec = serde_json::json!({"containerDefinitions": document});
            specs.push((Input::TaskDefinition, spec));
        } else {
            specs.extend(list.iter().flat_map(specs_of_one));
        }
    } else {
        specs.extend(specs_of_one(document));
    }
    specs
}

fn specs_of_one(value: &Value) -> Vec<(Input, Value)> {
    if value.get("containerDefinitions").is_some() {
        return vec![(Input::TaskDefinition, value.clone())];
    }
    if let Some(inner) = value.get("taskDefinition").filter(|inner| inner.is_object()) {
        return vec![(Input::TaskDefinition, inner.clone())];
    }
    match value.get("services") {
        Some(Value::Array(list)) => list.iter().map(|one| (Input::Service, one.clone())).collect(),
        _ => vec![(
            Input::Service,
            value.get("service").filter(|s| s.is_object()).unwrap_or(value).clone(),
        )],
    }
}

/// Visits the members that hold a value, but for what says nothing.
fn walk(
    input: Input,
    object: &Value,
    prefix: &str,
    visit: &mut impl FnMut(&'static Member, &Value),
) {
    for (name, value) in object.as_object().into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let Some(member) = input.member(&path).filter(|_| !is_empty(value)) else { continue };
        match member.shape {
            Shape::Object => walk(input, value, &path, visit),
            Shape::Objects => {
                for element in value.as_array().into_iter().flatten() {
                    walk(input, element, &format!("{path}[]"), visit);
                }
            }
            _ => visit(member, value),
        }
    }
}

/// Whether nothing differs with this value.
fn is_harmless(member: &Member, value: &Value) -> bool {
    *value == Value::Bool(false)
        || value.as_str().is_some_and(|text| member.harmless.contains(&text))
}

#[test]
fn a_use_is_one_member_of_one_repository() {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let spec = serde_json::json!({
        "family": "web", "cpu": "", "unknown": 1,
        "containerDefinitions": [{"name": "a", "portMappings": [{"containerPort": 80}]}, {"name": "b"}],
    });
    let mut count = 0;
    walk(Input::TaskDefinition, &spec, "", &mut |member, _| {
        seen.insert(member.path);
        count += 1;
    });
    let port = "containerDefinitions[].portMappings[].containerPort";
    assert_eq!(seen, BTreeSet::from(["family", "containerDefinitions[].name", port]));
    assert_eq!(count, 4);
}
