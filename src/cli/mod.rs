//! What does `linkspan …` on a command line ask for?
//!
//! Arguments in, files read, one call, output and exit code out. What the commands mean is decided
//! elsewhere.
//!
//! # Exit codes
//! | code | means |
//! |---|---|
//! | 0 | all is well; for `diff`: nothing would change |
//! | 1 | something was refused or went wrong, a deployment failed; for `diff`: something would change |
//! | 2 | the arguments themselves are wrong; for `diff`: it cannot be said |
//! | 3 | the time to wait is over, and what is waited for goes on |
//!
//! What was asked for goes to stdout, what is said about it to stderr. No colours are used, and what
//! is drawn over on a terminal comes in plain lines elsewhere.

pub mod attributes;
#[cfg(feature = "controller")]
mod cluster;
#[cfg(feature = "controller")]
mod delete;
#[cfg(feature = "controller")]
mod deploy;
#[cfg(feature = "controller")]
mod diff;
#[cfg(feature = "controller")]
mod doctor;
#[cfg(feature = "controller")]
mod due;
#[cfg(feature = "controller")]
mod events;
#[cfg(feature = "controller")]
mod explain;
mod init;
#[cfg(feature = "controller")]
mod logs;
#[cfg(feature = "controller")]
mod output;
mod rendering;
#[cfg(feature = "controller")]
mod rollout;
#[cfg(feature = "controller")]
mod scaling;
#[cfg(feature = "controller")]
mod shell;
#[cfg(feature = "controller")]
mod shells;
#[cfg(feature = "controller")]
mod status;
#[cfg(feature = "controller")]
mod tasks;

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use self::rendering::RenderOptions;
use crate::api;
use crate::ecs::members::support_page;
use crate::render::{self, File, Options};

/// Amazon-ECS-shaped workloads on any conformant Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "linkspan", version, about, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the Kubernetes manifests that the operator would apply for ECS JSON or for Linkspan's
    /// own objects: offline, and the same bytes every time.
    Render(rendering::Render),
    /// Print the Cluster whose tables these files need, with the names of what must be there beside
    /// it.
    Map(Map),
    /// Print the objects of Linkspan that these files are, with a comment at each loss.
    Import(Inputs),
    /// Print Linkspan's CustomResourceDefinitions.
    Crd(Crd),
    /// Print what becomes of each ECS field, as Markdown: docs/support.md.
    #[command(hide = true)]
    SupportPage,
    /// Print what each kind holds beside ECS's members, as Markdown: docs/reference.md.
    #[command(hide = true)]
    ReferencePage,
    /// Print manifests to begin with: a web service, a backend, a worker.
    Init(init::Init),
    /// Tell how services do: all of them, or one in full.
    #[cfg(feature = "controller")]
    Status(status::Status),
    /// List tasks: where they run and how they do.
    #[cfg(feature = "controller")]
    Tasks(tasks::Tasks),
    /// Print what tasks print.
    #[cfg(feature = "controller")]
    Logs(logs::Logs),
    /// Tell what happened, in ECS's words.
    #[cfg(feature = "controller")]
    Events(events::Events),
    /// Tell why a task waits, what a node takes, and which capacity there is.
    #[cfg(feature = "controller")]
    Explain(explain::Explain),
    /// Tell how a service is scaled: metrics and targets, what holds a change back, what was done.
    #[cfg(feature = "controller")]
    Scaling(scaling::Scaling),
    /// Follow a deployment to its end, list deployments, or go back to the one before.
    #[cfg(feature = "controller")]
    Rollout(rollout::Rollout),
    /// Deploy a new image.
    #[cfg(feature = "controller")]
    Deploy(deploy::Deploy),
    /// Tell what applying files would change, and which deployments would start.
    #[cfg(feature = "controller")]
    Diff(diff::Diff),
    /// Wait until services run what they should: 0; 1 if that will not come, 3 if not in time.
    #[cfg(feature = "controller")]
    Wait(rollout::Wait),
    /// Delete a service, or a cluster in the safe order.
    #[cfg(feature = "controller")]
    Delete(delete::Delete),
    /// List nodes with their ECS attributes: what placement constraints can ask of them.
    #[cfg(feature = "controller")]
    Attributes(shell::Attributes),
    /// Tell what the cluster has, what Linkspan can do there, and what is wrong.
    #[cfg(feature = "controller")]
    Doctor(doctor::Doctor),
    /// Print what a shell completes.
    #[cfg(feature = "controller")]
    Completions(shells::Completions),
    /// Print manual pages.
    #[cfg(feature = "controller")]
    Man(shells::Man),
    /// Complete a word, for kubectl.
    #[cfg(feature = "controller")]
    #[command(name = "__complete", hide = true)]
    Complete(shells::Complete),
    /// Run the operator, in the cluster that the kubeconfig or the pod's own account names.
    #[cfg(feature = "controller")]
    Controller(shell::Controller),
    /// Run a real control plane on this machine with simulated nodes, the operator and an example.
    #[cfg(feature = "sandbox")]
    Sandbox(shell::Sandbox),
}

/// `linkspan map` and `linkspan import`
#[derive(Debug, clap::Args)]
pub struct Inputs {
    /// JSON or YAML files; a folder stands for its *.json, *.yaml and *.yml, and - for stdin.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Fill the placeholders `<NAME>` and `${NAME}` of the files.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// The namespace of what names none.
    #[arg(short, long, default_value = "default")]
    namespace: String,
}

/// `linkspan map`
#[derive(Debug, clap::Args)]
pub struct Map {
    #[command(flatten)]
    inputs: Inputs,
    /// Print what must be there beside the Cluster too, as manifests: ServiceAccounts, claims, and
    /// ExternalSecrets in the place of Secrets.
    #[arg(long)]
    beside: bool,
}

/// A placeholder's name and what stands for it.
fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// `linkspan crd`
#[derive(Debug, clap::Args)]
pub struct Crd {
    /// Write one file for each into this folder instead.
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

/// Does what the arguments ask for.
pub fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::Render(arguments) => run_render(arguments),
        Command::Map(Map { inputs, beside }) => run_on(inputs, beside, render::clusters),
        Command::Import(arguments) => run_on(arguments, false, render::import),
        Command::Crd(arguments) => run_crd(&arguments),
        Command::SupportPage => print_out(&support_page()),
        Command::ReferencePage => print_out(&api::reference_page()),
        Command::Init(arguments) => init::run(&arguments),
        #[cfg(feature = "controller")]
        Command::Status(arguments) => status::run(arguments),
        #[cfg(feature = "controller")]
        Command::Tasks(arguments) => tasks::run(arguments),
        #[cfg(feature = "controller")]
        Command::Logs(arguments) => logs::run(arguments),
        #[cfg(feature = "controller")]
        Command::Events(arguments) => events::run(arguments),
        #[cfg(feature = "controller")]
        Command::Explain(arguments) => explain::run(arguments),
        #[cfg(feature = "controller")]
        Command::Scaling(arguments) => scaling::run(arguments),
        #[cfg(feature = "controller")]
        Command::Rollout(arguments) => rollout::run(arguments),
        #[cfg(feature = "controller")]
        Command::Deploy(arguments) => deploy::run(arguments),
        #[cfg(feature = "controller")]
        Command::Diff(arguments) => diff::run(arguments),
        #[cfg(feature = "controller")]
        Command::Wait(arguments) => rollout::wait(arguments),
        #[cfg(feature = "controller")]
        Command::Delete(arguments) => delete::run(arguments),
        #[cfg(feature = "controller")]
        Command::Attributes(arguments) => shell::attributes(arguments),
        #[cfg(feature = "controller")]
        Command::Doctor(arguments) => doctor::run(arguments),
        #[cfg(feature = "controller")]
        Command::Completions(arguments) => shells::completions(&arguments),
        #[cfg(feature = "controller")]
        Command::Man(arguments) => shells::man(&arguments),
        #[cfg(feature = "controller")]
        Command::Complete(arguments) => shells::complete(&arguments),
        #[cfg(feature = "controller")]
        Command::Controller(arguments) => shell::controller(arguments),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(arguments) => shell::sandbox(&arguments),
    };
    match done {
        Ok(code) => code,
        // Whoever read our output has seen enough of it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_render(arguments: rendering::Render) -> io::Result<ExitCode> {
    show(&render::run(&read_all(&arguments.files)?, &arguments.options.into()))
}

fn run_on(
    arguments: Inputs,
    beside: bool,
    run: fn(&[File], &Options) -> render::Output,
) -> io::Result<ExitCode> {
    let Inputs { files, set, namespace } = arguments;
    let options = Options { namespace, set, beside, ..Options::default() };
    show(&run(&read_all(&files)?, &options))
}

fn read_all(paths: &[PathBuf]) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(read(path)?);
    }
    Ok(files)
}

fn show(output: &render::Output) -> io::Result<ExitCode> {
    io::stderr().write_all(output.stderr.as_bytes())?;
    io::stdout().write_all(output.stdout.as_bytes())?;
    io::stdout().flush()?;
    Ok(if output.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The file of a path, or those of a folder in the order of their names.
fn read(path: &Path) -> io::Result<Vec<File>> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes)?;
        return Ok(vec![File { name: "stdin".to_owned(), bytes }]);
    }
    if !path.is_dir() {
        let bytes = fs::read(path).map_err(named)?;
        return Ok(vec![File { name: path.display().to_string(), bytes }]);
    }
    let mut inside: Vec<PathBuf> = fs::read_dir(path)
        .map_err(named)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    inside.retain(|file| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("json" | "yaml" | "yml")) && file.is_file()
    });
    inside.sort();
    if inside.is_empty() {
        let message = format!("{}: has no *.json, *.yaml or *.yml", path.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    inside.iter().map(|file| read(file)).try_fold(Vec::new(), |mut files, read| {
        files.extend(read?);
        Ok(files)
    })
}

/// The exit code where the time to wait is over.
#[cfg(feature = "controller")]
const TIMED_OUT: u8 = 3;
/// Who writes where a person asks for it: the manager of the fields.
#[cfg(feature = "controller")]
const COMMAND_LINE: &str = "linkspan-cli";

/// Prints a part of what was asked for.
#[cfg(feature = "controller")]
fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn print_out(text: &str) -> io::Result<ExitCode> {
    io::stdout().write_all(text.as_bytes())?;
    io::stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}

fn run_crd(arguments: &Crd) -> io::Result<ExitCode> {
    let crds = crds().map_err(io::Error::other)?;
    if let Some(folder) = &arguments.output_dir {
        fs::create_dir_all(folder)?;
        for (name, text) in crds {
            fs::write(folder.join(name), text)?;
        }
    } else {
        let texts: Vec<String> = crds.into_iter().map(|(_, text)| text).collect();
        io::stdout().write_all(texts.join("---\n").as_bytes())?;
        io::stdout().flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The CRDs as YAML, each with the name of its file.
///
/// # Errors
/// The YAML writer's message.
pub fn crds() -> Result<Vec<(String, String)>, String> {
    api::crds()
        .iter()
        .map(|crd| {
            let value = serde_json::to_value(crd).map_err(|error| error.to_string())?;
            let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
            Ok((name, render::yaml(&value)?))
        })
        .collect()
}
