//! What does an object say that may not be what its kind should be?
//!
//! One object that does not decode is one that cannot be read; the watch of its kind goes on. As
//! kube's `DeserializeGuard`, but it keeps the text instead of a tree of it and a copy of that tree:
//! a restart over 10,000 services decodes 50,000 objects.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::PartialObjectMeta;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object, or what can be known of one that does not decode.
#[derive(Clone, Debug)]
pub(super) struct Guarded<K>(pub(super) Result<K, Invalid>);

/// An object that does not decode.
#[derive(Clone, Debug)]
pub(super) struct Invalid {
    /// Why.
    pub(super) error: String,
    /// Its metadata, which does.
    pub(super) metadata: ObjectMeta,
}

impl<'de, K: DeserializeOwned + Resource> Deserialize<'de> for Guarded<K> {
    /// # Errors
    /// Not even the metadata decodes; or it is not read from JSON text, in which the API server
    /// writes the `type` of a watch event before its `object`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let error = match serde_json::from_str(text.get()) {
            Ok(object) => return Ok(Self(Ok(object))),
            Err(error) => error.to_string(),
        };
        let partial: PartialObjectMeta<K> =
            serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        // The place is one in the text of the API server, which nobody sees.
        let error = error.split(" at line ").next().unwrap_or_default().to_owned();
        Ok(Self(Err(Invalid { error, metadata: partial.metadata })))
    }
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(of: &K::DynamicType) -> Cow<'_, str> {
        K::kind(of)
    }

    fn group(of: &K::DynamicType) -> Cow<'_, str> {
        K::group(of)
    }

    fn version(of: &K::DynamicType) -> Cow<'_, str> {
        K::version(of)
    }

    fn plural(of: &K::DynamicType) -> Cow<'_, str> {
        K::plural(of)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|invalid| &invalid.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|invalid| &mut invalid.metadata, K::meta_mut)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use k8s_openapi::api::core::v1 as corev1;
    use kube::core::{ObjectList, WatchEvent};

    use super::*;

    const BAD: &str = r#"{"metadata":{"name":"bad"},"spec":{"containers":"none"}}"#;

    #[test]
    fn a_list_is_read_with_what_does_not_decode_in_it() {
        let text = format!(
            r#"{{"apiVersion":"v1","kind":"PodList","metadata":{{"resourceVersion":"7"}},
                "items":[{BAD},{{"metadata":{{"name":"good"}}}}]}}"#
        );
        let list: ObjectList<Guarded<corev1::Pod>> = serde_json::from_str(&text).unwrap();
        let names: Vec<_> = list.items.iter().map(|pod| pod.meta().name.as_deref()).collect();
        assert_eq!(names, [Some("bad"), Some("good")]);
        let readable: Vec<_> = list.items.iter().map(|pod| pod.0.is_ok()).collect();
        assert_eq!(readable, [false, true]);
    }

    #[test]
    fn an_event_of_a_watch_says_what_is_wrong_without_a_place_that_nobody_sees() {
        let text = format!(r#"{{"type":"MODIFIED","object":{BAD}}}"#);
        let event: WatchEvent<Guarded<corev1::Pod>> = serde_json::from_str(&text).unwrap();
        let WatchEvent::Modified(Guarded(Err(invalid))) = event else { unreachable!() };
        assert_eq!(invalid.error, "invalid type: string \"none\", expected a sequence");
        assert_eq!(invalid.metadata.name.as_deref(), Some("bad"));
    }
}
