//! Who else sets the count of a service that is scaled?
//!
//! A manifest that sets `desiredCount` acts like UpdateService at each apply. One that stops setting it
//! leaves the schema's default, 1, behind, which nobody asked for. What tells the two apart is what the
//! API server notes of each writer (`managedFields`), and for appliers on the client's side the manifest
//! that they keep in an annotation. Nothing is written here.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, ObjectMeta};
use serde_json::{Value, json};

/// Where an applier on the client's side keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// What a count is that nobody has set.
pub const DEFAULT_COUNT: i32 = 1;

/// The entries with only what is looked at here: all writers by name, and of their fields the count and
/// the manifest that they keep.
pub fn reduced(entries: Vec<ManagedFieldsEntry>) -> Vec<ManagedFieldsEntry> {
    entries
        .into_iter()
        .filter(|entry| entry.subresource.as_deref() != Some("status"))
        .map(|entry| {
            let mut fields = json!({});
            if sets_count(&entry) {
                crate::world::set(&mut fields, &["f:spec", "f:desiredCount"], json!({}));
            }
            if keeps_manifest(&entry) {
                let kept = format!("f:{LAST_APPLIED}");
                crate::world::set(&mut fields, &["f:metadata", "f:annotations", &kept], json!({}));
            }
            ManagedFieldsEntry { fields_v1: Some(FieldsV1(fields)), ..entry }
        })
        .collect()
}

fn has(entry: &ManagedFieldsEntry, path: &[&str]) -> bool {
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
    path.iter().fold(fields, |at, name| at?.get(*name)).is_some()
}

fn sets_count(entry: &ManagedFieldsEntry) -> bool {
    has(entry, &["f:spec", "f:desiredCount"])
}

fn keeps_manifest(entry: &ManagedFieldsEntry) -> bool {
    has(entry, &["f:metadata", "f:annotations", &format!("f:{LAST_APPLIED}")])
}

fn writers(meta: &ObjectMeta) -> impl DoubleEndedIterator<Item = &ManagedFieldsEntry> {
    meta.managed_fields.iter().flatten()
}

fn name(entry: &ManagedFieldsEntry) -> String {
    entry.manager.clone().unwrap_or_default()
}

/// Whether the manifest that an applier keeps sets the count; none where there is no such manifest.
fn manifest_sets_count(meta: &ObjectMeta) -> Option<bool> {
    let kept: Value = serde_json::from_str(meta.annotations.as_ref()?.get(LAST_APPLIED)?).ok()?;
    Some(kept.pointer("/spec/desiredCount").is_some_and(|count| !count.is_null()))
}

/// Whose manifest sets the count, at each apply.
pub fn manifest(meta: &ObjectMeta) -> Option<String> {
    let applied = writers(meta).find(|entry| {
        entry.operation.as_deref() == Some("Apply")
            && entry.subresource.is_none()
            && sets_count(entry)
    });
    let kept = || {
        let sets = manifest_sets_count(meta).unwrap_or_default();
        writers(meta).find(|entry| sets && keeps_manifest(entry))
    };
    applied.or_else(kept).map(name)
}

/// Who set the count last through the scale subresource, as a HorizontalPodAutoscaler does.
pub fn scaler(meta: &ObjectMeta) -> Option<String> {
    let scales = |entry: &&ManagedFieldsEntry| {
        entry.subresource.as_deref() == Some("scale") && sets_count(entry)
    };
    writers(meta).find(scales).map(name)
}

/// Whether a manifest that used to set the count has stopped it, so that the count fell to the default.
/// Not where somebody has set it since, nor where it is not known who wrote what.
///
/// That a manifest used to set it must be remembered: while a count belongs to nobody, the API server
/// does not note who writes it through the scale subresource.
pub fn gave_up(meta: &ObjectMeta, count: i32) -> bool {
    if count != DEFAULT_COUNT || meta.managed_fields.is_none() {
        return false;
    }
    let mut setters = writers(meta).filter(|entry| sets_count(entry)).peekable();
    if setters.peek().is_none() {
        // Server-side: what is no longer in the manifest belongs to nobody.
        return true;
    }
    // On the client's side: the fall itself is noted as a write.
    setters.all(|entry| keeps_manifest(entry) && entry.subresource.is_none())
        && manifest_sets_count(meta) == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(entries: &Value, manifest: Option<&Value>) -> ObjectMeta {
        let annotations = manifest.map(|manifest| json!({LAST_APPLIED: manifest.to_string()}));
        let mut meta: ObjectMeta = serde_json::from_value(json!({
            "managedFields": entries, "annotations": annotations,
        }))
        .unwrap_or_default();
        meta.managed_fields = meta.managed_fields.map(reduced);
        meta
    }

    fn entry(manager: &str, operation: &str, subresource: Option<&str>, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "subresource": subresource,
            "apiVersion": "ecs.linkspan.dev/v1alpha1", "fieldsType": "FieldsV1",
            "time": "2026-01-05T00:00:00Z", "fieldsV1": fields})
    }

    fn count() -> Value {
        json!({"f:spec": {"f:desiredCount": {}, "f:cluster": {}}})
    }

    fn kept() -> Value {
        json!({"f:metadata": {"f:annotations": {format!("f:{LAST_APPLIED}"): {}}},
            "f:spec": {"f:taskDefinition": {}}})
    }

    fn kept_and_count() -> Value {
        let mut fields = kept();
        crate::world::set(&mut fields, &["f:spec", "f:desiredCount"], json!({}));
        fields
    }

    #[test]
    fn a_count_that_an_applier_on_the_server_left_belongs_to_nobody() {
        let left = entry("gitops", "Apply", None, &json!({"f:spec": {"f:taskDefinition": {}}}));
        let status = entry("linkspan", "Apply", Some("status"), &count());
        let meta = meta(&json!([left, status]), None);
        assert!(gave_up(&meta, 1));
        assert!(!gave_up(&meta, 2), "somebody set it");
        assert_eq!(manifest(&meta), None);
    }

    #[test]
    fn a_one_that_somebody_set_is_meant() {
        let manifest_of = entry("gitops", "Apply", None, &count());
        for one in [
            manifest_of.clone(),
            entry("kubectl", "Update", Some("scale"), &count()),
            entry("kubectl-edit", "Update", None, &count()),
        ] {
            assert!(!gave_up(&meta(&json!([one]), None), 1), "{one}");
        }
        assert_eq!(manifest(&meta(&json!([manifest_of]), None)).as_deref(), Some("gitops"));
        assert!(!gave_up(&ObjectMeta::default(), 1), "who knows");
    }

    #[test]
    fn an_applier_on_the_clients_side_is_known_by_its_manifest() {
        let (without, with) = (json!({"spec": {}}), json!({"spec": {"desiredCount": 1}}));
        let fell = entry("kubectl-client-side-apply", "Update", None, &kept_and_count());
        let name = Some("kubectl-client-side-apply");
        assert!(gave_up(&meta(&json!([fell]), Some(&without)), 1));
        assert!(!gave_up(&meta(&json!([fell]), Some(&with)), 1));
        assert_eq!(manifest(&meta(&json!([fell]), Some(&with))).as_deref(), name);
        // Somebody else set it to 1 since.
        let applier = entry("kubectl-client-side-apply", "Update", None, &kept());
        let edited = entry("kubectl-edit", "Update", None, &count());
        let meta = meta(&json!([applier, edited]), Some(&without));
        assert_eq!((gave_up(&meta, 1), manifest(&meta)), (false, None));
    }
}
