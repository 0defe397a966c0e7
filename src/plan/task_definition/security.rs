//! As whom does a container run, and what may it do? `user`, `privileged`, `dockerSecurityOptions`
//! and `linuxParameters.capabilities`.

use serde_json::Value;

use super::read::{flag, listed};
use super::resolve::Around;
use crate::ecs::reference::text;
use crate::plan::finding::Findings;

/// The highest user and group number that Kubernetes takes.
const HIGHEST_ID: i64 = i32::MAX as i64;

/// The number that `nobody` has in Debian's, Alpine's and Fedora's images.
const NOBODY: i64 = 65534;

/// The capabilities that ECS knows, beside ALL.
const CAPABILITIES: &[&str] = &[
    "AUDIT_CONTROL",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
];

/// What a container may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// The number of the user it runs as; none means the image's user.
    pub user: Option<i64>,
    /// The number of its group.
    pub group: Option<i64>,
    /// Whether it has the rights of root on the node.
    pub privileged: bool,
    /// Whether its processes can never gain rights.
    pub no_new_privileges: bool,
    /// Capabilities on top of the runtime's default set, without `CAP_`.
    pub added: Vec<String>,
    /// Capabilities taken from that set.
    pub dropped: Vec<String>,
    /// Its AppArmor profile.
    pub app_armor: Option<Profile>,
    /// Its seccomp profile.
    pub seccomp: Option<Profile>,
    /// Its SELinux label.
    pub se_linux: Option<SeLinux>,
}

/// A profile of AppArmor or seccomp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// None at all.
    Unconfined,
    /// The container runtime's own.
    Runtime,
    /// One that is loaded on the node.
    Node(String),
}

/// The parts of an SELinux label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeLinux {
    /// `label:user:…`
    pub user: Option<String>,
    /// `label:role:…`
    pub role: Option<String>,
    /// `label:type:…`
    pub kind: Option<String>,
    /// `label:level:…`
    pub level: Option<String>,
}

/// Reads what the container at `path` may do.
pub(super) fn security(
    raw: &Value,
    path: &str,
    around: &Around<'_>,
    findings: &mut Findings,
) -> Security {
    let mut security = Security::default();
    if let Some(written) = text(raw, "user") {
        user(&written, &format!("{path}.user"), &mut security, findings);
    }
    if flag(raw, "privileged") == Some(true)
        && around.allows(&format!("{path}.privileged"), "true", findings)
    {
        security.privileged = true;
    }
    for (at, option) in listed(raw, "dockerSecurityOptions") {
        let path = format!("{path}.dockerSecurityOptions[{at}]");
        if around.allows(&path, &option, findings) {
            security_option(&option, &path, &mut security, findings);
        }
    }
    capabilities(raw, path, around, &mut security, findings);
    if security.no_new_privileges && security.privileged {
        findings.refuse_value(
            format!("{path}.dockerSecurityOptions"),
            "no-new-privileges",
            "cannot be had together with privileged in Kubernetes; leave out one of them",
        );
    }
    security
}

/// `user`, `uid`, `user:group`, `uid:gid`, `user:gid`, `uid:group`.
///
/// A number is the same everywhere. A name stands in the image's /etc/passwd, which only the
/// container runtime sees, and a pod has no field for it.
fn user(written: &str, path: &str, security: &mut Security, findings: &mut Findings) {
    let (user, group) = match written.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (written, None),
    };
    let fits = |part: &str| {
        let is_foreign = |c: char| c == ':' || c.is_whitespace();
        !part.is_empty() && !part.starts_with('-') && !part.contains(is_foreign)
    };
    let too_high = |part: &str| {
        part.chars().all(|c| c.is_ascii_digit())
            && part.parse::<i64>().map_or(true, |number| number > HIGHEST_ID)
    };
    if !fits(user) || too_high(user) || group.is_some_and(|group| !fits(group) || too_high(group)) {
        let rule = format!(
            "must be `user`, `uid`, or either with `:group` or `:gid`; numbers go up to {HIGHEST_ID}"
        );
        findings.refuse_value(path, written, rule);
        return;
    }
    match number(user) {
        Some(number) => {
            security.user = Some(number);
            if user == "nobody" {
                let message = "is taken to be number 65534, as in most images; give the number to be \
                               sure";
                findings.differs(path, message);
            }
        }
        None => findings.differs(
            path,
            format!(
                "`{user}` is a name that only the image knows; the container runs as the image's \
                 own user, which may be root. Give the number that `id -u {user}` prints in the image"
            ),
        ),
    }
    match group.map(|group| (group, number(group))) {
        // A group alone is nothing that a runtime takes.
        Some((_, Some(number))) if security.user.is_some() => security.group = Some(number),
        Some((group, None)) if security.user.is_some() => findings.differs(
            path,
            format!(
                "`{group}` is a name that only the image knows; the container runs with the user's \
                 own group. Give the number that `getent group {group}` prints in the image"
            ),
        ),
        _ => {}
    }
}

fn number(part: &str) -> Option<i64> {
    match part {
        "root" => Some(0),
        "nobody" => Some(NOBODY),
        digits => digits.parse().ok(),
    }
}

/// Docker takes `=` for `:` here.
fn security_option(option: &str, path: &str, security: &mut Security, findings: &mut Findings) {
    let (name, value) = option.split_once([':', '=']).unwrap_or((option, ""));
    match (name, value) {
        ("no-new-privileges", "" | "true") => security.no_new_privileges = true,
        ("no-new-privileges", "false") => security.no_new_privileges = false,
        ("apparmor", "unconfined") => security.app_armor = Some(Profile::Unconfined),
        ("apparmor", "docker-default") => security.app_armor = Some(Profile::Runtime),
        ("apparmor", profile) if !profile.trim().is_empty() => {
            security.app_armor = Some(Profile::Node(profile.trim().to_owned()));
        }
        ("seccomp", "unconfined") => security.seccomp = Some(Profile::Unconfined),
        ("seccomp", "builtin") => security.seccomp = Some(Profile::Runtime),
        ("seccomp", profile) if !profile.is_empty() => {
            if profile.starts_with('/') || profile.split('/').any(|part| part == "..") {
                findings.refuse_value(
                    path,
                    option,
                    "must name a file below the kubelet's folder seccomp, as in \
                     `seccomp:profiles/web.json`",
                );
            } else {
                security.seccomp = Some(Profile::Node(profile.to_owned()));
            }
        }
        ("label", value) if !value.is_empty() => label(value, option, path, security, findings),
        ("credentialspec", _) => findings.differs(
            path,
            "Active Directory accounts are not set up by this version of Linkspan; the container \
             runs without one",
        ),
        _ => findings.refuse_value(
            path,
            option,
            "must be no-new-privileges, apparmor:PROFILE, seccomp:PROFILE, label:VALUE or \
             credentialspec:PATH",
        ),
    }
}

fn label(value: &str, option: &str, path: &str, security: &mut Security, findings: &mut Findings) {
    let label = security.se_linux.get_or_insert_default();
    let (part, value) = value.split_once(':').unwrap_or((value, ""));
    match (part, value) {
        ("disable", "") => {
            label.kind = Some("spc_t".to_owned());
            let message = "the container gets the SELinux type spc_t, which is not confined, since a \
                           pod cannot go without a label";
            findings.differs(path, message);
        }
        ("user", user) if !user.is_empty() => label.user = Some(user.to_owned()),
        ("role", role) if !role.is_empty() => label.role = Some(role.to_owned()),
        ("type", kind) if !kind.is_empty() => label.kind = Some(kind.to_owned()),
        ("level", level) if !level.is_empty() => label.level = Some(level.to_owned()),
        _ => findings.refuse_value(
            path,
            option,
            "must be label:user:USER, label:role:ROLE, label:type:TYPE, label:level:LEVEL or \
             label:disable",
        ),
    }
}

fn capabilities(
    raw: &Value,
    path: &str,
    around: &Around<'_>,
    security: &mut Security,
    findings: &mut Findings,
) {
    let path = format!("{path}.linuxParameters.capabilities");
    let Some(raw) = raw.pointer("/linuxParameters/capabilities") else { return };
    let read = |member: &str, findings: &mut Findings| {
        let mut names = Vec::new();
        for (at, name) in listed(raw, member) {
            let path = format!("{path}.{member}[{at}]");
            let upper = name.to_ascii_uppercase();
            let plain = upper.strip_prefix("CAP_").unwrap_or(&upper);
            let known = plain == "ALL" || CAPABILITIES.contains(&plain);
            if plain != name && known {
                findings.refuse_value(
                    path,
                    &name,
                    format!("is no capability; did you mean {plain}?"),
                );
            } else if !known {
                let rule =
                    "is no capability that ECS knows; names go without `CAP_`, as in NET_ADMIN";
                findings.refuse_value(path, &name, rule);
            } else if member == "add" && around.fargate && name != "SYS_PTRACE" {
                findings.refuse_value(
                    path,
                    &name,
                    "cannot be added on Fargate; only SYS_PTRACE can",
                );
            } else if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    let (added, dropped) = (read("add", findings), read("drop", findings));
    // A privileged container has them all, whatever else is said.
    if !security.privileged {
        (security.added, security.dropped) = (added, dropped);
    }
}
