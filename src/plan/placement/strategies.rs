//! Where would tasks rather run? From ECS's placement strategies to what a scheduler prefers.
//!
//! ECS narrows the instances by one strategy after the other; a scheduler adds up scores. So the
//! order is kept but weighs less than in ECS, and a finding says so where it matters. Only
//! `distinctInstance`, which is a constraint, binds.

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use super::affinity::HOSTNAME;
use super::attributes;
use crate::plan::finding::Findings;
use crate::plan::judge::brief;

/// The scheduler profile that fills nodes up by cpu, where the chart's second scheduler is on.
pub const BINPACK_CPU_SCHEDULER: &str = "linkspan-binpack-cpu";
/// The same by memory.
pub const BINPACK_MEMORY_SCHEDULER: &str = "linkspan-binpack-memory";

const ZONE: &str = "topology.kubernetes.io/zone";
/// The most strategies that ECS takes.
const MOST_STRATEGIES: usize = 5;
/// The most constraints that ECS takes, those of task definition and service together.
const MOST_CONSTRAINTS: usize = 10;
/// A difference in the number of tasks that no service reaches.
const ANY_SKEW: i32 = i32::MAX;

/// One placement strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// `random`
    Random,
    /// `spread` over the values of a node label.
    Spread {
        /// The label that stands for the field.
        key: String,
    },
    /// `binpack`, by what there is the least of.
    Binpack(Resource),
}

/// What `binpack` goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `cpu`
    Cpu,
    /// `memory`
    Memory,
}

/// What a pod template says of where its pods would rather run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preferences {
    /// How the pods of the service are spread.
    pub spread: Vec<corev1::TopologySpreadConstraint>,
    /// Preferred pod affinity.
    pub near: Vec<corev1::WeightedPodAffinityTerm>,
    /// The scheduler that places them, if not the usual one.
    pub scheduler: Option<String>,
}

/// Reads `placementStrategy`; none given is ECS's default, a spread over zones.
pub fn read(value: Option<&Value>, path: &str, findings: &mut Findings) -> Vec<Strategy> {
    let list = match value {
        None | Some(Value::Null) => &Vec::new(),
        Some(Value::Array(list)) => list,
        Some(other) => {
            findings.refuse_value(path, brief(other), "must be a list of objects");
            return Vec::new();
        }
    };
    if list.len() > MOST_STRATEGIES {
        let given = format!("a list of {}", list.len());
        findings.refuse_value(
            path,
            given,
            format!("may have at most {MOST_STRATEGIES} strategies"),
        );
    }
    if list.is_empty() {
        return vec![Strategy::Spread { key: ZONE.to_owned() }];
    }
    let read = |(at, value): (usize, &Value)| one(value, &format!("{path}[{at}]"), findings);
    list.iter().enumerate().filter_map(read).collect()
}

fn one(value: &Value, path: &str, findings: &mut Findings) -> Option<Strategy> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let field = text("field").unwrap_or_default();
    let field_path = format!("{path}.field");
    match text("type") {
        Some("random") => Some(Strategy::Random),
        Some("binpack") => match field.to_ascii_lowercase().as_str() {
            "cpu" => Some(Strategy::Binpack(Resource::Cpu)),
            "memory" => Some(Strategy::Binpack(Resource::Memory)),
            _ => {
                findings.refuse_value(field_path, format!("`{field}`"), "must be cpu or memory");
                None
            }
        },
        Some("spread") => {
            let key = spread_key(field);
            if key.is_none() {
                let meant = match field.to_ascii_lowercase().trim_start_matches("attribute:") {
                    "availability-zone" | "ecs.availability-zone" | "az" | "zone" => {
                        "; did you mean `attribute:ecs.availability-zone`?"
                    }
                    "instance" | "instanceid" | "ec2instanceid" | "hostname" => {
                        "; did you mean `instanceId`?"
                    }
                    _ => "",
                };
                let rule = "must be instanceId, host, or attribute: and the name of an attribute that a \
                            node label can have";
                findings.refuse_value(field_path, format!("`{field}`"), format!("{rule}{meant}"));
            }
            key.map(|key| Strategy::Spread { key })
        }
        other => {
            let found = format!("`{}`", other.unwrap_or_default());
            findings.refuse_value(
                format!("{path}.type"),
                found,
                "must be random, spread or binpack",
            );
            None
        }
    }
}

fn spread_key(field: &str) -> Option<String> {
    match field {
        "instanceId" | "host" => Some(HOSTNAME.to_owned()),
        _ => attributes::topology_key(field.strip_prefix("attribute:")?),
    }
}

/// What the strategies become for the pods that a selector selects. `packs` says whether there is a
/// scheduler with the profiles [`BINPACK_CPU_SCHEDULER`] and [`BINPACK_MEMORY_SCHEDULER`].
pub fn preferences(
    strategies: &[Strategy],
    selector: &LabelSelector,
    packs: bool,
    path: &str,
    findings: &mut Findings,
) -> Preferences {
    let mut preferences = Preferences::default();
    let spreads = |strategy: &&Strategy| matches!(strategy, Strategy::Spread { .. });
    if strategies.iter().filter(spreads).count() > 1 {
        findings.differs(
            path,
            "of several spreads the first decides in ECS; a scheduler weighs all of them together",
        );
    }
    let mut is_packed = false;
    for (at, strategy) in strategies.iter().enumerate() {
        match strategy {
            Strategy::Random => {}
            Strategy::Spread { key } => {
                if preferences.spread.iter().any(|spread| spread.topology_key == *key) {
                    continue;
                }
                if key != ZONE && key != HOSTNAME {
                    findings.differs(
                        format!("{path}[{at}].field"),
                        format!(
                            "tasks are spread over the values of the node label `{key}`; nodes \
                                 without it count for nothing, but may be chosen"
                        ),
                    );
                }
                preferences.spread.push(spread(key, selector));
            }
            Strategy::Binpack(resource) if !is_packed => {
                is_packed = true;
                pack(
                    *resource,
                    packs,
                    selector,
                    &format!("{path}[{at}]"),
                    &mut preferences,
                    findings,
                );
            }
            Strategy::Binpack(_) => findings.differs(
                format!("{path}[{at}]"),
                "a second binpack changes nothing: the first has decided already",
            ),
        }
    }
    if preferences.spread.is_empty() {
        // A pod without any gets the scheduler's own, which spread over hosts and zones. One that
        // binds has no part in the scores, and this one binds nobody.
        preferences.spread.push(corev1::TopologySpreadConstraint {
            max_skew: ANY_SKEW,
            when_unsatisfiable: "DoNotSchedule".to_owned(),
            ..spread(HOSTNAME, selector)
        });
    }
    preferences
}

fn pack(
    resource: Resource,
    packs: bool,
    selector: &LabelSelector,
    path: &str,
    preferences: &mut Preferences,
    findings: &mut Findings,
) {
    if packs {
        let profile = match resource {
            Resource::Cpu => BINPACK_CPU_SCHEDULER,
            Resource::Memory => BINPACK_MEMORY_SCHEDULER,
        };
        preferences.scheduler = Some(profile.to_owned());
        return;
    }
    findings.differs(
        path,
        "no scheduler that fills nodes up is installed: tasks rather go to nodes that run others of \
         this service; turn on the chart's second scheduler to have nodes filled up",
    );
    preferences.near.push(corev1::WeightedPodAffinityTerm {
        weight: 100,
        pod_affinity_term: on_one_host(selector),
    });
}

/// The service's pods on the same host.
fn on_one_host(selector: &LabelSelector) -> corev1::PodAffinityTerm {
    corev1::PodAffinityTerm {
        label_selector: Some(selector.clone()),
        topology_key: HOSTNAME.to_owned(),
        ..corev1::PodAffinityTerm::default()
    }
}

/// `distinctInstance`: required anti-affinity of a service's pods to each other, whatever their
/// revision, so that a roll needs a spare node as it does in ECS.
pub fn distinct_instance(selector: &LabelSelector) -> corev1::PodAffinityTerm {
    on_one_host(selector)
}

/// As in ECS, tasks of all revisions count together, and the spread is a wish.
fn spread(key: &str, selector: &LabelSelector) -> corev1::TopologySpreadConstraint {
    corev1::TopologySpreadConstraint {
        label_selector: Some(selector.clone()),
        max_skew: 1,
        node_affinity_policy: Some("Honor".to_owned()),
        node_taints_policy: Some("Honor".to_owned()),
        topology_key: key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        ..corev1::TopologySpreadConstraint::default()
    }
}

/// Placement constraints, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constraints {
    /// Whether each task has an instance of its own.
    pub distinct_instance: bool,
    /// The expressions, each with the path of where it stands.
    pub expressions: Vec<(String, crate::ecs::query::Query)>,
}

/// Reads `placementConstraints` of a task definition and of a service (or a run), each with the
/// path of where it stands. Only the latter may have `distinctInstance`.
pub fn read_constraints(
    task_definition: (Option<&Value>, &str),
    service: (Option<&Value>, &str),
    findings: &mut Findings,
) -> Constraints {
    let mut constraints = Constraints::default();
    let mut count = 0;
    for ((value, path), is_service) in [(task_definition, false), (service, true)] {
        let list = match value {
            None | Some(Value::Null) => continue,
            Some(Value::Array(list)) => list,
            Some(other) => {
                findings.refuse_value(path, brief(other), "must be a list of objects");
                continue;
            }
        };
        count += list.len();
        for (at, value) in list.iter().enumerate() {
            constraint(value, &format!("{path}[{at}]"), is_service, &mut constraints, findings);
        }
    }
    if count > MOST_CONSTRAINTS {
        findings.refuse_value(
            service.1,
            format!("one of {count} constraints, with those of the task definition"),
            format!("there may be at most {MOST_CONSTRAINTS}"),
        );
    }
    constraints
}

fn constraint(
    value: &Value,
    path: &str,
    is_service: bool,
    constraints: &mut Constraints,
    findings: &mut Findings,
) {
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let expression_path = format!("{path}.expression");
    match (text("type"), text("expression")) {
        (Some("distinctInstance"), Some(expression)) => findings.refuse_value(
            expression_path,
            format!("`{expression}`"),
            "distinctInstance takes no expression; use a second constraint memberOf",
        ),
        (Some("distinctInstance"), None) if !is_service => findings.refuse(
            format!("{path}.type"),
            "a task definition takes memberOf only; put distinctInstance into the service",
        ),
        (Some("distinctInstance"), None) => constraints.distinct_instance = true,
        (Some("memberOf"), None) => findings.refuse(expression_path, "is required with memberOf"),
        (Some("memberOf"), Some(expression)) => match crate::ecs::query::Query::parse(expression) {
            Ok(query) => {
                for (written, meant) in query.near_misses() {
                    findings.differs(
                        expression_path.clone(),
                        format!(
                            "`attribute:{written}` is taken for an attribute of your own; did you \
                             mean `attribute:{meant}`?"
                        ),
                    );
                }
                constraints.expressions.push((expression_path, query));
            }
            Err(error) => findings.refuse(expression_path, error.to_string()),
        },
        (other, _) => findings.refuse_value(
            format!("{path}.type"),
            format!("`{}`", other.unwrap_or_default()),
            "must be distinctInstance or memberOf",
        ),
    }
}

#[cfg(test)]
mod tests;
