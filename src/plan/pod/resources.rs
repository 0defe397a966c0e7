//! How is a task's size laid on its pod and its containers?
//!
//! A task's `cpu` and `memory` bound the task as a whole. Where the cluster has pod-level resources
//! (1.34), they are exactly that. Elsewhere each container gets the task's size as its limit, and
//! what no container reserves is requested by the first essential container that reserves nothing
//! itself (else by the first essential one), so that the scheduler sees the whole task, once.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::api::Features;
use crate::ecs::cpu_memory::{cpu_quantity, memory_quantity, millicores};
use crate::plan::task_definition::{Container, TaskDefinition};

/// What Kubernetes calls the disk space that goes with a pod.
const DISK: &str = "ephemeral-storage";

/// The resources of a pod and of each of its containers.
pub(super) struct Distribution {
    pub(super) pod: Option<corev1::ResourceRequirements>,
    pub(super) containers: Vec<Option<corev1::ResourceRequirements>>,
}

/// One container's share: CPU in millicores, memory in MiB.
#[derive(Clone, Copy, Default)]
struct Share {
    cpu_request: Option<i64>,
    cpu_limit: Option<i64>,
    memory_request: Option<i64>,
    memory_limit: Option<i64>,
}

pub(super) fn distribute(task: &TaskDefinition, features: Features) -> Distribution {
    let mut shares: Vec<Share> = task.containers.iter().map(own_share).collect();
    let cpu = task.cpu.map(millicores);
    if let Some(cpu) = cpu {
        fit(&mut shares, cpu);
    }
    if let Some(memory) = task.memory {
        for share in &mut shares {
            share.memory_limit = share.memory_limit.map(|limit| limit.min(memory));
        }
    }
    let pod = if features.pod_level_resources() {
        let whole = Share {
            cpu_request: cpu,
            cpu_limit: cpu,
            memory_request: task.memory,
            memory_limit: task.memory,
        };
        requirements(whole)
    } else {
        spread(&mut shares, task, cpu);
        None
    };
    let containers = shares.into_iter().zip(&task.containers);
    let mut containers: Vec<_> =
        containers.map(|(share, container)| with_devices(requirements(share), container)).collect();
    // The kubelet counts what a pod writes against the sum of its containers' limits.
    let first = task.containers.iter().position(|container| container.essential);
    if let Some(storage) = task.ephemeral_storage
        && let Some(resources) = first.and_then(|at| containers.get_mut(at))
    {
        let resources = resources.get_or_insert_default();
        let size = Quantity(format!("{}Gi", storage.size));
        // Without a request, the limit would be one.
        let request = if storage.reserved { size.clone() } else { Quantity("0".to_owned()) };
        resources.limits.get_or_insert_default().insert(DISK.to_owned(), size);
        resources.requests.get_or_insert_default().insert(DISK.to_owned(), request);
    }
    Distribution { pod, containers }
}

fn own_share(container: &Container) -> Share {
    Share {
        // ECS gives 0 and 1 the least share there is, which is what no request means.
        cpu_request: Some(container.cpu).filter(|units| *units > 1).map(millicores),
        cpu_limit: None,
        memory_request: container.memory_reservation.or(container.memory),
        memory_limit: container.memory,
    }
}

/// Takes back what rounding up added: containers of 100 and 156 units are 98m and 153m, one more
/// than their task's 256 units, 250m.
fn fit(shares: &mut [Share], cpu: i64) {
    let sum: i64 = shares.iter().filter_map(|share| share.cpu_request).sum();
    let largest = shares.iter_mut().max_by_key(|share| share.cpu_request);
    if sum > cpu
        && let Some(request) = largest.and_then(|share| share.cpu_request.as_mut())
    {
        *request -= sum - cpu;
    }
}

fn spread(shares: &mut [Share], task: &TaskDefinition, cpu: Option<i64>) {
    if let Some(cpu) = cpu {
        let rest = cpu - shares.iter().filter_map(|share| share.cpu_request).sum::<i64>();
        if let Some(share) = receiver(shares, task, |share| share.cpu_request.is_none())
            && rest > 0
        {
            share.cpu_request = Some(share.cpu_request.unwrap_or_default() + rest);
        }
        for share in shares.iter_mut() {
            share.cpu_limit = Some(cpu);
            // Without a request, the limit would be one: each container would request the whole task.
            share.cpu_request = share.cpu_request.or(Some(0));
        }
    }
    if let Some(memory) = task.memory {
        let rest = memory - shares.iter().filter_map(|share| share.memory_request).sum::<i64>();
        if let Some(share) = receiver(shares, task, |share| share.memory_request.is_none())
            && rest > 0
        {
            let request = share.memory_request.unwrap_or_default() + rest;
            // A container's own hard limit bounds what it may request.
            share.memory_request = Some(share.memory_limit.map_or(request, |l| request.min(l)));
        }
        for share in shares.iter_mut() {
            share.memory_limit = share.memory_limit.or(Some(memory));
            share.memory_request = share.memory_request.or(Some(0));
        }
    }
}

fn receiver<'a>(
    shares: &'a mut [Share],
    task: &TaskDefinition,
    reserves_nothing: fn(&Share) -> bool,
) -> Option<&'a mut Share> {
    let essential = |at: usize| task.containers.get(at).is_some_and(|c| c.essential);
    let at = shares
        .iter()
        .enumerate()
        .position(|(at, share)| essential(at) && reserves_nothing(share))
        .or_else(|| (0..shares.len()).find(|at| essential(*at)))?;
    shares.get_mut(at)
}

/// Devices are asked for as limits; what is requested follows from that.
fn with_devices(
    requirements: Option<corev1::ResourceRequirements>,
    container: &Container,
) -> Option<corev1::ResourceRequirements> {
    if container.devices.is_empty() {
        return requirements;
    }
    let mut requirements = requirements.unwrap_or_default();
    let limits = requirements.limits.get_or_insert_default();
    for (resource, count) in &container.devices {
        limits.insert(resource.clone(), Quantity(count.to_string()));
    }
    Some(requirements)
}

fn requirements(share: Share) -> Option<corev1::ResourceRequirements> {
    let list = |cpu: Option<i64>, memory: Option<i64>| {
        let mut list = BTreeMap::new();
        if let Some(cpu) = cpu {
            list.insert("cpu".to_owned(), Quantity(cpu_quantity(cpu)));
        }
        if let Some(memory) = memory {
            list.insert("memory".to_owned(), Quantity(memory_quantity(memory)));
        }
        (!list.is_empty()).then_some(list)
    };
    let requests = list(share.cpu_request, share.memory_request);
    let limits = list(share.cpu_limit, share.memory_limit);
    (requests.is_some() || limits.is_some()).then(|| corev1::ResourceRequirements {
        requests,
        limits,
        ..Default::default()
    })
}
