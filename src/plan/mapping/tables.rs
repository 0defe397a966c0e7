//! What do the tables of a Cluster say, and what is wrong with them?
//!
//! `kubernetes.images`, `roles` and so on of a Cluster's spec: lists of rows, each from one AWS
//! identifier to a name in the Cluster's own namespace, or to what stands for it in the cluster. What
//! rows of security groups, target groups, alarms and hooks say stands in `groups`, `exposures` and
//! `alarms`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::alarms::{AlarmRow, HookTargetRow, alarm, hook_target};
use super::exposures::{TargetGroupRow, target_group};
use super::groups::{SecurityGroupRow, security_group};
use super::rows::{Row, is_annotation, is_key, is_label_value, rows};
use crate::ecs::reference::last_part;
use crate::ecs::secret::SecretReference;
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};

/// The tables that a Cluster has, by their members' names.
pub const TABLES: [&str; 12] = [
    "images",
    "roles",
    "secrets",
    "environmentFiles",
    "fileSystems",
    "volumeDrivers",
    "subnets",
    "securityGroups",
    "targetGroups",
    "logDrivers",
    "alarms",
    "hookTargets",
];

/// The tables of a Cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    pub(super) images: Vec<ImageRow>,
    pub(super) roles: Vec<RoleRow>,
    pub(super) secrets: Vec<SecretRow>,
    pub(super) environment_files: Vec<FileRow>,
    pub(super) file_systems: Vec<FileSystemRow>,
    pub(super) volume_drivers: Vec<VolumeDriverRow>,
    pub(super) subnets: Vec<SubnetRow>,
    pub(super) security_groups: Vec<SecurityGroupRow>,
    pub(super) target_groups: Vec<TargetGroupRow>,
    pub(super) log_drivers: Vec<LogDriverRow>,
    pub(super) alarms: Vec<AlarmRow>,
    pub(super) hook_targets: Vec<HookTargetRow>,
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

/// A file system, or an access point of one, and the claim that stands for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FileSystemRow {
    pub(super) raw: Value,
    pub(super) file_system: String,
    pub(super) access_point: Option<String>,
    pub(super) claim: String,
    /// Whether what is sent to it is encrypted.
    pub(super) encrypted: bool,
}

/// A volume driver, or a type of block volumes, and the StorageClass that stands for it; none for the
/// cluster's default.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct VolumeDriverRow {
    pub(super) raw: Value,
    pub(super) driver: String,
    pub(super) storage_class: Option<String>,
    /// GiB of a volume that says no size.
    pub(super) size: Option<i64>,
}

/// A subnet, and the zone in which it is; none where that does not matter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SubnetRow {
    pub(super) raw: Value,
    pub(super) subnet: String,
    pub(super) zone: Option<String>,
}

/// A log driver whose part the nodes' log agent takes, and what that reads of pods.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogDriverRow {
    pub(super) raw: Value,
    pub(super) driver: String,
    pub(super) annotations: BTreeMap<String, String>,
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
            file_systems: rows(kubernetes, "fileSystems", findings, file_system),
            volume_drivers: rows(kubernetes, "volumeDrivers", findings, volume_driver),
            subnets: rows(kubernetes, "subnets", findings, subnet),
            security_groups: rows(kubernetes, "securityGroups", findings, security_group),
            target_groups: rows(kubernetes, "targetGroups", findings, target_group),
            log_drivers: rows(kubernetes, "logDrivers", findings, log_driver),
            alarms: rows(kubernetes, "alarms", findings, alarm),
            hook_targets: rows(kubernetes, "hookTargets", findings, hook_target),
        }
    }

    /// Whether no table has a row.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
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

fn file_system(row: &mut Row<'_>) -> Option<(String, FileSystemRow)> {
    let file_system = row.required("fileSystem", "the ID or ARN of a file system");
    let access_point = row.text("accessPoint");
    let claim = row.object("claimName", "the name of a PersistentVolumeClaim");
    let encrypted = match row.text("transitEncryption").as_deref() {
        None | Some("DISABLED") => false,
        Some("ENABLED") => true,
        Some(other) => {
            let path = row.at("transitEncryption");
            row.findings.refuse_value(path, other, "must be ENABLED or DISABLED");
            false
        }
    };
    let (file_system, claim) = (file_system?, claim?);
    let about = [Some(&file_system), access_point.as_ref()];
    let about: Vec<&str> = about.into_iter().flatten().map(String::as_str).collect();
    let raw = row.raw.clone();
    Some((about.join(" "), FileSystemRow { raw, file_system, access_point, claim, encrypted }))
}

/// The most GiB of a volume.
const MOST_GIB: i64 = 1 << 24;

fn volume_driver(row: &mut Row<'_>) -> Option<(String, VolumeDriverRow)> {
    let driver = row.required("driver", "a volume driver, or a volumeType such as gp3");
    let storage_class = row.text("storageClassName");
    if let Some(name) = &storage_class {
        row.check_name("storageClassName", name);
    }
    let size = row.whole("sizeInGiB", 1..=MOST_GIB);
    let driver = driver?;
    Some((driver.clone(), VolumeDriverRow { raw: row.raw.clone(), driver, storage_class, size }))
}

fn subnet(row: &mut Row<'_>) -> Option<(String, SubnetRow)> {
    let subnet = row.required("subnet", "the ID of a subnet");
    let zone = row.text("zone");
    if let Some(zone) = zone.as_ref().filter(|zone| !is_label_value(zone)) {
        let path = row.at("zone");
        let rule = "must be a value of nodes' label topology.kubernetes.io/zone";
        row.findings.refuse_value(path, zone, rule);
    }
    let subnet = subnet?;
    Some((subnet.clone(), SubnetRow { raw: row.raw.clone(), subnet, zone }))
}

fn log_driver(row: &mut Row<'_>) -> Option<(String, LogDriverRow)> {
    let driver = row.required("logDriver", "a log driver, as in logConfiguration");
    let annotations = row.texts_by_name("annotations");
    for name in annotations.keys() {
        // What stands for the container's name is a label of a name itself.
        if !is_annotation(&name.replace("${container}", "c")) {
            let path = row.at("annotations");
            let rule = "cannot name a pod's annotation, or is one of Kubernetes' or Linkspan's own";
            row.findings.refuse_value(path, name, rule);
        }
    }
    let driver = driver?;
    Some((driver.clone(), LogDriverRow { raw: row.raw.clone(), driver, annotations }))
}
