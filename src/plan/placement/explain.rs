//! Why does a task not find a node?
//!
//! Each node is asked everything that the task needs, in one order; it counts where it fails first,
//! so that the numbers add up to the number of nodes. It explains what a scheduler decided, and
//! decides nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::api::core::v1 as corev1;

use super::attributes;
use super::requirement::Required;
use super::resources::Amounts;
use crate::ecs::query::{Instance, Query, evaluate};

/// What a task needs of a node.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The capacity provider, and the names of the nodes that are its own.
    pub provider: Option<(String, BTreeSet<String>)>,
    /// The placement expressions, each as it was written.
    pub expressions: Vec<(String, Query)>,
    /// What its pod asks of nodes; told where nothing before it explains that a node will not do.
    pub required: Required,
    /// Names of the nodes on which a task of the same service runs, where each has to have its own.
    pub taken_by_others: Option<BTreeSet<String>>,
    /// Which taints do not keep it away.
    pub tolerations: Vec<corev1::Toleration>,
    /// What it takes.
    pub amounts: Amounts,
    /// The ports of the node that it takes, each with its protocol.
    pub ports: BTreeSet<(i32, String)>,
}

/// A node that was asked.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What expressions can ask of it.
    pub instance: Instance,
    /// Whether it is cordoned.
    pub cordoned: bool,
    /// What keeps pods away.
    pub taints: Vec<corev1::Taint>,
    /// What it has left.
    pub left: Amounts,
    /// The ports that are taken, each with its protocol.
    pub ports: BTreeSet<(i32, String)>,
}

/// What a node fails in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Failure {
    /// It is none of the capacity provider's.
    Provider(String),
    /// An expression, by its place in the list.
    Expression(usize, String),
    /// What its pod asks for beside that.
    Required(Vec<String>),
    /// Another task of the service runs on it.
    Taken,
    /// It takes no pods at the moment.
    Cordoned,
    /// A taint.
    Taint(String),
    /// Ports that others have.
    Ports(Vec<String>),
    /// What it has too little of, in words.
    Lacks(Vec<Shortage>),
}

/// Too little of something.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shortage {
    what: &'static str,
    short_of: i64,
    /// Of what is needed, in thousandths.
    share: i64,
}

/// One cause, and how many nodes fail for it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// In words that follow a number of nodes: "lack memory".
    pub reason: String,
    /// How many nodes fail in this and in nothing before it.
    pub nodes: usize,
    /// How many nodes are left behind it.
    pub left: usize,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// How many nodes were asked.
    pub nodes: usize,
    /// Why they will not do, in the order in which they were asked.
    pub causes: Vec<Cause>,
    /// Names of the nodes that will do.
    pub fitting: Vec<String>,
    /// The node that fails in the least, and in what.
    pub closest: Option<(String, Vec<String>)>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.nodes {
            0 => return f.write_str("there are no nodes"),
            1 => f.write_str("1 node: ")?,
            count => write!(f, "{count} nodes: ")?,
        }
        let mut parts: Vec<String> =
            self.causes.iter().map(|cause| format!("{} {}", cause.nodes, cause.reason)).collect();
        if !self.fitting.is_empty() {
            parts.push(format!("{} will do", self.fitting.len()));
        }
        f.write_str(&parts.join(", "))?;
        match &self.closest {
            Some((node, failures)) => write!(f, "; closest is {node}: {}", failures.join(", ")),
            None => Ok(()),
        }
    }
}

/// Asks all nodes everything.
pub fn explain(needs: &Needs, nodes: &[Candidate]) -> Explanation {
    let mut explanation = Explanation { nodes: nodes.len(), ..Explanation::default() };
    let mut needs = needs.clone();
    for (_, query) in &mut needs.expressions {
        *query = attributes::canonical(query);
    }
    // In the order of what was asked, then of the words.
    let mut counts: BTreeMap<(usize, String), (usize, String)> = BTreeMap::new();
    let mut closest: Option<(Distance, &Candidate, Vec<Failure>)> = None;
    for node in nodes {
        let failures = failures(&needs, node);
        let Some(first) = failures.first() else {
            explanation.fitting.push(node.name.clone());
            continue;
        };
        let of_one = || (0, first.reason(true));
        counts.entry((first.order(), first.reason(false))).or_insert_with(of_one).0 += 1;
        let distance = distance(&failures, node);
        if closest.as_ref().is_none_or(|(least, ..)| distance < *least) {
            closest = Some((distance, node, failures));
        }
    }
    let mut left = nodes.len();
    for ((_, reason), (nodes, of_one)) in counts {
        left -= nodes;
        let reason = if nodes == 1 { of_one } else { reason };
        explanation.causes.push(Cause { reason, nodes, left });
    }
    if explanation.fitting.is_empty() {
        explanation.closest = closest.map(|(_, node, failures)| {
            (node.name.clone(), failures.iter().map(Failure::in_full).collect())
        });
    }
    explanation
}

/// How many failures, how many of them are no shortage, by how much in the worst shortage, and the
/// name: a node that has too little is nearer than one that is not meant.
type Distance = (usize, usize, i64, String);

fn distance(failures: &[Failure], node: &Candidate) -> Distance {
    let shortages = failures.iter().flat_map(|failure| match failure {
        Failure::Lacks(shortages) => shortages.as_slice(),
        _ => &[],
    });
    let worst = shortages.clone().map(|shortage| shortage.share).max().unwrap_or(0);
    let others = failures.iter().filter(|failure| !matches!(failure, Failure::Lacks(_))).count();
    (others + shortages.count(), others, worst, node.name.clone())
}

fn failures(needs: &Needs, node: &Candidate) -> Vec<Failure> {
    let mut failures = Vec::new();
    if let Some((provider, nodes)) = &needs.provider
        && !nodes.contains(&node.name)
    {
        failures.push(Failure::Provider(provider.clone()));
    }
    for (at, (written, query)) in needs.expressions.iter().enumerate() {
        if !evaluate(query, &node.instance) {
            failures.push(Failure::Expression(at, written.clone()));
        }
    }
    if failures.is_empty() {
        let missed = needs.required.missed_by(&node.name, &node.labels);
        if !missed.is_empty() {
            failures.push(Failure::Required(missed));
        }
    }
    if needs.taken_by_others.as_ref().is_some_and(|taken| taken.contains(&node.name)) {
        failures.push(Failure::Taken);
    }
    if node.cordoned {
        failures.push(Failure::Cordoned);
    }
    let cordon = "node.kubernetes.io/unschedulable";
    let untolerated = node.taints.iter().filter(|taint| {
        taint.effect != "PreferNoSchedule"
            && !(node.cordoned && taint.key == cordon)
            && !needs.tolerations.iter().any(|toleration| tolerates(toleration, taint))
    });
    if let Some(taint) = untolerated.map(described).next() {
        failures.push(Failure::Taint(taint));
    }
    let ports: Vec<String> = needs
        .ports
        .intersection(&node.ports)
        .map(|(number, protocol)| format!("{number}/{}", protocol.to_lowercase()))
        .collect();
    if !ports.is_empty() {
        failures.push(Failure::Ports(ports));
    }
    let shortages = shortages(needs.amounts, node.left);
    if !shortages.is_empty() {
        failures.push(Failure::Lacks(shortages));
    }
    failures
}

fn shortages(needed: Amounts, left: Amounts) -> Vec<Shortage> {
    [
        ("cpu", needed.millicores, left.millicores),
        ("memory", needed.memory, left.memory),
        ("GPUs", needed.gpus, left.gpus),
        ("room for a pod", needed.pods, left.pods),
    ]
    .into_iter()
    .filter(|(_, needed, left)| *needed > 0 && left < needed)
    .map(|(what, needed, left)| {
        let short_of = needed.saturating_sub(left);
        Shortage { what, short_of, share: short_of.saturating_mul(1000) / needed }
    })
    .collect()
}

impl Failure {
    /// Where it stands among everything that is asked.
    fn order(&self) -> usize {
        const AFTER_EXPRESSIONS: usize = 1000;
        match self {
            Self::Provider(_) => 0,
            Self::Expression(at, _) => 1 + at,
            Self::Required(_) => AFTER_EXPRESSIONS,
            Self::Taken => AFTER_EXPRESSIONS + 1,
            Self::Cordoned => AFTER_EXPRESSIONS + 2,
            Self::Taint(_) => AFTER_EXPRESSIONS + 3,
            Self::Ports(_) => AFTER_EXPRESSIONS + 4,
            Self::Lacks(_) => AFTER_EXPRESSIONS + 5,
        }
    }

    /// In words, of one node or of several.
    fn reason(&self, of_one: bool) -> String {
        let of = |one: &'static str, several: &'static str| if of_one { one } else { several };
        match self {
            Self::Provider(name) => {
                format!("{} not of capacity provider `{name}`", of("is", "are"))
            }
            Self::Expression(_, written) => format!("{} `{written}`", of("fails", "fail")),
            Self::Required(missed) => {
                format!("{} `{}`", of("fails", "fail"), missed.join("` and `"))
            }
            Self::Taken => format!("{} a task of this service already", of("runs", "run")),
            Self::Cordoned => format!("{} cordoned", of("is", "are")),
            Self::Taint(taint) if taint.starts_with(NOT_READY) => {
                format!("{} not ready", of("is", "are"))
            }
            Self::Taint(taint) if taint.starts_with(UNREACHABLE) => {
                format!("{} not answer", of("does", "do"))
            }
            Self::Taint(taint) => format!("{} the taint `{taint}`", of("has", "have")),
            Self::Ports(ports) => {
                format!("{} port {} taken", of("has", "have"), ports.join(" and "))
            }
            Self::Lacks(shortages) => {
                let what: Vec<&str> = shortages.iter().map(|shortage| shortage.what).collect();
                format!("{} {}", of("lacks", "lack"), what.join(" and "))
            }
        }
    }

    /// In words, of one node, with how much it lacks.
    fn in_full(&self) -> String {
        match self {
            Self::Lacks(shortages) => {
                let what: Vec<String> = shortages.iter().map(Shortage::told).collect();
                format!("lacks {}", what.join(" and "))
            }
            other => other.reason(true),
        }
    }
}

impl Shortage {
    /// With its amount: CPU in units, of which 1024 are one, and memory in MiB, both rounded up.
    fn told(&self) -> String {
        let Self { what, short_of, .. } = self;
        match *what {
            "cpu" => {
                format!("{} CPU units", short_of.saturating_mul(1024).saturating_add(999) / 1000)
            }
            "memory" => format!("{} MiB of memory", short_of.saturating_add((1 << 20) - 1) >> 20),
            "GPUs" if *short_of == 1 => "a GPU".to_owned(),
            "GPUs" => format!("{short_of} GPUs"),
            _ => (*what).to_owned(),
        }
    }
}

/// The taints by which Kubernetes says how a node does.
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

fn described(taint: &corev1::Taint) -> String {
    let value = taint.value.as_deref().filter(|value| !value.is_empty());
    let value = value.map(|value| format!("={value}")).unwrap_or_default();
    format!("{}{value}:{}", taint.key, taint.effect)
}

/// Whether a toleration lets a pod on a node with a taint.
pub fn tolerates(toleration: &corev1::Toleration, taint: &corev1::Taint) -> bool {
    let given =
        |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
    let effect = given(&toleration.effect).is_none_or(|effect| effect == taint.effect);
    let key = given(&toleration.key).is_none_or(|key| key == taint.key);
    let exists = toleration.operator.as_deref() == Some("Exists");
    let value = exists
        || (given(&toleration.key).is_some()
            && given(&toleration.value).unwrap_or_default()
                == taint.value.as_deref().unwrap_or_default());
    effect && key && value
}

#[cfg(test)]
mod tests;
