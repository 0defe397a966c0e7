//! What is an ECS resource of a CloudFormation template, in the API's own words?
//!
//! Members start with a capital letter there, and values may be worked out when a stack is made.
//! What the template itself says is filled in: parameters with a default, and families and clusters
//! that it names by their logical IDs. The rest stays a placeholder `${…}`, or is said.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ecs::members::{Input, Member, Shape};

/// An ECS resource of a template.
pub(super) struct Resource<'a> {
    /// Which input its properties are.
    pub(super) input: Input,
    /// Its logical ID; none where the properties stand alone.
    pub(super) id: Option<&'a str>,
    /// The path of its properties in the document.
    pub(super) path: String,
    /// Its properties.
    pub(super) properties: &'a Value,
}

/// The members by which properties that stand alone are known.
const ALONE: [(&str, Input); 4] = [
    ("ContainerDefinitions", Input::TaskDefinition),
    ("TaskDefinition", Input::Service),
    ("DesiredCount", Input::Service),
    ("ServiceName", Input::Service),
];

/// The member by which an object is known to be CloudFormation's.
pub(super) fn mark(object: &Map<String, Value>) -> Option<&str> {
    let known = ["AWSTemplateFormatVersion", "Resources", "Properties"];
    let mut names = known.into_iter().chain(ALONE.into_iter().map(|(name, _)| name));
    names.find(|name| object.contains_key(*name))
}

/// The ECS resources of what a document holds at its top: a template, a resource, or properties.
pub(super) fn resources(value: &Value) -> Vec<Resource<'_>> {
    if let Some(all) = value.get("Resources").and_then(Value::as_object) {
        let of = |(id, resource)| {
            let path = format!("Resources.{id}.Properties");
            of_type(resource, Some(id), path)
        };
        return all.iter().map(|(id, resource)| (id.as_str(), resource)).filter_map(of).collect();
    }
    if value.get("Properties").is_some() {
        return of_type(value, None, "Properties".to_owned()).into_iter().collect();
    }
    let alone = ALONE.into_iter().find(|(name, _)| value.get(name).is_some());
    let of = |(_, input)| Resource { input, id: None, path: String::new(), properties: value };
    alone.map(of).into_iter().collect()
}

fn of_type<'a>(resource: &'a Value, id: Option<&'a str>, path: String) -> Option<Resource<'a>> {
    let input = match resource.get("Type")?.as_str()? {
        "AWS::ECS::TaskDefinition" => Input::TaskDefinition,
        "AWS::ECS::Service" => Input::Service,
        _ => return None,
    };
    let properties = resource.get("Properties").unwrap_or(&Value::Null);
    Some(Resource { input, id, path, properties })
}

/// What a template says of names that others refer to.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// The names of a template: parameters with a default, families, clusters.
    pub(super) fn of(template: &Value) -> Self {
        let mut names = BTreeMap::new();
        let members =
            |name: &str| template.get(name).and_then(Value::as_object).into_iter().flatten();
        for (id, parameter) in members("Parameters") {
            match parameter.get("Default") {
                Some(Value::String(text)) => drop(names.insert(id.clone(), text.clone())),
                Some(Value::Number(number)) => drop(names.insert(id.clone(), number.to_string())),
                _ => {}
            }
        }
        let parameters = Self(names.clone());
        for (id, resource) in members("Resources") {
            let member = match resource.get("Type").and_then(Value::as_str) {
                Some("AWS::ECS::TaskDefinition") => "Family",
                Some("AWS::ECS::Cluster") => "ClusterName",
                _ => continue,
            };
            let written = resource.pointer(&format!("/Properties/{member}"));
            let written = written.and_then(|written| parameters.worked_out(written));
            let name = written.as_ref().and_then(Value::as_str).map_or(id.as_str(), |name| name);
            names.insert(id.clone(), name.to_owned());
        }
        Self(names)
    }

    /// What a function of CloudFormation gives, as far as the template tells.
    fn worked_out(&self, value: &Value) -> Option<Value> {
        let object = match value {
            Value::Object(object) if object.len() == 1 => object,
            other => return Some(other.clone()),
        };
        let (function, of) = object.iter().next()?;
        match (function.as_str(), of) {
            ("Ref", Value::String(name)) if name == "AWS::NoValue" => Some(Value::Null),
            ("Ref" | "Fn::ImportValue" | "Fn::GetAtt", Value::String(name)) => {
                Some(self.named(name).into())
            }
            ("Fn::GetAtt", Value::Array(parts)) => {
                let parts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
                Some(self.named(&parts?.join(".")).into())
            }
            ("Fn::Sub", Value::String(text)) => Some(self.filled(text).into()),
            ("Fn::Sub", Value::Array(parts)) => {
                let [Value::String(text), Value::Object(own)] = parts.as_slice() else {
                    return None;
                };
                let mut names = self.0.clone();
                for (name, value) in own {
                    if let Some(Value::String(text)) = self.worked_out(value) {
                        names.insert(name.clone(), text);
                    }
                }
                Some(Self(names).filled(text).into())
            }
            ("Fn::Join", Value::Array(parts)) => {
                let [Value::String(between), Value::Array(parts)] = parts.as_slice() else {
                    return None;
                };
                let texts: Option<Vec<String>> = parts
                    .iter()
                    .map(|part| Some(self.worked_out(part)?.as_str()?.to_owned()))
                    .collect();
                Some(texts?.join(between).into())
            }
            ("Fn::If" | "Fn::FindInMap" | "Fn::Select" | "Fn::Split" | "Fn::Transform", _) => None,
            _ => Some(value.clone()),
        }
    }

    fn named(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| format!("${{{name}}}"))
    }

    fn filled(&self, text: &str) -> String {
        let filled = |text: String, (name, value): (&String, &String)| {
            text.replace(&format!("${{{name}}}"), value)
        };
        self.0.iter().fold(text.to_owned(), filled)
    }
}

/// A resource's properties in the API's words; `untold` gets the paths of what cannot be worked out.
pub(super) fn converted(resource: &Resource<'_>, names: &Names, untold: &mut Vec<String>) -> Value {
    let mut conversion = Conversion { input: resource.input, names, untold };
    conversion.object(resource.properties, "", &resource.path)
}

struct Conversion<'a> {
    input: Input,
    names: &'a Names,
    untold: &'a mut Vec<String>,
}

impl Conversion<'_> {
    fn object(&mut self, value: &Value, row: &str, place: &str) -> Value {
        let Value::Object(members) = value else { return value.clone() };
        let mut object = Map::new();
        for (name, value) in members {
            let member = self.member(row, name);
            let own =
                member.map_or_else(|| lower_first(name), |member| last(member.path).to_owned());
            let place = super::source::join(place, name);
            let Some(value) = self.names.worked_out(value) else {
                self.untold.push(place);
                continue;
            };
            object.insert(own, self.value(&value, member, &place));
        }
        Value::Object(object)
    }

    fn value(&mut self, value: &Value, member: Option<&Member>, place: &str) -> Value {
        match (member.map(|member| member.shape), value) {
            (Some(Shape::Object), _) => self.object(value, member.map_or("", |m| m.path), place),
            (Some(Shape::Objects), Value::Array(list)) => {
                let row = format!("{}[]", member.map_or("", |member| member.path));
                self.elements(list, place, |conversion, element, place| {
                    conversion.object(element, &row, place)
                })
            }
            (_, Value::Array(list)) => self.elements(list, place, |_, element, _| element.clone()),
            // The keys of a free object are its own.
            (_, Value::Object(members)) => {
                let mut object = Map::new();
                for (name, value) in members {
                    match self.names.worked_out(value) {
                        Some(value) => drop(object.insert(name.clone(), value)),
                        None => self.untold.push(super::source::join(place, name)),
                    }
                }
                Value::Object(object)
            }
            _ => value.clone(),
        }
    }

    fn elements(
        &mut self,
        list: &[Value],
        place: &str,
        convert: impl Fn(&mut Self, &Value, &str) -> Value,
    ) -> Value {
        let mut elements = Vec::new();
        for (at, element) in list.iter().enumerate() {
            let place = format!("{place}[{at}]");
            match self.names.worked_out(element) {
                Some(Value::Null) => {}
                Some(element) => elements.push(convert(self, &element, &place)),
                None => self.untold.push(place),
            }
        }
        Value::Array(elements)
    }

    /// The member of a name, whatever its letters' case: `EFSVolumeConfiguration`, `FilesystemId`.
    fn member(&self, row: &str, name: &str) -> Option<&'static Member> {
        let wanted = super::source::join(row, name).to_ascii_lowercase();
        self.input.members().find(|member| member.path.to_ascii_lowercase() == wanted)
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}
