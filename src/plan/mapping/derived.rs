//! Which name does an identifier get that no row maps, and which rows would map it?
//!
//! * A secret: the Secret of its name (without what AWS appends), under the JSON key, or `value`.
//! * A parameter: the Secret `parameter-<name>-<hash>`, under `value`.
//! * A version stage other than AWSCURRENT, or a version id, is appended to the key: `password.AWSPREVIOUS`.
//! * An environment file: the ConfigMap of its bucket and key.
//! * A file system: the claim of its ID, with that of its access point.
//!
//! What is no DNS label is made one, with a hash of the exact name, so that no two become one. A role
//! has no default: a pod whose ServiceAccount is not there does not start.

use serde_json::{Value, json};

use super::exposures::group_name;
use super::rows::is_key;
use crate::ecs::reference::{is_name, last_part};
use crate::ecs::secret::{SecretReference, Store};
use crate::names::{dns_label, hash8};
use crate::plan::task_definition::FileSystem;

/// The key of a Secret that holds one value and has no better word for it.
const WHOLE: &str = "value";

/// An identifier that no row maps: the table that would, and the row.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// Which table.
    pub table: &'static str,
    /// The row that gives it its default name.
    pub row: Value,
}

/// The Secret of a secret or parameter.
pub(super) fn secret_name(reference: &SecretReference) -> String {
    match reference.store {
        Store::SecretsManager => dns_label(reference.plain_name(), 63),
        Store::ParameterStore => dns_label(&format!("parameter/{}", reference.name), 63),
    }
}

/// The key under which a Secret holds what a reference names; `whole` is that of all of it.
pub(super) fn key(reference: &SecretReference, whole: Option<&str>) -> String {
    let mut key = match &reference.json_key {
        Some(json_key) => json_key.clone(),
        None => whole.unwrap_or(WHOLE).to_owned(),
    };
    for version in [&reference.stage, &reference.id].into_iter().flatten() {
        key.push('.');
        key.push_str(version);
    }
    if is_key(&key) {
        return key;
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let clean: String = key.chars().map(|c| if allowed(c) { c } else { '_' }).take(200).collect();
    format!("{clean}-{}", hash8(&[&key]))
}

/// The ConfigMap of an environment file.
pub(super) fn config_map(arn: &str) -> String {
    dns_label(arn.rsplit(":::").next().unwrap_or(arn), 63)
}

/// The registry of an image of a private ECR registry, with the `/` after it.
pub(super) fn private_registry(image: &str) -> Option<&str> {
    let end = image.find('/')?;
    image.get(..=end).filter(|registry| registry.contains(".dkr.ecr"))
}

/// The row for a registry: where else its images are, or how the nodes sign in to it.
pub(super) fn image_row(registry: &str) -> Need {
    Need { table: "images", row: json!({"prefix": registry, "pullSecrets": ["ecr"]}) }
}

/// The row for a role.
pub(super) fn role_row(role: &str) -> Need {
    let account = dns_label(last_part(role), 63);
    Need { table: "roles", row: json!({"role": role, "serviceAccount": account}) }
}

/// The row for a secret or a parameter.
pub(super) fn secret_row(written: &str, reference: &SecretReference) -> Need {
    let secret_name = secret_name(reference);
    let row = if reference.json_key.is_none() {
        json!({"valueFrom": written, "secretName": secret_name, "key": key(reference, None)})
    } else {
        // One row for all keys of the secret.
        json!({"valueFrom": whole(written), "secretName": secret_name})
    };
    Need { table: "secrets", row }
}

/// The row for credentials of a registry.
pub(super) fn credentials_row(written: &str, reference: &SecretReference) -> Need {
    let row = json!({"valueFrom": written, "secretName": secret_name(reference)});
    Need { table: "secrets", row }
}

/// The row for an environment file.
pub(super) fn file_row(arn: &str) -> Need {
    let row = json!({"value": arn, "configMap": config_map(arn)});
    Need { table: "environmentFiles", row }
}

/// The claim of a file system.
pub(super) fn claim(file_system: &FileSystem) -> String {
    let access_point = file_system.access_point.as_deref().map(last_part);
    let parts: Vec<&str> = [last_part(&file_system.id)].into_iter().chain(access_point).collect();
    dns_label(&parts.join("-"), 63)
}

/// The row for a file system. That it encrypts is said only where that is asked for.
pub(super) fn file_system_row(file_system: &FileSystem) -> Need {
    let mut row = json!({"fileSystem": file_system.id, "claimName": claim(file_system)});
    if let (Some(row), Some(access_point)) = (row.as_object_mut(), &file_system.access_point) {
        row.insert("accessPoint".to_owned(), access_point.as_str().into());
    }
    if let (Some(row), true) = (row.as_object_mut(), file_system.encrypted) {
        row.insert("transitEncryption".to_owned(), "ENABLED".into());
    }
    Need { table: "fileSystems", row }
}

/// The row for a volume driver, or a type of block volumes.
pub(super) fn driver_row(driver: &str) -> Need {
    Need { table: "volumeDrivers", row: json!({"driver": driver}) }
}

/// The row for a subnet whose zone does not matter.
pub(super) fn subnet_row(subnet: &str) -> Need {
    Need { table: "subnets", row: json!({"subnet": subnet}) }
}

/// The row for a log driver whose part the nodes' log agent takes.
pub(super) fn log_row(driver: &str) -> Need {
    Need { table: "logDrivers", row: json!({"logDriver": driver}) }
}

/// The row for a security group whose tasks are reached by everything, as they are without one.
pub(super) fn security_group_row(group: &str) -> Need {
    Need { table: "securityGroups", row: json!({"securityGroup": group, "ingress": [{}]}) }
}

/// The row for a target group that is reached inside the cluster only.
pub(super) fn target_group_row(group: &str) -> Need {
    let name = Some(group_name(group)).filter(|name| !name.is_empty()).unwrap_or(group);
    let name = if group.contains(":targetgroup/") { name } else { group };
    Need { table: "targetGroups", row: json!({"targetGroup": name}) }
}

/// The same for a Classic Load Balancer.
pub(super) fn load_balancer_row(name: &str) -> Need {
    Need { table: "targetGroups", row: json!({"loadBalancerName": name}) }
}

/// A row for an alarm: nobody knows what it watches, so that a person must put that in.
pub(super) fn alarm_row(name: &str) -> Need {
    let row = json!({
        "alarmName": name, "namespace": "AWS/ECS", "metricName": "CPUUtilization",
        "comparisonOperator": "GreaterThanThreshold", "threshold": 80, "evaluationPeriods": 3,
    });
    Need { table: "alarms", row }
}

/// A row for the target of a lifecycle hook: a task definition of the function's name.
pub(super) fn hook_target_row(target: &str) -> Need {
    let name = target.rsplit_once(":function:").map_or(target, |(_, name)| name);
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    let family = if is_name(name) { name.to_owned() } else { dns_label(name, 63) };
    Need { table: "hookTargets", row: json!({"hookTargetArn": target, "taskDefinition": family}) }
}

/// An ARN of a secret without the three parts that name a part of it.
fn whole(written: &str) -> String {
    written.split(':').take(7).collect::<Vec<_>>().join(":")
}
