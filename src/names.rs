//! What are things called? Group, labels, annotations, the field manager, and derived names.
//!
//! Every derived name is a function of what it names, never of chance or time: two operators in a
//! race write the same object, not two. Nothing here decides whether an object should exist.

use sha2::{Digest, Sha256};

use crate::defect::{self, Defect};

/// The API group of Linkspan's kinds, and the prefix of its labels and annotations.
pub const GROUP: &str = "ecs.linkspan.dev";
/// The one field manager of every server-side apply.
pub const FIELD_MANAGER: &str = "linkspan";

/// The labels of what Linkspan makes.
pub mod label {
    /// The ECS cluster name of the service.
    pub const CLUSTER: &str = "ecs.linkspan.dev/cluster";
    /// The ECS service name.
    pub const SERVICE: &str = "ecs.linkspan.dev/service";
    /// The UID of the Service object: what selectors select by.
    pub const SERVICE_UID: &str = "ecs.linkspan.dev/service-uid";
    /// The task definition family.
    pub const FAMILY: &str = "ecs.linkspan.dev/family";
    /// The revision number within the family.
    pub const REVISION: &str = "ecs.linkspan.dev/revision";
    /// The sequence of the deployment record in which a pod template originated.
    pub const DEPLOYMENT: &str = "ecs.linkspan.dev/deployment";
    /// The ECS name of the capacity provider; empty where the service names none.
    pub const CAPACITY_PROVIDER: &str = "ecs.linkspan.dev/capacity-provider";
    /// `blue` or `green`; a rolling service lives in `blue`.
    pub const SLOT: &str = "ecs.linkspan.dev/slot";
    /// Start of the labels of a pod with its task's security groups; the group follows. The value is
    /// empty: whether the label is there says it.
    pub const SECURITY_GROUP: &str = "security-group.ecs.linkspan.dev/";
    /// Kubernetes' own label for the application's name: the ECS service name.
    pub const APP_NAME: &str = "app.kubernetes.io/name";
    /// Kubernetes' own label for the whole that it is a part of: the ECS cluster name.
    pub const APP_PART_OF: &str = "app.kubernetes.io/part-of";
    /// Kubernetes' own label for who manages it: `linkspan`.
    pub const APP_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
}

/// The annotations of what Linkspan makes, and those it reads.
pub mod annotation {
    /// Hash of the whole intent as last applied; a removed field shows here and nowhere else.
    pub const INTENT: &str = "ecs.linkspan.dev/intent";
    /// On a workload: the deployment record it was made from (everything but the template), as
    /// JSON, so that a lost record can be rebuilt.
    pub const RECORD: &str = "ecs.linkspan.dev/record";
    /// On a Service: a new value starts a deployment with nothing else changed.
    pub const FORCE_NEW_DEPLOYMENT: &str = "ecs.linkspan.dev/force-new-deployment";
    /// On a pod template: ECS container names by their Kubernetes names, as JSON, where they differ.
    pub const CONTAINER_NAMES: &str = "ecs.linkspan.dev/container-names";
    /// On a pod template: what its ports speak, as JSON by `protocol-number`, where port mappings say
    /// so: a container's port has no field for it.
    pub const APP_PROTOCOLS: &str = "ecs.linkspan.dev/app-protocols";
    /// Start of a pod template's annotations with the tags that it gets; the tag's key follows.
    pub const TAGS: &str = "tags.ecs.linkspan.dev/";
    /// Start of a pod template's annotations with Docker labels, as JSON; the container's Kubernetes
    /// name follows.
    pub const DOCKER_LABELS: &str = "docker-labels.ecs.linkspan.dev/";
}

/// The slot in which a rolling service lives, and in which every service starts.
pub const FIRST_SLOT: &str = "blue";

/// Eight hexadecimal digits that stand for the parts; a part's end cannot be mistaken for the next
/// one's beginning.
///
/// ```
/// use linkspan::names::hash8;
/// assert_eq!(hash8(&["a", "b"]).len(), 8);
/// assert_ne!(hash8(&["a", "b"]), hash8(&["ab", ""]));
/// ```
pub fn hash8(parts: &[&str]) -> String {
    let mut hex = sha256_hex(parts);
    hex.truncate(8);
    hex
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// The whole digest of the parts, as 64 hexadecimal digits.
pub fn sha256_hex(parts: &[&str]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
    digest(parts).iter().flat_map(digits).flatten().collect()
}

/// A name as a DNS label of at most `max` characters that starts with a letter.
///
/// A name that already is one stays as it is. Any other is lower-cased, has its foreign characters
/// replaced by `-`, and gets a hash of the exact name, so that `Web`, `web` and `we_b` differ.
///
/// ```
/// use linkspan::names::dns_label;
/// assert_eq!(dns_label("web", 40), "web");
/// assert!(dns_label("Web", 40).starts_with("web-"));
/// assert_ne!(dns_label("we_b", 40), dns_label("we-b", 40));
/// ```
pub fn dns_label(name: &str, max: usize) -> String {
    if is_dns_label(name) && name.len() <= max {
        return name.to_owned();
    }
    let mut clean: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    if !clean.starts_with(|c: char| c.is_ascii_lowercase()) {
        clean.insert(0, 'x');
    }
    clean.truncate(max.saturating_sub(9));
    format!("{}-{}", clean.trim_end_matches('-'), hash8(&[name]))
}

fn is_dns_label(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// A name as a label value: itself where a label can hold it, else cut and hashed.
pub fn label_value(name: &str) -> String {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let fits = name.len() <= 63
        && (name.is_empty() || (name.starts_with(edge) && name.ends_with(edge)))
        && name.chars().all(|c| edge(c) || matches!(c, '-' | '_' | '.'));
    if fits { name.to_owned() } else { dns_label(name, 63) }
}

/// The child workload of a service: one Deployment per capacity provider and slot.
pub fn workload(service: &str, service_uid: &str, provider: &str, slot: &str) -> String {
    let uid = if defect::is(Defect::NameWithoutUid) { "" } else { service_uid };
    format!("{}-{}", dns_label(service, 40), hash8(&[uid, provider, slot]))
}

/// The disruption budget of a service's slot.
pub fn disruption_budget(service: &str, service_uid: &str, slot: &str) -> String {
    format!("{}-{}", dns_label(service, 40), hash8(&[service_uid, "disruption-budget", slot]))
}

/// The HorizontalPodAutoscaler of a service.
pub fn autoscaler(service: &str, service_uid: &str) -> String {
    format!("{}-{}", dns_label(service, 40), hash8(&[service_uid, "autoscaler"]))
}

/// The NetworkPolicy of a service.
pub fn network_policy(service: &str, service_uid: &str) -> String {
    format!("{}-{}", dns_label(service, 40), hash8(&[service_uid, "network-policy"]))
}

/// What leads to a container's port of a service from outside the cluster, as one of its
/// `loadBalancers` says; `about` stands for that entry.
pub fn exposure(service: &str, service_uid: &str, about: &[&str]) -> String {
    let parts: Vec<&str> = [service_uid, "exposure"].iter().chain(about).copied().collect();
    format!("{}-{}", dns_label(service, 40), hash8(&parts))
}

/// The label by which pods of a security group are selected.
pub fn security_group_label(group: &str) -> String {
    format!("{}{}", label::SECURITY_GROUP, label_value(group))
}

/// The corev1 Service of a service: its own plain name.
pub fn endpoints(service: &str) -> String {
    dns_label(service, 63)
}

/// The record of a service's deployment number `sequence`.
pub fn record(service: &str, service_uid: &str, sequence: i64) -> String {
    format!("{}-{}-{sequence}", dns_label(service, 40), hash8(&[service_uid]))
}

/// The revision object of a family: `<family>-<revision>`.
pub fn revision(family: &str, revision: i64) -> String {
    format!("{}-{revision}", dns_label(family, 63))
}

/// No family comes near so many revisions: a name beyond it was not given by Linkspan.
const MOST_REVISIONS: i64 = 1_000_000_000;

/// The number at the end of a revision object's name, which nobody can edit.
///
/// ```
/// assert_eq!(linkspan::names::revision_number("web-12"), Some(12));
/// assert_eq!(linkspan::names::revision_number("web"), None);
/// ```
pub fn revision_number(name: &str) -> Option<i64> {
    let number: i64 = name.rsplit_once('-')?.1.parse().ok()?;
    (1..=MOST_REVISIONS).contains(&number).then_some(number)
}

/// The identifier of a deployment as ECS writes it: `ecs-svc/` and nineteen digits.
pub fn deployment_id(service_uid: &str, sequence: i64) -> String {
    let digest = digest(&[service_uid, "deployment", &sequence.to_string()]);
    let number = digest.iter().take(8).fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
    // Nineteen digits, the first of them never 0.
    format!("ecs-svc/{}", 1_000_000_000_000_000_000 + number % 9_000_000_000_000_000_000)
}

/// The identifier of a task as ECS writes it: 32 hexadecimal digits, here of the pod's UID.
pub fn task_id(pod_uid: &str) -> String {
    let digits: String = pod_uid.chars().filter(char::is_ascii_hexdigit).collect();
    if digits.len() == 32 {
        digits
    } else {
        let mut hex = sha256_hex(&[pod_uid]);
        hex.truncate(32);
        hex
    }
}
