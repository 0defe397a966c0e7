//! Do the laws of the plan hold for worlds that nobody thought of?
//!
//! The laws are those of `linkspan::plan`; "safe at every step" needs a cluster that acts, and is
//! tried by simulation elsewhere.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[macro_use]
#[path = "included/tell.rs"]
mod tell;
#[path = "included/defects.rs"]
mod defects;
#[path = "included/specs.rs"]
mod specs;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use linkspan::ecs::members::Input;
use linkspan::plan::{Moment, Plan, plan};
use linkspan::render::{File, Format, Options, read, run, settle, yaml};
use linkspan::world::{Kind, ObjectKey, World};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use specs::{NAMES, anything, service, spoilt, task_definition};

const SHOP: &str = "shop";

/// An object that stands where one of ours may belong, and is none of ours.
fn foreign() -> impl Strategy<Value = (Kind, Value)> {
    (select(NAMES), any::<bool>()).prop_map(|(name, owned)| {
        let mut body = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name.to_lowercase().replace('_', "-"), "namespace": SHOP, "uid": "f"},
            "spec": {"selector": {"app": "other"}},
        });
        if owned {
            body["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "x", "uid": "x",
                "controller": true,
            }]);
        }
        (Kind::Endpoints, body)
    })
}

/// A Cluster with rows for some of the services' security groups.
fn cluster() -> impl Strategy<Value = (Kind, Value)> {
    let row = (select(vec!["sg-1", "sg-2"]), 1..4u16, any::<bool>()).prop_map(|(group, port, closed)| {
        let mut row = json!({"securityGroup": group,
            "ingress": [{"from": [{"securityGroup": "sg-1"}, {"service": "api"}], "ports": [port]}]});
        if closed {
            row["egress"] = json!([{"to": [{"cidr": "10.0.0.0/8"}]}]);
        }
        row
    });
    vec(row, 0..3).prop_map(|rows| {
        let body = json!({
            "apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Cluster",
            "metadata": {"name": "default", "namespace": SHOP, "uid": "cluster", "generation": 1},
            "spec": {"kubernetes": {"securityGroups": rows}},
        });
        (Kind::Cluster, body)
    })
}

/// Capacity providers of every form, none of which is refused by itself.
fn sound_capacity_provider() -> impl Strategy<Value = Value> {
    let pool = select(vec!["one", "two"]);
    let form = select(vec!["group", "own", "instances", "profile"]);
    (form, pool, any::<bool>()).prop_map(|(form, pool, selected)| {
        let mut spec = match form {
            "group" => json!({"managedNodeGroup": {"nodegroupName": pool,
                "scalingConfig": {"minSize": 0, "maxSize": 3}}}),
            "own" => json!({"autoScalingGroupProvider": {"autoScalingGroupArn": pool,
                "managedScaling": {"status": "ENABLED", "targetCapacity": 80}}}),
            "instances" => json!({"managedInstancesProvider": {"instanceLaunchTemplate": {}}}),
            _ => json!({"fargateProfile": {"selectors": [{"namespace": "shop"}]}}),
        };
        if selected {
            spec["kubernetes"] = json!({"nodeSelector": {"eks.amazonaws.com/nodegroup": pool}});
        }
        spec
    })
}

/// Capacity providers, some of them spoilt.
fn capacity_provider() -> impl Strategy<Value = Value> {
    spoilt(sound_capacity_provider(), Input::CapacityProvider)
}

/// A node in one of two pools, and tasks on it, on another, or on none.
fn node() -> impl Strategy<Value = Vec<(Kind, Value)>> {
    let words =
        (select(vec!["one", "two", "three"]), any::<bool>(), select(vec!["True", "Unknown"]));
    (select(vec!["a", "b", "c"]), words, 0..3usize).prop_map(|(name, (pool, cordoned, up), tasks)| {
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "uid": name, "labels": {"eks.amazonaws.com/nodegroup": pool}},
            "spec": {"unschedulable": cordoned},
            "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "9"},
                "conditions": [{"type": "Ready", "status": up}]},
        });
        let task = |number: usize| {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("{name}-{number}"), "namespace": SHOP, "uid": number.to_string(),
                    "labels": {"ecs.linkspan.dev/service": "web",
                        "ecs.linkspan.dev/capacity-provider": "web"}},
                "spec": {"nodeName": (number > 0).then_some(name), "containers": [
                    {"name": "a", "resources": {"requests": {"cpu": "250m"}}}]},
                "status": {"conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
            })
        };
        let tasks = (0..tasks).map(|number| (Kind::Pod, task(number)));
        std::iter::once((Kind::Node, node)).chain(tasks).collect()
    })
}

/// The key of an object.
fn key(kind: Kind, body: &Value) -> ObjectKey {
    let namespace = if kind.is_namespaced() { SHOP } else { "" };
    ObjectKey::new(kind, namespace, body["metadata"]["name"].as_str().unwrap())
}

/// The objects of a world.
fn objects() -> impl Strategy<Value = Vec<(Kind, Value)>> {
    let named = |kind: Kind, spec: BoxedStrategy<Value>| {
        (select(NAMES), spec, 0..3i64).prop_map(move |(name, spec, age)| {
            let (api_version, word) = kind.type_meta();
            let object_name = name.to_lowercase().replace('_', "-");
            // The ECS name, unless the spec is spoilt just there.
            let (mut spec, member) = match kind {
                Kind::Service => (spec, "serviceName"),
                Kind::CapacityProvider => (spec, "name"),
                _ => (spec, "family"),
            };
            if let Some(spec) = spec.as_object_mut() {
                spec.entry(member).or_insert_with(|| name.into());
            }
            let created = Timestamp::from_second(age).unwrap().to_string();
            let body = json!({
                "apiVersion": api_version, "kind": word,
                "metadata": {
                    "name": object_name, "namespace": SHOP, "generation": 1,
                    "uid": format!("{word}-{object_name}"), "creationTimestamp": created,
                },
                "spec": spec,
            });
            (kind, body)
        })
    };
    let task_definitions = vec(named(Kind::TaskDefinition, task_definition().boxed()), 0..6);
    let services = vec(named(Kind::Service, service().boxed()), 0..6);
    let providers = vec(named(Kind::CapacityProvider, capacity_provider().boxed()), 0..4);
    let nodes = vec(node(), 0..4).prop_map(|nodes| nodes.into_iter().flatten().collect::<Vec<_>>());
    let ours = (task_definitions, services, providers);
    let clusters = vec(cluster(), 0..2);
    (ours, vec(foreign(), 0..3), nodes, clusters).prop_map(
        |((one, two, three), four, five, six)| {
            // One of a kind and name.
            let mut objects: BTreeMap<(Kind, String), Value> = BTreeMap::new();
            let all = one.into_iter().chain(two).chain(three).chain(four).chain(five).chain(six);
            for (kind, mut body) in all {
                if !kind.is_namespaced() {
                    body["metadata"].as_object_mut().unwrap().remove("namespace");
                }
                objects.insert((kind, body["metadata"]["name"].to_string()), body);
            }
            objects.into_iter().map(|((kind, _), body)| (kind, body)).collect()
        },
    )
}

fn world(objects: &[(Kind, Value)]) -> World {
    filled(World::default(), objects)
}

fn filled(world: World, objects: &[(Kind, Value)]) -> World {
    let mut world = World { server_minor: Some(36), ..world };
    for (kind, body) in objects {
        world.put(*kind, body.clone()).unwrap();
    }
    world
}

fn plans(world: &World, objects: &[(Kind, Value)], now: Timestamp) -> BTreeMap<ObjectKey, Plan> {
    let keys = objects.iter().map(|(kind, body)| key(*kind, body));
    keys.map(|key| (key.clone(), plan(world, &key, &Moment::at(now)))).collect()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

/// The conditions of every object that has some, by object and type: status and time.
fn conditions(world: &World, objects: &[(Kind, Value)]) -> BTreeMap<String, (Value, Value)> {
    let mut all = BTreeMap::new();
    for (kind, body) in objects {
        let name = body["metadata"]["name"].as_str().unwrap();
        let Some(body) = world.body(&key(*kind, body)) else { continue };
        for condition in body["status"]["conditions"].as_array().into_iter().flatten() {
            let key = format!("{kind:?} {name} {}", condition["type"]);
            let value = (condition["status"].clone(), condition["lastTransitionTime"].clone());
            all.insert(key, value);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn total_and_deterministic(objects in objects()) {
        let world = world(&objects);
        prop_assert_eq!(plans(&world, &objects, now()), plans(&world, &objects, now()));
    }

    #[test]
    fn order_blind(objects in objects(), order in vec(any::<Index>(), 8)) {
        let mut shuffled = objects.clone();
        for (at, other) in order.iter().enumerate() {
            if !shuffled.is_empty() {
                let (one, two) = (at % shuffled.len(), other.index(shuffled.len()));
                shuffled.swap(one, two);
            }
        }
        // Nor does it matter how they are held.
        let (mut here, mut there) =
            (filled(World::of_a_cluster(), &objects), world(&shuffled));
        prop_assert_eq!(plans(&here, &objects, now()), plans(&there, &objects, now()));
        settle(&mut here, now()).unwrap();
        settle(&mut there, now()).unwrap();
        prop_assert_eq!(plans(&here, &objects, now()), plans(&there, &objects, now()));
    }

    #[test]
    fn settling_and_quiet(objects in objects()) {
        let mut world = world(&objects);
        settle(&mut world, now()).unwrap();
        prop_assert_eq!(settle(&mut world, now()), Ok(0), "nothing is left to write");
        let later = now() + SignedDuration::from_hours(1);
        prop_assert_eq!(settle(&mut world, later), Ok(0), "the time alone changes nothing");
    }

    #[test]
    fn a_condition_moves_only_with_its_status(objects in objects(), change in task_definition()) {
        let mut world = world(&objects);
        settle(&mut world, now()).unwrap();
        let before = conditions(&world, &objects);
        let later = now() + SignedDuration::from_hours(1);
        for (kind, body) in objects.iter().filter(|(kind, _)| *kind == Kind::TaskDefinition) {
            let mut body = world.body(&key(*kind, body)).unwrap();
            body["spec"] = change.clone();
            body["metadata"]["generation"] = json!(2);
            world.put(*kind, body).unwrap();
        }
        settle(&mut world, later).unwrap();
        let after = conditions(&world, &objects);
        for (condition, (status, since)) in before {
            let (now, now_since) = &after[&condition];
            prop_assert_eq!(*now == status, *now_since == since, "{}", condition);
        }
    }

    #[test]
    fn humble(objects in objects()) {
        let mut world = world(&objects);
        let seen = |world: &World, kind: Kind| {
            let of_kind = objects.iter().filter(|(of, _)| *of == kind);
            of_kind.map(|(_, body)| world.body(&key(kind, body))).collect::<Vec<_>>()
        };
        let foreign = seen(&world, Kind::Endpoints);
        let nodes = seen(&world, Kind::Node);
        let specs = |world: &World| {
            let of = |kind| seen(world, kind).into_iter().flatten().map(|body| body["spec"].clone());
            let kinds = [Kind::Service, Kind::TaskDefinition, Kind::CapacityProvider];
            kinds.into_iter().flat_map(of).collect::<Vec<_>>()
        };
        let asked = specs(&world);
        settle(&mut world, now()).unwrap();
        prop_assert_eq!(seen(&world, Kind::Endpoints), foreign, "what is not ours stays as it is");
        prop_assert_eq!(seen(&world, Kind::Node), nodes, "no node is written");
        prop_assert_eq!(specs(&world), asked, "nobody's spec is written");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let output = run(&[File { name: "any".to_owned(), bytes }], &Options::default());
        prop_assert_eq!(output.failed, output.stderr.contains("error: "));
    }

    #[test]
    fn any_text_of_json_or_yaml_signs_is_read_or_refused(
        text in "([\\[\\]{}:,\"' \n\t&*<>|!%@#?~-]|- |a: |\"a\": |&a |\\*a |<<: |---\n|[0-9é]){0,40}"
    ) {
        let source = read(text.as_bytes());
        if let Err(fault) = source.documents {
            prop_assert!(fault.span.start <= text.len(), "{:?}", fault);
        }
        run(&[File { name: "any".to_owned(), bytes: text.into_bytes() }], &Options::default());
    }

    #[test]
    fn what_is_written_as_yaml_is_read_as_it_was(value in anything()) {
        let written = yaml(&value).unwrap();
        let documents = read(written.as_bytes()).documents.map_err(|fault| {
            TestCaseError::fail(format!("{fault:?} in {written}"))
        })?;
        let read = documents.into_iter().next().map_or(Value::Null, |document| document.value);
        // A whole number with a fraction of nothing is the same number.
        let same = |value: &Value| match value.as_f64() {
            Some(number) if value.is_f64() => json!(format!("{number:e}")),
            _ => value.clone(),
        };
        prop_assert_eq!(map(&read, &same), map(&value, &same), "{}", written);
    }

    #[test]
    fn any_spec_renders_or_is_refused(task_definition in task_definition(), service in service()) {
        let file = |name: &str, spec: &Value| File {
            name: format!("{name}.json"),
            bytes: spec.to_string().into_bytes(),
        };
        let files = [file("web", &task_definition), file("service", &service)];
        let output = run(&files, &Options { format: Format::Json, ..Options::default() });
        prop_assert_eq!(output.failed, output.stderr.contains(": error: "), "{}", output.stderr);
        prop_assert!(!output.stderr.contains("internal error"), "{}", output.stderr);
    }
}

fn map(value: &Value, scalar: &dyn Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|element| map(element, scalar)).collect(),
        Value::Object(object) => {
            object.iter().map(|(name, value)| (name.clone(), map(value, scalar))).collect()
        }
        other => scalar(other),
    }
}

#[test]
fn mistakes_on_purpose_are_noticed() {
    defects::are_noticed("laws");
}
