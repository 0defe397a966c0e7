//! What must be there beside a Cluster that maps names?
//!
//! ServiceAccounts, Secrets, claims, snapshots and ConfigMaps of its namespace: their names as a
//! comment, and, where that is asked for, manifests to apply once a person has decided what only a
//! person can. What a secret holds is never looked at: an ExternalSecret says where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::comments::{as_comment, comment};
use super::print::yaml;
use crate::ecs::secret::{SecretReference, Store};
use crate::plan::mapping::{Claim, Names};
use crate::world::set;

/// The objects, by name.
#[derive(Default)]
pub(super) struct Beside {
    accounts: BTreeSet<String>,
    pull_secrets: BTreeSet<String>,
    secrets: BTreeMap<String, BTreeMap<String, SecretReference>>,
    config_maps: BTreeSet<String>,
    claims: BTreeSet<String>,
    snapshots: BTreeSet<String>,
}

impl Beside {
    /// Adds what these names are of.
    pub(super) fn take(&mut self, names: &Names) {
        self.accounts.extend(names.service_account.clone());
        self.pull_secrets.extend(names.pull_secrets.iter().cloned());
        for claim in names.volumes.values() {
            match claim {
                Claim::Named { claim, .. } => self.claims.extend([claim.clone()]),
                Claim::Fresh { snapshot, .. } => self.snapshots.extend(snapshot.clone()),
            }
        }
        for ((secret, key), reference) in &names.sources {
            let keys = self.secrets.entry(secret.clone()).or_default();
            keys.insert(key.clone(), reference.clone());
        }
        for container in &names.containers {
            self.config_maps.extend(container.environment_files.iter().cloned());
        }
    }

    /// The names, as a comment; nothing where nothing must be there.
    pub(super) fn listed(&self, namespace: &str) -> String {
        let mut text = String::new();
        let mut line = |what: String| text.push_str(&as_comment(&format!("  {what}")));
        for name in &self.accounts {
            line(format!("ServiceAccount {name}"));
        }
        for name in &self.pull_secrets {
            line(format!("Secret {name}, of type kubernetes.io/dockerconfigjson"));
        }
        for (name, keys) in &self.secrets {
            let mut what = format!("Secret {name}, with");
            for (at, key) in keys.keys().enumerate() {
                let _ = write!(what, "{} {key}", if at == 0 { "" } else { "," });
            }
            line(what);
        }
        for name in &self.claims {
            line(format!("PersistentVolumeClaim {name}, which several pods can mount"));
        }
        for name in &self.snapshots {
            line(format!("VolumeSnapshot {name}"));
        }
        for name in &self.config_maps {
            line(format!("ConfigMap {name}: kubectl create configmap {name} --from-env-file=FILE"));
        }
        if text.is_empty() {
            return text;
        }
        as_comment(&format!("Beside it, namespace {namespace} must have:")) + &text
    }

    /// Manifests of those that can be written down, each with what is left to decide.
    pub(super) fn manifests(&self, namespace: &str) -> Result<Vec<String>, String> {
        let meta = |name: &str| json!({"name": name, "namespace": namespace});
        let mut manifests = Vec::new();
        let mut add = |body: &Value, comments: &[(&str, &str)]| {
            let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
            let comments: Vec<(String, String)> = comments.iter().map(owned).collect();
            yaml(body).map(|text| manifests.push(comment(&text, &comments)))
        };
        for name in &self.accounts {
            let body =
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(name)});
            add(&body, &[("kind", "Give it the rights that its tasks need of the role.")])?;
        }
        for (name, keys) in &self.secrets {
            let Some(first) = keys.values().next().map(|reference| reference.store) else {
                continue;
            };
            let data: Vec<Value> =
                keys.iter().map(|(key, reference)| remote(key, reference, first)).collect();
            let body = json!({
                "apiVersion": "external-secrets.io/v1",
                "kind": "ExternalSecret",
                "metadata": meta(name),
                "spec": {
                    "refreshPolicy": "OnChange",
                    "secretStoreRef": store(first),
                    "target": {"name": name},
                    "data": data,
                },
            });
            add(&body, &[("spec.secretStoreRef", DECIDE_STORE)])?;
        }
        for name in &self.claims {
            let body = json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": meta(name),
                "spec": {
                    "accessModes": ["ReadWriteMany"],
                    "resources": {"requests": {"storage": "1Gi"}},
                    "storageClassName": "",
                    "volumeName": name,
                },
            });
            add(&body, &[("spec.storageClassName", DECIDE_VOLUME)])?;
        }
        Ok(manifests)
    }
}

/// The store that an ExternalSecret names.
fn store(of: Store) -> Value {
    let name = match of {
        Store::SecretsManager => "secrets-manager",
        Store::ParameterStore => "parameter-store",
    };
    json!({"kind": "SecretStore", "name": name})
}

const DECIDE_STORE: &str = "Needs the operator of external-secrets.io, and a SecretStore by which it reads AWS; without it, \
     make the Secret yourself.";

const DECIDE_VOLUME: &str =
    "Name the PersistentVolume of the file system, or a StorageClass that makes one.";

/// Where the value of one key is; `usual` is the store of the whole.
fn remote(key: &str, reference: &SecretReference, usual: Store) -> Value {
    let name = match reference.store {
        Store::SecretsManager => reference.plain_name().to_owned(),
        // A name with parts begins with `/`.
        Store::ParameterStore if reference.name.contains('/') => format!("/{}", reference.name),
        Store::ParameterStore => reference.name.clone(),
    };
    // A stage by its name, a version by its ID.
    let version = reference.id.as_ref().map(|id| format!("uuid/{id}"));
    let parts = [
        ("key", Some(name)),
        ("property", reference.json_key.clone()),
        ("version", version.or_else(|| reference.stage.clone())),
    ];
    let parts = parts.into_iter().filter_map(|(part, text)| Some((part.to_owned(), text?.into())));
    let mut remote = json!({"secretKey": key, "remoteRef": Value::Object(parts.collect())});
    if reference.store != usual {
        set(&mut remote, &["sourceRef", "storeRef"], store(reference.store));
    }
    remote
}
