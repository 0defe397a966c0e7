//! What would Linkspan make of these files?
//!
//! `linkspan render`: manifests or ECS JSON in, Kubernetes manifests and diagnostics out. The files
//! become a [`World`], the operator's own plans are carried out on it until nothing is left to
//! write, and what they wrote is printed. Offline and pure: no cluster, no clock, and the same bytes
//! every time. It decides nothing by itself.

mod beside;
mod cloud_formation;
mod comments;
mod diagnostics;
mod documents;
mod hints;
mod import;
mod map;
mod placeholders;
mod print;
mod rendering;
mod root;
mod scaling;
mod settle;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

pub use print::{Format, print, yaml};
pub use settle::{Unsettled, settle, settle_watched};
pub use source::{Document, Fault, Place, Source, Span, position, read};

use self::diagnostics::Severity;
use self::rendering::Rendering;
use self::root::Root;
use crate::world::{Kind, World};

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What it is called in diagnostics.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// What is asked of a rendering.
#[allow(clippy::struct_excessive_bools, reason = "switches of what is asked, one each")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether everything that differs from ECS is an error.
    pub strict: bool,
    /// Whether Linkspan's own objects are printed too: the files', revisions and records.
    pub all: bool,
    /// Whether what has no effect in ECS's own sense (AWS bookkeeping) is reported too.
    pub verbose: bool,
    /// How manifests are written.
    pub format: Format,
    /// The minor version of the Kubernetes that the manifests are for.
    pub kubernetes_minor: u32,
    /// Whether its nodes restart all containers of a pod at one's exit, where that version can.
    pub restart_all_containers: bool,
    /// Whether the operator may label nodes, as it may where the chart's values do not say otherwise.
    pub writes_nodes: bool,
    /// Whether there is a second scheduler, for placement strategy `binpack`.
    pub packs: bool,
    /// The namespace of what names none.
    pub namespace: String,
    /// What stands for placeholders, by their names.
    pub set: Vec<(String, String)>,
    /// Whether good practice is hinted at.
    pub hints: bool,
    /// Whether `map` prints manifests of what must be there beside a Cluster.
    pub beside: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            strict: false,
            all: false,
            verbose: false,
            format: Format::Yaml,
            kubernetes_minor: crate::NEWEST_KUBERNETES_MINOR,
            restart_all_containers: true,
            writes_nodes: true,
            packs: false,
            namespace: "default".to_owned(),
            set: Vec::new(),
            hints: false,
            beside: false,
        }
    }
}

/// A rendering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The manifests.
    pub stdout: String,
    /// The diagnostics.
    pub stderr: String,
    /// Whether anything was refused.
    pub failed: bool,
}

/// Renders files.
pub fn run(files: &[File], options: &Options) -> Output {
    print_of(files, options, Purpose::Render, |_, _, manifests| print(&manifests, options.format))
}

/// The Clusters whose tables the files need.
pub fn clusters(files: &[File], options: &Options) -> Output {
    print_of(files, options, Purpose::Map, |world, roots, _| {
        map::clusters(world, roots, options.beside)
    })
}

/// The files as objects of Linkspan.
pub fn import(files: &[File], options: &Options) -> Output {
    print_of(files, options, Purpose::Import, |world, roots, _| import::objects(world, roots))
}

/// The objects of Linkspan that the files are, as JSON, with what is to say about them in a cluster
/// that has these others.
pub fn objects(files: &[File], options: &Options, there: &[(Kind, Value)]) -> (Vec<Value>, Output) {
    let mut found = Vec::new();
    let output = print_of(files, options, Purpose::Compare(there), |_, roots, _| {
        found = roots.iter().filter(|root| !root.implied).map(|root| root.body.clone()).collect();
        Ok(String::new())
    });
    (found, output)
}

/// The namespaces of the objects that the files are.
pub fn namespaces(files: &[File], options: &Options) -> BTreeSet<String> {
    let mut sources: Vec<Source> = files.iter().map(|file| read(&file.bytes)).collect();
    placeholders::fill(&mut sources, &options.set);
    let named = named(files, &sources);
    // What is wrong with the files is said where they are made objects.
    let roots = documents::roots(&named, &options.namespace, true, &mut Vec::new());
    let keys = roots.into_iter().map(|root| root.key);
    keys.filter(|key| key.kind.is_namespaced()).map(|key| key.namespace).collect()
}

/// Each file as it was read, with its name.
fn named<'a>(files: &'a [File], sources: &'a [Source]) -> Vec<(&'a str, &'a Source)> {
    files.iter().map(|file| file.name.as_str()).zip(sources).collect()
}

/// What files are read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose<'a> {
    /// To see what the operator would apply for them.
    Render,
    /// To learn which rows they need.
    Map,
    /// To make them objects.
    Import,
    /// To compare them with what is in a cluster.
    Compare(&'a [(Kind, Value)]),
}

/// Reads files, lets the plans do their work, reports, and writes what `write` makes of it.
fn print_of(
    files: &[File],
    options: &Options,
    purpose: Purpose<'_>,
    write: impl FnOnce(&mut World, &[Root], Vec<Value>) -> Result<String, String>,
) -> Output {
    let mut sources: Vec<Source> = files.iter().map(|file| read(&file.bytes)).collect();
    let unused = placeholders::fill(&mut sources, &options.set);
    let named = named(files, &sources);
    let mut rendering = Rendering::new(&named, options, purpose);
    let converts = purpose != Purpose::Render;
    let roots = documents::roots(&named, &options.namespace, converts, &mut rendering.diagnostics);
    let roots = rendering.take_in(roots);
    let outcome = rendering.settle(&roots);
    if options.hints {
        for (number, path, message) in hints::hints(&roots) {
            if let Some(root) = roots.get(number) {
                rendering.say(Severity::Hint, root, &path, format!("{path}: {message}"));
            }
        }
    }
    let Rendering { diagnostics, mut world, .. } = rendering;
    let mut failed = diagnostics.iter().any(|found| found.severity == Severity::Error);
    let texts: Vec<(&str, &str)> =
        named.iter().map(|(name, source)| (*name, source.text.as_str())).collect();
    let mut stderr = diagnostics::show(diagnostics, &texts);
    for name in unused {
        let _ = writeln!(stderr, "note: no file has the placeholder <{name}> or ${{{name}}}");
    }
    let manifests = outcome.and_then(|manifests| write(&mut world, &roots, manifests));
    let stdout = manifests.unwrap_or_else(|defect| {
        failed = true;
        let _ = writeln!(stderr, "error: {defect}");
        String::new()
    });
    Output { stdout, stderr, failed }
}
