//! Which AWS identifiers does a task definition hold?
//!
//! Images, the task role, secrets, credentials and environment files: what a cluster's mapping table
//! gives Kubernetes names to. Read by itself, since a service asks for it at every look.

use std::collections::BTreeMap;

use serde_json::Value;

use super::read::{flag, text_map};
use super::stored::{Stored, stored};
use crate::ecs::reference::text;
use crate::ecs::secret::SecretReference;
use crate::names::dns_label;
use crate::plan::finding::Findings;
use crate::plan::judge::brief;

/// The most environment files that a container may have.
const MOST_FILES: usize = 10;

/// Where a container's output can go.
const LOG_DRIVERS: [&str; 8] =
    ["json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens"];

/// The AWS identifiers of a task definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identifiers {
    /// `taskRoleArn`: an ARN or a name.
    pub task_role: Option<String>,
    /// Those of its containers, in order.
    pub containers: Vec<ContainerIdentifiers>,
    /// Its volumes that are kept outside it, or come with a service or a run.
    pub volumes: Vec<StoredVolume>,
}

/// A volume that needs a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVolume {
    /// Its place in `volumes`.
    pub at: usize,
    /// Its Kubernetes name.
    pub dns_name: String,
    /// What it is; none for one that a service or a run configures, by its ECS name.
    pub stored: Option<Stored>,
    /// Its ECS name.
    pub name: String,
}

/// The AWS identifiers of a container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerIdentifiers {
    /// The Kubernetes name of the container.
    pub dns_name: String,
    /// The image as written.
    pub image: String,
    /// `repositoryCredentials.credentialsParameter`
    pub credentials: Option<(String, SecretReference)>,
    /// `secrets`, each name once.
    pub secrets: Vec<SecretVariable>,
    /// `environmentFiles`: the place in the list, and the ARN of the object.
    pub environment_files: Vec<(usize, String)>,
    /// Where its output goes, if not to the node's own log files.
    pub log: Option<LogDriver>,
}

/// `logConfiguration`, for another driver than json-file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDriver {
    /// The driver.
    pub driver: String,
    /// Its options, by the driver's own names.
    pub options: BTreeMap<String, String>,
}

/// An environment variable whose value is a secret.
#[derive(Clone, Debug, PartialEq)]
pub struct SecretVariable {
    /// Its place in `secrets`.
    pub at: usize,
    /// Its name.
    pub name: String,
    /// `valueFrom` as written.
    pub written: String,
    /// What that names.
    pub reference: SecretReference,
}

/// Reads the identifiers of a task definition.
pub fn identifiers(spec: &Value, findings: &mut Findings) -> Identifiers {
    let containers = spec.get("containerDefinitions").and_then(Value::as_array);
    Identifiers {
        task_role: text(spec, "taskRoleArn"),
        containers: containers
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(at, raw)| container(raw, &format!("containerDefinitions[{at}]"), findings))
            .collect(),
        volumes: volumes(spec, findings),
    }
}

fn volumes(spec: &Value, findings: &mut Findings) -> Vec<StoredVolume> {
    let mut volumes = Vec::new();
    for (at, raw) in list(spec, "volumes") {
        let stored = stored(raw, &format!("volumes[{at}]"), spec, findings);
        if stored.is_some() || flag(raw, "configuredAtLaunch") == Some(true) {
            let name = text(raw, "name").unwrap_or_default();
            volumes.push(StoredVolume { at, dns_name: dns_label(&name, 63), stored, name });
        }
    }
    volumes
}

fn container(raw: &Value, path: &str, findings: &mut Findings) -> ContainerIdentifiers {
    ContainerIdentifiers {
        dns_name: dns_label(&text(raw, "name").unwrap_or_default(), 63),
        image: text(raw, "image").unwrap_or_default(),
        credentials: credentials(raw, path, findings),
        secrets: secrets(raw, path, findings),
        environment_files: environment_files(raw, path, findings),
        log: log_driver(raw, path, findings),
    }
}

fn credentials(
    raw: &Value,
    path: &str,
    findings: &mut Findings,
) -> Option<(String, SecretReference)> {
    let written = text(raw.get("repositoryCredentials")?, "credentialsParameter")?;
    match SecretReference::credentials(&written) {
        Ok(reference) => Some((written, reference)),
        Err(why) => {
            findings.refuse(format!("{path}.repositoryCredentials.credentialsParameter"), why);
            None
        }
    }
}

fn secrets(raw: &Value, path: &str, findings: &mut Findings) -> Vec<SecretVariable> {
    let mut variables: Vec<SecretVariable> = Vec::new();
    let plain: BTreeMap<&str, usize> = list(raw, "environment")
        .filter_map(|(at, pair)| Some((pair.get("name")?.as_str()?, at)))
        .collect();
    for (at, pair) in list(raw, "secrets") {
        let path = format!("{path}.secrets[{at}]");
        let (name, written) = (text(pair, "name"), text(pair, "valueFrom"));
        let (name, written) = match (name, written) {
            (Some(name), Some(written)) => (name, written),
            (None, None) => continue,
            (Some(_), None) => {
                findings.refuse(
                    format!("{path}.valueFrom"),
                    "is required: the ARN of a secret, or the name or ARN of an SSM parameter",
                );
                continue;
            }
            (None, Some(_)) => {
                findings.refuse(format!("{path}.name"), "is required: a variable's name");
                continue;
            }
        };
        if name.contains('=') || !name.chars().all(|c| (' '..='~').contains(&c)) {
            findings.refuse_value(
                format!("{path}.name"),
                brief(&Value::from(name)),
                "must be printable ASCII without `=`",
            );
            continue;
        }
        if plain.contains_key(name.as_str()) {
            findings.differs(
                format!("{path}.name"),
                format!("`{name}` stands in environment too; the secret's value is what counts"),
            );
        }
        match SecretReference::read(&written) {
            Ok(reference) => {
                // The last of a name wins.
                variables.retain(|earlier| earlier.name != name);
                variables.push(SecretVariable { at, name, written, reference });
            }
            Err(why) => findings.refuse_value(format!("{path}.valueFrom"), written, why),
        }
    }
    variables
}

fn environment_files(raw: &Value, path: &str, findings: &mut Findings) -> Vec<(usize, String)> {
    let mut files = Vec::new();
    for (at, file) in list(raw, "environmentFiles") {
        let path = format!("{path}.environmentFiles[{at}]");
        if let Some(kind) = text(file, "type").filter(|kind| kind != "s3") {
            findings.refuse_value(format!("{path}.type"), kind, "must be s3");
        }
        if let Some(value) = text(file, "value") {
            files.push((at, value));
        }
    }
    if files.len() > MOST_FILES {
        findings.refuse_value(
            format!("{path}.environmentFiles"),
            format!("a list of {}", files.len()),
            format!("must have {MOST_FILES} files at most"),
        );
    }
    files
}

/// The driver that takes a container's output elsewhere than to the node's own log files.
fn log_driver(raw: &Value, path: &str, findings: &mut Findings) -> Option<LogDriver> {
    let log = raw.get("logConfiguration").filter(|log| log.is_object())?;
    let driver = text(log, "logDriver").filter(|driver| driver != "json-file")?;
    if !LOG_DRIVERS.contains(&driver.as_str()) {
        findings.refuse_value(
            format!("{path}.logConfiguration.logDriver"),
            driver,
            format!("must be one of {}", LOG_DRIVERS.join(", ")),
        );
        return None;
    }
    Some(LogDriver { driver, options: text_map(log, "options").into_iter().collect() })
}

fn list<'a>(raw: &'a Value, member: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    raw.get(member).and_then(Value::as_array).into_iter().flatten().enumerate()
}
