//! `linkspan attributes`: what can placement expressions ask of which node?
//!
//! Nodes in, text out: a table as kubectl prints it, or what ListAttributes answers, as JSON. Which
//! attributes a node has is decided in [`crate::plan::placement::attributes`].

use std::fmt::Write as _;

use clap::ValueEnum;
use k8s_openapi::api::core::v1 as corev1;
use serde_json::{Value, json};

use crate::plan::placement::attributes::attributes;

/// How attributes are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table for people
    #[default]
    Table,
    /// As ListAttributes answers
    Json,
}

/// Which attributes are printed.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Filter {
    /// Only those of these nodes.
    #[arg(value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Only attributes of this name.
    #[arg(long, value_name = "NAME")]
    pub attribute_name: Option<String>,
    /// Only attributes of this value.
    #[arg(long, value_name = "VALUE")]
    pub attribute_value: Option<String>,
    /// Those too that every node has (what an agent can do), and labels with a prefix.
    #[arg(short, long)]
    pub all: bool,
}

/// One attribute of one node.
type Row = (String, String, Option<String>);

impl Filter {
    fn takes(&self, (node, name, value): &Row) -> bool {
        let is_asked = |asked: &Option<String>, found: Option<&str>| {
            asked.as_deref().is_none_or(|asked| found == Some(asked))
        };
        (self.nodes.is_empty() || self.nodes.contains(node))
            && is_asked(&self.attribute_name, Some(name))
            && is_asked(&self.attribute_value, value.as_deref())
            && (self.all || self.attribute_name.is_some() || is_telling(name))
    }
}

/// Whether nodes are told apart by it: what an agent can do all of them have, and labels with a prefix
/// are Kubernetes' own for the most part.
fn is_telling(name: &str) -> bool {
    let is_capability = name.contains("ecs.capability.") && name != "ecs.capability.external";
    !is_capability && !name.contains('/')
}

/// The attributes of nodes as text, in the order of nodes and names.
pub fn text(nodes: &[corev1::Node], filter: &Filter, output: Output) -> String {
    let mut rows: Vec<Row> = Vec::new();
    for node in nodes {
        let name = node.metadata.name.clone().unwrap_or_default();
        let of_node = attributes(node).into_iter();
        rows.extend(of_node.map(|(attribute, value)| (name.clone(), attribute, value)));
    }
    rows.retain(|row| filter.takes(row));
    rows.sort();
    match output {
        Output::Table => table(&rows),
        Output::Json => as_json(&rows),
    }
}

fn table(rows: &[Row]) -> String {
    let widest = |title: &str, of: &dyn Fn(&Row) -> usize| {
        rows.iter().map(of).chain([title.len()]).max().unwrap_or(0)
    };
    let node = widest("NODE", &|(node, ..)| node.chars().count());
    let attribute = widest("ATTRIBUTE", &|(_, name, _)| name.chars().count());
    let mut text = format!("{:node$}   {:attribute$}   VALUE\n", "NODE", "ATTRIBUTE");
    for (name, attribute_name, value) in rows {
        let value = value.as_deref().unwrap_or("<none>");
        let _ = writeln!(text, "{name:node$}   {attribute_name:attribute$}   {value}");
    }
    text
}

fn as_json(rows: &[Row]) -> String {
    let attributes = rows.iter().map(|(node, name, value)| {
        let mut one = json!({"name": name, "targetType": "container-instance", "targetId": node});
        if let (Some(value), Some(one)) = (value, one.as_object_mut()) {
            one.insert("value".to_owned(), value.as_str().into());
        }
        one
    });
    let attributes: Vec<Value> = attributes.collect();
    let mut text =
        serde_json::to_string_pretty(&json!({"attributes": attributes})).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn node(name: &str, labels: &Value) -> corev1::Node {
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap()
    }

    fn nodes() -> [corev1::Node; 2] {
        let spot = json!({"attribute.ecs.linkspan.dev/stack": "blue", "kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": "m5.large"});
        [node("b", &spot), node("a", &json!({"disk": ""}))]
    }

    #[test]
    fn a_table_tells_nodes_apart() {
        assert_eq!(
            text(&nodes(), &Filter::default(), Output::Table),
            "NODE   ATTRIBUTE           VALUE\n\
             a      disk                <none>\n\
             b      ecs.instance-type   m5.large\n\
             b      ecs.os-family       LINUX\n\
             b      ecs.os-type         linux\n\
             b      stack               blue\n"
        );
        let all = text(&nodes(), &Filter { all: true, ..Filter::default() }, Output::Table);
        assert!(all.contains("com.amazonaws.ecs.capability.privileged-container"), "{all}");
        assert!(all.contains("kubernetes.io/os"), "{all}");
    }

    #[test]
    fn json_is_what_list_attributes_answers() {
        let filter = Filter {
            nodes: vec!["b".to_owned()],
            attribute_name: Some("stack".to_owned()),
            ..Filter::default()
        };
        let found: Value = serde_json::from_str(&text(&nodes(), &filter, Output::Json)).unwrap();
        let expected = json!({"attributes": [{"name": "stack", "value": "blue",
            "targetType": "container-instance", "targetId": "b"}]});
        assert_eq!(found, expected);
        let other = Filter { attribute_value: Some("green".to_owned()), ..filter };
        let found: Value = serde_json::from_str(&text(&nodes(), &other, Output::Json)).unwrap();
        assert_eq!(found, json!({"attributes": []}));
    }
}
