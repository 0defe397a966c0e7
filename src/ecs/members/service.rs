//! Which members does a service have?
//!
//! The input of `CreateService`, and `forceNewDeployment` of `UpdateService`. Deployments,
//! networking between services, volumes and scaling have files of their own.

use super::row::Shape::{Boolean, Integer, Object, Objects, String, Strings};
use super::row::Verdict::{Approximated, Honoured, NotYet, Recorded};
use super::row::{Member, Verdict, row};

/// The launch type, as far as it is followed.
const LAUNCH_TYPE: Verdict = Approximated(
    "FARGATE means the nodes of CapacityProvider FARGATE, or any where there is none; the others mean any node",
);

/// Placement expressions.
pub(super) const EXPRESSION: Verdict = Approximated(
    "evaluated exactly; patterns and comparisons of versions and times need labels that Linkspan writes \
     on nodes, and are refused where that is not granted; runningTasksCount is refused",
);

/// One task on each node.
const DAEMON: Verdict = Approximated(
    "a DaemonSet: on a node that is cordoned or about to end its task stops at once, not after the \
     others, where the right to label nodes is granted; a node that does not answer keeps it",
);

/// Fargate platform versions.
const PLATFORM: Verdict = Approximated("one platform, the cluster's own");

/// Firewalls around tasks.
const SECURITY_GROUPS: Verdict = Approximated(
    "a NetworkPolicy of the groups' rows keeps their rules, where the cluster's network plugin enforces \
     NetworkPolicies; there is one only if every group has a row",
);

/// Public addresses.
const PUBLIC_ADDRESS: Verdict =
    Approximated("a pod has no public address; nodes pull images and lead its traffic out");

/// Metrics of a service.
const METRICS: Verdict =
    Approximated("metrics are those that the cluster gathers, as often as it does");

/// Commands in running containers.
const EXEC: Verdict = Approximated(
    "`kubectl exec` does it, for whom the cluster's own roles allow; this neither switches it on nor \
     off, and no session is logged",
);

/// The members of a service that stand in no other file.
pub(super) const SERVICE: &[Member] = &[
    row(
        "cluster",
        String,
        Honoured,
        "Name or ARN of the cluster (default `default`); cannot be changed.",
    ),
    row(
        "serviceName",
        String,
        Honoured,
        "Service name, unique in its cluster: up to 255 letters, digits, hyphens and underscores.",
    )
    .required(),
    row(
        "taskDefinition",
        String,
        Honoured,
        "What to run: `family` (its latest revision now), `family:revision` or an ARN.",
    )
    .rolls(),
    row(
        "availabilityZoneRebalancing",
        String,
        NotYet,
        "Moves tasks so that zones hold equally many: ENABLED or DISABLED (default ENABLED).",
    ),
    row(
        "loadBalancers",
        Objects,
        Honoured,
        "Target groups that send traffic to the tasks; at most 5.",
    )
    .rolls(),
    row(
        "loadBalancers[].targetGroupArn",
        String,
        Honoured,
        "ARN of the target group of an Application or Network Load Balancer.",
    )
    .rolls(),
    row("loadBalancers[].loadBalancerName", String, Honoured, "Name of a Classic Load Balancer.")
        .rolls(),
    row("loadBalancers[].containerName", String, Honoured, "Container that gets the traffic.")
        .rolls(),
    row(
        "loadBalancers[].containerPort",
        Integer,
        Honoured,
        "Port of that container; must stand in its portMappings.",
    )
    .rolls(),
    row(
        "loadBalancers[].advancedConfiguration",
        Object,
        Honoured,
        "Second target group and listener rules, for BLUE_GREEN, LINEAR and CANARY.",
    )
    .rolls(),
    row(
        "loadBalancers[].advancedConfiguration.alternateTargetGroupArn",
        String,
        NotYet,
        "ARN of the target group that takes the other revision.",
    )
    .rolls(),
    row(
        "loadBalancers[].advancedConfiguration.productionListenerRule",
        String,
        Honoured,
        "ARN of the listener rule (or listener) that carries production traffic.",
    )
    .rolls(),
    row(
        "loadBalancers[].advancedConfiguration.testListenerRule",
        String,
        NotYet,
        "ARN of the listener rule (or listener) that carries test traffic.",
    )
    .rolls(),
    row(
        "loadBalancers[].advancedConfiguration.roleArn",
        String,
        Recorded,
        "IAM role with which ECS would change the load balancer.",
    )
    .rolls(),
    row(
        "serviceRegistries",
        Objects,
        NotYet,
        "Cloud Map registry in which the tasks are entered; at most one.",
    )
    .rolls(),
    row("serviceRegistries[].registryArn", String, NotYet, "ARN of the Cloud Map service.").rolls(),
    row(
        "serviceRegistries[].port",
        Integer,
        NotYet,
        "Port for SRV records with awsvpc, in place of containerName and containerPort.",
    )
    .rolls(),
    row(
        "serviceRegistries[].containerName",
        String,
        NotYet,
        "Container entered; with bridge or host needed, together with containerPort.",
    )
    .rolls(),
    row(
        "serviceRegistries[].containerPort",
        Integer,
        NotYet,
        "Port entered; with bridge or host needed, together with containerName.",
    )
    .rolls(),
    row(
        "desiredCount",
        Integer,
        Honoured,
        "How many tasks to run; 0 is allowed, DAEMON ignores it.",
    ),
    row("clientToken", String, Recorded, "Marks repeats of one API call, up to 36 characters."),
    row(
        "launchType",
        String,
        LAUNCH_TYPE,
        "EC2, FARGATE, EXTERNAL or MANAGED_INSTANCES (default EC2); not with \
         capacityProviderStrategy.",
    )
    .rolls(),
    row(
        "capacityProviderStrategy",
        Objects,
        Honoured,
        "How tasks are split over capacity providers, up to 20; not with launchType.",
    )
    .rolls(),
    row(
        "capacityProviderStrategy[].capacityProvider",
        String,
        Honoured,
        "Name of a capacity provider that the cluster lists.",
    )
    .required()
    .rolls(),
    row(
        "capacityProviderStrategy[].weight",
        Integer,
        Honoured,
        "Share of the tasks left after every base, 0 to 1000 (default 0).",
    )
    .rolls(),
    row(
        "capacityProviderStrategy[].base",
        Integer,
        Honoured,
        "Tasks placed on this provider before weights count, 0 to 100000 (default 0).",
    )
    .rolls(),
    row("platformVersion", String, PLATFORM, "Fargate platform version (default LATEST).").rolls(),
    row(
        "role",
        String,
        Recorded,
        "IAM role with which ECS would register tasks at a load balancer.",
    ),
    row(
        "placementConstraints",
        Objects,
        Honoured,
        "Rules that a node must meet; at most 10, those of the task definition included.",
    ),
    row(
        "placementConstraints[].type",
        String,
        Honoured,
        "distinctInstance (one task of a group per node) or memberOf (nodes that match \
         expression).",
    ),
    row(
        "placementConstraints[].expression",
        String,
        EXPRESSION,
        "Cluster query that nodes must match, up to 2000 characters; for memberOf only.",
    ),
    row(
        "placementStrategy",
        Objects,
        Honoured,
        "How to choose among fitting nodes; at most 5 rules, applied in order.",
    ),
    row(
        "placementStrategy[].type",
        String,
        Honoured,
        "random, spread or binpack (without a second scheduler: rather beside the service's others).",
    ),
    row(
        "placementStrategy[].field",
        String,
        Honoured,
        "spread: host, instanceId or attribute:NAME; binpack: cpu or memory; random: none.",
    ),
    row(
        "networkConfiguration",
        Object,
        Honoured,
        "Where tasks attach to the network; needed for network mode awsvpc.",
    )
    .rolls(),
    row(
        "networkConfiguration.awsvpcConfiguration",
        Object,
        Honoured,
        "Subnets, security groups and public address of a task's interface.",
    )
    .rolls(),
    row(
        "networkConfiguration.awsvpcConfiguration.subnets",
        Strings,
        Honoured,
        "IDs of 1 to 16 subnets, all of one VPC.",
    )
    .required()
    .rolls(),
    row(
        "networkConfiguration.awsvpcConfiguration.securityGroups",
        Strings,
        SECURITY_GROUPS,
        "IDs of up to 5 security groups (default: the VPC's own group).",
    )
    .rolls(),
    row(
        "networkConfiguration.awsvpcConfiguration.assignPublicIp",
        String,
        PUBLIC_ADDRESS,
        "Whether tasks get a public address: ENABLED or DISABLED (default DISABLED).",
    )
    .harmless(&["DISABLED"])
    .rolls(),
    row(
        "healthCheckGracePeriodSeconds",
        Integer,
        NotYet,
        "Seconds after a task's start in which failing checks are ignored (default 0).",
    ),
    row(
        "schedulingStrategy",
        String,
        DAEMON,
        "REPLICA (default; desiredCount tasks) or DAEMON (one task per node).",
    )
    .harmless(&["REPLICA"]),
    row("tags", Objects, Recorded, "Up to 50 tags, each key once."),
    row("tags[].key", String, Recorded, "Tag key: 1 to 128 characters, not starting with `aws:`."),
    row("tags[].value", String, Recorded, "Tag value: up to 256 characters."),
    row(
        "enableECSManagedTags",
        Boolean,
        Recorded,
        "Adds AWS's own tags for cluster and service to tasks (default false).",
    ),
    row(
        "propagateTags",
        String,
        Honoured,
        "Where tasks get their tags from: TASK_DEFINITION, SERVICE or NONE (default NONE).",
    ),
    row(
        "enableExecuteCommand",
        Boolean,
        EXEC,
        "Allows opening a shell in the tasks' containers (default false).",
    ),
    row(
        "monitoring",
        Object,
        METRICS,
        "How often the service's own metrics are taken (default: every 60 seconds).",
    ),
    row(
        "monitoring.metricConfigurations",
        Objects,
        METRICS,
        "One entry per resolution, at most 5.",
    ),
    row(
        "monitoring.metricConfigurations[].metricNames",
        Strings,
        METRICS,
        "CPUUtilization, MemoryUtilization or both.",
    )
    .required(),
    row(
        "monitoring.metricConfigurations[].resolutionSeconds",
        Integer,
        METRICS,
        "Seconds between values: 20 or 60.",
    )
    .required(),
    row(
        "forceNewDeployment",
        Boolean,
        Honoured,
        "Starts a deployment although nothing else changed (default false).",
    ),
];
