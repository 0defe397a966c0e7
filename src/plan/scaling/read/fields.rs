//! How are the members of a scaling policy read, beyond whole numbers and flags?

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::ecs::reference::text;
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};
use crate::plan::task_definition::read::{objects, whole};

/// Seconds that a cooldown can last at most: a year, far beyond any use.
const MOST_SECONDS: i64 = 366 * 86_400;
/// What a cooldown is if nothing is said, in seconds.
const USUAL_COOLDOWN: i64 = 300;

/// Whether a member says nothing.
pub(super) fn is_absent(raw: &Value, member: &str) -> bool {
    raw.get(member).is_none_or(is_empty)
}

/// A number with a fraction, also when written as a text.
pub(super) fn number(raw: &Value, member: &str) -> Option<f64> {
    let number = match raw.get(member)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A cooldown in seconds.
pub(super) fn cooldown(raw: &Value, member: &str, path: &str, findings: &mut Findings) -> i64 {
    whole(raw, member, path, 0..=MOST_SECONDS, findings).unwrap_or(USUAL_COOLDOWN)
}

/// One of a few words, spelled exactly; none if it is absent or none of them.
pub(super) fn word<T: Copy>(
    raw: &Value,
    member: &str,
    path: &str,
    words: &[(&str, T)],
    findings: &mut Findings,
) -> Option<T> {
    let written = text(raw, member)?;
    if let Some((_, meant)) = words.iter().find(|(word, _)| *word == written) {
        return Some(*meant);
    }
    let path = format!("{path}.{member}");
    let near = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&written));
    let rule = if let Some((word, _)) = near {
        format!("is not known; did you mean `{word}`?")
    } else {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("must be {}", either(&all))
    };
    findings.refuse_value(path, format!("`{written}`"), rule);
    None
}

/// Words as in "a, b or c".
pub(super) fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// A name that must be there, has 1 to 256 characters of print, and is used once.
pub(super) fn name(
    raw: &Value,
    member: &str,
    path: &str,
    taken: &mut BTreeSet<String>,
    findings: &mut Findings,
) -> Option<String> {
    let path = format!("{path}.{member}");
    let Some(name) = text(raw, member) else {
        findings.refuse(path, "is required: a name, unique in the service");
        return None;
    };
    if name.chars().count() > 256 || name.chars().any(char::is_control) {
        findings.refuse(path, "must be 1 to 256 characters, control characters excluded");
        return None;
    }
    if !taken.insert(name.clone()) {
        findings.refuse_value(path, format!("`{name}`"), "is taken; each must have its own name");
        return None;
    }
    Some(name)
}

/// A point in time: epoch seconds or RFC 3339, in UTC where no offset is given.
pub(super) fn instant(
    raw: &Value,
    member: &str,
    path: &str,
    findings: &mut Findings,
) -> Option<Timestamp> {
    let value = raw.get(member).filter(|value| !is_empty(value))?;
    let read = match value {
        Value::Number(seconds) => seconds.as_f64().and_then(|seconds| {
            #[allow(clippy::cast_possible_truncation, reason = "checked to be within range")]
            let whole = (seconds.abs() < 2.5e11).then_some(seconds as i64);
            Timestamp::from_second(whole?).ok()
        }),
        Value::String(text) => text.parse::<Timestamp>().ok().or_else(|| {
            let wall: DateTime = text.parse().ok()?;
            Some(wall.to_zoned(TimeZone::UTC).ok()?.timestamp())
        }),
        _ => None,
    };
    if read.is_none() {
        let rule = "must be a time in UTC as in 2026-01-31T18:00:00Z, or seconds since 1970";
        findings.refuse_value(format!("{path}.{member}"), brief(value), rule);
    }
    read
}

/// `dimensions`: names and values.
pub(super) fn dimensions(
    raw: &Value,
    path: &str,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let mut dimensions = BTreeMap::new();
    for (path, dimension) in objects(raw, "dimensions", path) {
        match (text(dimension, "name"), text(dimension, "value")) {
            (Some(name), Some(value)) => {
                dimensions.insert(name, value);
            }
            _ => findings.refuse(path, "needs both name and value"),
        }
    }
    dimensions
}
