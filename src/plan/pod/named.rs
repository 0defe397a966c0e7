//! Which parts of a pod come of AWS identifiers?
//!
//! Images and the Secrets that pull them, variables from Secrets and ConfigMaps, the ServiceAccount.
//! They are laid on a template that is otherwise complete.

use k8s_openapi::api::core::v1 as corev1;

use super::container::pull_policy;
use crate::plan::mapping::{ContainerNames, Names};

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
    let starting = pod.init_containers.iter_mut().flatten();
    for container in starting.chain(&mut pod.containers) {
        let mut of_containers = names.containers.iter();
        if let Some(found) = of_containers.find(|of| of.dns_name == container.name) {
            lay_on_container(found, overrule, container);
        }
    }
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
