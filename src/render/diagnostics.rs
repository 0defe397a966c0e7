//! How is a finding shown? With its place, the line it stands in, and a mark under the value.

use std::fmt::Write as _;

use super::source::{Document, Place, Span, position};
use crate::ecs::members::Input;
use crate::plan::finding::{Finding, Level};

/// How many characters of a line are shown.
const WIDEST: usize = 100;

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Nothing is rendered from it.
    Error,
    /// It works with a difference.
    Warning,
    /// Good to know.
    Note,
    /// What a careful person would change.
    Hint,
}

/// Something to say about a place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diagnostic {
    /// How much it matters.
    pub(super) severity: Severity,
    /// The number of the file.
    pub(super) source: usize,
    /// Where in its text.
    pub(super) span: Option<Span>,
    /// What, beginning with the path where there is one.
    pub(super) message: String,
}

/// How much a finding matters here; with `strict`, what differs is an error.
pub(super) fn severity(finding: &Finding, strict: bool) -> Severity {
    match finding.level {
        Level::Refused => Severity::Error,
        Level::Differs if strict => Severity::Error,
        Level::Differs => Severity::Warning,
        Level::Recorded => Severity::Note,
    }
}

/// The place that a path names: its value, or its name where the name is what is meant. A path
/// that is not there stands for what should hold it.
pub(super) fn span_of(document: &Document, path: &str, of_name: bool) -> Option<Span> {
    let mut path = path;
    let mut missing = false;
    loop {
        if let Some(Place { key, value, holds }) = document.places.get(path) {
            return Some(match key {
                Some(key) if of_name || missing || *holds => *key,
                _ => *value,
            });
        }
        missing = true;
        if path.is_empty() {
            return None;
        }
        path = path.rfind(['.', '[']).map_or("", |end| path.get(..end).unwrap_or_default());
    }
}

/// A path as a document writes it that is in other letters' case, as CloudFormation's are: of the path,
/// or of the nearest part that holds it.
pub(super) fn as_written(document: &Document, path: &str) -> String {
    let mut path = path;
    while !path.is_empty() {
        if let Some(written) = document.places.keys().find(|key| key.eq_ignore_ascii_case(path)) {
            return written.clone();
        }
        path = path.rfind(['.', '[']).map_or("", |end| path.get(..end).unwrap_or_default());
    }
    String::new()
}

/// Whether a finding is about the name of a member: ECS has none of that name.
pub(super) fn is_about_name(input: Input, path: &str) -> bool {
    // What ECS has no word for has names of its own.
    if input == Input::Cluster && path.starts_with("kubernetes.") {
        return false;
    }
    let mut row = String::new();
    for part in path.split_inclusive(']') {
        match part.split_once('[') {
            Some((before, _)) => {
                row.push_str(before);
                row.push_str("[]");
            }
            None => row.push_str(part),
        }
    }
    input.member(row.trim_end_matches("[]")).is_none()
}

/// All diagnostics as text, in the order of the files.
pub(super) fn show(mut diagnostics: Vec<Diagnostic>, sources: &[(&str, &str)]) -> String {
    diagnostics.sort_by_key(|diagnostic| (diagnostic.source, diagnostic.span.map(|s| s.start)));
    diagnostics.dedup();
    let mut shown = String::new();
    for diagnostic in &diagnostics {
        let Some((name, text)) = sources.get(diagnostic.source) else { continue };
        one(diagnostic, name, text, &mut shown);
    }
    shown
}

fn one(diagnostic: &Diagnostic, name: &str, text: &str, shown: &mut String) {
    let word = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
        Severity::Hint => "hint",
    };
    let message = printable(&diagnostic.message);
    let Some(span) = diagnostic.span else {
        let _ = writeln!(shown, "{name}: {word}: {message}");
        return;
    };
    let (line, column) = position(text, span.start);
    let _ = writeln!(shown, "{name}:{line}:{column}: {word}: {message}");
    let whole = text.lines().nth(line - 1).unwrap_or_default();
    let length = text
        .get(span.start..span.end)
        .map_or(1, |value| value.lines().next().unwrap_or_default().trim_end().chars().count());
    // A long line is shown around its value.
    let fits = column + length.min(WIDEST / 2) <= WIDEST;
    let skipped = if fits { 0 } else { column - column.min(WIDEST / 2) };
    let line_text: String = whole.chars().skip(skipped).take(WIDEST).collect();
    let room = line_text.chars().count().saturating_sub(column - 1 - skipped);
    let marks = "^".repeat(length.min(room).max(1));
    let gutter = line.to_string();
    let before = " ".repeat(column - 1 - skipped);
    let _ = writeln!(shown, "  {gutter} | {}", printable(&line_text).trim_end());
    let _ = writeln!(shown, "  {} | {before}{marks}", " ".repeat(gutter.len()));
}

/// A text with nothing in it that a terminal would act on.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
