//! How is a row of a Cluster's table read? Each member by its rule, every problem with its place.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::ecs::reference::text;
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};

/// The rows of a table; what a row is about may stand in one row only.
pub(super) fn rows<T>(
    kubernetes: &Value,
    table: &str,
    findings: &mut Findings,
    read: fn(&mut Row<'_>) -> Option<(String, T)>,
) -> Vec<T> {
    let path = format!("kubernetes.{table}");
    let list = match kubernetes.get(table) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(other) => {
            findings.refuse_value(path, brief(other), "must be a list of rows");
            return Vec::new();
        }
    };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for (at, raw) in list.iter().enumerate() {
        let path = format!("{path}[{at}]");
        if !raw.is_object() {
            findings.refuse_value(path, brief(raw), "must be an object");
            continue;
        }
        let before = findings.refusals().count();
        let mut row = Row { raw, path, findings, known: Vec::new() };
        let read = read(&mut row);
        row.refuse_others();
        let Some((about, read)) = read.filter(|_| findings.refusals().count() == before) else {
            continue;
        };
        if let Some(earlier) = seen.insert(about.clone(), at) {
            findings.refuse_value(
                format!("kubernetes.{table}[{at}]"),
                format!("about `{about}`"),
                format!("so is {table}[{earlier}]; take one of the two out"),
            );
            continue;
        }
        rows.push(read);
    }
    rows
}

/// A row while it is read.
pub(super) struct Row<'a> {
    pub(super) raw: &'a Value,
    pub(super) path: String,
    pub(super) findings: &'a mut Findings,
    pub(super) known: Vec<&'static str>,
}

impl<'a> Row<'a> {
    /// A member that is an object, read as a row is; none where it is not there.
    pub(super) fn inside<T>(
        &mut self,
        member: &'static str,
        read: fn(&mut Row<'_>) -> T,
    ) -> Option<T> {
        self.known.push(member);
        let raw = self.raw.get(member).filter(|raw| !raw.is_null())?;
        let path = self.at(member);
        self.object_at(raw, path, read)
    }

    /// A member that is a list of objects, each read as a row is.
    pub(super) fn each<T>(
        &mut self,
        member: &'static str,
        mut read: impl FnMut(&mut Row<'_>) -> T,
    ) -> Vec<T> {
        let path = self.at(member);
        let list = self.values(member, "objects");
        let each = list.iter().enumerate();
        each.filter_map(|(at, raw)| self.object_at(raw, format!("{path}[{at}]"), &mut read))
            .collect()
    }

    /// A member that is a list.
    pub(super) fn values(&mut self, member: &'static str, of: &str) -> &'a [Value] {
        self.known.push(member);
        match self.raw.get(member) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(list)) => list,
            Some(other) => {
                let rule = format!("must be a list of {of}");
                self.findings.refuse_value(self.at(member), brief(other), rule);
                &[]
            }
        }
    }

    fn object_at<T>(
        &mut self,
        raw: &Value,
        path: String,
        mut read: impl FnMut(&mut Row<'_>) -> T,
    ) -> Option<T> {
        if !raw.is_object() {
            self.findings.refuse_value(path, brief(raw), "must be an object");
            return None;
        }
        let mut row = Row { raw, path, findings: &mut *self.findings, known: Vec::new() };
        let read = read(&mut row);
        row.refuse_others();
        Some(read)
    }

    /// A member that is one of a few words.
    pub(super) fn word(
        &mut self,
        member: &'static str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let written = self.text(member)?;
        let found = words.iter().find(|word| **word == written);
        if found.is_none() {
            let rule = format!("must be one of {}", words.join(", "));
            self.findings.refuse_value(self.at(member), written, rule);
        }
        found.copied()
    }

    /// A member that names an object of the Cluster's namespace, or of the cluster, where it is there.
    pub(super) fn object_if_given(&mut self, member: &'static str) -> Option<String> {
        let name = self.text(member)?;
        self.check_name(member, &name);
        Some(name)
    }

    /// A member that is a text.
    pub(super) fn text(&mut self, member: &'static str) -> Option<String> {
        self.known.push(member);
        match self.raw.get(member)? {
            Value::Object(_) | Value::Array(_) | Value::Bool(_) => {
                let value = brief(self.raw.get(member)?);
                self.findings.refuse_value(self.at(member), value, "must be a text");
                None
            }
            _ => text(self.raw, member),
        }
    }

    /// A member that is a text, and that a row must have.
    pub(super) fn required(&mut self, member: &'static str, what: &str) -> Option<String> {
        let found = self.text(member);
        if found.is_none() {
            self.findings.refuse(self.at(member), format!("is required: {what}"));
        }
        found
    }

    /// A member that is a whole number within bounds.
    pub(super) fn whole(
        &mut self,
        member: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let written = self.text(member)?;
        let number = written.trim().parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let rule = format!("must be {} to {}", range.start(), range.end());
            self.findings.refuse_value(self.at(member), written, rule);
        }
        number
    }

    /// A member that is an object with texts.
    pub(super) fn texts_by_name(&mut self, member: &'static str) -> BTreeMap<String, String> {
        self.known.push(member);
        let members = match self.raw.get(member) {
            None | Some(Value::Null) => return BTreeMap::new(),
            Some(Value::Object(members)) => members,
            Some(other) => {
                self.findings.refuse_value(self.at(member), brief(other), "must be an object");
                return BTreeMap::new();
            }
        };
        let mut texts = BTreeMap::new();
        for (name, value) in members {
            match value {
                Value::String(text) => {
                    texts.insert(name.clone(), text.clone());
                }
                other => {
                    let path = format!("{}.{name}", self.at(member));
                    self.findings.refuse_value(path, brief(other), "must be a text");
                }
            }
        }
        texts
    }

    /// A member that names an object of the Cluster's namespace.
    pub(super) fn object(&mut self, member: &'static str, what: &str) -> Option<String> {
        let name = self.required(member, what)?;
        self.check_name(member, &name);
        Some(name)
    }

    pub(super) fn check_name(&mut self, member: &str, name: &str) {
        if !is_object_name(name) {
            self.findings.refuse_value(
                self.at(member),
                name,
                "cannot name a Kubernetes object: lower case letters, digits, - and . can, and it \
                 stands in the Cluster's own namespace",
            );
        }
    }

    pub(super) fn at(&self, member: &str) -> String {
        format!("{}.{member}", self.path)
    }

    /// A misspelt member would be a row without effect.
    fn refuse_others(&mut self) {
        let Value::Object(members) = self.raw else { return };
        for (name, _) in members.iter().filter(|(_, value)| !is_empty(value)) {
            if !self.known.contains(&name.as_str()) {
                let message = format!("is not known here; a row has {}", self.known.join(", "));
                self.findings.refuse(self.at(name), message);
            }
        }
    }
}

/// Whether a text can name an object: a DNS subdomain of at most 253 characters.
pub(super) fn is_object_name(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253
        && name.split('.').all(|label| {
            label.starts_with(edge)
                && label.ends_with(edge)
                && label.chars().all(|c| edge(c) || c == '-')
        })
}

/// Whether a text can be a key of a Secret.
pub(super) fn is_key(key: &str) -> bool {
    (1..=253).contains(&key.len())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !key.starts_with("..")
        && key != "."
}

/// Whether a text can be the value of a label.
pub(super) fn is_label_value(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    (1..=63).contains(&text.len())
        && text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(|c| edge(c) || matches!(c, '-' | '_' | '.'))
}

/// Whether a text can name an annotation that a table may set: none of Kubernetes' own, which say
/// what a pod may do, and none of Linkspan's.
pub(super) fn is_annotation(name: &str) -> bool {
    let (domain, name) = name.rsplit_once('/').unwrap_or(("", name));
    let reserved = ["kubernetes.io", "k8s.io", "linkspan.dev", "containerd.io"];
    let is_reserved = |of: &str| domain == of || domain.ends_with(&format!(".{of}"));
    is_label_value(name)
        && (domain.is_empty() || is_object_name(domain))
        && !reserved.into_iter().any(is_reserved)
}
