//! `render` of 500 real files, as a whole process: start, read, render each by itself, end.
//!
//! The files are those of `LINKSPAN_CORPUS`, over and over until there are 500; without it, the
//! inputs of `tests/render`, which are smaller.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that cannot go on ends"
)]

#[path = "support/report.rs"]
mod report;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use linkspan::render::{File, Options, run};
use report::{Report, heads, size};

/// The word by which this program is told to be what is measured.
const RENDER: &str = "render-and-end";

fn main() {
    let count = size("LINKSPAN_FILES", 500);
    let paths = paths();
    if std::env::args().any(|word| word == RENDER) {
        let printed: usize = paths.iter().cycle().take(count).map(|path| render(path)).sum();
        println!("{printed}");
        return;
    }
    let mut times: Vec<(Duration, usize)> = (0..7).map(|_| measure()).collect();
    times.sort();
    let (median, printed) = times[times.len() / 2];
    eprintln!("{} files, {} KiB of manifests each time", paths.len().min(count), printed / 1024);
    let mut report = Report::default();
    heads();
    let milliseconds = median.as_secs_f64() * 1000.0;
    let what = format!("render of {count} files, one process, median of {}", times.len());
    report.row(&what, "≤ 100", milliseconds, "ms", milliseconds <= 100.0);
    report.save("render");
}

/// How long one process takes, and how many bytes it renders.
fn measure() -> (Duration, usize) {
    let started = Instant::now();
    let output = Command::new(std::env::current_exe().unwrap()).arg(RENDER).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    (started.elapsed(), printed)
}

fn render(path: &Path) -> usize {
    let name = path.to_string_lossy().into_owned();
    let file = File { name, bytes: std::fs::read(path).unwrap() };
    run(&[file], &Options::default()).stdout.len()
}

fn paths() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    match std::env::var_os("LINKSPAN_CORPUS") {
        Some(folder) => collect(&PathBuf::from(folder).join("files"), &mut paths),
        None => collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/render"), &mut paths),
    }
    paths.sort();
    assert!(!paths.is_empty(), "no files");
    paths
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|end| end == "json" || end == "yaml") {
            paths.push(path);
        }
    }
}
