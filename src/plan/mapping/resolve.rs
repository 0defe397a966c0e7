//! Which names does each identifier of a task definition resolve to?

use std::collections::BTreeMap;

use serde_json::Value;

use super::Mapping;
use super::derived::{self, Need};
use super::launch::Launch;
use super::row::line;
use super::tables::{ImageRow, RoleRow, SecretRow, Tables};
use super::volumes::Claim;
use crate::ecs::reference::last_part;
use crate::ecs::secret::SecretReference;
use crate::plan::finding::Findings;
use crate::plan::task_definition::{ContainerIdentifiers, Identifiers};

/// The Kubernetes names of a task definition's AWS identifiers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// The ServiceAccount of the task role; none means the namespace's own, without a token.
    pub service_account: Option<String>,
    /// The Secrets by which images are pulled, each once, in order.
    pub pull_secrets: Vec<String>,
    /// What belongs to the containers, in order.
    pub containers: Vec<ContainerNames>,
    /// What each key of a Secret holds, by the Secret's name and the key.
    pub sources: BTreeMap<(String, String), SecretReference>,
    /// What the volumes are that are kept outside the task, by their Kubernetes names.
    pub volumes: BTreeMap<String, Claim>,
    /// The pod's annotations for the nodes' log agent.
    pub annotations: BTreeMap<String, String>,
    /// The zones in which tasks may run; none means any.
    pub zones: Vec<String>,
    /// The rows that gave these names: with them alone, the same names come out.
    pub rows: Option<Value>,
    /// What no row maps.
    pub needs: Vec<Need>,
    /// What there is to say about who launches the task, by paths in that one's spec.
    pub at_launch: Findings,
}

/// The Kubernetes names of a container's AWS identifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerNames {
    /// The Kubernetes name of the container.
    pub dns_name: String,
    /// The image to pull.
    pub image: String,
    /// Environment variables, each with the Secret and the key that hold its value.
    pub secrets: Vec<(String, String, String)>,
    /// The ConfigMaps of its environment files, in ECS's order: the first file wins.
    pub environment_files: Vec<String>,
}

impl Names {
    /// What a pod is made from: two deployments that agree in it have the same names.
    pub fn outcome(&self) -> impl PartialEq + std::fmt::Debug {
        (
            (&self.service_account, &self.pull_secrets, &self.containers),
            (&self.volumes, &self.annotations, &self.zones),
        )
    }
}

/// Resolves the identifiers of a task definition, and of who launches it, by a mapping. What no row
/// maps is said.
pub fn resolve(
    identifiers: &Identifiers,
    launch: &Launch,
    mapping: &Mapping,
    findings: &mut Findings,
) -> Names {
    let mut resolver =
        Resolver { mapping, findings, names: Names::default(), used: BTreeMap::new() };
    resolver.role(identifiers);
    for (at, container) in identifiers.containers.iter().enumerate() {
        let named = resolver.container(container, &format!("containerDefinitions[{at}]"));
        resolver.names.containers.push(named);
    }
    resolver.logs(identifiers);
    resolver.volumes(identifiers);
    resolver.launched(identifiers, launch);
    resolver.zones(launch);
    resolver.groups(launch);
    resolver.exposures(launch);
    resolver.watched(launch);
    resolver.names.rows = resolver.rows();
    resolver.names
}

pub(super) struct Resolver<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) findings: &'a mut Findings,
    pub(super) names: Names,
    /// The rows that were used, by the name of their table and their place in it.
    used: BTreeMap<&'static str, BTreeMap<usize, &'a Value>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn used(&mut self, table: &'static str, at: usize, raw: &'a Value) {
        self.used.entry(table).or_default().insert(at, raw);
    }

    fn role(&mut self, identifiers: &Identifiers) {
        let Some(role) = &identifiers.task_role else { return };
        if let Some((at, row)) = find_role(&self.mapping.tables, role) {
            self.used("roles", at, &row.raw);
            self.names.service_account = Some(row.service_account.clone());
        } else {
            self.unmapped(
                "taskRoleArn".to_owned(),
                "tasks run without its rights, as the namespace's default ServiceAccount without a \
                 token",
                derived::role_row(role),
            );
        }
    }

    fn container(&mut self, container: &ContainerIdentifiers, path: &str) -> ContainerNames {
        let image = self.image(&container.image, path, container.credentials.is_some());
        if let Some((written, reference)) = &container.credentials {
            let secret =
                if let Some((at, row)) = find_secret(&self.mapping.tables, written, reference) {
                    self.used("secrets", at, &row.raw);
                    row.secret_name.clone()
                } else {
                    let secret = derived::secret_name(reference);
                    let how = format!(
                        "the image is pulled by Secret {secret}, which must be there with type \
                     kubernetes.io/dockerconfigjson"
                    );
                    let path = format!("{path}.repositoryCredentials.credentialsParameter");
                    self.unmapped(path, &how, derived::credentials_row(written, reference));
                    secret
                };
            self.pull_by(&secret);
        }
        let mut secrets = Vec::new();
        for variable in &container.secrets {
            let (written, reference) = (&variable.written, &variable.reference);
            let (name, key) = if let Some((at, row)) =
                find_secret(&self.mapping.tables, written, reference)
            {
                self.used("secrets", at, &row.raw);
                let exact = row.written == *written || row.reference == *reference;
                let key = match &row.key {
                    Some(key) if exact => key.clone(),
                    key => derived::key(reference, key.as_deref()),
                };
                (row.secret_name.clone(), key)
            } else {
                let name = derived::secret_name(reference);
                let key = derived::key(reference, None);
                let how = format!("is read from key {key} of Secret {name}, which must be there");
                let path = format!("{path}.secrets[{}].valueFrom", variable.at);
                self.unmapped(path, &how, derived::secret_row(written, reference));
                (name, key)
            };
            self.names.sources.insert((name.clone(), key.clone()), reference.clone());
            secrets.push((variable.name.clone(), name, key));
        }
        let mut environment_files = Vec::new();
        for (at, arn) in &container.environment_files {
            let rows = &self.mapping.tables.environment_files;
            let found = rows.iter().enumerate().find(|(_, row)| row.value == *arn);
            let config_map = if let Some((row_at, row)) = found {
                self.used("environmentFiles", row_at, &row.raw);
                row.config_map.clone()
            } else {
                let config_map = derived::config_map(arn);
                let how = format!(
                    "is read from ConfigMap {config_map}, which must be there, one key for \
                             each variable"
                );
                let path = format!("{path}.environmentFiles[{at}].value");
                self.unmapped(path, &how, derived::file_row(arn));
                config_map
            };
            environment_files.push(config_map);
        }
        ContainerNames { dns_name: container.dns_name.clone(), image, secrets, environment_files }
    }

    /// The image to pull; `signed_in`: whether the container has credentials of its own.
    fn image(&mut self, image: &str, path: &str, signed_in: bool) -> String {
        let Some((at, row, rest)) = find_image(&self.mapping.tables, image) else {
            if let Some(registry) = derived::private_registry(image).filter(|_| !signed_in) {
                self.unmapped(
                    format!("{path}.image"),
                    "a private ECR registry: nodes outside AWS cannot sign in to it, and a Secret \
                     with its token works for 12 hours; to sign in by one, or with `replacement` to \
                     pull from another registry",
                    derived::image_row(registry),
                );
            }
            return image.to_owned();
        };
        self.used("images", at, &row.raw);
        let (secrets, digest) = (row.pull_secrets.clone(), row.digest.clone());
        let start = row.replacement.as_ref().unwrap_or(&row.prefix);
        let mut mapped = format!("{start}{rest}");
        if row.replacement.is_none() && digest.is_none() {
            image.clone_into(&mut mapped);
        }
        if let Some(digest) = digest {
            mapped = format!("{}@{digest}", without_tag(&mapped));
        }
        for secret in secrets {
            self.pull_by(&secret);
        }
        mapped
    }

    fn pull_by(&mut self, secret: &str) {
        if !self.names.pull_secrets.iter().any(|known| known == secret) {
            self.names.pull_secrets.push(secret.to_owned());
        }
    }

    /// Says of a place in the task definition that no row maps it.
    pub(super) fn unmapped(&mut self, path: String, how: &str, need: Need) {
        let message = self.told(how, &need);
        self.findings.differs(path, message);
        self.need(need);
    }

    /// The same of a place in the spec of who launches the task.
    pub(super) fn unmapped_at_launch(&mut self, path: String, how: &str, need: Need) {
        let message = self.told(how, &need);
        self.names.at_launch.differs(path, message);
        self.need(need);
    }

    fn told(&self, how: &str, need: &Need) -> String {
        let joint = match need.table {
            "images" | "subnets" | "volumeDrivers" => ", ",
            "securityGroups" | "targetGroups" => " ",
            "logDrivers" => "; where that agent takes the driver's part, ",
            _ => "; to map it, ",
        };
        format!("{how}{joint}{}", self.line(need))
    }

    pub(super) fn line(&self, need: &Need) -> String {
        line(need, &self.mapping.cluster)
    }

    pub(super) fn need(&mut self, need: Need) {
        if !self.names.needs.contains(&need) {
            self.names.needs.push(need);
        }
    }

    /// The rows that were used, as a Cluster's spec has them.
    fn rows(&self) -> Option<Value> {
        (!self.used.is_empty()).then(|| {
            let rows = |rows: &BTreeMap<usize, &Value>| rows.values().copied().cloned().collect();
            let tables = self.used.iter().map(|(table, of)| ((*table).to_owned(), rows(of)));
            Value::Object(tables.collect())
        })
    }
}

/// The row with the longest prefix of an image, and the rest of the image. A prefix ends where a part
/// of the image ends; an image without a registry also begins with `docker.io/`.
fn find_image<'a>(tables: &'a Tables, image: &str) -> Option<(usize, &'a ImageRow, String)> {
    let find = |image: &str| {
        let rows = tables.images.iter().enumerate();
        rows.filter_map(|(at, row)| {
            let rest = image.strip_prefix(row.prefix.as_str())?;
            let whole = rest.is_empty() || rest.starts_with(['/', ':', '@']);
            let ends = row.prefix.ends_with(['/', ':']);
            (whole || ends).then(|| (at, row, rest.to_owned()))
        })
        .max_by_key(|(_, row, _)| row.prefix.len())
    };
    find(image).or_else(|| find(&qualified(image)?))
}

/// An image of Docker Hub with all that it leaves out.
fn qualified(image: &str) -> Option<String> {
    match image.split_once('/') {
        None => Some(format!("docker.io/library/{image}")),
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => None,
        Some(_) => Some(format!("docker.io/{image}")),
    }
}

fn without_tag(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let file = name.rfind('/').map_or(0, |at| at + 1);
    let tag = name.get(file..).and_then(|last| last.find(':')).map(|at| file + at);
    tag.and_then(|at| name.get(..at)).unwrap_or(name)
}

/// The row of a role: the very text, else the same name where one of the two is a bare name.
fn find_role<'a>(tables: &'a Tables, role: &str) -> Option<(usize, &'a RoleRow)> {
    let rows = || tables.roles.iter().enumerate();
    let is_bare = |text: &str| !text.starts_with("arn:");
    rows().find(|(_, row)| row.role == role).or_else(|| {
        rows().find(|(_, row)| {
            (is_bare(&row.role) || is_bare(role)) && last_part(&row.role) == last_part(role)
        })
    })
}

/// The row of a secret: the very text; else the same part of the same secret; else the whole secret.
fn find_secret<'a>(
    tables: &'a Tables,
    written: &str,
    reference: &SecretReference,
) -> Option<(usize, &'a SecretRow)> {
    let rows = || tables.secrets.iter().enumerate();
    rows()
        .find(|(_, row)| row.written == written)
        .or_else(|| rows().find(|(_, row)| row.reference == *reference))
        .or_else(|| {
            let whole = reference.whole();
            rows().find(|(_, row)| {
                let bare = !row.written.starts_with("arn:");
                let plain = row.written.trim_start_matches('/');
                row.reference == whole
                    || (bare && (plain == reference.name || plain == reference.plain_name()))
            })
        })
}
