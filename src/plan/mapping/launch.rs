//! What does a service or a run give its tasks that needs names in the cluster?
//!
//! The subnets of `networkConfiguration`, and the volumes of `volumeConfigurations`.

use serde_json::Value;

use crate::ecs::reference::text;
use crate::plan::finding::Findings;

/// What is given when tasks are launched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// `networkConfiguration.awsvpcConfiguration.subnets`
    pub subnets: Vec<String>,
    /// `volumeConfigurations`, in order.
    pub volumes: Vec<LaunchVolume>,
}

/// A block volume that each task gets for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchVolume {
    /// Its place in `volumeConfigurations`.
    pub at: usize,
    /// The ECS name of the volume that it fills.
    pub name: String,
    /// `managedEBSVolume.volumeType`
    pub kind: Option<String>,
    /// GiB.
    pub size: Option<i64>,
    /// The snapshot from which it starts.
    pub snapshot: Option<String>,
}

impl Launch {
    /// Reads a spec as CreateService and RunTask take it.
    pub fn read(spec: &Value, findings: &mut Findings) -> Self {
        let subnets = spec.pointer("/networkConfiguration/awsvpcConfiguration/subnets");
        let subnets = subnets.and_then(Value::as_array).into_iter().flatten();
        let volumes = spec.get("volumeConfigurations").and_then(Value::as_array);
        Self {
            subnets: subnets
                .filter_map(Value::as_str)
                .filter(|id| !id.is_empty())
                .map(ToOwned::to_owned)
                .collect(),
            volumes: volumes
                .into_iter()
                .flatten()
                .enumerate()
                .filter_map(|(at, raw)| volume(at, raw, findings))
                .collect(),
        }
    }
}

fn volume(at: usize, raw: &Value, findings: &mut Findings) -> Option<LaunchVolume> {
    let path = format!("volumeConfigurations[{at}]");
    let Some(name) = text(raw, "name") else {
        let rule = "is required: the name of the volume that is configuredAtLaunch";
        findings.refuse(format!("{path}.name"), rule);
        return None;
    };
    let path = format!("{path}.managedEBSVolume");
    let block = raw.get("managedEBSVolume").unwrap_or(&Value::Null);
    let kind = text(block, "volumeType");
    let most = match kind.as_deref() {
        None | Some("gp2" | "gp3") => 1..=16384,
        Some("io1" | "io2") => 4..=16384,
        Some("st1" | "sc1") => 125..=16384,
        Some("standard") => 1..=1024,
        Some(other) => {
            let rule = "must be gp2, gp3, io1, io2, st1, sc1 or standard";
            findings.refuse_value(format!("{path}.volumeType"), other, rule);
            1..=16384
        }
    };
    let size = text(block, "sizeInGiB").and_then(|size| size.trim().parse::<i64>().ok());
    let snapshot = text(block, "snapshotId");
    let size_at = format!("{path}.sizeInGiB");
    match size {
        Some(size) if !most.contains(&size) => {
            let rule = format!("must be {} to {}", most.start(), most.end());
            findings.refuse_value(size_at, size, rule);
        }
        Some(_) => {}
        None if snapshot.is_some() => findings.refuse(
            size_at,
            "is required here beside snapshotId: at least what the snapshot holds, in GiB",
        ),
        None => findings.refuse(size_at, "is required where no snapshotId is given"),
    }
    Some(LaunchVolume { at, name, kind, size, snapshot })
}
