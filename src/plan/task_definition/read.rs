//! How is a member of raw JSON read? Forgiving in form, strict in range.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::plan::finding::Findings;

/// Beyond any machine: keeps sums of sizes within range.
pub(super) const MOST: i64 = 1 << 40;

/// A whole number, also when written as digits; outside its range it is refused.
pub(in crate::plan) fn whole(
    raw: &Value,
    member: &str,
    path: &str,
    range: RangeInclusive<i64>,
    findings: &mut Findings,
) -> Option<i64> {
    let number = match raw.get(member)? {
        Value::Number(number) => number.as_i64().or_else(|| whole_float(number.as_f64()?))?,
        Value::String(digits) => digits.trim().parse().ok()?,
        _ => return None,
    };
    if range.contains(&number) {
        return Some(number);
    }
    let path = if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") };
    let rule = if *range.end() == MOST {
        format!("must be at least {}", range.start())
    } else {
        format!("must be {} to {}", range.start(), range.end())
    };
    findings.refuse_value(path, number, rule);
    None
}

#[allow(clippy::cast_possible_truncation, reason = "checked to be whole and within range")]
fn whole_float(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

/// `true` or `false`, also when written as a text.
pub(in crate::plan) fn flag(raw: &Value, member: &str) -> Option<bool> {
    match raw.get(member)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(word) => word.parse().ok(),
        _ => None,
    }
}

/// A list of texts; an empty one counts as absent.
pub(super) fn texts(raw: &Value, member: &str) -> Option<Vec<String>> {
    let list = raw.get(member)?.as_array().filter(|list| !list.is_empty())?;
    Some(
        list.iter()
            .map(|element| match element {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect(),
    )
}

/// The texts of a list with their places, those left out that say nothing (`[""]`, as ECS's own
/// skeletons have them).
pub(super) fn listed(raw: &Value, member: &str) -> Vec<(usize, String)> {
    let texts = texts(raw, member).unwrap_or_default();
    texts.into_iter().enumerate().filter(|(_, text)| !text.is_empty()).collect()
}

/// The objects of a list with their paths.
pub(in crate::plan) fn objects<'a>(
    raw: &'a Value,
    member: &str,
    path: &str,
) -> impl Iterator<Item = (String, &'a Value)> {
    let path = if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") };
    let list = raw.get(member).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .enumerate()
        .filter(|(_, element)| element.is_object())
        .map(move |(at, element)| (format!("{path}[{at}]"), element))
}

/// A free object with texts.
pub(super) fn text_map(raw: &Value, member: &str) -> Vec<(String, String)> {
    let map = raw.get(member).and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .map(|(name, value)| match value {
            Value::String(text) => (name.clone(), text.clone()),
            Value::Null => (name.clone(), String::new()),
            other => (name.clone(), other.to_string()),
        })
        .collect()
}

/// Whether something can be mounted there: Kubernetes takes no `:`, and ECS no relative path. A
/// Windows path has a drive's letter and its colon in front.
pub(super) fn is_mount_path(path: &str) -> bool {
    let mut letters = path.chars();
    let below_drive = letters
        .next()
        .filter(char::is_ascii_alphabetic)
        .and_then(|_| letters.as_str().strip_prefix(":\\").or(letters.as_str().strip_prefix(":/")));
    below_drive
        .map_or_else(|| path.starts_with('/') && !path.contains(':'), |below| !below.contains(':'))
}
