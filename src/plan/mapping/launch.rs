//! What does a service or a run give its tasks that needs names in the cluster?
//!
//! The subnets and security groups of `networkConfiguration`, the volumes of `volumeConfigurations`, and
//! of a service its load balancers, alarms and lifecycle hooks.

use serde_json::Value;

use super::alarms::{alarms_of, hook_targets_of};
use crate::ecs::reference::text;
use crate::plan::finding::Findings;

/// What is given when tasks are launched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// `networkConfiguration.awsvpcConfiguration.subnets`
    pub subnets: Vec<String>,
    /// `networkConfiguration.awsvpcConfiguration.securityGroups`, each once.
    pub security_groups: Vec<String>,
    /// `loadBalancers`, in order.
    pub load_balancers: Vec<Balanced>,
    /// The names of alarms that the Cluster is to know.
    pub alarms: Vec<String>,
    /// The targets of lifecycle hooks.
    pub hook_targets: Vec<String>,
    /// `volumeConfigurations`, in order.
    pub volumes: Vec<LaunchVolume>,
}

/// A container's port that a load balancer sends traffic to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balanced {
    /// Its place in `loadBalancers`.
    pub at: usize,
    /// `targetGroupArn`
    pub target_group: Option<String>,
    /// `loadBalancerName`, of a Classic Load Balancer.
    pub load_balancer: Option<String>,
    /// `advancedConfiguration.productionListenerRule`
    pub listener_rule: Option<String>,
    /// `containerName`
    pub container: String,
    /// `containerPort`
    pub port: i32,
}

impl Balanced {
    /// The `loadBalancers` of a service's spec, without those that name no port.
    pub fn all(spec: &Value) -> Vec<Self> {
        let list = spec.get("loadBalancers").and_then(Value::as_array).into_iter().flatten();
        let read = |(at, raw): (usize, &Value)| {
            let advanced = raw.get("advancedConfiguration").unwrap_or(&Value::Null);
            Some(Self {
                at,
                target_group: text(raw, "targetGroupArn"),
                load_balancer: text(raw, "loadBalancerName"),
                listener_rule: text(advanced, "productionListenerRule"),
                container: text(raw, "containerName")?,
                port: text(raw, "containerPort")?.trim().parse().ok()?,
            })
        };
        list.enumerate().filter_map(read).collect()
    }

    /// What stands for it: two entries that agree in it are one.
    pub fn about(&self) -> [String; 4] {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let port = self.port.to_string();
        [text(&self.target_group), text(&self.load_balancer), self.container.clone(), port]
    }
}

/// The security groups of a spec, each once, in order.
pub fn security_groups(spec: &Value) -> Vec<String> {
    let groups = spec.pointer("/networkConfiguration/awsvpcConfiguration/securityGroups");
    let groups = groups.and_then(Value::as_array).into_iter().flatten();
    let mut each = Vec::new();
    for group in groups.filter_map(Value::as_str).filter(|group| !group.is_empty()) {
        if !each.iter().any(|known| known == group) {
            each.push(group.to_owned());
        }
    }
    each
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
            security_groups: security_groups(spec),
            load_balancers: Balanced::all(spec),
            alarms: alarms_of(spec),
            hook_targets: hook_targets_of(spec),
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
