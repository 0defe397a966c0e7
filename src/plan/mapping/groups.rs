//! What do the rows of security groups say of who reaches a task, and whom it reaches?
//!
//! Read from a Cluster's table `securityGroups`. As in AWS, rules only let through, those of several
//! groups add up, what comes in without a rule does not, and what goes out goes anywhere unless a
//! group says where to. A task's groups count together or not at all: with one of them without a row,
//! nobody knows what it lets through.

use serde_json::Value;

use super::derived::{self, Need};
use super::launch::Launch;
use super::resolve::Resolver;
use super::rows::Row;
use super::tables::Tables;
use crate::ecs::reference::is_name;
use crate::plan::judge::brief;

/// A security group and its rules.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SecurityGroupRow {
    pub(super) group: String,
    pub(super) rules: Rules,
}

/// What is let through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What comes in; nothing where there is no rule.
    pub ingress: Vec<Rule>,
    /// What goes out; anything where this is none.
    pub egress: Option<Vec<Rule>>,
}

/// What a rule lets through: to or from one of the peers, by one of the ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The other end; anything where it is empty.
    pub peers: Vec<Peer>,
    /// The ports; all where it is empty.
    pub ports: Vec<Ports>,
}

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Addresses, as in `10.0.0.0/8`.
    Cidr(String),
    /// The tasks of the namespace that have this security group.
    SecurityGroup(String),
    /// The tasks of this service of the cluster.
    Service(String),
    /// The pods of a namespace.
    Namespace(String),
}

/// Ports of one protocol, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// TCP, UDP or SCTP.
    pub protocol: &'static str,
    /// The first, 1 to 65535.
    pub first: i32,
    /// The last, at least the first.
    pub last: i32,
}

impl Rules {
    /// Adds what other rules let through.
    pub fn add(&mut self, other: Self) {
        append(&mut self.ingress, other.ingress);
        self.egress = match (self.egress.take(), other.egress) {
            (Some(mut all), Some(more)) => {
                append(&mut all, more);
                Some(all)
            }
            // One that lets anything out lets it out whatever the others say.
            _ => None,
        };
    }
}

fn append(rules: &mut Vec<Rule>, more: Vec<Rule>) {
    for rule in more {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
}

impl Tables {
    /// What security groups let through together; none where there is no group, or one of them has no
    /// row.
    pub fn rules_of(&self, groups: &[String]) -> Option<Rules> {
        let mut rules = groups.iter().map(|group| self.security_group(group));
        let mut all = rules.next()??.clone();
        for rules in rules {
            all.add(rules?.clone());
        }
        Some(all)
    }

    fn security_group(&self, group: &str) -> Option<&Rules> {
        self.security_groups.iter().find(|row| row.group == group).map(|row| &row.rules)
    }
}

impl Resolver<'_> {
    /// Says which security groups have no row.
    pub(super) fn groups(&mut self, launch: &Launch) {
        let has_row = |group: &&String| self.mapping.tables.security_group(group).is_some();
        let (mapped, unmapped): (Vec<&String>, Vec<&String>) =
            launch.security_groups.iter().partition(has_row);
        let needs: Vec<Need> =
            unmapped.iter().map(|group| derived::security_group_row(group)).collect();
        let Some(first) = needs.first().cloned() else { return };
        let how = if mapped.is_empty() {
            "everything reaches the tasks, unless NetworkPolicies of the namespace's own keep it out; \
             to say so, or with `from` and `ports` in its rules to keep out all else,"
                .to_owned()
        } else {
            format!(
                "no NetworkPolicy is made of {}, since nobody knows what {} lets through beside; \
                 with `from` and `ports` in its rules,",
                listed(&mapped),
                listed(&unmapped)
            )
        };
        let path = "networkConfiguration.awsvpcConfiguration.securityGroups".to_owned();
        self.unmapped_at_launch(path, &how, first);
        for need in needs {
            self.need(need);
        }
    }
}

fn listed(groups: &[&String]) -> String {
    groups.iter().map(|group| group.as_str()).collect::<Vec<_>>().join(", ")
}

/// Reads a row.
pub(super) fn security_group(row: &mut Row<'_>) -> Option<(String, SecurityGroupRow)> {
    let group = row.required("securityGroup", "the ID of a security group");
    let ingress = row.each("ingress", |row| rule(row, "from"));
    // An empty list says that nothing goes out.
    let says = row.raw.get("egress").is_some_and(|egress| !egress.is_null());
    let egress = row.each("egress", |row| rule(row, "to"));
    let group = group?;
    let rules = Rules { ingress, egress: says.then_some(egress) };
    Some((group.clone(), SecurityGroupRow { group, rules }))
}

fn rule(row: &mut Row<'_>, end: &'static str) -> Rule {
    let peers = row.each(end, peer);
    let ports = row.values("ports", "ports such as 443, 8000-8100 or 53/udp");
    let mut read = Vec::new();
    for (at, raw) in ports.iter().enumerate() {
        if let Some(ports) = range(raw) {
            read.push(ports);
            continue;
        }
        let path = row.at(&format!("ports[{at}]"));
        let rule = "must be a port, as in 443, ports, as in 8000-8100, or either with /udp, /sctp or \
                    /tcp behind it; ports are 1 to 65535";
        row.findings.refuse_value(path, brief(raw), rule);
    }
    Rule { peers: peers.into_iter().flatten().collect(), ports: read }
}

fn peer(row: &mut Row<'_>) -> Option<Peer> {
    let (cidr, group) = (row.text("cidr"), row.text("securityGroup"));
    let (service, namespace) = (row.text("service"), row.text("namespace"));
    if let Some(cidr) = cidr.as_ref()
        && let Err(rule) = network(cidr)
    {
        let path = row.at("cidr");
        row.findings.refuse_value(path, cidr, rule);
    }
    if let Some(service) = service.as_ref().filter(|service| !is_name(service)) {
        let path = row.at("service");
        let rule = "must be the name of a service: 1 to 255 letters, digits, - and _";
        row.findings.refuse_value(path, service, rule);
    }
    if let Some(name) = &namespace {
        row.check_name("namespace", name);
    }
    let given = [
        cidr.map(Peer::Cidr),
        group.map(Peer::SecurityGroup),
        service.map(Peer::Service),
        namespace.map(Peer::Namespace),
    ];
    let mut given = given.into_iter().flatten();
    if let (Some(peer), None) = (given.next(), given.next()) {
        return Some(peer);
    }
    let path = row.path.clone();
    row.findings.refuse(path, "needs exactly one of cidr, securityGroup, service and namespace");
    None
}

/// `443`, `8000-8100`, `53/udp`.
fn range(raw: &Value) -> Option<Ports> {
    let text = match raw {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        _ => return None,
    };
    let (numbers, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
    let protocol = ["TCP", "UDP", "SCTP"].into_iter().find(|p| p.eq_ignore_ascii_case(protocol))?;
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let port = |digits: &str| {
        let digits = digits.trim();
        let plain = digits.chars().all(|c| c.is_ascii_digit());
        digits.parse::<i32>().ok().filter(|port| plain && (1..=65535).contains(port))
    };
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(Ports { protocol, first, last })
}

/// Whether a text is a network: an address, and how many of its first bits count, the others being 0.
fn network(text: &str) -> Result<(), String> {
    let otherwise = || "must be a network, as in 10.0.0.0/8 or 2001:db8::/32".to_owned();
    let (address, bits) = text.split_once('/').ok_or_else(otherwise)?;
    let address: std::net::IpAddr = address.parse().map_err(|_| otherwise())?;
    let plain = !bits.is_empty() && bits.chars().all(|c| c.is_ascii_digit());
    let bits: u32 = bits.parse().ok().filter(|_| plain).ok_or_else(otherwise)?;
    let kept = match address {
        std::net::IpAddr::V4(address) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            std::net::IpAddr::V4((u32::from(address) & mask).into())
        }
        std::net::IpAddr::V6(address) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            std::net::IpAddr::V6((u128::from(address) & mask).into())
        }
        _ => return Err(otherwise()),
    };
    // The one form in which each network is written, since API servers know no other.
    let canonical = format!("{kept}/{bits}");
    if canonical == text {
        Ok(())
    } else {
        Err(format!("must be a network; this is in {canonical}"))
    }
}
