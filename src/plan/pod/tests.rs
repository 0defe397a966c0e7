//! The worked examples of what a task becomes as a pod.

mod linux;
mod network;
mod order;
mod restart;
mod volumes;

use serde_json::{Value, json};

use super::*;
use crate::names::annotation;
use crate::plan::finding::{Findings, Level};
use crate::plan::mapping::{self, Mapping, Tables};
use crate::plan::task_definition::resolve;

const NEWEST: Features = Features {
    kubernetes_minor: 36,
    restart_all_containers: true,
    labels_nodes: false,
    packs: false,
};
const OLDEST: Features = Features {
    kubernetes_minor: 33,
    restart_all_containers: false,
    labels_nodes: false,
    packs: false,
};

/// The pod of a task definition in which nothing is refused, as JSON.
fn pod(spec: &Value, features: Features) -> Value {
    let mut findings = Findings::default();
    let task = resolve(spec, Some("family"), &mut findings);
    assert!(!findings.any_refused(), "{findings:?}");
    json!(template(&task, features, &[], BTreeMap::new()))["spec"].clone()
}

/// What is said to differ in a task definition in which nothing is refused, by its place.
fn differing(spec: &Value) -> Vec<String> {
    let mut findings = Findings::default();
    resolve(spec, Some("family"), &mut findings);
    assert!(!findings.any_refused(), "{findings:?}");
    let differs = findings.0.iter().filter(|finding| finding.level == Level::Differs);
    differs.map(|finding| finding.path.replace("containerDefinitions", "c")).collect()
}

/// What is refused of a task definition.
fn refused(spec: &Value) -> Vec<String> {
    let mut findings = Findings::default();
    resolve(spec, Some("family"), &mut findings);
    findings.refusals().map(ToString::to_string).collect()
}

/// A task definition of one container with these members.
fn one(members: &Value) -> Value {
    let mut container = json!({"name": "main", "image": "example"});
    for (name, value) in members.as_object().unwrap() {
        container[name] = value.clone();
    }
    json!({"containerDefinitions": [container]})
}

/// A task definition of one container with these members, which may run on Fargate.
fn one_on_fargate(members: &Value) -> Value {
    let mut spec = fargate("256", "512");
    spec["containerDefinitions"] = one(members)["containerDefinitions"].clone();
    spec
}

fn fargate(cpu: &str, memory: &str) -> Value {
    json!({
        "requiresCompatibilities": ["EC2", "FARGATE"], "networkMode": "awsvpc",
        "cpu": cpu, "memory": memory,
        "containerDefinitions": [{"name": "main", "image": "example"}],
    })
}

#[test]
fn example_13_both_memories_are_request_and_limit() {
    let resources =
        |members: Value| pod(&one(&members), NEWEST)["containers"][0]["resources"].clone();
    assert_eq!(
        resources(json!({"memory": 300, "memoryReservation": 128})),
        json!({"requests": {"memory": "128Mi"}, "limits": {"memory": "300Mi"}})
    );
    assert_eq!(
        resources(json!({"memoryReservation": 128})),
        json!({"requests": {"memory": "128Mi"}}),
        "a reservation alone limits nothing"
    );
    assert_eq!(
        resources(json!({"memory": 300})),
        json!({"requests": {"memory": "300Mi"}, "limits": {"memory": "300Mi"}})
    );
    assert_eq!(refused(&one(&json!({"memory": 127, "memoryReservation": 128}))).len(), 1);
    assert!(refused(&one(&json!({"memory": 128, "memoryReservation": 128}))).is_empty());
}

#[test]
fn example_14_cpu_units_become_millicores_and_limit_no_container() {
    for (units, millicores) in [(256, "250m"), (10, "10m"), (1024, "1"), (1, ""), (0, "")] {
        let members = json!({"memory": 64, "cpu": units});
        let resources = &pod(&one(&members), NEWEST)["containers"][0]["resources"];
        let expected = if millicores.is_empty() { Value::Null } else { json!(millicores) };
        assert_eq!(resources["requests"]["cpu"], expected, "{units} units");
        assert_eq!(resources["limits"]["cpu"], Value::Null, "{units} units");
    }
}

#[test]
fn the_tasks_size_is_the_pods_where_the_cluster_has_that() {
    let spec = fargate("0.5 vCPU", "1 GB");
    let size = json!({"cpu": "500m", "memory": "1Gi"});
    let newest = pod(&spec, NEWEST);
    assert_eq!(newest["resources"], json!({"requests": size, "limits": size}));
    let on_containers = &newest["containers"][0]["resources"];
    assert_eq!(
        (&on_containers["requests"]["cpu"], &on_containers["limits"]["cpu"]),
        (&Value::Null, &Value::Null)
    );
    let oldest = pod(&spec, OLDEST);
    assert_eq!(oldest["resources"], Value::Null);
    for (which, disk) in [("requests", "0"), ("limits", "20Gi")] {
        let size = json!({"cpu": "500m", "memory": "1Gi", "ephemeral-storage": disk});
        assert_eq!(oldest["containers"][0]["resources"][which], size);
    }
}

#[test]
fn elsewhere_the_rest_of_a_task_goes_to_the_first_essential_container_that_reserves_nothing() {
    let mut spec = fargate("1024", "2048");
    spec["containerDefinitions"] = json!([
        {"name": "a", "image": "example", "cpu": 256, "memory": 512},
        {"name": "b", "image": "example"},
    ]);
    let containers = &pod(&spec, OLDEST)["containers"];
    assert_eq!(
        containers[0]["resources"],
        json!({
            "requests": {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "0"},
            "limits": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "20Gi"},
        })
    );
    assert_eq!(
        containers[1]["resources"],
        json!({
            "requests": {"cpu": "750m", "memory": "1536Mi"},
            "limits": {"cpu": "1", "memory": "2Gi"},
        })
    );
}

#[test]
fn example_15_fargate_has_its_sizes_and_no_other() {
    for (cpu, memory, legal) in [
        ("512", "4096", true),
        ("512", "5120", false),
        ("8192", "20480", true),
        ("8192", "18432", false),
        ("16384", "40960", true),
        ("16384", "36864", false),
        ("300", "700", false),
    ] {
        assert_eq!(refused(&fargate(cpu, memory)).is_empty(), legal, "{cpu}/{memory}");
    }
    let mut spec = fargate("300", "700");
    spec["requiresCompatibilities"] = json!(["EC2"]);
    assert!(refused(&spec).is_empty(), "on EC2 any size goes");
}

#[test]
fn example_12_a_start_period_is_a_startup_probe_of_as_many_failures() {
    for (start_period, failures) in [(60, 4), (45, 4), (61, 5), (10, 3), (300, 12)] {
        let check = json!({"command": ["CMD", "check"], "startPeriod": start_period});
        let pod = pod(&one(&json!({"memory": 64, "healthCheck": check})), NEWEST);
        let probe = &pod["containers"][0]["startupProbe"];
        assert_eq!(probe["failureThreshold"], failures, "startPeriod {start_period}");
        assert_eq!(probe["initialDelaySeconds"], 30, "the first check is one interval after");
        assert_eq!(probe["periodSeconds"], 30);
    }
    let pod =
        pod(&one(&json!({"memory": 64, "healthCheck": {"command": ["CMD", "check"]}})), NEWEST);
    assert_eq!(pod["containers"][0]["startupProbe"], Value::Null);
}

#[test]
fn example_10_only_an_essential_containers_health_stops_a_task() {
    let mut spec = one(&json!({"memory": 64}));
    spec["containerDefinitions"].as_array_mut().unwrap().push(json!({
        "name": "side", "image": "example", "memory": 64, "essential": false,
        "healthCheck": {"command": ["CMD-SHELL", "check me"], "interval": 7, "timeout": 3, "retries": 2},
    }));
    let side = &pod(&spec, NEWEST)["containers"][1];
    assert_eq!(side["livenessProbe"], Value::Null);
    assert_eq!(
        side["readinessProbe"],
        json!({
            "exec": {"command": ["/bin/sh", "-c", "check me"]},
            "periodSeconds": 7, "timeoutSeconds": 3, "failureThreshold": 2,
        })
    );
    spec["containerDefinitions"][1]["essential"] = json!(true);
    assert_eq!(pod(&spec, NEWEST)["containers"][1]["livenessProbe"]["initialDelaySeconds"], 7);
}

#[test]
fn example_9_any_exit_of_an_essential_container_restarts_all_where_the_cluster_can() {
    let spec = json!({"memory": "256", "containerDefinitions": [
        {"name": "a", "image": "example"},
        {"name": "b", "image": "example", "essential": false},
    ]});
    let policies = |minor| {
        let pod = pod(
            &spec,
            Features {
                kubernetes_minor: minor,
                restart_all_containers: minor >= 36,
                labels_nodes: false,
                packs: false,
            },
        );
        let of =
            |at: usize| pod["containers"][at]["restartPolicy"].as_str().unwrap_or("").to_owned();
        (of(0), of(1), pod["containers"][0]["restartPolicyRules"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(policies(36), ("Always".to_owned(), "Never".to_owned(), 2));
    assert_eq!(policies(35), (String::new(), "Never".to_owned(), 0));
    assert_eq!(policies(34), (String::new(), String::new(), 0));
}

#[test]
fn example_17_dollars_reach_the_process_as_they_were_written() {
    let members = json!({
        "memory": 64,
        "environment": [{"name": "X", "value": "$(HOME)/a"}],
        "entryPoint": ["sh", "-c"],
        "command": ["echo $(hostname) $HOME $$ $é 5$"],
        "healthCheck": {"command": ["CMD-SHELL", "test $(cat ok) = $$"]},
    });
    let container = &pod(&one(&members), NEWEST)["containers"][0];
    assert_eq!(container["env"][0]["value"], "$$(HOME)/a");
    assert_eq!(container["args"][0], "echo $$(hostname) $HOME $$$ $$é 5$");
    assert_eq!(container["livenessProbe"]["exec"]["command"][2], "test $$(cat ok) = $$$");
}

/// What Kubernetes makes of `$(NAME)` and `$$`, for variables that all exist: a copy of its rule
/// (`Expand` in third_party/forked/golang/expansion), which goes by bytes.
fn expand(text: &[u8]) -> Vec<u8> {
    let mut expanded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            (b'$', Some(b'$')) => {
                expanded.push(b'$');
                at += 2;
            }
            (b'$', Some(b'(')) => {
                let end = text[at..].iter().position(|byte| *byte == b')');
                expanded.extend_from_slice(if end.is_some() { b"<value>" } else { b"$(" });
                at += end.map_or(2, |end| end + 1);
            }
            (b'$', Some(other)) => {
                expanded.push(b'$');
                expanded.extend_from_slice(char::from(*other).to_string().as_bytes());
                at += 2;
            }
            (other, _) => {
                expanded.push(other);
                at += 1;
            }
        }
    }
    expanded
}

#[test]
fn no_text_is_changed_on_its_way_through_kubernetes() {
    // Every text of five of these.
    let letters = ['$', '(', ')', 'a', 'é'];
    for number in 0..letters.len().pow(5) {
        let text: String =
            (0..5).map(|at| letters[number / letters.len().pow(at) % letters.len()]).collect();
        let container = pod(&one(&json!({"memory": 64, "command": [text]})), NEWEST);
        let written = container["containers"][0]["args"][0].as_str().unwrap().to_owned();
        assert_eq!(String::from_utf8_lossy(&expand(written.as_bytes())), text, "{written}");
    }
}

#[test]
fn a_port_is_named_as_kubernetes_can_name_it() {
    let mappings = json!([
        {"containerPort": 80, "name": "web"},
        {"containerPort": 81, "name": "a-name-that-is-too-long"},
        {"containerPort": 82, "name": "Under_Score", "protocol": "udp"},
        {"containerPort": 83, "name": "8080"},
        {"containerPort": 84},
    ]);
    let pod = pod(&one(&json!({"memory": 64, "portMappings": mappings})), NEWEST);
    let ports = pod["containers"][0]["ports"].as_array().unwrap();
    assert_eq!(ports[0], json!({"containerPort": 80, "name": "web", "protocol": "TCP"}));
    assert_eq!(ports[2]["protocol"], "UDP");
    assert_eq!(ports[4]["name"], Value::Null);
    for port in &ports[..4] {
        let name = port["name"].as_str().unwrap();
        let letter = name.chars().any(|c| c.is_ascii_lowercase());
        let sound = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let edges = !name.starts_with('-') && !name.ends_with('-') && !name.contains("--");
        assert!(name.len() <= 15 && letter && sound && edges, "{name}");
    }
}

#[test]
fn a_container_name_that_kubernetes_cannot_write_is_kept_beside() {
    let mut spec = one(&json!({"memory": 64}));
    spec["containerDefinitions"][0]["name"] = json!("Main_Container");
    let mut findings = Findings::default();
    let task = resolve(&spec, Some("family"), &mut findings);
    let template = json!(template(&task, NEWEST, &[], BTreeMap::new()));
    let name = template["spec"]["containers"][0]["name"].as_str().unwrap();
    let kept = template["metadata"]["annotations"][annotation::CONTAINER_NAMES].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(kept).unwrap(), json!({name: "Main_Container"}));
    assert!(name.starts_with("main-container-"), "{name}");
}

#[test]
fn a_platform_is_a_node_selector() {
    let mut spec = one(&json!({"memory": 64}));
    assert_eq!(pod(&spec, NEWEST)["nodeSelector"], Value::Null);
    spec["runtimePlatform"] = json!({"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"});
    assert_eq!(
        pod(&spec, NEWEST)["nodeSelector"],
        json!({"kubernetes.io/arch": "arm64", "kubernetes.io/os": "linux"})
    );
}

#[test]
fn a_windows_edition_is_a_build_of_the_node() {
    let mut spec = one(&json!({"memory": 64}));
    let mut platform = |edition: &str, processor: &str| {
        spec["runtimePlatform"] =
            json!({"operatingSystemFamily": edition, "cpuArchitecture": processor});
        spec.clone()
    };
    assert_eq!(
        pod(&platform("WINDOWS_SERVER_2022_CORE", ""), NEWEST)["nodeSelector"],
        json!({"kubernetes.io/os": "windows", "node.kubernetes.io/windows-build": "10.0.20348"})
    );
    assert_eq!(
        refused(&platform("WINDOWS_SERVER_2016_FULL", "")).len(),
        1,
        "no kubelet runs there"
    );
    assert_eq!(refused(&platform("WINDOWS_SERVER_2022_CORE", "ARM64")).len(), 1);
}

#[test]
fn accelerators_are_resources_of_device_plugins() {
    let needs = |kind: &str, value: &str| {
        one(&json!({"memory": 64, "resourceRequirements": [{"type": kind, "value": value}]}))
    };
    let limits = |spec: &Value| pod(spec, NEWEST)["containers"][0]["resources"]["limits"].clone();
    assert_eq!(limits(&needs("GPU", "2"))["nvidia.com/gpu"], "2");
    assert_eq!(limits(&needs("NeuronDevice", "1"))["aws.amazon.com/neuron"], "1");
    assert_eq!(refused(&needs("GPU", "ALL")).len(), 1, "nobody knows how many that are");
    assert_eq!(refused(&needs("InferenceAccelerator", "eia")).len(), 1);
    let on_fargate =
        one_on_fargate(&json!({"resourceRequirements": [{"type": "GPU", "value": "1"}]}));
    assert_eq!(refused(&on_fargate).len(), 1);
    let shared = one(&json!({"memory": 64, "resourceRequirements": [{
        "type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 4096, "maxComputePercent": 25}},
    }]}));
    assert_eq!(limits(&shared)["nvidia.com/gpu.shared"], "1");
    assert_eq!(
        pod(&shared, NEWEST)["containers"][0]["env"],
        json!([
            {"name": "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", "value": "0=4096M"},
            {"name": "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "value": "25"},
        ])
    );
}

#[test]
fn ports_that_cannot_be_meant_are_refused() {
    let ports = |mode: &str, mappings: Value| {
        let mut spec = one(&json!({"memory": 64, "portMappings": mappings}));
        spec["networkMode"] = json!(mode);
        refused(&spec).len()
    };
    assert_eq!(ports("awsvpc", json!([{"containerPort": 80, "hostPort": 8080}])), 1);
    assert_eq!(ports("awsvpc", json!([{"containerPort": 80, "hostPort": 80}])), 0);
    assert_eq!(ports("bridge", json!([{"containerPort": 80, "hostPort": 8080}])), 0);
    let both = json!([{"containerPort": 53}, {"containerPort": 53, "protocol": "udp"}]);
    assert_eq!(ports("awsvpc", both.clone()), 1);
    assert_eq!(ports("bridge", both), 1);
    let twice =
        json!([{"containerPort": 80, "hostPort": 80}, {"containerPort": 80, "hostPort": 81}]);
    assert_eq!(ports("bridge", twice), 0, "one port under two of the host's");
    assert_eq!(ports("bridge", json!([{"containerPort": 65536}])), 1);
    assert_eq!(ports("bridge", json!([{}])), 1);
}

/// The pod of a task definition whose cluster has these tables.
fn mapped(kubernetes: &Value, spec: &Value) -> Value {
    let mut findings = Findings::default();
    let task = resolve(spec, Some("family"), &mut findings);
    assert!(!findings.any_refused(), "{findings:?}");
    let tables = Tables::read(&json!({"kubernetes": kubernetes}), &mut findings);
    let mapping = Mapping { tables, ..Mapping::default() };
    let names =
        mapping::resolve(&task.identifiers, &mapping::Launch::default(), &mapping, &mut findings);
    let mut template = template(&task, NEWEST, &[], BTreeMap::new());
    lay(&names, task.image_pull_policy.as_deref(), &mut template);
    json!(template)["spec"].clone()
}

#[test]
fn example_18_of_environment_files() {
    let file =
        |name: &str| json!({"value": format!("arn:aws:s3:::bucket/{name}.env"), "type": "s3"});
    let row = |name: &str| json!({"value": file(name)["value"], "configMap": name});
    let spec = one(&json!({
        "memory": 64,
        "environmentFiles": [file("file1"), file("file2")],
        "environment": [{"name": "B", "value": "9"}],
    }));
    let pod = mapped(&json!({"environmentFiles": [row("file1"), row("file2")]}), &spec);
    let container = &pod["containers"][0];
    let file1 = BTreeMap::from([("A", "1"), ("B", "1")]);
    let file2 = BTreeMap::from([("A", "2"), ("C", "2")]);
    // As the kubelet does it: a later source wins, and `env` over all of them.
    let mut seen = BTreeMap::new();
    for source in container["envFrom"].as_array().unwrap() {
        seen.extend(if source["configMapRef"]["name"] == "file1" { &file1 } else { &file2 });
    }
    seen.insert("B", container["env"][0]["value"].as_str().unwrap());
    assert_eq!(seen, BTreeMap::from([("A", "1"), ("B", "9"), ("C", "2")]));
}

#[test]
fn a_secret_is_a_variable_from_a_key_of_a_secret() {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
    let spec = one(&json!({
        "memory": 64,
        "environment": [{"name": "A", "value": "plain"}, {"name": "PASSWORD", "value": "plain"}],
        "secrets": [{"name": "PASSWORD", "valueFrom": format!("{arn}:password::")}],
    }));
    let tables = json!({"secrets": [{"valueFrom": arn, "secretName": "database"}]});
    assert_eq!(
        mapped(&tables, &spec)["containers"][0]["env"],
        json!([
            {"name": "A", "value": "plain"},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
        ])
    );
}

#[test]
fn only_a_role_that_is_mapped_brings_a_token() {
    let mut spec = one(&json!({"memory": 64}));
    spec["taskRoleArn"] = json!("arn:aws:iam::123456789012:role/web");
    let pod = mapped(&json!({}), &spec);
    assert_eq!(pod["serviceAccountName"], Value::Null);
    assert_eq!(pod["automountServiceAccountToken"], false);
    let pod = mapped(&json!({"roles": [{"role": "web", "serviceAccount": "shop"}]}), &spec);
    assert_eq!(pod["serviceAccountName"], "shop");
    assert_eq!(pod["automountServiceAccountToken"], true);
}

#[test]
fn an_image_is_pulled_as_its_row_says() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let tables = json!({"images": [
        {"prefix": "example:1", "replacement": "mirror/example:1", "digest": digest, "pullSecrets": ["login"]},
    ]});
    let mut spec = one(&json!({"memory": 64, "image": "example:1"}));
    let pod = mapped(&tables, &spec);
    assert_eq!(pod["containers"][0]["image"], format!("mirror/example@{digest}"));
    assert_eq!(pod["containers"][0]["imagePullPolicy"], "IfNotPresent");
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "login"}]));
    spec["kubernetes"] = json!({"imagePullPolicy": "Always"});
    assert_eq!(mapped(&tables, &spec)["containers"][0]["imagePullPolicy"], "Always");
}

#[test]
fn identifiers_that_cannot_be_meant_are_refused() {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
    let refusals = |members: Value| {
        let mut members = members;
        members["memory"] = json!(64);
        refused(&one(&members)).len()
    };
    for wrong in [format!("{arn}:password"), format!("{arn}:a:AWSCURRENT:id"), String::new()] {
        assert_eq!(refusals(json!({"secrets": [{"name": "A", "valueFrom": wrong}]})), 1, "{wrong}");
    }
    assert_eq!(refusals(json!({"secrets": [{"name": "", "valueFrom": ""}]})), 0, "a skeleton's");
    assert_eq!(refusals(json!({"secrets": [{"name": "A=B", "valueFrom": "a"}]})), 1);
    assert_eq!(refusals(json!({"logConfiguration": {"logDriver": "awslog"}})), 1);
    let files = vec![json!({"value": "arn:aws:s3:::b/k.env", "type": "s3"}); 11];
    assert_eq!(refusals(json!({"environmentFiles": files})), 1);
}
