//! What does a CapacityProvider say for which ECS has no word? The members under `kubernetes`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use serde_json::{Map, Value};

use super::nodes::Selection;
use super::{CapacityProvider, Form, Isolation, ScaleTarget};
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};
use crate::plan::placement::attributes::{is_label_name, is_qualified_name};

/// The texts of an object, by name.
pub(super) fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    let texts =
        members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    texts.collect()
}

/// Reads them into a provider whose other members have been read.
pub(super) fn read(
    members: &Map<String, Value>,
    provider: &mut CapacityProvider,
    findings: &mut Findings,
) {
    let given = |name: &str| members.get(name).filter(|value| !is_empty(value));
    if let Some(selector) = given("nodeSelector") {
        let labels = texts(Some(selector));
        if labels.is_empty() || selector.as_object().map(Map::len) != Some(labels.len()) {
            let path = "kubernetes.nodeSelector";
            findings.refuse_value(path, brief(selector), "must be an object of texts");
        } else {
            provider.nodes = Selection::All(labels);
        }
    }
    if let Some(list) = given("tolerations") {
        match serde_json::from_value::<Vec<corev1::Toleration>>(list.clone()) {
            Ok(tolerations) => provider.tolerations.extend(tolerations),
            Err(error) => findings.refuse("kubernetes.tolerations", error.to_string()),
        }
    }
    if let Some(list) = given("allowedNamespaces") {
        let names = list.as_array().and_then(|list| {
            list.iter().map(|name| Some(name.as_str()?.to_owned())).collect::<Option<Vec<_>>>()
        });
        if names.is_none() {
            let path = "kubernetes.allowedNamespaces";
            findings.refuse_value(path, brief(list), "must be a list of texts");
        }
        // A list that cannot be read allows nothing: the other way it would allow all.
        provider.allowed_namespaces = Some(names.unwrap_or_default());
    }
    if let Some(annotation) = given("scaleInAnnotation") {
        match annotation.as_str().map(|text| text.split_once('=').unwrap_or((text, "true"))) {
            Some((key, value)) if is_qualified_name(key) || is_label_name(key) => {
                provider.scale_in_annotation = Some((key.to_owned(), value.to_owned()));
            }
            _ => findings.refuse_value(
                "kubernetes.scaleInAnnotation",
                brief(annotation),
                "must be the key of an annotation, as in example.com/remove-first, or key=value",
            ),
        }
    }
    if let Some(isolation) = given("isolation") {
        provider.isolation = self::isolation(isolation, &provider.form, findings);
    }
    bounds(members, provider, findings);
    if let Some(target) = given("scaleTargetRef") {
        let text = |name: &str| {
            let text = target.get(name).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(ToOwned::to_owned)
        };
        match (text("apiVersion"), text("kind"), text("name")) {
            (Some(api_version), Some(kind), Some(name)) => {
                let namespace = text("namespace");
                provider.scale_target = Some(ScaleTarget { api_version, kind, namespace, name });
            }
            _ => findings.refuse(
                "kubernetes.scaleTargetRef",
                "must have apiVersion, kind and name of an object with a scale, and its namespace if \
                 it is in one",
            ),
        }
    }
}

/// `isolation`: None, Node, or else the name of a RuntimeClass.
fn isolation(value: &Value, form: &Form, findings: &mut Findings) -> Isolation {
    let path = "kubernetes.isolation";
    if !matches!(form, Form::FargateProfile(_)) {
        findings.refuse_value(path, brief(value), "is for fargateProfile only");
        return Isolation::Shared;
    }
    let is_part = |part: &str| {
        let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        is_end(part.as_bytes().first()) && is_end(part.as_bytes().last())
    };
    let is_name = |text: &str| {
        text.len() <= 253
            && text.split('.').all(is_part)
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
    };
    match value.as_str() {
        Some("None") => Isolation::Shared,
        Some("Node") => Isolation::Node,
        Some(class) if is_name(class) => Isolation::RuntimeClass(class.to_owned()),
        _ => {
            findings.refuse_value(
                path,
                brief(value),
                "must be None, Node or the name of a RuntimeClass",
            );
            Isolation::Shared
        }
    }
}

/// `minSize` and `maxSize`, where no `scalingConfig` says them: an Auto Scaling group has its own.
fn bounds(members: &Map<String, Value>, provider: &mut CapacityProvider, findings: &mut Findings) {
    for (name, least) in [("minSize", 0), ("maxSize", 1)] {
        let Some(value) = members.get(name).filter(|value| !value.is_null()) else { continue };
        let path = format!("kubernetes.{name}");
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        match number.filter(|number| *number >= least) {
            _ if provider.form != Form::AutoScalingGroup => findings.refuse_value(
                path,
                brief(value),
                "is for autoScalingGroupProvider only; a managedNodeGroup has scalingConfig",
            ),
            Some(number) if name == "minSize" => provider.size.least = number,
            Some(number) => provider.size.most = Some(number),
            None => {
                let rule = format!("must be a whole number of at least {least}");
                findings.refuse_value(path, brief(value), rule);
            }
        }
    }
    if provider.size.most.is_some_and(|most| most < provider.size.least) {
        findings.refuse("kubernetes.minSize", "must not be above maxSize");
    }
}
