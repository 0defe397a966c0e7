//! How is a service reached? By a corev1 Service of its plain name, with all its ports.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::assess::Situation;
use super::observed::{Observed, Standing};
use super::record::{labels, owner, selector_of};
use crate::names::{self, annotation};
use crate::plan::Write;
use crate::plan::pod::port_key;
use crate::world::{Kind, Object, ObjectKey};

/// The corev1 Service, where any task has ports. In a roll it has those of the old tasks too, so that
/// none that is healthy becomes unreachable.
pub(super) fn build(observed: &Observed, situation: &Situation<'_>) -> Option<Object> {
    let ports = ports(observed, situation);
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
pub(super) fn surplus(observed: &Observed, situation: &Situation<'_>) -> Option<Write> {
    let Standing::Ours(found) = &observed.endpoints else { return None };
    if !ports(observed, situation).is_empty() {
        return None;
    }
    let uid = found.pointer("/metadata/uid").and_then(Value::as_str)?.to_owned();
    let name = names::endpoints(&observed.name);
    Some(Write::Delete {
        key: ObjectKey::new(Kind::Endpoints, &observed.key.namespace, &name),
        uid,
    })
}

/// The ports of the newest record's template, and until all tasks are its own those of every record
/// that may have tasks: each number and protocol once, each name once.
fn ports(observed: &Observed, situation: &Situation<'_>) -> Vec<corev1::ServicePort> {
    let newest = observed.newest().map(|record| record.spec.sequence);
    let mut seen = BTreeSet::new();
    let mut taken = BTreeSet::new();
    let mut ports = Vec::new();
    let records = observed
        .records
        .iter()
        .rev()
        .filter(|record| !situation.steady || Some(record.spec.sequence) == newest);
    let spoken: BTreeMap<String, String> =
        records.clone().rev().flat_map(|record| app_protocols(&record.spec.template)).collect();
    for port in records.flat_map(|record| container_ports(&record.spec.template)) {
        let Some(number) = port.get("containerPort").and_then(Value::as_i64) else { continue };
        let Ok(number) = i32::try_from(number) else { continue };
        let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        if !seen.insert((number, protocol.to_owned())) {
            continue;
        }
        let plain = port_key(protocol, number);
        let named = port.get("name").and_then(Value::as_str).unwrap_or(&plain);
        // Of two ports with one name, the later is known by its number.
        let name = [named.to_owned(), plain.clone(), format!("{plain}-x")]
            .into_iter()
            .find(|name| taken.insert(name.clone()));
        ports.push(corev1::ServicePort {
            app_protocol: spoken.get(&plain).cloned(),
            name,
            port: number,
            target_port: Some(IntOrString::Int(number)),
            protocol: Some(protocol.to_owned()),
            ..corev1::ServicePort::default()
        });
    }
    ports
}

/// What a template's ports speak, by their keys.
fn app_protocols(template: &Value) -> BTreeMap<String, String> {
    let annotations = template.pointer("/metadata/annotations");
    let written = annotations.and_then(|all| all.get(annotation::APP_PROTOCOLS)?.as_str());
    written.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The ports of the containers that go on running: those that start first, and all others.
pub(super) fn container_ports(template: &Value) -> impl Iterator<Item = &Value> {
    let list = |path: &str| template.pointer(path).and_then(Value::as_array).into_iter().flatten();
    let is_sidecar = |c: &&Value| c.get("restartPolicy").and_then(Value::as_str) == Some("Always");
    list("/spec/containers")
        .chain(list("/spec/initContainers").filter(is_sidecar))
        .filter_map(|c| c.get("ports")?.as_array())
        .flatten()
}
