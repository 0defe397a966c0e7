//! How do the target groups of a service lead to its tasks from outside the cluster?
//!
//! Read from a Cluster's table `targetGroups`: by an Ingress, by a corev1 Service of a type that is
//! reached from outside, or not at all. A row is about a target group, about a Classic Load Balancer,
//! or about a listener rule, which says more and goes first.

use std::collections::BTreeMap;

use super::derived;
use super::launch::{Balanced, Launch};
use super::resolve::Resolver;
use super::rows::{Row, is_label_value, is_object_name};
use super::tables::Tables;

/// What stands for a target group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TargetGroupRow {
    about: About,
    exposure: Exposure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum About {
    TargetGroup(String),
    LoadBalancer(String),
    ListenerRule(String),
}

/// How a container's port is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Inside the cluster only.
    Inside,
    /// By an Ingress.
    Ingress(IngressSettings),
    /// By a corev1 Service of its own.
    Service(ServiceSettings),
}

/// What an Ingress is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngressSettings {
    /// The IngressClass; none for the cluster's default.
    pub class_name: Option<String>,
    /// The host, as in `shop.example.com` or `*.example.com`; none for any.
    pub host: Option<String>,
    /// The path, which begins with `/`.
    pub path: String,
    /// Prefix, Exact or ImplementationSpecific.
    pub path_type: &'static str,
    /// The Secret with the certificate; none for plain HTTP.
    pub tls_secret_name: Option<String>,
    /// What the Ingress controller reads.
    pub annotations: BTreeMap<String, String>,
}

/// What a corev1 Service is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceSettings {
    /// LoadBalancer or NodePort.
    pub kind: &'static str,
    /// The port on which it listens; none for the container's own.
    pub port: Option<i32>,
    /// The port of the nodes; none for one that the cluster chooses.
    pub node_port: Option<i32>,
    /// Whose load balancer it is; none for the cluster's default.
    pub load_balancer_class: Option<String>,
    /// What the load balancer's controller reads.
    pub annotations: BTreeMap<String, String>,
}

impl Tables {
    /// How an entry of `loadBalancers` is reached; none where no row says it.
    pub fn exposure(&self, balanced: &Balanced) -> Option<&Exposure> {
        let find = |is_about: &dyn Fn(&About) -> bool| {
            self.target_groups.iter().find(|row| is_about(&row.about)).map(|row| &row.exposure)
        };
        let rule = |about: &About| {
            matches!((about, &balanced.listener_rule),
                (About::ListenerRule(row), Some(rule)) if row == rule)
        };
        let group = |about: &About| match (about, &balanced.target_group) {
            (About::TargetGroup(row), Some(group)) => is_same_group(row, group),
            _ => false,
        };
        let classic = |about: &About| {
            matches!((about, &balanced.load_balancer),
                (About::LoadBalancer(row), Some(name)) if row == name)
        };
        find(&rule).or_else(|| find(&group)).or_else(|| find(&classic))
    }
}

/// Whether two texts name one target group: the same text, or the same name where one is no ARN.
fn is_same_group(one: &str, other: &str) -> bool {
    let is_bare = |text: &str| !text.starts_with("arn:");
    one == other || ((is_bare(one) || is_bare(other)) && group_name(one) == group_name(other))
}

/// The name of a target group, which in its ARN is followed by an ID.
pub(super) fn group_name(text: &str) -> &str {
    let name = text.rsplit_once(":targetgroup/").map_or(text, |(_, name)| name);
    name.split_once('/').map_or(name, |(name, _)| name)
}

impl Resolver<'_> {
    /// Says which target groups have no row.
    pub(super) fn exposures(&mut self, launch: &Launch) {
        for balanced in &launch.load_balancers {
            if self.mapping.tables.exposure(balanced).is_some() {
                continue;
            }
            let path = format!("loadBalancers[{}]", balanced.at);
            let (member, need) = match (&balanced.target_group, &balanced.load_balancer) {
                (Some(group), _) => ("targetGroupArn", derived::target_group_row(group)),
                (None, Some(name)) => ("loadBalancerName", derived::load_balancer_row(name)),
                (None, None) => {
                    let message = "names no target group: the port is reached inside the cluster, \
                                   by the corev1 Service of the service's name";
                    self.names.at_launch.differs(path, message);
                    continue;
                }
            };
            self.unmapped_at_launch(
                format!("{path}.{member}"),
                "is reached inside the cluster only, by the corev1 Service of the service's name; to \
                 say so, or with `ingress` or `service` in it to lead to it from outside,",
                need,
            );
        }
    }
}

/// Reads a row.
pub(super) fn target_group(row: &mut Row<'_>) -> Option<(String, TargetGroupRow)> {
    let about = [
        row.text("targetGroup").map(About::TargetGroup),
        row.text("loadBalancerName").map(About::LoadBalancer),
        row.text("listenerRule").map(About::ListenerRule),
    ];
    let ingress = row.inside("ingress", ingress);
    let service = row.inside("service", service);
    let mut about = about.into_iter().flatten();
    let (Some(about), None) = (about.next(), about.next()) else {
        let path = row.path.clone();
        let rule = "needs exactly one of targetGroup (a name or ARN), loadBalancerName and \
                    listenerRule (an ARN)";
        row.findings.refuse(path, rule);
        return None;
    };
    let exposure = match (ingress, service) {
        (None, None) => Exposure::Inside,
        (Some(ingress), None) => Exposure::Ingress(ingress),
        (None, Some(service)) => Exposure::Service(service),
        (Some(_), Some(_)) => {
            let path = row.at("service");
            row.findings.refuse(path, "is given beside ingress; take one of the two out");
            return None;
        }
    };
    let text = match &about {
        About::TargetGroup(text) | About::ListenerRule(text) => text.clone(),
        About::LoadBalancer(name) => format!("loadBalancerName {name}"),
    };
    Some((text, TargetGroupRow { about, exposure }))
}

fn ingress(row: &mut Row<'_>) -> IngressSettings {
    let class_name = row.object_if_given("className");
    let host = row.text("host");
    if let Some(host) = &host {
        let name = host.strip_prefix("*.").unwrap_or(host);
        if !is_object_name(name) || name.parse::<std::net::IpAddr>().is_ok() {
            let path = row.at("host");
            let rule = "must be a DNS name in lower case, as in shop.example.com or *.example.com";
            row.findings.refuse_value(path, host, rule);
        }
    }
    let kinds = ["Prefix", "Exact", "ImplementationSpecific"];
    let path_type = row.word("pathType", &kinds).unwrap_or("Prefix");
    let path = row.text("path").unwrap_or_else(|| "/".to_owned());
    let odd = ["//", "/./", "/../", "%2f", "%2F"].iter().any(|part| path.contains(part))
        || path.ends_with("/.")
        || path.ends_with("/..");
    if path_type != "ImplementationSpecific" && (!path.starts_with('/') || odd) {
        let at = row.at("path");
        let rule = "must begin with / and have no empty part, no . and no .. in it";
        row.findings.refuse_value(at, &path, rule);
    } else if !path.starts_with('/') {
        let at = row.at("path");
        row.findings.refuse_value(at, &path, "must begin with /");
    }
    let tls_secret_name = row.object_if_given("tlsSecretName");
    let annotations = annotations(row);
    IngressSettings { class_name, host, path, path_type, tls_secret_name, annotations }
}

fn service(row: &mut Row<'_>) -> ServiceSettings {
    let kinds = ["LoadBalancer", "NodePort"];
    if row.text("type").is_none() {
        let path = row.at("type");
        row.findings.refuse(path, "is required: LoadBalancer or NodePort");
    }
    let kind = row.word("type", &kinds).unwrap_or("LoadBalancer");
    let port = number(row, "port");
    // Which ports nodes give is the cluster's own matter, 30000 to 32767 as a rule.
    let node_port = number(row, "nodePort");
    let load_balancer_class = row.text("loadBalancerClass");
    if let Some(class) = &load_balancer_class {
        let (domain, name) = class.rsplit_once('/').unwrap_or(("", class));
        let at = row.at("loadBalancerClass");
        if !is_label_value(name) || !(domain.is_empty() || is_object_name(domain)) {
            let rule = "must be as a label's name is, as in example.com/internal";
            row.findings.refuse_value(at, class, rule);
        } else if kind != "LoadBalancer" {
            row.findings.refuse_value(at, class, "is for type LoadBalancer only; remove it");
        }
    }
    let annotations = annotations(row);
    ServiceSettings { kind, port, node_port, load_balancer_class, annotations }
}

fn number(row: &mut Row<'_>, member: &'static str) -> Option<i32> {
    row.whole(member, 1..=65535).and_then(|port| i32::try_from(port).ok())
}

/// Annotations of an Ingress or a corev1 Service: any but Linkspan's own.
fn annotations(row: &mut Row<'_>) -> BTreeMap<String, String> {
    let annotations = row.texts_by_name("annotations");
    for name in annotations.keys() {
        let (domain, last) = name.rsplit_once('/').unwrap_or(("", name));
        let ours = domain == "linkspan.dev" || domain.ends_with(".linkspan.dev");
        if ours || !is_label_value(last) || !(domain.is_empty() || is_object_name(domain)) {
            let path = row.at("annotations");
            let rule = "cannot name an annotation, or is one of Linkspan's own";
            row.findings.refuse_value(path, name, rule);
        }
    }
    annotations
}
