//! Which nodes does a capacity provider make to fit its tasks?
//!
//! The part `managedInstancesProvider` of the input of `CreateCapacityProvider`.

use super::row::Shape::{Boolean, Integer, Number, Object, String, Strings};
use super::row::Verdict::NotYet;
use super::row::{Member, row};

/// The path of a member of the launch template.
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
        NotYet,
        "Nodes made to fit the tasks; this or autoScalingGroupProvider.",
    ),
    row(
        "managedInstancesProvider.infrastructureRoleArn",
        String,
        NotYet,
        "IAM role with which the nodes are made and ended.",
    )
    .required(),
    row(
        "managedInstancesProvider.instanceLaunchTemplate",
        Object,
        NotYet,
        "What the nodes look like.",
    )
    .required(),
    row(template!("ec2InstanceProfileArn"), String, NotYet, "Instance profile of the nodes.")
        .required(),
    row(
        template!("networkConfiguration"),
        Object,
        NotYet,
        "Where the nodes attach to the network.",
    )
    .required(),
    row(template!("networkConfiguration.subnets"), Strings, NotYet, "IDs of the nodes' subnets."),
    row(
        template!("networkConfiguration.securityGroups"),
        Strings,
        NotYet,
        "IDs of the nodes' security groups.",
    ),
    row(template!("storageConfiguration"), Object, NotYet, "Data volume of a node."),
    row(
        template!("storageConfiguration.storageSizeGiB"),
        Integer,
        NotYet,
        "Size in GiB, at least 1.",
    ),
    row(
        template!("localStorageConfiguration"),
        Object,
        NotYet,
        "Use of the disks built into a node.",
    ),
    row(
        template!("localStorageConfiguration.useLocalStorage"),
        Boolean,
        NotYet,
        "Keeps data on built-in disks, in place of a block volume.",
    ),
    row(template!("monitoring"), String, NotYet, "BASIC or DETAILED (default BASIC)."),
    row(
        template!("capacityOptionType"),
        String,
        NotYet,
        "ON_DEMAND, SPOT or RESERVED (default ON_DEMAND).",
    ),
    row(
        template!("instanceMetadataTagsPropagation"),
        Boolean,
        NotYet,
        "Shows a node's tags in its metadata service (default true).",
    ),
    row(template!("instanceRequirements"), Object, NotYet, "Which instance types may be chosen."),
    row(need!("vCpuCount"), Object, NotYet, "Number of vCPUs.").required(),
    row(need!("vCpuCount.min"), Integer, NotYet, "Fewest vCPUs.").required(),
    row(need!("vCpuCount.max"), Integer, NotYet, "Most vCPUs."),
    row(need!("memoryMiB"), Object, NotYet, "Memory in MiB.").required(),
    row(need!("memoryMiB.min"), Integer, NotYet, "Least memory in MiB.").required(),
    row(need!("memoryMiB.max"), Integer, NotYet, "Most memory in MiB."),
    row(need!("cpuManufacturers"), Strings, NotYet, "Any of intel, amd and amazon-web-services."),
    row(need!("memoryGiBPerVCpu"), Object, NotYet, "Memory per vCPU in GiB."),
    row(need!("memoryGiBPerVCpu.min"), Number, NotYet, "Least memory per vCPU in GiB."),
    row(need!("memoryGiBPerVCpu.max"), Number, NotYet, "Most memory per vCPU in GiB."),
    row(
        need!("excludedInstanceTypes"),
        Strings,
        NotYet,
        "Types never chosen, `*` as wildcard, up to 400; not with allowedInstanceTypes.",
    ),
    row(need!("instanceGenerations"), Strings, NotYet, "current, previous or both."),
    row(
        need!("spotMaxPricePercentageOverLowestPrice"),
        Integer,
        NotYet,
        "Price cap for spot: percent above the cheapest fitting on-demand price.",
    ),
    row(
        need!("onDemandMaxPricePercentageOverLowestPrice"),
        Integer,
        NotYet,
        "Price cap on demand: percent above the cheapest fitting current type.",
    ),
    row(need!("bareMetal"), String, NotYet, "Bare metal types: included, required or excluded."),
    row(
        need!("burstablePerformance"),
        String,
        NotYet,
        "Burstable types such as t3 and t4g: included, required or excluded.",
    ),
    row(
        need!("requireHibernateSupport"),
        Boolean,
        NotYet,
        "Only types that can hibernate (default false).",
    ),
    row(need!("networkInterfaceCount"), Object, NotYet, "Number of network interfaces."),
    row(need!("networkInterfaceCount.min"), Integer, NotYet, "Fewest interfaces."),
    row(need!("networkInterfaceCount.max"), Integer, NotYet, "Most interfaces."),
    row(
        need!("localStorage"),
        String,
        NotYet,
        "Types with built-in disks: included, required or excluded.",
    ),
    row(need!("localStorageTypes"), Strings, NotYet, "hdd, ssd or both."),
    row(
        need!("totalLocalStorageGB"),
        Object,
        NotYet,
        "Size of the built-in disks together, in GB.",
    ),
    row(need!("totalLocalStorageGB.min"), Number, NotYet, "Least disk space in GB."),
    row(need!("totalLocalStorageGB.max"), Number, NotYet, "Most disk space in GB."),
    row(
        need!("baselineEbsBandwidthMbps"),
        Object,
        NotYet,
        "Steady bandwidth to block volumes, in Mbit/s.",
    ),
    row(need!("baselineEbsBandwidthMbps.min"), Integer, NotYet, "Least bandwidth in Mbit/s."),
    row(need!("baselineEbsBandwidthMbps.max"), Integer, NotYet, "Most bandwidth in Mbit/s."),
    row(need!("acceleratorTypes"), Strings, NotYet, "Any of gpu, fpga and inference."),
    row(need!("acceleratorCount"), Object, NotYet, "Number of accelerators."),
    row(need!("acceleratorCount.min"), Integer, NotYet, "Fewest accelerators."),
    row(need!("acceleratorCount.max"), Integer, NotYet, "Most accelerators."),
    row(
        need!("acceleratorManufacturers"),
        Strings,
        NotYet,
        "Any of nvidia, amd, amazon-web-services and xilinx.",
    ),
    row(need!("acceleratorNames"), Strings, NotYet, "Models, e.g. a100 or v100."),
    row(
        need!("acceleratorTotalMemoryMiB"),
        Object,
        NotYet,
        "Memory of the accelerators together, in MiB.",
    ),
    row(
        need!("acceleratorTotalMemoryMiB.min"),
        Integer,
        NotYet,
        "Least accelerator memory in MiB.",
    ),
    row(need!("acceleratorTotalMemoryMiB.max"), Integer, NotYet, "Most accelerator memory in MiB."),
    row(need!("networkBandwidthGbps"), Object, NotYet, "Network bandwidth in Gbit/s."),
    row(need!("networkBandwidthGbps.min"), Number, NotYet, "Least bandwidth in Gbit/s."),
    row(need!("networkBandwidthGbps.max"), Number, NotYet, "Most bandwidth in Gbit/s."),
    row(
        need!("allowedInstanceTypes"),
        Strings,
        NotYet,
        "The only types considered, `*` as wildcard, up to 400; not with excludedInstanceTypes.",
    ),
    row(
        need!("maxSpotPriceAsPercentageOfOptimalOnDemandPrice"),
        Integer,
        NotYet,
        "Price cap for spot: percent of the best fitting on-demand price.",
    ),
    row(
        template!("fipsEnabled"),
        Boolean,
        NotYet,
        "Uses FIPS 140-2 validated cryptography on the nodes.",
    ),
    row(template!("capacityReservations"), Object, NotYet, "Use of reserved capacity."),
    row(
        template!("capacityReservations.reservationGroupArn"),
        String,
        NotYet,
        "ARN of the group of reservations.",
    ),
    row(
        template!("capacityReservations.reservationPreference"),
        String,
        NotYet,
        "RESERVATIONS_ONLY, RESERVATIONS_FIRST or RESERVATIONS_EXCLUDED.",
    ),
    row(
        template!("nitroEnclavesEnabled"),
        Boolean,
        NotYet,
        "Prepares nodes for sandboxed tasks (default false); not with useLocalStorage.",
    ),
    row(
        "managedInstancesProvider.propagateTags",
        String,
        NotYet,
        "Whether nodes get the provider's tags: CAPACITY_PROVIDER or NONE.",
    ),
    row(
        "managedInstancesProvider.infrastructureOptimization",
        Object,
        NotYet,
        "When idle nodes are removed.",
    ),
    row(
        "managedInstancesProvider.infrastructureOptimization.scaleInAfter",
        Integer,
        NotYet,
        "Seconds a node may idle, 0 to 3600; -1 keeps it for ever.",
    ),
    row(
        "managedInstancesProvider.autoRepairConfiguration",
        Object,
        NotYet,
        "What happens to broken nodes.",
    ),
    row(
        "managedInstancesProvider.autoRepairConfiguration.actionsStatus",
        String,
        NotYet,
        "Replaces impaired nodes: ENABLED or DISABLED.",
    ),
];
