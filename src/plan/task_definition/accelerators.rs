//! Which GPUs and other accelerators does a container need? `resourceRequirements`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::read::{objects, whole};
use super::resolve::Around;
use crate::ecs::reference::text;
use crate::plan::finding::Findings;

/// The resource of NVIDIA's device plugin for whole GPUs, and the one for parts of one.
const GPU: &str = "nvidia.com/gpu";
const SHARED_GPU: &str = "nvidia.com/gpu.shared";
/// The resource of AWS's device plugin for Trainium and Inferentia.
const NEURON: &str = "aws.amazon.com/neuron";
/// More than any node has.
const MOST_DEVICES: i64 = 1024;

/// What a container needs of accelerators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Accelerators {
    /// Resources of device plugins, and how many of each.
    pub(super) devices: BTreeMap<String, i64>,
    /// Variables that ECS sets for a shared GPU.
    pub(super) environment: Vec<(String, String)>,
}

/// Reads `resourceRequirements` of the container at `path`.
pub(super) fn accelerators(
    raw: &Value,
    path: &str,
    around: &Around<'_>,
    findings: &mut Findings,
) -> Accelerators {
    let mut needed = Accelerators::default();
    for (path, requirement) in objects(raw, "resourceRequirements", path) {
        let value = text(requirement, "value");
        let sharing = requirement.get("sharingStrategy").filter(|sharing| sharing.is_object());
        let at = format!("{path}.type");
        match text(requirement, "type").as_deref() {
            // A form left empty.
            _ if value.is_none() && sharing.is_none() => {}
            Some("GPU") => {
                if !around.allows(&at, "GPU", findings) {
                    continue;
                }
                match sharing {
                    Some(sharing) => shared(sharing, value, &path, &mut needed, findings),
                    None => count(GPU, value, &path, &mut needed, findings),
                }
            }
            Some("NeuronDevice") => {
                if around.allows(&at, "NeuronDevice", findings) {
                    count(NEURON, value, &path, &mut needed, findings);
                }
            }
            Some("InferenceAccelerator") => findings.refuse_value(
                at,
                "InferenceAccelerator",
                "cannot be had, since Elastic Inference has ended; use type GPU or NeuronDevice",
            ),
            other => {
                let rule = "must be GPU or NeuronDevice";
                findings.refuse_value(at, format!("`{}`", other.unwrap_or_default()), rule);
            }
        }
    }
    needed
}

fn count(
    resource: &str,
    value: Option<String>,
    path: &str,
    needed: &mut Accelerators,
    findings: &mut Findings,
) {
    let value = value.unwrap_or_default();
    match value.trim().parse::<i64>() {
        Ok(number @ 1..=MOST_DEVICES) => {
            let sum = needed.devices.entry(resource.to_owned()).or_default();
            *sum += number;
        }
        _ => findings.refuse_value(
            format!("{path}.value"),
            format!("`{value}`"),
            format!(
                "must be a number, 1 to {MOST_DEVICES}: a pod asks for so many, and cannot ask for \
                 all that a node has"
            ),
        ),
    }
}

/// A GPU shared by NVIDIA's Multi-Process Service.
fn shared(
    sharing: &Value,
    value: Option<String>,
    path: &str,
    needed: &mut Accelerators,
    findings: &mut Findings,
) {
    if let Some(value) = value {
        let rule = "cannot stand beside sharingStrategy; give one of them";
        findings.refuse_value(format!("{path}.value"), value, rule);
    }
    let path = format!("{path}.sharingStrategy.nvidiaMps");
    let mps = sharing.get("nvidiaMps").unwrap_or(&Value::Null);
    let Some(memory) = whole(mps, "memory", &path, 1..=1 << 30, findings) else {
        if mps.get("memory").is_none() {
            findings.refuse(format!("{path}.memory"), "is required: MiB of the GPU's memory");
        }
        return;
    };
    needed.devices.insert(SHARED_GPU.to_owned(), 1);
    let mut set = |name: &str, value: String| needed.environment.push((name.to_owned(), value));
    set("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", format!("0={memory}M"));
    if let Some(percent) = whole(mps, "maxComputePercent", &path, 1..=100, findings) {
        set("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", percent.to_string());
    }
}
