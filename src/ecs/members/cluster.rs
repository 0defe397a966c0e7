//! Which members does a cluster have?
//!
//! The input of `CreateCluster`.

use super::row::Shape::{Boolean, Integer, Object, Objects, String, Strings};
use super::row::Verdict::{Approximated, Honoured, NotYet, Recorded};
use super::row::{Member, Verdict, row};

/// Which providers a cluster may use.
const ANY_PROVIDER: Verdict =
    Approximated("services may use every CapacityProvider that allows their namespace");

/// Metrics of containers.
const INSIGHTS: Verdict = Approximated("metrics are those that the cluster gathers");

/// Sessions of remote shells.
const SESSIONS: Verdict = Approximated(
    "`kubectl exec` opens a shell, and nobody logs its session; the API server's audit log can tell \
     that there was one",
);

/// Keys of disks.
const DISKS: Verdict =
    Approximated("the StorageClass says how volumes are encrypted, and the node how its disk is");

/// The members of a cluster.
pub(super) const CLUSTER: &[Member] = &[
    row(
        "clusterName",
        String,
        Honoured,
        "Cluster name: up to 255 letters, digits, hyphens and underscores (default `default`).",
    ),
    row("tags", Objects, Recorded, "Up to 50 tags, each key once."),
    row("tags[].key", String, Recorded, "Tag key: 1 to 128 characters, not starting with `aws:`."),
    row("tags[].value", String, Recorded, "Tag value: up to 256 characters."),
    row("settings", Objects, Honoured, "Settings of the cluster."),
    row("settings[].name", String, Honoured, "Always containerInsights."),
    row("settings[].value", String, INSIGHTS, "enhanced, enabled or disabled.")
        .harmless(&["disabled"]),
    row("configuration", Object, Honoured, "Settings for remote shells and for storage."),
    row(
        "configuration.executeCommandConfiguration",
        Object,
        Honoured,
        "Settings for shells opened in containers.",
    ),
    row(
        "configuration.executeCommandConfiguration.kmsKeyId",
        String,
        SESSIONS,
        "Key that encrypts the session.",
    ),
    row(
        "configuration.executeCommandConfiguration.logging",
        String,
        SESSIONS,
        "Where sessions are logged: NONE, DEFAULT (as the task logs) or OVERRIDE (default \
         DEFAULT).",
    )
    .harmless(&["NONE"]),
    row(
        "configuration.executeCommandConfiguration.logConfiguration",
        Object,
        SESSIONS,
        "Where to log; needed for OVERRIDE.",
    ),
    row(
        "configuration.executeCommandConfiguration.logConfiguration.cloudWatchLogGroupName",
        String,
        SESSIONS,
        "Log group that takes the sessions; must exist.",
    ),
    row(
        "configuration.executeCommandConfiguration.logConfiguration.cloudWatchEncryptionEnabled",
        Boolean,
        SESSIONS,
        "Whether that log is encrypted (default false).",
    ),
    row(
        "configuration.executeCommandConfiguration.logConfiguration.s3BucketName",
        String,
        SESSIONS,
        "Bucket that takes the sessions; must exist.",
    ),
    row(
        "configuration.executeCommandConfiguration.logConfiguration.s3EncryptionEnabled",
        Boolean,
        SESSIONS,
        "Whether the objects are encrypted (default false).",
    ),
    row(
        "configuration.executeCommandConfiguration.logConfiguration.s3KeyPrefix",
        String,
        SESSIONS,
        "Prefix of the objects' keys.",
    ),
    row(
        "configuration.managedStorageConfiguration",
        Object,
        Honoured,
        "Keys that encrypt the storage of tasks.",
    ),
    row(
        "configuration.managedStorageConfiguration.kmsKeyId",
        String,
        DISKS,
        "Key for the block volumes of tasks.",
    ),
    row(
        "configuration.managedStorageConfiguration.fargateEphemeralStorageKmsKeyId",
        String,
        DISKS,
        "Key for the ephemeral disks of tasks on Fargate.",
    ),
    row(
        "capacityProviders",
        Strings,
        ANY_PROVIDER,
        "Names of the capacity providers that the cluster may use, up to 20.",
    ),
    row(
        "defaultCapacityProviderStrategy",
        Objects,
        Honoured,
        "Split used where neither a launch type nor a strategy is given.",
    ),
    row(
        "defaultCapacityProviderStrategy[].capacityProvider",
        String,
        Honoured,
        "Name of a capacity provider that the cluster lists.",
    )
    .required(),
    row(
        "defaultCapacityProviderStrategy[].weight",
        Integer,
        Honoured,
        "Share of the tasks left after every base, 0 to 1000 (default 0).",
    ),
    row(
        "defaultCapacityProviderStrategy[].base",
        Integer,
        Honoured,
        "Tasks placed on this provider before weights count, 0 to 100000 (default 0).",
    ),
    row(
        "serviceConnectDefaults",
        Object,
        NotYet,
        "Service Connect settings for services that name none.",
    ),
    row(
        "serviceConnectDefaults.namespace",
        String,
        NotYet,
        "Default namespace, name or ARN, up to 1024 characters; empty takes it away.",
    )
    .required(),
];
