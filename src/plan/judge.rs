//! What does the member table say of a spec as it was written?
//!
//! Walks the raw JSON beside the table and reports every member that has no or less effect than in
//! ECS, every member that ECS does not know, and every wrong shape. It looks at shapes and names
//! only; what a value may be is judged where it is used, but for tags, which are used nowhere that
//! looks at their rules and are the same everywhere.

use serde_json::Value;

use super::finding::{Finding, Findings, Level};
use super::tags::judge_tags;
use crate::ecs::members::{Input, Member, Shape, Verdict};

/// Members that DescribeTaskDefinition and DescribeServices add, and that no input has.
const DESCRIBE_ONLY: &[&str] = &[
    "compatibilities",
    "createdAt",
    "createdBy",
    "deployments",
    "deregisteredAt",
    "events",
    "pendingCount",
    "platformFamily",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "revision",
    "roleArn",
    "runningCount",
    "serviceArn",
    "clusterArn",
    "status",
    "taskDefinitionArn",
    "taskSets",
];

/// Whether a member is only reported by ECS, and not part of what it is given.
pub fn is_described_only(input: Input, name: &str) -> bool {
    input.member(name).is_none() && DESCRIBE_ONLY.contains(&name)
}

/// Judges a whole spec.
pub fn judge(input: Input, spec: &Value, findings: &mut Findings) {
    match spec {
        Value::Object(_) => {
            members(input, spec, "", "", findings);
            judge_tags(spec, findings);
        }
        other => findings.refuse_value("spec", brief(other), "the spec must be an object"),
    }
}

/// A JSON value in a few characters.
pub fn brief(value: &Value) -> String {
    let text = match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => scalar.to_string(),
    };
    shortened(&text)
}

/// As much of a text as a message has room for: 60 characters.
pub(super) fn shortened(text: &str) -> String {
    if text.chars().count() > 60 {
        text.chars().take(57).chain("...".chars()).collect()
    } else {
        text.to_owned()
    }
}

/// Whether a value says nothing: ECS's own tools write null, `""`, `[]` and `{}` for absent.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn members(input: Input, object: &Value, place: &str, row_prefix: &str, findings: &mut Findings) {
    let Value::Object(object) = object else { return };
    for (name, value) in object {
        let path = join(place, name);
        let row_path = join(row_prefix, name);
        if place.is_empty() && name == "kubernetes" {
            continue;
        }
        match input.member(&row_path) {
            None => unknown(input, name, value, path, &row_path, findings),
            Some(_) if is_empty(value) => {}
            Some(member) => known(input, member, value, path, findings),
        }
    }
}

fn known(input: Input, member: &Member, value: &Value, path: String, findings: &mut Findings) {
    if let Some(expected) = wrong_shape(member.shape, value) {
        findings.refuse_value(path, brief(value), format!("must be {expected}"));
        return;
    }
    let about = |level, message: &str| Finding {
        level,
        path: path.clone(),
        value: None,
        message: message.to_owned(),
    };
    match member.verdict {
        Verdict::Honoured => {}
        // Switched off is what this version does anyway.
        Verdict::NotYet | Verdict::Approximated(_) if *value == Value::Bool(false) => {}
        _ if value.as_str().is_some_and(|text| member.harmless.contains(&text)) => {}
        Verdict::Approximated(how) => findings.0.push(about(Level::Differs, how)),
        Verdict::Recorded => {
            findings.0.push(about(Level::Recorded, "kept, without effect"));
            return;
        }
        Verdict::Refused(why) => {
            findings.0.push(about(Level::Refused, why));
            return;
        }
        Verdict::NotYet => {
            // The parent speaks for its children, but a refusal below it is still one.
            findings.0.push(about(Level::Differs, "has no effect in this version of Linkspan"));
            let mut below = Findings::default();
            children(input, member, value, &path, &mut below);
            findings.0.extend(below.0.into_iter().filter(|f| f.level == Level::Refused));
            return;
        }
    }
    let from = findings.0.len();
    children(input, member, value, &path, findings);
    if let Verdict::Approximated(how) = member.verdict {
        // What is said of the whole is not said again of its parts.
        let mut of_parts = findings.0.split_off(from);
        of_parts.retain(|finding| finding.level != Level::Differs || finding.message != how);
        findings.0.append(&mut of_parts);
    }
}

/// Judges what stands inside a member.
fn children(input: Input, member: &Member, value: &Value, path: &str, findings: &mut Findings) {
    match (member.shape, value) {
        (Shape::Object, _) => members(input, value, path, member.path, findings),
        (Shape::Objects, Value::Array(list)) => {
            let row_prefix = format!("{}[]", member.path);
            for (at, element) in list.iter().enumerate() {
                let place = format!("{path}[{at}]");
                if element.is_object() {
                    members(input, element, &place, &row_prefix, findings);
                } else {
                    findings.refuse_value(place, brief(element), "must be an object");
                }
            }
        }
        _ => {}
    }
}

fn unknown(
    input: Input,
    name: &str,
    value: &Value,
    path: String,
    row_path: &str,
    findings: &mut Findings,
) {
    if !row_path.contains('.') && DESCRIBE_ONLY.contains(&name) {
        findings.0.push(Finding {
            level: Level::Recorded,
            path,
            value: None,
            message: "is part of what ECS reports, not of what it is given; kept, without effect"
                .to_owned(),
        });
    } else if !is_empty(value) {
        let message = match near_miss(input, row_path) {
            Some(meant) => format!("is not a member of ECS's input; did you mean `{meant}`?"),
            None => "is not a member of ECS's input; kept, without effect".to_owned(),
        };
        findings.differs(path, message);
    }
}

/// The member of the same parent that differs in case, or by a plural's `s`.
fn near_miss(input: Input, row_path: &str) -> Option<&'static str> {
    let plain = |path: &str| path.to_ascii_lowercase().trim_end_matches('s').to_owned();
    let wanted = plain(row_path);
    let member = input.members().find(|member| plain(member.path) == wanted)?;
    member.path.rsplit(['.', ']']).next()
}

fn wrong_shape(shape: Shape, value: &Value) -> Option<&'static str> {
    let digits = |text: &str| text.trim().parse::<i64>().is_ok();
    let (fits, expected) = match shape {
        Shape::String => (value.is_string() || value.is_number(), "a text"),
        Shape::Integer => (
            value.as_i64().is_some()
                || value.as_f64().is_some_and(|number| number.fract() == 0.0)
                || value.as_str().is_some_and(digits),
            "a whole number",
        ),
        Shape::Number => (
            value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok()),
            "a number",
        ),
        Shape::Boolean => (
            value.is_boolean() || matches!(value.as_str(), Some("true" | "false")),
            "true or false",
        ),
        Shape::Timestamp => (value.is_number() || value.is_string(), "a time"),
        Shape::Object | Shape::StringMap | Shape::Document => (value.is_object(), "an object"),
        Shape::Objects => (value.is_array(), "a list of objects"),
        Shape::Strings => (
            value.as_array().is_some_and(|list| {
                list.iter().all(|element| element.is_string() || element.is_number())
            }),
            "a list of texts",
        ),
        Shape::Integers => (value.is_array(), "a list of whole numbers"),
    };
    (!fits).then_some(expected)
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}
