//! What do the tables of a Cluster say, and what is wrong with them?
//!
//! `kubernetes.images`, `roles`, `secrets` and `environmentFiles` of a Cluster's spec: lists of rows,
//! each from one AWS identifier to a name in the Cluster's own namespace.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ecs::reference::{last_part, text};
use crate::ecs::secret::SecretReference;
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};

/// The tables that a Cluster has, by their members' names.
pub const TABLES: [&str; 4] = ["images", "roles", "secrets", "environmentFiles"];

/// The tables of a Cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    pub(super) images: Vec<ImageRow>,
    pub(super) roles: Vec<RoleRow>,
    pub(super) secrets: Vec<SecretRow>,
    pub(super) environment_files: Vec<FileRow>,
}

/// Images that begin so are pulled from elsewhere, or with other credentials.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ImageRow {
    pub(super) raw: Value,
    pub(super) prefix: String,
    pub(super) replacement: Option<String>,
    pub(super) digest: Option<String>,
    pub(super) pull_secrets: Vec<String>,
}

/// A role, and the ServiceAccount that stands for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RoleRow {
    pub(super) raw: Value,
    pub(super) role: String,
    pub(super) service_account: String,
}

/// A secret or parameter, or a part of one, and the corev1 Secret that holds it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SecretRow {
    pub(super) raw: Value,
    pub(super) written: String,
    pub(super) reference: SecretReference,
    pub(super) secret_name: String,
    pub(super) key: Option<String>,
}

/// An environment file, and the ConfigMap that holds its variables.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FileRow {
    pub(super) raw: Value,
    pub(super) value: String,
    pub(super) config_map: String,
}

impl Tables {
    /// Reads the tables of a Cluster's spec. A row that breaks a rule is left out and refused.
    pub fn read(spec: &Value, findings: &mut Findings) -> Self {
        let kubernetes = spec.get("kubernetes").unwrap_or(&Value::Null);
        match kubernetes {
            Value::Object(members) => {
                for (name, value) in members {
                    if !TABLES.contains(&name.as_str()) && !is_empty(value) {
                        findings.differs(
                            format!("kubernetes.{name}"),
                            format!(
                                "is not known here and has no effect; a Cluster has {}",
                                TABLES.join(", ")
                            ),
                        );
                    }
                }
            }
            Value::Null => {}
            other => findings.refuse_value("kubernetes", brief(other), "must be an object"),
        }
        Self {
            images: rows(kubernetes, "images", findings, image),
            roles: rows(kubernetes, "roles", findings, role),
            secrets: rows(kubernetes, "secrets", findings, secret),
            environment_files: rows(kubernetes, "environmentFiles", findings, file),
        }
    }

    /// Whether no table has a row.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

/// The rows of a table; what a row is about may stand in one row only.
fn rows<T>(
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
struct Row<'a> {
    raw: &'a Value,
    path: String,
    findings: &'a mut Findings,
    known: Vec<&'static str>,
}

impl Row<'_> {
    /// A member that is a text.
    fn text(&mut self, member: &'static str) -> Option<String> {
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
    fn required(&mut self, member: &'static str, what: &str) -> Option<String> {
        let found = self.text(member);
        if found.is_none() {
            self.findings.refuse(self.at(member), format!("is required: {what}"));
        }
        found
    }

    /// A member that names an object of the Cluster's namespace.
    fn object(&mut self, member: &'static str, what: &str) -> Option<String> {
        let name = self.required(member, what)?;
        self.check_name(member, &name);
        Some(name)
    }

    fn check_name(&mut self, member: &str, name: &str) {
        if !is_object_name(name) {
            self.findings.refuse_value(
                self.at(member),
                name,
                "cannot name a Kubernetes object: lower case letters, digits, - and . can, and it \
                 stands in the Cluster's own namespace",
            );
        }
    }

    fn at(&self, member: &str) -> String {
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

fn image(row: &mut Row<'_>) -> Option<(String, ImageRow)> {
    let prefix = row.required("prefix", "what images begin with, as in `123.dkr.ecr.…/`");
    let replacement = row.text("replacement");
    if let Some(text) = &replacement
        && let Some(foreign) =
            text.chars().find(|c| !c.is_ascii_alphanumeric() && !"._-/:@".contains(*c))
    {
        let path = row.at("replacement");
        row.findings.refuse_value(path, text, format!("cannot hold `{foreign}`"));
    }
    let digest = row.text("digest");
    if let Some(digest) = &digest {
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
            let path = row.at("digest");
            row.findings.refuse_value(path, digest, "must be sha256: and 64 hexadecimal digits");
        }
        let tagged = |prefix: &String| last_part(prefix).contains(':');
        if !prefix.as_ref().is_none_or(tagged) {
            let path = row.at("digest");
            row.findings.refuse(path, "is for one image; prefix must name it whole, with its tag");
        }
    }
    let pull_secrets = pull_secrets(row);
    let prefix = prefix?;
    let maps = |(name, value): (&String, &Value)| name != "prefix" && !is_empty(value);
    if !row.raw.as_object().is_some_and(|members| members.iter().any(maps)) {
        let path = row.path.clone();
        row.findings.refuse(path, "maps nothing: give replacement, digest or pullSecrets");
    }
    let raw = row.raw.clone();
    Some((prefix.clone(), ImageRow { raw, prefix, replacement, digest, pull_secrets }))
}

fn pull_secrets(row: &mut Row<'_>) -> Vec<String> {
    row.known.push("pullSecrets");
    let list = match row.raw.get("pullSecrets") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(list)) => list.clone(),
        Some(other) => {
            let path = row.at("pullSecrets");
            row.findings.refuse_value(path, brief(other), "must be a list of names of Secrets");
            return Vec::new();
        }
    };
    let mut names = Vec::new();
    for (at, name) in list.iter().enumerate() {
        let name = name.as_str().unwrap_or_default().to_owned();
        row.check_name(&format!("pullSecrets[{at}]"), &name);
        names.push(name);
    }
    names
}

fn role(row: &mut Row<'_>) -> Option<(String, RoleRow)> {
    let role = row.required("role", "the name or ARN of a role");
    let account = row.object("serviceAccount", "the name of a ServiceAccount");
    let (role, service_account) = (role?, account?);
    Some((role.clone(), RoleRow { raw: row.raw.clone(), role, service_account }))
}

fn secret(row: &mut Row<'_>) -> Option<(String, SecretRow)> {
    let written = row.required("valueFrom", "the name or ARN of a secret or parameter");
    let secret_name = row.object("secretName", "the name of a Secret");
    let key = row.text("key");
    if let Some(key) = &key
        && !is_key(key)
    {
        let path = row.at("key");
        row.findings.refuse_value(path, key, "must be letters, digits, -, _ and . (1 to 253)");
    }
    let (written, secret_name) = (written?, secret_name?);
    match SecretReference::read(&written) {
        Ok(reference) => {
            let raw = row.raw.clone();
            Some((written.clone(), SecretRow { raw, written, reference, secret_name, key }))
        }
        Err(why) => {
            let path = row.at("valueFrom");
            row.findings.refuse_value(path, written, why);
            None
        }
    }
}

fn file(row: &mut Row<'_>) -> Option<(String, FileRow)> {
    let value = row.required("value", "the ARN of an S3 object");
    let config_map = row.object("configMap", "the name of a ConfigMap");
    let (value, config_map) = (value?, config_map?);
    Some((value.clone(), FileRow { raw: row.raw.clone(), value, config_map }))
}

/// Whether a text can name an object: a DNS subdomain of at most 253 characters.
fn is_object_name(name: &str) -> bool {
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
