//! How is a row written, so that a person can paste it?

use serde_json::Value;

use super::derived::Need;

/// The row in one line, with the table that it goes into, as the end of a sentence.
pub(in crate::plan) fn line(need: &Need, cluster: &str) -> String {
    let row = flow(&need.row);
    format!("add to spec.kubernetes.{} of Cluster {cluster}: - {row}", need.table)
}

/// The members of rows, those that say what a row is about first.
const ORDER: [&str; 29] = [
    "prefix",
    "role",
    "valueFrom",
    "value",
    "fileSystem",
    "accessPoint",
    "driver",
    "subnet",
    "securityGroup",
    "ingress",
    "targetGroup",
    "loadBalancerName",
    "logDriver",
    "alarmName",
    "namespace",
    "metricName",
    "comparisonOperator",
    "threshold",
    "evaluationPeriods",
    "hookTargetArn",
    "taskDefinition",
    "pullSecrets",
    "serviceAccount",
    "secretName",
    "key",
    "configMap",
    "claimName",
    "transitEncryption",
    "storageClassName",
];

/// A value as YAML in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let known = ORDER.iter().filter_map(|name| members.get_key_value(*name));
            let members: Vec<String> =
                known.map(|(name, value)| format!("{name}: {}", flow(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(flow).collect();
            format!("[{}]", list.join(", "))
        }
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a text means itself without quotes, in a list or object of one line.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(':')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:@+".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str())
}
