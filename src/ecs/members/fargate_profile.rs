//! Which EKS Fargate profile does a capacity provider make?
//!
//! The input of the EKS call `CreateFargateProfile`, under `fargateProfile`.

use super::row::Shape::{Object, Objects, String, StringMap, Strings};
use super::row::Verdict::{NotYet, Recorded};
use super::row::{Member, row};

/// The members about a Fargate profile.
pub(super) const FARGATE_PROFILE: &[Member] = &[
    row(
        "fargateProfile",
        Object,
        NotYet,
        "An EKS Fargate profile to make; members as in CreateFargateProfile.",
    ),
    row("fargateProfile.fargateProfileName", String, NotYet, "Profile name.").required(),
    row("fargateProfile.clusterName", String, NotYet, "Name of the EKS cluster.").required(),
    row(
        "fargateProfile.podExecutionRoleArn",
        String,
        NotYet,
        "IAM role by which Fargate joins the cluster and pulls images.",
    )
    .required(),
    row("fargateProfile.subnets", Strings, NotYet, "IDs of private subnets for the pods."),
    row(
        "fargateProfile.selectors",
        Objects,
        NotYet,
        "Which pods run on Fargate; up to 5 selectors.",
    ),
    row("fargateProfile.selectors[].namespace", String, NotYet, "Namespace of the pods."),
    row(
        "fargateProfile.selectors[].labels",
        StringMap,
        NotYet,
        "Labels that a pod must have, all of them.",
    ),
    row("fargateProfile.clientRequestToken", String, Recorded, "Marks repeats of one API call."),
    row(
        "fargateProfile.tags",
        StringMap,
        NotYet,
        "Tags on the profile; they do not reach the pods.",
    ),
];
