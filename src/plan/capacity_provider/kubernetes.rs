//! What does a CapacityProvider say for which ECS has no word? The members under `kubernetes`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use serde_json::{Map, Value};

use super::nodes::Selection;
use super::{CapacityProvider, ScaleTarget};
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};

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
