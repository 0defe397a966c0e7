//! Which volumes does a pod have, and where does each container see them?

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::ecs::cpu_memory::memory_quantity;
use crate::names::hash8;
use crate::plan::task_definition::{Container, MemoryFileSystem, Source, TaskDefinition, Volume};

/// The pod's volumes.
pub(super) fn volumes(task: &TaskDefinition) -> Option<Vec<corev1::Volume>> {
    let mut volumes: Vec<corev1::Volume> = task.volumes.iter().map(volume).collect();
    for container in &task.containers {
        for file_system in &container.memory_file_systems {
            volumes.push(corev1::Volume {
                name: memory_name(container, file_system),
                empty_dir: Some(corev1::EmptyDirVolumeSource {
                    medium: Some("Memory".to_owned()),
                    size_limit: Some(Quantity(memory_quantity(file_system.size))),
                }),
                ..corev1::Volume::default()
            });
        }
    }
    (!volumes.is_empty()).then_some(volumes)
}

fn volume(volume: &Volume) -> corev1::Volume {
    let (empty_dir, host_path) = match &volume.source {
        // What is stored elsewhere takes the place of this when names are laid on the template.
        Source::Empty | Source::Stored => (Some(corev1::EmptyDirVolumeSource::default()), None),
        // Without a type: it may be a file or a socket, and is made where nothing is, as by Docker.
        Source::Node(path) => {
            (None, Some(corev1::HostPathVolumeSource { path: path.clone(), type_: None }))
        }
    };
    let name = volume.dns_name.clone();
    corev1::Volume { name, empty_dir, host_path, ..corev1::Volume::default() }
}

/// What one container sees of them.
pub(super) fn mounts(container: &Container) -> Option<Vec<corev1::VolumeMount>> {
    let mut mounts: Vec<corev1::VolumeMount> = container
        .mounts
        .iter()
        .map(|mount| corev1::VolumeMount {
            name: mount.volume.clone(),
            mount_path: mount.path.clone(),
            read_only: mount.read_only.then_some(true),
            ..corev1::VolumeMount::default()
        })
        .collect();
    for file_system in &container.memory_file_systems {
        mounts.push(corev1::VolumeMount {
            name: memory_name(container, file_system),
            mount_path: file_system.path.clone(),
            read_only: file_system.read_only.then_some(true),
            ..corev1::VolumeMount::default()
        });
    }
    (!mounts.is_empty()).then_some(mounts)
}

/// A file system in memory belongs to one container; in a pod it needs a name of its own.
fn memory_name(container: &Container, file_system: &MemoryFileSystem) -> String {
    format!("memory-{}", hash8(&[&container.name, &file_system.path]))
}
