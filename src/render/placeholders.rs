//! What stands for a placeholder in a file?
//!
//! `<NAME>` and `${NAME}` in texts, as deployment scripts fill them in. Only names that are given are
//! filled; places stay those of the file.

use std::collections::BTreeSet;

use serde_json::Value;

use super::source::Source;

/// Fills the placeholders of these names, and gives the names that no file has.
pub(super) fn fill(sources: &mut [Source], values: &[(String, String)]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for source in sources {
        for document in source.documents.iter_mut().flatten() {
            fill_parameters(&mut document.value, values, &mut found);
            fill_value(&mut document.value, values, &mut found);
        }
    }
    values.iter().map(|(name, _)| name).filter(|name| !found.contains(*name)).cloned().collect()
}

/// The parameters of a CloudFormation template take these values for their defaults.
fn fill_parameters(value: &mut Value, values: &[(String, String)], found: &mut BTreeSet<String>) {
    let parameters = value.get_mut("Parameters").and_then(Value::as_object_mut);
    let Some(parameters) = parameters else { return };
    for (name, given) in values {
        if let Some(Value::Object(parameter)) = parameters.get_mut(name) {
            parameter.insert("Default".to_owned(), given.as_str().into());
            found.insert(name.clone());
        }
    }
}

fn fill_value(value: &mut Value, values: &[(String, String)], found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            for (name, given) in values {
                for written in [format!("<{name}>"), format!("${{{name}}}")] {
                    if text.contains(&written) {
                        *text = text.replace(&written, given);
                        found.insert(name.clone());
                    }
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| fill_value(value, values, found)),
        Value::Object(members) => {
            members.values_mut().for_each(|value| fill_value(value, values, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
