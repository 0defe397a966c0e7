//! Which members does a task definition have, outside its containers?
//!
//! The input of `RegisterTaskDefinition`; the rows of `containerDefinitions[]` are in `container`.

use super::row::Shape::{Boolean, Integer, Object, Objects, String, StringMap, Strings};
use super::row::Verdict::{Approximated, Honoured, Recorded, Refused};
use super::row::{Member, Verdict, row};

/// The path of a member of a Windows file share.
macro_rules! fsx {
    ($rest:literal) => {
        concat!("volumes[].fsxWindowsFileServerVolumeConfiguration.", $rest)
    };
}

/// The proxy of a mesh that is no more.
const APP_MESH: Verdict = Refused("App Mesh has ended; use a mesh's own annotations");

/// Devices that are no more.
const ELASTIC_INFERENCE: Verdict =
    Refused("Elastic Inference has ended; use resourceRequirements of type GPU");

/// Who may put faults into a task.
const FAULTS: Verdict = Approximated(
    "no endpoint takes requests for faults; a tool of the cluster can put them into its pods",
);

/// Walls between tasks.
const SANDBOX: Verdict = Refused(
    "tasks are kept apart as pods are, which is SHARED; take the others out, or run the task on nodes \
     of their own",
);

/// Options of a volume driver.
const DRIVER_OPTIONS: Verdict = Approximated(
    "`size` in GiB is the claim's; what else a volume should be like is the StorageClass's to say",
);

/// With which rights a file system is mounted.
const MOUNT_RIGHTS: Verdict = Approximated(
    "what is behind the claim is mounted with the rights that its own PersistentVolume names",
);

/// The members of a task definition, those of its containers left out.
pub(super) const TASK_DEFINITION: &[Member] = &[
    row(
        "family",
        String,
        Honoured,
        "Name shared by all revisions: 1 to 255 letters, digits, hyphens and underscores.",
    )
    .required(),
    row(
        "taskRoleArn",
        String,
        Honoured,
        "IAM role (name or ARN) whose rights the task's containers have.",
    ),
    row(
        "executionRoleArn",
        String,
        Recorded,
        "IAM role by which AWS pulls images and reads secrets; the kubelet does that here.",
    ),
    row("networkMode", String, Honoured, "bridge, host, awsvpc or none (default bridge)."),
    row(
        "containerDefinitions",
        Objects,
        Honoured,
        "The task's containers: 1 to 10, at least one of them essential.",
    )
    .required(),
    row(
        "volumes",
        Objects,
        Honoured,
        "Volumes that containers can mount; each has one source, or none for an empty one.",
    ),
    row(
        "volumes[].name",
        String,
        Honoured,
        "Volume name: up to 255 letters, digits, hyphens and underscores.",
    ),
    row(
        "volumes[].host",
        Object,
        Honoured,
        "A directory of the node; empty means a fresh directory that goes with the task.",
    ),
    row(
        "volumes[].host.sourcePath",
        String,
        Honoured,
        "Path on the node, made if absent; not on Fargate.",
    ),
    row(
        "volumes[].dockerVolumeConfiguration",
        Object,
        Honoured,
        "A Docker volume; not on Fargate.",
    ),
    row(
        "volumes[].dockerVolumeConfiguration.scope",
        String,
        Honoured,
        "task (default; goes with the task) or shared (stays on the node).",
    ),
    row(
        "volumes[].dockerVolumeConfiguration.autoprovision",
        Boolean,
        Honoured,
        "Makes a shared volume that does not exist yet (default false).",
    ),
    row(
        "volumes[].dockerVolumeConfiguration.driver",
        String,
        Honoured,
        "Volume driver (default local).",
    ),
    row(
        "volumes[].dockerVolumeConfiguration.driverOpts",
        StringMap,
        DRIVER_OPTIONS,
        "Options of the driver.",
    ),
    row("volumes[].dockerVolumeConfiguration.labels", StringMap, Recorded, "Labels on the volume."),
    row("volumes[].efsVolumeConfiguration", Object, Honoured, "An Elastic File System."),
    row(
        "volumes[].efsVolumeConfiguration.fileSystemId",
        String,
        Honoured,
        "ID of the file system.",
    )
    .required(),
    row(
        "volumes[].efsVolumeConfiguration.rootDirectory",
        String,
        Honoured,
        "Directory to mount (default `/`); with an access point absent or `/`.",
    ),
    row(
        "volumes[].efsVolumeConfiguration.transitEncryption",
        String,
        Honoured,
        "ENABLED or DISABLED (default DISABLED); an access point or iam needs ENABLED.",
    ),
    row(
        "volumes[].efsVolumeConfiguration.transitEncryptionPort",
        Integer,
        Recorded,
        "Port of the encrypting mount helper (default: one it picks).",
    ),
    row(
        "volumes[].efsVolumeConfiguration.authorizationConfig",
        Object,
        Honoured,
        "How access to the file system is authorised.",
    ),
    row(
        "volumes[].efsVolumeConfiguration.authorizationConfig.accessPointId",
        String,
        Honoured,
        "ID of the access point to mount through.",
    ),
    row(
        "volumes[].efsVolumeConfiguration.authorizationConfig.iam",
        String,
        MOUNT_RIGHTS,
        "Whether the task role is used for the mount: ENABLED or DISABLED (default DISABLED).",
    )
    .harmless(&["DISABLED"]),
    row(
        "volumes[].s3filesVolumeConfiguration",
        Object,
        Honoured,
        "An S3 Files file system; needs a task role.",
    ),
    row(
        "volumes[].s3filesVolumeConfiguration.fileSystemArn",
        String,
        Honoured,
        "ARN of the file system.",
    )
    .required(),
    row(
        "volumes[].s3filesVolumeConfiguration.rootDirectory",
        String,
        Honoured,
        "Directory to mount (default `/`); with an access point absent or `/`.",
    ),
    row(
        "volumes[].s3filesVolumeConfiguration.transitEncryptionPort",
        Integer,
        Recorded,
        "Port of the encrypting mount helper (default: one it picks).",
    ),
    row(
        "volumes[].s3filesVolumeConfiguration.accessPointArn",
        String,
        Honoured,
        "ARN of the access point to mount through.",
    ),
    row(
        "volumes[].fsxWindowsFileServerVolumeConfiguration",
        Object,
        Honoured,
        "An FSx for Windows file share; Windows nodes only.",
    ),
    row(fsx!("fileSystemId"), String, Honoured, "ID of the file system.").required(),
    row(fsx!("rootDirectory"), String, Honoured, "Directory of the share to mount.").required(),
    row(fsx!("authorizationConfig"), Object, MOUNT_RIGHTS, "Account that opens the share.")
        .required(),
    row(
        fsx!("authorizationConfig.credentialsParameter"),
        String,
        MOUNT_RIGHTS,
        "ARN of the secret or SSM parameter with that account's user name and password.",
    )
    .required(),
    row(
        fsx!("authorizationConfig.domain"),
        String,
        MOUNT_RIGHTS,
        "Full name of the Active Directory domain.",
    )
    .required(),
    row(
        "volumes[].configuredAtLaunch",
        Boolean,
        Honoured,
        "The service or task supplies this volume in volumeConfigurations; one per definition.",
    ),
    row(
        "placementConstraints",
        Objects,
        Honoured,
        "Rules that a node must meet, at most 10; not on Fargate.",
    ),
    row("placementConstraints[].type", String, Honoured, "Always memberOf."),
    row(
        "placementConstraints[].expression",
        String,
        super::service::EXPRESSION,
        "Cluster query that nodes must match, up to 2000 characters.",
    ),
    row(
        "requiresCompatibilities",
        Strings,
        Honoured,
        "Launch types to check against: EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES.",
    ),
    row(
        "cpu",
        String,
        Honoured,
        "CPU of the whole task, in units (`1024`) or vCPUs (`1 vCPU`); Fargate needs it.",
    ),
    row(
        "memory",
        String,
        Honoured,
        "Memory of the whole task, in MiB (`2048`) or GiB (`2 GB`); Fargate needs it.",
    ),
    row("tags", Objects, Recorded, "Up to 50 tags, each key once."),
    row("tags[].key", String, Recorded, "Tag key: 1 to 128 characters, not starting with `aws:`."),
    row("tags[].value", String, Recorded, "Tag value: up to 256 characters."),
    row(
        "pidMode",
        String,
        Honoured,
        "Processes seen: host (all of the node) or task (all containers); default: the \
         container's own.",
    ),
    row(
        "ipcMode",
        String,
        Honoured,
        "Shared memory and semaphores: host, task or none; default: the runtime's choice.",
    ),
    row("proxyConfiguration", Object, APP_MESH, "App Mesh proxy of the task."),
    row("proxyConfiguration.type", String, APP_MESH, "Always APPMESH."),
    row("proxyConfiguration.containerName", String, APP_MESH, "Name of the proxy container.")
        .required(),
    row("proxyConfiguration.properties", Objects, APP_MESH, "Settings of the proxy."),
    row(
        "proxyConfiguration.properties[].name",
        String,
        APP_MESH,
        "Setting name, e.g. AppPorts or ProxyIngressPort.",
    ),
    row("proxyConfiguration.properties[].value", String, APP_MESH, "Setting value."),
    row(
        "inferenceAccelerators",
        Objects,
        ELASTIC_INFERENCE,
        "Elastic Inference devices of the task.",
    ),
    row(
        "inferenceAccelerators[].deviceName",
        String,
        ELASTIC_INFERENCE,
        "Name by which containers refer to the device.",
    )
    .required(),
    row("inferenceAccelerators[].deviceType", String, ELASTIC_INFERENCE, "Kind of device.")
        .required(),
    row("ephemeralStorage", Object, Honoured, "Disk space of the task on Fargate."),
    row(
        "ephemeralStorage.sizeInGiB",
        Integer,
        Honoured,
        "Size in GiB, 21 to 200 (20 when ephemeralStorage is absent).",
    )
    .required(),
    row(
        "runtimePlatform",
        Object,
        Honoured,
        "Operating system and processor the images are built for.",
    ),
    row(
        "runtimePlatform.cpuArchitecture",
        String,
        Honoured,
        "X86_64 or ARM64 (default on Fargate: X86_64).",
    ),
    row(
        "runtimePlatform.operatingSystemFamily",
        String,
        Honoured,
        "LINUX or a Windows Server edition, e.g. WINDOWS_SERVER_2022_CORE (Fargate default: \
         LINUX).",
    ),
    row(
        "enableFaultInjection",
        Boolean,
        FAULTS,
        "Lets the task take fault injection requests (default false).",
    ),
    row(
        "trustedExecutionConfiguration",
        Object,
        Honoured,
        "How strongly the task is walled off; Managed Instances only.",
    ),
    row(
        "trustedExecutionConfiguration.isolationMode",
        String,
        SANDBOX,
        "SHARED, ISOLATED_SANDBOX or CONFIDENTIAL_SANDBOX (without the block: SHARED).",
    )
    .harmless(&["SHARED"])
    .required(),
    row(
        "trustedExecutionConfiguration.attestationPolicy",
        String,
        SANDBOX,
        "Base64 policy a CONFIDENTIAL_SANDBOX must attest to; required there.",
    ),
];
