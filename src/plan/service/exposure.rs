//! How is a service reached from outside the cluster?
//!
//! For each of its `loadBalancers` as the Cluster's table `targetGroups` says: by an Ingress that leads to
//! the service's corev1 Service, or by a corev1 Service of its own that is reached from outside. Rows
//! apply at once. In a roll what the old tasks' load balancers ask for stays until those tasks are gone.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::networking::v1 as networkingv1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::endpoints::container_ports;
use super::observed::{Observed, Standing, standing};
use super::record::{labels, live, owner, selector_of};
use crate::api::ServiceDeployment;
use crate::names;
use crate::plan::Write;
use crate::plan::mapping::{Balanced, Exposure, IngressSettings, ServiceSettings};
use crate::plan::pod::port_key;
use crate::world::{Index, Kind, Object, ObjectKey, Owned, Shelf, Shelved, World};

/// What stands where a service's exposures belong, and those that are no longer asked for.
#[derive(Debug, Default)]
pub(super) struct Exposures(BTreeMap<ObjectKey, Standing>);

impl Exposures {
    /// Those of a service.
    pub(super) fn of(world: &World, key: &ObjectKey, spec: &Value, name: &str, uid: &str) -> Self {
        let namespace = key.namespace.as_str();
        let index = Index::service(namespace, uid);
        let (asked, plain) = (names_of(spec, name, uid), names::endpoints(name));
        let of = |kind: Kind| {
            asked.iter().map(move |exposure| ObjectKey::new(kind, namespace, exposure))
        };
        let keys: BTreeSet<ObjectKey> = of(Kind::Ingress)
            .chain(of(Kind::Endpoints))
            .chain(owned(&world.ingresses, &index, uid, &plain))
            .chain(owned(&world.endpoints, &index, uid, &plain))
            .collect();
        let stands = keys.into_iter().map(|key| {
            let stands = if key.kind == Kind::Ingress {
                standing(world, uid, world.ingresses.get(namespace, &key.name).as_deref())
            } else {
                standing(world, uid, world.endpoints.get(namespace, &key.name).as_deref())
            };
            (key, stands)
        });
        Self(stands.collect())
    }

    /// What stands where one belongs.
    pub(super) fn standing(&self, key: &ObjectKey) -> &Standing {
        self.0.get(key).unwrap_or(&Standing::Absent)
    }
}

/// What a service owns, but for what has its plain name, which is no exposure. A label alone says too
/// little of whose something is: `kubectl expose` copies those of a Deployment.
fn owned<K: Shelved>(shelf: &Shelf<K>, index: &Index, uid: &str, plain: &str) -> Vec<ObjectKey> {
    let mut keys = shelf.find_keys(index);
    keys.retain(|key| {
        key.name != plain
            && shelf
                .get(&key.namespace, &key.name)
                .is_some_and(|object| object.meta().controller() == Some((uid, true)))
    });
    keys
}

/// The names of what may lead to a service from outside.
pub(in crate::plan::service) fn names_of(spec: &Value, name: &str, uid: &str) -> BTreeSet<String> {
    Balanced::all(spec).iter().map(|balanced| exposure_name(balanced, name, uid)).collect()
}

fn exposure_name(balanced: &Balanced, name: &str, uid: &str) -> String {
    let about = balanced.about();
    names::exposure(name, uid, &about.each_ref().map(String::as_str))
}

/// What is to lead to the service, of every deployment that has tasks; of two that agree in where they
/// lead, the newer's.
pub(super) fn wanted(observed: &Observed) -> Vec<Object> {
    let live = live(observed);
    let mut wanted: BTreeMap<ObjectKey, Object> = BTreeMap::new();
    for record in observed.records.iter().rev() {
        if !live.contains(&record.spec.sequence) {
            continue;
        }
        for balanced in Balanced::all(&record.spec.requested) {
            if let Some(object) = object(observed, record, &balanced) {
                wanted.entry(object.key.clone()).or_insert(object);
            }
        }
    }
    wanted.into_values().collect()
}

/// The deletions of what nothing asks for any more.
pub(super) fn surplus(observed: &Observed, wanted: &[Object]) -> Vec<Write> {
    let is_wanted = |key: &ObjectKey| wanted.iter().any(|object| object.key == *key);
    let surplus = observed.exposures.0.iter().filter(|(key, _)| !is_wanted(key));
    surplus
        .filter_map(|(key, stands)| {
            let Standing::Ours(found) = stands else { return None };
            let uid = found.pointer("/metadata/uid").and_then(Value::as_str)?.to_owned();
            Some(Write::Delete { key: key.clone(), uid })
        })
        .collect()
}

fn object(observed: &Observed, record: &ServiceDeployment, balanced: &Balanced) -> Option<Object> {
    let protocols = protocols(&record.spec.template, balanced.port);
    if protocols.is_empty() {
        return None;
    }
    match observed.mapping.tables.exposure(balanced)? {
        Exposure::Inside => None,
        // It would lead to somebody else's.
        Exposure::Ingress(_) if matches!(observed.endpoints, Standing::Foreign(_)) => None,
        Exposure::Ingress(settings) => {
            let meta = meta(observed, balanced, &settings.annotations);
            Some(Object::of(&ingress(observed, meta, balanced.port, settings)))
        }
        Exposure::Service(settings) => {
            let meta = meta(observed, balanced, &settings.annotations);
            Some(Object::of(&service(observed, meta, balanced.port, &protocols, settings)))
        }
    }
}

/// By which protocols a template's containers listen on a port.
fn protocols(template: &Value, port: i32) -> BTreeSet<String> {
    let listening = container_ports(template).filter(|given| {
        given.get("containerPort").and_then(Value::as_i64) == Some(i64::from(port))
    });
    let protocol = |port: &Value| {
        let protocol = port.get("protocol").and_then(Value::as_str);
        protocol.unwrap_or("TCP").to_owned()
    };
    listening.map(protocol).collect()
}

fn meta(
    observed: &Observed,
    balanced: &Balanced,
    annotations: &BTreeMap<String, String>,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(exposure_name(balanced, &observed.name, &observed.uid)),
        namespace: Some(observed.key.namespace.clone()),
        labels: Some(labels(observed)),
        annotations: Some(annotations.clone()).filter(|all| !all.is_empty()),
        owner_references: Some(vec![owner(observed)]),
        ..ObjectMeta::default()
    }
}

fn ingress(
    observed: &Observed,
    metadata: ObjectMeta,
    port: i32,
    settings: &IngressSettings,
) -> networkingv1::Ingress {
    let backend = networkingv1::IngressBackend {
        service: Some(networkingv1::IngressServiceBackend {
            name: names::endpoints(&observed.name),
            port: Some(networkingv1::ServiceBackendPort { name: None, number: Some(port) }),
        }),
        resource: None,
    };
    let path = networkingv1::HTTPIngressPath {
        backend,
        path: Some(settings.path.clone()),
        path_type: settings.path_type.to_owned(),
    };
    let tls = settings.tls_secret_name.as_ref().map(|secret| {
        let hosts = settings.host.iter().cloned().collect::<Vec<_>>();
        vec![networkingv1::IngressTLS {
            hosts: Some(hosts).filter(|hosts| !hosts.is_empty()),
            secret_name: Some(secret.clone()),
        }]
    });
    networkingv1::Ingress {
        metadata,
        spec: Some(networkingv1::IngressSpec {
            ingress_class_name: settings.class_name.clone(),
            rules: Some(vec![networkingv1::IngressRule {
                host: settings.host.clone(),
                http: Some(networkingv1::HTTPIngressRuleValue { paths: vec![path] }),
            }]),
            tls,
            default_backend: None,
        }),
        status: None,
    }
}

fn service(
    observed: &Observed,
    metadata: ObjectMeta,
    port: i32,
    protocols: &BTreeSet<String>,
    settings: &ServiceSettings,
) -> corev1::Service {
    let listening = settings.port.unwrap_or(port);
    let ports = protocols.iter().map(|protocol| corev1::ServicePort {
        name: Some(port_key(protocol, listening)),
        port: listening,
        target_port: Some(IntOrString::Int(port)),
        node_port: settings.node_port,
        protocol: Some(protocol.clone()),
        app_protocol: None,
    });
    corev1::Service {
        metadata,
        spec: Some(corev1::ServiceSpec {
            type_: Some(settings.kind.to_owned()),
            selector: Some(selector_of(observed)),
            ports: Some(ports.collect()),
            load_balancer_class: settings.load_balancer_class.clone(),
            ..corev1::ServiceSpec::default()
        }),
        status: None,
    }
}
