//! Which volume does a service make for each of its tasks?
//!
//! The part `volumeConfigurations` of the input of `CreateService`.

use super::row::Shape::{Boolean, Integer, Object, Objects, String};
use super::row::Verdict::{NotYet, Recorded};
use super::row::{Member, row};

/// The members about a service's volumes.
pub(super) const VOLUME: &[Member] = &[
    row(
        "volumeConfigurations",
        Objects,
        NotYet,
        "Fills the volume that the task definition marks configuredAtLaunch.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].name",
        String,
        NotYet,
        "Name of that volume in the task definition.",
    )
    .required()
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume",
        Object,
        NotYet,
        "A block volume of its own for every task.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.encrypted",
        Boolean,
        NotYet,
        "Whether the volume's data is encrypted at rest.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.kmsKeyId",
        String,
        NotYet,
        "Key that encrypts the volume: an ID, an alias or an ARN.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.volumeType",
        String,
        NotYet,
        "gp2, gp3, io1, io2, st1, sc1 or standard.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.sizeInGiB",
        Integer,
        NotYet,
        "Size in GiB: gp2 and gp3 1-16384, io1 and io2 4-16384, st1 and sc1 125-16384, standard \
         1-1024.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.snapshotId",
        String,
        NotYet,
        "Snapshot to start from; this or sizeInGiB must be given.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.volumeInitializationRate",
        Integer,
        NotYet,
        "MiB per second at which the snapshot is fetched; only with snapshotId.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.iops",
        Integer,
        NotYet,
        "I/O operations per second: gp3 3000-16000 (default 3000), io1 100-64000, io2 100-256000.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.throughput",
        Integer,
        NotYet,
        "MiB per second, up to 1000; gp3 only.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications",
        Objects,
        NotYet,
        "Tags for the volume.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].resourceType",
        String,
        NotYet,
        "Always volume.",
    )
    .required()
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags",
        Objects,
        NotYet,
        "Up to 50 tags for the volume.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].key",
        String,
        NotYet,
        "Tag key: 1 to 128 characters.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].value",
        String,
        NotYet,
        "Tag value: up to 256 characters.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].propagateTags",
        String,
        NotYet,
        "Also copy tags from TASK_DEFINITION or SERVICE; NONE copies none.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.roleArn",
        String,
        Recorded,
        "IAM role with which ECS would manage the volume.",
    )
    .required()
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.filesystemType",
        String,
        NotYet,
        "ext3, ext4, xfs or ntfs (default xfs); with a snapshot the snapshot's.",
    )
    .rolls(),
];
