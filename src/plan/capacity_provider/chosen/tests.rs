#![allow(clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Asked, Capacity, Chosen, Known, choose, is_like, runs_on_fargate};
use crate::plan::finding::Findings;

fn objects<'a>(all: &'a [(&str, Value)]) -> Known<'a> {
    all.iter().map(|(name, spec)| ((*name).to_owned(), spec)).collect()
}

fn chosen(
    spec: &Value,
    all: &[(&str, Value)],
    default: Option<&Value>,
) -> (Option<Chosen>, Vec<String>) {
    let labels = BTreeMap::from([("team".to_owned(), "web".to_owned())]);
    let asked = Asked { spec, namespace: "shop", labels: &labels, default_strategy: default };
    let mut findings = Findings::default();
    let chosen = choose(asked, &objects(all), &mut findings);
    (chosen, findings.0.iter().map(ToString::to_string).collect())
}

fn capacity(spec: &Value, all: &[(&str, Value)]) -> Capacity {
    chosen(spec, all, None).0.map(|chosen| chosen.capacity()).unwrap_or_default()
}

fn strategy(names: &[&str]) -> Value {
    let items: Vec<Value> =
        names.iter().map(|name| json!({"capacityProvider": name, "weight": 1})).collect();
    json!({"capacityProviderStrategy": items})
}

#[test]
fn a_service_that_asks_for_nothing_runs_anywhere() {
    assert_eq!(chosen(&json!({}), &[], None), (None, Vec::new()));
    assert_eq!(chosen(&json!({"launchType": "EC2"}), &[], None), (None, Vec::new()));
}

#[test]
fn its_own_word_goes_before_a_profile_and_that_before_the_default() {
    let profile =
        json!({"fargateProfile": {"selectors": [{"namespace": "sh*", "labels": {"team": "we?"}}]}});
    let all = [("profile", profile)];
    let default = json!([{"capacityProvider": "groups"}]);
    let names = |spec: &Value, all: &[(&str, Value)]| {
        let (chosen, _) = chosen(spec, all, Some(&default));
        chosen.map(|chosen| chosen.strategy[0]["capacityProvider"].clone())
    };
    assert_eq!(names(&strategy(&["own"]), &all), Some(json!("own")));
    assert_eq!(names(&json!({"launchType": "FARGATE"}), &all), Some(json!("FARGATE")));
    assert_eq!(names(&json!({"launchType": "EC2"}), &all), None);
    assert_eq!(names(&json!({}), &all), Some(json!("profile")));
    assert_eq!(names(&json!({}), &[]), Some(json!("groups")));
    let (chosen, _) = chosen(&json!({}), &all, None);
    assert!(runs_on_fargate(chosen.as_ref()));
}

#[test]
fn an_implied_provider_is_a_pool_or_a_mark_and_fargate_is_anywhere() {
    let (of_pool, told) = chosen(&strategy(&["pool"]), &[], None);
    assert!(
        told[0].starts_with(
            "capacityProviderStrategy[0].capacityProvider: no CapacityProvider `pool`"
        )
    );
    let terms = of_pool.unwrap().capacity().terms;
    assert_eq!(terms.len(), 5, "four kinds of pools, and the mark");
    let last = terms[4].match_expressions.as_ref().unwrap();
    assert_eq!(last[0].key, "ecs.linkspan.dev/capacity-provider");
    assert_eq!(capacity(&strategy(&["FARGATE"]), &[]), Capacity::default());
    let spot = capacity(&strategy(&["FARGATE_SPOT"]), &[]);
    assert_eq!((spot.terms.len(), spot.preferred.len()), (0, 3));
    let spot = json!({"name": "FARGATE_SPOT", "fargateProfile": {}, "kubernetes": {"nodeSelector": {"spot": "yes"}}});
    let bound = capacity(&strategy(&["FARGATE_SPOT"]), &[("FARGATE_SPOT", spot)]);
    assert_eq!((bound.terms.len(), bound.preferred.len()), (1, 0));
    assert!(!bound.tolerations.is_empty());
}

#[test]
fn of_several_the_nodes_of_any_will_do() {
    let group = |pool: &str| {
        json!({"managedNodeGroup": {"taints": [{"key": "only", "value": pool, "effect": "NO_SCHEDULE"}]},
            "kubernetes": {"nodeSelector": {"pool": pool}}})
    };
    let both = capacity(&strategy(&["a", "b"]), &[("a", group("a")), ("b", group("b"))]);
    assert_eq!((both.terms.len(), both.tolerations.len()), (2, 2));
}

#[test]
fn what_may_not_be_used_is_refused() {
    let group = json!({"managedNodeGroup": {}, "kubernetes": {"allowedNamespaces": ["other"]}});
    let (_, told) = chosen(&strategy(&["a"]), &[("a", group)], None);
    assert!(told[0].contains("`a`: is not for namespace shop"), "{told:?}");
    let (_, told) = chosen(&strategy(&["a"]), &[("a", json!({}))], None);
    assert!(told[0].contains("`a`: is refused itself"), "{told:?}");
    let (none, told) = chosen(&strategy(&["a", "a"]), &[], None);
    assert!(none.is_none() && told[0].contains("capacityProviderStrategy[1].capacityProvider"));
    let (none, told) = chosen(&json!({}), &[], Some(&json!([{"capacityProvider": ""}])));
    assert!(none.is_none() && told[0].starts_with("cluster: "), "{told:?}");
}

#[test]
fn a_record_keeps_what_was_chosen() {
    let group = json!({"managedNodeGroup": {}, "kubernetes": {"nodeSelector": {"pool": "a"}}});
    let (chosen, _) = chosen(&strategy(&["a", "b"]), &[("a", group)], None);
    let chosen = chosen.unwrap();
    let kept: Chosen = serde_json::from_value(json!(chosen)).unwrap();
    assert_eq!(kept.capacity(), chosen.capacity());
}

#[test]
fn patterns_are_of_any_characters_or_one() {
    for (pattern, text, is) in [
        ("*", "", true),
        ("a*c", "abbc", true),
        ("a*c", "abcd", false),
        ("a?c", "abc", true),
        ("a.c", "abc", false),
        ("", "a", false),
    ] {
        assert_eq!(is_like(pattern, text), is, "{pattern} {text}");
    }
}

#[test]
fn isolation_and_protection_are_said_by_the_pods() {
    let profile = |isolation: &str| {
        json!({"fargateProfile": {"selectors": [{"namespace": "shop"}]},
            "kubernetes": {"isolation": isolation}})
    };
    let of = |isolation: &str| capacity(&json!({}), &[("profile", profile(isolation))]);
    assert_eq!((of("None").apart.len(), of("None").runtime_class), (0, None));
    let apart = of("Node").apart;
    assert_eq!(apart.len(), 1);
    assert_eq!(
        json!(apart[0]),
        json!({"labelSelector": {"matchExpressions": [
                {"key": "ecs.linkspan.dev/cluster", "operator": "Exists"}]},
            "namespaceSelector": {}, "topologyKey": "kubernetes.io/hostname"})
    );
    assert_eq!(of("kata").runtime_class.as_deref(), Some("kata"));
    let group = json!({"autoScalingGroupProvider": {"autoScalingGroupArn": "g",
        "managedScaling": {"status": "ENABLED"}, "managedTerminationProtection": "ENABLED"}});
    let annotations = capacity(&strategy(&["group"]), &[("group", group)]).annotations;
    let keys: Vec<&str> = annotations.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["cluster-autoscaler.kubernetes.io/safe-to-evict", "karpenter.sh/do-not-disrupt"]
    );
}
