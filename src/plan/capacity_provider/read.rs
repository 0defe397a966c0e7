//! How is a CapacityProvider's spec read, and which rules does it have to keep?

use k8s_openapi::api::core::v1 as corev1;
use serde_json::{Map, Value};

use super::kubernetes::{self, texts};
use super::nodes::Selection;
use super::{CapacityProvider, FargateSelector, Form, Isolation, Size, node_pool, scaling};
use crate::ecs::managed_scaling::Settings;
use crate::ecs::members::Input;
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty, judge};

/// The names of the two providers that exist without an object.
pub(super) const BUILT_IN: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];
/// What the name of no other provider begins with, in any case.
const RESERVED: [&str; 3] = ["aws", "ecs", "fargate"];
const LONGEST_NAME: usize = 255;
/// The most that EKS takes of each.
const MOST_FARGATE_SELECTORS: usize = 5;
const MOST_FARGATE_LABELS: usize = 5;
const MOST_INSTANCE_TYPES: usize = 20;
const MOST_TAINTS: usize = 50;

/// The ECS name of a provider: its own, or that of the object.
pub fn name_of(spec: &Value, object_name: Option<&str>) -> String {
    let own = spec.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    own.or(object_name).unwrap_or_default().to_owned()
}

/// The ECS name of a provider and how its nodes are told; none of the latter where the spec has no form.
pub fn selection_of(spec: &Value, object_name: Option<&str>) -> (String, Option<Selection>) {
    let provider = read(spec, object_name, &mut Findings::default());
    (name_of(spec, object_name), provider.map(|provider| provider.nodes))
}

/// Everything that is found in a spec, and the provider that it is.
pub fn findings(spec: &Value, object_name: Option<&str>) -> (Option<CapacityProvider>, Findings) {
    let mut findings = Findings::default();
    judge(Input::CapacityProvider, spec, &mut findings);
    let mut told = Findings::default();
    let provider = read(spec, object_name, &mut told);
    if let Some(provider) = &provider {
        scaling::tell(provider, &mut told);
        node_pool::tell(provider, spec, &mut told);
    }
    // Of a value that has the wrong shape, the rule about it needs not be told too.
    told.0.retain(|one| !findings.refusals().any(|shape| shape.path == one.path));
    findings.0.extend(told.0);
    (provider, findings)
}

/// Reads a spec; none where it breaks a rule without which nothing can be said of it.
pub fn read(
    spec: &Value,
    object_name: Option<&str>,
    findings: &mut Findings,
) -> Option<CapacityProvider> {
    let name = name_of(spec, object_name);
    check_name(&name, findings);
    let forms: Vec<(&str, &Map<String, Value>)> = [
        "managedNodeGroup",
        "autoScalingGroupProvider",
        "managedInstancesProvider",
        "fargateProfile",
    ]
    .into_iter()
    .filter_map(|form| Some((form, spec.get(form)?.as_object()?)))
    .collect();
    let [(form, members)] = forms.as_slice() else {
        findings.refuse(
            "spec",
            "give exactly one of managedNodeGroup, autoScalingGroupProvider, \
             managedInstancesProvider, fargateProfile",
        );
        return None;
    };
    let mut reader = Reader { form, members, findings };
    let mut provider = CapacityProvider {
        nodes: Selection::of_pool(&name, &name),
        name,
        form: Form::ManagedNodeGroup,
        tolerations: Vec::new(),
        is_spot: false,
        scaling: None,
        size: Size::default(),
        protects: false,
        drains: true,
        scale_target: None,
        scale_in_annotation: None,
        isolation: Isolation::default(),
        allowed_namespaces: None,
    };
    let kubernetes = spec.get("kubernetes").and_then(Value::as_object);
    let is_selected =
        kubernetes.is_some_and(|k| k.get("nodeSelector").is_some_and(|v| !is_empty(v)));
    match *form {
        "managedNodeGroup" => reader.managed_node_group(&mut provider),
        "autoScalingGroupProvider" => reader.auto_scaling_group(&mut provider, is_selected),
        "managedInstancesProvider" => reader.managed_instances(&mut provider),
        _ => reader.fargate_profile(&mut provider),
    }
    if let Some(kubernetes) = kubernetes {
        kubernetes::read(kubernetes, &mut provider, findings);
    }
    Some(provider)
}

fn check_name(name: &str, findings: &mut Findings) {
    let is_name = (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !is_name {
        findings.refuse_value("name", name, "must be 1 to 255 letters, digits, - and _");
    }
    let lower = name.to_ascii_lowercase();
    let reserved = RESERVED.iter().find(|reserved| lower.starts_with(**reserved));
    if let Some(reserved) = reserved.filter(|_| !BUILT_IN.contains(&name)) {
        let message = format!("must not begin with `{reserved}`, which ECS keeps for its own");
        findings.refuse_value("name", name, message);
    }
}

struct Reader<'a> {
    form: &'a str,
    members: &'a Map<String, Value>,
    findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.form)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// One of some words; the first where there is none.
    fn word(&mut self, name: &str, words: &[&'static str]) -> &'static str {
        let first = words.first().copied().unwrap_or_default();
        let Some(value) = self.members.get(name).filter(|value| !is_empty(value)) else {
            return first;
        };
        if let Some(word) = words.iter().find(|word| value.as_str() == Some(**word)) {
            return word;
        }
        let rule = format!("must be {}", words.join(" or "));
        self.findings.refuse_value(self.path(name), brief(value), rule);
        first
    }

    fn managed_node_group(&mut self, provider: &mut CapacityProvider) {
        provider.form = Form::ManagedNodeGroup;
        let pool = self.text("nodegroupName").unwrap_or(&provider.name).to_owned();
        provider.nodes = Selection::of_pool(&pool, &provider.name);
        let capacity = self.word("capacityType", &["ON_DEMAND", "SPOT", "CAPACITY_BLOCK"]);
        provider.is_spot = capacity == "SPOT";
        provider.tolerations = self.taints();
        if let Some(size) = self.members.get("scalingConfig").filter(|value| !is_empty(value)) {
            provider.size = self.size(size);
        }
        let types = self.members.get("instanceTypes").and_then(Value::as_array);
        if types.is_some_and(|types| types.len() > MOST_INSTANCE_TYPES) {
            let rule = format!("may have at most {MOST_INSTANCE_TYPES} types");
            self.findings.refuse(self.path("instanceTypes"), rule);
        }
    }

    fn size(&mut self, value: &Value) -> Size {
        let mut number = |name: &str, least: i64| -> Option<u32> {
            let given = value.get(name).filter(|value| !value.is_null())?;
            let number = given.as_i64().or_else(|| given.as_str()?.parse().ok());
            let number = number.filter(|number| *number >= least);
            let number = number.and_then(|number| u32::try_from(number).ok());
            if number.is_none() {
                let path = format!("{}.scalingConfig.{name}", self.form);
                let rule = format!("must be a whole number of at least {least}");
                self.findings.refuse_value(path, brief(given), rule);
            }
            number
        };
        let (least, desired, most) =
            (number("minSize", 0), number("desiredSize", 0), number("maxSize", 1));
        let size = Size { least: least.unwrap_or(0), desired, most };
        let in_order = [least, desired, most].into_iter().flatten().is_sorted();
        if !in_order {
            self.findings.refuse(
                self.path("scalingConfig"),
                "minSize must not be above desiredSize, nor that above maxSize",
            );
        }
        size
    }

    /// Taints of the nodes, as what their pods tolerate.
    fn taints(&mut self) -> Vec<corev1::Toleration> {
        let taints = self.members.get("taints").and_then(Value::as_array);
        let taints = taints.map(Vec::as_slice).unwrap_or_default();
        if taints.len() > MOST_TAINTS {
            let rule = format!("may have at most {MOST_TAINTS} taints");
            self.findings.refuse(self.path("taints"), rule);
        }
        let mut tolerations = Vec::new();
        for (at, taint) in taints.iter().enumerate() {
            let text = |name: &str| taint.get(name).and_then(Value::as_str);
            let effect = match text("effect") {
                Some("NO_SCHEDULE") => "NoSchedule",
                Some("NO_EXECUTE") => "NoExecute",
                Some("PREFER_NO_SCHEDULE") => "PreferNoSchedule",
                other => {
                    let path = self.path(&format!("taints[{at}].effect"));
                    let found = format!("`{}`", other.unwrap_or_default());
                    let rule = "must be NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE";
                    self.findings.refuse_value(path, found, rule);
                    continue;
                }
            };
            let Some(key) = text("key").filter(|key| !key.is_empty()) else {
                self.findings.refuse(self.path(&format!("taints[{at}].key")), "is required");
                continue;
            };
            tolerations.push(corev1::Toleration {
                key: Some(key.to_owned()),
                operator: Some("Equal".to_owned()),
                value: text("value").filter(|value| !value.is_empty()).map(ToOwned::to_owned),
                effect: Some(effect.to_owned()),
                ..corev1::Toleration::default()
            });
        }
        tolerations
    }

    fn auto_scaling_group(&mut self, provider: &mut CapacityProvider, is_selected: bool) {
        provider.form = Form::AutoScalingGroup;
        match self.text("autoScalingGroupArn") {
            Some(arn) => {
                let pool = arn.rsplit_once("autoScalingGroupName/").map_or(arn, |(_, name)| name);
                provider.nodes = Selection::of_pool(pool, &provider.name);
            }
            None if is_selected => {}
            None => self.findings.refuse(
                self.path("autoScalingGroupArn"),
                "is required: the ARN or name of the group, which its nodes have as a label; or give \
                 kubernetes.nodeSelector",
            ),
        }
        if let Some(value) = self.members.get("managedScaling").filter(|value| !is_empty(value)) {
            let path = self.path("managedScaling");
            match value.as_object().map(Settings::read) {
                Some(Ok(settings)) => provider.scaling = settings.enabled.then_some(settings),
                Some(Err(faults)) => {
                    for fault in faults {
                        let path = format!("{path}.{}", fault.path);
                        self.findings.refuse_value(
                            path,
                            fault.value.unwrap_or_default(),
                            fault.message,
                        );
                    }
                }
                None => self.findings.refuse_value(path, brief(value), "must be an object"),
            }
        }
        let protection = self.word("managedTerminationProtection", &["DISABLED", "ENABLED"]);
        provider.protects = protection == "ENABLED";
        if provider.protects && provider.scaling.is_none() {
            self.findings.refuse_value(
                self.path("managedTerminationProtection"),
                protection,
                "needs managedScaling with status ENABLED",
            );
        }
        provider.drains = self.word("managedDraining", &["ENABLED", "DISABLED"]) == "ENABLED";
    }

    fn managed_instances(&mut self, provider: &mut CapacityProvider) {
        provider.form = Form::ManagedInstances;
        let form = self.form;
        let Some(template) = self.members.get("instanceLaunchTemplate").and_then(Value::as_object)
        else {
            self.findings.refuse(self.path("instanceLaunchTemplate"), "is required");
            return;
        };
        let mut below = Reader { form, members: template, findings: &mut *self.findings };
        let options = ["ON_DEMAND", "SPOT", "RESERVED"];
        provider.is_spot = below.word("capacityOptionType", &options) == "SPOT";
        let path = format!("{form}.instanceLaunchTemplate.instanceRequirements");
        let Some(needs) = template.get("instanceRequirements").filter(|value| !is_empty(value))
        else {
            return;
        };
        for name in ["vCpuCount", "memoryMiB"] {
            let range = needs.get(name);
            let bound =
                |bound: &str| range.and_then(|range| range.get(bound)).and_then(Value::as_i64);
            let (least, most) = (bound("min"), bound("max"));
            if least.is_none() {
                self.findings.refuse(format!("{path}.{name}.min"), "is required");
            }
            if least > most && most.is_some() {
                self.findings.refuse(format!("{path}.{name}"), "min must not be above max");
            }
        }
        let given = |name: &str| needs.get(name).is_some_and(|value| !is_empty(value));
        if given("allowedInstanceTypes") && given("excludedInstanceTypes") {
            self.findings.refuse(
                format!("{path}.excludedInstanceTypes"),
                "cannot be given beside allowedInstanceTypes; keep one of them",
            );
        }
    }

    fn fargate_profile(&mut self, provider: &mut CapacityProvider) {
        provider.nodes = Selection::of_fargate(&provider.name);
        provider.is_spot = provider.name == "FARGATE_SPOT";
        provider.drains = false;
        provider.tolerations = [
            ("eks.amazonaws.com/compute-type", Some("fargate")),
            ("virtual-kubelet.io/provider", None),
        ]
        .map(|(key, value)| corev1::Toleration {
            key: Some(key.to_owned()),
            operator: Some(if value.is_some() { "Equal" } else { "Exists" }.to_owned()),
            value: value.map(ToOwned::to_owned),
            ..corev1::Toleration::default()
        })
        .into();
        let list = self.members.get("selectors").and_then(Value::as_array);
        let list = list.map(Vec::as_slice).unwrap_or_default();
        if list.len() > MOST_FARGATE_SELECTORS {
            let rule = format!("may have at most {MOST_FARGATE_SELECTORS} selectors");
            self.findings.refuse(self.path("selectors"), rule);
        }
        let mut selectors = Vec::new();
        for (at, value) in list.iter().enumerate() {
            let path = self.path(&format!("selectors[{at}]"));
            let namespace = value.get("namespace").and_then(Value::as_str).unwrap_or_default();
            if namespace.is_empty() {
                self.findings.refuse(format!("{path}.namespace"), "is required");
                continue;
            }
            let labels = texts(value.get("labels"));
            if labels.len() > MOST_FARGATE_LABELS {
                let rule = format!("may have at most {MOST_FARGATE_LABELS} labels");
                self.findings.refuse(format!("{path}.labels"), rule);
            }
            selectors.push(FargateSelector { namespace: namespace.to_owned(), labels });
        }
        provider.form = Form::FargateProfile(selectors);
    }
}
