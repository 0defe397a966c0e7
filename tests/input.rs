//! Does input as people have it become what it says, whatever it is?
//!
//! Property tests of `linkspan import` and `linkspan map`, and of the names that things get.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "included/specs.rs"]
mod specs;

use linkspan::names::{dns_label, endpoints, label_value, record, revision, workload};
use linkspan::plan::mapping::TABLES;
use linkspan::render::{File, Options, Output, clusters, import, run};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use specs::{anything, service, sound_service, sound_task_definition, task_definition};

fn file(name: &str, value: &Value) -> File {
    File { name: format!("{name}.json"), bytes: value.to_string().into_bytes() }
}

/// A task definition and a service as files, the first with the family that the second names.
fn files(task_definition: &Value, service: &Value) -> [File; 2] {
    let mut spec = task_definition.clone();
    let named = service.get("taskDefinition").and_then(Value::as_str).unwrap_or_default();
    let family = named.split(':').next().filter(|family| !family.is_empty()).unwrap_or("web");
    if let Some(members) = spec.as_object_mut() {
        members.entry("family").or_insert_with(|| family.into());
    }
    [file("web", &spec), file("service", service)]
}

fn printed(name: &str, output: &Output) -> File {
    File { name: name.to_owned(), bytes: output.stdout.clone().into_bytes() }
}

/// Members as CloudFormation names them: with a capital letter.
fn in_pascal_case(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let mut letters = name.chars();
                let first: String =
                    letters.next().into_iter().flat_map(char::to_uppercase).collect();
                (first + letters.as_str(), in_pascal_case(value))
            })
            .collect(),
        Value::Array(list) => list.iter().map(in_pascal_case).collect(),
        other => other.clone(),
    }
}

/// Rows of tables: the members of all of them in any mixture, with values that some of them take.
fn row() -> impl Strategy<Value = Value> {
    const MEMBERS: &[&str] = &[
        "prefix",
        "replacement",
        "role",
        "serviceAccount",
        "valueFrom",
        "secretName",
        "value",
        "configMap",
        "fileSystem",
        "claimName",
        "driver",
        "subnet",
        "zone",
        "securityGroup",
        "ingress",
        "egress",
        "targetGroup",
        "loadBalancerName",
        "listenerRule",
        "service",
        "logDriver",
        "annotations",
        "alarmName",
        "metricName",
        "threshold",
        "comparisonOperator",
        "evaluationPeriods",
        "alarmActions",
        "hookTargetArn",
        "taskDefinition",
    ];
    let value = prop_oneof![
        4 => select(vec![
            json!("sg-1"), json!("web"), json!("arn:aws:a:b:c:targetgroup/web/1"), json!(80), json!([]),
            json!([{}]), json!([{"from": [{"cidr": "10.0.0.0/8"}], "ports": [80, "1-2/udp"]}]),
            json!([{"from": [{"securityGroup": "sg-é"}, {"service": "Web_2"}], "ports": ["x"]}]),
            json!([{"to": [{"namespace": "kube-system"}]}]), json!({}),
            json!({"host": "*.example.com", "path": "/a", "tlsSecretName": "tls"}),
            json!({"type": "LoadBalancer", "port": "8080"}), json!({"type": "NodePort", "nodePort": -1}),
        ]),
        1 => anything(),
    ];
    btree_map(select(MEMBERS), value, 1..5).prop_map(|members| json!(members))
}

/// Services that ask for security groups and load balancers.
fn outward() -> impl Strategy<Value = Value> {
    let group = prop_oneof![select(vec!["sg-1", "sg-2"]).prop_map(ToOwned::to_owned), "\\PC{1,80}"];
    let target =
        select(vec!["web", "arn:aws:a:b:c:targetgroup/web/1", "${Group}", "a/b c", "arn:a"]);
    let balancer = (select(vec!["targetGroupArn", "loadBalancerName"]), target).prop_map(
        |(member, name)| json!({member: name, "containerName": "main", "containerPort": 80}),
    );
    let all = vec!["alarms", "hooks", "autoscaling"];
    (vec(group, 0..4), vec(balancer, 0..4), subsequence(all, 0..=2)).prop_map(
        |(groups, balancers, extras)| {
            let mut spec = json!({
                "taskDefinition": "web", "loadBalancers": balancers,
                "networkConfiguration": {"awsvpcConfiguration":
                    {"subnets": ["subnet-1"], "securityGroups": groups}},
            });
            for extra in extras {
                match extra {
                    "alarms" => {
                        spec["deploymentConfiguration"]["alarms"] =
                            json!({"alarmNames": ["a b", "é"], "enable": true, "rollback": false});
                    }
                    "hooks" => {
                        spec["deploymentConfiguration"]["lifecycleHooks"] =
                            json!([{"hookTargetArn": "arn:aws:lambda:r:1:function:a b:1"}]);
                    }
                    _ => {
                        spec["kubernetes"] =
                            json!({"scaling": {"alarms": [{"alarmName": "busy"}]}});
                    }
                }
            }
            spec
        },
    )
}

/// The manifests, but for the annotations that remember what was asked for word by word.
fn plain(output: &Output) -> Vec<&str> {
    let remembered = |line: &&str| line.contains("/record: ") || line.contains("/intent: ");
    output.stdout.lines().filter(|line| !remembered(line)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn anything_is_imported_and_mapped_or_refused(value in anything()) {
        for wrapped in [
            value.clone(),
            in_pascal_case(&value),
            json!({"taskDefinition": value}),
            json!({"services": [value, value]}),
            json!({"Resources": {"Web": {"Type": "AWS::ECS::TaskDefinition", "Properties": value}}}),
            json!({"Parameters": value, "Resources": value, "ContainerDefinitions": value}),
        ] {
            let files = [file("any", &wrapped)];
            for output in [import(&files, &Options::default()), clusters(&files, &Options::default())] {
                prop_assert_eq!(output.failed, output.stderr.contains("error: "));
                prop_assert!(!output.stderr.contains("internal error"), "{}", output.stderr);
            }
        }
    }

    #[test]
    fn any_bytes_are_imported_and_mapped_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let files = [File { name: "any".to_owned(), bytes }];
        for output in [import(&files, &Options::default()), clusters(&files, &Options::default())] {
            prop_assert_eq!(output.failed, output.stderr.contains("error: "));
        }
    }

    #[test]
    fn import_then_render_is_render(task_definition in task_definition(), service in service()) {
        let files = files(&task_definition, &service);
        let options = Options::default();
        let rendered = run(&files, &options);
        let imported = import(&files, &options);
        if !rendered.failed {
            let again = run(&[printed("imported.yaml", &imported)], &options);
            prop_assert_eq!(plain(&again), plain(&rendered), "{}", imported.stdout);
        }
    }

    #[test]
    fn rows_of_a_cluster_are_rendered_by_or_refused(
        tables in btree_map(select(TABLES.to_vec()), vec(row(), 0..3), 0..5), service in outward()
    ) {
        let cluster = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Cluster",
            "metadata": {"name": "default"}, "spec": {"kubernetes": tables}});
        let task = json!({"containerDefinitions":
            [{"name": "main", "image": "a", "memory": 64, "portMappings": [{"containerPort": 80}]}]});
        let [web, service] = files(&task, &service);
        let input = [file("cluster", &cluster), web, service];
        for output in [run(&input, &Options::default()), clusters(&input, &Options::default())] {
            prop_assert_eq!(output.failed, output.stderr.contains("error: "), "{}", output.stderr);
            prop_assert!(!output.stderr.contains("internal error"), "{}", output.stderr);
        }
    }

    #[test]
    fn what_map_writes_for_a_service_leaves_nothing_to_map(service in outward()) {
        let task = json!({"containerDefinitions":
            [{"name": "main", "image": "a", "memory": 64, "portMappings": [{"containerPort": 80}]}]});
        let files = files(&task, &service);
        let written = clusters(&files, &Options::default());
        prop_assert!(!written.failed, "{}", written.stderr);
        let [web, service] = files;
        let again = clusters(&[printed("cluster.yaml", &written), web, service], &Options::default());
        prop_assert_eq!(&again.stdout, "", "{}", written.stdout);
    }

    #[test]
    fn cloud_formation_is_imported_as_the_apis_form_is(
        task_definition in sound_task_definition(), service in sound_service()
    ) {
        let [one, two] = files(&task_definition, &service);
        let capital = [&one, &two].map(|of| File {
            name: of.name.clone(),
            bytes: in_pascal_case(&serde_json::from_slice(&of.bytes).unwrap()).to_string().into_bytes(),
        });
        let options = Options::default();
        let rendered = run(&[one, two], &options);
        // Both containers may be of those that are not essential, or a revision be pinned.
        prop_assume!(!rendered.failed);
        let imported = import(&capital, &options);
        prop_assert!(!imported.failed, "{}", imported.stderr);
        let again = run(&[printed("imported.yaml", &imported)], &options);
        prop_assert_eq!(plain(&again), plain(&rendered), "{}", imported.stdout);
    }

    #[test]
    fn two_names_of_ecs_never_become_one_object(
        (one, two) in ("[A-Za-z0-9_-]{1,255}", "[A-Za-z0-9_-]{1,255}"),
        (numbers, change) in ((1..3i64, 1..3i64), 0..4)
    ) {
        // Names that differ a little, as well as names that have nothing in common.
        let two = match change {
            0 => two,
            1 => one.to_ascii_lowercase(),
            2 => one.replace('_', "-"),
            _ => one.chars().chain("_".chars()).collect(),
        };
        let uid = "0b0c5a2e-0000-4000-8000-000000000000";
        let names = |name: &str, number: i64| {
            [
                dns_label(name, 63),
                endpoints(name),
                workload(name, uid, "", "blue"),
                record(name, uid, number),
                revision(name, number),
            ]
        };
        for name in names(&one, numbers.0).iter().chain(&names(&two, numbers.1)) {
            prop_assert!(is_subdomain(name), "{}", name);
        }
        prop_assert!(label_value(&one).len() <= 63);
        if one != two {
            prop_assert_ne!(dns_label(&one, 63), dns_label(&two, 63));
            prop_assert_ne!(endpoints(&one), endpoints(&two));
            prop_assert_ne!(label_value(&one), label_value(&two));
            prop_assert_ne!(record(&one, uid, numbers.0), record(&two, uid, numbers.0));
        }
        if (&one, numbers.0) != (&two, numbers.1) {
            prop_assert_ne!(revision(&one, numbers.0), revision(&two, numbers.1));
        }
    }
}

/// Whether the API server takes it for an object's name.
fn is_subdomain(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|c| edge(c) || c == '-')
}
