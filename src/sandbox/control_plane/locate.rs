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

/// Where programs are looked for, and what builds them. Paths are absolute.
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

/// A path in the environment, made absolute: programs run in other folders than this process. One
/// that is empty says nothing.
fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    std::path::absolute(value).ok()
}

fn go_on(path: &OsStr) -> Option<PathBuf> {
    let go =
        std::env::split_paths(path).map(|folder| folder.join("go")).find(|go| is_program(go))?;
    std::path::absolute(go).ok()
}

/// Where each program is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs(BTreeMap<Program, PathBuf>);

impl Programs {
    /// The path of a program.
    pub fn path(&self, program: Program) -> &Path {
        self.0.get(&program).map_or_else(|| Path::new(program.name()), PathBuf::as_path)
    }

    /// Finds every program, building what is missing. Takes minutes the first time; blocks.
    pub fn provide(
        version: Version,
        sources: &Sources,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let folders = folders(version, sources, progress);
        Self::found_or_built(&Program::ALL, version, &folders, sources, progress)
    }

    /// Finds these programs in the cache, building what is missing, as [`provide`](Self::provide)
    /// does those of a control plane.
    pub fn provide_these(
        programs: &[Program],
        version: Version,
        sources: &Sources,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        Self::found_or_built(programs, version, &[], sources, progress)
    }

    fn found_or_built(
        programs: &[Program],
        version: Version,
        folders: &[PathBuf],
        sources: &Sources,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for program in programs.iter().copied() {
            match find(program, version, folders, sources.cache.as_deref()) {
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

    /// Finds one program of the cache, or builds it. Takes minutes the first time; blocks.
    pub fn provide_one(
        program: Program,
        version: Version,
        sources: &Sources,
        progress: &dyn Progress,
    ) -> Result<PathBuf, Error> {
        let mut found = Self::provide_these(&[program], version, sources, progress)?;
        Ok(found.0.remove(&program).unwrap_or_default())
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
    programs_in(cache).join(ModuleSet::of(program, version).folder()).join(program.name())
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
            let patch = release.strip_prefix(version.minor())?.strip_prefix('.')?.parse().ok()?;
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
    let output = Command::new(server).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    minor_of(text.trim().strip_prefix("Kubernetes ")?)
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::sandbox::control_plane::build::unique_folder;
    use crate::sandbox::control_plane::error::{NoBuild, NoPrograms};
    use crate::sandbox::control_plane::progress::Silent;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            Self(unique_folder(&std::env::temp_dir().join("linkspan-locate")).unwrap())
        }

        /// A program that is a shell script. A child writes it, so that no thread of this process
        /// can be caught with the file open for writing when it is to be run.
        fn program(&self, path: &str, script: &str) -> PathBuf {
            let path = self.0.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$2\" && chmod +x \"$2\"";
            let mut command = Command::new("/bin/sh");
            command.args(["-c", write, "sh", script]).arg(&path);
            assert!(command.status().unwrap().success());
            path
        }

        /// A Go that builds programs that do nothing, and counts them in the file `built`.
        fn go(&self, version: &str, build: &str) -> PathBuf {
            let script = format!(
                "if [ $1 = env ]; then echo {version}; exit; fi
                while [ $# -gt 1 ]; do if [ $1 = -o ]; then out=$2; fi; shift; done
                test -s go.mod && test -s go.sum || exit 1
                {build}"
            );
            self.program("go/bin/go", &script)
        }

        fn built(&self) -> Vec<String> {
            let text = std::fs::read_to_string(self.0.join("built")).unwrap_or_default();
            text.lines().map(str::to_owned).collect()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn server(release: &str) -> String {
        format!("echo Kubernetes v{release}")
    }

    fn assert_found(scratch: &Scratch, programs: &Programs, expected: &[(Program, &str)]) {
        for (program, path) in expected {
            assert_eq!(programs.path(*program), scratch.0.join(path), "{}", program.name());
        }
    }

    #[test]
    fn each_program_comes_from_the_first_place_that_has_it() {
        let scratch = Scratch::new();
        let cache = scratch.0.join("cache");
        scratch.program("assets/kube-apiserver", &server("1.36.0"));
        scratch.program("assets/etcd", "");
        let envtest = format!("envtest/1.36.1-{}-{}", go_os(), go_arch());
        scratch.program(&format!("{envtest}/kube-apiserver"), &server("1.36.1"));
        scratch.program(&format!("{envtest}/etcd"), "");
        scratch.program(&format!("{envtest}/kubectl"), "");
        for program in Program::ALL {
            let path = cached(program, Version::V1_36, &cache);
            scratch.program(path.strip_prefix(&scratch.0).unwrap().to_str().unwrap(), "");
        }
        let sources = Sources {
            assets: Some(scratch.0.join("assets")),
            envtest: Some(scratch.0.join("envtest")),
            cache: Some(cache.clone()),
            go: None,
        };
        let found = Programs::provide(Version::V1_36, &sources, &Silent).unwrap();
        assert_found(
            &scratch,
            &found,
            &[
                (Program::Etcd, "assets/etcd"),
                (Program::KubeApiserver, "assets/kube-apiserver"),
                (Program::Kubectl, &format!("{envtest}/kubectl")),
            ],
        );
        let kwok = cached(Program::Kwok, Version::V1_36, &cache);
        assert_eq!(found.path(Program::Kwok), kwok);
    }

    #[test]
    fn the_newest_release_that_envtest_keeps_of_the_asked_minor_is_taken() {
        let scratch = Scratch::new();
        for release in ["1.36.2", "1.36.10", "1.37.0", "1.33.13"] {
            let folder = format!("envtest/{release}-{}-{}", go_os(), go_arch());
            scratch.program(&format!("{folder}/kube-apiserver"), &server(release));
            scratch.program(&format!("{folder}/etcd"), "");
        }
        let kept = kept_by_envtest(&scratch.0.join("envtest"), Version::V1_36);
        let names: Vec<_> =
            kept.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[0].starts_with("1.36.10-"), "{names:?}");
    }

    #[test]
    fn assets_of_another_kubernetes_are_not_used_and_that_is_said() {
        let scratch = Scratch::new();
        scratch.program("assets/kube-apiserver", &server("1.31.0"));
        scratch.program("assets/etcd", "");
        let sources = Sources { assets: Some(scratch.0.join("assets")), ..Sources::default() };
        let said = Mutex::new(Vec::new());
        let hear = |step: &Step| said.lock().unwrap().push(step.message.clone());
        let error = Programs::provide(Version::V1_36, &sources, &hear).unwrap_err();
        assert!(matches!(error, Error::NoPrograms(NoPrograms { reason: NoBuild::NoCache, .. })));
        let said = said.into_inner().unwrap();
        assert!(said[0].contains("it holds Kubernetes 1.31, not Kubernetes 1.36"), "{said:?}");
    }

    #[test]
    fn a_go_that_is_too_old_is_named_with_its_version() {
        let scratch = Scratch::new();
        let go = scratch.go("go1.22.4", "exit 1");
        let cache = Some(scratch.0.join("cache"));
        let sources = Sources { cache, go: Some(go.clone()), ..Sources::default() };
        let message = Programs::provide(Version::V1_36, &sources, &Silent).unwrap_err().to_string();
        assert!(message.contains(&format!("{} is go1.22.4, too old", go.display())), "{message}");
        assert!(message.contains("install Go 1.26 or newer"), "{message}");
    }

    #[test]
    fn what_is_missing_is_built_once_however_many_ask() {
        let scratch = Scratch::new();
        let build = format!(
            "basename $out >> {}; sleep 0.1; echo '#!/bin/sh' > $out; chmod +x $out",
            scratch.0.join("built").display()
        );
        let go = Some(scratch.go("go1.26.8", &build));
        let cache = scratch.0.join("cache");
        let sources = Sources { cache: Some(cache.clone()), go, ..Sources::default() };
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| Programs::provide(Version::V1_36, &sources, &Silent).unwrap());
            }
        });
        assert_eq!(scratch.built(), Program::ALL.map(Program::name));

        let left: Vec<_> = std::fs::read_dir(programs_in(&cache))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("building"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn a_failed_build_shows_what_go_said_and_leaves_nothing_in_the_cache() {
        let scratch = Scratch::new();
        let go = Some(scratch.go("go1.26.8", "echo half > $out; echo no network >&2; exit 7"));
        let cache = scratch.0.join("cache");
        let sources = Sources { cache: Some(cache.clone()), go, ..Sources::default() };
        let message = Programs::provide(Version::V1_36, &sources, &Silent).unwrap_err().to_string();
        assert!(message.starts_with("go could not build etcd"), "{message}");
        assert!(message.ends_with("  no network"), "{message}");
        assert!(!cached(Program::Etcd, Version::V1_36, &cache).exists());
    }
}
