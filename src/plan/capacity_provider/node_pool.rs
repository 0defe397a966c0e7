//! Which NodePool makes the nodes of managed instances?
//!
//! Where Karpenter runs, Linkspan makes one for each `managedInstancesProvider`, of the administrator's
//! cluster-scoped object only: the instance requirements become Karpenter's, the rest is said by the
//! node class that `kubernetes.nodeClassRef` names. It goes with its CapacityProvider. A provider with a
//! `kubernetes.nodeSelector` has nodes already, and gets none.
//!
//! The shell looks at the NodePool before each plan that goes by it ([`crate::plan::Plan::looks_at_pool`])
//! and puts what it found into the world ([`World::node_pools`]).

use serde_json::{Value, json};

use super::scaling::{LOOK_AGAIN, LOOK_FOR_IT};
use super::target::{ScaleTarget, Unusable};
use super::{CapacityProvider, Form};
use crate::api::{self, Reason};
use crate::names::{FIELD_MANAGER, GROUP, dns_label, label, label_value};
use crate::plan::conditions::Outcome;
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};
use crate::plan::{Moment, Write, diff};
use crate::world::{ObjectKey, World, set};

/// Group and version of a NodePool.
const API_VERSION: &str = "karpenter.sh/v1";
/// How long a node idles where `scaleInAfter` says nothing, in seconds.
const USUAL_IDLE: i64 = 300;
/// The families whose machines earn credits while they idle.
const BURSTABLE: [&str; 5] = ["t1", "t2", "t3", "t3a", "t4g"];
/// The sizes that are whole machines.
const METAL: [&str; 5] = ["metal", "metal-16xl", "metal-24xl", "metal-32xl", "metal-48xl"];
/// The NVMe disks of a machine together, in GiB.
const NVME: &str = "karpenter.k8s.aws/instance-local-nvme";

/// What there is to do and to say about it.
#[derive(Debug, Default)]
pub(super) struct Pooling {
    pub(super) writes: Vec<Write>,
    /// Why there is none, if there is none.
    pub(super) in_the_way: Option<(Outcome, Reason, String)>,
    /// The NodePool that the next plan wants to see.
    pub(super) looks_at: Option<ScaleTarget>,
    /// When to look again.
    pub(super) wake_at: Option<jiff::Timestamp>,
}

/// Where the NodePool of a provider is, if it is to have one.
fn target(provider: &CapacityProvider, spec: &Value) -> Option<ScaleTarget> {
    let selector = spec.pointer("/kubernetes/nodeSelector");
    let selects = selector.is_some_and(|selector| !is_empty(selector));
    (provider.form == Form::ManagedInstances && !selects).then(|| ScaleTarget {
        api_version: API_VERSION.to_owned(),
        kind: "NodePool".to_owned(),
        namespace: None,
        name: dns_label(&provider.name, 63),
    })
}

/// Brings the NodePool to what the provider asks for.
pub(super) fn pool(
    world: &World,
    key: &ObjectKey,
    object: &api::CapacityProvider,
    provider: &CapacityProvider,
    moment: &Moment,
) -> Pooling {
    let spec = &object.spec.0;
    let Some(target) = target(provider, spec) else { return Pooling::default() };
    let mut pooling = Pooling {
        looks_at: Some(target.clone()),
        wake_at: Some(moment.now + LOOK_AGAIN),
        ..Pooling::default()
    };
    let Some(found) = world.node_pools.get(key) else { return pooling };
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    let mut intent = intent(&target.name, object.metadata.name.as_deref(), uid, provider, spec);
    diff::seal(&mut intent);
    let stalled = |reason, message: String| Some((Outcome::Stalled, reason, message));
    match found {
        Err(why) => {
            pooling.wake_at = Some(moment.now + LOOK_FOR_IT);
            pooling.in_the_way = stalled(Reason::NodePoolUnavailable, unavailable(why, &target));
        }
        Ok(Some(there)) if !is_of(there, uid) => {
            let message = format!(
                "{target} is in the way: it was not made for this provider; give this one another \
                 name, or tell its nodes by kubernetes.nodeSelector"
            );
            pooling.in_the_way = stalled(Reason::ChildConflict, message);
        }
        Ok(Some(there)) if diff::is_met(&intent, there) => {}
        Ok(there) => {
            // If it is another by then, that one is not written to.
            let known = there.as_ref().and_then(|there| there.pointer("/metadata/uid"));
            if let Some(known) = known {
                set(&mut intent, &["metadata", "uid"], known.clone());
            }
            pooling.writes.push(Write::Pool { key: key.clone(), target, body: intent });
        }
    }
    pooling
}

fn is_of(pool: &Value, uid: &str) -> bool {
    let owners = pool.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().any(|owner| owner.get("uid").and_then(Value::as_str) == Some(uid))
}

fn unavailable(why: &Unusable, target: &ScaleTarget) -> String {
    let way_out = "or label nodes with ecs.linkspan.dev/capacity-provider";
    match why {
        Unusable::NotServed | Unusable::Missing | Unusable::NoScale => format!(
            "managedInstancesProvider: no node is made, since the cluster serves no {} of {}; install \
             Karpenter, {way_out}",
            target.kind, target.api_version
        ),
        Unusable::Forbidden(why) => format!(
            "managedInstancesProvider: Linkspan may not make {target}: {why}; allow it (in the chart: \
             rbac.nodePools), {way_out}"
        ),
        Unusable::Unreachable(why) => {
            format!("managedInstancesProvider: {target} cannot be read: {why}")
        }
    }
}

fn intent(
    name: &str,
    object: Option<&str>,
    uid: &str,
    provider: &CapacityProvider,
    spec: &Value,
) -> Value {
    let labels = json!({label::CAPACITY_PROVIDER: label_value(&provider.name)});
    let mut own = labels.clone();
    set(&mut own, &[label::APP_MANAGED_BY], FIELD_MANAGER);
    let (class, _) = node_class(spec);
    json!({
        "apiVersion": API_VERSION, "kind": "NodePool",
        "metadata": {"name": name, "labels": own, "ownerReferences": [{
            "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "CapacityProvider",
            "name": object.unwrap_or_default(), "uid": uid,
            "controller": true, "blockOwnerDeletion": true}]},
        "spec": {
            "template": {
                "metadata": {"labels": labels},
                "spec": {"nodeClassRef": class, "requirements": requirements(spec)},
            },
            "disruption": {
                "consolidationPolicy": "WhenEmptyOrUnderutilized",
                "consolidateAfter": idle(spec),
            },
        },
    })
}

/// `scaleInAfter` as a duration.
fn idle(spec: &Value) -> String {
    let path = "/managedInstancesProvider/infrastructureOptimization/scaleInAfter";
    match spec.pointer(path).and_then(Value::as_i64) {
        Some(-1) => "Never".to_owned(),
        other => format!("{}s", other.unwrap_or(USUAL_IDLE)),
    }
}

/// The node class: which it is, and whether what was given can be used.
fn node_class(spec: &Value) -> (Value, bool) {
    let usual = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"});
    let Some(given) = spec.pointer("/kubernetes/nodeClassRef").filter(|value| !is_empty(value))
    else {
        return (usual, true);
    };
    let text = |name: &str| given.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("group"), text("kind"), text("name")) {
        (Some(group), Some(kind), Some(name)) => {
            (json!({"group": group, "kind": kind, "name": name}), true)
        }
        _ => (usual, false),
    }
}

/// What cannot be said to Karpenter, of a provider for which there is to be a NodePool.
pub(super) fn tell(provider: &CapacityProvider, spec: &Value, findings: &mut Findings) {
    if target(provider, spec).is_none() {
        return;
    }
    if let (_, false) = node_class(spec) {
        let given = spec.pointer("/kubernetes/nodeClassRef").unwrap_or(&Value::Null);
        findings.refuse_value(
            "kubernetes.nodeClassRef",
            brief(given),
            "must have group, kind and name, as {group: karpenter.k8s.aws, kind: EC2NodeClass, name: \
             default}",
        );
    }
    for member in ["allowedInstanceTypes", "excludedInstanceTypes"] {
        if types(spec, member) == Types::Unsaid {
            findings.differs(
                format!("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.{member}"),
                "Karpenter can be told whole types (m5.large) or whole families (m5.*), not both in \
                 one list and no other pattern: the list is left out",
            );
        }
    }
}

/// A list of instance types, as Karpenter is told it.
#[derive(Debug, PartialEq)]
enum Types {
    /// There is none.
    All,
    /// By the values of a label.
    Listed(&'static str, Vec<String>),
    /// No single label can say it.
    Unsaid,
}

fn types(spec: &Value, member: &str) -> Types {
    let list = need(spec, member).and_then(Value::as_array);
    let names: Vec<&str> = list.into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() {
        return Types::All;
    }
    if names.iter().all(|name| !name.contains('*')) {
        let all = names.iter().map(|name| (*name).to_owned()).collect();
        return Types::Listed("node.kubernetes.io/instance-type", all);
    }
    let family = |name: &&str| {
        let family = name.strip_suffix(".*")?;
        (!family.contains('*')).then(|| family.to_owned())
    };
    let families: Option<Vec<String>> = names.iter().map(family).collect();
    families.map_or(Types::Unsaid, |families| {
        Types::Listed("karpenter.k8s.aws/instance-family", families)
    })
}

fn need<'a>(spec: &'a Value, member: &str) -> Option<&'a Value> {
    let needs =
        spec.pointer("/managedInstancesProvider/instanceLaunchTemplate/instanceRequirements")?;
    needs.get(member).filter(|value| !is_empty(value))
}

/// The requirements, in Karpenter's words.
fn requirements(spec: &Value) -> Vec<Value> {
    let mut all = Requirements(Vec::new());
    let option =
        spec.pointer("/managedInstancesProvider/instanceLaunchTemplate/capacityOptionType");
    all.among(
        "karpenter.sh/capacity-type",
        "In",
        &[match option.and_then(Value::as_str) {
            Some("SPOT") => "spot",
            Some("RESERVED") => "reserved",
            _ => "on-demand",
        }],
    );
    let Some(_) =
        spec.pointer("/managedInstancesProvider/instanceLaunchTemplate/instanceRequirements")
    else {
        return all.0;
    };
    let own = |name: &str| format!("karpenter.k8s.aws/instance-{name}");
    // In thousandths: bandwidths are given in Gbit/s and told in Mbit/s.
    for (member, name, factor) in [
        ("vCpuCount", "cpu", 1.0),
        ("memoryMiB", "memory", 1.0),
        ("baselineEbsBandwidthMbps", "ebs-bandwidth", 1.0),
        ("networkBandwidthGbps", "network-bandwidth", 1000.0),
        ("totalLocalStorageGB", "local-nvme", 1.0),
    ] {
        all.between(&own(name), need(spec, member), factor);
    }
    let makers = texts(need(spec, "cpuManufacturers"));
    let maker = |name: &String| if name == "amazon-web-services" { "aws" } else { name }.to_owned();
    let makers: Vec<String> = makers.iter().map(maker).collect();
    all.among(&own("cpu-manufacturer"), "In", &makers);
    for (member, operator) in [("allowedInstanceTypes", "In"), ("excludedInstanceTypes", "NotIn")] {
        if let Types::Listed(key, values) = types(spec, member) {
            all.among(key, operator, &values);
        }
    }
    // Without a word ECS takes neither whole machines nor such as earn credits.
    let word = |member: &str, usual: &'static str| {
        need(spec, member).and_then(Value::as_str).unwrap_or(usual).to_owned()
    };
    for (member, key, values) in
        [("bareMetal", own("size"), &METAL), ("burstablePerformance", own("family"), &BURSTABLE)]
    {
        match word(member, "excluded").as_str() {
            "required" => all.among(&key, "In", values),
            "included" => {}
            _ => all.among(&key, "NotIn", values),
        }
    }
    match word("localStorage", "included").as_str() {
        "required" => all.0.push(json!({"key": NVME, "operator": "Exists"})),
        "excluded" => all.0.push(json!({"key": NVME, "operator": "DoesNotExist"})),
        _ => {}
    }
    let accelerators = texts(need(spec, "acceleratorTypes"));
    let is_inference = accelerators.iter().any(|kind| kind == "inference");
    let kind = if is_inference { "accelerator" } else { "gpu" };
    all.between(&own(&format!("{kind}-count")), need(spec, "acceleratorCount"), 1.0);
    all.among(
        &own(&format!("{kind}-manufacturer")),
        "In",
        &texts(need(spec, "acceleratorManufacturers")),
    );
    all.among(&own(&format!("{kind}-name")), "In", &texts(need(spec, "acceleratorNames")));
    if !is_inference {
        all.between(&own("gpu-memory"), need(spec, "acceleratorTotalMemoryMiB"), 1.0);
    }
    all.0
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

struct Requirements(Vec<Value>);

impl Requirements {
    fn among<T: AsRef<str>>(&mut self, key: &str, operator: &str, values: &[T]) {
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        if !values.is_empty() {
            self.0.push(json!({"key": key, "operator": operator, "values": values}));
        }
    }

    /// `min` and `max`, both included; Karpenter's bounds are not.
    fn between(&mut self, key: &str, range: Option<&Value>, factor: f64) {
        let bound = |name: &str| range.and_then(|range| range.get(name)).and_then(Value::as_f64);
        #[allow(clippy::cast_possible_truncation, reason = "a float's casts saturate")]
        let whole = |value: f64| value as i64;
        if let Some(least) = bound("min").map(|least| whole((least * factor).ceil()))
            && least > 0
        {
            self.among(key, "Gt", &[least.saturating_sub(1).to_string()]);
        }
        if let Some(most) = bound("max").map(|most| whole((most * factor).floor())) {
            self.among(key, "Lt", &[most.saturating_add(1).to_string()]);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn of(needs: &Value) -> Vec<String> {
        let spec = json!({"managedInstancesProvider":
            {"instanceLaunchTemplate": {"instanceRequirements": needs}}});
        let line = |one: &Value| {
            let word = |name: &str| one.get(name).unwrap().as_str().unwrap().to_owned();
            let values = texts(one.get("values")).join(",");
            let key = word("key").replace("karpenter.k8s.aws/instance-", "");
            format!("{key} {} {values}", word("operator"))
        };
        requirements(&spec).iter().map(line).collect()
    }

    /// What ECS excludes without a word.
    const USUAL: [&str; 2] = [
        "size NotIn metal,metal-16xl,metal-24xl,metal-32xl,metal-48xl",
        "family NotIn t1,t2,t3,t3a,t4g",
    ];

    #[test]
    fn bounds_are_included_here_and_not_there() {
        let needs = json!({"vCpuCount": {"min": 2, "max": 8}, "memoryMiB": {"min": 4096},
            "networkBandwidthGbps": {"min": 2.5}});
        let expected = [
            "karpenter.sh/capacity-type In on-demand",
            "cpu Gt 1",
            "cpu Lt 9",
            "memory Gt 4095",
            "network-bandwidth Gt 2499",
        ];
        assert_eq!(of(&needs), [&expected[..], &USUAL].concat());
    }

    #[test]
    fn words_become_labels_and_their_values() {
        let needs = json!({"vCpuCount": {"min": 0}, "cpuManufacturers": ["amazon-web-services", "amd"],
            "allowedInstanceTypes": ["m7g.*", "c7g.*"], "bareMetal": "included",
            "burstablePerformance": "required", "localStorage": "required",
            "acceleratorTypes": ["gpu"], "acceleratorCount": {"min": 1, "max": 1},
            "acceleratorManufacturers": ["nvidia"]});
        let expected = [
            "karpenter.sh/capacity-type In on-demand",
            "cpu-manufacturer In aws,amd",
            "family In m7g,c7g",
            "family In t1,t2,t3,t3a,t4g",
            "local-nvme Exists ",
            "gpu-count Gt 0",
            "gpu-count Lt 2",
            "gpu-manufacturer In nvidia",
        ];
        assert_eq!(of(&needs), expected);
    }

    #[test]
    fn types_are_told_one_by_one_or_by_family_or_not_at_all() {
        let of = |list: Value| {
            let spec = json!({"managedInstancesProvider": {"instanceLaunchTemplate":
                {"instanceRequirements": {"excludedInstanceTypes": list}}}});
            types(&spec, "excludedInstanceTypes")
        };
        let all = |key, values: &[&str]| {
            Types::Listed(key, values.iter().map(|value| (*value).to_owned()).collect())
        };
        assert_eq!(of(json!([])), Types::All);
        let kinds = all("node.kubernetes.io/instance-type", &["m5.large", "c5.large"]);
        assert_eq!(of(json!(["m5.large", "c5.large"])), kinds);
        assert_eq!(of(json!(["m5.*"])), all("karpenter.k8s.aws/instance-family", &["m5"]));
        assert_eq!(of(json!(["m5.*", "c5.large"])), Types::Unsaid);
        assert_eq!(of(json!(["m*"])), Types::Unsaid);
    }
}
