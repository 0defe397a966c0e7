//! How do files become a world, and what is said and printed of it?
//!
//! One rendering, from the objects of the files to the manifests: everything that the plans find is
//! reported with its place, and nothing is printed of what is refused.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::diagnostics::{self, Diagnostic, Severity};
use super::root::{Root, implied_service};
use super::settle::settle_watched;
use super::source::{Source, Span, position};
use super::{Options, Purpose};
use crate::api::{ConditionType, Reason};
use crate::ecs::members::Input;
use crate::ecs::reference::{cluster_of, family_of, service_of, task_definition_of};
use crate::plan::finding::{Finding, Findings, Level};
use crate::plan::judge::judge;
use crate::plan::{Write, capacity_provider, cluster, service, task_definition};
use crate::world::{Kind, ObjectKey, World, set};

/// What is known of the files so far.
pub(super) struct Rendering<'a> {
    sources: &'a [(&'a str, &'a Source)],
    options: &'a Options,
    purpose: Purpose<'a>,
    /// The objects, and what the plans wrote.
    pub(super) world: World,
    /// What there is to say.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The objects from which nothing may be printed.
    refused: BTreeSet<ObjectKey>,
    /// The services that wait for rows of their Cluster, which has been said.
    unmapped: BTreeSet<ObjectKey>,
}

impl<'a> Rendering<'a> {
    /// Nothing is known of them yet.
    pub(super) fn new(
        sources: &'a [(&'a str, &'a Source)],
        options: &'a Options,
        purpose: Purpose<'a>,
    ) -> Self {
        let world = World {
            server_minor: Some(options.kubernetes_minor),
            writes_nodes: options.writes_nodes,
            packs: options.packs,
            ..World::default()
        };
        let mut rendering = Self {
            sources,
            options,
            purpose,
            world,
            diagnostics: Vec::new(),
            refused: BTreeSet::new(),
            unmapped: BTreeSet::new(),
        };
        if !options.restart_all_containers {
            rendering.add_plain_node();
        }
        if let Purpose::Compare(there) = purpose {
            for (kind, body) in there {
                // What cannot be read is no part of the world in the cluster either.
                let _ = rendering.world.put(*kind, body.clone());
            }
        }
        rendering
    }

    /// Puts in a node that declares no feature: what one node cannot do, no pod asks for.
    fn add_plain_node(&mut self) {
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "plain"},
            "status": {"declaredFeatures": []},
        });
        // A node as simple as this can be read.
        let _ = self.world.put(Kind::Node, node);
    }

    /// Puts the objects of the files, and those that they imply, into the world.
    pub(super) fn take_in(&mut self, roots: Vec<Root>) -> Vec<Root> {
        let mut taken: Vec<Root> = Vec::new();
        for root in roots {
            if root.refused {
                self.refused.insert(root.key.clone());
            }
            if let Some(first) = taken.iter().find(|earlier| earlier.key == root.key) {
                let (_, kind) = root.key.kind.type_meta();
                let place = self.place(first).unwrap_or_default();
                let message = format!(
                    "{kind} {} is already given by {place}; an object can stand in one place only",
                    root.key.name
                );
                self.say(Severity::Error, &root, "", message);
            } else if self.put(&root) {
                taken.push(root);
            }
        }
        if matches!(self.purpose, Purpose::Compare(_)) {
            // Which services there are, the cluster says.
            return taken;
        }
        for implied in self.implied(&taken) {
            if self.put(&implied) {
                taken.push(implied);
            }
        }
        taken
    }

    fn put(&mut self, root: &Root) -> bool {
        let mut body = root.body.clone();
        // A description says which revision it is of; registering it again would give the same.
        let described = root.spec().get("revision").and_then(Value::as_i64).filter(|n| *n > 1);
        if let Some(there) = self.world.body(&root.key) {
            // Another generation of what a cluster has.
            let of = |path: &str| there.pointer(path).cloned().unwrap_or_default();
            let generation = of("/metadata/generation").as_i64().unwrap_or_default();
            set(&mut body, &["metadata", "uid"], of("/metadata/uid"));
            set(&mut body, &["metadata", "generation"], generation + 1);
            set(&mut body, &["status"], of("/status"));
        } else {
            set(&mut body, &["metadata", "uid"], root.uid());
            set(&mut body, &["metadata", "generation"], 1);
            if let (Kind::TaskDefinition, Some(revision)) = (root.key.kind, described) {
                set(&mut body, &["status", "latestRevision"], revision - 1);
            }
        }
        match self.world.put(root.key.kind, body) {
            Ok(()) => true,
            Err(why) => {
                let span = self.span(root, &root.origin.object_path("metadata"), true);
                let message = format!("cannot be read: {why}");
                self.push(Severity::Error, root, span, message);
                false
            }
        }
    }

    /// The services of one task for the task definitions that no service names.
    fn implied(&mut self, roots: &[Root]) -> Vec<Root> {
        let of_kind = |kind| roots.iter().filter(move |root: &&Root| root.key.kind == kind);
        let named: BTreeSet<(String, String)> = of_kind(Kind::Service)
            .filter_map(|root| {
                Some((root.key.namespace.clone(), task_definition_of(root.spec())?.family))
            })
            .collect();
        let taken: BTreeSet<(String, String)> = of_kind(Kind::Service)
            .map(|root| {
                let (_, name) = service_of(root.spec(), Some(&root.key.name));
                (root.key.namespace.clone(), name)
            })
            .collect();
        let mut services = Vec::new();
        for root in of_kind(Kind::TaskDefinition) {
            let family = family_of(root.spec(), Some(&root.key.name));
            let name = (root.key.namespace.clone(), family.clone());
            if named.contains(&name) {
                continue;
            }
            let service = implied_service(root, &family);
            if taken.contains(&name) || roots.iter().any(|other| other.key == service.key) {
                let message = format!(
                    "no service names task definition `{family}`, and none is implied, since \
                     service `{family}` runs another"
                );
                self.say(Severity::Note, root, "", message);
            } else {
                let message = format!(
                    "no service names task definition `{family}`; rendered as a service of one task"
                );
                self.say(Severity::Note, root, "", message);
                services.push(service);
            }
        }
        services
    }

    /// Lets the plans do their work, judges everything, and gives what is to be printed.
    pub(super) fn settle(&mut self, roots: &[Root]) -> Result<Vec<Value>, String> {
        let mut written: BTreeMap<ObjectKey, Vec<(ObjectKey, Value)>> = BTreeMap::new();
        settle_watched(&mut self.world, Timestamp::UNIX_EPOCH, |root, write| {
            let written = written.entry(root.clone()).or_default();
            match write {
                Write::Create(object) | Write::Apply(object) => {
                    match written.iter_mut().find(|(key, _)| *key == object.key) {
                        Some((_, body)) => body.clone_from(&object.body),
                        None => written.push((object.key.clone(), object.body.clone())),
                    }
                }
                Write::Delete { key, .. } => written.retain(|(other, _)| other != key),
                Write::Status { .. }
                | Write::MendStatus { .. }
                | Write::Scale { .. }
                | Write::Resize { .. }
                | Write::Pool { .. }
                | Write::Mark { .. }
                | Write::Evict { .. } => {}
            }
        })
        .map_err(|defect| defect.to_string())?;
        for root in roots.iter().filter(|root| root.key.kind == Kind::Service) {
            self.judge_mapping(root, roots);
        }
        for root in roots {
            self.judge(root);
        }
        let mut manifests = Vec::new();
        for root in roots.iter().filter(|root| !self.is_refused(root, roots)) {
            if self.options.all && !root.implied {
                manifests.push(root.body.clone());
            }
            for (key, body) in written.get(&root.key).into_iter().flatten() {
                let child = matches!(
                    key.kind,
                    Kind::Deployment
                        | Kind::DaemonSet
                        | Kind::Endpoints
                        | Kind::DisruptionBudget
                        | Kind::HorizontalPodAutoscaler
                        | Kind::NetworkPolicy
                        | Kind::Ingress
                );
                if child || self.options.all {
                    manifests.push(printed(body, root));
                }
            }
        }
        Ok(manifests)
    }

    /// Reports what is wrong with an object, and why it does not go on.
    fn judge(&mut self, root: &Root) {
        let Some((input, mut findings)) = found(&self.world, root) else { return };
        // What is implied is our own words: only that it cannot be done is the user's matter.
        let least = if root.implied {
            Level::Refused
        } else if self.options.verbose {
            Level::Recorded
        } else {
            Level::Differs
        };
        findings.retain(|finding| finding.level >= least);
        for finding in &findings {
            self.report(root, input, finding);
        }
        self.report_stall(root, findings.iter().any(|finding| finding.level == Level::Refused));
    }

    /// Reports what the mapping of a service's cluster leaves to say, where its task definition
    /// stands.
    fn judge_mapping(&mut self, service: &Root, roots: &[Root]) {
        let Some((_, mut findings)) = service::named(&self.world, &service.key) else { return };
        // One that is only in a cluster has no place; the service then says what is wrong with it.
        let Some(task_definition) = task_definition_of_service(service, roots) else { return };
        if findings.any_refused() {
            self.unmapped.insert(service.key.clone());
        }
        if self.purpose == Purpose::Map {
            // The rows that are printed answer it.
            for finding in &mut findings.0 {
                finding.level = finding.level.min(Level::Differs);
            }
        }
        for finding in &findings.0 {
            self.report(task_definition, Input::TaskDefinition, finding);
        }
    }

    fn report(&mut self, root: &Root, input: Input, finding: &Finding) {
        let severity = diagnostics::severity(finding, self.options.strict);
        let path = root.origin.path(&finding.path);
        let span = self.span(root, &path, diagnostics::is_about_name(input, &finding.path));
        self.push(severity, root, span, finding.to_string());
    }

    /// Reports what the plan says stands in the way, where no finding has said it.
    fn report_stall(&mut self, root: &Root, told: bool) {
        let Some(body) = self.world.body(&root.key) else { return };
        let conditions = body.pointer("/status/conditions").and_then(Value::as_array);
        let stalled = conditions.into_iter().flatten().find(|condition| {
            condition.get("type").and_then(Value::as_str) == Some(ConditionType::Stalled.as_str())
                && condition.get("status").and_then(Value::as_str) == Some("True")
        });
        let word = |name| stalled.and_then(|stalled| stalled.get(name)).and_then(Value::as_str);
        let (Some(reason), Some(message)) = (word("reason"), word("message")) else { return };
        let is = |wanted: Reason| reason == wanted.as_str();
        let mut message = message.to_owned();
        let (severity, path) = if is(Reason::NotImplemented) {
            let strict = self.options.strict;
            (if strict { Severity::Error } else { Severity::Warning }, String::new())
        } else if is(Reason::InvalidSpec) && told
            || is(Reason::TaskDefinitionRefused)
                && (root.implied || self.unmapped.contains(&root.key))
        {
            self.refused.insert(root.key.clone());
            return;
        } else if is(Reason::ClusterRefused) {
            (Severity::Error, root.origin.path("cluster"))
        } else if is(Reason::TaskDefinitionNotFound) || is(Reason::TaskDefinitionRefused) {
            if is(Reason::TaskDefinitionNotFound) {
                message.push_str(match self.purpose {
                    Purpose::Compare(_) => "; no file has it either",
                    _ => "; render sees only the files that it is given",
                });
            }
            (Severity::Error, root.origin.path("taskDefinition"))
        } else {
            (Severity::Error, String::new())
        };
        let span = if path.is_empty() {
            self.span(root, &root.origin.path(""), false)
        } else {
            self.span(root, &path, false)
        };
        self.push(severity, root, span, message);
    }

    /// Whether nothing may be printed of an object: it, or the task definition that it names, is
    /// refused.
    fn is_refused(&self, root: &Root, roots: &[Root]) -> bool {
        if self.refused.contains(&root.key) {
            return true;
        }
        let Some(named) =
            task_definition_of(root.spec()).filter(|_| root.key.kind == Kind::Service)
        else {
            return false;
        };
        roots.iter().any(|other| {
            other.key.kind == Kind::TaskDefinition
                && other.key.namespace == root.key.namespace
                && family_of(other.spec(), Some(&other.key.name)) == named.family
                && self.refused.contains(&other.key)
        })
    }

    pub(super) fn say(&mut self, severity: Severity, root: &Root, in_spec: &str, message: String) {
        let span = self.span(root, &root.origin.path(in_spec), false);
        self.push(severity, root, span, message);
    }

    fn push(&mut self, severity: Severity, root: &Root, span: Option<Span>, message: String) {
        if severity == Severity::Error {
            self.refused.insert(root.key.clone());
        }
        let source = root.origin.source;
        self.diagnostics.push(Diagnostic { severity, source, span, message });
    }

    fn span(&self, root: &Root, path: &str, of_name: bool) -> Option<Span> {
        let (_, source) = self.sources.get(root.origin.source)?;
        let document = source.documents.as_ref().ok()?.get(root.origin.document)?;
        if root.origin.converted {
            return diagnostics::span_of(
                document,
                &diagnostics::as_written(document, path),
                of_name,
            );
        }
        diagnostics::span_of(document, path, of_name)
    }

    /// Where an object stands: `file:line:column`.
    fn place(&self, root: &Root) -> Option<String> {
        let (name, source) = self.sources.get(root.origin.source)?;
        let span = self.span(root, &root.origin.path(""), false)?;
        let (line, column) = position(&source.text, span.start);
        Some(format!("{name}:{line}:{column}"))
    }
}

/// What there is to say about an object's spec.
pub(super) fn found(world: &World, root: &Root) -> Option<(Input, Vec<Finding>)> {
    let mut findings = Findings::default();
    let spec = root.spec();
    let input = match root.key.kind {
        Kind::TaskDefinition => {
            task_definition::resolve(spec, Some(&root.key.name), &mut findings);
            Input::TaskDefinition
        }
        Kind::Service => {
            findings = service::findings(world, &root.key);
            Input::Service
        }
        Kind::Cluster => {
            findings = cluster::findings(spec, &cluster_of(spec, Some(&root.key.name)));
            Input::Cluster
        }
        Kind::CapacityProvider => {
            (_, findings) = capacity_provider::findings(spec, Some(&root.key.name));
            Input::CapacityProvider
        }
        Kind::Task => Input::Task,
        Kind::Rule => Input::Rule,
        _ => return None,
    };
    if matches!(root.key.kind, Kind::Task | Kind::Rule) {
        judge(input, spec, &mut findings);
    }
    Some((input, findings.0))
}

/// The task definition among the objects that a service names.
pub(super) fn task_definition_of_service<'a>(
    service: &Root,
    roots: &'a [Root],
) -> Option<&'a Root> {
    let family = task_definition_of(service.spec())?.family;
    roots.iter().find(|other| {
        other.key.kind == Kind::TaskDefinition
            && other.key.namespace == service.key.namespace
            && family_of(other.spec(), Some(&other.key.name)) == family
    })
}

/// A child as it would be applied, but for what holds in no cluster: an owner whose UID no cluster
/// has given. (A garbage collector deletes what has such an owner.)
fn printed(body: &Value, owner: &Root) -> Value {
    let mut body = body.clone();
    if let Some(object) = body.as_object_mut() {
        object.remove("status");
    }
    if owner.given_uid().is_none()
        && let Some(meta) = body.get_mut("metadata").and_then(Value::as_object_mut)
    {
        meta.remove("ownerReferences");
    }
    body
}
