//! Which EKS Fargate profile does a capacity provider make?
//!
//! The input of the EKS call `CreateFargateProfile`, under `fargateProfile`.

use super::row::Shape::{Object, Objects, String, StringMap, Strings};
use super::row::Verdict::{Approximated, Honoured, Recorded};
use super::row::{Member, row};

/// The members about a Fargate profile.
pub(super) const FARGATE_PROFILE: &[Member] = &[
    row(
        "fargateProfile",
        Object,
        Approximated(
            "no profile is made at AWS: its nodes are those that EKS or a virtual kubelet labels so, or \
             that kubernetes.nodeSelector selects",
        ),
        "An EKS Fargate profile; members as in CreateFargateProfile.",
    ),
    row("fargateProfile.fargateProfileName", String, Recorded, "Profile name.").required(),
    row("fargateProfile.clusterName", String, Recorded, "Name of the EKS cluster.").required(),
    row(
        "fargateProfile.podExecutionRoleArn",
        String,
        Recorded,
        "IAM role by which Fargate joins the cluster and pulls images.",
    )
    .required(),
    row("fargateProfile.subnets", Strings, Recorded, "IDs of private subnets for the pods."),
    row(
        "fargateProfile.selectors",
        Objects,
        Honoured,
        "Which services run on Fargate without asking; up to 5 selectors.",
    ),
    row("fargateProfile.selectors[].namespace", String, Honoured, "Namespace of the services."),
    row(
        "fargateProfile.selectors[].labels",
        StringMap,
        Honoured,
        "Labels that a service must have, all of them.",
    ),
    row("fargateProfile.clientRequestToken", String, Recorded, "Marks repeats of one API call."),
    row(
        "fargateProfile.tags",
        StringMap,
        Recorded,
        "Tags on the profile; they do not reach the pods.",
    ),
];
