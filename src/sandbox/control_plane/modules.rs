//! Which programs make a control plane and a node, and from which Go modules is each built?
//!
//! The `go.mod` and `go.sum` of each set are part of this crate: they pin every module down to its
//! content, so a build today and a build next year give the same programs. This file only knows;
//! it finds and builds nothing.
//!
//! `modules/kubernetes-*` replace each module that Kubernetes' own `go.mod` replaces by a folder
//! `./staging/…` with the release made from that folder (`v0.36.3` for `v1.36.3`), and no other.

use sha2::{Digest, Sha256};

use super::version::Version;

/// A program of the control plane, or of what a test puts beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// Stores every object.
    Etcd,
    /// Serves the Kubernetes API.
    KubeApiserver,
    /// Runs Deployments, Jobs, autoscalers, disruption budgets and garbage collection.
    KubeControllerManager,
    /// Places pods on nodes.
    KubeScheduler,
    /// The command line of Kubernetes, for people and for scripts.
    Kubectl,
    /// Plays the kubelet of simulated nodes.
    Kwok,
    /// Installs charts. It is no part of a control plane, and is built only where it is asked for.
    Helm,
    /// Runs the pods of a node, a real one, as everything below.
    Kubelet,
    /// Leads the addresses of corev1 Services to pods, on a node.
    KubeProxy,
    /// Runs containers for the kubelet.
    Containerd,
    /// Stays beside each pod's containers, for containerd.
    ContainerdShim,
    /// The command line of containerd.
    Ctr,
    /// Makes one container, for containerd.
    Runc,
    /// Connects a pod to its node's bridge.
    Bridge,
    /// Gives a pod its address.
    HostLocal,
    /// Gives a pod its loopback interface.
    Loopback,
    /// Leads a node's ports to a pod's.
    Portmap,
}

impl Program {
    /// Every program of a control plane, in the order in which they are built.
    pub const ALL: [Self; 6] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Kubectl,
        Self::Kwok,
    ];

    /// Every program of a real node, in the order in which they are built. They run on Linux, as root.
    pub const NODE: [Self; 10] = [
        Self::Kubelet,
        Self::KubeProxy,
        Self::Containerd,
        Self::ContainerdShim,
        Self::Ctr,
        Self::Runc,
        Self::Bridge,
        Self::HostLocal,
        Self::Loopback,
        Self::Portmap,
    ];

    /// The name of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kubectl => "kubectl",
            Self::Kwok => "kwok",
            Self::Helm => "helm",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::Containerd => "containerd",
            // containerd finds it by this name, beside itself.
            Self::ContainerdShim => "containerd-shim-runc-v2",
            Self::Ctr => "ctr",
            Self::Runc => "runc",
            Self::Bridge => "bridge",
            Self::HostLocal => "host-local",
            Self::Loopback => "loopback",
            Self::Portmap => "portmap",
        }
    }

    /// The Go package whose `main` it is.
    pub(super) const fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::KubeScheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Kwok => "sigs.k8s.io/kwok/cmd/kwok",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::Kubelet => "k8s.io/kubernetes/cmd/kubelet",
            Self::KubeProxy => "k8s.io/kubernetes/cmd/kube-proxy",
            Self::Containerd => "github.com/containerd/containerd/v2/cmd/containerd",
            Self::ContainerdShim => {
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
            }
            Self::Ctr => "github.com/containerd/containerd/v2/cmd/ctr",
            Self::Runc => "github.com/opencontainers/runc",
            Self::Bridge => "github.com/containernetworking/plugins/plugins/main/bridge",
            Self::HostLocal => "github.com/containernetworking/plugins/plugins/ipam/host-local",
            Self::Loopback => "github.com/containernetworking/plugins/plugins/main/loopback",
            Self::Portmap => "github.com/containernetworking/plugins/plugins/meta/portmap",
        }
    }
}

/// The Go modules that one or more programs are built from.
#[derive(Clone, Copy, Debug)]
pub(super) struct ModuleSet {
    /// What the set is called in messages and in the cache.
    pub(super) name: &'static str,
    /// The release it builds, without the `v`.
    pub(super) release: &'static str,
    /// The text of `go.mod`.
    pub(super) go_mod: &'static str,
    /// The text of `go.sum`.
    pub(super) go_sum: &'static str,
    /// Parts that are left out or put in, as Go's build tags say it.
    pub(super) tags: &'static str,
    /// Whether C is part of it, which needs a C compiler and what the C asks for.
    pub(super) c: bool,
}

/// The set in a folder of `modules/`, of Go alone and with all of its parts.
macro_rules! module_set {
    ($name:literal, $release:expr, $folder:literal) => {
        ModuleSet {
            name: $name,
            release: $release,
            go_mod: include_str!(concat!("modules/", $folder, "/go.mod")),
            go_sum: include_str!(concat!("modules/", $folder, "/go.sum")),
            tags: "",
            c: false,
        }
    };
}

const KUBERNETES_1_36: ModuleSet =
    module_set!("kubernetes", Version::V1_36.release(), "kubernetes-1.36");

const KUBERNETES_1_33: ModuleSet =
    module_set!("kubernetes", Version::V1_33.release(), "kubernetes-1.33");

const ETCD: ModuleSet = module_set!("etcd", "3.7.3", "etcd");

const KWOK: ModuleSet = module_set!("kwok", "0.8.0", "kwok");

const HELM: ModuleSet = module_set!("helm", "4.3.1", "helm");

const CONTAINERD: ModuleSet = ModuleSet {
    // Without file systems that no test needs.
    tags: "no_btrfs no_zfs no_devmapper",
    ..module_set!("containerd", "2.4.2", "containerd")
};

const RUNC: ModuleSet = ModuleSet {
    // Filters of system calls, which the restricted profile asks for: libseccomp, a library of C.
    tags: "seccomp netgo osusergo",
    c: true,
    ..module_set!("runc", "1.5.2", "runc")
};

const CNI: ModuleSet = module_set!("cni", "1.9.1", "cni");

impl ModuleSet {
    /// The set that `program` is built from.
    pub(super) const fn of(program: Program, version: Version) -> Self {
        match program {
            Program::Etcd => ETCD,
            Program::Kwok => KWOK,
            Program::Helm => HELM,
            Program::Containerd | Program::ContainerdShim | Program::Ctr => CONTAINERD,
            Program::Runc => RUNC,
            Program::Bridge | Program::HostLocal | Program::Loopback | Program::Portmap => CNI,
            Program::Kubelet
            | Program::KubeProxy
            | Program::KubeApiserver
            | Program::KubeControllerManager
            | Program::KubeScheduler
            | Program::Kubectl => match version {
                Version::V1_33 => KUBERNETES_1_33,
                Version::V1_36 => KUBERNETES_1_36,
            },
        }
    }

    /// Its folder in the cache: another content or another machine has another folder, such as
    /// `kubernetes-1.36.3-linux-x86_64-0123456789ab`.
    pub(super) fn folder(&self) -> String {
        let digest = Sha256::new()
            .chain_update(self.go_mod)
            .chain_update(self.go_sum)
            .chain_update(self.linker_flags())
            .chain_update(self.tags)
            .finalize();
        let hash =
            digest.iter().take(6).fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"));
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        format!("{}-{}-{os}-{arch}-{hash}", self.name, self.release)
    }

    /// What the linker is told: no symbols, no shared libraries, and the version that the programs
    /// report.
    pub(super) fn linker_flags(&self) -> String {
        let mut flags = "-s -w".to_owned();
        if self.c {
            flags.push_str(" -linkmode external -extldflags -static");
        }
        if self.name == "kubernetes" {
            let mut numbers = self.release.split('.');
            for (variable, value) in [
                ("gitVersion", format!("v{}", self.release)),
                ("gitMajor", numbers.next().unwrap_or_default().to_owned()),
                ("gitMinor", numbers.next().unwrap_or_default().to_owned()),
                ("gitTreeState", "clean".to_owned()),
            ] {
                flags.push_str(" -X k8s.io/component-base/version.");
                flags.push_str(variable);
                flags.push('=');
                flags.push_str(&value);
            }
        }
        flags
    }

    /// The oldest Go that may build it, by the `go` line of its `go.mod`: `(1, 26)`.
    pub(super) fn needed_go(&self) -> Option<(u32, u32)> {
        let line = self.go_mod.lines().find_map(|line| line.strip_prefix("go "))?;
        go_version(line)
    }
}

/// The major and minor of a Go version: `(1, 26)` of `go1.26.8` or `1.26.0`.
pub(super) fn go_version(text: &str) -> Option<(u32, u32)> {
    let text = text.trim();
    let number = text.strip_prefix("go").unwrap_or(text);
    let mut numbers = number.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_program() -> impl Iterator<Item = Program> {
        Program::ALL.into_iter().chain([Program::Helm]).chain(Program::NODE)
    }

    #[test]
    fn every_program_is_pinned_as_a_tool_of_its_modules() {
        for version in Version::ALL {
            for program in every_program() {
                let set = ModuleSet::of(program, version);
                assert!(
                    set.go_mod
                        .lines()
                        .any(|line| line.trim_start_matches("tool ").trim() == program.package()),
                    "{program:?} in {} {}",
                    set.name,
                    set.release
                );
                assert!(set.needed_go().is_some_and(|go| go <= (1, 26)), "{}", set.name);
            }
        }
    }

    #[test]
    fn every_set_requires_the_release_it_is_named_after() {
        for version in Version::ALL {
            for program in every_program() {
                let set = ModuleSet::of(program, version);
                let release = format!("v{}", set.release);
                let required = set.go_mod.lines().any(|line| {
                    let mut words = line.split_whitespace().skip_while(|word| *word == "require");
                    words.next().is_some_and(|module| program.package().starts_with(module))
                        && words.next() == Some(&release)
                });
                assert!(required, "{} {release}", set.name);
            }
        }
    }

    #[test]
    fn another_release_has_another_folder() {
        let [old, new] =
            Version::ALL.map(|version| ModuleSet::of(Program::KubeApiserver, version).folder());
        assert!(old.starts_with("kubernetes-1.33.13-"), "{old}");
        assert!(new.starts_with("kubernetes-1.36.3-"), "{new}");
    }

    #[test]
    fn kubernetes_programs_report_their_release() {
        let flags = ModuleSet::of(Program::Kubectl, Version::V1_36).linker_flags();
        assert!(flags.contains("version.gitVersion=v1.36.3 "), "{flags}");
        assert!(flags.contains("version.gitMinor=36 "), "{flags}");
    }

    #[test]
    fn a_go_version_is_read_from_any_of_its_forms() {
        for (text, version) in [
            ("go1.26.8", Some((1, 26))),
            ("1.24.0", Some((1, 24))),
            ("go1.27rc1", Some((1, 27))),
            ("devel", None),
        ] {
            assert_eq!(go_version(text), version, "{text}");
        }
    }
}
