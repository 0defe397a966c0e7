//! What does a name in ECS JSON refer to? Families, revisions, clusters, and their ARNs.

use serde_json::Value;

/// A task definition as a service names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDefinitionReference {
    /// The family, in its exact ECS spelling.
    pub family: String,
    /// The revision, where one is pinned.
    pub revision: Option<i64>,
}

/// Reads `family`, `family:revision`, or the ARN of either.
///
/// ECS: RegisterTaskDefinition's family is 1–255 letters, digits, `-` and `_`; revisions start at 1.
///
/// ```
/// use linkspan::ecs::reference::task_definition;
/// let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7";
/// assert_eq!(task_definition(arn), task_definition("web:7"));
/// assert_eq!(task_definition("web").map(|r| r.revision), Ok(None));
/// assert!(task_definition("web:latest").is_err());
/// ```
///
/// # Errors
/// Which rule of the two the text breaks.
pub fn task_definition(text: &str) -> Result<TaskDefinitionReference, String> {
    let short = match text.strip_prefix("arn:") {
        Some(rest) => rest.split_once(":task-definition/").map(|(_, name)| name).ok_or_else(|| {
            format!("`{text}` is an ARN of something else; a task definition's has `:task-definition/`")
        })?,
        None => text,
    };
    let (family, revision) = match short.split_once(':') {
        None => (short, None),
        Some((family, digits)) => {
            let number = digits.parse::<i64>().ok().filter(|number| *number >= 1);
            let number = number.ok_or_else(|| {
                format!("`{digits}` is not a revision; give `family` for the newest or `family:7` for one")
            })?;
            (family, Some(number))
        }
    };
    if !is_name(family) {
        return Err(format!("`{family}` is not a family; 1 to 255 letters, digits, - and _ are"));
    }
    Ok(TaskDefinitionReference { family: family.to_owned(), revision })
}

/// Whether a text can name a family, service, cluster or container: 1–255 letters, digits, `-`, `_`.
pub fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// A member that is a text, also when written as a number; empty counts as absent, as in ECS.
pub fn text(spec: &Value, member: &str) -> Option<String> {
    match spec.get(member)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The family of a task definition: its `family`, else the object's name.
pub fn family_of(spec: &Value, object_name: Option<&str>) -> String {
    text(spec, "family").unwrap_or_else(|| object_name.unwrap_or_default().to_owned())
}

/// The cluster and name of a service: `cluster` (a name or an ARN, else `default`) and
/// `serviceName`, else the object's name.
pub fn service_of(spec: &Value, object_name: Option<&str>) -> (String, String) {
    let cluster = text(spec, "cluster").unwrap_or_else(|| "default".to_owned());
    let cluster = cluster.rsplit_once(":cluster/").map_or(cluster.as_str(), |(_, name)| name);
    let name =
        text(spec, "serviceName").unwrap_or_else(|| object_name.unwrap_or_default().to_owned());
    (cluster.to_owned(), name)
}

/// The task definition that a service names, where that can be read.
pub fn task_definition_of(spec: &Value) -> Option<TaskDefinitionReference> {
    task_definition(&text(spec, "taskDefinition")?).ok()
}

/// The ECS name of a cluster: its `clusterName`, else the object's name.
pub fn cluster_of(spec: &Value, object_name: Option<&str>) -> String {
    text(spec, "clusterName").unwrap_or_else(|| object_name.unwrap_or_default().to_owned())
}

/// What comes after the last `/` of a path, an image or an ARN; all of it where there is none.
///
/// ```
/// use linkspan::ecs::reference::last_part;
/// assert_eq!(last_part("arn:aws:iam::123456789012:role/team/web"), "web");
/// assert_eq!(last_part("ghcr.io/acme/web:1"), "web:1");
/// assert_eq!(last_part("web"), "web");
/// ```
pub fn last_part(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// The digest in what a kubelet says of an image; where the image came to its node by no registry, its
/// ID, which is a digest of another kind, is all that there is.
///
/// ```
/// use linkspan::ecs::reference::image_digest;
/// assert_eq!(image_digest("ghcr.io/acme/web@sha256:1b2c"), Some("sha256:1b2c"));
/// assert_eq!(image_digest("sha256:1b2c"), Some("sha256:1b2c"));
/// assert_eq!(image_digest("ghcr.io:443/acme/web:1"), None);
/// ```
pub fn image_digest(image_id: &str) -> Option<&str> {
    let digest = image_id.rsplit_once('@').map_or(image_id, |(_, digest)| digest);
    let (kind, digits) = digest.split_once(':')?;
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
    (plain(kind) && plain(digits)).then_some(digest)
}
