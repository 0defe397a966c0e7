//! What does `linkspan render` print for these inputs?
//!
//! One folder under `tests/render` is one case: its `*.json` and `*.yaml` are the input, `options`
//! holds arguments, `expected.yaml` (or `expected.json`) is what must be printed, and
//! `expected.stderr` what must be said. `UPDATE=1 cargo test` writes both anew. Folders under
//! `tests/import` and `tests/map` are cases of those two commands.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use linkspan::cli::RenderOptions;
use linkspan::render::{File, Format, Options, Output, clusters, import, run};

/// The options of a case, as a command line has them.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: RenderOptions,
    /// An option of `linkspan map`.
    #[arg(long)]
    beside: bool,
}

fn cases() -> Vec<PathBuf> {
    let cases = cases_in("tests/render");
    assert!(cases.len() > 10, "the cases are gone");
    cases
}

fn cases_in(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn files(case: &Path) -> Vec<File> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let is_input = path.extension().is_some_and(|end| end == "json" || end == "yaml");
            if !is_input || name.starts_with("expected.") {
                return None;
            }
            Some(File { name, bytes: fs::read(path).ok()? })
        })
        .collect()
}

fn options(case: &Path) -> Options {
    let line = fs::read_to_string(case.join("options")).unwrap_or_default();
    let words = ["render"].into_iter().chain(line.split_whitespace());
    let Line { options, beside } = Line::parse_from(words);
    Options { beside, ..options.into() }
}

/// What differs between a file of a case and what it should hold.
fn compare(path: &Path, found: &str, update: bool) -> Option<String> {
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == found {
        return None;
    }
    if update {
        fs::write(path, found).unwrap();
        return None;
    }
    let at = expected.lines().zip(found.lines()).position(|(a, b)| a != b);
    let at = at.unwrap_or_else(|| expected.lines().count().min(found.lines().count()));
    let mut message = format!("{}:{}:\n", path.display(), at + 1);
    for (sign, text) in [("-", &*expected), ("+", found)] {
        for line in text.lines().skip(at).take(5) {
            let _ = writeln!(message, "  {sign} {line}");
        }
    }
    Some(message)
}

#[test]
fn every_case_prints_what_is_expected_of_it() {
    print_what_is_expected(&cases(), run);
}

#[test]
fn every_import_prints_what_is_expected_of_it() {
    print_what_is_expected(&cases_in("tests/import"), import);
}

#[test]
fn every_map_prints_what_is_expected_of_it() {
    print_what_is_expected(&cases_in("tests/map"), clusters);
}

#[allow(clippy::disallowed_methods, reason = "a test reads its environment")]
fn print_what_is_expected(cases: &[PathBuf], command: fn(&[File], &Options) -> Output) {
    let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
    let mut differences = String::new();
    assert!(!cases.is_empty(), "the cases are gone");
    for case in cases {
        let options = options(case);
        let Output { stdout, stderr, failed } = command(&files(case), &options);
        let said: bool = stderr.lines().any(|line| line.contains(": error: "));
        assert_eq!(failed, said, "{}: fails, and says why", case.display());
        let printed = match options.format {
            Format::Yaml => "expected.yaml",
            Format::Json => "expected.json",
        };
        for (name, found) in [(printed, stdout), ("expected.stderr", stderr)] {
            differences.extend(compare(&case.join(name), &found, update));
        }
    }
    assert!(
        differences.is_empty(),
        "{differences}\nIf that is as it should be: UPDATE=1 cargo test --test render"
    );
}

/// The files of a folder's objects, of this folder and of those in it.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(folders(&path));
        }
    }
    all
}

#[test]
fn every_example_is_rendered() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let with_files: Vec<PathBuf> =
        folders(&examples).into_iter().filter(|folder| !files(folder).is_empty()).collect();
    assert!(with_files.len() > 5, "the examples are gone");
    for folder in with_files {
        let output = run(&files(&folder), &Options::default());
        assert!(!output.failed, "{}: {}", folder.display(), output.stderr);
    }
}

#[test]
fn how_linkspan_is_installed_can_be_said() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let of = |folder: &str, line: &[&str]| {
        let words = ["render"].iter().chain(line);
        let Line { options, .. } = Line::parse_from(words);
        run(&files(&examples.join(folder)), &options.into())
    };
    assert!(!of("constrained", &[]).failed);
    let refused = of("constrained", &["--node-writes", "false"]);
    assert!(refused.stderr.contains("the right to label nodes"), "{}", refused.stderr);
    let text = r#"[
        {"family": "web", "containerDefinitions": [{"name": "web", "image": "web:1", "memory": 64}]},
        {"serviceName": "web", "taskDefinition": "web",
            "placementStrategy": [{"type": "binpack", "field": "memory"}]}]"#;
    let packed = [File { name: "web.json".to_owned(), bytes: text.as_bytes().to_vec() }];
    let scheduler = "schedulerName: linkspan-binpack-memory";
    for packs in [false, true] {
        let output = run(&packed, &Options { packs, ..Options::default() });
        assert!(!output.failed, "{}", output.stderr);
        assert_eq!(output.stdout.contains(scheduler), packs, "{}", output.stdout);
    }
}

#[test]
fn the_order_of_files_changes_no_manifest() {
    for case in cases() {
        let options = Options { format: Format::Yaml, ..options(&case) };
        let documents = |mut files: Vec<File>, turn: bool| -> BTreeSet<String> {
            if turn {
                files.reverse();
            }
            let stdout = run(&files, &options).stdout;
            stdout.split("---\n").map(ToOwned::to_owned).collect()
        };
        let (there, back) = (documents(files(&case), false), documents(files(&case), true));
        assert_eq!(there, back, "{}", case.display());
    }
}

/// A file of what was printed.
fn printed(output: &Output) -> File {
    File { name: "printed.yaml".to_owned(), bytes: output.stdout.clone().into_bytes() }
}

#[test]
fn import_then_render_is_render() {
    for case in cases() {
        let options = Options { all: false, format: Format::Yaml, ..options(&case) };
        let rendered = run(&files(&case), &options);
        if rendered.failed {
            continue;
        }
        let imported = import(&files(&case), &options);
        let again = run(&[printed(&imported)], &options);
        // The annotation that remembers what was asked for has what ECS reports of it too.
        let plain = |output: &Output| -> Vec<String> {
            let remembered = |line: &str| line.contains("/record: ") || line.contains("/intent: ");
            let lines = output.stdout.lines().filter(|line| !remembered(line));
            lines.map(ToOwned::to_owned).collect()
        };
        assert_eq!(plain(&again), plain(&rendered), "{}:\n{}", case.display(), imported.stdout);
    }
}

#[test]
fn the_cluster_that_map_prints_answers_every_finding() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/render/unmapped");
    let mut files = files(&case);
    let cluster = clusters(&files, &Options::default());
    assert!(cluster.stdout.contains("# Beside it, namespace default must have:"), "{cluster:?}");
    files.push(printed(&cluster));
    let output = run(&files, &Options::default());
    assert!(!output.failed && !output.stderr.contains("spec.kubernetes"), "{}", output.stderr);
    files.extend([printed(&cluster)]);
    files.swap_remove(1);
    assert_eq!(clusters(&files, &Options::default()).stdout, "", "nothing is left to map");
}

#[test]
fn placeholders_are_filled_and_hints_are_given_where_that_is_asked() {
    let text = r#"{"family": "web", "memory": "128",
        "containerDefinitions": [{"name": "web", "image": "<IMAGE1_NAME>:${TAG}"}]}"#;
    let files = [File { name: "web.json".to_owned(), bytes: text.as_bytes().to_vec() }];
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let set = vec![pair("IMAGE1_NAME", "example"), pair("TAG", "latest"), pair("OTHER", "x")];
    let filled = run(&files, &Options { set, hints: true, ..Options::default() });
    assert!(filled.stdout.contains("image: example:latest\n"), "{filled:?}");
    assert!(filled.stderr.contains("no file has the placeholder <OTHER>"), "{}", filled.stderr);
    let hints = filled.stderr.matches(": hint: ").count();
    assert_eq!(hints, 3, "version, user, health check: {}", filled.stderr);
    assert!(run(&files, &Options::default()).failed, "a placeholder is no image");
}

#[test]
fn tasks_that_are_all_in_one_zone_are_hinted_at() {
    let row = |subnet: &str, zone: &str| format!("{{subnet: {subnet}, zone: {zone}}}");
    let hints = |subnets: &str, rows: &[String]| {
        let cluster = format!(
            "apiVersion: ecs.linkspan.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: default}}\n\
             spec: {{kubernetes: {{subnets: [{}]}}}}\n",
            rows.join(", ")
        );
        let service = format!(
            "serviceName: web\ntaskDefinition: web\n\
             networkConfiguration: {{awsvpcConfiguration: {{subnets: [{subnets}]}}}}\n"
        );
        let files = [("cluster.yaml", cluster), ("service.yaml", service)]
            .map(|(name, text)| File { name: name.to_owned(), bytes: text.into_bytes() });
        let output = run(&files, &Options { hints: true, ..Options::default() });
        output.stderr.matches("all tasks are in one zone").count()
    };
    assert_eq!(hints("subnet-1", &[]), 1);
    assert_eq!(hints("subnet-1, subnet-2", &[]), 0, "who knows");
    let (one, other) = (row("subnet-1", "a"), row("subnet-2", "b"));
    assert_eq!(hints("subnet-1, subnet-2", &[one.clone(), other]), 0);
    assert_eq!(hints("subnet-1, subnet-2", &[one, row("subnet-2", "a")]), 1);
    assert_eq!(hints("", &[]), 0);
}

#[test]
fn bare_ecs_json_becomes_what_objects_of_linkspan_become() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/render");
    let template = |case: &str| {
        let output = run(&files(&folder.join(case)), &Options::default());
        let start = output.stdout.find("      containers:").unwrap();
        output.stdout[start..].to_owned()
    };
    assert_eq!(template("hello"), template("hello-ecs-json"));
}
