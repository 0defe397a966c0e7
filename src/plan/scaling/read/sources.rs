//! Where does the cluster have the metrics of a service's policies?
//!
//! `kubernetes.scaling.metrics` says it by policy; what it leaves out has a name that follows from
//! CloudWatch's.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::is_absent;
use crate::ecs::reference::text;
use crate::ecs::scaling::evaluate::{Policy, Rule};
use crate::ecs::scaling::metric::{From, Source};
use crate::plan::finding::Findings;
use crate::plan::task_definition::read::flag;

/// The source of each policy's metric.
pub(super) fn read(
    kubernetes: &Value,
    policies: &[Policy],
    findings: &mut Findings,
) -> BTreeMap<String, Source> {
    let empty = serde_json::Map::new();
    let given = kubernetes.get("metrics").and_then(Value::as_object).unwrap_or(&empty);
    for name in given.keys().filter(|name| policies.iter().all(|policy| policy.name != **name)) {
        let path = format!("kubernetes.scaling.metrics.{name}");
        findings.differs(path, "no scaling policy that can act has this name");
    }
    let mut sources = BTreeMap::new();
    for policy in policies {
        let metric = match &policy.rule {
            Rule::TargetTracking(tracking) => &tracking.metric,
            Rule::Step(_, metric, _) => metric,
        };
        let path = format!("kubernetes.scaling.metrics.{}", policy.name);
        let source = match given.get(&policy.name) {
            Some(raw) => source(raw, &path, findings),
            None => metric.source(),
        };
        if source.is_none() && !given.contains_key(&policy.name) {
            findings.refuse(
                &path,
                "metric math is not worked out here: say where the cluster has its result, as in \
                 `prometheus: <query>` or `external: {name: <metric>}`",
            );
        }
        sources.extend(source.map(|source| (policy.name.clone(), source)));
    }
    sources
}

fn source(raw: &Value, path: &str, findings: &mut Findings) -> Option<Source> {
    let places = ["external", "pods", "prometheus"];
    let given: Vec<&str> = places.into_iter().filter(|member| !is_absent(raw, member)).collect();
    let [place] = given.as_slice() else {
        findings.refuse(
            path,
            "needs exactly one of `external: {name: …, labels: {…}}`, `pods: {name: …}` and \
             `prometheus: <query>`",
        );
        return None;
    };
    let inside = raw.get(*place)?;
    let from = match *place {
        "prometheus" => text(raw, place).map(|query| From::Prometheus { query }),
        "pods" => text(inside, "name").map(|name| From::Pods { name }),
        _ => text(inside, "name").map(|name| From::External { name, labels: labels(inside) }),
    };
    if from.is_none() {
        let about = if *place == "prometheus" { "a query as a text" } else { "the metric's name" };
        findings.refuse(format!("{path}.{place}"), format!("must have {about}"));
    }
    Some(Source { from: from?, per_task: flag(raw, "perTask") == Some(true) })
}

fn labels(raw: &Value) -> BTreeMap<String, String> {
    let labels = raw.get("labels").and_then(Value::as_object);
    labels
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect()
}
