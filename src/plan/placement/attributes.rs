//! What are a node's ECS attributes?
//!
//! Each attribute stands in labels of the node: ECS's own in the labels that every cluster has, a
//! custom one `NAME` in `attribute.ecs.linkspan.dev/NAME`, else in a label that is called `NAME`. A
//! label without a value is an attribute without one. Names that no label can have stand in the
//! annotation `ecs.linkspan.dev/attributes`, a JSON object. Which nodes there are, and what is asked
//! of them, others know.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use serde_json::Value;

use super::NODE_LABEL_PREFIX;
use super::groups;
use crate::ecs::query::{BUILT_IN_ATTRIBUTES, Expression, Instance, Query, Subject, Test};

/// Start of the labels that hold custom attributes.
pub const ATTRIBUTE_PREFIX: &str = "attribute.ecs.linkspan.dev/";
/// The annotation for attributes with names that no label can have: a JSON object of texts.
pub const ATTRIBUTES_ANNOTATION: &str = "ecs.linkspan.dev/attributes";

/// What every node can do in ECS's eyes, by the attributes with which an agent says so.
const CAPABILITIES: &[&str] = &[
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.20",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.22",
    "com.amazonaws.ecs.capability.docker-remote-api.1.23",
    "com.amazonaws.ecs.capability.docker-remote-api.1.24",
    "com.amazonaws.ecs.capability.docker-remote-api.1.25",
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "com.amazonaws.ecs.capability.docker-remote-api.1.30",
    "com.amazonaws.ecs.capability.docker-remote-api.1.44",
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "com.amazonaws.ecs.capability.privileged-container",
    "com.amazonaws.ecs.capability.task-iam-role",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.task-eni",
];

/// Windows builds by the names that ECS has for them. Full and Core installations of one release
/// have one build; both are called by the name of the Core one.
const WINDOWS: &[(&str, &str)] = &[
    ("10.0.14393", "WINDOWS_SERVER_2016_CORE"),
    ("10.0.17763", "WINDOWS_SERVER_2019_CORE"),
    ("10.0.19042", "WINDOWS_SERVER_20H2_CORE"),
    ("10.0.20348", "WINDOWS_SERVER_2022_CORE"),
    ("10.0.26100", "WINDOWS_SERVER_2025_CORE"),
];

/// Where an attribute stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In the first of these labels that the node has.
    Labels(Vec<Label>),
    /// Every node has it, without a value.
    Everywhere,
    /// In no label.
    NoLabel,
}

/// A label that holds an attribute, and how its values read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// Its key.
    pub(super) key: String,
    reading: Reading,
}

/// How the values of a label read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    /// As written, and as meant.
    table: &'static [(&'static str, &'static str)],
    /// Whether values that are not in the table stand for themselves; else they stand for none.
    keeps_others: bool,
}

impl Label {
    fn plain(key: impl Into<String>) -> Self {
        Self { key: key.into(), reading: Reading { table: &[], keeps_others: true } }
    }

    fn read_by(key: &str, reading: Reading) -> Self {
        Self { key: key.to_owned(), reading }
    }

    /// Whether the attribute's values are the label's own.
    pub(super) fn is_plain(&self) -> bool {
        self.reading.table.is_empty()
    }

    /// The attribute's value, of the label's; empty where it has none.
    fn value<'a>(&self, label: &'a str) -> &'a str {
        let Reading { table, keeps_others } = self.reading;
        match table.iter().find(|(written, _)| *written == label) {
            Some((_, meant)) => meant,
            None if keeps_others && table.iter().all(|(_, meant)| *meant != label) => label,
            None => "",
        }
    }

    /// The label's value that reads as a value of the attribute; none where no label's does.
    pub(super) fn written<'a>(&self, value: &'a str) -> Option<&'a str> {
        let read = self.reading.table.iter().find(|(_, meant)| *meant == value);
        let itself = || (self.value(value) == value && is_label_value(value)).then_some(value);
        read.map(|(written, _)| *written).or_else(itself)
    }
}

/// Where an attribute stands, by its name.
pub(super) fn source(name: &str) -> Source {
    const ARCHITECTURES: Reading = Reading { table: &[("amd64", "x86_64")], keeps_others: true };
    const BUILDS: Reading = Reading { table: WINDOWS, keeps_others: false };
    const SYSTEMS: Reading =
        Reading { table: &[("linux", "LINUX"), ("windows", "WINDOWS")], keeps_others: false };
    let own = || Label::plain(format!("{ATTRIBUTE_PREFIX}{name}"));
    Source::Labels(match name {
        "ecs.availability-zone" => vec![Label::plain("topology.kubernetes.io/zone")],
        "ecs.instance-type" => vec![Label::plain("node.kubernetes.io/instance-type")],
        "ecs.os-type" => vec![Label::plain("kubernetes.io/os")],
        "ecs.os-family" => vec![
            Label::read_by("node.kubernetes.io/windows-build", BUILDS),
            Label::read_by("kubernetes.io/os", SYSTEMS),
        ],
        "ecs.cpu-architecture" => vec![Label::read_by("kubernetes.io/arch", ARCHITECTURES)],
        "ecs.ami-id" => vec![own(), Label::plain("karpenter.k8s.aws/instance-ami-id")],
        "ecs.capability.external" => vec![own(), Label::plain("ecs.linkspan.dev/external")],
        name if CAPABILITIES.contains(&name) => return Source::Everywhere,
        name if name.starts_with(NODE_LABEL_PREFIX) || name.starts_with(ATTRIBUTE_PREFIX) => {
            return Source::NoLabel;
        }
        name if is_label_name(name) => vec![own(), Label::plain(name)],
        name if is_qualified_name(name) => vec![Label::plain(name)],
        _ => return Source::NoLabel,
    })
}

/// The label to spread over for an attribute: the first that may hold it; of ECS's systems the one
/// that every node has.
pub(super) fn topology_key(name: &str) -> Option<String> {
    match source(name) {
        Source::Labels(labels) if name == "ecs.os-family" => {
            labels.into_iter().next_back().map(|l| l.key)
        }
        Source::Labels(labels) => labels.into_iter().next().map(|label| label.key),
        Source::Everywhere | Source::NoLabel => None,
    }
}

/// Whether a text is a label's name without a prefix: 63 letters, digits and `-_.` at most,
/// beginning and ending with a letter or digit.
pub(in crate::plan) fn is_label_name(text: &str) -> bool {
    !text.is_empty() && is_label_value(text)
}

/// Whether a text can be a label's value.
pub(super) fn is_label_value(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Whether a text is the name of a label or annotation with a prefix, as in `example.com/name`.
pub(in crate::plan) fn is_qualified_name(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_end =
            |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = part.as_bytes();
        is_end(bytes.first())
            && is_end(bytes.last())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
    };
    text.split_once('/').is_some_and(|(prefix, name)| {
        prefix.len() <= 253 && prefix.split('.').all(is_part) && is_label_name(name)
    })
}

/// What a placement expression can ask of a node, on which these tasks of Linkspan run.
pub fn instance<'a>(
    node: &corev1::Node,
    tasks: impl IntoIterator<Item = &'a corev1::Pod>,
) -> Instance {
    let mut instance = Instance { attributes: attributes(node), ..Instance::default() };
    if let Some(status) = &node.status {
        let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
        instance.agent_connected = ready.is_some_and(|condition| condition.status != "Unknown");
        instance.agent_version =
            status.node_info.as_ref().and_then(|info| version(&info.kubelet_version));
    }
    let provider_id = node.spec.as_ref().and_then(|spec| spec.provider_id.as_deref());
    instance.ec2_instance_id = provider_id
        .and_then(|id| id.rsplit('/').next())
        .filter(|id| !id.is_empty())
        .map(ToOwned::to_owned);
    instance.registered_at = node.metadata.creation_timestamp.as_ref().map(|time| time.0);
    for task in tasks {
        instance.running_tasks_count += 1;
        instance.task_groups.extend(groups::of(task));
    }
    instance
}

/// Every attribute of a node, by name.
pub fn attributes(node: &corev1::Node) -> BTreeMap<String, Option<String>> {
    let empty = BTreeMap::new();
    let labels = node.metadata.labels.as_ref().unwrap_or(&empty);
    let custom = labels.keys().map(|key| key.strip_prefix(ATTRIBUTE_PREFIX).unwrap_or(key));
    let mut attributes: BTreeMap<String, Option<String>> = BTreeMap::new();
    for name in custom.chain(BUILT_IN_ATTRIBUTES).chain(["ecs.capability.external"]) {
        let Source::Labels(sources) = source(name) else { continue };
        let value = sources.iter().find_map(|label| Some(label.value(labels.get(&label.key)?)));
        if let Some(value) = value {
            let value = (!value.is_empty()).then(|| value.to_owned());
            attributes.insert(name.to_owned(), value);
        }
    }
    attributes.extend(CAPABILITIES.iter().map(|name| ((*name).to_owned(), None)));
    for (name, value) in annotated(node) {
        if source(&name) == Source::NoLabel {
            attributes.insert(name, value);
        }
    }
    attributes
}

fn annotated(node: &corev1::Node) -> BTreeMap<String, Option<String>> {
    let annotations = node.metadata.annotations.as_ref();
    let text = annotations.and_then(|all| all.get(ATTRIBUTES_ANNOTATION));
    let object = text.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(Value::Object(members)) = object else { return BTreeMap::new() };
    let members = members.into_iter().filter_map(|(name, value)| match value {
        Value::Null => Some((name, None)),
        Value::String(text) => Some((name, (!text.is_empty()).then_some(text))),
        Value::Number(number) => Some((name, Some(number.to_string()))),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    });
    members.collect()
}

/// A kubelet's version without what a vendor puts after it: `v1.36.3-eks-1a2b3c` is 1.36.3, but
/// `v1.37.0-alpha.1` comes before 1.37.0.
fn version(kubelet: &str) -> Option<semver::Version> {
    let mut version = semver::Version::parse(kubelet.trim_start_matches('v')).ok()?;
    let is_early = ["alpha", "beta", "rc"].iter().any(|early| version.pre.starts_with(early));
    if !is_early {
        version.pre = semver::Prerelease::EMPTY;
    }
    version.build = semver::BuildMetadata::EMPTY;
    Some(version)
}

/// The expression in the words of nodes and of tasks: a Windows installation that is called FULL has
/// the same build as the one called CORE, and is asked for under that name; a service whose name no
/// label can hold is asked for by what stands for it there.
pub fn canonical(query: &Query) -> Query {
    query.map_terms(&|term| {
        let mut term = term.clone();
        let name_of: fn(&str) -> String = match &term.subject {
            Subject::Attribute(name) if name == "ecs.os-family" => build_of,
            Subject::TaskGroup => groups::as_labelled,
            _ => return Expression::Term(term),
        };
        let values = match &mut term.test {
            Test::Equals(value) | Test::NotEquals(value) => std::slice::from_mut(value),
            Test::In(values) | Test::NotIn(values) => values.as_mut_slice(),
            _ => &mut [],
        };
        for value in values {
            if let crate::ecs::query::Value::Text(text) = value {
                *text = name_of(text);
            }
        }
        Expression::Term(term)
    })
}

/// A Windows installation by the name under which nodes have it.
fn build_of(family: &str) -> String {
    match family.strip_suffix("_FULL") {
        Some(release) if release.starts_with("WINDOWS_SERVER_") => format!("{release}_CORE"),
        _ => family.to_owned(),
    }
}

#[cfg(test)]
mod tests;
