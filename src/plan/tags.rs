//! Which tags does an object have, and what is wrong with them?
//!
//! The rules are those of ECS's `Tag`, alike for everything that can be tagged. What becomes of tags is
//! for others to say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::finding::Findings;
use super::judge::shortened;
use crate::ecs::reference::text;

/// The most tags of one object; AWS's own do not count.
const MOST: usize = 50;
/// The most characters of a key.
const MOST_OF_KEY: usize = 128;
/// The most characters of a value.
const MOST_OF_VALUE: usize = 256;

/// The tags of a spec, by key.
pub(in crate::plan) fn tags(spec: &Value) -> BTreeMap<String, String> {
    listed(spec).map(|(_, key, value)| (key, value)).collect()
}

/// Judges the tags of a spec. Those of AWS, as `aws:cloudformation:stack-name`, are in what it
/// describes, and are let be.
pub(super) fn judge_tags(spec: &Value, findings: &mut Findings) {
    let mut keys = BTreeSet::new();
    let given = listed(spec).filter(|(_, key, _)| !key.to_ascii_lowercase().starts_with("aws:"));
    for (at, key, value) in given {
        let path = |member: &str| format!("tags[{at}].{member}");
        if key.is_empty() || key.chars().count() > MOST_OF_KEY || !is_taggable(&key) {
            let rule = "must be 1 to 128 letters, digits, spaces and characters of _.:/=+-@";
            findings.refuse_value(path("key"), shortened(&key), rule);
        }
        if value.chars().count() > MOST_OF_VALUE || !is_taggable(&value) {
            let rule = "must be at most 256 letters, digits, spaces and characters of _.:/=+-@";
            findings.refuse_value(path("value"), shortened(&value), rule);
        }
        if !keys.insert(key.clone()) {
            findings.refuse_value(path("key"), shortened(&key), "is there twice; keep one of them");
        }
    }
    if keys.len() > MOST {
        let message = format!("has {} tags; there may be {MOST}: leave some out", keys.len());
        findings.refuse("tags", message);
    }
}

/// Place, key and value of each that is given; an empty pair is none.
fn listed(spec: &Value) -> impl Iterator<Item = (usize, String, String)> {
    let tags = spec.get("tags").and_then(Value::as_array).into_iter().flatten();
    tags.enumerate().filter_map(|(at, tag)| {
        let (key, value) = (text(tag, "key"), text(tag, "value"));
        let given = key.is_some() || value.is_some();
        given.then(|| (at, key.unwrap_or_default(), value.unwrap_or_default()))
    })
}

fn is_taggable(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test, what must not be ends it")]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(tags: &Value) -> Vec<String> {
        let mut findings = Findings::default();
        judge_tags(&json!({"tags": tags}), &mut findings);
        findings.0.into_iter().map(|one| format!("{}: {}", one.path, one.message)).collect()
    }

    #[test]
    fn each_rule_is_kept_and_told() {
        let tag = |key: &str, value: &str| json!({"key": key, "value": value});
        let fine = json!([tag("team", "Größe 1 @_.:/=+-"), tag(&"k".repeat(128), &"v".repeat(256)),
            tag("", ""), {"key": "alone"}, tag("aws:ecs:x{}", "{}")]);
        assert_eq!(said(&fine), Vec::<String>::new());
        for (tags, part) in [
            (json!([tag("", "x")]), "tags[0].key: must be 1 to 128"),
            (json!([tag("a", "b"), tag(&"k".repeat(129), "")]), "tags[1].key: must be 1 to 128"),
            (json!([tag("a{b}", "")]), "tags[0].key: must be"),
            (json!([tag("a", &"v".repeat(257))]), "tags[0].value: must be at most 256"),
            (json!([tag("a", "{}")]), "tags[0].value: must be"),
            (json!([tag("a", "b"), tag("a", "c")]), "tags[1].key: is there twice"),
        ] {
            let said = said(&tags);
            assert!(said.len() == 1 && said.iter().all(|one| one.starts_with(part)), "{said:?}");
        }
    }

    #[test]
    fn there_are_fifty_at_most() {
        let of = |count: usize| {
            let tags: Vec<Value> = (0..count).map(|at| json!({"key": format!("k{at}")})).collect();
            said(&json!(tags))
        };
        assert_eq!(of(50), Vec::<String>::new());
        assert_eq!(of(51), ["tags: has 51 tags; there may be 50: leave some out"]);
    }

    #[test]
    fn tags_are_read_by_key() {
        let spec = json!({"tags": [{"key": "b", "value": "2"}, {"key": "a"}, {"value": "x"}]});
        let expected = [("", "x"), ("a", ""), ("b", "2")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(tags(&spec), BTreeMap::from(expected));
    }
}
