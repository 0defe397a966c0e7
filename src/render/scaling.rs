//! Which service does what Application Auto Scaling and CloudWatch print belong to?
//!
//! Its inputs and answers are about a service by its `ResourceId`, and stand in files of their own; here
//! they become `autoscaling`, and alarms `kubernetes.scaling.alarms`, of the service that the files have.
//! What they mean is judged there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::diagnostics::{Diagnostic, Severity};
use super::root::Root;
use super::source::Source;
use crate::ecs::reference::service_of;
use crate::plan::scaling::paste::{alarms_from_cloudwatch, by_resource};
use crate::world::{Kind, set};

/// Something about scaling, and where it stands.
pub(super) struct Pasted<'a> {
    /// The number of the file.
    pub(super) source: usize,
    /// The number of the document in it.
    pub(super) document: usize,
    /// The path in the document.
    pub(super) path: String,
    /// What stands there.
    pub(super) value: &'a Value,
}

/// Whether a value is about scaling.
pub(super) fn is_about_scaling(value: &Value) -> bool {
    !by_resource(value).is_empty() || alarms_from_cloudwatch(value).is_some()
}

/// Puts what is about scaling into the services that it is about, and says what is about none.
pub(super) fn put_in(
    pasted: &[Pasted<'_>],
    sources: &[(&str, &Source)],
    roots: &mut [Root],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut say = |of: &Pasted<'_>, message: String| {
        let documents =
            sources.get(of.source).and_then(|(_, source)| source.documents.as_ref().ok());
        let place = documents
            .and_then(|documents| documents.get(of.document)?.places.get(&of.path))
            .map(|place| place.key.unwrap_or(place.value));
        let severity = Severity::Error;
        diagnostics.push(Diagnostic { severity, source: of.source, span: place, message });
    };
    // A target may stand in one file and its policies in another.
    let all: Vec<Value> = pasted.iter().map(|pasted| pasted.value.clone()).collect();
    let mut blocks: BTreeMap<String, Value> = by_resource(&Value::Array(all));
    for pasted in pasted {
        for resource in by_resource(pasted.value).into_keys() {
            let Some(block) = blocks.remove(&resource) else { continue };
            let mut services = services(roots, &resource).peekable();
            if services.peek().is_none() {
                say(pasted, format!("scales {resource}, and no file has that service"));
            }
            for service in services {
                if service.spec().get("autoscaling").is_some() {
                    let message = format!("scales {resource}, which has autoscaling already");
                    say(pasted, message);
                } else {
                    set(&mut service.body, &["spec", "autoscaling"], block.clone());
                }
            }
        }
        for alarm in
            alarms_from_cloudwatch(pasted.value).iter().filter_map(Value::as_array).flatten()
        {
            put_alarm(alarm, roots).unwrap_or_else(|message| say(pasted, message));
        }
    }
}

/// The services of a `ResourceId`, as in `service/default/web`; where it is left out, the only one.
fn services<'a>(roots: &'a mut [Root], resource: &str) -> impl Iterator<Item = &'a mut Root> {
    let services = || roots.iter().filter(|root| root.key.kind == Kind::Service);
    let any = resource.is_empty() && services().count() == 1;
    let resource = resource.to_owned();
    roots
        .iter_mut()
        .filter(|root| root.key.kind == Kind::Service)
        .filter(move |root| any || resource_of(root) == resource)
}

fn resource_of(root: &Root) -> String {
    let (cluster, name) = service_of(root.spec(), Some(&root.key.name));
    format!("service/{cluster}/{name}")
}

/// Gives an alarm to the services whose policies are among its actions.
fn put_alarm(alarm: &Value, roots: &mut [Root]) -> Result<(), String> {
    let actions: Vec<&str> = alarm
        .get("alarmActions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut taken = false;
    for root in roots.iter_mut().filter(|root| root.key.kind == Kind::Service) {
        let policy = format!(":resource/ecs/{}:policyName/", resource_of(root));
        if !actions.iter().any(|action| action.contains(&policy)) {
            continue;
        }
        taken = true;
        let path = "/spec/kubernetes/scaling/alarms";
        if let Some(alarms) = root.body.pointer_mut(path).and_then(Value::as_array_mut) {
            alarms.push(alarm.clone());
        } else {
            let alarms = vec![alarm.clone()];
            set(&mut root.body, &["spec", "kubernetes", "scaling", "alarms"], alarms);
        }
    }
    let name = alarm.get("alarmName").and_then(Value::as_str).unwrap_or_default();
    let untaken = || format!("alarm `{name}` triggers policies of services that no file has");
    taken.then_some(()).ok_or_else(untaken)
}
