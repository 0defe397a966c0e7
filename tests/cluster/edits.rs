//! Every field of every child that the operator owns is changed, and taken away, by somebody else.
//!
//! Which fields those are is not written here: the API server knows (`managedFields`), so that a
//! child with a new field is tried with it.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::policy::v1 as policyv1;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use linkspan::api::Service;
use linkspan::names;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::support::{Place, until};

/// How long a repair may take.
const WITHIN: Duration = Duration::from_secs(5);

/// A step into an object.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Member(String),
    /// The element of a list with these keys.
    Keyed(Map<String, Value>),
}

type Path = Vec<Step>;

/// The paths of a `fieldsV1`, without the keys by which elements of lists are told apart: with
/// another key it is another element, which is nobody's but its maker's.
fn leaves(fields: &Value, path: &mut Path, found: &mut Vec<Path>) {
    let members = fields.as_object().unwrap();
    let mut inner = members.iter().filter(|(name, _)| *name != ".").peekable();
    if inner.peek().is_none() {
        found.push(path.clone());
    }
    for (name, below) in inner {
        let step = match name.split_once(':').unwrap() {
            ("f", member) => Step::Member(member.to_owned()),
            ("k", keys) => Step::Keyed(serde_json::from_str(keys).unwrap()),
            other => panic!("a field of an unknown form: {other:?}"),
        };
        let is_key = match (path.last(), &step) {
            (Some(Step::Keyed(keys)), Step::Member(member)) => keys.contains_key(member),
            _ => false,
        };
        if !is_key {
            path.push(step);
            leaves(below, path, found);
            path.pop();
        }
    }
}

/// The place of a path in an object as it is now, as JSON patch takes it.
fn pointer(object: &Value, path: &Path) -> Option<String> {
    let (mut pointer, mut at) = (String::new(), object);
    for step in path {
        let name = match step {
            Step::Member(member) => member.replace('~', "~0").replace('/', "~1"),
            Step::Keyed(keys) => {
                let is_it = |e: &Value| keys.iter().all(|(key, value)| e.get(key) == Some(value));
                at.as_array()?.iter().position(is_it)?.to_string()
            }
        };
        at = match at {
            Value::Array(elements) => elements.get(name.parse::<usize>().ok()?)?,
            // What is not there can still be put there.
            _ => at.get(name.replace("~1", "/").replace("~0", "~")).unwrap_or(&Value::Null),
        };
        pointer = format!("{pointer}/{name}");
    }
    Some(pointer)
}

fn value_at(object: &Value, path: &Path) -> Value {
    let found = pointer(object, path).and_then(|pointer| object.pointer(&pointer).cloned());
    found.unwrap_or_default()
}

/// Other values of the same shape, of which the API server may like one.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Number(number) => {
            let number = number.as_i64().unwrap();
            vec![json!(number + 1), json!(number - 1)]
        }
        Value::String(text) => {
            let words = ["Recreate", "IfHealthyBudget", "UDP", "IfNotPresent", "300m", "700Mi"];
            let suffixed = [format!("{text}x"), "x".to_owned()].into_iter();
            let words = words.into_iter().map(ToOwned::to_owned);
            suffixed.chain(words).filter(|other| other != text).map(Value::from).collect()
        }
        Value::Array(elements) => {
            let mut longer = elements.clone();
            longer.extend(elements.first().cloned());
            vec![json!(elements[1..]), json!(longer)]
        }
        Value::Object(members) => {
            // Flags first: an owner of another name would have the child collected.
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_by_key(|name| !members[*name].is_boolean());
            let with = |name: &String, other| {
                let mut members = members.clone();
                members.insert(name.clone(), other);
                json!(members)
            };
            names
                .iter()
                .flat_map(|n| others(&members[*n]).into_iter().map(|o| with(n, o)))
                .collect()
        }
        Value::Null => Vec::new(),
    }
}

/// What became of the edits of one child.
#[derive(Default)]
struct Edits {
    fields: usize,
    changed: usize,
    removed: usize,
    /// Removed, the API server puts the same value there.
    defaulted: usize,
    immutable: Vec<String>,
    slowest: Duration,
    unrepaired: Vec<String>,
}

impl Edits {
    fn took(&mut self, took: Option<Duration>, edit: impl Fn() -> String) {
        match took {
            Some(took) => self.slowest = self.slowest.max(took),
            None => self.unrepaired.push(edit()),
        }
    }
}

fn body<K: Serialize>(object: &K) -> Value {
    json!(object)
}

/// A kind that a service has in its namespace.
trait Child:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
{
}

impl<K> Child for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
{
}

async fn patch<K: Child>(
    place: &Place,
    name: &str,
    operation: Value,
) -> Result<Value, kube::Error> {
    let meddler = PatchParams { field_manager: Some("meddler".into()), ..PatchParams::default() };
    let operation = serde_json::from_value(json!([operation])).unwrap();
    place.api::<K>().patch(name, &meddler, &Patch::Json::<()>(operation)).await.map(|k| body(&k))
}

/// Waits until a child is as it was at a path, and says how long that took; nothing, if too long.
async fn repaired<K: Child>(
    place: &Place,
    name: &str,
    path: &Path,
    value: &Value,
) -> Option<Duration> {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    while started.elapsed() < WITHIN {
        ticks.tick().await;
        let now = body(&place.api::<K>().get(name).await.unwrap());
        assert_eq!(value_at(&now, &note("annotations")), json!("mine"), "the field of another");
        assert_eq!(value_at(&now, &note("labels")), json!("mine"), "the field of another");
        if value_at(&now, path) == *value {
            return Some(started.elapsed());
        }
    }
    None
}

fn note(of: &str) -> Path {
    ["metadata", of, "example.com/note"].map(|member| Step::Member(member.to_owned())).to_vec()
}

async fn edit_all<K: Child>(place: &Place, name: &str) -> Edits {
    let theirs = json!({"example.com/note": "mine"});
    place.meddle::<K>(name, json!({"metadata": {"annotations": theirs, "labels": theirs}})).await;
    let original = body(&place.api::<K>().get(name).await.unwrap());
    let managed = original.pointer("/metadata/managedFields").unwrap().as_array().unwrap();
    let ours: Vec<&Value> =
        managed.iter().filter(|entry| entry["manager"] == names::FIELD_MANAGER).collect();
    assert_eq!(ours.len(), 1, "one server-side apply");
    let mut paths = Vec::new();
    leaves(&ours[0]["fieldsV1"], &mut Vec::new(), &mut paths);

    let mut edits = Edits { fields: paths.len(), ..Edits::default() };
    for path in &paths {
        let value = value_at(&original, path);
        let mut refusal = "has no other value".to_owned();
        let mut changed = false;
        let mut tried = others(&value).into_iter();
        while let Some(other) = tried.next().filter(|_| !changed) {
            let now = body(&place.api::<K>().get(name).await.unwrap());
            let Some(pointer) = pointer(&now, path) else { break };
            let operation = json!({"op": "replace", "path": pointer, "value": &other});
            match patch::<K>(place, name, operation).await {
                Ok(after) if value_at(&after, path) != value => {
                    let took = repaired::<K>(place, name, path, &value).await;
                    edits.took(took, || format!("{path:?} changed to {other}"));
                    changed = true;
                }
                Ok(_) => "is put back by the API server".clone_into(&mut refusal),
                Err(error) => refusal = error.to_string(),
            }
        }
        if changed {
            edits.changed += 1;
        } else {
            edits.immutable.push(format!("{path:?}: {refusal}"));
        }
        let now = body(&place.api::<K>().get(name).await.unwrap());
        let Some(pointer) = pointer(&now, path) else { continue };
        let operation = json!({"op": "remove", "path": pointer});
        match patch::<K>(place, name, operation).await {
            Ok(after) if value_at(&after, path) != value => {
                let took = repaired::<K>(place, name, path, &value).await;
                edits.took(took, || format!("{path:?} removed"));
                edits.removed += 1;
            }
            Ok(_) => edits.defaulted += 1,
            // The API server asks for it.
            Err(_) => {}
        }
    }
    edits
}

#[tokio::test]
async fn every_field_that_is_ours_is_repaired_and_every_other_kept() {
    let place = Place::new("edits").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 2})).await;
    let service = place.steady("web", 2, "shop:1").await;
    let deployment = place.deployment(&service).await.name_any();
    let budget = place.children::<policyv1::PodDisruptionBudget>(&service).await[0].name_any();
    let edits = tokio::join!(
        edit_all::<appsv1::Deployment>(&place, &deployment),
        edit_all::<corev1::Service>(&place, "web"),
        edit_all::<policyv1::PodDisruptionBudget>(&place, &budget),
    );
    let heads = ["FIELDS", "CHANGED", "REMOVED", "DEFAULTED", "IMMUTABLE"];
    tell!("{:<20}{}  SLOWEST", "REPAIRED", heads.map(|head| format!("{head:>11}")).concat());
    let rows =
        [("Deployment", edits.0), ("corev1 Service", edits.1), ("disruption budget", edits.2)];
    for (kind, edits) in &rows {
        let Edits { fields, changed, removed, defaulted, immutable, slowest, unrepaired } = edits;
        let counts = [*fields, *changed, *removed, *defaulted, immutable.len()];
        tell!("{kind:<20}{}  {slowest:.0?}", counts.map(|c| format!("{c:>11}")).concat());
        for field in immutable {
            tell!("  immutable: {field}");
        }
        assert!(unrepaired.is_empty(), "{kind}: not within {WITHIN:?}: {unrepaired:#?}");
        assert!(changed + immutable.len() == *fields && *changed > 0);
    }
    place.steady("web", 2, "shop:1").await;

    // All labels, then all owners, of all three.
    for strip in [json!({"labels": null}), json!({"ownerReferences": null})] {
        let strip = json!({"metadata": strip});
        place.meddle::<appsv1::Deployment>(&deployment, strip.clone()).await;
        place.meddle::<corev1::Service>("web", strip.clone()).await;
        place.meddle::<policyv1::PodDisruptionBudget>(&budget, strip.clone()).await;
        let stripped = Instant::now();
        until(&format!("{strip} is undone"), || async {
            let metas = [
                place.api::<appsv1::Deployment>().get(&deployment).await.unwrap().metadata,
                place.api::<corev1::Service>().get("web").await.unwrap().metadata,
                place.api::<policyv1::PodDisruptionBudget>().get(&budget).await.unwrap().metadata,
            ];
            let whole = metas.iter().all(|meta| {
                let mut owners = meta.owner_references.iter().flatten();
                let labels = meta.labels.clone().unwrap_or_default();
                owners.any(|owner| Some(&owner.uid) == service.metadata.uid.as_ref())
                    && labels.get(names::label::SERVICE_UID) == service.metadata.uid.as_ref()
            });
            if whole { Ok(()) } else { Err(format!("{metas:?}")) }
        })
        .await;
        assert!(stripped.elapsed() < WITHIN, "{strip}: after {:?}", stripped.elapsed());
    }
    place.steady("web", 2, "shop:1").await;

    // Both at once: a Deployment is known by its selector, which nobody can change. Of another
    // child nothing says any more that it is ours, so that it is named and left alone.
    let strip = json!({"metadata": {"labels": null, "ownerReferences": null}});
    place.meddle::<appsv1::Deployment>(&deployment, strip.clone()).await;
    until("the Deployment is ours again", || async {
        let owners = {
            let now = place.api::<appsv1::Deployment>().get(&deployment).await.unwrap();
            now.metadata.owner_references.unwrap_or_default().len()
        };
        if owners == 1 { Ok(()) } else { Err(format!("{owners} owners")) }
    })
    .await;
    place.meddle::<policyv1::PodDisruptionBudget>(&budget, strip).await;
    let message = place.reason("web", "ChildConflict").await;
    assert!(message.contains(&budget), "{message}");
    place.delete::<policyv1::PodDisruptionBudget>(&budget).await;
    place.steady("web", 2, "shop:1").await;
}

#[tokio::test]
async fn a_look_alike_is_left_alone_and_named() {
    let place = Place::new("look-alike").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    place.reason("web", "TaskDefinitionNotFound").await;
    let service = place.api::<Service>().get("web").await.unwrap();
    let uid = service.uid().unwrap();

    let name = names::workload("web", &uid, "", names::FIRST_SLOT);
    let theirs: appsv1::Deployment = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "theirs"}}, "template": {
            "metadata": {"labels": {"app": "theirs"}},
            "spec": {"containers": [{"name": "a", "image": "example/theirs"}]}}},
    }))
    .unwrap();
    place.api::<appsv1::Deployment>().create(&PostParams::default(), &theirs).await.unwrap();
    place.task_definition("shop", "example/shop:1").await;
    let message = place.reason("web", "ChildConflict").await;
    assert!(message.contains(&name), "{message}");
    let now = place.api::<appsv1::Deployment>().get(&name).await.unwrap();
    assert_eq!(now.metadata.generation, Some(1), "left alone");
    assert!(now.metadata.owner_references.is_none());
    place.delete::<appsv1::Deployment>(&name).await;
    place.steady("web", 1, "shop:1").await;

    let name = names::disruption_budget("web", &uid, names::FIRST_SLOT);
    let theirs: policyv1::PodDisruptionBudget = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": "theirs"}}},
    }))
    .unwrap();
    let budgets = place.api::<policyv1::PodDisruptionBudget>();
    // As quickly as somebody can be, between the operator's two.
    loop {
        let _ = budgets.delete(&name, &kube::api::DeleteParams::default()).await;
        if budgets.create(&PostParams::default(), &theirs).await.is_ok() {
            break;
        }
    }
    let message = place.reason("web", "ChildConflict").await;
    assert!(message.contains(&name), "{message}");
    assert_eq!(budgets.get(&name).await.unwrap().metadata.generation, Some(1), "left alone");
    place.delete::<policyv1::PodDisruptionBudget>(&name).await;
    place.steady("web", 1, "shop:1").await;
}
