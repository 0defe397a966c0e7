//! How large may a spec be?
//!
//! RegisterTaskDefinition takes 64 KiB of JSON. The same holds here for a Service, and four times that for
//! a Cluster, whose tables name what hundreds of task definitions need. Of what is larger nothing but its
//! texts, numbers and flags is read, and it is refused: every pass over an object is made while others
//! wait, so what one may cost has a bound.

use serde_json::Value;

use super::finding::Findings;

/// The most bytes of a task definition or a Service, as JSON without spaces.
pub(super) const MOST: usize = 64 << 10;
/// The most bytes of a Cluster.
pub(super) const MOST_OF_CLUSTER: usize = 4 * MOST;
/// The longest text that is still read of what is too large.
const LONGEST: usize = 1000;

/// Whether a spec has more bytes than that. No more of it is looked at than tells.
fn is_too_large(spec: &Value, most: usize) -> bool {
    left(spec, most).is_none()
}

/// Refuses a spec that is too large; what of it may be read then.
pub(super) fn reduced(spec: &Value, most: usize, findings: &mut Findings) -> Option<Value> {
    if !is_too_large(spec, most) {
        return None;
    }
    let message = format!(
        "is larger than {} KiB of JSON, the most that is taken: what is large belongs into images, \
         environmentFiles and ConfigMaps",
        most >> 10
    );
    findings.refuse("spec", message);
    let members = spec.as_object().into_iter().flatten().filter(|(_, value)| match value {
        Value::Array(_) | Value::Object(_) => false,
        Value::String(text) => text.len() <= LONGEST,
        _ => true,
    });
    Some(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// How many of so many bytes a value leaves, if it leaves any. Escapes in texts are not counted.
fn left(value: &Value, bytes: usize) -> Option<usize> {
    let quoted = |text: &str| text.len() + "\"\"".len();
    match value {
        Value::Null | Value::Bool(true) => bytes.checked_sub("null".len()),
        Value::Bool(false) => bytes.checked_sub("false".len()),
        Value::Number(number) => bytes.checked_sub(number.to_string().len()),
        Value::String(text) => bytes.checked_sub(quoted(text)),
        Value::Array(list) => {
            let mut bytes = bytes.checked_sub("[]".len())?;
            for (at, element) in list.iter().enumerate() {
                bytes = left(element, bytes.checked_sub(usize::from(at > 0))?)?;
            }
            Some(bytes)
        }
        Value::Object(members) => {
            let mut bytes = bytes.checked_sub("{}".len())?;
            for (at, (name, value)) in members.iter().enumerate() {
                let named = usize::from(at > 0) + quoted(name) + ":".len();
                bytes = left(value, bytes.checked_sub(named)?)?;
            }
            Some(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Any JSON of texts that need no escapes.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(Value::from),
            "[a-z ]{0,8}".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::btree_map("[a-z]{1,4}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_bound_is_the_length_of_the_json(value in any_json()) {
            let length = value.to_string().len();
            prop_assert!(!is_too_large(&value, length));
            prop_assert!(is_too_large(&value, length - 1));
        }
    }

    #[test]
    fn of_what_is_too_large_only_what_is_small_is_left() {
        let spec = json!({"family": "web", "cpu": 256, "volumes": ["x".repeat(MOST)],
            "taskRoleArn": "x".repeat(LONGEST + 1)});
        let mut findings = Findings::default();
        assert_eq!(reduced(&spec, MOST, &mut findings), Some(json!({"family": "web", "cpu": 256})));
        assert!(findings.0[0].message.contains("larger than 64 KiB"), "{findings:?}");
        assert_eq!(reduced(&spec, 3 * MOST, &mut findings), None);
        assert_eq!(findings.0.len(), 1);
    }
}
