//! Which nodes does a capacity provider make to fit its tasks?
//!
//! The part `managedInstancesProvider` of the input of `CreateCapacityProvider`.

use super::row::Shape::{Boolean, Integer, Number, Object, String, Strings};
use super::row::Verdict::{Approximated, Honoured};
use super::row::{Member, Verdict, row};

/// The path of a member of the launch template.
/// What a NodePool leaves to its node class.
const NODE_CLASS: Verdict =
    Approximated("said by the node class that kubernetes.nodeClassRef names, not by this");
/// What a NodePool cannot say.
const UNSAID: Verdict =
    Approximated("a NodePool of Karpenter has no such requirement: it is left out");
const TYPES: Verdict = Approximated(
    "a NodePool is told whole types (m5.large) or whole families (m5.*), not both in one list and no \
     other pattern",
);
const ACCELERATORS: Verdict =
    Approximated("gpu, and inference in its place; fpga is not known to Karpenter");
const POOL: Verdict = Approximated(
    "a NodePool is made of it where Karpenter runs and Linkspan may (in the chart: rbac.nodePools); \
     elsewhere its nodes are those that carry its name in a label",
);

macro_rules! template {
    ($rest:literal) => {
        concat!("managedInstancesProvider.instanceLaunchTemplate.", $rest)
    };
}

/// The path of a member of the instance requirements.
macro_rules! need {
    ($rest:literal) => {
        concat!("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.", $rest)
    };
}

/// The members about managed instances.
pub(super) const MANAGED_INSTANCES: &[Member] = &[
    row(
        "managedInstancesProvider",
        Object,
        POOL,
        "Nodes made to fit the tasks; this or autoScalingGroupProvider.",
    ),
    row(
        "managedInstancesProvider.infrastructureRoleArn",
        String,
        NODE_CLASS,
        "IAM role with which the nodes are made and ended.",
    )
    .required(),
    row(
        "managedInstancesProvider.instanceLaunchTemplate",
        Object,
        Honoured,
        "What the nodes look like.",
    )
    .required(),
    row(template!("ec2InstanceProfileArn"), String, NODE_CLASS, "Instance profile of the nodes.")
        .required(),
    row(
        template!("networkConfiguration"),
        Object,
        NODE_CLASS,
        "Where the nodes attach to the network.",
    )
    .required(),
    row(
        template!("networkConfiguration.subnets"),
        Strings,
        NODE_CLASS,
        "IDs of the nodes' subnets.",
    ),
    row(
        template!("networkConfiguration.securityGroups"),
        Strings,
        NODE_CLASS,
        "IDs of the nodes' security groups.",
    ),
    row(template!("storageConfiguration"), Object, NODE_CLASS, "Data volume of a node."),
    row(
        template!("storageConfiguration.storageSizeGiB"),
        Integer,
        NODE_CLASS,
        "Size in GiB, at least 1.",
    ),
    row(
        template!("localStorageConfiguration"),
        Object,
        NODE_CLASS,
        "Use of the disks built into a node.",
    ),
    row(
        template!("localStorageConfiguration.useLocalStorage"),
        Boolean,
        NODE_CLASS,
        "Keeps data on built-in disks, in place of a block volume.",
    ),
    row(template!("monitoring"), String, NODE_CLASS, "BASIC or DETAILED (default BASIC)."),
    row(
        template!("capacityOptionType"),
        String,
        Honoured,
        "ON_DEMAND, SPOT or RESERVED (default ON_DEMAND).",
    ),
    row(
        template!("instanceMetadataTagsPropagation"),
        Boolean,
        NODE_CLASS,
        "Shows a node's tags in its metadata service (default true).",
    ),
    row(template!("instanceRequirements"), Object, Honoured, "Which instance types may be chosen."),
    row(need!("vCpuCount"), Object, Honoured, "Number of vCPUs.").required(),
    row(need!("vCpuCount.min"), Integer, Honoured, "Fewest vCPUs.").required(),
    row(need!("vCpuCount.max"), Integer, Honoured, "Most vCPUs."),
    row(need!("memoryMiB"), Object, Honoured, "Memory in MiB.").required(),
    row(need!("memoryMiB.min"), Integer, Honoured, "Least memory in MiB.").required(),
    row(need!("memoryMiB.max"), Integer, Honoured, "Most memory in MiB."),
    row(need!("cpuManufacturers"), Strings, Honoured, "Any of intel, amd and amazon-web-services."),
    row(need!("memoryGiBPerVCpu"), Object, UNSAID, "Memory per vCPU in GiB."),
    row(need!("memoryGiBPerVCpu.min"), Number, UNSAID, "Least memory per vCPU in GiB."),
    row(need!("memoryGiBPerVCpu.max"), Number, UNSAID, "Most memory per vCPU in GiB."),
    row(
        need!("excludedInstanceTypes"),
        Strings,
        TYPES,
        "Types never chosen, `*` as wildcard, up to 400; not with allowedInstanceTypes.",
    ),
    row(need!("instanceGenerations"), Strings, UNSAID, "current, previous or both."),
    row(
        need!("spotMaxPricePercentageOverLowestPrice"),
        Integer,
        UNSAID,
        "Price cap for spot: percent above the cheapest fitting on-demand price.",
    ),
    row(
        need!("onDemandMaxPricePercentageOverLowestPrice"),
        Integer,
        UNSAID,
        "Price cap on demand: percent above the cheapest fitting current type.",
    ),
    row(need!("bareMetal"), String, Honoured, "Bare metal types: included, required or excluded."),
    row(
        need!("burstablePerformance"),
        String,
        Honoured,
        "Burstable types such as t3 and t4g: included, required or excluded.",
    ),
    row(
        need!("requireHibernateSupport"),
        Boolean,
        UNSAID,
        "Only types that can hibernate (default false).",
    ),
    row(need!("networkInterfaceCount"), Object, UNSAID, "Number of network interfaces."),
    row(need!("networkInterfaceCount.min"), Integer, UNSAID, "Fewest interfaces."),
    row(need!("networkInterfaceCount.max"), Integer, UNSAID, "Most interfaces."),
    row(
        need!("localStorage"),
        String,
        Honoured,
        "Types with built-in disks: included, required or excluded.",
    ),
    row(need!("localStorageTypes"), Strings, UNSAID, "hdd, ssd or both."),
    row(
        need!("totalLocalStorageGB"),
        Object,
        Honoured,
        "Size of the built-in disks together, in GB.",
    ),
    row(need!("totalLocalStorageGB.min"), Number, Honoured, "Least disk space in GB."),
    row(need!("totalLocalStorageGB.max"), Number, Honoured, "Most disk space in GB."),
    row(
        need!("baselineEbsBandwidthMbps"),
        Object,
        Honoured,
        "Steady bandwidth to block volumes, in Mbit/s.",
    ),
    row(need!("baselineEbsBandwidthMbps.min"), Integer, Honoured, "Least bandwidth in Mbit/s."),
    row(need!("baselineEbsBandwidthMbps.max"), Integer, Honoured, "Most bandwidth in Mbit/s."),
    row(need!("acceleratorTypes"), Strings, ACCELERATORS, "Any of gpu, fpga and inference."),
    row(need!("acceleratorCount"), Object, ACCELERATORS, "Number of accelerators."),
    row(need!("acceleratorCount.min"), Integer, ACCELERATORS, "Fewest accelerators."),
    row(need!("acceleratorCount.max"), Integer, ACCELERATORS, "Most accelerators."),
    row(
        need!("acceleratorManufacturers"),
        Strings,
        ACCELERATORS,
        "Any of nvidia, amd, amazon-web-services and xilinx.",
    ),
    row(need!("acceleratorNames"), Strings, ACCELERATORS, "Models, e.g. a100 or v100."),
    row(
        need!("acceleratorTotalMemoryMiB"),
        Object,
        ACCELERATORS,
        "Memory of the accelerators together, in MiB.",
    ),
    row(
        need!("acceleratorTotalMemoryMiB.min"),
        Integer,
        ACCELERATORS,
        "Least accelerator memory in MiB.",
    ),
    row(
        need!("acceleratorTotalMemoryMiB.max"),
        Integer,
        ACCELERATORS,
        "Most accelerator memory in MiB.",
    ),
    row(need!("networkBandwidthGbps"), Object, Honoured, "Network bandwidth in Gbit/s."),
    row(need!("networkBandwidthGbps.min"), Number, Honoured, "Least bandwidth in Gbit/s."),
    row(need!("networkBandwidthGbps.max"), Number, Honoured, "Most bandwidth in Gbit/s."),
    row(
        need!("allowedInstanceTypes"),
        Strings,
        TYPES,
        "The only types considered, `*` as wildcard, up to 400; not with excludedInstanceTypes.",
    ),
    row(
        need!("maxSpotPriceAsPercentageOfOptimalOnDemandPrice"),
        Integer,
        UNSAID,
        "Price cap for spot: percent of the best fitting on-demand price.",
    ),
    row(
        template!("fipsEnabled"),
        Boolean,
        NODE_CLASS,
        "Uses FIPS 140-2 validated cryptography on the nodes.",
    ),
    row(template!("capacityReservations"), Object, NODE_CLASS, "Use of reserved capacity."),
    row(
        template!("capacityReservations.reservationGroupArn"),
        String,
        NODE_CLASS,
        "ARN of the group of reservations.",
    ),
    row(
        template!("capacityReservations.reservationPreference"),
        String,
        NODE_CLASS,
        "RESERVATIONS_ONLY, RESERVATIONS_FIRST or RESERVATIONS_EXCLUDED.",
    ),
    row(
        template!("nitroEnclavesEnabled"),
        Boolean,
        NODE_CLASS,
        "Prepares nodes for sandboxed tasks (default false); not with useLocalStorage.",
    ),
    row(
        "managedInstancesProvider.propagateTags",
        String,
        NODE_CLASS,
        "Whether nodes get the provider's tags: CAPACITY_PROVIDER or NONE.",
    ),
    row(
        "managedInstancesProvider.infrastructureOptimization",
        Object,
        Honoured,
        "When idle nodes are removed.",
    ),
    row(
        "managedInstancesProvider.infrastructureOptimization.scaleInAfter",
        Integer,
        Honoured,
        "Seconds a node may idle, 0 to 3600; -1 keeps it for ever.",
    ),
    row(
        "managedInstancesProvider.autoRepairConfiguration",
        Object,
        Approximated("node repair is a feature of Karpenter's own, for all of its pools"),
        "What happens to broken nodes.",
    ),
    row(
        "managedInstancesProvider.autoRepairConfiguration.actionsStatus",
        String,
        Approximated("node repair is a feature of Karpenter's own, for all of its pools"),
        "Replaces impaired nodes: ENABLED or DISABLED.",
    ),
];
