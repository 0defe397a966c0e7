//! With which settings does each program of the control plane run?
//!
//! Pure: a folder, a port and the options in, files and command lines out. What differs from a
//! cluster in production differs for one of two reasons: everything is thrown away at the end (no
//! fsync, no election among one), or somebody waits for it (no rate limits, short periods).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::ByteString;

use super::certificates::{ADMINS, Authority, Identity, token_keys};
use super::modules::Program;
use crate::plan::placement::strategies::{BINPACK_CPU_SCHEDULER, BINPACK_MEMORY_SCHEDULER};

/// The scheduler profile that fills a node before it begins another, by the pods'
/// `schedulerName`. Pods without one are placed by `default-scheduler`, as everywhere.
pub const BINPACK_SCHEDULER: &str = BINPACK_CPU_SCHEDULER;

/// The folder of one control plane and what is where in it.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) dir: PathBuf,
}

impl Layout {
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    pub(super) fn log(&self, program: Program) -> PathBuf {
        self.file(&format!("{}.log", program.name()))
    }

    pub(super) fn audit_log(&self) -> PathBuf {
        self.file("audit.log")
    }

    /// Where etcd listens: no port to be taken by another, no other user of the machine let in.
    fn etcd_socket(&self) -> String {
        format!("unix://{}", self.path("etcd.sock"))
    }
}

/// The users of the API server, by the name of their kubeconfig, with user name and group.
///
/// kwok plays every kubelet, which no role of RBAC's own describes: it is an administrator by
/// another name, so that an audit log tells them apart.
const USERS: [(&str, &str, Option<&str>); 4] = [
    ("admin", "linkspan-sandbox", Some(ADMINS)),
    ("controller-manager", "system:kube-controller-manager", None),
    ("scheduler", "system:kube-scheduler", None),
    ("kwok", "kwok", Some(ADMINS)),
];

/// Certificates and keys: what each file holds, and what each user's certificate is.
pub(super) struct Secrets {
    pub(super) files: BTreeMap<&'static str, String>,
    authority: String,
    users: BTreeMap<&'static str, Identity>,
}

impl Secrets {
    /// New ones, for one control plane.
    pub(super) fn new() -> Result<Self, rcgen::Error> {
        let authority = Authority::new()?;
        let server = authority.server()?;
        let (token_key, token_public_key) = token_keys()?;
        let users = USERS
            .into_iter()
            .map(|(name, user, group)| Ok((name, authority.client(user, group)?)))
            .collect::<Result<_, rcgen::Error>>()?;
        let authority = authority.certificate().to_owned();
        let files = BTreeMap::from([
            ("ca.crt", authority.clone()),
            ("server.crt", server.certificate),
            ("server.key", server.key),
            ("tokens.key", token_key),
            ("tokens.pub", token_public_key),
        ]);
        Ok(Self { files, authority, users })
    }

    /// The kubeconfig of each user, by its file name.
    pub(super) fn kubeconfigs(&self, port: u16) -> BTreeMap<String, String> {
        let server = format!("https://127.0.0.1:{port}");
        self.users
            .iter()
            .map(|(name, user)| {
                let text = kubeconfig(&server, &self.authority, user);
                (format!("{name}.kubeconfig"), text)
            })
            .collect()
    }
}

/// A kubeconfig that needs no other file.
fn kubeconfig(server: &str, authority: &str, user: &Identity) -> String {
    let [authority, certificate, key] = [authority, &user.certificate, &user.key].map(base64);
    format!(
        "apiVersion: v1
kind: Config
current-context: linkspan-sandbox
contexts:
- name: linkspan-sandbox
  context: {{cluster: linkspan-sandbox, user: linkspan-sandbox}}
clusters:
- name: linkspan-sandbox
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: linkspan-sandbox
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"
    )
}

/// Base64, by the one encoder that is in this crate's reach anyway: that of Kubernetes' own types.
fn base64(text: &str) -> String {
    match serde_json::to_value(ByteString(text.as_bytes().to_vec())) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

/// The settings that are files, by name.
pub(super) fn settings(layout: &Layout) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("audit-policy.yaml", AUDIT_POLICY.to_owned()),
        ("scheduler.yaml", scheduler(&layout.file("scheduler.kubeconfig"))),
        (
            "kwok.yaml",
            [
                KWOK,
                include_str!("stages/node.yaml"),
                include_str!("stages/pod.yaml"),
                include_str!("stages/pod-health.yaml"),
                include_str!("stages/pod-end.yaml"),
            ]
            .join("---\n"),
        ),
    ])
}

/// Every write, and every read but those of the control plane itself.
const AUDIT_POLICY: &str = r"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
  users:
  - system:apiserver
  - system:kube-controller-manager
  - system:kube-scheduler
  - kwok
- level: None
  verbs: [get, list, watch]
  userGroups: ['system:serviceaccounts:kube-system']
- level: None
  nonResourceURLs: ['*']
- level: Metadata
";

/// How many objects kwok works on at once. Its defaults, four, make 1,000 pods take long.
const KWOK: &str = "apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  podPlayStageParallelism: 32
  nodePlayStageParallelism: 16
  nodeLeaseParallelism: 16
  podsOnNodeSyncParallelism: 8
";

fn scheduler(kubeconfig: &Path) -> String {
    let kubeconfig = kubeconfig.display();
    let packs = [(BINPACK_CPU_SCHEDULER, "cpu"), (BINPACK_MEMORY_SCHEDULER, "memory")];
    let packs: String = packs.map(|(name, resource)| packing(name, resource)).concat();
    format!(
        "apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {{leaderElect: false}}
clientConnection: {{kubeconfig: '{kubeconfig}', qps: 1000, burst: 2000}}
podInitialBackoffSeconds: 1
podMaxBackoffSeconds: 2
profiles:
- schedulerName: default-scheduler
{packs}"
    )
}

/// A profile that fills nodes up by a resource: those of the chart.
fn packing(name: &str, resource: &str) -> String {
    format!(
        "- schedulerName: {name}
  plugins:
    score:
      # In place of the usual weight of one, so that it outweighs spreading.
      disabled: [{{name: NodeResourcesFit}}, {{name: NodeResourcesBalancedAllocation}}]
      enabled: [{{name: NodeResourcesFit, weight: 10}}]
  pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy:
        type: MostAllocated
        resources: [{{name: {resource}, weight: 1}}]
"
    )
}

/// The arguments of one program.
pub(super) fn arguments(program: Program, layout: &Layout, port: u16, audit: bool) -> Vec<String> {
    match program {
        Program::Etcd => etcd(layout),
        Program::KubeApiserver => api_server(layout, port, audit),
        Program::KubeControllerManager => controller_manager(layout),
        Program::KubeScheduler => {
            // Port 0: serves nothing.
            vec![flag("config", layout.path("scheduler.yaml")), flag("secure-port", 0)]
        }
        Program::Kwok => vec![
            flag("config", layout.path("kwok.yaml")),
            flag("kubeconfig", layout.path("kwok.kubeconfig")),
            flag("manage-nodes-with-annotation-selector", super::nodes::MANAGED_BY_KWOK.join("=")),
            // Renewed every 10 s; the node controller gives up on a node after 50.
            flag("node-lease-duration-seconds", 40),
            flag("cidr", "10.128.0.0/9"),
        ],
        // Not started by it.
        Program::Kubectl
        | Program::Helm
        | Program::Kubelet
        | Program::KubeProxy
        | Program::Containerd
        | Program::ContainerdShim
        | Program::Ctr
        | Program::Runc
        | Program::Bridge
        | Program::HostLocal
        | Program::Loopback
        | Program::Portmap => Vec::new(),
    }
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

fn etcd(layout: &Layout) -> Vec<String> {
    vec![
        flag("data-dir", layout.path("etcd")),
        flag("listen-client-urls", layout.etcd_socket()),
        flag("advertise-client-urls", layout.etcd_socket()),
        // It has no peers: any port does.
        flag("listen-peer-urls", "http://127.0.0.1:0"),
        flag("unsafe-no-fsync", true),
        // The only member need not wait long for others to stand for election.
        flag("heartbeat-interval", 20),
        flag("election-timeout", 200),
        flag("quota-backend-bytes", 8_u64 << 30),
        flag("log-level", "warn"),
    ]
}

fn api_server(layout: &Layout, port: u16, audit: bool) -> Vec<String> {
    let mut arguments = vec![
        flag("etcd-servers", layout.etcd_socket()),
        flag("bind-address", "127.0.0.1"),
        flag("advertise-address", "127.0.0.1"),
        flag("secure-port", port),
        flag("cert-dir", layout.path("apiserver")),
        flag("tls-cert-file", layout.path("server.crt")),
        flag("tls-private-key-file", layout.path("server.key")),
        flag("client-ca-file", layout.path("ca.crt")),
        flag("authorization-mode", "RBAC"),
        flag("service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
        flag("service-account-key-file", layout.path("tokens.pub")),
        flag("service-account-signing-key-file", layout.path("tokens.key")),
        // 65,000 addresses: as many Services.
        flag("service-cluster-ip-range", "10.0.0.0/16"),
        // Nobody reaches the API server by its Service, so nobody need keep its endpoints.
        flag("endpoint-reconciler-type", "none"),
        flag("allow-privileged", true),
        flag("profiling", false),
    ];
    if audit {
        arguments.extend([
            flag("audit-policy-file", layout.path("audit-policy.yaml")),
            flag("audit-log-path", layout.audit_log().display()),
            // A request is answered after its line is written.
            flag("audit-log-mode", "blocking"),
        ]);
    }
    arguments
}

fn controller_manager(layout: &Layout) -> Vec<String> {
    let mut arguments = vec![
        flag("kubeconfig", layout.path("controller-manager.kubeconfig")),
        flag("authentication-kubeconfig", layout.path("controller-manager.kubeconfig")),
        flag("authorization-kubeconfig", layout.path("controller-manager.kubeconfig")),
        flag("root-ca-file", layout.path("ca.crt")),
        flag("service-account-private-key-file", layout.path("tokens.key")),
        flag("use-service-account-credentials", true),
        flag("leader-elect", false),
        // Serves nothing.
        flag("secure-port", 0),
        flag("allocate-node-cidrs", false),
        flag("kube-api-qps", 1000),
        flag("kube-api-burst", 2000),
        // Fifteen seconds otherwise.
        flag("horizontal-pod-autoscaler-sync-period", "1s"),
    ];
    let concurrent = ["deployment", "replicaset", "job", "endpoint", "namespace", "gc"];
    arguments.extend(concurrent.map(|of| flag(&format!("concurrent-{of}-syncs"), 20)));
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_is_read_back_as_it_was_meant() {
        let secrets = Secrets::new().unwrap();
        let kubeconfigs = secrets.kubeconfigs(12345);
        assert_eq!(kubeconfigs.len(), USERS.len());
        let read = kube::config::Kubeconfig::from_yaml(&kubeconfigs["admin.kubeconfig"]).unwrap();
        let cluster = read.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:12345"));
        assert_eq!(
            cluster.certificate_authority_data.as_deref(),
            Some(base64(&secrets.files["ca.crt"]).as_str())
        );
    }

    #[test]
    fn only_loopback_addresses_are_listened_on() {
        let layout = Layout { dir: PathBuf::from("/somewhere") };
        for program in Program::ALL {
            for argument in arguments(program, &layout, 12345, true) {
                let listens = ["listen", "bind-address", "secure-port"]
                    .iter()
                    .any(|word| argument.contains(word));
                let private = argument.contains("127.0.0.1")
                    || argument.contains("unix:///somewhere/")
                    || argument.ends_with("=0")
                    || argument == "--secure-port=12345";
                assert!(!listens || private, "{} {argument}", program.name());
            }
        }
    }

    #[test]
    fn without_an_audit_nothing_is_logged() {
        let layout = Layout { dir: PathBuf::from("/somewhere") };
        let arguments = arguments(Program::KubeApiserver, &layout, 1, false);
        assert!(!arguments.iter().any(|argument| argument.contains("audit")), "{arguments:?}");
    }
}
