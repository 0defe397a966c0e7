//! Which members does a task that is run once have?
//!
//! The input of `RunTask`.

use super::row::Shape::{Boolean, Integer, Object, Objects, String, Strings};
use super::row::Verdict::{NotYet, Recorded, Refused};
use super::row::{Member, Verdict, row};

/// The path of a member of one container's overrides.
macro_rules! container {
    ($rest:literal) => {
        concat!("overrides.containerOverrides[].", $rest)
    };
}

/// Devices that are no more.
const ELASTIC_INFERENCE: Verdict =
    Refused("Elastic Inference has ended; use resourceRequirements of type GPU");

/// The members of a task.
pub(super) const TASK: &[Member] = &[
    row(
        "capacityProviderStrategy",
        Objects,
        NotYet,
        "How tasks are split over capacity providers, up to 20; not with launchType.",
    ),
    row(
        "capacityProviderStrategy[].capacityProvider",
        String,
        NotYet,
        "Name of a capacity provider that the cluster lists.",
    )
    .required(),
    row(
        "capacityProviderStrategy[].weight",
        Integer,
        NotYet,
        "Share of the tasks left after every base, 0 to 1000 (default 0).",
    ),
    row(
        "capacityProviderStrategy[].base",
        Integer,
        NotYet,
        "Tasks placed on this provider before weights count, 0 to 100000 (default 0).",
    ),
    row("cluster", String, NotYet, "Name or ARN of the cluster (default `default`)."),
    row("count", Integer, NotYet, "How many tasks to start, 1 to 10 (default 1)."),
    row(
        "enableECSManagedTags",
        Boolean,
        Recorded,
        "Adds AWS's own tag for the cluster to tasks (default false).",
    ),
    row(
        "enableExecuteCommand",
        Boolean,
        NotYet,
        "Allows opening a shell in the tasks' containers (default false).",
    ),
    row(
        "group",
        String,
        NotYet,
        "Name that groups tasks for placement, up to 255 characters (default `family:NAME`).",
    ),
    row(
        "launchType",
        String,
        NotYet,
        "EC2, FARGATE, EXTERNAL or MANAGED_INSTANCES; not with capacityProviderStrategy.",
    ),
    row(
        "networkConfiguration",
        Object,
        NotYet,
        "Where tasks attach to the network; needed for network mode awsvpc.",
    ),
    row(
        "networkConfiguration.awsvpcConfiguration",
        Object,
        NotYet,
        "Subnets, security groups and public address of a task's interface.",
    ),
    row(
        "networkConfiguration.awsvpcConfiguration.subnets",
        Strings,
        NotYet,
        "IDs of 1 to 16 subnets, all of one VPC.",
    )
    .required(),
    row(
        "networkConfiguration.awsvpcConfiguration.securityGroups",
        Strings,
        NotYet,
        "IDs of up to 5 security groups (default: the VPC's own group).",
    ),
    row(
        "networkConfiguration.awsvpcConfiguration.assignPublicIp",
        String,
        NotYet,
        "Whether tasks get a public address: ENABLED or DISABLED (default DISABLED).",
    ),
    row(
        "overrides",
        Object,
        NotYet,
        "Values used in place of the task definition's; at most 8192 characters as JSON.",
    ),
    row("overrides.containerOverrides", Objects, NotYet, "Values for single containers."),
    row(container!("name"), String, NotYet, "Name of the container meant."),
    row(container!("command"), Strings, NotYet, "Arguments, in place of the definition's command."),
    row(container!("environment"), Objects, NotYet, "Variables to add, or to replace by name."),
    row(container!("environment[].name"), String, NotYet, "Variable name."),
    row(container!("environment[].value"), String, NotYet, "Variable value."),
    row(container!("environmentFiles"), Objects, NotYet, "Files of NAME=value lines."),
    row(
        container!("environmentFiles[].value"),
        String,
        NotYet,
        "ARN of an S3 object whose key ends in `.env`.",
    )
    .required(),
    row(container!("environmentFiles[].type"), String, NotYet, "Always s3.").required(),
    row(
        container!("cpu"),
        Integer,
        NotYet,
        "CPU units reserved for the container; 1024 are one vCPU.",
    ),
    row(container!("memory"), Integer, NotYet, "Memory limit in MiB, at least 6."),
    row(container!("memoryReservation"), Integer, NotYet, "Memory set aside in MiB, at least 6."),
    row(container!("resourceRequirements"), Objects, NotYet, "Devices that the container needs."),
    row(
        container!("resourceRequirements[].value"),
        String,
        NotYet,
        "GPU: a count, or ALL; NeuronDevice: ALL.",
    ),
    row(
        container!("resourceRequirements[].type"),
        String,
        NotYet,
        "GPU, NeuronDevice, or InferenceAccelerator (which has ended).",
    )
    .required(),
    row(
        container!("resourceRequirements[].sharingStrategy"),
        Object,
        NotYet,
        "How a GPU is shared with others, in place of a count.",
    ),
    row(
        container!("resourceRequirements[].sharingStrategy.nvidiaMps"),
        Object,
        NotYet,
        "Sharing by NVIDIA's Multi-Process Service.",
    ),
    row(
        container!("resourceRequirements[].sharingStrategy.nvidiaMps.memory"),
        Integer,
        NotYet,
        "GPU memory the container may pin, in MiB, at least 1.",
    )
    .required(),
    row(
        container!("resourceRequirements[].sharingStrategy.nvidiaMps.maxComputePercent"),
        Integer,
        NotYet,
        "Share of the GPU's threads it may use, in percent, 1 to 100.",
    ),
    row(
        "overrides.cpu",
        String,
        NotYet,
        "CPU of the whole task, in units (`1024`) or vCPUs (`1 vCPU`).",
    ),
    row(
        "overrides.inferenceAcceleratorOverrides",
        Objects,
        ELASTIC_INFERENCE,
        "Elastic Inference devices to use instead.",
    ),
    row(
        "overrides.inferenceAcceleratorOverrides[].deviceName",
        String,
        ELASTIC_INFERENCE,
        "Name of the device in the task definition.",
    ),
    row(
        "overrides.inferenceAcceleratorOverrides[].deviceType",
        String,
        ELASTIC_INFERENCE,
        "Kind of device to use instead.",
    ),
    row(
        "overrides.executionRoleArn",
        String,
        Recorded,
        "IAM role by which AWS pulls images and reads secrets; the kubelet does that here.",
    ),
    row(
        "overrides.memory",
        String,
        NotYet,
        "Memory of the whole task, in MiB (`2048`) or GiB (`2 GB`).",
    ),
    row(
        "overrides.taskRoleArn",
        String,
        NotYet,
        "IAM role (name or ARN) whose rights the task's containers have.",
    ),
    row("overrides.ephemeralStorage", Object, NotYet, "Disk space of the task on Fargate."),
    row("overrides.ephemeralStorage.sizeInGiB", Integer, NotYet, "Size in GiB, 21 to 200.")
        .required(),
    row(
        "placementConstraints",
        Objects,
        NotYet,
        "Rules that a node must meet; at most 10, those of the task definition included.",
    ),
    row(
        "placementConstraints[].type",
        String,
        NotYet,
        "distinctInstance (one task of a group per node) or memberOf (nodes that match \
         expression).",
    ),
    row(
        "placementConstraints[].expression",
        String,
        NotYet,
        "Cluster query that nodes must match, up to 2000 characters; for memberOf only.",
    ),
    row(
        "placementStrategy",
        Objects,
        NotYet,
        "How to choose among fitting nodes; at most 5 rules, applied in order.",
    ),
    row("placementStrategy[].type", String, NotYet, "random, spread or binpack."),
    row(
        "placementStrategy[].field",
        String,
        NotYet,
        "spread: host, instanceId or attribute:NAME; binpack: cpu or memory; random: none.",
    ),
    row("platformVersion", String, NotYet, "Fargate platform version (default LATEST)."),
    row(
        "propagateTags",
        String,
        NotYet,
        "TASK_DEFINITION copies the definition's tags to the task; SERVICE is an error here.",
    ),
    row("referenceId", String, Recorded, "Identifier that AWS's own services use."),
    row(
        "startedBy",
        String,
        NotYet,
        "Who started the task: up to 128 letters, digits, `-`, `_` and `/`.",
    ),
    row("tags", Objects, Recorded, "Up to 50 tags, each key once."),
    row("tags[].key", String, Recorded, "Tag key: 1 to 128 characters, not starting with `aws:`."),
    row("tags[].value", String, Recorded, "Tag value: up to 256 characters."),
    row(
        "taskDefinition",
        String,
        NotYet,
        "What to run: `family` (its latest revision now), `family:revision` or an ARN.",
    )
    .required(),
    row("clientToken", String, Recorded, "Marks repeats of one API call, up to 64 characters."),
    row(
        "volumeConfigurations",
        Objects,
        NotYet,
        "Fills the volume that the task definition marks configuredAtLaunch.",
    ),
    row(
        "volumeConfigurations[].name",
        String,
        NotYet,
        "Name of that volume in the task definition.",
    )
    .required(),
    row(
        "volumeConfigurations[].managedEBSVolume",
        Object,
        NotYet,
        "A block volume of its own for every task.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.encrypted",
        Boolean,
        NotYet,
        "Whether the volume's data is encrypted at rest.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.kmsKeyId",
        String,
        NotYet,
        "Key that encrypts the volume: an ID, an alias or an ARN.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.volumeType",
        String,
        NotYet,
        "gp2, gp3, io1, io2, st1, sc1 or standard.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.sizeInGiB",
        Integer,
        NotYet,
        "Size in GiB: gp2 and gp3 1-16384, io1 and io2 4-16384, st1 and sc1 125-16384, standard \
         1-1024.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.snapshotId",
        String,
        NotYet,
        "Snapshot to start from; this or sizeInGiB must be given.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.volumeInitializationRate",
        Integer,
        NotYet,
        "MiB per second at which the snapshot is fetched; only with snapshotId.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.iops",
        Integer,
        NotYet,
        "I/O operations per second: gp3 3000-16000 (default 3000), io1 100-64000, io2 100-256000.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.throughput",
        Integer,
        NotYet,
        "MiB per second, up to 1000; gp3 only.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications",
        Objects,
        NotYet,
        "Tags for the volume.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].resourceType",
        String,
        NotYet,
        "Always volume.",
    )
    .required(),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags",
        Objects,
        NotYet,
        "Up to 50 tags for the volume.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].key",
        String,
        NotYet,
        "Tag key: 1 to 128 characters.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].value",
        String,
        NotYet,
        "Tag value: up to 256 characters.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].propagateTags",
        String,
        NotYet,
        "Also copy tags from TASK_DEFINITION or SERVICE; NONE copies none.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.roleArn",
        String,
        Recorded,
        "IAM role with which ECS would manage the volume.",
    )
    .required(),
    row(
        "volumeConfigurations[].managedEBSVolume.terminationPolicy",
        Object,
        NotYet,
        "What becomes of the volume after the task.",
    ),
    row(
        "volumeConfigurations[].managedEBSVolume.terminationPolicy.deleteOnTermination",
        Boolean,
        NotYet,
        "Whether the volume is deleted with the task (without the block: true).",
    )
    .required(),
    row(
        "volumeConfigurations[].managedEBSVolume.filesystemType",
        String,
        NotYet,
        "ext3, ext4, xfs or ntfs (default xfs); with a snapshot the snapshot's.",
    ),
];
