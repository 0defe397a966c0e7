//! Where on this machine are the programs of a control plane?
//!
//! Each is looked for on its own, in this order: the folder named by `KUBEBUILDER_ASSETS`, what
//! `setup-envtest` keeps, Linkspan's own cache. What is found nowhere is built by Go into that
//! cache (see [`build`](super::build)). The first two are used only for the Kubernetes minor that
//! was asked for, and only where they hold both an API server and an etcd.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::build;
use super::error::Error;
use super::modules::{ModuleSet, Program};
use super::progress::{Progress, Step};
use super::version::{Version, minor_of};

/// Where programs are looked for, and what builds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The folder of `KUBEBUILDER_ASSETS`.
    pub assets: Option<PathBuf>,
    /// The folder in which `setup-envtest` keeps one folder for each version.
    pub envtest: Option<PathBuf>,
    /// Linkspan's own cache.
    pub cache: Option<PathBuf>,
    /// The `go` command.
    pub go: Option<PathBuf>,
}

impl Sources {
    /// What the environment of this process says.
    pub fn from_environment() -> Self {
        let home = variable("HOME");
        let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let data = if cfg!(target_os = "macos") {
            below_home("Library/Application Support/io.kubebuilder.envtest")
        } else {
            variable("XDG_DATA_HOME")
                .or_else(|| below_home(".local/share"))
                .map(|data| data.join("kubebuilder-envtest"))
        };
        Self {
            assets: variable("KUBEBUILDER_ASSETS"),
            envtest: data.map(|data| data.join("k8s")),
            cache: variable("LINKSPAN_CACHE").or_else(|| {
                variable("XDG_CACHE_HOME")
                    .or_else(|| below_home(".cache"))
                    .map(|cache| cache.join("linkspan"))
            }),
            go: std::env::var_os("PATH").as_deref().and_then(go_on),
        }
    }
}

/// A path in the environment; one that is empty says nothing.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn go_on(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|folder| folder.join("go"))
        .find(|go| is_program(go))
}

/// Where each program is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs(BTreeMap<Program, PathBuf>);

impl Programs {
    /// The path of a program.
    pub fn path(&self, program: Program) -> &Path {
        self.0
            .get(&program)
            .map_or_else(|| Path::new(program.name()), PathBuf::as_path)
    }

    /// Finds every program, building what is missing. Takes minutes the first time; blocks.
    pub fn provide(
        version: Version,
        sources: &Sources,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let folders = folders(version, sources, progress);
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for program in Program::ALL {
            match find(program, version, &folders, sources.cache.as_deref()) {
                Some(path) => {
                    found.insert(program, path);
                }
                None => missing.push(program),
            }
        }
        if !missing.is_empty() {
            found.extend(build::build(version, &missing, sources, progress)?);
        }
        Ok(Self(found))
    }
}

fn find(
    program: Program,
    version: Version,
    folders: &[PathBuf],
    cache: Option<&Path>,
) -> Option<PathBuf> {
    folders
        .iter()
        .map(|folder| folder.join(program.name()))
        .chain(cache.map(|cache| cached(program, version, cache)))
        .find(|path| is_program(path))
}

/// Where the cache keeps a program, whether or not it is there.
pub(super) fn cached(program: Program, version: Version, cache: &Path) -> PathBuf {
    programs_in(cache)
        .join(ModuleSet::of(program, version).folder())
        .join(program.name())
}

/// The part of the cache that holds programs.
pub(super) fn programs_in(cache: &Path) -> PathBuf {
    cache.join("control-plane")
}

/// The folders of others that hold an API server of this version and an etcd.
fn folders(version: Version, sources: &Sources, progress: &dyn Progress) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(assets) = &sources.assets {
        match api_server_in(assets) {
            Some(found) if found == version.minor() => folders.push(assets.clone()),
            found => progress.report(&Step {
                message: format!(
                    "KUBEBUILDER_ASSETS ({}) is not used: it holds {}, not Kubernetes {version}",
                    assets.display(),
                    found.map_or_else(
                        || "no kube-apiserver with an etcd".to_owned(),
                        |found| format!("Kubernetes {found}")
                    ),
                ),
                elapsed: std::time::Duration::ZERO,
                done: None,
            }),
        }
    }
    folders.extend(
        sources
            .envtest
            .iter()
            .flat_map(|envtest| kept_by_envtest(envtest, version))
            .filter(|folder| api_server_in(folder).is_some_and(|found| found == version.minor())),
    );
    folders
}

/// The folders of `setup-envtest` for this minor and this machine, the newest release first.
fn kept_by_envtest(envtest: &Path, version: Version) -> Vec<PathBuf> {
    let machine = format!("-{}-{}", go_os(), go_arch());
    let mut releases: Vec<(u32, PathBuf)> = std::fs::read_dir(envtest)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let release = name.strip_suffix(&machine)?;
            let patch = release
                .strip_prefix(version.minor())?
                .strip_prefix('.')?
                .parse()
                .ok()?;
            Some((patch, entry.path()))
        })
        .collect();
    releases.sort_by(|a, b| b.cmp(a));
    releases.into_iter().map(|(_, path)| path).collect()
}

/// The minor of the API server in a folder that holds an etcd as well: `1.36`.
fn api_server_in(folder: &Path) -> Option<String> {
    let server = folder.join(Program::KubeApiserver.name());
    if !is_program(&server) || !is_program(&folder.join(Program::Etcd.name())) {
        return None;
    }
    let output = Command::new(server)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    minor_of(text.trim().strip_prefix("Kubernetes ")?)
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// This operating system in Go's words.
fn go_os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

/// This processor in Go's words.
fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}
