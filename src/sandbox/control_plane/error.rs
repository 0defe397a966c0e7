//! Why is there no control plane?
//!
//! One variant for each thing the caller can do about it. Nothing here is an answer of the cluster
//! to a request: that is a `kube::Error`.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::modules::Program;
use super::version::Version;

/// A control plane could not be found, built or started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine has neither the programs nor what builds them.
    #[error(transparent)]
    NoPrograms(#[from] NoPrograms),
    /// Go could not build a program: mostly no network at the first build, or a full disk.
    #[error("go could not build {} ({status}); its last words:\n{tail}", program.name())]
    Build {
        /// What was built.
        program: Program,
        /// How `go build` ended.
        status: ExitStatus,
        /// The end of what it said.
        tail: String,
    },
    /// A program of the control plane ended by itself.
    #[error("{} ended by itself ({status}); the end of its log:\n{tail}", program.name())]
    Ended {
        /// What ended.
        program: Program,
        /// How.
        status: ExitStatus,
        /// The end of its log.
        tail: String,
    },
    /// The control plane runs but did not become ready.
    #[error("no {waiting_for} after {} s; the end of {}'s log:\n{tail}", after.as_secs(), program.name())]
    NotReady {
        /// What was waited for.
        waiting_for: &'static str,
        /// For how long.
        after: Duration,
        /// Which program should have seen to it.
        program: Program,
        /// The end of its log.
        tail: String,
    },
    /// The cluster refused a request that a fresh cluster never refuses.
    #[error("cannot {doing}: {source}")]
    Refused {
        /// What was asked for.
        doing: &'static str,
        /// The answer.
        source: kube::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make the certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// The connection settings that were just written cannot be read back.
    #[error("cannot read the kubeconfig just written: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    System {
        /// What was tried: `create`, `start`, `lock`.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl Error {
    pub(super) fn system(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::System { doing, path, source }
    }
}

/// Programs are missing, and so is what could build them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPrograms {
    /// The Kubernetes that was asked for.
    pub version: Version,
    /// What was found nowhere.
    pub missing: Vec<Program>,
    /// Why they cannot be built here.
    pub reason: NoBuild,
    /// Where built programs would be kept.
    pub cache: Option<PathBuf>,
}

/// Why this machine cannot build programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoBuild {
    /// There is no `go` command.
    NoGo {
        /// The oldest Go that would do.
        needed: (u32, u32),
    },
    /// There is a `go` command, but it is too old.
    OldGo {
        /// The command.
        go: PathBuf,
        /// What it said its version is.
        found: String,
        /// The oldest Go that would do.
        needed: (u32, u32),
    },
    /// There is nowhere to keep what is built.
    NoCache,
}

impl std::error::Error for NoPrograms {}

impl fmt::Display for NoPrograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.missing.iter().map(|program| program.name()).collect();
        let names = names.join(", ");
        write!(f, "this machine has no {names} for Kubernetes {}, and ", self.version)?;
        let first = match &self.reason {
            NoBuild::NoGo { needed: (major, minor) } => {
                f.write_str("no Go to build them with")?;
                format!("install Go {major}.{minor} or newer and have `go` on the PATH")
            }
            NoBuild::OldGo { go, found, needed: (major, minor) } => {
                write!(f, "{} is {found}, too old to build them", go.display())?;
                format!("install Go {major}.{minor} or newer")
            }
            NoBuild::NoCache => {
                f.write_str("nowhere to keep them once built")?;
                "set LINKSPAN_CACHE to a folder to build them into".to_owned()
            }
        };
        write!(
            f,
            "\nany one of these helps:\n\
             - {first}; they are then built, once, in about 7 minutes on two cores\n\
             - set KUBEBUILDER_ASSETS to a folder that holds them"
        )?;
        if let Some(cache) = &self.cache {
            let cache = cache.display();
            write!(f, "\n- copy {cache} from a machine of the same kind that has built them")?;
        }
        Ok(())
    }
}
