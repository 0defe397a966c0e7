//! Who reaches a service's tasks, and whom do they reach?
//!
//! One NetworkPolicy of the rows that the Cluster has for the service's security groups, where every
//! group has one; else none, since a part of the rules would keep out what the rest lets in. Rows apply
//! at once, as a change of a group's rules does in AWS. In a roll both the old tasks' groups and the new
//! ones' count, for all of them.
//!
//! A cluster's network plugin enforces it, or does not: nobody can see that from here.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::networking::v1 as networkingv1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::observed::{Observed, Standing};
use super::record::{labels, live, owner};
use crate::names::{self, label};
use crate::plan::Write;
use crate::plan::mapping::{Peer, Ports, Rule, Rules, security_groups};
use crate::world::{Kind, Object, ObjectKey};

/// The label by which Kubernetes names every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// The label by which clusters mark the pods of their DNS.
const DNS: (&str, &str) = ("k8s-app", "kube-dns");
/// Where nodes that cache DNS answer.
const NODE_DNS: &str = "169.254.20.10/32";

/// The policy, where every security group of every deployment that has tasks has a row.
pub(super) fn build(observed: &Observed) -> Option<Object> {
    let rules = rules(observed)?;
    let of = |rule: Rule| {
        let peers = rule.peers.iter().map(|each| peer(each, observed)).collect::<Vec<_>>();
        let ports = rule.ports.iter().map(port).collect::<Vec<_>>();
        (some(peers), some(ports))
    };
    let ingress = rules.ingress.into_iter().map(|rule| {
        let (from, ports) = of(rule);
        networkingv1::NetworkPolicyIngressRule { from, ports }
    });
    let egress = rules.egress.map(|rules| {
        let rules = rules.into_iter().map(|rule| {
            let (to, ports) = of(rule);
            networkingv1::NetworkPolicyEgressRule { to, ports }
        });
        std::iter::once(dns()).chain(rules).collect::<Vec<_>>()
    });
    let types = ["Ingress"].into_iter().chain(egress.is_some().then_some("Egress"));
    let policy = networkingv1::NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(names::network_policy(&observed.name, &observed.uid)),
            namespace: Some(observed.key.namespace.clone()),
            labels: Some(labels(observed)),
            owner_references: Some(vec![owner(observed)]),
            ..ObjectMeta::default()
        },
        spec: Some(networkingv1::NetworkPolicySpec {
            pod_selector: Some(having(label::SERVICE_UID, &observed.uid)),
            policy_types: Some(types.map(ToOwned::to_owned).collect()),
            ingress: some(ingress.collect()),
            egress,
        }),
    };
    Some(Object::of(&policy))
}

/// The deletion of a policy that nothing asks for any more.
pub(super) fn surplus(observed: &Observed) -> Option<Write> {
    let Standing::Ours(found) = &observed.network_policy else { return None };
    if rules(observed).is_some() {
        return None;
    }
    let uid = found.pointer("/metadata/uid").and_then(Value::as_str)?.to_owned();
    let name = names::network_policy(&observed.name, &observed.uid);
    let key = ObjectKey::new(Kind::NetworkPolicy, &observed.key.namespace, &name);
    Some(Write::Delete { key, uid })
}

/// Puts on the pods of a deployment the labels by which others' rules find them.
pub(super) fn label_groups(spec: &Value, template: &mut corev1::PodTemplateSpec) {
    let groups = security_groups(spec);
    if groups.is_empty() {
        return;
    }
    let meta = template.metadata.get_or_insert_default();
    let labels = meta.labels.get_or_insert_default();
    labels.extend(groups.iter().map(|group| (names::security_group_label(group), String::new())));
}

/// What the groups of every deployment that has tasks let through together.
fn rules(observed: &Observed) -> Option<Rules> {
    let live = live(observed);
    let records = observed.records.iter().rev();
    let mut of_each = records
        .filter(|record| live.contains(&record.spec.sequence))
        .map(|record| observed.mapping.tables.rules_of(&security_groups(&record.spec.requested)));
    let mut all = of_each.next()??;
    for rules in of_each {
        all.add(rules?);
    }
    Some(all)
}

fn peer(peer: &Peer, observed: &Observed) -> networkingv1::NetworkPolicyPeer {
    let none = networkingv1::NetworkPolicyPeer::default();
    let pods =
        |selector| networkingv1::NetworkPolicyPeer { pod_selector: Some(selector), ..none.clone() };
    match peer {
        Peer::Cidr(cidr) => block(cidr),
        Peer::SecurityGroup(group) => pods(LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: names::security_group_label(group),
                operator: "Exists".to_owned(),
                values: None,
            }]),
            ..LabelSelector::default()
        }),
        Peer::Service(service) => {
            let labels = [
                (label::CLUSTER, names::label_value(&observed.cluster)),
                (label::SERVICE, names::label_value(service)),
            ];
            let labels: BTreeMap<String, String> =
                labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            pods(LabelSelector { match_labels: Some(labels), ..LabelSelector::default() })
        }
        Peer::Namespace(name) => networkingv1::NetworkPolicyPeer {
            namespace_selector: Some(having(NAMESPACE_NAME, name)),
            ..none
        },
    }
}

fn block(cidr: &str) -> networkingv1::NetworkPolicyPeer {
    networkingv1::NetworkPolicyPeer {
        ip_block: Some(networkingv1::IPBlock { cidr: cidr.to_owned(), except: None }),
        ..networkingv1::NetworkPolicyPeer::default()
    }
}

fn port(ports: &Ports) -> networkingv1::NetworkPolicyPort {
    networkingv1::NetworkPolicyPort {
        protocol: Some(ports.protocol.to_owned()),
        port: Some(IntOrString::Int(ports.first)),
        end_port: (ports.last > ports.first).then_some(ports.last),
    }
}

/// The way to the cluster's DNS: no security group can close that to AWS's own.
fn dns() -> networkingv1::NetworkPolicyEgressRule {
    let (name, value) = DNS;
    let pods = networkingv1::NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        pod_selector: Some(having(name, value)),
        ip_block: None,
    };
    let ports = ["UDP", "TCP"].map(|protocol| Ports { protocol, first: 53, last: 53 });
    networkingv1::NetworkPolicyEgressRule {
        to: Some(vec![pods, block(NODE_DNS)]),
        ports: Some(ports.iter().map(port).collect()),
    }
}

fn having(name: &str, value: &str) -> LabelSelector {
    let labels = [(name.to_owned(), value.to_owned())];
    LabelSelector { match_labels: Some(labels.into()), ..LabelSelector::default() }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}
