//! Each strategy and constraint, and each rule about them.

#![allow(clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use serde_json::json;

use super::*;

fn selector() -> LabelSelector {
    LabelSelector {
        match_labels: Some([("ecs.linkspan.dev/service-uid".to_owned(), "u".to_owned())].into()),
        ..LabelSelector::default()
    }
}

fn preferred(value: &Value, packs: bool) -> (Preferences, Vec<String>) {
    let mut findings = Findings::default();
    let strategies = read(Some(value), "placementStrategy", &mut findings);
    let preferences =
        preferences(&strategies, &selector(), packs, "placementStrategy", &mut findings);
    (preferences, findings.0.iter().map(ToString::to_string).collect())
}

/// Each spread, short: over what, how uneven it may be, and whether that binds.
fn short(preferences: &Preferences) -> Vec<(&str, i32, &str)> {
    let spreads = preferences.spread.iter();
    spreads
        .map(|one| (one.topology_key.as_str(), one.max_skew, one.when_unsatisfiable.as_str()))
        .collect()
}

const SOFT_ZONE: (&str, i32, &str) = (ZONE, 1, "ScheduleAnyway");
const SOFT_HOST: (&str, i32, &str) = (HOSTNAME, 1, "ScheduleAnyway");
const NONE: (&str, i32, &str) = (HOSTNAME, i32::MAX, "DoNotSchedule");

#[test]
fn each_strategy_has_its_likeness() {
    let zone = json!({"type": "spread", "field": "attribute:ecs.availability-zone"});
    for (value, spreads, scheduler) in [
        (json!(null), vec![SOFT_ZONE], None),
        (json!([]), vec![SOFT_ZONE], None),
        (json!([zone]), vec![SOFT_ZONE], None),
        (json!([{"type": "spread", "field": "instanceId"}]), vec![SOFT_HOST], None),
        (json!([{"type": "spread", "field": "host"}]), vec![SOFT_HOST], None),
        (json!([{"type": "random"}]), vec![NONE], None),
        (json!([{"type": "binpack", "field": "cpu"}]), vec![NONE], Some(BINPACK_CPU_SCHEDULER)),
        (
            json!([zone, {"type": "binpack", "field": "MEMORY"}]),
            vec![SOFT_ZONE],
            Some(BINPACK_MEMORY_SCHEDULER),
        ),
    ] {
        let (found, told) = preferred(&value, true);
        assert_eq!(short(&found), spreads, "{value}");
        assert_eq!(found.scheduler.as_deref(), scheduler, "{value}");
        assert!(told.is_empty() && found.near.is_empty(), "{value}: {told:?}");
    }
    let (found, _) = preferred(&json!([zone]), false);
    assert_eq!(
        json!(found.spread[0]),
        json!({"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"ecs.linkspan.dev/service-uid": "u"}},
            "nodeAffinityPolicy": "Honor", "nodeTaintsPolicy": "Honor"})
    );
}

#[test]
fn what_is_only_nearly_so_is_told() {
    let spread = |field: &str| json!({"type": "spread", "field": field});
    let (found, told) =
        preferred(&json!([spread("attribute:ecs.availability-zone"), spread("instanceId")]), false);
    assert_eq!(short(&found), [SOFT_ZONE, SOFT_HOST]);
    assert_eq!(
        told,
        [
            "placementStrategy: of several spreads the first decides in ECS; a scheduler weighs all of \
          them together"
        ]
    );
    let (found, told) = preferred(&json!([spread("attribute:rack")]), false);
    assert_eq!(short(&found), [("attribute.ecs.linkspan.dev/rack", 1, "ScheduleAnyway")]);
    assert_eq!(
        told,
        ["placementStrategy[0].field: tasks are spread over the values of the node label \
          `attribute.ecs.linkspan.dev/rack`; nodes without it count for nothing, but may be chosen"]
    );
    let (found, told) = preferred(&json!([{"type": "binpack", "field": "memory"}]), false);
    assert_eq!((short(&found), found.near.len(), &found.scheduler), (vec![NONE], 1, &None));
    assert!(
        told[0].starts_with("placementStrategy[0]: no scheduler that fills nodes up"),
        "{told:?}"
    );
}

#[test]
fn a_strategy_that_breaks_a_rule_is_refused() {
    let random = json!({"type": "random"});
    let five = vec![random.clone(); 5];
    assert_eq!(preferred(&json!(five), false).1, Vec::<String>::new());
    for (value, message) in [
        (json!({}), "placementStrategy is an object: must be a list of objects"),
        (json!(vec![random; 6]), "placementStrategy is a list of 6: may have at most 5 strategies"),
        (
            json!([{"type": "Random"}]),
            "placementStrategy[0].type is `Random`: must be random, spread or binpack",
        ),
        (json!([{"type": "binpack"}]), "placementStrategy[0].field is ``: must be cpu or memory"),
        (
            json!([{"type": "spread", "field": "availability-zone"}]),
            "placementStrategy[0].field is `availability-zone`: must be instanceId, host, or \
             attribute: and the name of an attribute that a node label can have; did you mean \
             `attribute:ecs.availability-zone`?",
        ),
        (
            json!([{"type": "spread", "field": "InstanceId"}]),
            "placementStrategy[0].field is `InstanceId`: must be instanceId, host, or attribute: and \
             the name of an attribute that a node label can have; did you mean `instanceId`?",
        ),
    ] {
        assert_eq!(preferred(&value, false).1, [message], "{value}");
    }
}

fn constrained(task_definition: &Value, service: &Value) -> (Constraints, Vec<String>) {
    let mut findings = Findings::default();
    let constraints =
        read_constraints((Some(task_definition), "td"), (Some(service), "s"), &mut findings);
    (constraints, findings.0.iter().map(ToString::to_string).collect())
}

#[test]
fn worked_example_twenty_four() {
    let member = json!({"type": "memberOf", "expression": "attribute:a exists"});
    let (found, told) =
        constrained(&json!(vec![member.clone(); 6]), &json!(vec![member.clone(); 4]));
    assert_eq!((found.expressions.len(), told.len()), (10, 0));
    let (_, told) = constrained(&json!(vec![member.clone(); 6]), &json!(vec![member; 5]));
    assert_eq!(
        told,
        ["s is one of 11 constraints, with those of the task definition: there may be at most 10"]
    );
    let (_, told) = constrained(
        &json!(null),
        &json!([{"type": "distinctInstance", "expression": "attribute:a exists"}]),
    );
    assert_eq!(
        told,
        ["s[0].expression is `attribute:a exists`: distinctInstance takes no expression; use a \
          second constraint memberOf"]
    );
    let long = format!("{:<2001}", "attribute:a exists");
    let (_, told) = constrained(&json!(null), &json!([{"type": "memberOf", "expression": long}]));
    assert_eq!(
        told,
        ["s[0].expression: column 2001: found 2001 characters, expected at most 2000 characters"]
    );
}

#[test]
fn constraints_are_read_and_mistakes_told() {
    let (found, told) = constrained(
        &json!([{"type": "memberOf", "expression": "attribute:instance-type == m5.large"}]),
        &json!([{"type": "distinctInstance", "expression": ""}]),
    );
    assert!(found.distinct_instance);
    assert_eq!(found.expressions[0].0, "td[0].expression");
    assert_eq!(
        told,
        [
            "td[0].expression: `attribute:instance-type` is taken for an attribute of your own; did you \
          mean `attribute:ecs.instance-type`?"
        ]
    );
    let (_, told) = constrained(
        &json!([{"type": "distinctInstance"}, {"type": "memberOf", "expression": "a = b"}]),
        &json!([{"type": "memberOf"}, {"type": "memberof", "expression": "attribute:a exists"}, 7]),
    );
    assert_eq!(
        told,
        [
            "td[0].type: a task definition takes memberOf only; put distinctInstance into the service",
            "td[1].expression: column 1: found `a`, expected a question such as \
             `attribute:ecs.instance-type == m5.large`; did you mean `attribute:a`?",
            "s[0].expression: is required with memberOf",
            "s[1].type is `memberof`: must be distinctInstance or memberOf",
            "s[2].type is ``: must be distinctInstance or memberOf",
        ]
    );
}
