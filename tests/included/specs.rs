//! Specs of every kind: sound ones, spoilt ones, and anything at all.

#![allow(clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use linkspan::ecs::members::Input;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// ECS names.
pub(crate) const NAMES: &[&str] = &["web", "Web_2", "api"];

/// Any JSON, out of the words that specs are made of.
pub(crate) fn anything() -> impl Strategy<Value = Value> {
    let words: Vec<&str> = Input::TaskDefinition
        .members()
        .chain(Input::Service.members())
        .filter_map(|member| member.path.rsplit(['.', ']']).find(|name| !name.is_empty()))
        .collect();
    let text = prop_oneof![
        select(vec![
            "web", "FARGATE", "awsvpc", "256", "0.5 vCPU", "2GB", "CMD", "tcp", "", "web:1"
        ])
        .prop_map(ToOwned::to_owned),
        any::<String>(),
        // What YAML may take for something else.
        "[ \n\r\t:#'\"\\\\|>&*!%@`0-9eE.,+_xobaynotrufls~{}\\[\\]\u{85}\u{a0}\u{2028}\u{feff}\u{7f}\0-]{0,12}",
        select(vec![
            "yes",
            "on",
            "No",
            "y",
            "null",
            "~",
            "0755",
            "1e3",
            "1.10",
            "0x1f",
            "1_000",
            "12:30:45",
            ".inf",
            "2001-01-01",
            "=",
            "<<",
            "---",
            "- a",
            "? a",
            "a: b",
            "# a",
            "%YAML"
        ])
        .prop_map(ToOwned::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        select(vec![-1, 0, 1, 2, 80, 256, 512, 1024, i64::MAX, i64::MIN]).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map(select(words.clone()), inner, 0..5).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

/// A sound spec in which a few members are something else.
pub(crate) fn spoilt(
    sound: impl Strategy<Value = Value>,
    input: Input,
) -> impl Strategy<Value = Value> {
    let paths: Vec<&str> = input.members().map(|member| member.path).collect();
    let spoil = vec((select(paths), anything()), 0..2);
    prop_oneof![
        5 => (sound, spoil).prop_map(|(mut spec, spoil)| {
            for (path, value) in spoil {
                put(&mut spec, path, value);
            }
            spec
        }),
        1 => anything(),
    ]
}

/// Sets the member of a path as the table writes it, in the first element of each list.
fn put(spec: &mut Value, path: &str, value: Value) {
    let mut at = spec;
    for part in path.split('.') {
        if !at.is_object() {
            *at = json!({});
        }
        let name = part.trim_end_matches("[]");
        at = &mut at[name];
        if part.ends_with("[]") {
            if at.as_array().is_none_or(Vec::is_empty) {
                *at = json!([{}]);
            }
            at = &mut at[0];
        }
    }
    *at = value;
}

/// Task definitions of two containers, of which hardly any is refused.
pub(crate) fn sound_task_definition() -> impl Strategy<Value = Value> {
    let container = |name: &'static str| {
        (1..=9u16, prop::bool::weighted(0.8), any::<bool>()).prop_map(
            move |(port, essential, checked)| {
                let mut container = json!({
                    "name": name, "image": "example.com/image:1",
                    "portMappings": [{"containerPort": port}], "essential": essential, "memory": 64,
                });
                if checked {
                    container["healthCheck"] = json!({"command": ["CMD", "true"]});
                }
                container
            },
        )
    };
    (container("Main_"), container("side"), any::<bool>(), 1..4i64).prop_map(
        |(first, second, fargate, size)| {
            let mut spec = json!({"containerDefinitions": [first, second]});
            if fargate {
                spec["requiresCompatibilities"] = json!(["FARGATE"]);
                spec["networkMode"] = json!("awsvpc");
                spec["cpu"] = json!("512");
                spec["memory"] = json!(size * 1024);
            }
            spec
        },
    )
}

/// Task definitions, some of them spoilt.
pub(crate) fn task_definition() -> impl Strategy<Value = Value> {
    spoilt(sound_task_definition(), Input::TaskDefinition)
}

/// Services of task definitions by these [`NAMES`], none of which is refused.
pub(crate) fn sound_service() -> impl Strategy<Value = Value> {
    let reference = prop_oneof![
        4 => select(NAMES).prop_map(ToOwned::to_owned),
        1 => (select(NAMES), 1..3).prop_map(|(family, revision)| format!("{family}:{revision}")),
    ];
    let counts = (0..5i32, prop::option::weighted(0.3, (0..3i32, 0..3i32)));
    let groups = prop::option::weighted(0.3, vec(select(vec!["sg-1", "sg-2"]), 1..3));
    (reference, counts, (0..=100i32, 100..=200i32), any::<bool>(), groups).prop_map(
        |(task_definition, (desired, bounds), (minimum, maximum), force, groups)| {
            let mut spec = json!({
                "taskDefinition": task_definition,
                "desiredCount": desired,
                "deploymentConfiguration":
                    {"minimumHealthyPercent": minimum, "maximumPercent": maximum},
                "forceNewDeployment": force,
            });
            if let Some(groups) = groups {
                spec["networkConfiguration"] = json!({"awsvpcConfiguration":
                    {"subnets": ["subnet-1"], "securityGroups": groups}});
            }
            if let Some((least, more)) = bounds {
                spec["autoscaling"] = autoscaling(least, least + more);
            }
            spec
        },
    )
}

/// Bounds, and a policy that keeps CPU at 60 percent.
fn autoscaling(least: i32, most: i32) -> Value {
    json!({
        "scalableTarget": {"minCapacity": least, "maxCapacity": most},
        "scalingPolicies": [{"policyName": "cpu", "targetTrackingScalingPolicyConfiguration": {
            "targetValue": 60, "predefinedMetricSpecification": {
                "predefinedMetricType": "ECSServiceAverageCPUUtilization"}}}],
    })
}

/// Services, some of them spoilt.
pub(crate) fn service() -> impl Strategy<Value = Value> {
    spoilt(sound_service(), Input::Service)
}
