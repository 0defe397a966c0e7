//! How does one get a real Kubernetes control plane on this machine, now, and get rid of it?
//!
//! [`ControlPlane::start`] finds or builds etcd, the API server, the controller manager, the
//! scheduler, kwok and kubectl, starts them in a folder of their own on the loopback interface, and
//! returns when a client can work: within seconds, or minutes where they must first be built. The
//! real controllers, admission and RBAC decide; only the kubelets are played, by kwok (see
//! [`nodes`] and the stages it describes).
//!
//! # Guarantees
//! - Everything ends with this process, however it ends (see `guard.rs`), or before, by
//!   [`ControlPlane::stop`] or by dropping it.
//! - Several may run at once, in one process or in many; none sees another.
//! - Nothing outside its folder and the cache is written, nothing but loopback is listened on, and
//!   the network is used only to build.
//!
//! # Assumptions
//! A Unix with `/bin/sh`.

mod build;
mod certificates;
mod components;
mod crds;
mod error;
mod guard;
mod locate;
mod log;
mod modules;
pub mod nodes;
mod process;
mod progress;
mod version;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::OnceCell;

use self::process::Processes;

pub use self::components::BINPACK_SCHEDULER;
pub use self::error::{Error, NoBuild, NoPrograms};
pub use self::locate::{Programs, Sources};
pub use self::modules::Program;
pub use self::progress::{Lines, Progress, Silent, Step};
pub use self::version::{UnknownVersion, Version};

/// What a control plane is started with.
#[derive(Clone)]
pub struct Options {
    /// Which Kubernetes.
    pub version: Version,
    /// Where its programs are looked for.
    pub sources: Sources,
    /// Who hears what is going on.
    pub progress: Arc<dyn Progress>,
    /// Whether every request is logged to [`ControlPlane::audit_log`], one JSON object a line.
    pub audit: bool,
    /// Further arguments of a program, after its own, so that they win.
    pub arguments: Vec<(Program, String)>,
    /// How long the started programs may take to become ready.
    pub ready_within: Duration,
    /// What is installed before the controllers start. The garbage collector looks for new kinds
    /// only every 30 seconds, so that what belongs to one installed later goes late.
    pub crds: Vec<CustomResourceDefinition>,
}

impl Default for Options {
    /// The newest Kubernetes, by what the environment says of where programs are, in silence.
    fn default() -> Self {
        Self {
            version: Version::default(),
            sources: Sources::from_environment(),
            progress: Arc::new(Silent),
            audit: false,
            arguments: Vec::new(),
            ready_within: Duration::from_secs(120),
            crds: Vec::new(),
        }
    }
}

/// A running control plane. It ends when this is dropped.
pub struct ControlPlane {
    processes: Mutex<Processes>,
    programs: Programs,
    version: Version,
    layout: components::Layout,
    kubeconfig: String,
    config: kube::Config,
    group: i32,
}

impl ControlPlane {
    /// Starts one, building its programs first where they are missing.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let deadline = options.ready_within;
        let progress = Arc::clone(&options.progress);
        let version = options.version;
        let crds = options.crds.clone();
        let mut processes = blocking(move || {
            let programs = Programs::provide(version, &options.sources, &*options.progress)?;
            Processes::prepare(programs, options.audit, options.arguments)
        })
        .await?;
        let started = Instant::now();
        let tell = |message: &str| {
            progress.report(&Step {
                message: message.to_owned(),
                elapsed: started.elapsed(),
                done: None,
            });
        };

        tell("starting etcd and kube-apiserver");
        processes.run(Program::Etcd)?;
        let config = processes.run_api_server(started + deadline).await?;
        let client = Client::try_from(config.clone())
            .map_err(|source| Error::Refused { doing: "connect", source })?;

        crds::install(&client, &crds)
            .await
            .map_err(|source| Error::Refused { doing: "install the CRDs", source })?;
        tell("starting kube-controller-manager, kube-scheduler and kwok");
        for program in [Program::KubeControllerManager, Program::KubeScheduler, Program::Kwok] {
            processes.run(program)?;
        }
        processes
            .until(
                "default ServiceAccount",
                Program::KubeControllerManager,
                started + deadline,
                || has_default_service_account(&client, "default"),
            )
            .await?;
        tell("ready");
        Ok(Self {
            programs: processes.programs().clone(),
            layout: processes.layout().clone(),
            kubeconfig: processes.admin_kubeconfig(),
            group: processes.group(),
            processes: Mutex::new(processes),
            version,
            config,
        })
    }

    /// The control plane that all tests of one test program share; the first to ask starts it with
    /// its options. It ends with the process.
    pub async fn shared(options: Options) -> Result<&'static Self, Error> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(options)).await
    }

    /// How a client connects, as an administrator. Make a client per runtime: a client's
    /// connections belong to the runtime in which it was made.
    pub fn config(&self) -> kube::Config {
        self.config.clone()
    }

    /// The administrator's kubeconfig, complete in itself.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// A file that holds [`kubeconfig`](Self::kubeconfig).
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.layout.file("admin.kubeconfig")
    }

    /// The `kubectl` of this version.
    pub fn kubectl(&self) -> &Path {
        self.programs.path(Program::Kubectl)
    }

    /// Which Kubernetes it is.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Its folder, gone at its end: data, settings, and the log of each program, `<program>.log`.
    pub fn dir(&self) -> &Path {
        &self.layout.dir
    }

    /// The number of the process group that its programs run in, as `kill` takes it after a minus.
    pub const fn process_group(&self) -> i32 {
        self.group
    }

    /// Where requests are logged, with [`Options::audit`].
    pub fn audit_log(&self) -> PathBuf {
        self.layout.audit_log()
    }

    /// Why it no longer works: the first program found to have ended by itself.
    pub fn failed(&self) -> Option<Error> {
        let mut processes =
            self.processes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        processes.failed().err()
    }

    /// A new namespace `<prefix>-<something unique>` in which pods can be created at once.
    pub async fn namespace(&self, client: &Client, prefix: &str) -> Result<String, kube::Error> {
        let namespace = corev1::Namespace {
            metadata: ObjectMeta {
                generate_name: Some(format!("{prefix}-")),
                ..ObjectMeta::default()
            },
            ..corev1::Namespace::default()
        };
        let api = Api::<corev1::Namespace>::all(client.clone());
        let name = api.create(&PostParams::default(), &namespace).await?;
        let name = name.metadata.name.unwrap_or_default();
        // Admission refuses pods until the controller manager has made it.
        while !has_default_service_account(client, &name).await? {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(name)
    }

    /// Ends it; returns when every process and the folder are gone.
    pub async fn stop(self) {
        let _ = blocking(move || {
            drop(self);
            Ok(())
        })
        .await;
    }
}

async fn has_default_service_account(
    client: &Client,
    namespace: &str,
) -> Result<bool, kube::Error> {
    let api = Api::<corev1::ServiceAccount>::namespaced(client.clone(), namespace);
    Ok(api.get_opt("default").await?.is_some())
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going away and this with it.
            Err(_) => std::future::pending().await,
        },
    }
}
