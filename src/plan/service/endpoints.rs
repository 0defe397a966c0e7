//! How is a service reached? By a corev1 Service of its plain name, with all its ports.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::observed::{Observed, Standing};
use super::record::{labels, owner, selector_of};
use crate::api::ServiceDeployment;
use crate::names;
use crate::plan::Write;
use crate::world::{Kind, Object, ObjectKey};

/// The corev1 Service, where the record's template has ports.
pub(super) fn build(observed: &Observed, record: &ServiceDeployment) -> Option<Object> {
    let ports = ports(&record.spec.template);
    if ports.is_empty() {
        return None;
    }
    let service = corev1::Service {
        metadata: ObjectMeta {
            name: Some(names::endpoints(&observed.name)),
            namespace: Some(observed.key.namespace.clone()),
            labels: Some(labels(observed)),
            owner_references: Some(vec![owner(observed)]),
            ..ObjectMeta::default()
        },
        spec: Some(corev1::ServiceSpec {
            selector: Some(selector_of(observed)),
            ports: Some(ports),
            ..corev1::ServiceSpec::default()
        }),
        status: None,
    };
    Some(Object::of(&service))
}

/// The deletion of a corev1 Service that no port calls for any more.
pub(super) fn surplus(observed: &Observed, record: &ServiceDeployment) -> Option<Write> {
    let Standing::Ours(found) = &observed.endpoints else { return None };
    if !ports(&record.spec.template).is_empty() {
        return None;
    }
    let uid = found.pointer("/metadata/uid").and_then(Value::as_str)?.to_owned();
    let name = names::endpoints(&observed.name);
    Some(Write::Delete {
        key: ObjectKey::new(Kind::Endpoints, &observed.key.namespace, &name),
        uid,
    })
}

/// The ports of a stored pod template, each number and protocol once.
fn ports(template: &Value) -> Vec<corev1::ServicePort> {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array);
    let mut seen = BTreeSet::new();
    let mut ports = Vec::new();
    for port in
        containers.into_iter().flatten().filter_map(|c| c.get("ports")?.as_array()).flatten()
    {
        let Some(number) = port.get("containerPort").and_then(Value::as_i64) else { continue };
        let Ok(number) = i32::try_from(number) else { continue };
        let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        if !seen.insert((number, protocol.to_owned())) {
            continue;
        }
        let name = port.get("name").and_then(Value::as_str).map_or_else(
            || format!("{}-{number}", protocol.to_ascii_lowercase()),
            ToOwned::to_owned,
        );
        ports.push(corev1::ServicePort {
            name: Some(name),
            port: number,
            target_port: Some(IntOrString::Int(number)),
            protocol: Some(protocol.to_owned()),
            ..corev1::ServicePort::default()
        });
    }
    ports
}
