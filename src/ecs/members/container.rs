//! Which members does one container of a task definition have?
//!
//! The part `containerDefinitions[]` of the input of `RegisterTaskDefinition`.

use super::row::Shape::{Boolean, Integer, Integers, Object, Objects, String, StringMap, Strings};
use super::row::Verdict::{Approximated, Honoured, Recorded, Refused};
use super::row::{Member, Verdict, row};

/// Swap.
const SWAP: Verdict = Approximated("swap is a setting of the node, not of a container");

/// What may be done with a device.
const DEVICE_RIGHTS: Verdict =
    Approximated("a device comes with the rights its device plugin gives, or with all");

/// Names of other containers.
const LINKS: Verdict = Approximated(
    "the containers of a task share one network: the names lead to 127.0.0.1, and Docker's \
     variables of a link are not set",
);

/// Labels on a container.
const LABELS: Verdict = Approximated(
    "kept as JSON in an annotation of the pod; what reads the labels of Docker's containers does \
     not see them",
);

/// A container without a network.
const NO_NETWORK: Verdict =
    Approximated("a pod still has a network; deny its traffic by a NetworkPolicy");

/// How long a dependency may take.
const START_TIMEOUT: Verdict =
    Approximated("a dependency that takes longer is waited for, and its task is not given up");

/// Mounts of another container.
const VOLUMES_FROM: Verdict = Approximated(
    "the other container's mount points are taken over; a volume that only its image declares is not",
);

/// A part of a GPU.
const SHARED_GPU: Verdict = Approximated(
    "one nvidia.com/gpu.shared is asked for, which NVIDIA's device plugin offers where it shares by \
     MPS; CUDA's variables bound the container's part",
);

/// Limits per process.
const LIMITS: Verdict = Approximated(
    "set on nodes that run containerd's plugin ulimit-adjuster, for which they stand in an \
     annotation of the pod; elsewhere the runtime's own hold",
);

/// The log router of a task.
const FIRELENS: Verdict = Approximated(
    "the router starts before the containers that log through it, and they are told its address in \
     FLUENT_HOST and FLUENT_PORT; no configuration is written for it, and what they print goes to \
     the node's log files",
);

/// When a container is started again by itself.
const RESTART: Verdict = Approximated(
    "it is started again however short it ran: the wait before that grows from 10 seconds to 5 \
     minutes",
);

/// Exit codes that are final.
const IGNORED_CODES: Verdict = Approximated(
    "heeded where every node is of Kubernetes 1.35 or newer, of 1.36 for an essential container; \
     elsewhere it is started again after them too",
);

/// Whether all tasks of a deployment run the same image.
const SAME_IMAGE: Verdict = Approximated(
    "each task runs what its tag names when it starts; which digest that was for the first of a \
     deployment stands in its record; give a digest in `image`, or for the tag in the Cluster's table \
     `images`, and all run the same",
);

/// Accounts of Active Directory.
const CREDENTIAL_SPECS: Verdict = Refused(
    "a container gets no account of Active Directory here; take it out, and let the program sign in \
     with what a secret holds",
);

/// The members of a container definition.
pub(super) const CONTAINER: &[Member] = &[
    row(
        "containerDefinitions[].name",
        String,
        Honoured,
        "Container name, unique in the task: 1 to 255 letters, digits, hyphens and underscores.",
    ),
    row(
        "containerDefinitions[].image",
        String,
        Honoured,
        "Image to run, as registry/repository:tag or registry/repository@sha256:digest.",
    ),
    row(
        "containerDefinitions[].repositoryCredentials",
        Object,
        Honoured,
        "How to sign in to a private registry.",
    ),
    row(
        "containerDefinitions[].repositoryCredentials.credentialsParameter",
        String,
        Honoured,
        "ARN or name of the secret that holds username and password.",
    )
    .required(),
    row(
        "containerDefinitions[].cpu",
        Integer,
        Honoured,
        "CPU units reserved for the container; 1024 are one vCPU (default 0).",
    ),
    row(
        "containerDefinitions[].memory",
        Integer,
        Honoured,
        "Memory limit in MiB, at least 6; a container that goes over it is killed.",
    ),
    row(
        "containerDefinitions[].memoryReservation",
        Integer,
        Honoured,
        "Memory set aside in MiB, at least 6; must be below memory when both are given.",
    ),
    row(
        "containerDefinitions[].links",
        Strings,
        LINKS,
        "Other containers reachable by name, as `name` or `name:alias`; network mode bridge only.",
    ),
    row(
        "containerDefinitions[].portMappings",
        Objects,
        Honoured,
        "Ports on which the container listens.",
    ),
    row(
        "containerDefinitions[].portMappings[].containerPort",
        Integer,
        Honoured,
        "Port inside the container, 1 to 65535.",
    ),
    row(
        "containerDefinitions[].portMappings[].hostPort",
        Integer,
        Honoured,
        "Port on the node; with awsvpc or host absent or equal to containerPort, in bridge 0 is \
         dynamic.",
    ),
    row(
        "containerDefinitions[].portMappings[].protocol",
        String,
        Honoured,
        "tcp or udp (default tcp).",
    ),
    row(
        "containerDefinitions[].portMappings[].name",
        String,
        Honoured,
        "Name by which services refer to the port: up to 64 of a-z, 0-9, `_` and `-`.",
    ),
    row(
        "containerDefinitions[].portMappings[].appProtocol",
        String,
        Honoured,
        "http, http2 or grpc (default: plain TCP).",
    ),
    row(
        "containerDefinitions[].portMappings[].containerPortRange",
        String,
        Honoured,
        "Range of ports as `first-last`, in place of containerPort; up to 100 ranges.",
    ),
    row(
        "containerDefinitions[].essential",
        Boolean,
        Honoured,
        "Whether the task ends when this container ends (default true).",
    ),
    row(
        "containerDefinitions[].restartPolicy",
        Object,
        Honoured,
        "Whether the container is started again by itself when it ends.",
    ),
    row("containerDefinitions[].restartPolicy.enabled", Boolean, RESTART, "Turns restarts on.")
        .required(),
    row(
        "containerDefinitions[].restartPolicy.ignoredExitCodes",
        Integers,
        IGNORED_CODES,
        "Exit codes after which it is not restarted; at most 50.",
    ),
    row(
        "containerDefinitions[].restartPolicy.restartAttemptPeriod",
        Integer,
        RESTART,
        "Seconds it must have run before it may be restarted, 60 to 1800 (default 300).",
    ),
    row(
        "containerDefinitions[].entryPoint",
        Strings,
        Honoured,
        "Program and first arguments, in place of the image's entry point.",
    ),
    row(
        "containerDefinitions[].command",
        Strings,
        Honoured,
        "Arguments, in place of the image's command.",
    ),
    row(
        "containerDefinitions[].environment",
        Objects,
        Honoured,
        "Environment variables with plain values.",
    ),
    row("containerDefinitions[].environment[].name", String, Honoured, "Variable name."),
    row("containerDefinitions[].environment[].value", String, Honoured, "Variable value."),
    row(
        "containerDefinitions[].environmentFiles",
        Objects,
        Honoured,
        "Files of NAME=value lines; at most 10, the first file wins, environment wins over all.",
    ),
    row(
        "containerDefinitions[].environmentFiles[].value",
        String,
        Honoured,
        "ARN of an S3 object whose key ends in `.env`.",
    )
    .required(),
    row("containerDefinitions[].environmentFiles[].type", String, Honoured, "Always s3.")
        .required(),
    row(
        "containerDefinitions[].mountPoints",
        Objects,
        Honoured,
        "Volumes of the task that the container sees.",
    ),
    row(
        "containerDefinitions[].mountPoints[].sourceVolume",
        String,
        Honoured,
        "Name of a volume of the task definition.",
    ),
    row(
        "containerDefinitions[].mountPoints[].containerPath",
        String,
        Honoured,
        "Path at which it appears in the container.",
    ),
    row(
        "containerDefinitions[].mountPoints[].readOnly",
        Boolean,
        Honoured,
        "Whether writing is forbidden (default false).",
    ),
    row(
        "containerDefinitions[].volumesFrom",
        Objects,
        VOLUMES_FROM,
        "Takes over all mounts of another container.",
    ),
    row(
        "containerDefinitions[].volumesFrom[].sourceContainer",
        String,
        VOLUMES_FROM,
        "Name of that container, in the same task.",
    ),
    row(
        "containerDefinitions[].volumesFrom[].readOnly",
        Boolean,
        VOLUMES_FROM,
        "Whether writing is forbidden (default false).",
    ),
    row(
        "containerDefinitions[].linuxParameters",
        Object,
        Honoured,
        "Settings that only Linux containers have.",
    ),
    row(
        "containerDefinitions[].linuxParameters.capabilities",
        Object,
        Honoured,
        "Kernel capabilities on top of, or taken from, the runtime's default set.",
    ),
    row(
        "containerDefinitions[].linuxParameters.capabilities.add",
        Strings,
        Honoured,
        "Capabilities to add, without `CAP_`, or ALL; Fargate allows SYS_PTRACE only.",
    ),
    row(
        "containerDefinitions[].linuxParameters.capabilities.drop",
        Strings,
        Honoured,
        "Capabilities to take away, without `CAP_`, or ALL.",
    ),
    row(
        "containerDefinitions[].linuxParameters.devices",
        Objects,
        Honoured,
        "Devices of the node handed to the container.",
    ),
    row(
        "containerDefinitions[].linuxParameters.devices[].hostPath",
        String,
        Honoured,
        "Path of the device on the node.",
    )
    .required(),
    row(
        "containerDefinitions[].linuxParameters.devices[].containerPath",
        String,
        Honoured,
        "Path in the container (default: the same path).",
    ),
    row(
        "containerDefinitions[].linuxParameters.devices[].permissions",
        Strings,
        DEVICE_RIGHTS,
        "Any of read, write and mknod (default all three).",
    ),
    row(
        "containerDefinitions[].linuxParameters.initProcessEnabled",
        Boolean,
        Honoured,
        "Runs a small init as process 1 that passes on signals and reaps children.",
    ),
    row(
        "containerDefinitions[].linuxParameters.sharedMemorySize",
        Integer,
        Honoured,
        "Size of /dev/shm in MiB (default 64).",
    ),
    row(
        "containerDefinitions[].linuxParameters.tmpfs",
        Objects,
        Honoured,
        "File systems in memory.",
    ),
    row(
        "containerDefinitions[].linuxParameters.tmpfs[].containerPath",
        String,
        Honoured,
        "Path at which it is mounted.",
    )
    .required(),
    row(
        "containerDefinitions[].linuxParameters.tmpfs[].size",
        Integer,
        Honoured,
        "Largest size in MiB.",
    )
    .required(),
    row(
        "containerDefinitions[].linuxParameters.tmpfs[].mountOptions",
        Strings,
        Honoured,
        "Mount options, e.g. ro or noexec.",
    ),
    row(
        "containerDefinitions[].linuxParameters.maxSwap",
        Integer,
        SWAP,
        "Swap the container may use, in MiB; 0 means none.",
    ),
    row(
        "containerDefinitions[].linuxParameters.swappiness",
        Integer,
        SWAP,
        "Eagerness to swap, 0 to 100 (default 60); only together with maxSwap.",
    ),
    row(
        "containerDefinitions[].secrets",
        Objects,
        Honoured,
        "Environment variables whose values come from secrets.",
    ),
    row(
        "containerDefinitions[].secrets[].name",
        String,
        Honoured,
        "Variable name; must not also stand in environment.",
    )
    .required(),
    row(
        "containerDefinitions[].secrets[].valueFrom",
        String,
        Honoured,
        "ARN of a Secrets Manager secret, or name or ARN of an SSM parameter.",
    )
    .required(),
    row(
        "containerDefinitions[].dependsOn",
        Objects,
        Honoured,
        "Containers that must have come so far before this one starts; no cycles.",
    ),
    row(
        "containerDefinitions[].dependsOn[].containerName",
        String,
        Honoured,
        "Name of the container waited for.",
    )
    .required(),
    row(
        "containerDefinitions[].dependsOn[].condition",
        String,
        Honoured,
        "START, COMPLETE (ended), SUCCESS (ended with 0) or HEALTHY.",
    )
    .required(),
    row(
        "containerDefinitions[].startTimeout",
        Integer,
        START_TIMEOUT,
        "Seconds a dependency may take to reach its condition; on Fargate 2 to 120.",
    ),
    row(
        "containerDefinitions[].stopTimeout",
        Integer,
        Honoured,
        "Seconds between the stop signal and the kill (default 30); on Fargate 2 to 120.",
    ),
    row(
        "containerDefinitions[].versionConsistency",
        String,
        SAME_IMAGE,
        "Pins a tag to one digest per deployment: enabled or disabled (default enabled).",
    )
    .harmless(&["disabled"]),
    row(
        "containerDefinitions[].hostname",
        String,
        Honoured,
        "Host name seen inside the container; not with awsvpc.",
    ),
    row(
        "containerDefinitions[].user",
        String,
        Honoured,
        "User to run as: `user`, `uid`, or either with `:group` or `:gid`.",
    ),
    row(
        "containerDefinitions[].workingDirectory",
        String,
        Honoured,
        "Directory in which the command starts (default: the image's).",
    ),
    row(
        "containerDefinitions[].disableNetworking",
        Boolean,
        NO_NETWORK,
        "Leaves the container without a network (default false).",
    ),
    row(
        "containerDefinitions[].privileged",
        Boolean,
        Honoured,
        "Gives the container the rights of root on the node (default false).",
    ),
    row(
        "containerDefinitions[].readonlyRootFilesystem",
        Boolean,
        Honoured,
        "Makes the container's root file system read-only (default false).",
    ),
    row(
        "containerDefinitions[].dnsServers",
        Strings,
        Honoured,
        "Addresses of name servers to ask.",
    ),
    row(
        "containerDefinitions[].dnsSearchDomains",
        Strings,
        Honoured,
        "Domains tried for short host names.",
    ),
    row(
        "containerDefinitions[].extraHosts",
        Objects,
        Honoured,
        "Extra lines of /etc/hosts; not with awsvpc.",
    ),
    row("containerDefinitions[].extraHosts[].hostname", String, Honoured, "Host name of the line.")
        .required(),
    row("containerDefinitions[].extraHosts[].ipAddress", String, Honoured, "Address of the line.")
        .required(),
    row(
        "containerDefinitions[].dockerSecurityOptions",
        Strings,
        Honoured,
        "no-new-privileges, apparmor:PROFILE, label:VALUE or credentialspec:PATH.",
    ),
    row(
        "containerDefinitions[].interactive",
        Boolean,
        Honoured,
        "Keeps standard input open (default false).",
    ),
    row(
        "containerDefinitions[].pseudoTerminal",
        Boolean,
        Honoured,
        "Gives the container a terminal (default false).",
    ),
    row("containerDefinitions[].dockerLabels", StringMap, LABELS, "Labels on the container."),
    row(
        "containerDefinitions[].ulimits",
        Objects,
        LIMITS,
        "Limits per process, over the runtime's defaults.",
    ),
    row(
        "containerDefinitions[].ulimits[].name",
        String,
        LIMITS,
        "core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, \
         rttime, sigpending or stack.",
    )
    .required(),
    row(
        "containerDefinitions[].ulimits[].softLimit",
        Integer,
        LIMITS,
        "Limit in force; at most hardLimit.",
    )
    .required(),
    row(
        "containerDefinitions[].ulimits[].hardLimit",
        Integer,
        LIMITS,
        "Limit up to which the process may raise its own.",
    )
    .required(),
    row(
        "containerDefinitions[].logConfiguration",
        Object,
        Honoured,
        "Where the container's output goes (default: the node's own log files).",
    ),
    row(
        "containerDefinitions[].logConfiguration.logDriver",
        String,
        Honoured,
        "json-file, syslog, journald, gelf, fluentd, awslogs, splunk or awsfirelens.",
    )
    .required(),
    row(
        "containerDefinitions[].logConfiguration.options",
        StringMap,
        Recorded,
        "Options of the log driver, by the driver's own names.",
    ),
    row(
        "containerDefinitions[].logConfiguration.secretOptions",
        Objects,
        Recorded,
        "Options whose values come from secrets.",
    ),
    row(
        "containerDefinitions[].logConfiguration.secretOptions[].name",
        String,
        Recorded,
        "Name of the driver option.",
    )
    .required(),
    row(
        "containerDefinitions[].logConfiguration.secretOptions[].valueFrom",
        String,
        Recorded,
        "ARN of a Secrets Manager secret or an SSM parameter.",
    )
    .required(),
    row(
        "containerDefinitions[].healthCheck",
        Object,
        Honoured,
        "Command that tells whether the container works; the image's own check is not used.",
    ),
    row(
        "containerDefinitions[].healthCheck.command",
        Strings,
        Honoured,
        "CMD and its arguments, or CMD-SHELL and one line; exit code 0 is healthy.",
    )
    .required(),
    row(
        "containerDefinitions[].healthCheck.interval",
        Integer,
        Honoured,
        "Seconds between checks, 5 to 300 (default 30).",
    ),
    row(
        "containerDefinitions[].healthCheck.timeout",
        Integer,
        Honoured,
        "Seconds after which a check counts as failed, 2 to 60 (default 5).",
    ),
    row(
        "containerDefinitions[].healthCheck.retries",
        Integer,
        Honoured,
        "Failures in a row that make it unhealthy, 1 to 10 (default 3).",
    ),
    row(
        "containerDefinitions[].healthCheck.startPeriod",
        Integer,
        Honoured,
        "Seconds at the start in which failures do not count, 0 to 300 (default 0).",
    ),
    row(
        "containerDefinitions[].systemControls",
        Objects,
        Honoured,
        "Kernel parameters of the task.",
    ),
    row(
        "containerDefinitions[].systemControls[].namespace",
        String,
        Honoured,
        "Parameter name: `net.*`, or one of those of System V and POSIX IPC.",
    ),
    row("containerDefinitions[].systemControls[].value", String, Honoured, "Value to set."),
    row(
        "containerDefinitions[].resourceRequirements",
        Objects,
        Honoured,
        "Devices that the container needs.",
    ),
    row(
        "containerDefinitions[].resourceRequirements[].value",
        String,
        Honoured,
        "GPU: a count, or ALL; NeuronDevice: ALL.",
    ),
    row(
        "containerDefinitions[].resourceRequirements[].type",
        String,
        Honoured,
        "GPU, NeuronDevice, or InferenceAccelerator (which has ended).",
    )
    .required(),
    row(
        "containerDefinitions[].resourceRequirements[].sharingStrategy",
        Object,
        SHARED_GPU,
        "How a GPU is shared with others, in place of a count.",
    ),
    row(
        "containerDefinitions[].resourceRequirements[].sharingStrategy.nvidiaMps",
        Object,
        SHARED_GPU,
        "Sharing by NVIDIA's Multi-Process Service.",
    ),
    row(
        "containerDefinitions[].resourceRequirements[].sharingStrategy.nvidiaMps.memory",
        Integer,
        SHARED_GPU,
        "GPU memory the container may pin, in MiB, at least 1.",
    )
    .required(),
    row(
        "containerDefinitions[].resourceRequirements[].sharingStrategy.nvidiaMps.maxComputePercent",
        Integer,
        SHARED_GPU,
        "Share of the GPU's threads it may use, in percent, 1 to 100.",
    ),
    row(
        "containerDefinitions[].firelensConfiguration",
        Object,
        FIRELENS,
        "Makes this container the log router of the task; one per task.",
    ),
    row(
        "containerDefinitions[].firelensConfiguration.type",
        String,
        Recorded,
        "fluentd or fluentbit.",
    )
    .required(),
    row(
        "containerDefinitions[].firelensConfiguration.options",
        StringMap,
        Recorded,
        "enable-ecs-log-metadata, config-file-type (s3 or file) and config-file-value.",
    ),
    row(
        "containerDefinitions[].credentialSpecs",
        Strings,
        CREDENTIAL_SPECS,
        "One `credentialspec:ARN` or `credentialspecdomainless:ARN` for Active Directory accounts.",
    ),
];
