//! What can be asked of `linkspan render`?

use std::path::PathBuf;

use clap::ValueEnum;

use super::setting;
use crate::render::{self, Options};
use crate::world::RESTART_ALL_CONTAINERS;
use crate::{NEWEST_KUBERNETES_MINOR, OLDEST_KUBERNETES_MINOR};

/// `linkspan render`
#[derive(Debug, clap::Args)]
pub struct Render {
    /// JSON or YAML files; a folder stands for its *.json, *.yaml and *.yml, and - for stdin.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) options: RenderOptions,
}

/// How to render.
#[allow(clippy::struct_excessive_bools, reason = "switches of a command line, one each")]
#[derive(Debug, clap::Args)]
pub struct RenderOptions {
    /// Refuse every field that has no or less effect than in ECS.
    #[arg(long)]
    strict: bool,
    /// Print Linkspan's own objects too: those of the files, revisions and deployment records.
    #[arg(long)]
    all: bool,
    /// Report fields that are only kept (AWS bookkeeping) too.
    #[arg(short, long)]
    verbose: bool,
    /// How manifests are written.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// The Kubernetes version that the manifests are for.
    #[arg(long, value_name = "1.N", value_parser = kubernetes_minor, default_value_t = Minor(NEWEST_KUBERNETES_MINOR))]
    kubernetes_version: Minor,
    /// What the nodes of that version have or lack: RestartAllContainersOnContainerExits=false.
    #[arg(long, value_name = "NAME=BOOL", value_parser = feature, value_delimiter = ',')]
    features: Vec<Feature>,
    #[command(flatten)]
    installed: Installed,
    /// The namespace of what names none.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Fill the placeholders `<NAME>` and `${NAME}` of the files.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Hint at good practice too: fixed versions, users, health checks, limits, roles, zones.
    #[arg(long)]
    hints: bool,
}

/// How Linkspan is installed, where that changes what a service gets.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Installed {
    /// Whether the operator labels nodes, as `linkspan controller --node-writes` says.
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub(super) node_writes: bool,
    /// There is a second scheduler, as `linkspan controller --binpack-scheduler` says: for placement
    /// strategy binpack.
    #[arg(long)]
    pub(super) binpack_scheduler: bool,
}

/// How manifests are written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// YAML documents
    #[default]
    Yaml,
    /// A JSON List
    Json,
}

impl From<RenderOptions> for Options {
    fn from(given: RenderOptions) -> Self {
        Self {
            strict: given.strict,
            all: given.all,
            verbose: given.verbose,
            format: match given.output {
                Format::Yaml => render::Format::Yaml,
                Format::Json => render::Format::Json,
            },
            kubernetes_minor: given.kubernetes_version.0,
            restart_all_containers: given.features.iter().all(|feature| feature.has),
            writes_nodes: given.installed.node_writes,
            packs: given.installed.binpack_scheduler,
            namespace: given.namespace,
            set: given.set,
            hints: given.hints,
            beside: false,
        }
    }
}

/// A minor version of Kubernetes 1.
#[derive(Clone, Copy, Debug)]
struct Minor(u32);

impl std::fmt::Display for Minor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

/// Whether nodes have the one feature that not every node of a version has.
#[derive(Clone, Copy, Debug)]
struct Feature {
    has: bool,
}

fn feature(text: &str) -> Result<Feature, String> {
    let (name, has) = text.split_once('=').unwrap_or((text, "true"));
    if name != RESTART_ALL_CONTAINERS {
        return Err(format!("the one that can be chosen is {RESTART_ALL_CONTAINERS}"));
    }
    has.parse().map(|has| Feature { has }).map_err(|_| "write NAME=true or NAME=false".to_owned())
}

fn kubernetes_minor(text: &str) -> Result<Minor, String> {
    let version = format!("v{}", text.trim_start_matches('v'));
    let minor = crate::world::minor_version(&version).ok_or("write it as 1.36 or as v1.36.2")?;
    if minor < OLDEST_KUBERNETES_MINOR {
        return Err(format!("1.{OLDEST_KUBERNETES_MINOR} is the oldest that Linkspan supports"));
    }
    Ok(Minor(minor))
}
