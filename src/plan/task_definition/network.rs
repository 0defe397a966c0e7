//! What network does a task have, and what names does it know there?
//!
//! A pod has one network, one host name, one resolver and one table of hosts. What ECS says of each
//! container holds here for the whole task; where that says more than was asked, a finding says so.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::container::Container;
use super::read::{flag, listed, objects};
use super::resolve::Around;
use crate::ecs::reference::text;
use crate::plan::finding::Findings;

/// The most name servers that a pod can have.
const MOST_SERVERS: usize = 3;
/// The most search domains that a pod can have.
const MOST_SEARCHES: usize = 32;

/// How the containers of a task share the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    /// An address for the task.
    Awsvpc,
    /// Docker's bridge on the instance.
    Bridge,
    /// The instance's own network.
    Host,
    /// No network.
    None,
}

/// The names that a task knows, and that it is known by to itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Its host name.
    pub hostname: Option<String>,
    /// The name servers it asks in place of the cluster's.
    pub servers: Vec<String>,
    /// The domains tried for short names.
    pub searches: Vec<String>,
    /// Host names by address: lines of /etc/hosts.
    pub hosts: BTreeMap<String, Vec<String>>,
}

/// Reads `networkMode`; on Linux it is bridge where none is given.
pub(super) fn network_mode(spec: &Value, fargate: bool, findings: &mut Findings) -> NetworkMode {
    let written = text(spec, "networkMode");
    let mode = match written.as_deref() {
        Some("awsvpc") => NetworkMode::Awsvpc,
        Some("bridge") | None => NetworkMode::Bridge,
        Some("host") => NetworkMode::Host,
        Some("none") => NetworkMode::None,
        Some(other) => {
            findings.refuse_value("networkMode", other, "must be awsvpc, bridge, host or none");
            return NetworkMode::Awsvpc;
        }
    };
    if fargate && mode != NetworkMode::Awsvpc {
        findings.refuse_value(
            "networkMode",
            written.as_deref().unwrap_or("absent, which means bridge"),
            "must be awsvpc where requiresCompatibilities lists FARGATE",
        );
    }
    let several =
        spec.get("containerDefinitions").and_then(Value::as_array).map_or(0, Vec::len) > 1;
    if mode == NetworkMode::Bridge && several && written.is_some() {
        findings.differs(
            "networkMode",
            "with bridge, the containers of a task share one network and reach each other at \
             localhost; in ECS each has its own",
        );
    }
    if mode == NetworkMode::None {
        findings.differs(
            "networkMode",
            "with none, a pod still has a network; deny its traffic by a NetworkPolicy",
        );
    }
    mode
}

/// Reads what the containers say about names, for the task as a whole.
pub(super) fn names(
    spec: &Value,
    containers: &[Container],
    around: &Around<'_>,
    findings: &mut Findings,
) -> Names {
    let mut names = Names::default();
    for (path, raw) in objects(spec, "containerDefinitions", "") {
        hostname(raw, &path, around, &mut names, findings);
        resolver(raw, &path, &mut names, findings);
        extra_hosts(raw, &path, around, &mut names, findings);
        links(raw, &path, around, containers, &mut names, findings);
        disable_networking(raw, &path, containers.len(), findings);
    }
    for_all(spec, &names, findings);
    names
}

fn hostname(
    raw: &Value,
    path: &str,
    around: &Around<'_>,
    names: &mut Names,
    findings: &mut Findings,
) {
    let Some(written) = text(raw, "hostname") else { return };
    let path = format!("{path}.hostname");
    if around.mode == NetworkMode::Awsvpc {
        let rule = "is not possible with networkMode awsvpc, where the task's address names it";
        findings.refuse_value(path, written, rule);
    } else if around.mode == NetworkMode::Host {
        findings.differs(path, "with networkMode host, a pod has its node's host name");
    } else if !is_host_label(&written) {
        findings.differs(
            path,
            "a pod's host name is one label of up to 63 of a-z, 0-9 and `-`; the pod's own name is \
             used instead",
        );
    } else if let Some(other) = names.hostname.as_ref().filter(|other| **other != written) {
        let message = format!("the containers of a task share one host name here, `{other}`");
        findings.differs(path, message);
    } else {
        names.hostname = Some(written);
    }
}

fn resolver(raw: &Value, path: &str, names: &mut Names, findings: &mut Findings) {
    for (at, server) in listed(raw, "dnsServers") {
        let path = format!("{path}.dnsServers[{at}]");
        if server.parse::<IpAddr>().is_err() {
            findings.refuse_value(path, server, "must be an IP address");
        } else if !names.servers.contains(&server) {
            if names.servers.len() == MOST_SERVERS {
                let rule = format!(
                    "is one too many: the containers of a pod ask at most {MOST_SERVERS} servers \
                     together; leave out the others"
                );
                findings.refuse_value(path, &server, rule);
            } else {
                names.servers.push(server);
            }
        }
    }
    for (at, domain) in listed(raw, "dnsSearchDomains") {
        let path = format!("{path}.dnsSearchDomains[{at}]");
        // What Docker takes for "none".
        if domain == "." {
            continue;
        }
        if !is_host_name(domain.trim_end_matches('.')) {
            findings.refuse_value(path, domain, "must be a domain: labels of a-z, 0-9 and `-`");
        } else if !names.searches.contains(&domain) {
            if names.searches.len() == MOST_SEARCHES {
                let rule = format!("is one too many: a pod has at most {MOST_SEARCHES}");
                findings.refuse_value(path, &domain, rule);
            } else {
                names.searches.push(domain);
            }
        }
    }
}

/// Says where servers or domains hold for more than was asked.
fn for_all(spec: &Value, names: &Names, findings: &mut Findings) {
    let asked = |member| {
        objects(spec, "containerDefinitions", "")
            .map(|(path, raw)| (format!("{path}.{member}"), listed(raw, member).len()))
            .collect::<Vec<_>>()
    };
    for (member, all) in [("dnsServers", &names.servers), ("dnsSearchDomains", &names.searches)] {
        let asked = asked(member);
        let Some((path, _)) = asked.iter().find(|(_, count)| *count > 0) else { continue };
        if asked.iter().any(|(_, count)| *count != all.len()) {
            findings
                .differs(path, "holds for all containers of the task, which share one resolver");
        } else if names.servers.is_empty() {
            let message = "tried besides the cluster's own domains, since no dnsServers are given";
            findings.differs(path, message);
        }
    }
}

fn extra_hosts(
    raw: &Value,
    path: &str,
    around: &Around<'_>,
    names: &mut Names,
    findings: &mut Findings,
) {
    for (path, host) in objects(raw, "extraHosts", path) {
        let (name, address) = (text(host, "hostname"), text(host, "ipAddress"));
        if name.is_none() && address.is_none() {
            continue;
        }
        if around.mode == NetworkMode::Awsvpc {
            let rule = "is not possible with networkMode awsvpc; use bridge, or a DNS name";
            findings.refuse(path, rule);
            continue;
        }
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let address = address.unwrap_or_default();
        if !is_host_name(&name) {
            let rule = "must be a host name: labels of a-z, 0-9 and `-`";
            findings.refuse_value(format!("{path}.hostname"), format!("`{name}`"), rule);
        } else if address.parse::<IpAddr>().is_err() {
            let rule = "must be an IP address";
            findings.refuse_value(format!("{path}.ipAddress"), format!("`{address}`"), rule);
        } else {
            names.line(&address, name);
        }
    }
}

/// Links: the other containers are at localhost, whatever they are called.
fn links(
    raw: &Value,
    path: &str,
    around: &Around<'_>,
    containers: &[Container],
    names: &mut Names,
    findings: &mut Findings,
) {
    for (at, written) in listed(raw, "links") {
        let path = format!("{path}.links[{at}]");
        if around.mode != NetworkMode::Bridge {
            let rule = "is possible with networkMode bridge only; with others, containers reach \
                        each other at localhost";
            findings.refuse_value(path, written, rule);
            continue;
        }
        let (name, alias) = written.split_once(':').unwrap_or((&written, &written));
        if !containers.iter().any(|container| container.name == name) {
            let known: Vec<&str> = containers.iter().map(|c| c.name.as_str()).collect();
            let rule = format!("names no container of the task; it has {}", known.join(", "));
            findings.refuse_value(path, &written, rule);
            continue;
        }
        for name in [name, alias] {
            let lower = name.to_ascii_lowercase();
            if is_host_name(&lower) {
                names.line("127.0.0.1", lower);
            } else {
                let message = format!(
                    "`{name}` cannot be a host name in a pod; link it as `name:alias` with an alias \
                     of a-z, 0-9 and `-`, or use localhost"
                );
                findings.differs(&path, message);
            }
        }
    }
}

fn disable_networking(raw: &Value, path: &str, containers: usize, findings: &mut Findings) {
    if flag(raw, "disableNetworking") != Some(true) {
        return;
    }
    let path = format!("{path}.disableNetworking");
    if containers > 1 {
        findings.refuse_value(
            path,
            "true",
            "cannot hold for one container of several, which share one network here; give it a task \
             definition of its own",
        );
    }
}

impl Names {
    /// Adds a name to the line of an address.
    fn line(&mut self, address: &str, name: String) {
        let line = self.hosts.entry(address.to_owned()).or_default();
        if !line.contains(&name) {
            line.push(name);
        }
    }
}

/// One label of a host name, as RFC 1123 has it.
fn is_host_label(label: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&label.len())
        && label.chars().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Labels with dots between.
fn is_host_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_host_label)
}
