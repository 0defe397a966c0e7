//! Which parts of a pod come of AWS identifiers?
//!
//! Images and the Secrets that pull them, variables from Secrets and ConfigMaps, the ServiceAccount,
//! claims, zones, and annotations for the nodes' log agent.
//! They are laid on a template that is otherwise complete.

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::container::pull_policy;
use crate::plan::mapping::{Claim, ContainerNames, Names};

/// Lays names on the pods of a template; `overrule` is the task definition's own word on when images
/// are pulled.
pub fn lay(names: &Names, overrule: Option<&str>, template: &mut corev1::PodTemplateSpec) {
    let Some(pod) = template.spec.as_mut() else { return };
    if let Some(account) = &names.service_account {
        // The role's rights come by the account's token, which a task without a role does not have.
        pod.service_account_name = Some(account.clone());
        pod.automount_service_account_token = Some(true);
    }
    if !names.pull_secrets.is_empty() {
        let secrets = names.pull_secrets.iter();
        pod.image_pull_secrets =
            Some(secrets.map(|name| corev1::LocalObjectReference { name: name.clone() }).collect());
    }
    for (volume, claim) in &names.volumes {
        let mut volumes = pod.volumes.iter_mut().flatten();
        if let Some(volume) = volumes.find(|other| other.name == *volume) {
            volume.empty_dir = None;
            match claim {
                Claim::Named { claim, .. } => volume.persistent_volume_claim = Some(claimed(claim)),
                Claim::Fresh { .. } => volume.ephemeral = Some(fresh(claim)),
            }
        }
    }
    pod.affinity = in_zones(&names.zones);
    if !names.annotations.is_empty() {
        let meta = template.metadata.get_or_insert_default();
        meta.annotations.get_or_insert_default().extend(names.annotations.clone());
    }
    let starting = pod.init_containers.iter_mut().flatten();
    for container in starting.chain(&mut pod.containers) {
        let mut of_containers = names.containers.iter();
        if let Some(found) = of_containers.find(|of| of.dns_name == container.name) {
            lay_on_container(found, overrule, container);
        }
        for mount in container.volume_mounts.iter_mut().flatten() {
            if let Some(Claim::Named { directory, .. }) = names.volumes.get(&mount.name) {
                mount.sub_path.clone_from(directory);
            }
        }
    }
}

fn claimed(claim: &str) -> corev1::PersistentVolumeClaimVolumeSource {
    corev1::PersistentVolumeClaimVolumeSource { claim_name: claim.to_owned(), read_only: None }
}

/// A claim that is made with the pod and goes with it.
fn fresh(claim: &Claim) -> corev1::EphemeralVolumeSource {
    let Claim::Fresh { storage_class, size, snapshot } = claim else {
        return corev1::EphemeralVolumeSource::default();
    };
    let requests = [("storage".to_owned(), Quantity(format!("{size}Gi")))].into();
    let data_source = snapshot.as_ref().map(|name| corev1::TypedLocalObjectReference {
        api_group: Some("snapshot.storage.k8s.io".to_owned()),
        kind: "VolumeSnapshot".to_owned(),
        name: name.clone(),
    });
    corev1::EphemeralVolumeSource {
        volume_claim_template: Some(corev1::PersistentVolumeClaimTemplate {
            metadata: None,
            spec: corev1::PersistentVolumeClaimSpec {
                access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
                storage_class_name: storage_class.clone(),
                data_source,
                resources: Some(corev1::VolumeResourceRequirements {
                    requests: Some(requests),
                    limits: None,
                }),
                ..corev1::PersistentVolumeClaimSpec::default()
            },
        }),
    }
}

/// The label by which nodes say in which zone they are.
const ZONE: &str = "topology.kubernetes.io/zone";

fn in_zones(zones: &[String]) -> Option<corev1::Affinity> {
    let in_zone = corev1::NodeSelectorRequirement {
        key: ZONE.to_owned(),
        operator: "In".to_owned(),
        values: Some(zones.to_vec()),
    };
    let term = corev1::NodeSelectorTerm {
        match_expressions: Some(vec![in_zone]),
        ..corev1::NodeSelectorTerm::default()
    };
    (!zones.is_empty()).then(|| corev1::Affinity {
        node_affinity: Some(corev1::NodeAffinity {
            required_during_scheduling_ignored_during_execution: Some(corev1::NodeSelector {
                node_selector_terms: vec![term],
            }),
            ..corev1::NodeAffinity::default()
        }),
        ..corev1::Affinity::default()
    })
}

fn lay_on_container(
    named: &ContainerNames,
    overrule: Option<&str>,
    container: &mut corev1::Container,
) {
    container.image = Some(named.image.clone());
    container.image_pull_policy = Some(pull_policy(&named.image, overrule));
    if !named.secrets.is_empty() {
        let variables = container.env.get_or_insert_default();
        // Of a secret and a plain value of one name, the secret counts.
        variables.retain(|plain| named.secrets.iter().all(|(name, ..)| *name != plain.name));
        variables.extend(named.secrets.iter().map(|(name, secret, key)| corev1::EnvVar {
            name: name.clone(),
            value_from: Some(corev1::EnvVarSource {
                secret_key_ref: Some(corev1::SecretKeySelector {
                    name: secret.clone(),
                    key: key.clone(),
                    optional: None,
                }),
                ..corev1::EnvVarSource::default()
            }),
            ..corev1::EnvVar::default()
        }));
    }
    if !named.environment_files.is_empty() {
        // ECS: the first file wins. Kubernetes: the last source wins, and `env` over all of them.
        let sources = named.environment_files.iter().rev().map(|name| corev1::EnvFromSource {
            config_map_ref: Some(corev1::ConfigMapEnvSource { name: name.clone(), optional: None }),
            ..corev1::EnvFromSource::default()
        });
        container.env_from = Some(sources.collect());
    }
}
