//! How does a comment get above a member of a YAML document?

use std::collections::BTreeMap;

use super::diagnostics::span_of;
use super::source::{position, read};

/// The document with each comment above the member that its path names, or above what should hold it.
pub(super) fn comment(yaml: &str, comments: &[(String, String)]) -> String {
    let source = read(yaml.as_bytes());
    let document = source.documents.as_ref().ok().and_then(|documents| documents.first());
    let mut above: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (path, comment) in comments {
        let span = document.and_then(|document| span_of(document, path, true));
        let line = span.map_or(1, |span| position(yaml, span.start).0);
        above.entry(line).or_default().push(comment);
    }
    let mut text = String::with_capacity(yaml.len());
    for (at, line) in yaml.lines().enumerate() {
        let margin = line.get(..line.len() - line.trim_start().len()).unwrap_or_default();
        for comment in above.get(&(at + 1)).into_iter().flatten() {
            text.push_str(margin);
            text.push_str(&as_comment(comment));
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// A text as one line of comment, with nothing in it that would end one.
pub(super) fn as_comment(text: &str) -> String {
    let plain: String = text.chars().map(|c| if is_plain(c) { c } else { ' ' }).collect();
    format!("# {plain}\n")
}

fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}
