//! Which security contexts say what a task's containers may do?

use k8s_openapi::api::core::v1 as corev1;

use crate::plan::task_definition::{Container, Profile, TaskDefinition};

/// The context of one container, where it says anything.
pub(super) fn container(container: &Container) -> Option<corev1::SecurityContext> {
    let security = &container.security;
    let names = |names: &[String]| (!names.is_empty()).then(|| names.to_vec());
    let (add, drop) = (names(&security.added), names(&security.dropped));
    let context = corev1::SecurityContext {
        run_as_user: security.user,
        run_as_group: security.group,
        privileged: security.privileged.then_some(true),
        allow_privilege_escalation: security.no_new_privileges.then_some(false),
        read_only_root_filesystem: container.readonly_root_filesystem.then_some(true),
        capabilities: (add.is_some() || drop.is_some())
            .then_some(corev1::Capabilities { add, drop }),
        app_armor_profile: security.app_armor.as_ref().map(|profile| {
            let (type_, localhost_profile) = written(profile);
            corev1::AppArmorProfile { type_, localhost_profile }
        }),
        seccomp_profile: security.seccomp.as_ref().map(|profile| {
            let (type_, localhost_profile) = written(profile);
            corev1::SeccompProfile { type_, localhost_profile }
        }),
        se_linux_options: security.se_linux.as_ref().map(|label| corev1::SELinuxOptions {
            user: label.user.clone(),
            role: label.role.clone(),
            type_: label.kind.clone(),
            level: label.level.clone(),
        }),
        ..corev1::SecurityContext::default()
    };
    (context != corev1::SecurityContext::default()).then_some(context)
}

/// The context of the pod: its kernel parameters.
pub(super) fn pod(task: &TaskDefinition) -> Option<corev1::PodSecurityContext> {
    let sysctls: Vec<corev1::Sysctl> = task
        .kernel_parameters
        .iter()
        .map(|(name, value)| corev1::Sysctl { name: name.clone(), value: value.clone() })
        .collect();
    (!sysctls.is_empty()).then(|| corev1::PodSecurityContext {
        sysctls: Some(sysctls),
        ..corev1::PodSecurityContext::default()
    })
}

fn written(profile: &Profile) -> (String, Option<String>) {
    match profile {
        Profile::Unconfined => ("Unconfined".to_owned(), None),
        Profile::Runtime => ("RuntimeDefault".to_owned(), None),
        Profile::Node(name) => ("Localhost".to_owned(), Some(name.clone())),
    }
}
