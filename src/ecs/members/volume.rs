//! Which volume does a service make for each of its tasks?
//!
//! The part `volumeConfigurations` of the input of `CreateService`.

use super::row::Shape::{Boolean, Integer, Object, Objects, String};
use super::row::Verdict::{Approximated, Honoured, Recorded};
use super::row::{Member, Verdict, row};

/// What a volume is like.
const CLASS: Verdict =
    Approximated("the StorageClass says that for all its volumes; name one in `volumeDrivers`");

/// What is in a volume at first.
const SNAPSHOT: Verdict =
    Approximated("the volume starts from the VolumeSnapshot of that name in the same namespace");

/// The members about a service's volumes.
pub(super) const VOLUME: &[Member] = &[
    row(
        "volumeConfigurations",
        Objects,
        Honoured,
        "Fills the volume that the task definition marks configuredAtLaunch.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].name",
        String,
        Honoured,
        "Name of that volume in the task definition.",
    )
    .required()
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume",
        Object,
        Honoured,
        "A block volume of its own for every task.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.encrypted",
        Boolean,
        CLASS,
        "Whether the volume's data is encrypted at rest.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.kmsKeyId",
        String,
        CLASS,
        "Key that encrypts the volume: an ID, an alias or an ARN.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.volumeType",
        String,
        Honoured,
        "gp2, gp3, io1, io2, st1, sc1 or standard.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.sizeInGiB",
        Integer,
        Honoured,
        "Size in GiB: gp2 and gp3 1-16384, io1 and io2 4-16384, st1 and sc1 125-16384, standard \
         1-1024.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.snapshotId",
        String,
        SNAPSHOT,
        "Snapshot to start from; this or sizeInGiB must be given.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.volumeInitializationRate",
        Integer,
        CLASS,
        "MiB per second at which the snapshot is fetched; only with snapshotId.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.iops",
        Integer,
        CLASS,
        "I/O operations per second: gp3 3000-16000 (default 3000), io1 100-64000, io2 100-256000.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.throughput",
        Integer,
        CLASS,
        "MiB per second, up to 1000; gp3 only.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications",
        Objects,
        Recorded,
        "Tags for the volume.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].resourceType",
        String,
        Recorded,
        "Always volume.",
    )
    .required()
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags",
        Objects,
        Recorded,
        "Up to 50 tags for the volume.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].key",
        String,
        Recorded,
        "Tag key: 1 to 128 characters.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].value",
        String,
        Recorded,
        "Tag value: up to 256 characters.",
    )
    .rolls(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].propagateTags",
        String,
        Recorded,
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
        CLASS,
        "ext3, ext4, xfs or ntfs (default xfs); with a snapshot the snapshot's.",
    )
    .rolls(),
];
