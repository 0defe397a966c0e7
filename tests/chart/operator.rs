//! The operator as the chart runs it: its account's token and its arguments, in a process of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::authentication::v1 as authenticationv1;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use linkspan::sandbox::control_plane::{ControlPlane, Options, Program};
use serde_json::json;

use crate::helm::{CHART, done, helm};
use crate::replicas::free_port;
use crate::support::{Place, control_plane_with, options, until};

/// Where the release is installed.
pub(crate) const NAMESPACE: &str = "linkspan";
/// The operator's account.
pub(crate) const ACCOUNT: &str = "system:serviceaccount:linkspan:linkspan";

/// A control plane whose requests are logged, without Linkspan, where an owner reference that blocks
/// deletion asks for the right to it, and with a namespace for the release that enforces the
/// restricted profile.
pub(crate) async fn bare() -> ControlPlane {
    bare_with(Vec::new()).await
}

/// The same, with further arguments of its programs.
pub(crate) async fn bare_with(mut arguments: Vec<(Program, String)>) -> ControlPlane {
    let plugin = "--enable-admission-plugins=OwnerReferencesPermissionEnforcement".to_owned();
    arguments.push((Program::KubeApiserver, plugin));
    let crds = Vec::new();
    let wanted = Options { crds, audit: true, arguments, ..options() };
    let control_plane = control_plane_with(wanted).await;
    let client = Client::try_from(control_plane.config()).unwrap();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    apply::<corev1::Namespace>(&Api::all(client), NAMESPACE, &namespace).await;
    control_plane
}

/// Installs the release, or upgrades it, and waits for its pods.
pub(crate) fn install(control_plane: &ControlPlane, settings: &[&str]) {
    let verb = ["upgrade", "--install", "linkspan", CHART, "--namespace", NAMESPACE, "--wait"];
    let mut arguments = verb.to_vec();
    for setting in settings {
        let value = setting.split_once('=').map_or("", |(_, value)| value);
        arguments.push(if value.starts_with(['[', '{']) { "--set-json" } else { "--set" });
        arguments.push(setting);
    }
    done(&helm(Some(&control_plane.kubeconfig_path()), &arguments));
}

/// Applies an object as an administrator.
pub(crate) async fn apply<K>(api: &Api<K>, name: &str, object: &serde_json::Value)
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let admin = PatchParams::apply("admin").force();
    api.patch(name, &admin, &Patch::Apply(object)).await.unwrap();
}

/// A client of somebody, by impersonation.
pub(crate) fn client_of(control_plane: &ControlPlane, user: &str) -> Client {
    let mut config = control_plane.config();
    config.auth_info.impersonate = Some(user.to_owned());
    Client::try_from(config).unwrap()
}

/// Gives somebody a cluster role in a namespace.
pub(crate) async fn bind(control_plane: &ControlPlane, namespace: &str, user: &str, role: &str) {
    let client = Client::try_from(control_plane.config()).unwrap();
    let name = format!("{user}-{role}");
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]});
    let api = Api::<k8s_openapi::api::rbac::v1::RoleBinding>::namespaced(client, namespace);
    apply(&api, &name, &binding).await;
}

/// A new namespace, as somebody who may edit it.
pub(crate) async fn place_of(control_plane: &ControlPlane, prefix: &str, user: &str) -> Place {
    let admin = Client::try_from(control_plane.config()).unwrap();
    let namespace = control_plane.namespace(&admin, prefix).await.unwrap();
    bind(control_plane, &namespace, user, "edit").await;
    let place = Place { client: client_of(control_plane, user), namespace };
    // Roles are aggregated, and policies taken up, some moments after they were installed.
    until("the role edit holds", || async {
        let clusters = place.api::<linkspan::api::Cluster>();
        let body = json!({"metadata": {"name": "probe"}, "spec": {}});
        let probe = serde_json::from_value(body).unwrap();
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        clusters.create(&parameters, &probe).await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    place
}

/// The operator's process. It ends when this is dropped, or with the control plane.
pub(crate) struct Operator {
    child: Child,
    log: PathBuf,
    /// Where it serves its metrics.
    pub(crate) port: u16,
}

impl Operator {
    /// Starts it as the installed Deployment says, with a token of the account, and waits until it is
    /// ready.
    pub(crate) async fn start(control_plane: &ControlPlane, more: &[&str]) -> Self {
        let client = Client::try_from(control_plane.config()).unwrap();
        let dir = control_plane.dir();
        let kubeconfig = kubeconfig(control_plane, "linkspan").await;
        let port = free_port();
        let mut installed = Installed::read(&client, dir).await;
        let listen = format!("--listen=127.0.0.1:{port}");
        for argument in more.iter().chain([&listen.as_str()]) {
            installed.replace(argument);
        }
        let log = dir.join("operator.log");
        let lines = File::options().create(true).append(true).open(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_linkspan"))
            .args(&installed.arguments)
            .env_clear()
            .envs(installed.environment("linkspan-0"))
            .env("KUBECONFIG", &kubeconfig)
            .stdin(Stdio::null())
            .stderr(lines)
            .process_group(control_plane.process_group())
            .spawn()
            .unwrap();
        let operator = Self { child, log, port };
        until("the operator is ready", || async {
            let answer = operator.get("/readyz").await;
            if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(operator.said()) }
        })
        .await;
        operator
    }

    /// What it answers, head and body; nothing where it does not.
    pub(crate) async fn get(&self, path: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut answer = String::new();
        if let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let _ = stream.read_to_string(&mut answer).await;
        }
        answer
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its log.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A token of an account of the release, as a pod gets it.
async fn token(client: &Client, account: &str) -> String {
    let accounts: Api<corev1::ServiceAccount> = Api::namespaced(client.clone(), NAMESPACE);
    let request = authenticationv1::TokenRequest {
        spec: Some(authenticationv1::TokenRequestSpec {
            expiration_seconds: Some(3600),
            ..authenticationv1::TokenRequestSpec::default()
        }),
        ..authenticationv1::TokenRequest::default()
    };
    let made = accounts.create_token_request(account, &PostParams::default(), &request).await;
    made.unwrap().status.and_then(|status| status.token).expect("a token")
}

/// A kubeconfig with nothing but a token, and the namespace that a pod's own account says.
fn with_token(control_plane: &ControlPlane, token: &str) -> String {
    let read = Kubeconfig::from_yaml(control_plane.kubeconfig()).unwrap();
    let cluster = read.clusters[0].cluster.as_ref().unwrap();
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "operator",
        "contexts": [{"name": "operator",
            "context": {"cluster": "here", "user": "operator", "namespace": NAMESPACE}}],
        "clusters": [{"name": "here", "cluster": {"server": cluster.server,
            "certificate-authority-data": cluster.certificate_authority_data}}],
        "users": [{"name": "operator", "user": {"token": token}}],
    })
    .to_string()
}

/// A file with a kubeconfig of an account of the release.
pub(crate) async fn kubeconfig(control_plane: &ControlPlane, account: &str) -> PathBuf {
    let client = Client::try_from(control_plane.config()).unwrap();
    let path = control_plane.dir().join(format!("{account}.kubeconfig"));
    fs::write(&path, with_token(control_plane, &token(&client, account).await)).unwrap();
    path
}

/// A client with nothing but the operator's token: what a thief has.
pub(crate) async fn thief(control_plane: &ControlPlane) -> Client {
    let admin = Client::try_from(control_plane.config()).unwrap();
    let kubeconfig = with_token(control_plane, &token(&admin, "linkspan").await);
    let kubeconfig = Kubeconfig::from_yaml(&kubeconfig).unwrap();
    let config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.unwrap()).unwrap()
}

/// What the installed Deployment gives its container.
#[derive(Clone)]
pub(crate) struct Installed {
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// How many pods it has.
    pub(crate) replicas: i32,
    environment: Vec<corev1::EnvVar>,
}

impl Installed {
    /// Reads it; what it mounts is written into a folder.
    pub(crate) async fn read(client: &Client, dir: &Path) -> Self {
        let deployments: Api<appsv1::Deployment> = Api::namespaced(client.clone(), NAMESPACE);
        let spec = deployments.get("linkspan").await.unwrap().spec.unwrap();
        let container = spec.template.spec.unwrap().containers.remove(0);
        let maps: Api<corev1::ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
        if let Some(map) = maps.get_opt("linkspan-capacity-providers").await.unwrap() {
            let data: BTreeMap<String, String> = map.data.unwrap();
            for (name, text) in data {
                fs::write(dir.join(name), text).unwrap();
            }
        }
        let here = |argument: String| argument.replace("/etc/linkspan", &dir.display().to_string());
        Self {
            arguments: container.args.unwrap().into_iter().map(here).collect(),
            replicas: spec.replicas.unwrap(),
            environment: container.env.unwrap(),
        }
    }

    /// Puts an argument in place of the chart's own.
    pub(crate) fn replace(&mut self, argument: &str) {
        let name = argument.split_inclusive('=').next().unwrap_or(argument);
        self.arguments.retain(|given| !given.starts_with(name));
        self.arguments.push(argument.to_owned());
    }

    /// The environment of a pod of this name, as a kubelet would make it.
    pub(crate) fn environment(&self, pod: &str) -> Vec<(String, String)> {
        let value = |variable: &corev1::EnvVar| {
            if let Some(value) = &variable.value {
                return value.clone();
            }
            let field = variable.value_from.as_ref().unwrap().field_ref.as_ref().unwrap();
            assert_eq!(field.field_path, "metadata.name");
            pod.to_owned()
        };
        let given =
            self.environment.iter().map(|variable| (variable.name.clone(), value(variable)));
        given.chain([("HOSTNAME".to_owned(), pod.to_owned())]).collect()
    }
}
