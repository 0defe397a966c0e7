//! What does a node offer, and what does a pod take of it?
//!
//! Kubernetes' quantities in whole numbers. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

type Quantities = BTreeMap<String, Quantity>;

/// The resource by which accelerators are counted.
pub const GPU: &str = "nvidia.com/gpu";

/// Amounts that a node offers or a pod takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amounts {
    /// In thousandths of a CPU.
    pub millicores: i64,
    /// In bytes.
    pub memory: i64,
    /// Whole ones.
    pub gpus: i64,
    /// How many pods.
    pub pods: i64,
}

impl Amounts {
    /// What is left of this when that is taken; below 0 where that is more.
    #[must_use]
    pub fn less(self, that: Self) -> Self {
        Self {
            millicores: self.millicores.saturating_sub(that.millicores),
            memory: self.memory.saturating_sub(that.memory),
            gpus: self.gpus.saturating_sub(that.gpus),
            pods: self.pods.saturating_sub(that.pods),
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, that: Self) -> Self {
        Self {
            millicores: self.millicores.saturating_add(that.millicores),
            memory: self.memory.saturating_add(that.memory),
            gpus: self.gpus.saturating_add(that.gpus),
            pods: self.pods.saturating_add(that.pods),
        }
    }

    fn most(self, that: Self) -> Self {
        Self {
            millicores: self.millicores.max(that.millicores),
            memory: self.memory.max(that.memory),
            gpus: self.gpus.max(that.gpus),
            pods: self.pods.max(that.pods),
        }
    }

    fn of(quantities: Option<&Quantities>) -> Self {
        let thousandths = |name: &str| {
            let quantity = quantities.and_then(|all| all.get(name));
            quantity.and_then(|quantity| thousandths(&quantity.0)).unwrap_or(0)
        };
        // What a pod takes is rounded up to whole bytes, as a scheduler does.
        let whole = |thousandths: i128| narrow((thousandths + 999).div_euclid(1000));
        Self {
            millicores: narrow(thousandths("cpu")),
            memory: whole(thousandths("memory")),
            gpus: whole(thousandths(GPU)),
            pods: whole(thousandths("pods")),
        }
    }
}

fn narrow(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

/// A quantity in thousandths, rounded up: `250m`, `1.5`, `512Mi`, `1e3`, `2G`.
pub fn thousandths(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let (numerator, denominator): (i128, i128) = match suffix {
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "" => (1, 1),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let scale = 10_i128.checked_pow(power.unsigned_abs())?;
            if power < 0 { (1, scale) } else { (scale, 1) }
        }
    };
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    // Beyond nine digits behind the point nothing is kept; the first of them counts as one.
    let (kept, lost) = fraction.split_at_checked(9).unwrap_or((fraction, ""));
    let scale = 10_i128.pow(u32::try_from(kept.len()).ok()?);
    let digit = |part: &str| if part.is_empty() { Some(0) } else { part.parse::<i128>().ok() };
    let lost = i128::from(lost.bytes().any(|byte| byte != b'0'));
    let scaled = digit(whole)?.checked_mul(scale)?.checked_add(digit(kept)?)?.checked_add(lost)?;
    let product = scaled.checked_mul(numerator)?.checked_mul(1000)?;
    let divisor = denominator.checked_mul(scale)?;
    let rounded_up = product.checked_add(divisor - 1)?.div_euclid(divisor);
    Some(if negative { -rounded_up } else { rounded_up })
}

/// What a node offers to pods.
pub fn offered(node: &corev1::Node) -> Amounts {
    let status = node.status.as_ref();
    let quantities = status.and_then(|s| s.allocatable.as_ref().or(s.capacity.as_ref()));
    Amounts::of(quantities)
}

/// What a pod takes of its node, itself included.
///
/// Containers run at once, and with them the init containers that stay; the others run before, one
/// after the other. What the pod asks for as a whole comes before all of that.
pub fn taken(spec: &corev1::PodSpec) -> Amounts {
    let requests = |resources: Option<&corev1::ResourceRequirements>| {
        let quantities = resources.map(|r| with_limits(r.requests.as_ref(), r.limits.as_ref()));
        Amounts::of(quantities.as_ref())
    };
    let mut running = spec
        .containers
        .iter()
        .fold(Amounts::default(), |sum, one| sum.plus(requests(one.resources.as_ref())));
    let (mut staying, mut starting) = (Amounts::default(), Amounts::default());
    for one in spec.init_containers.iter().flatten() {
        let needs = requests(one.resources.as_ref());
        if one.restart_policy.as_deref() == Some("Always") {
            staying = staying.plus(needs);
            starting = starting.most(staying);
        } else {
            starting = starting.most(staying.plus(needs));
        }
    }
    running = running.plus(staying).most(starting);
    if let Some(whole) = &spec.resources {
        let quantities = with_limits(whole.requests.as_ref(), whole.limits.as_ref());
        let amounts = Amounts::of(Some(&quantities));
        if quantities.contains_key("cpu") {
            running.millicores = amounts.millicores;
        }
        if quantities.contains_key("memory") {
            running.memory = amounts.memory;
        }
    }
    Amounts { pods: 1, ..running.plus(Amounts::of(spec.overhead.as_ref())) }
}

/// Requests, and for what is not requested the limits, as an API server fills them in.
fn with_limits(requests: Option<&Quantities>, limits: Option<&Quantities>) -> Quantities {
    let mut all = limits.cloned().unwrap_or_default();
    all.extend(requests.cloned().unwrap_or_default());
    all
}

/// The ports of the node that a pod takes, each with its protocol.
pub fn host_ports(spec: &corev1::PodSpec) -> BTreeSet<(i32, String)> {
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    let is_host = spec.host_network == Some(true);
    ports
        .filter_map(|port| {
            let number = port.host_port.or(is_host.then_some(port.container_port))?;
            Some((number, port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())))
        })
        .collect()
}

/// Whether a pod still takes room on its node.
pub fn takes_room(pod: &corev1::Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

/// What a node has left beside these pods on it.
pub fn left<'a>(node: &corev1::Node, pods: impl IntoIterator<Item = &'a corev1::Pod>) -> Amounts {
    pods.into_iter()
        .filter(|pod| takes_room(pod))
        .filter_map(|pod| pod.spec.as_ref())
        .fold(offered(node), |left, spec| left.less(taken(spec)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_read_in_every_form() {
        for (text, expected) in [
            ("0", Some(0)),
            ("250m", Some(250)),
            ("1.5", Some(1500)),
            ("2", Some(2000)),
            ("1n", Some(1)),
            ("1500u", Some(2)),
            ("1Ki", Some(1_024_000)),
            ("0.5Gi", Some((1 << 29) * 1000)),
            ("1G", Some(1_000_000_000_000)),
            ("1e3", Some(1_000_000)),
            ("12E", Some(12_000_000_000_000_000_000_000)),
            ("1E-3", Some(1)),
            ("-1", Some(-1000)),
            (".5", Some(500)),
            ("1.0000000001", Some(1001)),
            ("", None),
            ("m", None),
            ("1.2.3", None),
            ("1x", None),
            ("1e99", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }

    #[test]
    fn a_pod_takes_what_runs_at_once() {
        let spec: corev1::PodSpec = serde_json::from_value(json!({
            "initContainers": [
                {"name": "first", "resources": {"requests": {"cpu": "700m", "memory": "1Gi"}}},
                {"name": "stays", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
                {"name": "second", "resources": {"limits": {"cpu": "650m"}}},
            ],
            "containers": [
                {"name": "a", "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}},
                 "ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81}]},
                {"name": "b", "resources": {"limits": {"cpu": "250m", "nvidia.com/gpu": "1"}}},
            ],
            "overhead": {"memory": "1Mi"},
        }))
        .unwrap();
        let expected = Amounts { millicores: 750, memory: (1 << 30) + (1 << 20), gpus: 1, pods: 1 };
        assert_eq!(taken(&spec), expected);
        assert_eq!(host_ports(&spec), BTreeSet::from([(8080, "TCP".to_owned())]));
        let resources = serde_json::from_value(json!({"limits": {"cpu": "2", "memory": "3Gi"}}));
        let whole = corev1::PodSpec { resources: resources.unwrap(), ..spec };
        let taken = taken(&whole);
        assert_eq!((taken.millicores, taken.memory, taken.gpus), (2000, (3 << 30) + (1 << 20), 1));
    }

    #[test]
    fn a_node_has_left_what_no_pod_takes() {
        let node: corev1::Node = serde_json::from_value(json!({"metadata": {}, "status":
            {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "10"}}}))
        .unwrap();
        let pod = |phase: &str| -> corev1::Pod {
            serde_json::from_value(json!({"metadata": {}, "status": {"phase": phase}, "spec":
                {"containers": [{"name": "a", "resources": {"requests": {"cpu": "500m"}}}]}}))
            .unwrap()
        };
        let pods = [pod("Running"), pod("Pending"), pod("Succeeded")];
        let expected = Amounts { millicores: 1000, memory: 4 << 30, gpus: 0, pods: 8 };
        assert_eq!(left(&node, &pods), expected);
    }
}
