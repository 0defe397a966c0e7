//! Which objects does a file hold?
//!
//! Linkspan's objects as manifests write them, alone or in a `List`; and what ECS's own tools read
//! and print: a task definition, a list of container definitions, a service, and what the
//! `describe` calls answer. Names and namespaces are filled in here. What a spec may say is no
//! question here; what is no ECS at all is refused with a hint, or left out with a note.

use serde_json::{Map, Value, json};

use super::cloud_formation;
use super::diagnostics::{Diagnostic, Severity};
use super::root::{Origin, Root, manifest};
use super::scaling::{self, Pasted};
use super::source::{Document, Source, Span, join};
use crate::ecs::members::Input;
use crate::ecs::reference::text;
use crate::names::{GROUP, dns_label};
use crate::world::{Kind, ObjectKey, set};

/// The objects of the files, in order, and what there is to say about those that are none. Where that
/// is asked for, CloudFormation is converted.
pub(super) fn roots(
    sources: &[(&str, &Source)],
    namespace: &str,
    converts: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Root> {
    let mut roots = Vec::new();
    let mut pasted = Vec::new();
    for (number, (name, source)) in sources.iter().enumerate() {
        let documents = match &source.documents {
            Ok(documents) => documents,
            Err(fault) => {
                diagnostics.push(Diagnostic {
                    severity: Severity::Error,
                    source: number,
                    span: Some(fault.span),
                    message: fault.message.clone(),
                });
                continue;
            }
        };
        if documents.is_empty() {
            diagnostics.push(Diagnostic {
                severity: Severity::Error,
                source: number,
                span: None,
                message: "holds nothing".to_owned(),
            });
        }
        for (at, document) in documents.iter().enumerate() {
            let mut reader = Reader {
                source: number,
                number: at,
                document,
                stem: stem(name),
                namespace,
                converts,
                roots: &mut roots,
                pasted: &mut pasted,
                diagnostics,
            };
            reader.read(&document.value, "");
        }
    }
    scaling::put_in(&pasted, sources, &mut roots, diagnostics);
    roots
}

/// What a file is called, as an ECS name: `web` of `deploy/web.json`.
fn stem(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let plain: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .take(255)
        .collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "unnamed".to_owned() } else { plain.to_owned() }
}

struct Reader<'a, 'd> {
    source: usize,
    number: usize,
    document: &'d Document,
    stem: String,
    namespace: &'a str,
    converts: bool,
    roots: &'a mut Vec<Root>,
    pasted: &'a mut Vec<Pasted<'d>>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'d> Reader<'_, 'd> {
    fn read(&mut self, value: &'d Value, path: &str) {
        match value {
            Value::Object(object) if object.contains_key("apiVersion") => {
                self.manifest(object, path);
            }
            Value::Object(object) => self.ecs(value, object, path),
            Value::Array(list) if !list.is_empty() => {
                if list.iter().all(|element| element.get("image").is_some()) {
                    self.containers(value, path);
                } else {
                    for (at, element) in list.iter().enumerate() {
                        self.read(element, &format!("{path}[{at}]"));
                    }
                }
            }
            _ => self.refuse(
                path,
                "is neither an object of Linkspan nor a task definition or service of ECS",
            ),
        }
    }

    /// An object with `apiVersion` and `kind`.
    fn manifest(&mut self, object: &'d Map<String, Value>, path: &str) {
        let word = |name| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (word("apiVersion"), word("kind"));
        if let (true, Some(items)) =
            (kind.ends_with("List"), object.get("items").and_then(Value::as_array))
        {
            let items_path = join(path, "items");
            for (at, item) in items.iter().enumerate() {
                self.read(item, &format!("{items_path}[{at}]"));
            }
            return;
        }
        let known = Kind::of(api_version, kind);
        let ours = api_version == GROUP || api_version.starts_with(&format!("{GROUP}/"));
        let Some(known) = known.filter(|_| ours) else {
            if ours {
                let kinds: Vec<&str> = Kind::ALL
                    .iter()
                    .map(|kind| kind.type_meta())
                    .filter(|(api_version, _)| api_version.starts_with(GROUP))
                    .map(|(_, kind)| kind)
                    .collect();
                let message = format!(
                    "`{kind}` of {api_version} is not known; {GROUP}/{} has {}",
                    crate::api::VERSION,
                    kinds.join(", ")
                );
                self.refuse(&join(path, "kind"), message);
            } else {
                self.note(
                    path,
                    format!("{kind} of {api_version} is left out: only ECS is rendered"),
                );
            }
            return;
        };
        let Some(name) = self.name_of(object, path) else { return };
        if !object.contains_key("spec") {
            self.refuse(path, "has no spec");
            return;
        }
        let mut body = Value::Object(object.clone());
        // What a cluster said of it at some time is not what is asked for.
        for (parent, member) in
            [("", "status"), ("/metadata", "resourceVersion"), ("/metadata", "managedFields")]
        {
            if let Some(parent) = body.pointer_mut(parent).and_then(Value::as_object_mut) {
                parent.remove(member);
            }
        }
        let namespace = if known.is_namespaced() {
            let given = body.pointer("/metadata/namespace").and_then(Value::as_str);
            let namespace = given.unwrap_or(self.namespace).to_owned();
            set(&mut body, &["metadata", "namespace"], namespace.as_str());
            namespace
        } else {
            String::new()
        };
        self.roots.push(Root {
            key: ObjectKey::new(known, &namespace, &name),
            body,
            implied: false,
            refused: false,
            origin: Origin {
                source: self.source,
                document: self.number,
                object: path.to_owned(),
                spec: join(path, "spec"),
                containers_only: false,
                converted: false,
            },
        });
    }

    fn name_of(&mut self, object: &Map<String, Value>, path: &str) -> Option<String> {
        let metadata = join(path, "metadata");
        let Some(given) = object.get("metadata").filter(|metadata| metadata.is_object()) else {
            self.refuse(path, "has no metadata.name");
            return None;
        };
        let Some(name) = given.get("name").and_then(Value::as_str) else {
            self.refuse(&metadata, "has no name that is a text");
            return None;
        };
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_subdomain = name.len() <= 253
            && name.split('.').all(|label| {
                label.starts_with(edge)
                    && label.ends_with(edge)
                    && label.chars().all(|c| edge(c) || c == '-')
            });
        if !is_subdomain {
            self.refuse(
                &join(&metadata, "name"),
                format!(
                    "`{name}` cannot name a Kubernetes object: lower case letters, digits, - and . \
                     can; an ECS name of another form goes into the spec"
                ),
            );
            return None;
        }
        Some(name.to_owned())
    }

    /// An object as ECS's own tools have it.
    fn ecs(&mut self, value: &'d Value, object: &'d Map<String, Value>, path: &str) {
        let has = |name: &str| object.contains_key(name);
        if has("containerDefinitions") {
            self.task_definition(value, path, false);
        } else if object.get("taskDefinition").is_some_and(Value::is_object) {
            self.unwrap(object, path, "taskDefinition");
        } else if object.get("services").is_some_and(Value::is_array) {
            self.unwrap(object, path, "services");
        } else if object.get("service").is_some_and(Value::is_object) {
            self.unwrap(object, path, "service");
        } else if ["taskDefinition", "serviceName", "desiredCount"].into_iter().any(has) {
            self.service(value, path);
        } else if let Some(member) = cloud_formation::mark(object) {
            if self.converts {
                self.cloud_formation(value, path);
                return;
            }
            self.refuse(
                &join(path, member),
                format!(
                    "`{member}` is how CloudFormation writes; `linkspan import` turns its task \
                     definitions and services into objects that can be rendered"
                ),
            );
        } else if scaling::is_about_scaling(value) {
            let (source, document, path) = (self.source, self.number, path.to_owned());
            self.pasted.push(Pasted { source, document, path, value });
        } else if object.get("services").is_some_and(Value::is_object) {
            self.refuse(
                &join(path, "services"),
                "a Compose file is not ECS; write a task definition",
            );
        } else {
            self.refuse(
                path,
                "is no ECS: a task definition has containerDefinitions, a service has taskDefinition, \
                 and an object of Linkspan has apiVersion and kind",
            );
        }
    }

    /// The ECS resources of a CloudFormation template.
    fn cloud_formation(&mut self, value: &Value, path: &str) {
        let names = cloud_formation::Names::of(value);
        let resources = cloud_formation::resources(value);
        if resources.is_empty() {
            self.refuse(path, "has no AWS::ECS::TaskDefinition and no AWS::ECS::Service");
        }
        for resource in resources {
            let mut untold = Vec::new();
            let mut spec = cloud_formation::converted(&resource, &names, &mut untold);
            let inside = |below: &str| {
                if below.is_empty() { path.to_owned() } else { join(path, below) }
            };
            for place in untold {
                let message =
                    "is worked out when a stack is made, and left out here; write its value";
                self.say(Severity::Warning, &inside(&place), message.to_owned());
            }
            let (kind, member) = match resource.input {
                Input::TaskDefinition => (Kind::TaskDefinition, "family"),
                _ => (Kind::Service, "serviceName"),
            };
            // What has no name gets one of its stack, which begins with the logical ID.
            let name = text(&spec, member);
            let name = name.unwrap_or_else(|| resource.id.unwrap_or(&self.stem).to_owned());
            if let Some(spec) = spec.as_object_mut() {
                spec.insert(member.to_owned(), name.as_str().into());
            }
            self.bare(kind, &dns_label(&name, 63), &spec, &inside(&resource.path), false);
            if let Some(root) = self.roots.last_mut() {
                root.origin.converted = true;
            }
        }
    }

    /// What a `describe` call answers: the thing itself stands in one member.
    fn unwrap(&mut self, object: &'d Map<String, Value>, path: &str, member: &str) {
        for (name, value) in object {
            let inside = join(path, name);
            if name != member {
                if !crate::plan::judge::is_empty(value) {
                    let message = format!("`{name}` beside {member} has no effect");
                    self.note(&inside, message);
                }
                continue;
            }
            match value {
                Value::Array(list) => {
                    for (at, element) in list.iter().enumerate() {
                        self.read(element, &format!("{inside}[{at}]"));
                    }
                }
                _ if member == "taskDefinition" => self.task_definition(value, &inside, false),
                _ => self.service(value, &inside),
            }
        }
    }

    fn containers(&mut self, list: &Value, path: &str) {
        let family = self.stem.clone();
        let message =
            format!("a list of container definitions: taken for a task definition `{family}`");
        self.note(path, message);
        let spec = json!({"family": family, "containerDefinitions": list});
        self.task_definition(&spec, path, true);
    }

    fn task_definition(&mut self, spec: &Value, path: &str, containers_only: bool) {
        let family = text(spec, "family");
        let name = dns_label(family.as_deref().unwrap_or(&self.stem), 63);
        self.bare(Kind::TaskDefinition, &name, spec, path, containers_only);
        if family.is_none() {
            // Only that one can say what it is called: the rest is judged all the same.
            let member =
                if spec.get("family").is_some() { "family" } else { "containerDefinitions" };
            self.refuse(&join(path, member), "family: is required in a task definition of ECS");
            if let Some(root) = self.roots.last_mut() {
                root.refused = true;
            }
        }
    }

    fn service(&mut self, spec: &Value, path: &str) {
        let mut spec = spec.clone();
        let name = match (text(&spec, "serviceName"), text(&spec, "service")) {
            (Some(name), _) => name,
            // UpdateService calls it so.
            (None, Some(name)) => {
                let name = name.rsplit('/').next().unwrap_or_default().to_owned();
                if let Some(spec) = spec.as_object_mut() {
                    spec.remove("service");
                    spec.insert("serviceName".to_owned(), name.as_str().into());
                }
                name
            }
            (None, None) => {
                let name = self.stem.clone();
                self.note(path, format!("a service without serviceName: taken for `{name}`"));
                if let Some(spec) = spec.as_object_mut() {
                    spec.insert("serviceName".to_owned(), name.as_str().into());
                }
                name
            }
        };
        self.bare(Kind::Service, &dns_label(&name, 63), &spec, path, false);
    }

    fn bare(&mut self, kind: Kind, name: &str, spec: &Value, path: &str, containers_only: bool) {
        self.roots.push(Root {
            key: ObjectKey::new(kind, self.namespace, name),
            body: manifest(kind, self.namespace, name, spec),
            implied: false,
            refused: false,
            origin: Origin {
                source: self.source,
                document: self.number,
                object: path.to_owned(),
                spec: path.to_owned(),
                containers_only,
                converted: false,
            },
        });
    }

    fn refuse(&mut self, path: &str, message: impl Into<String>) {
        self.say(Severity::Error, path, message.into());
    }

    fn note(&mut self, path: &str, message: impl Into<String>) {
        self.say(Severity::Note, path, message.into());
    }

    fn say(&mut self, severity: Severity, path: &str, message: String) {
        let place = self.document.places.get(path);
        let span: Option<Span> = place.map(|place| place.key.unwrap_or(place.value));
        self.diagnostics.push(Diagnostic { severity, source: self.source, span, message });
    }
}
