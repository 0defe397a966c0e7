//! Which volumes of a task are kept outside it? File systems, and volumes of a driver.
//!
//! What a cluster's mapping table gives claims and storage classes to. A directory of the node, or
//! one that goes with the task, is none of them.

use serde_json::Value;

use super::read::text_map;
use crate::ecs::reference::text;
use crate::plan::finding::Findings;
use crate::plan::judge::is_empty;

/// A volume that is kept outside its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A file system, there before the task and after it.
    FileSystem(FileSystem),
    /// A volume that a driver makes for each task.
    Driver {
        /// The driver.
        driver: String,
        /// Its size in GiB, where its options say one.
        size: Option<i64>,
    },
}

/// A file system that ECS mounts over the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSystem {
    /// Where its name stands, as in `efsVolumeConfiguration.fileSystemId`.
    pub member: &'static str,
    /// Its ID or ARN.
    pub id: String,
    /// The ID or ARN of the access point by which it is mounted.
    pub access_point: Option<String>,
    /// The directory that is mounted, without `/` in front; none for all of it.
    pub directory: Option<String>,
    /// Whether what is sent to it must be encrypted.
    pub encrypted: bool,
}

/// The drivers' most GiB.
const MOST_GIB: i64 = 1 << 24;

/// Reads the volume at `path`, where it is kept outside its task.
pub(super) fn stored(
    raw: &Value,
    path: &str,
    spec: &Value,
    findings: &mut Findings,
) -> Option<Stored> {
    let of = |member: &str| raw.get(member).filter(|value| value.is_object() && !is_empty(value));
    if let Some(docker) = of("dockerVolumeConfiguration") {
        let driver = text(docker, "driver").filter(|driver| driver != "local")?;
        let options = text_map(docker, "driverOpts");
        let size = options.iter().find(|(name, _)| name == "size");
        let size = size.and_then(|(_, size)| gibibytes(size));
        return Some(Stored::Driver { driver, size });
    }
    let file_system = if let Some(efs) = of("efsVolumeConfiguration") {
        elastic(efs, &format!("{path}.efsVolumeConfiguration"), findings)
    } else if let Some(s3) = of("s3filesVolumeConfiguration") {
        if text(spec, "taskRoleArn").is_none() {
            let rule = "needs a taskRoleArn in the task definition";
            findings.refuse(format!("{path}.s3filesVolumeConfiguration"), rule);
        }
        s3_files(s3, &format!("{path}.s3filesVolumeConfiguration"), findings)
    } else {
        let share = of("fsxWindowsFileServerVolumeConfiguration")?;
        let path = format!("{path}.fsxWindowsFileServerVolumeConfiguration");
        FileSystem {
            member: "fsxWindowsFileServerVolumeConfiguration.fileSystemId",
            id: required(share, "fileSystemId", &path, findings),
            directory: directory(
                &required(share, "rootDirectory", &path, findings),
                &path,
                findings,
            ),
            ..FileSystem::default()
        }
    };
    Some(Stored::FileSystem(file_system))
}

/// An Elastic File System.
fn elastic(efs: &Value, path: &str, findings: &mut Findings) -> FileSystem {
    let authorization = efs.get("authorizationConfig").unwrap_or(&Value::Null);
    let access_point = text(authorization, "accessPointId");
    let by_role = one_of(authorization, "iam", &format!("{path}.authorizationConfig"), findings);
    let encrypted = one_of(efs, "transitEncryption", path, findings);
    if (access_point.is_some() || by_role) && !encrypted {
        let rule = "must be ENABLED with an access point or with iam ENABLED";
        findings.refuse(format!("{path}.transitEncryption"), rule);
    }
    FileSystem {
        member: "efsVolumeConfiguration.fileSystemId",
        id: required(efs, "fileSystemId", path, findings),
        directory: root(efs, path, access_point.is_some(), findings),
        access_point,
        encrypted,
    }
}

/// A file system of S3 Files.
fn s3_files(s3: &Value, path: &str, findings: &mut Findings) -> FileSystem {
    let access_point = text(s3, "accessPointArn");
    FileSystem {
        member: "s3filesVolumeConfiguration.fileSystemArn",
        id: required(s3, "fileSystemArn", path, findings),
        directory: root(s3, path, access_point.is_some(), findings),
        access_point,
        encrypted: false,
    }
}

fn required(raw: &Value, member: &str, path: &str, findings: &mut Findings) -> String {
    text(raw, member).unwrap_or_else(|| {
        findings.refuse(format!("{path}.{member}"), "is required");
        String::new()
    })
}

/// ENABLED or not.
fn one_of(raw: &Value, member: &str, path: &str, findings: &mut Findings) -> bool {
    match text(raw, member).as_deref() {
        Some("ENABLED") => true,
        None | Some("DISABLED") => false,
        Some(other) => {
            findings.refuse_value(format!("{path}.{member}"), other, "must be ENABLED or DISABLED");
            false
        }
    }
}

/// `rootDirectory`, which an access point names itself.
fn root(raw: &Value, path: &str, by_access_point: bool, findings: &mut Findings) -> Option<String> {
    let written = text(raw, "rootDirectory")?;
    let directory = directory(&written, path, findings);
    if by_access_point && directory.is_some() {
        let rule = "must be absent or `/` with an access point, which names a directory itself";
        findings.refuse_value(format!("{path}.rootDirectory"), written, rule);
        return None;
    }
    directory
}

/// A directory without `/` (or `\`, on a Windows share) around it; none for the root.
fn directory(written: &str, path: &str, findings: &mut Findings) -> Option<String> {
    let plain = written.replace('\\', "/");
    let parts: Vec<&str> = plain.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        findings.refuse_value(format!("{path}.rootDirectory"), written, "must be without `..`");
        return None;
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// A size in GiB, as drivers write it: `20`, `20GiB`, `20gb`, `20 G`.
fn gibibytes(written: &str) -> Option<i64> {
    let lower = written.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches("ib").trim_end_matches('b').trim_end_matches('g');
    digits.trim().parse().ok().filter(|size| (1..=MOST_GIB).contains(size))
}
